"""A function as Lambda runs it: loaded once, and called with one event after the other. ``processes`` starts it."""

import cProfile
import importlib
import os
import pickle
import pstats
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple


class Run(NamedTuple):
    """The outcome of some events.

    Attributes:
        began: The time of the first call, by a clock that all processes share.
        ended: The time of the last answer.
        cpu: The processor time in between, in seconds.
        answers: The results of the function.
        profile: With the profiler: each function's name and its own share of the time, the longest first.
    """

    began: float
    ended: float
    cpu: float
    answers: list[Any]
    profile: list[tuple[str, float]]


class Context:
    """The used part of Lambda's context object."""

    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        """Return enough time."""
        return 30_000


def load(handler: str) -> Any:
    """Import the handler by its name.

    Args:
        handler: ``module.function``.
    """
    module, _, name = handler.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _run(handler: Any, events: list[Any], profile: bool) -> Run:
    context, profiler = Context(), cProfile.Profile()
    if profile:
        profiler.enable()
    began, cpu = time.monotonic(), time.process_time()
    answers = [handler(event, context) for event in events]
    cpu, ended = time.process_time() - cpu, time.monotonic()
    profiler.disable()
    return Run(began, ended, cpu, answers, _longest(profiler) if profile else [])


def _longest(profiler: cProfile.Profile) -> list[tuple[str, float]]:
    stats: Any = pstats.Stats(profiler)
    own = sorted(((times[2], where) for where, times in stats.stats.items()), reverse=True)
    return [(_name(*where), seconds / stats.total_tt) for seconds, where in own]


def _name(file: str, _line: int, function: str) -> str:
    return function if file == "~" else f"{Path(file).parent.name}/{Path(file).name}:{function}"


def main() -> None:
    """Call the function until no more events come."""
    answers = os.fdopen(os.dup(1), "wb")
    # The output of the function does not count, as in Lambda.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    handler = None
    while True:
        try:
            events, profile = pickle.load(sys.stdin.buffer)  # noqa: S301 (of our own parent)
        except EOFError:
            return
        handler = handler or load(sys.argv[1])
        pickle.dump(tuple(_run(handler, events, profile)), answers)
        answers.flush()


if __name__ == "__main__":
    main()
