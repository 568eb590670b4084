"""Size the concurrency of a webhook: by the connections of its database, and by the limits of its account."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target
from webhook_runtime.contract import connections
from webhook_runtime.contract.connections import Engine, Limit
from webhook_runtime.contract.limits import MAX_IN_FLIGHT

_SHARE = 0.25

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
_REQUESTS_A_SECOND_OF_ONE = 10


@dataclass(frozen=True, kw_only=True)
class Load:
    """The webhooks of a peak, and the batches in which the sink takes them."""

    webhooks_per_second: float
    batch_milliseconds: float
    batch_size: int

    @property
    def concurrency(self) -> int:
        """The number of batches at a time that it needs, by Little's law."""
        return max(1, math.ceil(self.webhooks_per_second / self.rate_of_one))

    @property
    def rate_of_one(self) -> float:
        """The webhooks a second that one batch at a time can take."""
        return self.batch_size * 1000 / self.batch_milliseconds


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The connections of a server, and what is left of them."""

    engine: Engine
    limit: Limit
    reserved: Mapping[str, int]
    others: int

    @property
    def usable(self) -> int:
        return self._left_of(self.limit.expected)

    @property
    def usable_at_most(self) -> int:
        return self._left_of(self.limit.at_most)

    @property
    def recommended(self) -> int:
        """The number of batches at a time: a quarter of the connections, and 2 if there are so many."""
        return connections.recommended(self.usable, _SHARE)

    def told(self) -> dict[str, object]:
        """Return it for a program."""
        return {
            "max_connections": self.limit.expected,
            "max_connections_at_most": self.limit.at_most,
            "source": self.limit.reason,
            "reserved": dict(self.reserved),
            "others": self.others,
            "usable": self.usable,
            "recommended_concurrency": self.recommended,
        }

    def _left_of(self, number: int) -> int:
        return max(0, number - sum(self.reserved.values()) - self.others)


def of(
    engine: Engine,
    *,
    instance_class: str | None,
    units: tuple[float, float] | None,
    max_connections: int | None,
    others: int,
) -> Sizing:
    """Return the sizing of a database.

    Args:
        engine: The engine.
        instance_class: The class, such as ``db.t4g.micro``.
        units: The minimum and maximum of Aurora Serverless v2, instead of a class.
        max_connections: The value that the server has, instead of the default.
        others: The connections that other applications need.

    Raises:
        CliError: The default is not known.
    """
    if max_connections is not None:
        limit: Limit | None = Limit(max_connections, max_connections, "parameter group", "of --max-connections")
    elif units is not None:
        limit = connections.of_serverless(engine, *units)
    else:
        limit = connections.of_class(engine, instance_class or "")
    if limit is None:
        raise CliError(
            f"the default max_connections of {instance_class or 'these capacity units'} with {engine} is not known; "
            "pass --max-connections, with the number that SHOW VARIABLES or SHOW max_connections prints"
        )
    return Sizing(engine=engine, limit=limit, reserved=connections.reserved(engine), others=others)


def table(sizing: Sizing) -> Iterator[str]:
    """Yield the lines of the table: each number with where it is from."""
    limit = sizing.limit
    more = "" if limit.expected == limit.at_most else f", an estimate; {limit.at_most:,} at most"
    yield _row(limit.expected, f"max_connections{more}")
    yield f"        {limit.reason}"
    for name, number in sizing.reserved.items():
        yield _row(-number, f"reserved: {name}")
    if sizing.others:
        yield _row(-sizing.others, "other applications")
    yield _row(sizing.usable, "usable")


def advice(sizing: Sizing, load: Load | None) -> Iterator[str]:
    """Yield the recommendation, and whether it is enough for the load."""
    number = sizing.recommended
    if sizing.usable < 1:
        yield "No connection is left for a webhook: raise max_connections, or take a larger class."
        return
    yield f"Recommended: max_concurrency={number}"
    yield (
        f"For some minutes after a deployment, up to {2 * number:,} connections are open: retired environments of the "
        "consumer keep theirs."
    )
    if 2 * number > sizing.usable:
        yield "Those are too many here. Batches that find no connection are retried then."
    if load is None:
        return
    peak = f"{load.webhooks_per_second:,.10g} webhooks a second"
    yield (
        f"With {load.batch_size:,} webhooks a batch, and {load.batch_milliseconds:,.10g} ms a batch, the sink takes "
        f"{number * load.rate_of_one:,.0f} webhooks a second."
    )
    if load.concurrency <= number:
        yield f"It is enough for {peak}."
    elif 2 * load.concurrency <= sizing.usable and load.concurrency <= connections.MAX_CONCURRENCY:
        yield f"{peak} need max_concurrency={load.concurrency:,}, for which the connections are enough."
    else:
        yield (
            f"{peak} need {load.concurrency:,} batches at a time, which is too many here. At a peak, webhooks "
            "wait in the queue. Raise batch_size, or take a larger class."
        )


@dataclass(frozen=True)
class Bound:
    """A bound of the way: the webhooks a second that it lets through, and where the number is from."""

    name: str
    webhooks_per_second: float
    origin: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """The limits of an account that are in force."""

    requests_per_second: float
    burst: int
    concurrency: int
    unreserved: int

    @classmethod
    def of(cls, target: Target) -> "Account":
        """Read the limits."""
        throttle: Mapping[str, Any] = target.client("apigateway").get_account().get("throttleSettings") or {}
        limit = target.client("lambda").get_account_settings()["AccountLimit"]
        if "rateLimit" not in throttle:
            raise CliError("API Gateway did not tell the limits of this account; it needs apigateway:GET on /account")
        return cls(
            requests_per_second=float(throttle["rateLimit"]),
            burst=int(throttle["burstLimit"]),
            concurrency=int(limit["ConcurrentExecutions"]),
            unreserved=int(limit["UnreservedConcurrentExecutions"]),
        )


def bounds(account: Account, sizing: Sizing, load: Load | None) -> list[Bound]:
    """Return the bounds of the way of a webhook, the lowest first."""
    number = sizing.recommended
    found = [
        Bound("API Gateway", account.requests_per_second, f"{account.burst:,} more at once; all APIs of the region"),
        Bound(
            "publisher",
            account.unreserved * _REQUESTS_A_SECOND_OF_ONE,
            f"{account.unreserved:,} of {account.concurrency:,} environments are unreserved",
        ),
    ]
    if load is not None and number:
        running = min(number, account.unreserved)
        found.append(Bound("consumer", running * load.rate_of_one, f"max_concurrency={number}"))
    return sorted(found, key=lambda bound: bound.webhooks_per_second)


def met_first(found: list[Bound], load: Load | None) -> Iterator[str]:
    """Yield the bounds, which of them is met first, and the outage that the queue can hold."""
    for bound in found:
        yield f"{bound.webhooks_per_second:>10,.0f}  {bound.name}: {bound.origin}"
    first = found[0]
    yield f"Met first: {first.name}, at {first.webhooks_per_second:,.0f} webhooks a second."
    in_flight = (
        f"SQS has at most {MAX_IN_FLIGHT:,} messages in flight, and messages that wait for a retry are in flight"
    )
    if load is None:
        yield f"{in_flight}."
    else:
        minutes = MAX_IN_FLIGHT / load.webhooks_per_second / 60
        yield f"{in_flight}: {minutes:,.0f} minutes of an outage at {load.webhooks_per_second:,.10g} webhooks a second."


def _row(number: int, name: str) -> str:
    return f"{number:>6,}  {name}"
