"""How long a message waits that failed: exponentially longer, with full jitter.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import math
import random
from typing import NamedTuple


class Backoff(NamedTuple):
    """Anything up to ``initial`` x 2^(attempt - 1) seconds, never above ``maximum``."""

    initial: float
    maximum: float

    def delay(self, attempt: int) -> int:
        """How many seconds the message waits that has failed for the ``attempt``-th time: SQS counts whole ones."""
        return math.ceil(random.uniform(0, self._bound(attempt)))  # noqa: S311

    def longest(self, max_receive_count: int) -> float:
        """The sum of the delays of a message that is received so often, if each is as long as it may be."""
        return sum(map(self._bound, range(1, max_receive_count)))

    def average(self, max_receive_count: int) -> float:
        """The sum of the delays on average, and so how long an outage of the sink is survived."""
        return self.longest(max_receive_count) / 2

    def _bound(self, attempt: int) -> float:
        # The exponent is bounded, since a float is.
        return min(self.maximum, self.initial * 2.0 ** min(attempt - 1, 30))
