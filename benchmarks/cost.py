"""What a million webhooks cost by AWS's list prices: requests at API Gateway, Lambda's requests and GB-seconds,
requests to SQS and writes to DynamoDB. Logs, tracing and data transfer are not in it, nor is the polling of an empty
queue, which is the same on every side.

What is measured: how long the functions ran, by the REPORT lines of the local AWS, and how large the stored items are.
The local AWS is nearer than AWS's services are, so the GB-seconds are less than they would be there, on every side.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from figure import Figure, figure
from side import Side

MILLION = 1_000_000
_BATCH = 10  # of either side; the backlog that is worked off fills it
_PRICES = json.loads(Path(__file__).with_name("prices.json").read_text())["prices"]


def measure(*, ours: Side, original: Side) -> Iterator[Figure]:
    """Both sides have just worked off a backlog."""
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
    # What both pay for the request that comes and for the item that is written is nobody's to save.
    between = {name: bill["Lambda"] + bill["SQS"] for name, bill in bills.items()}
    yield figure("cost.lambda_and_sqs_over_original", [between["ours"] / between["original"]])
    for name, total in totals.items():
        yield figure(f"cost.per_million_{name}_usd", [total], unit="USD")


def _bill(each: Side) -> dict[str, float]:
    """Dollars for a million webhooks, by service."""
    invocations = gb_seconds = 0.0
    for name, configuration in each.functions():
        (milliseconds, share) = median(each.billed_milliseconds(name, configuration)), _invocations_a_webhook(name)
        architecture = configuration.get("Architectures", ["x86_64"])[0]
        price = _usd(f"lambda_gb_second_{architecture}")
        invocations += share
        gb_seconds += share * configuration["MemorySize"] / 1024 * milliseconds / 1000 * price
    # One to send it; a batch is received and deleted by one request each.
    sqs_requests = 1 + 2 / _BATCH
    return {
        "API Gateway": MILLION * _usd("api_gateway_rest_request"),
        "Lambda": MILLION * (invocations * _usd("lambda_request") + gb_seconds),
        "SQS": MILLION * sqs_requests * _usd("sqs_standard_request"),
        "DynamoDB": MILLION * _write_units(each) * _usd("dynamodb_write_request_unit"),
    }


def _invocations_a_webhook(function: str) -> float:
    return 1 if "Publisher" in function else 1 / _BATCH


def _write_units(each: Side) -> float:
    """One for each KB of an item, begun ones included."""
    (table,) = each.physical("AWS::DynamoDB::Table")
    items = each.client("dynamodb").scan(TableName=table, Limit=50)["Items"]
    return median(math.ceil(_size(item) / 1024) for item in items)


def _size(item: Mapping[str, Any]) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    size = 0
    for name, value in item.items():
        ((type, content),) = value.items()
        size += len(name.encode()) + (3 + _size(content) + len(content) if type == "M" else len(content.encode()))
    return size


def _usd(name: str) -> float:
    return float(_PRICES[name]["usd"])


def _told(bill: Mapping[str, float]) -> str:
    return " + ".join(f"{usd:.2f} {service}" for service, usd in bill.items())
