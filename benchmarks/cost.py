"""The cost of a million webhooks by AWS's list prices: requests at API Gateway, Lambda's requests and GB-seconds,
requests to SQS and writes to DynamoDB. It excludes logs, tracing, data transfer, and the polling of an empty queue,
which is the same on every side.

The measurements are the run times of the functions, by the REPORT lines of the local AWS, and the sizes of the stored
items. The local AWS has a shorter round trip than AWS, so the GB-seconds are less than there, on every side.

Webhooks of GitHub are priced by the same run times, which hang little on the size.
"""

import math
from collections.abc import Iterator, Mapping
from statistics import median

import github
from figure import Figure, figure
from github import Carried, size_of
from scalable_webhook_cli.plan.bill import Usage
from side import Side

MILLION = 1_000_000
_BATCH = 10  # on both sides; the backlog fills it


def measure(*, direct: Side, with_publisher: Side, original: Side) -> Iterator[Figure]:
    """Return the cost of these sides, which have just processed a backlog."""
    bills = {name: _bill(each, _small(each)) for name, each in {"ours": direct, "original": original}.items()}
    # A function URL has no price of its own: it is the publisher's invocation.
    bills["function_url"] = _bill(with_publisher, _small(with_publisher), requests=0)
    # The original stores a text of 30 bytes: to store as much, it would put the same items.
    bills["github"] = _bill(direct, github.carried(batch=_BATCH, compress=True))
    bills["github_original"] = _bill(original, github.carried(batch=_BATCH, compress=False))
    totals = {name: sum(bill.values()) for name, bill in bills.items()}
    floor = bills["ours"]["API Gateway"] / totals["original"]
    yield figure(
        "cost.per_million_over_original",
        [totals["ours"] / totals["original"]],
        goal="<= 0.4",
        note=f"API Gateway alone is {floor:.2f} of the original's bill, whatever is behind it; {_told(bills)}",
    )
    over = totals["function_url"] / totals["original"]
    yield figure("cost.function_url_over_original", [over], goal="<= 0.30")
    yield figure("cost.github_over_original", [totals["github"] / totals["github_original"]], goal="<= 0.60")
    # Neither side can save the cost of the incoming request and of the stored item.
    between = {name: bills[name]["Lambda"] + bills[name]["SQS"] for name in ("ours", "original")}
    yield figure("cost.lambda_and_sqs_over_original", [between["ours"] / between["original"]])
    for name, total in totals.items():
        yield figure(f"cost.per_million_{name}_usd", [total], unit="USD")


def _small(each: Side) -> Carried:
    """Return what the webhooks take that the side has stored: one request sends a message, two are for a batch."""
    (table,) = each.physical("AWS::DynamoDB::Table")
    items = each.client("dynamodb").scan(TableName=table, Limit=50)["Items"]
    return Carried(1 + 2 / _BATCH, median(math.ceil(size_of(item) / 1024) for item in items))


def _bill(each: Side, carried: Carried, *, requests: int = MILLION) -> dict[str, float]:
    """Return the dollars for a million webhooks, by service. ``requests`` are those to API Gateway."""
    invocations = 0.0
    gb_seconds: dict[str, float] = {}
    for name, configuration in each.functions():
        (milliseconds, share) = median(each.billed_milliseconds(name, configuration)), _invocations_a_webhook(name)
        architecture = configuration.get("Architectures", ["x86_64"])[0]
        invocations += share
        seconds = MILLION * share * milliseconds / 1000
        gb_seconds[architecture] = gb_seconds.get(architecture, 0) + seconds * configuration["MemorySize"] / 1024
    return Usage(
        requests=requests,
        invocations=MILLION * invocations,
        gb_seconds=gb_seconds,
        sqs_requests=MILLION * carried.sqs_requests,
        write_units=MILLION * carried.write_units,
    ).bill()


def _invocations_a_webhook(function: str) -> float:
    return 1 if "Publisher" in function else 1 / _BATCH


def _told(bills: Mapping[str, Mapping[str, float]]) -> str:
    return "; ".join(
        f"{name} {' + '.join(f'{usd:.2f} {service}' for service, usd in bill.items())}" for name, bill in bills.items()
    )
