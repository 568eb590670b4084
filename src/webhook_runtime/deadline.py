"""The time that a batch has left before Lambda ends the function, which would lose what is known of every message."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import _GeneratorContextManager, contextmanager
from types import FrameType
from typing import Protocol

from webhook_runtime.outcome import SinkDown

# What it takes to tell SQS what became of the batch, in seconds; and which part of a short time is kept for it, since
# the sink needs some as well.
_RESERVE = 1.0
_SHARE = 0.25
# For so many seconds a machine may give a function no turn: what comes too late in less may be late by no fault of its
# own.
PAUSE = 0.5
# However little is left, what has begun gets so long.
_LEAST = 0.01
# Seconds after which it is said again that the time is over, to what tidies up without end, or has not listened.
_AGAIN = 0.2


class Context(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int: ...


class TimeIsUp(BaseException):
    """Raised wherever a call is when its time is over. No ``Exception``: who handles those would go on."""


# What is never taken for an error of the code in which it is raised.
INTERRUPTS: tuple[type[BaseException], ...] = (KeyboardInterrupt, TimeIsUp)


class Deadline:
    """Of one batch. A webhook is looked at in ``look``, goes to the sink in a ``step``, and SQS is ``told`` of it: each
    ends in time, whatever it waits for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._longest = 0.0
        self._reserve = min(_RESERVE, self._left() * _SHARE)

    def remaining(self) -> float:
        """Seconds that a step may take."""
        return max(self._left() - self._reserve, 0.0)

    def is_over(self) -> bool:
        """Whether there is no time but for the answer to Lambda: half of what telling SQS may take."""
        return self._left() < self._reserve / 2

    def _left(self) -> float:
        return self._context.get_remaining_time_in_millis() / 1000

    @contextmanager
    def step(self) -> Iterator[None]:
        """One call to the sink. Raises SinkDown where one as long as the longest so far would not end in time; the
        first is always begun, and given up when the time is over. One in which the sink is down does not count: it may
        have waited for an answer that the others get at once."""
        if self._longest > self.remaining():
            raise SinkDown("the function had no time left for it", retry_after=0, error="OutOfTime")
        began = time.monotonic()
        try:
            with _ended_after(self.remaining()):
                yield
        except TimeIsUp:
            raise SinkDown("it was not done when the function's time was over", error="OutOfTime") from None
        except SinkDown:
            raise
        except BaseException:
            self._took(began)
            raise
        self._took(began)

    def _took(self, began: float) -> None:
        self._longest = max(self._longest, time.monotonic() - began)

    def part(self, of: int) -> float:
        """Seconds that each of so many webhooks has which are to be looked at: half of the time is for them all."""
        return self.remaining() / 2 / of

    @contextmanager
    def look(self, behind: int = 0) -> Iterator[None]:
        """One webhook that is looked at, with so many behind it: half of the time that is left is for them all, and for
        each as much; what one does not need is for those behind it. So none takes another's time, nor the sink's.
        Raises SinkDown where there is no time, and where it takes longer."""
        if self.is_over():
            raise SinkDown("the function had no time left for it", retry_after=0, error="OutOfTime")
        try:
            with _ended_after(self.part(behind + 1)):
                yield
        except TimeIsUp:
            raise SinkDown("it takes too long to look at it", error="OutOfTime") from None

    @contextmanager
    def told(self) -> Iterator[None]:
        """One call that tells SQS or S3 what became of the batch. Raises TimeoutError where it does not end in time."""
        try:
            with _ended_after(self._left() - self._reserve / 4):
                yield
        except TimeIsUp:
            raise TimeoutError("the function had no time left for it") from None


class _ended_after:  # noqa: N801
    """Raises TimeIsUp in the block after so many seconds, whatever it is doing: waiting for a server, reading an answer
    that comes byte by byte, or running a function of the user's.

    By a signal, which Python hands to the main thread alone. That is where Lambda calls a handler; elsewhere, the block
    has the time-outs of its own calls.

    A class, since a generator that is interrupted before its block begins is never told that it has ended.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_under_way = False

    def __enter__(self) -> None:
        if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
            return
        self._began = time.monotonic()
        self._handler = signal.signal(signal.SIGALRM, self._ring)
        # There may be a block around this one, whose time is not longer for it.
        self._around, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        self._is_under_way = True
        seconds = min(self._seconds, self._around or self._seconds)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _LEAST), _AGAIN)

    def __exit__(self, *_: object) -> None:
        if not self._is_under_way:
            return
        self._is_under_way = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        # None is one that Python does not know.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if self._handler is None else self._handler)
        if self._around:
            left = self._around - (time.monotonic() - self._began)
            signal.setitimer(signal.ITIMER_REAL, max(left, _LEAST), _AGAIN)

    def _ring(self, _number: int, frame: FrameType | None) -> None:
        # Not while a block begins or ends, or it would ring on behind it. It rings again.
        if self._is_under_way and (frame is None or frame.f_code not in _AROUND_A_BLOCK):
            raise TimeIsUp


_AROUND_A_BLOCK = [_ended_after._ring.__code__] + [
    getattr(manager, name).__code__
    for manager in (_ended_after, _GeneratorContextManager)
    for name in ("__enter__", "__exit__")
]
