"""Share resources between all workers of a run: the first worker creates them."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

T = TypeVar("T")


def folder() -> Path:
    return Path(tempfile.gettempdir()) / "shared"


def local_aws() -> Path:
    """Return the home of the shared local AWS, if it was started. It ends with the run."""
    return folder() / "local-aws"


def once(name: str, make: Callable[[], T]) -> T:
    """Return the value of this name, and create it if it does not exist. JSON must be able to hold its type."""
    made = folder() / f"{name}.json"
    with FileLock(folder() / f"{name}.lock"):
        if not made.exists():
            made.write_text(json.dumps(make()))
        result: T = json.loads(made.read_text())
    return result
