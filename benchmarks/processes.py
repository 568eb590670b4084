"""The processes of a benchmark beside its own: each server and each function has one, so that none takes another's
time. They end with the block, and with their parent however that ends.
"""

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from functions import Function
from worker import Run

_HERE = Path(__file__).parent


@contextmanager
def serving(script: str, *arguments: object) -> Iterator[int]:
    """A server in a process of its own: its port on loopback.

    Args:
        script: The file beside this one, whose main function calls ``serve``.
        arguments: Its arguments.
    """
    command = [sys.executable, str(_HERE / script), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())


def serve(port: int, forever: Callable[[], object]) -> None:
    """Serve until the parent ends, or says so by closing this process' input.

    Args:
        port: Where, which the parent is told.
        forever: What serves.
    """
    threading.Thread(target=forever, daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


class Worker:
    """One execution environment: a function in a process of its own, which keeps its clients and connections."""

    def __init__(self, function: Function, endpoint: str) -> None:
        """Start it. The function's module loads with the first events.

        Args:
            function: What runs.
            endpoint: Where it finds AWS.
        """
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "worker.py"), function.handler],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=function.variables(endpoint),
        )

    def send(self, events: Sequence[Any], *, profile: bool = False) -> None:
        """Have the function called with each event. It begins at once; ``receive`` waits for the end.

        Args:
            events: What Lambda would call it with.
            profile: Whether the profiler watches.
        """
        assert self._process.stdin
        pickle.dump((list(events), profile), self._process.stdin)
        self._process.stdin.flush()

    def receive(self) -> Run:
        """What became of the events that were sent."""
        assert self._process.stdout
        return Run(*pickle.load(self._process.stdout))  # noqa: S301 (of our own process)

    def run(self, events: Sequence[Any], *, profile: bool = False) -> Run:
        """Both.

        Args:
            events: What Lambda would call it with.
            profile: Whether the profiler watches.
        """
        self.send(events, profile=profile)
        return self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._process.__exit__(*error)
