"""The assumptions of a plan: the webhooks that arrive, the outage of the sink, and the time of a batch."""

import math
from dataclasses import dataclass

from scalable_webhook_cli.errors import CliError

_LONGEST = 14 * 86_400.0
_MOST = 2_000_000
_HIGHEST = 100_000.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """The webhooks that arrive.

    Attributes:
        burst: The webhooks of the burst: up to 2 million. Default: none.
        over: The seconds over which it is spread evenly: up to 14 days. Default: all arrive at once.
        then: The webhooks a second after the burst: up to 100,000. Default: none.

    Raises:
        CliError: A value is out of its limits, or nothing arrives.
    """

    burst: int = 0
    over: float = 0.0
    then: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        _require("burst", self.burst, _MOST, "shorten it")
        _require("over", self.over, _LONGEST, "shorten it", "seconds")
        _require("then", self.then, _HIGHEST, "lower it", "a second")
        if not self.burst and not self.then:
            raise CliError("a plan needs webhooks, got none; pass --burst, --then, or both")

    @property
    def burst_ends(self) -> float:
        """The seconds until the burst is over. 0: there is none, or all of it arrives at once."""
        return self.over if self.burst else 0.0

    def settles_at(self, outage: "Outage | None") -> float:
        """Return the seconds until burst and outage are over."""
        return max(self.burst_ends, outage.end if outage else 0.0)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """The time for which the sink is down.

    Attributes:
        seconds: Its length: up to 14 days.
        start: The seconds until it begins: up to 14 days. Default: it begins at once.

    Raises:
        CliError: A value is out of its limits.
    """

    seconds: float
    start: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        _require("outage", self.seconds, _LONGEST, "shorten it", "seconds")
        _require("the start of outage", self.start, _LONGEST, "begin earlier", "seconds")

    @property
    def end(self) -> float:
        return self.start + self.seconds

    def is_at(self, now: float) -> bool:
        return self.start <= now < self.end


@dataclass(frozen=True, kw_only=True)
class BatchTime:
    """The time of a batch: ``milliseconds`` + ``each`` x its webhooks.

    Attributes:
        milliseconds: The time of a batch, however many webhooks it has. Default: 40.
        each: The time of each of its webhooks. Default: 0.
        between: The time from one batch to the next one. Default: 0.
        down: The time of a batch while the sink is down. Default: ``milliseconds``.

    Raises:
        CliError: A value is out of its limits.
    """

    milliseconds: float = 40.0
    each: float = 0.0
    between: float = 0.0
    down: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("milliseconds", "each", "between", "down"):
            value = getattr(self, name)
            if value is not None:
                _require(name, value, 900_000.0, "shorten it", "milliseconds")
        if self.milliseconds + self.each + self.between < 0.1:
            raise CliError("a batch must take at least 0.1 milliseconds, got less; raise --batch-milliseconds")

    def seconds(self, size: int, calls: int = 1) -> float:
        """Return the seconds of a batch that asks the sink in so many calls."""
        return (calls * self.milliseconds + size * self.each) / 1000


def _require(name: str, value: float, most: float, remedy: str, unit: str = "webhooks") -> None:
    if not (math.isfinite(value) and 0 <= value <= most):
        raise CliError(
            f"{name} must be 0 to {most:,.0f} {unit}, got {value:,.10g}; {remedy if value > 0 else 'raise it'}"
        )
