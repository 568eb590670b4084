"""A linter of prose: pages, and what Python says in docstrings, comments and messages of errors."""
