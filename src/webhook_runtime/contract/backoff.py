"""Exponential backoff with full jitter.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import math
import random
from collections.abc import Callable


class Backoff:
    """A random delay of up to ``initial`` x 2^(attempt - 1) seconds, at most ``maximum``."""

    def __init__(self, initial: float, maximum: float) -> None:
        self.initial = initial
        self.maximum = maximum

    def delay(self, attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> int:
        """Return the delay after failed try number ``attempt``, in whole seconds, as SQS counts them."""
        return math.ceil(uniform(0, self._bound(attempt)))

    def longest(self, max_receive_count: int) -> float:
        """Return the sum of all delays up to this receive count, if each is as long as possible."""
        return sum(map(self._bound, range(1, max_receive_count)))

    def average(self, max_receive_count: int) -> float:
        """Return the average sum of all delays, and so the outage of the sink that a webhook survives."""
        return self.longest(max_receive_count) / 2

    def _bound(self, attempt: int) -> float:
        # A float overflows with a larger exponent.
        return min(self.maximum, self.initial * 2.0 ** min(attempt - 1, 30))
