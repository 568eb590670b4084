"""The bill of a million webhooks as GitHub sends them, by endpoint, sink and rate, for docs/limits-and-costs.md.

How full batches are is simulated, by `scalable-webhook plan`. The rest is arithmetic. Logs count too.

    PYTHONPATH=examples:. .venv/bin/python benchmarks/bills.py
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import github
from scalable_webhook_cli.plan.bill import Usage, usd
from scalable_webhook_cli.plan.load import BatchTime, Load
from scalable_webhook_cli.plan.planning import plan
from scalable_webhook_cli.plan.template import Deployed

MILLION = 1_000_000
RATES = (1, 10, 100)
_WINDOW = 1.0

# As in docs/limits-and-costs.md.
_PUBLISHER_SECONDS, _CONSUMER_SECONDS = 0.01, 0.05
# The defaults of a webhook. The memory is in MiB.
MEMORY, BATCH_SIZE, CONCURRENCY = 256, 10, 2
# The bytes of log lines, with the 26 that CloudWatch adds to each. Estimated from their fields, with Lambda's own lines
# of an invocation.
_ACCESS_LOG, _OF_PUBLISHER, _OF_WEBHOOK, _OF_BATCH = 360, 830, 310, 700


class Endpoint(NamedTuple):
    """An endpoint: whether API Gateway is in front, and whether a publisher is behind."""

    name: str
    has_api: bool
    has_publisher: bool


class Sink(NamedTuple):
    """A sink: whether it is DynamoDB, and whether that compresses."""

    name: str
    is_dynamodb: bool
    compress: bool = False


ENDPOINTS = (
    Endpoint("direct integration", has_api=True, has_publisher=False),
    Endpoint("Lambda integration", has_api=True, has_publisher=True),
    Endpoint("function URL", has_api=False, has_publisher=True),
)
SINKS = (
    Sink("DynamoDB", is_dynamodb=True),
    Sink("DynamoDB, `compress=True`", is_dynamodb=True, compress=True),
    Sink("another sink", is_dynamodb=False),
)


def bill(endpoint: Endpoint, sink: Sink, rate: float, *, window: float = 0.0) -> Mapping[str, float]:
    """Return the dollars of each service for a million webhooks.

    Args:
        endpoint: One of ``ENDPOINTS``.
        sink: One of ``SINKS``. Another one than DynamoDB is billed by itself.
        rate: The webhooks a second.
        window: The seconds for which a batch waits until it is full. Default: it does not wait.
    """
    full = webhooks_a_batch(rate, window)
    carried = github.carried(batch=max(1, round(full)), compress=sink.compress)
    used = _PUBLISHER_SECONDS * endpoint.has_publisher + _CONSUMER_SECONDS / full
    usage = Usage(
        requests=MILLION * endpoint.has_api,
        invocations=MILLION * (endpoint.has_publisher + 1 / full),
        gb_seconds={"arm64": MILLION * used * MEMORY / 1024},
        sqs_requests=MILLION * carried.sqs_requests,
        write_units=MILLION * carried.write_units * sink.is_dynamodb,
    )
    logged = _ACCESS_LOG * endpoint.has_api + _OF_PUBLISHER * endpoint.has_publisher + _OF_WEBHOOK + _OF_BATCH / full
    return {**usage.bill(), "logs": MILLION * logged / 1e9 * usd("cloudwatch_logs_gb")}


def webhooks_a_batch(rate: float, window: float) -> float:
    """Return the webhooks of a batch, with the defaults of a webhook, at a steady rate."""
    deployed = Deployed(name="GitHub", max_concurrency=CONCURRENCY, batch_size=BATCH_SIZE, window=window)
    planned = plan(deployed, Load(then=rate), time=BatchTime(milliseconds=_CONSUMER_SECONDS * 1000))
    return planned.stored / planned.batches


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| endpoint | sink | {' | '.join(f'{rate} a second' for rate in RATES)} |"
    yield f"| --- | --- |{' --- |' * len(RATES)}"
    for endpoint in ENDPOINTS:
        for sink in SINKS:
            totals = [sum(bill(endpoint, sink, rate).values()) for rate in RATES]
            yield f"| {endpoint.name} | {sink.name} | {' | '.join(f'$ {total:.2f}' for total in totals)} |"


def savings() -> Iterator[str]:
    """Yield what each change saves, at 10 webhooks a second behind a direct integration into DynamoDB."""
    direct, _, url = ENDPOINTS
    plain, compressed, other = SINKS
    before = sum(bill(direct, plain, 10).values())
    for name, after in {
        "`compress=True`": bill(direct, compressed, 10),
        "a function URL": bill(url, plain, 10),
        "`max_batching_window` of a second": bill(direct, plain, 10, window=_WINDOW),
        "all three": bill(url, compressed, 10, window=_WINDOW),
        "another sink": bill(direct, other, 10),
    }.items():
        yield f"| {name} | $ {before - sum(after.values()):.2f} |"


if __name__ == "__main__":
    for line in (*table(), "", *savings()):
        print(line)
    for each in ENDPOINTS:
        print({name: round(dollars, 2) for name, dollars in bill(each, SINKS[0], 10).items()})
