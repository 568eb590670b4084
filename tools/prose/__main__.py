"""Lint the prose: `make check`.

Without a file it reads every page, except those of TO_DO, and the Python files of CODE. Of a Python file it reads
docstrings, comments and messages of errors: `PYTHONPATH=tools python -m prose src/webhook_runtime/message.py`.
"""

import sys
from pathlib import Path

from prose.lint import ROOT, lint

PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**/*.md"]
CODE = ["src/webhook_runtime/**/*.py", "src/scalable_webhook_cli/**/*.py", "faults/**/*.py"]
# Pages that are still to be rewritten. Take one out as soon as it passes.
TO_DO = [
    "docs/sources/custom.md",
    "docs/sources/github.md",
    "docs/sources/hmac.md",
    "docs/sources/hubspot.md",
    "docs/sources/index.md",
    "docs/sources/linear.md",
    "docs/sources/meta.md",
    "docs/sources/microsoft-graph.md",
    "docs/sources/okta.md",
    "docs/sources/paddle.md",
    "docs/sources/pagerduty.md",
    "docs/sources/providers.md",
    "docs/sources/razorpay.md",
    "docs/sources/shopify.md",
    "docs/sources/slack.md",
    "docs/sources/square.md",
    "docs/sources/standard-webhooks.md",
    "docs/sources/stripe.md",
    "docs/sources/token.md",
    "docs/sources/twilio.md",
    "docs/sources/x.md",
    "docs/sources/zoom.md",
]


def main(names: list[str]) -> int:
    """Print what is wrong where, and return the exit status."""
    pages = sorted(page for pattern in [*PAGES, *CODE] for page in ROOT.glob(pattern))
    paths = [Path(name).resolve() for name in names] or [
        page for page in pages if page.relative_to(ROOT).as_posix() not in TO_DO
    ]
    found = lint(paths)
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
