"""What every step shares: a refusal, and commands whose failure is one."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What of our own environment must not reach another: its packages would be ours, and the folder a checkout.
_OURS = {"PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}


_LAST_LINES = 30


class Refused(Exception):
    """What is wrong with a release, for who makes it."""


def inherited() -> dict[str, str]:
    """The user's environment, as a program sees it that knows nothing of ours."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


def run(
    command: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, umask: int = -1
) -> str:
    """What a command prints.

    Raises:
        Refused: It failed; the message has what it said.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env=env or inherited(),
        umask=umask,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in f"{done.stdout}{done.stderr}".splitlines() if not line.startswith("WARNING")]
        raise Refused("\n".join([f"{' '.join(words)} ended with {done.returncode}", *said[-_LAST_LINES:]]))
    return done.stdout
