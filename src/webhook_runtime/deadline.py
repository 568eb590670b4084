"""The time that is left for a batch: a timeout of Lambda would lose the outcome of every message."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import _GeneratorContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TypeVar

try:
    # The standard library's ``signal`` without its enums. To make them takes half a millisecond of a cold start, and to
    # look for one in each handler takes ten times as long as to set it.
    import _signal as signal  # type: ignore[import-not-found]
except ImportError:
    import signal

from webhook_runtime.interrupts import TimeIsUp
from webhook_runtime.outcome import SinkDown

if TYPE_CHECKING:  # only for types: a function without a rate does not load it
    from webhook_runtime.pace import Pace

T = TypeVar("T")

# Seconds kept for telling SQS what became of the batch. Of a short time, a share is kept, since the sink needs some
# too.
_RESERVE = 1.0
_SHARE = 0.25
# A machine may give a function no turn for so many seconds: a shorter look can be late by no fault of its own.
PAUSE = 0.5
OUT_OF_TIME = "OutOfTime"
# The least time that a block gets.
_LEAST = 0.01
# Raise again after so many seconds, if the block goes on: its cleanup hangs, or it caught the first one.
_AGAIN = 0.2


class Context(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


class Deadline:
    """The deadline of one batch: each block below ends in time, whatever it waits for.

    ``pace`` is None if the sink is asked as fast as it answers.
    """

    def __init__(self, context: Context, pace: "Pace | None" = None) -> None:
        self._context = context
        self._pace = pace
        self._has_asked = False
        self._longest = self._waited = 0.0
        self._reserve = min(_RESERVE, self._left() * _SHARE)

    def remaining(self) -> float:
        """Return the seconds that a step may take."""
        return max(self._left() - self._reserve, 0.0)

    def is_over(self) -> bool:
        """Tell whether less than half of the reserve is left."""
        return self._left() < self._reserve / 2

    def _left(self) -> float:
        return self._context.get_remaining_time_in_millis() / 1000

    def parts(self, webhooks: Sequence[T], most: int | None = None) -> Iterator[Sequence[T]]:
        """Yield the webhooks in parts, of which each may be one call to the sink, with ``most`` at most."""
        position = 0
        while position < len(webhooks):
            limits = [limit for limit in (most, self._pace and self._pace.most) if limit]
            part = webhooks[position : position + min(limits, default=len(webhooks))]
            position += len(part)
            yield part

    def turn(self, webhooks: int = 1) -> None:
        """Wait until the sink may be asked for so many webhooks. Raise SinkDown if that is too late for this batch.

        The first ones of a batch are asked for even if they cannot have all of their time, so that there is progress.
        """
        if self._pace is None or webhooks == 0:
            return
        wait = self._pace.wait()
        needed = wait + (self._pace.seconds(webhooks) if self._has_asked else 0)
        if needed > self.remaining():
            raise SinkDown("the function had no time left for it", retry_after=0, error=OUT_OF_TIME)
        time.sleep(wait)
        self._waited += wait
        self._has_asked = True
        self._pace.asks(webhooks)

    def struggles(self) -> None:
        """Slow down, if the pace adapts: the sink could not take a webhook now, although it answered."""
        if self._pace is not None:
            self._pace.answered(math.inf)

    def hold(self) -> None:
        """Wait until the webhooks of the batch have had their time, which keeps the rate of all batches together."""
        if self._pace is not None:
            time.sleep(min(self._pace.wait(), self.remaining()))

    @contextmanager
    def step(self, webhooks: int = 1) -> Iterator[None]:
        """Limit one call to the sink, which asks it for so many webhooks, and wait for its turn.

        Raise SinkDown if a call as long as the longest so far would not end in time. The first call is always made, and
        interrupted when the time is up. A call in which the sink is down does not count: it may have waited for an
        answer that the others get at once.
        """
        if self._longest > self.remaining():
            raise SinkDown("the function had no time left for it", retry_after=0, error=OUT_OF_TIME)
        self.turn(webhooks)
        # Without the time in which another try of this call waits for its turn.
        began = time.monotonic() - self._waited
        try:
            with _ended_after(self.remaining()):
                yield
        except TimeIsUp:
            self._tell_pace(webhooks, None)
            raise SinkDown("it did not end within the function's time", error=OUT_OF_TIME) from None
        except SinkDown as down:
            if down.error != OUT_OF_TIME:
                self._tell_pace(webhooks, None)
            raise
        except BaseException:
            self._took(began, webhooks)
            raise
        self._took(began, webhooks)

    def _took(self, began: float, webhooks: int) -> None:
        seconds = time.monotonic() - self._waited - began
        self._longest = max(self._longest, seconds)
        self._tell_pace(webhooks, seconds)

    def _tell_pace(self, webhooks: int, seconds: float | None) -> None:
        if self._pace is not None and webhooks > 0:
            self._pace.answered(seconds)

    def part(self, of: int) -> float:
        """Seconds that each of so many webhooks has which are to be looked at: half of the time is for them all."""
        return self.remaining() / 2 / of

    @contextmanager
    def look(self, behind: int = 0) -> Iterator[None]:
        """Limit the reading, verifying and filtering of one webhook, with ``behind`` more to come.

        All of them share half of the time that is left, in equal parts. Unused time is for the next ones. So no webhook
        takes the time of another one, or of the sink. Raise SinkDown if no time is left, or when it is up.
        """
        if self.is_over():
            raise SinkDown("the function had no time left for it", retry_after=0, error=OUT_OF_TIME)
        try:
            with _ended_after(self.part(behind + 1)):
                yield
        except TimeIsUp:
            raise SinkDown("it takes too long to verify and filter it", error=OUT_OF_TIME) from None

    @contextmanager
    def told(self) -> Iterator[None]:
        """Limit one call that tells SQS or S3 what became of the batch. Raise TimeoutError when the time is up."""
        try:
            with _ended_after(self._left() - self._reserve / 4):
                yield
        except TimeIsUp:
            raise TimeoutError("the function had no time left for it") from None


class _ended_after:  # noqa: N801
    """Raise TimeIsUp in the block after so many seconds, whatever it does.

    It may wait for a server, read a slow response or run a user's function. The signal reaches the main thread only, in
    which Lambda calls a handler. In any other thread, the timeouts of the block's own calls apply.

    A class, since a generator that is interrupted before its block begins is never told that it has ended.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_running = False

    def __enter__(self) -> None:
        if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
            return
        self._began = time.monotonic()
        self._handler = signal.signal(signal.SIGALRM, self._ring)
        # A block around this one keeps its own end.
        self._around, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        self._is_running = True
        seconds = min(self._seconds, self._around or self._seconds)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _LEAST), _AGAIN)

    def __exit__(self, *_: object) -> None:
        if not self._is_running:
            return
        self._is_running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        # Another thread may be about to take an alarm: without a handler, it would end the process.
        signal.signal(signal.SIGALRM, self._handler if callable(self._handler) else _late)
        if self._around:
            left = self._around - (time.monotonic() - self._began)
            signal.setitimer(signal.ITIMER_REAL, max(left, _LEAST), _AGAIN)

    def _ring(self, _number: int, frame: FrameType | None) -> None:
        # Not while a block begins or ends, or the alarm would go on behind it. It rings again.
        if self._is_running and (frame is None or frame.f_code not in _AROUND_A_BLOCK):
            raise TimeIsUp


def _late(_number: int, _frame: FrameType | None) -> None:
    """Take an alarm whose block has ended."""


_AROUND_A_BLOCK = [_ended_after._ring.__code__] + [
    getattr(manager, name).__code__
    for manager in (_ended_after, _GeneratorContextManager)
    for name in ("__enter__", "__exit__")
]
