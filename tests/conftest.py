"""What holds for every run of the tests: see tests/suite."""

from suite import shell

shell.forget()

pytest_plugins = ["suite.ending", "suite.order", "suite.timing"]
