"""Lint the prose: `make check`.

Without a file it reads every page, except those of TO_DO, and the Python files of FILES. Of a Python file it reads
docstrings, comments and messages of errors: `PYTHONPATH=tools python -m prose src/webhook_runtime/message.py`.
"""

import sys
from pathlib import Path

from prose.lint import ROOT, lint

FILES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/**/*.md",
    "src/cdk_scalable_webhook/findings.py",
    "src/cdk_scalable_webhook/sources/*.py",
]
# Pages that are still to be rewritten. Take one out as soon as it passes.
TO_DO = [
    "docs/local-aws.md",
]


def main(names: list[str]) -> int:
    """Print what is wrong where, and return the exit status."""
    files = sorted(file for pattern in FILES for file in ROOT.glob(pattern))
    paths = [Path(name).resolve() for name in names] or [
        file for file in files if file.relative_to(ROOT).as_posix() not in TO_DO
    ]
    found = lint(paths)
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
