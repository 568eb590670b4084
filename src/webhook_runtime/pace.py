"""The pace at which an environment asks the sink for webhooks, so that all of them together keep a rate.

No state is shared. Lambda works on so many batches at a time. Each of them asks for its share of the rate, and ends no
earlier than its webhooks have had their time. So it does not matter which environments come and go.
"""

import math
import time

from webhook_runtime.contract.pace import START, most_a_call

# While the sink answers in time, an adaptive pace grows by this factor a second. Near to the rate of the last slow
# answer it grows by this part of that rate. After a slow answer it keeps this part, and ignores all others for a
# second, since they tell of the time before.
# https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease
_GROWTH = 1.25
_STEP = 0.03
_KEPT = 0.9
_SECOND = 1.0


class Pace:
    """``seconds_each`` is the least time from the beginning of a webhook to that of the next one."""

    def __init__(self, seconds_each: float) -> None:
        self._each = seconds_each
        self._next = time.monotonic()

    @property
    def most(self) -> int:
        """The webhooks of one call to the sink: those of a second."""
        return most_a_call(self._each)

    def wait(self) -> float:
        """Return the seconds until the sink may be asked again."""
        return max(0.0, self._next - time.monotonic())

    def seconds(self, webhooks: int) -> float:
        """Return the seconds that so many webhooks have."""
        return webhooks * self._each

    def asks(self, webhooks: int) -> None:
        """Count webhooks that the sink is asked for now."""
        self._next = time.monotonic() + self.seconds(webhooks)

    def answered(self, seconds: float | None) -> None:
        """Learn how long the sink took for a call. None: it was down, or did not answer in time."""


class AdaptivePace(Pace):
    """A pace that rises while the sink answers within ``target`` seconds, and falls when it does not.

    ``seconds_each`` is the fastest pace, and ``longest_each`` the slowest one: at that, a batch still ends in time.
    """

    def __init__(self, seconds_each: float, target: float, longest_each: float) -> None:
        self._most = 1 / seconds_each
        self._least = 1 / longest_each
        self._target = target
        super().__init__(min(seconds_each / START, longest_each))
        self._slow_at = math.inf  # the rate at which the sink was too slow
        self._changed = time.monotonic()
        self._cut = -math.inf

    def answered(self, seconds: float | None) -> None:
        now, rate = time.monotonic(), 1 / self._each
        passed, self._changed = min(now - self._changed, _SECOND), now
        if now - self._cut < _SECOND:
            return
        if seconds is not None and seconds <= self._target:
            is_near = _KEPT * self._slow_at <= rate <= self._slow_at / _KEPT
            rate = rate + _STEP * self._slow_at * passed if is_near else rate * _GROWTH**passed
        else:
            if seconds is not None:
                self._slow_at = rate if math.isinf(self._slow_at) else max(rate, _KEPT * self._slow_at)
            self._cut = now
            rate *= _KEPT
        self._each = 1 / min(max(rate, self._least), self._most)
