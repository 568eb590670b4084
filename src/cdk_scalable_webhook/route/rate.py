"""The rate at which the consumer asks the sink for webhooks."""

import math
from dataclasses import dataclass

from aws_cdk import Annotations, Duration, Token
from constructs import Construct

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import MINUTE, in_seconds, require_known, require_number, show
from webhook_runtime.contract.pace import START
from webhook_runtime.contract.settings import PaceSettings

_LOWEST, _HIGHEST = 0.01, 100_000
_SHORTEST_LATENCY = 0.001
# Seconds of the consumer's time that are for SQS and not for the sink.
_RESERVE = 5
_ROUNDING = 1e-6


@typed
@dataclass(frozen=True, kw_only=True)
class AdaptiveRate:
    """A delivery rate that follows the sink, for ``ScalableWebhook(max_delivery_rate=…)``.

    It starts at a tenth of ``maximum``. It rises step by step while the sink answers in time, and falls by a tenth when
    it does not: additive increase, multiplicative decrease. Each execution environment of the consumer does so by
    itself, with its share of ``maximum``. So the rate settles where the sink is just fast enough.

    Attributes:
        maximum: The webhooks a second that the sink is asked for at most, retries included: 0.01 to 100,000.
        target_latency: The time in which the sink has to answer a call: 1 millisecond up to the timeout of the
            consumer. A call is a batch for databases and a handler with ``batch=True``, and a webhook for other sinks.
            Take somewhat more than a call takes without load.

    Raises:
        ValueError: A value is out of its limits, or is known only at deployment.

    See: https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_mitigate_interaction_failure_throttle_requests.html
    """

    maximum: float
    target_latency: Duration

    def __post_init__(self) -> None:
        """Check the values."""
        _require_rate("maximum of AdaptiveRate", self.maximum)
        require_known("target_latency", self.target_latency)
        if in_seconds(self.target_latency) < _SHORTEST_LATENCY:
            raise ValueError(
                f"target_latency must be at least 1 millisecond, got {show(self.target_latency)}; for example "
                "Duration.millis(200)"
            )


def pace_settings(
    scope: Construct,
    rate: float | AdaptiveRate | None,
    *,
    max_concurrency: int,
    batch_size: int,
    timeout: Duration,
) -> PaceSettings:
    """Return the settings by which a consumer keeps the rate. ``max_concurrency`` is the number of batches at a time.

    Raises:
        ValueError: The consumer's time does not hold a batch at this rate.
    """
    if rate is None:
        return PaceSettings()
    maximum = rate.maximum if isinstance(rate, AdaptiveRate) else rate
    _require_rate("max_delivery_rate", maximum)
    if any(Token.is_unresolved(each) for each in (maximum, max_concurrency, batch_size)) or timeout.is_unresolved():
        raise ValueError(
            "max_delivery_rate needs max_concurrency, batch_size and timeout that are known at synth, got one that "
            "only deployment knows; write it out"
        )
    seconds_each, held = max_concurrency / maximum, max(in_seconds(timeout) - _RESERVE, 0)
    if batch_size * seconds_each > held + _ROUNDING:
        raise ValueError(
            f"max_delivery_rate must let a batch end within timeout - {_RESERVE} seconds, here {held:g}, got "
            f"batch_size {batch_size:,} x max_concurrency {max_concurrency} / {maximum:g} a second = "
            f"{batch_size * seconds_each:,.10g} seconds; {_remedy(seconds_each, held, batch_size)}"
        )
    if not isinstance(rate, AdaptiveRate):
        _warn_of_first_second(scope, maximum, maximum, max_concurrency, batch_size)
        return PaceSettings(seconds_each)
    if in_seconds(rate.target_latency) > in_seconds(timeout):
        raise ValueError(
            f"target_latency must not be longer than the timeout of the consumer, {show(timeout)}, got "
            f"{show(rate.target_latency)}; shorten it"
        )
    slowest = max_concurrency * batch_size / held
    if slowest > maximum * START:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:slowestRate",
            f"AdaptiveRate should be able to fall to a tenth of its maximum of {maximum:g} a second, got batches that "
            f"keep it above {slowest:.3g}. {batch_size:,} webhooks have to end within timeout - {_RESERVE} seconds, "
            f"here {held:g}. Set a smaller batch_size, a longer timeout, or a lower max_concurrency.",
        )
    _warn_of_first_second(scope, max(maximum * START, slowest), maximum, max_concurrency, batch_size)
    return PaceSettings(seconds_each, in_seconds(rate.target_latency), held / batch_size)


def _require_rate(argument: str, value: float) -> None:
    require_number(argument, value, _LOWEST, _HIGHEST)


def _remedy(seconds_each: float, held: float, batch_size: int) -> str:
    """Return what makes a batch fit: a smaller one, or more time, of which Lambda has 15 minutes."""
    fits = math.floor((held + _ROUNDING) / seconds_each)
    needed = math.ceil(batch_size * seconds_each + _RESERVE - _ROUNDING)
    ways = [f"set batch_size={fits}"] if fits >= 1 else []
    if needed <= 15 * MINUTE:
        ways.append(f"set consumer=ConsumerOptions(timeout=Duration.seconds({needed}))")
    return ", or ".join(ways) or "raise max_delivery_rate, or lower max_concurrency and batch_size"


def _warn_of_first_second(scope: Construct, begin: float, rate: float, max_concurrency: int, batch_size: int) -> None:
    """Warn if batches that begin together, each at its share of ``begin``, ask for more in a second than the rate."""
    first = _first_second(begin, max_concurrency, batch_size)
    if first <= math.ceil(rate):
        return
    better = _better(rate, max_concurrency, batch_size) if begin == rate else f"max_concurrency={max(2, int(rate))}"
    remedy = f"Take {better}, or acknowledge this" if better else "Acknowledge this"
    Annotations.of(scope).add_warning_v2(
        "cdk-scalable-webhook:firstSecond",
        f"max_delivery_rate should not be exceeded in the first second of a burst, got {rate:g} a second, and up to "
        f"{first:,} webhooks in it: {max_concurrency} batches of {batch_size:,} begin together. Later seconds keep the "
        f"rate on average. {remedy}.",
    )


def _first_second(rate: float, max_concurrency: int, batch_size: int) -> int:
    """Return the webhooks that the sink is asked for in the first second, if all batches begin at once."""
    together = max_concurrency * min(batch_size, max(1, math.ceil(rate / max_concurrency)))
    return together * math.ceil(rate / together)


def _better(rate: float, max_concurrency: int, batch_size: int) -> str:
    """Return what keeps the first second within the rate, or an empty text. Never 1 at a time, which is another queue.

    It is a smaller batch, fewer batches at a time, or a rate that both divide.
    """
    for size in range(min(batch_size, math.ceil(rate / max_concurrency)), 0, -1):
        if _first_second(rate, max_concurrency, size) <= math.ceil(rate):
            return f"batch_size={size}"
    if 2 <= rate < max_concurrency:
        return f"max_concurrency={int(rate)}"
    lower = int(rate // max_concurrency) * max_concurrency
    return f"max_delivery_rate={lower} and batch_size={_divisor(lower // max_concurrency, batch_size)}" if lower else ""


def _divisor(share: int, most: int) -> int:
    """Return the largest batch that divides a share of the rate."""
    return next(size for size in range(min(share, most), 0, -1) if share % size == 0)
