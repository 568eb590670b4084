"""Lint the prose: `make check`.

Without a file it reads every page and module of FILES. Of a Python file it reads docstrings,
comments, errors and warnings: `PYTHONPATH=tools python -m prose src/webhook_runtime/message.py`.
"""

import sys
from pathlib import Path

from prose.lint import ROOT, lint

FILES = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**/*.md"),
    *("src/**/*.py", "examples/**/*.py", "tests/**/*.py", "benchmarks/**/*.py", "tools/**/*.py"),
    *("projenrc/*.py", "*.py"),
]


def main(names: list[str]) -> int:
    """Print each fault with its place, and return the exit status."""
    files = sorted(file for pattern in FILES for file in ROOT.glob(pattern) if "cdk.out" not in file.parts)
    found = lint([Path(name).resolve() for name in names] or files)
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
