"""Lint the prose: `make check`.

Without a file it reads every page, and the Python files of CODE. Of a Python file it reads docstrings, comments and
messages of errors: `PYTHONPATH=tools python -m prose src/webhook_runtime/message.py`.
"""

import sys
from pathlib import Path

from prose.lint import ROOT, lint

PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**/*.md"]
CODE = [
    "src/cdk_scalable_webhook/findings.py",
    "src/cdk_scalable_webhook/sources/*.py",
    "src/webhook_runtime/**/*.py",
    "src/scalable_webhook_cli/**/*.py",
    "faults/**/*.py",
]


def main(names: list[str]) -> int:
    """Print what is wrong where, and return the exit status."""
    files = [file for pattern in [*PAGES, *CODE] for file in ROOT.glob(pattern)]
    found = lint([Path(name).resolve() for name in names] or sorted(files))
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
