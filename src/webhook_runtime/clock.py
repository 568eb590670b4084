"""The time that a batch has left before Lambda ends the function, which would lose what is known of every message."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from webhook_runtime.outcome import SinkDown

# What it takes to tell SQS what became of the batch, in seconds; and which part of a short time is kept for it, since
# the sink needs some as well.
_RESERVE = 1.0
_SHARE = 0.25


class Context(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int: ...


class Clock:
    """For a sink that takes webhooks one after the other: a step that would not end in time is not begun."""

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
        first is always begun."""
        if self._longest > self.remaining():
            raise SinkDown("the function had no time left for it", retry_after=0, error="OutOfTime")
        began = time.monotonic()
        try:
            yield
        finally:
            self._longest = max(self._longest, time.monotonic() - began)
