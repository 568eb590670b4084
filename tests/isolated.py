"""Run code with the asset of a function and what Lambda's Python has, and nothing else that is installed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scalable_webhook_cli.local import python

from .suite.patience import SECONDS


def lambdas_packages(folder: Path) -> Path:
    """Create a folder with the packages of Lambda's Python."""
    python.make(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    return site


def run(
    program: str, *path: Path, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program with these folders in Python's path, next to the standard library."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    start = f"import sys; sys.path[:0] = {[str(folder) for folder in path]!r}\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", start + program],
        input=stdin,
        env={**kept, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
