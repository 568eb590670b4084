"""The processor time of a function: Lambda gives 256 MiB 256/1769 of a vCPU.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from webhook_runtime import deadline

VCPU = 256 / 1769


class Invocation:
    """Lambda's context with processor time, so that the same work takes the same time on a busy machine."""

    def __init__(self, seconds: float) -> None:
        self._ends = now() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return round((self._ends - now()) * 1000)


def now() -> float:
    """Return the seconds for which such a function has worked."""
    return time.process_time() / VCPU


class _Signal:
    """Python's timers by that time."""

    SIGALRM, ITIMER_REAL = signal.SIGPROF, signal.ITIMER_PROF
    signal: Callable[..., Any] = staticmethod(signal.signal)

    @staticmethod
    def setitimer(which: int, seconds: float, interval: float = 0) -> tuple[float, float]:
        left, every = signal.setitimer(which, seconds * VCPU, interval * VCPU)
        return left / VCPU, every / VCPU


class _Time:
    monotonic = staticmethod(now)


@contextmanager
def used() -> Iterator[None]:
    """Let the deadline of a batch use that time.

    The objects of other tests are not collected in it: a function's process has none of them.
    """
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deadline, "signal", _Signal)
        patch.setattr(deadline, "time", _Time)
        yield
