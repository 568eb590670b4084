"""The processes of a benchmark: each server and each function has one, so that none takes the time of another. They end
with the context, and with their parent, even if that is killed.
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
    """Run a server in a process of its own, and yield its port on loopback.

    Args:
        script: The file in this folder whose main function calls ``serve``.
        arguments: Its arguments.
    """
    command = [sys.executable, str(_HERE / script), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())


def serve(port: int, forever: Callable[[], object]) -> None:
    """Serve until the parent ends, or closes the input of this process.

    Args:
        port: The port, which is printed for the parent.
        forever: The function that serves.
    """
    threading.Thread(target=forever, daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


class Worker:
    """One execution environment: a function in a process of its own, which keeps its clients and connections."""

    def __init__(self, function: Function, endpoint: str) -> None:
        """Start the process. The module of the function is loaded with the first events.

        Args:
            function: The function to run.
            endpoint: The address of the AWS services.
        """
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "worker.py"), function.handler],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=function.variables(endpoint),
        )

    def send(self, events: Sequence[Any], *, profile: bool = False) -> None:
        """Call the function with each event. It starts at once; ``receive`` waits for the end.

        Args:
            events: The events of Lambda.
            profile: Whether the profiler runs.
        """
        assert self._process.stdin
        pickle.dump((list(events), profile), self._process.stdin)
        self._process.stdin.flush()

    def receive(self) -> Run:
        """Return the outcome of the events that were sent."""
        assert self._process.stdout
        return Run(*pickle.load(self._process.stdout))  # noqa: S301 (of our own process)

    def run(self, events: Sequence[Any], *, profile: bool = False) -> Run:
        """Send events, and return their outcome.

        Args:
            events: The events of Lambda.
            profile: Whether the profiler runs.
        """
        self.send(events, profile=profile)
        return self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._process.__exit__(*error)
