"""A linter of prose: pages, and the docstrings, comments and messages of Python files."""
