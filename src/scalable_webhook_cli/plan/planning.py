"""Plan a load: check it against what is deployed, simulate it, and work out the same by arithmetic."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.plan import template as templates
from scalable_webhook_cli.plan.bill import Usage
from scalable_webhook_cli.plan.load import BatchTime, Load, Outage
from scalable_webhook_cli.plan.quantities import shown
from scalable_webhook_cli.plan.result import Ages, ClosedForm, Plan
from scalable_webhook_cli.plan.simulation import Simulation, seconds_of
from scalable_webhook_cli.plan.template import Deployed
from webhook_runtime.contract.connections import MAX_CONCURRENCY
from webhook_runtime.contract.messages import ENTRIES

# As in docs/limits-and-costs.md.
_PUBLISHER_SECONDS = 0.01
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_SHORTEST, _LONGEST = 60.0, 14 * 86_400.0


def plan(
    deployed: Deployed | Mapping[str, Any] | Path | str,
    load: Load,
    *,
    outage: Outage | None = None,
    time: BatchTime | None = None,
    seed: int = 0,
    name: str | None = None,
) -> Plan:
    """Simulate a load of webhooks, and an outage of the sink, until the queue is empty again.

    Args:
        deployed: What is deployed: a template, the path of one or of a ``cdk.out``, or what was read from one.
        load: The webhooks that arrive.
        outage: The outage of the sink. Default: there is none.
        time: The time of a batch. Default: 40 milliseconds.
        seed: The seed of the delays of retries. Default: 0.
        name: The name of the webhook, or its last part. Default: the only one of the template.

    Raises:
        CliError: The template does not tell enough, or the queue would never be empty again.
    """
    deployed, time = _read(deployed, name), time or BatchTime()
    outage = outage if outage and outage.seconds else None
    _require_known(deployed, outage)
    _require_time(deployed, time)
    _require_enough(deployed, load, time)
    simulation = Simulation(deployed, load, outage, time, seed)
    simulation.run()
    counts, ages = simulation.counts, sorted(simulation.ages)
    return Plan(
        deployed=deployed,
        load=load,
        outage=outage,
        time=time,
        seed=seed,
        sent=counts.sent,
        rejected=counts.rejected,
        stored=counts.stored,
        dead_lettered=counts.dead_lettered,
        lost=counts.expired,
        peak_backlog=counts.peak_backlog,
        peak_backlog_at=counts.peak_at,
        peak_in_flight=counts.peak_in_flight,
        ages=Ages(p50=_percentile(ages, 0.5), p95=_percentile(ages, 0.95), highest=_percentile(ages, 1)),
        oldest=counts.oldest,
        drained_at=counts.drained_at,
        drain=max(0.0, counts.drained_at - load.settles_at(outage)),
        batches=counts.batches,
        pauses=counts.pauses,
        paused_seconds=counts.paused_seconds,
        closed_form=_closed_form(deployed, load, outage, time),
        bill=_usage(simulation, deployed).bill(),
        steps=simulation.series.steps(),
        notes=(*deployed.notes, *_notes(deployed, counts.oldest)),
    )


def rate_of(deployed: Deployed, time: BatchTime) -> float:
    """Return the webhooks a second that the sink takes while there is a backlog."""
    return _at_a_time(deployed) * _rate_of_one(deployed, time)


def _rate_of_one(deployed: Deployed, time: BatchTime) -> float:
    return _size(deployed) / (seconds_of(deployed, time, _size(deployed)) + time.between / 1000)


def _read(deployed: Deployed | Mapping[str, Any] | Path | str, name: str | None) -> Deployed:
    if isinstance(deployed, Deployed):
        return deployed
    if isinstance(deployed, Path | str):
        return templates.of_file(Path(deployed), name)
    return templates.only(deployed, name)


def _require_known(deployed: Deployed, outage: Outage | None) -> None:
    needed = {"max_concurrency", "batch_size"} | ({"max_receive_count"} if outage else set())
    if missing := sorted(needed & deployed.unread):
        options = " and ".join(f"--{field.replace('_', '-')}" for field in missing)
        raise CliError(
            f"the template of {deployed.name} does not tell {' and '.join(missing)}, which only deployment or another "
            f"stack knows; pass {options}"
        )
    for field in ("max_concurrency", "batch_size"):
        if getattr(deployed, field) is None:
            raise CliError(f"a plan needs {field}, got none; set it by dataclasses.replace()")


def _require_time(deployed: Deployed, time: BatchTime) -> None:
    takes = seconds_of(deployed, time, _size(deployed))
    if "timeout" not in deployed.unread and takes > deployed.timeout:
        raise CliError(
            f"a batch must end within the timeout of the consumer, {shown(deployed.timeout)}, got {shown(takes)} for "
            f"{_size(deployed):,} webhooks; lower batch_size, or raise the timeout"
        )


def _require_enough(deployed: Deployed, load: Load, time: BatchTime) -> None:
    """Reject a steady load that the sink can never keep up with."""
    rate, steady = rate_of(deployed, time), min(load.then, deployed.rate_limit)
    if steady < rate * (1 - 1e-9):
        return
    of_one, size = _rate_of_one(deployed, time), _size(deployed)
    ways = []
    if deployed.seconds_each is not None and deployed.max_concurrency:
        ways.append(f"raise max_delivery_rate above {steady:,.10g}")
    else:
        needed = math.floor(steady / of_one + 1e-9) + 1
        if needed <= MAX_CONCURRENCY and not deployed.in_order:
            ways.append(f"raise max_concurrency to {needed:,}")
        elif deployed.in_order and needed <= MAX_CONCURRENCY:
            ways.append(f"give up the order for max_concurrency={needed:,}")
        if time.milliseconds > 0 and (size < 10 or not deployed.in_order):
            ways.append("raise batch_size")
        ways.append("make the sink faster")
    raise CliError(
        f"the queue of {deployed.name} would never be empty again: {steady:,.10g} webhooks a second arrive, and the "
        f"sink takes {rate:,.4g}; {', or '.join(ways)}"
    )


def _closed_form(deployed: Deployed, load: Load, outage: Outage | None, time: BatchTime) -> ClosedForm:
    """Let webhooks flow: in at the rate of the load, and out at that of the sink while it is up."""
    rate, then = rate_of(deployed, time), min(load.then, deployed.rate_limit)
    over = load.burst_ends
    moments = sorted({0.0, over, load.settles_at(outage), *((outage.start, outage.end) if outage else ())})
    backlog = 0.0 if over or not load.burst else float(_accepted(deployed, load.burst, 0.0))
    for start, end in pairwise(moments):
        within = _accepted(deployed, load.burst, over) / over if start < over else then
        out = 0.0 if outage and outage.is_at(start) else rate
        backlog = max(0.0, backlog + (within - out) * (end - start))
    return ClosedForm(rate=rate, backlog=backlog, drain=backlog / (rate - then))


def _accepted(deployed: Deployed, burst: int, over: float) -> float:
    """Return what the endpoint accepts of a burst: its tokens, and those that come meanwhile."""
    return min(float(burst), deployed.burst_limit + deployed.rate_limit * over)


def _usage(simulation: Simulation, deployed: Deployed) -> Usage:
    counts = simulation.counts
    accepted = counts.sent - counts.rejected
    gb_seconds = {deployed.consumer.architecture: counts.seconds * deployed.consumer.memory / 1024}
    invocations = float(counts.batches)
    if publisher := deployed.publisher:
        invocations += accepted
        own = accepted * _PUBLISHER_SECONDS * publisher.memory / 1024
        gb_seconds[publisher.architecture] = gb_seconds.get(publisher.architecture, 0.0) + own
    # One call sends a message. Ten are received, deleted or hidden in one.
    calls_a_batch = math.ceil(_size(deployed) / ENTRIES)
    hidden = 0.0 if deployed.retry_initial is None else counts.postponed / min(ENTRIES, _size(deployed))
    return Usage(
        requests=accepted if deployed.has_api else 0,
        invocations=invocations,
        gb_seconds=gb_seconds,
        sqs_requests=accepted + 2 * counts.batches * calls_a_batch + hidden + counts.dead_lettered,
        write_units=counts.stored if deployed.into_dynamodb else 0,
    )


def _notes(deployed: Deployed, oldest: float) -> Iterator[str]:
    if "retention" in deployed.unread:
        yield (
            f"The template does not tell the retention period of the queue. The plan has SQS's default, "
            f"{shown(deployed.retention)}; --retention sets another one."
        )
    elif oldest > 0.75 * deployed.retention:
        yield "Webhooks become almost as old as the retention period. Raise it."
    if deployed.retry_initial is None:
        yield (
            "The consumer is an existing one. The plan retries a webhook after the visibility timeout, "
            f"{shown(deployed.visibility)}."
        )
    if deployed.in_order:
        yield "The bill has SQS at the price of a standard queue, and a FIFO queue costs more."
    if not deployed.into_dynamodb:
        yield "The bill is without the sink."


def _at_a_time(deployed: Deployed) -> int:
    assert deployed.max_concurrency is not None
    return deployed.max_concurrency


def _size(deployed: Deployed) -> int:
    assert deployed.batch_size is not None
    return deployed.batch_size


def _percentile(values: list[float], part: float) -> float:
    return values[math.ceil(part * len(values)) - 1] if values else 0.0


def changed(
    deployed: Deployed,
    *,
    max_concurrency: int | None = None,
    batch_size: int | None = None,
    max_receive_count: int | None = None,
    retention: float | None = None,
) -> Deployed:
    """Return what is deployed with other values, of which none is unread any more.

    Raises:
        CliError: SQS does not keep a message for so long, or for such a short time.
    """
    if retention is not None and not _SHORTEST <= retention <= _LONGEST:
        raise CliError(f"--retention must be {shown(_SHORTEST)} to {shown(_LONGEST)}, got {shown(retention)}")
    given: dict[str, Any] = {
        name: value
        for name, value in {
            "max_concurrency": max_concurrency,
            "batch_size": batch_size,
            "max_receive_count": max_receive_count,
            "retention": retention,
        }.items()
        if value is not None
    }
    if max_concurrency is not None:
        given["in_order"] = max_concurrency == 1
        if deployed.seconds_each is not None and deployed.max_concurrency:
            # The rate stays the same, and is divided among more or fewer.
            given["seconds_each"] = deployed.seconds_each * max_concurrency / deployed.max_concurrency
    return replace(deployed, **given, unread=deployed.unread - given.keys())
