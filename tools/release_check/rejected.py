"""The parts that all checks share: the error of a failed check, and commands that raise it."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from scalable_webhook_cli.processes import end

ROOT = Path(__file__).parents[2]

# Variables that must not reach another environment, which would get our packages and our checkout.
_OURS = {"PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}


_LAST_LINES = 30


class Rejected(Exception):
    """The reason why a release must not be published."""


def inherited() -> dict[str, str]:
    """Return the environment variables of the user, without those of our own environment."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


def run(
    command: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, umask: int = -1
) -> str:
    """Return the output of a command.

    Raises:
        Rejected: It failed; the message has its output.
    """
    words = [str(word) for word in command]
    with subprocess.Popen(
        words,
        cwd=cwd,
        env=env or inherited(),
        umask=umask,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            out, errors = running.communicate()
        except BaseException:  # Ctrl-C
            end([running.pid])
            raise
    if running.returncode:
        said = [line for line in f"{out}{errors}".splitlines() if not line.startswith("WARNING")]
        raise Rejected("\n".join([f"{' '.join(words)} ended with {running.returncode}", *said[-_LAST_LINES:]]))
    return out
