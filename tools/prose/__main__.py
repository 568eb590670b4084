"""Lint the prose: `make check`.

Without a file it reads every page and module of FILES, except those of TO_DO. Of a Python file it reads docstrings,
comments, errors and warnings: `PYTHONPATH=tools python -m prose src/webhook_runtime/message.py`.
"""

import sys
from pathlib import Path

from prose.lint import ROOT, lint

FILES = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**/*.md"),
    *("src/cdk_scalable_webhook/**/*.py", "examples/**/*.py", "tools/**/*.py", "projenrc/*.py", "*.py"),
]
# Files that are still to be rewritten. Remove each as soon as it passes.
TO_DO = [
    "docs/checkers.md",
    "docs/local-aws.md",
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
    "src/cdk_scalable_webhook/sources/__init__.py",
    "src/cdk_scalable_webhook/sources/probe.py",
    "src/cdk_scalable_webhook/sources/providers.py",
    "src/cdk_scalable_webhook/sources/source.py",
]


def main(names: list[str]) -> int:
    """Print each fault with its place, and return the exit status."""
    files = sorted(file for pattern in FILES for file in ROOT.glob(pattern) if "cdk.out" not in file.parts)
    paths = [Path(name).resolve() for name in names] or [
        file for file in files if file.relative_to(ROOT).as_posix() not in TO_DO
    ]
    found = lint(paths)
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
