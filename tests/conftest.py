"""What holds for every run of the tests: see tests/suite."""

import sys

from suite import shell

shell.forget()

# The Python of Lambda is WebAssembly, which starts no processes.
if sys.platform != "emscripten":
    pytest_plugins = ["suite.ending", "suite.order", "suite.timing"]
