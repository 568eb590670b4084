"""The rules for every run of the tests: shell, order, end and time."""
