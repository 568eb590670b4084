"""The cost of a million webhooks by AWS's list prices: requests at API Gateway, Lambda's requests and GB-seconds,
requests to SQS and writes to DynamoDB. It excludes logs, tracing, data transfer, and the polling of an empty queue,
which is the same on every side.

The measurements are the run times of the functions, by the REPORT lines of the local AWS, and the sizes of the stored
items. The local AWS has a shorter round trip than AWS, so the GB-seconds are less than there, on every side.
"""

import math
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from figure import Figure, figure
from scalable_webhook_cli.plan.bill import Usage
from side import Side

MILLION = 1_000_000
_BATCH = 10  # on both sides; the backlog fills it


def measure(*, ours: Side, original: Side) -> Iterator[Figure]:
    """Return the cost of both sides, which have just processed a backlog."""
    bills = {name: _bill(each) for name, each in {"ours": ours, "original": original}.items()}
    totals = {name: sum(bill.values()) for name, bill in bills.items()}
    told = "; ".join(f"{name} {_told(bill)}" for name, bill in bills.items())
    floor = bills["ours"]["API Gateway"] / totals["original"]
    yield figure(
        "cost.per_million_over_original",
        [totals["ours"] / totals["original"]],
        goal="<= 0.4",
        note=f"API Gateway alone is {floor:.2f} of the original's bill, whatever is behind it; {told}",
    )
    # Neither side can save the cost of the incoming request and of the stored item.
    between = {name: bill["Lambda"] + bill["SQS"] for name, bill in bills.items()}
    yield figure("cost.lambda_and_sqs_over_original", [between["ours"] / between["original"]])
    for name, total in totals.items():
        yield figure(f"cost.per_million_{name}_usd", [total], unit="USD")


def _bill(each: Side) -> dict[str, float]:
    """Return the dollars for a million webhooks, by service."""
    invocations = 0.0
    gb_seconds: dict[str, float] = {}
    for name, configuration in each.functions():
        (milliseconds, share) = median(each.billed_milliseconds(name, configuration)), _invocations_a_webhook(name)
        architecture = configuration.get("Architectures", ["x86_64"])[0]
        invocations += share
        seconds = MILLION * share * milliseconds / 1000
        gb_seconds[architecture] = gb_seconds.get(architecture, 0) + seconds * configuration["MemorySize"] / 1024
    return Usage(
        requests=MILLION,
        invocations=MILLION * invocations,
        gb_seconds=gb_seconds,
        # One request sends a message; one each receives and deletes a batch.
        sqs_requests=MILLION * (1 + 2 / _BATCH),
        write_units=MILLION * _write_units(each),
    ).bill()


def _invocations_a_webhook(function: str) -> float:
    return 1 if "Publisher" in function else 1 / _BATCH


def _write_units(each: Side) -> float:
    """Return the write units of an item: one for each started KB."""
    (table,) = each.physical("AWS::DynamoDB::Table")
    items = each.client("dynamodb").scan(TableName=table, Limit=50)["Items"]
    return median(math.ceil(_size(item) / 1024) for item in items)


def _size(item: Mapping[str, Any]) -> int:
    """Return the size of an item: its names and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    size = 0
    for name, value in item.items():
        ((type, content),) = value.items()
        size += len(name.encode()) + (3 + _size(content) + len(content) if type == "M" else len(content.encode()))
    return size


def _told(bill: Mapping[str, float]) -> str:
    return " + ".join(f"{usd:.2f} {service}" for service, usd in bill.items())
