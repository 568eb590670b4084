"""What all workers of a run have in common: it is made once, by the first who asks for it."""

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
    """The home of the local AWS that is in common, where someone has started it. It ends with the run."""
    return folder() / "local-aws"


def once(name: str, make: Callable[[], T]) -> T:
    """What was made under this name; JSON has to have its type."""
    made = folder() / f"{name}.json"
    with FileLock(folder() / f"{name}.lock"):
        if not made.exists():
            made.write_text(json.dumps(make()))
        result: T = json.loads(made.read_text())
    return result
