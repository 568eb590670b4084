"""Run a command in a terminal of 80 columns, and keep what it prints there, with its colors."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

from rich.text import Text

COLUMNS, _LINES = 80, 50


def printed(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> Text:
    """Return what a command prints in a terminal, stdout and stderr.

    Raises:
        CalledProcessError: It failed.
    """
    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, COLUMNS, 0, 0))
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=keyboard,
        stderr=keyboard,
        env={**environment, "TERM": "xterm-256color"},
    ) as process:
        os.close(keyboard)
        said = b"".join(iter(lambda: _next(screen), b""))
    os.close(screen)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return Text.from_ansi(said.decode().replace("\r\n", "\n"))


def _next(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # of a terminal whose last program has ended
        return b""
