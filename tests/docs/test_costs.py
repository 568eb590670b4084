"""docs/limits-and-costs.md agrees with the prices and the templates."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

import bills
import github
from cdk_scalable_webhook import CircuitBreaker, Ingress, ScalableWebhook, Source

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "limits-and-costs.md").read_text()
PRICES = {
    name: price["usd"]
    for name, price in json.loads((ROOT / "src" / "scalable_webhook_cli" / "plan" / "prices.json").read_text())[
        "prices"
    ].items()
}
MILLION = 1_000_000
INGRESSES: dict[str, Callable[[], Ingress]] = {
    "direct": Ingress.direct_integration,
    "Lambda": Ingress.lambda_integration,
    "function URL": Ingress.function_url,
}


def told(pattern: str) -> float:
    """Return a number in the text of the page."""
    (number,) = re.findall(pattern, PAGE.replace("\n", " "))
    return float(number.replace(",", ""))


def functions(ingress: str) -> dict[str, Any]:
    """Return memory and batch size of each function in the template."""
    stack = Stack(App(), "Stack")
    source = Source.github(secretsmanager.Secret(stack, "GitHub")) if ingress == "function URL" else None
    ScalableWebhook(stack, "Webhook", ingress=INGRESSES[ingress](), source=source)
    template = Template.from_stack(stack)
    found = {
        name.removeprefix("Webhook").rstrip("0123456789ABCDEF"): each["Properties"]
        for name, each in template.find_resources("AWS::Lambda::Function").items()
    }
    assert all(each["Architectures"] == ["arm64"] for each in found.values())
    (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping").values()
    concurrency = mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"]
    told = {"batch": mapping["Properties"]["BatchSize"], "concurrency": concurrency}
    return told | {name: each["MemorySize"] for name, each in found.items()}


def bill(ingress: str) -> dict[str, float]:
    """Return the dollars for a million webhooks."""
    known = functions(ingress)
    invocations = 1 / known["batch"]
    gigabyte_seconds = known["Consumer"] / 1024 * told(r"a consumer (\d+) a batch") / 1000 / known["batch"]
    if "Publisher" in known:
        invocations += 1
        gigabyte_seconds += known["Publisher"] / 1024 * told(r"a publisher takes (\d+) ms") / 1000
    return {
        "API Gateway": 0.0 if ingress == "function URL" else MILLION * PRICES["api_gateway_rest_request"],
        "Lambda": MILLION
        * (invocations * PRICES["lambda_request"] + gigabyte_seconds * PRICES["lambda_gb_second_arm64"]),
        "SQS": MILLION * (1 + 2 / known["batch"]) * PRICES["sqs_standard_request"],
        "DynamoDB": MILLION * PRICES["dynamodb_write_request_unit"],
    }


@pytest.mark.parametrize(("ingress", "column"), [("direct", 0), ("Lambda", 1), ("function URL", 2)])
def test_a_million_webhooks_cost_as_much_as_in_the_table(ingress: str, column: int) -> None:
    of_services = PAGE.partition("### Webhooks of GitHub")[0]
    amounts = r" \| \$ ([\d.]+)" * len(INGRESSES)
    rows = re.findall(rf"^\| ([A-Z]\w+(?: \w+)?) \|[^$\n]*?{amounts} \|$", of_services, re.MULTILINE)
    table = {name: dollars[column] for name, *dollars in rows}
    expected = bill(ingress)
    expected["Together"] = sum(expected.values())
    assert table == {name: f"{usd:.3f}" for name, usd in expected.items()}


def test_what_github_sends_costs_as_much_as_in_the_tables() -> None:
    try:
        lines = [*bills.table(), *bills.savings()]
    except FileNotFoundError:
        pytest.skip("GitHub's payloads are not installed; `make environment` does so")
    assert [line for line in lines if line not in PAGE.splitlines()] == []
    assert told(r"These are the (\d+) examples") == len(github.webhooks())
    assert told(r"a median of ([\d.]+) KB") == round(median(len(each.body) for each in github.webhooks()) / 1000, 1)


def test_the_bills_are_of_the_functions_that_are_deployed() -> None:
    known = functions("Lambda")
    assert (known["batch"], known["Publisher"]) == (bills.BATCH_SIZE, bills.MEMORY)
    assert bills.CONCURRENCY == told(r"the default of (\d+) batches at a time") == known["concurrency"]


def test_the_memory_and_the_batch_size_are_those_of_the_functions() -> None:
    known = functions("Lambda")
    assert told(r"(\d+) MiB each") == known["Publisher"] == known["Consumer"]
    assert told(r"batches of (\d+)") == known["batch"]


def test_an_empty_queue_costs_as_much_as_on_the_page() -> None:
    requests = told(r"(\d+) pollers") * 30 * 24 * 3600 / told(r"of (\d+) seconds each")
    assert told(r"([\d,]+) requests a month") == requests
    assert told(r"at most \$ ([\d.]+) a month") == round(requests * PRICES["sqs_standard_request"], 2)


def test_a_large_payload_costs_as_many_requests_as_on_the_page() -> None:
    at_once, chunk = told(r"A payload of (\d+) KB"), told(r"for each (\d+) KB")
    assert told(r"is (\d+) requests to send") == -(-at_once // chunk)
    write_units = told(r"and (\d+) write units")
    # Headers, and base64 for bytes, are not counted.
    assert write_units == at_once
    assert told(r"so \$ ([\d.]+) a million of them") == round(
        MILLION * write_units * PRICES["dynamodb_write_request_unit"], 2
    )


def test_alarms_and_dashboard_cost_as_much_as_on_the_page() -> None:
    stack = Stack(App(), "Stack")
    webhook = ScalableWebhook(stack, "Webhook", breaker=CircuitBreaker())
    alarms = len(webhook.add_alarms())
    assert told(r"\$ ([\d.]+) for \[each alarm\]") == PRICES["cloudwatch_alarm_month"]
    assert told(r"so \$ [\d.]+ for the (\d+) of a webhook with a circuit breaker") == alarms
    assert told(r"so \$ ([\d.]+) for the \d+ of a webhook") == round(alarms * PRICES["cloudwatch_alarm_month"], 2)
    assert told(r"`add_dashboard\(\)` \| \$ ([\d.]+) a month") == PRICES["cloudwatch_dashboard_month"]
    assert told(r"custom metrics: \$ ([\d.]+) each") == PRICES["cloudwatch_metric_month"]


def test_every_price_has_its_source_on_the_page() -> None:
    prices = json.loads((ROOT / "src" / "scalable_webhook_cli" / "plan" / "prices.json").read_text())["prices"]
    assert [name for name, price in prices.items() if price["source"] not in PAGE] == []
