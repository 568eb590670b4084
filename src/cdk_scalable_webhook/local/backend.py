"""MiniStack as we run it: a function sees of what is installed what it would see at AWS, and what it has logged when
it answers is in its log group, all of it.

MiniStack takes a function's log for complete once no line came for 5 ms. On a busy machine that is too soon: the last
lines then appear with the next invocation of that process, or never. Here a log is complete once its pipe is empty.
"""

import os
import select
import tempfile
from pathlib import Path
from threading import Lock
from typing import Any

from ministack.app import main
from ministack.core import lambda_runtime

from cdk_scalable_webhook.local import python

_CHUNK_BYTES = 65536


class Log:
    """What a process writes to a pipe, line by line into a queue. A function answers after it has logged, so whoever
    has read its answer finds the log in the queue already, or in the pipe."""

    def __init__(self, pipe: int, lines: Any) -> None:
        # One of our own: nobody else closes it while it is read.
        self._pipe = os.dup(pipe)
        self._lines = lines
        self._begun = b""
        self._open = True
        self._reading = Lock()

    def read_on(self) -> None:
        """Until the process closes it, so that the pipe is never full."""
        while self._open:
            self._is_readable(None)
            with self._reading:
                self._read()
        os.close(self._pipe)

    def read_rest(self) -> None:
        """What the pipe has now."""
        with self._reading:
            while self._read():
                pass

    def _read(self) -> bool:
        """Whether there was something, or the end. `read_rest` may have read what `read_on` was told of."""
        if not self._open or not self._is_readable(0):
            return False
        chunk = os.read(self._pipe, _CHUNK_BYTES)
        self._open = bool(chunk)
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        if not chunk and self._begun:
            lines.append(self._begun)
        for line in lines:
            self._lines.put(line.decode(errors="replace"))
        return True

    def _is_readable(self, milliseconds: int | None) -> bool:
        """Not by ``select``, which takes no descriptor above 1,023: a burst opens many."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        return bool(poll.poll(milliseconds))


def read_logs_to_the_end(worker: type[Any]) -> None:
    """Make a class of MiniStack's read the logs of its processes so."""
    stock = worker._drain_stderr_bounded

    def read(self: Any) -> None:
        self._log = Log(self._proc.stderr.fileno(), self._stderr_queue)
        self._log.read_on()

    def drain(self: Any, **waits: float) -> str:
        if not hasattr(self, "_log"):  # a custom runtime, which MiniStack reads in another way
            return str(stock(self, **waits))
        self._log.read_rest()
        return str(self._drain_stderr())

    worker._read_stderr = read
    worker._drain_stderr_bounded = drain


if __name__ == "__main__":
    read_logs_to_the_end(lambda_runtime.Worker)
    program: Path = python.make(Path(tempfile.gettempdir(), "python"))
    lambda_runtime._detect_runtime_binary = python.by(program, lambda_runtime._detect_runtime_binary)
    os.environ.pop("PYTHONPATH", None)  # functions would inherit it
    main()
