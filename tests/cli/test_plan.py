"""``scalable-webhook plan``: the template that it reads, the simulation, and the table and chart that it prints."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cdk_scalable_webhook import (
    AdaptiveRate,
    CircuitBreaker,
    GroupBy,
    Ingress,
    QueueOptions,
    Retry,
    ScalableWebhook,
    Source,
)
from scalable_webhook_cli.commands import app
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.plan import BatchTime, Breaker, Deployed, Load, Outage, Plan, changed, plan, simulation
from scalable_webhook_cli.plan import fit as fits
from scalable_webhook_cli.plan.bill import Usage
from scalable_webhook_cli.plan.quantities import outage, per_second, seconds, shown
from scalable_webhook_cli.plan.series import Series
from scalable_webhook_cli.plan.template import Function, of_template, only
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.limits import MAX_IN_FLIGHT

# Five batches of 10 at a time, 40 ms each.
DEPLOYED = Deployed(name="Orders/Webhook", max_concurrency=5, batch_size=10, rate_limit=100_000, burst_limit=100_000)
BREAKER = Breaker(failures=3, initial=60, maximum=300)


def template(**arguments: Any) -> dict[str, Any]:
    """Return the template of a webhook."""
    stack = Stack(App(), "Orders")
    ScalableWebhook(stack, "Webhook", **arguments)
    return dict(Template.from_stack(stack).to_json())


def deployed(**arguments: Any) -> Deployed:
    return only(template(**arguments))


def resource(found: dict[str, Any], type: str) -> dict[str, Any]:
    """Return the properties of the first resource of a type."""
    return next(each["Properties"] for each in found["Resources"].values() if each["Type"] == type)


def the_mapping(found: dict[str, Any]) -> str:
    resources: dict[str, Any] = found["Resources"]
    return next(id for id, each in resources.items() if each["Type"] == "AWS::Lambda::EventSourceMapping")


def refused(call: Any) -> str:
    with pytest.raises(CliError) as raised:
        call()
    return str(raised.value)


# Durations and rates.


@pytest.mark.parametrize(
    ("text", "number"),
    [("60s", 60), ("2m", 120), ("1.5h", 5400), ("4d", 345_600), ("250ms", 0.25), ("0", 0), ("0s", 0)],
)
def test_a_duration_has_a_unit(text: str, number: float) -> None:
    assert seconds(text, "--over") == number


@pytest.mark.parametrize("text", ["", "60", "s", "-5s", "1e3s", "5 s", "5S", "5s ", "٣s", "5w", "inf", "1" * 13 + "s"])
def test_a_text_that_is_no_duration_is_an_error(text: str) -> None:
    assert refused(lambda: seconds(text, "--over")) == (
        f"--over must be a number with ms, s, m, h or d, such as 90s or 15m, got {text!r}"
    )


@pytest.mark.parametrize(("text", "number"), [("20/s", 20), ("1200/m", 20), ("36/h", 0.01), ("0", 0)])
def test_a_rate_has_a_time(text: str, number: float) -> None:
    assert per_second(text, "--then") == number


@pytest.mark.parametrize("text", ["", "20", "20s", "/s", "-1/s", "20/ms", "20 / s", "20/s/s"])
def test_a_text_that_is_no_rate_is_an_error(text: str) -> None:
    assert refused(lambda: per_second(text, "--then")).startswith("--then must be a number for each s, m, h or d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30m@2m", Outage(seconds=1800, start=120)), ("45s", Outage(seconds=45)), ("1h@0", Outage(seconds=3600))],
)
def test_an_outage_has_a_length_and_a_start(text: str, expected: Outage) -> None:
    assert outage(text, "--outage") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("30m@", "--outage must have its start after @, such as 30m@2m, got '30m@'"),
        ("@2m", "--outage must be a number with ms, s, m, h or d"),
        ("30m@2", "--outage must be a number with ms, s, m, h or d"),
        ("30m@2m@3m", "--outage must be a number with ms, s, m, h or d"),
        ("400d", "outage must be 0 to 1,209,600 seconds, got 34,560,000; shorten it"),
        ("1m@400d", "the start of outage must be 0 to 1,209,600 seconds, got 34,560,000; begin earlier"),
    ],
)
def test_a_text_that_is_no_outage_is_an_error(text: str, message: str) -> None:
    assert refused(lambda: outage(text, "--outage")).startswith(message)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "a plan needs webhooks, got none"),
        ({"burst": -1}, "burst must be 0 to 2,000,000 webhooks, got -1; raise it"),
        ({"burst": 2_000_001}, "burst must be 0 to 2,000,000 webhooks, got 2,000,001; shorten it"),
        ({"burst": 1, "over": float("nan")}, "over must be 0 to 1,209,600 seconds, got nan"),
        ({"then": float("inf")}, "then must be 0 to 100,000 a second, got inf; lower it"),
    ],
)
def test_a_load_is_within_its_limits(values: dict[str, Any], message: str) -> None:
    assert refused(lambda: Load(**values)).startswith(message)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"milliseconds": 0}, "a batch must take at least 0.1 milliseconds"),
        ({"milliseconds": -1}, "milliseconds must be 0 to 900,000 milliseconds, got -1; raise it"),
        ({"each": 1e9}, "each must be 0 to 900,000 milliseconds"),
        ({"down": float("nan")}, "down must be 0 to 900,000 milliseconds"),
    ],
)
def test_a_batch_takes_some_time(values: dict[str, Any], message: str) -> None:
    assert refused(lambda: BatchTime(**values)).startswith(message)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *[(0, "0 s"), (0.04, "40 ms"), (0.9996, "1.0 s"), (1.24, "1.2 s"), (9.96, "10 s"), (59.6, "1 m"), (60, "1 m")],
        *[(119.7, "2 m"), (125, "2 m 5 s"), (3599.8, "1 h"), (7290, "2 h 2 m"), (86_399, "1 d"), (345_600, "4 d")],
    ],
)
def test_seconds_are_shown_in_two_units_at_most(number: float, text: str) -> None:
    assert shown(number) == text


# The template.


def by_function_url(ingress: Ingress) -> Deployed:
    stack = Stack(App(), "Orders")
    source = Source.github(secretsmanager.Secret(stack, "GitHub"))
    ScalableWebhook(stack, "Webhook", source=source, ingress=ingress)
    return only(Template.from_stack(stack).to_json())


def test_the_defaults_of_a_webhook_are_read() -> None:
    assert deployed() == Deployed(
        name="Orders/Webhook",
        max_concurrency=2,
        batch_size=10,
        rate_limit=1000,
        burst_limit=2000,
        into_dynamodb=True,
    )


def test_the_arguments_of_a_webhook_are_read() -> None:
    found = deployed(
        ingress=Ingress.direct_integration(),
        max_concurrency=20,
        batch_size=50,
        max_batching_window=Duration.seconds(3),
        max_delivery_rate=100,
        retry=Retry(initial=Duration.seconds(5), maximum=Duration.minutes(1)),
        queue=QueueOptions(max_receive_count=7, retention_period=Duration.hours(2)),
    )
    assert found == Deployed(
        name="Orders/Webhook",
        max_concurrency=20,
        batch_size=50,
        window=3,
        seconds_each=0.2,
        retry_initial=5,
        retry_maximum=60,
        max_receive_count=7,
        retention=7200,
        visibility=183,
        rate_limit=1000,
        burst_limit=2000,
        publisher=None,
        into_dynamodb=True,
    )


def test_one_at_a_time_is_a_queue_with_one_group() -> None:
    found = deployed(max_concurrency=1)
    assert (found.in_order, found.max_concurrency, found.rate_limit, found.burst_limit) == (True, 1, 300, 300)


def test_groups_are_assumed_to_be_as_many_as_there_is_room_for() -> None:
    found = deployed(queue=QueueOptions(ordered=GroupBy.header("X-Group")), max_concurrency=5)
    assert (found.in_order, found.max_concurrency) == (False, 5)
    assert found.notes == ("The plan takes each webhook for a group of its own. Fewer groups take longer.",)


def test_a_standard_queue_without_a_maximum_has_that_of_lambda() -> None:
    found = template()
    del resource(found, "AWS::Lambda::EventSourceMapping")["ScalingConfig"]
    assert (only(found).max_concurrency, only(found).in_order) == (1250, False)


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        ({"enabled": False}, "It is deployed with enabled=False. The plan is of the time after it is resumed."),
        (
            {"max_delivery_rate": AdaptiveRate(maximum=200, target_latency=Duration.seconds(1))},
            "Its rate follows the sink. The plan has the maximum; a sink that becomes slow gets less.",
        ),
    ],
)
def test_an_assumption_is_noted(arguments: dict[str, Any], note: str) -> None:
    assert deployed(**arguments).notes == (note,)


def existing(**arguments: Any) -> dict[str, Any]:
    stack = Stack(App(), "Orders")
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:eu-west-1:123456789012:mine")
    ScalableWebhook(stack, "Webhook", queue=queue, **arguments)
    return dict(Template.from_stack(stack).to_json())


def test_of_an_existing_queue_only_what_matters_has_to_be_told() -> None:
    found = only(existing())
    assert found.unread == {"retention", "visibility", "max_receive_count"}
    assert found.publisher == Function()
    result = plan(found, Load(burst=100))
    assert (result.stored, result.notes[0]) == (
        100,
        "The template does not tell the retention period of the queue. The plan has SQS's default, 4 d; --retention "
        "sets another one.",
    )
    assert refused(lambda: plan(found, Load(burst=100), outage=Outage(seconds=60))) == (
        "the template of Orders/Webhook does not tell max_receive_count, which only deployment or another stack knows; "
        "pass --max-receive-count"
    )
    told = changed(found, max_receive_count=2, retention=3600)
    assert plan(told, Load(burst=100), outage=Outage(seconds=600)).dead_lettered == 100


def test_an_existing_queue_of_the_stack_is_read_as_a_new_one() -> None:
    stack = Stack(App(), "Orders")
    letters = sqs.DeadLetterQueue(queue=sqs.Queue(stack, "Letters"), max_receive_count=8)
    visibility = Duration.minutes(10)
    queue = sqs.Queue(stack, "Queue", dead_letter_queue=letters, visibility_timeout=visibility)
    ScalableWebhook(stack, "Webhook", queue=queue)
    found = only(Template.from_stack(stack).to_json())
    assert (found.max_receive_count, found.visibility, found.unread) == (8, 600, frozenset())


def test_a_queue_without_a_dead_letter_queue_retries_until_sqs_deletes() -> None:
    stack = Stack(App(), "Orders")
    queue = sqs.Queue(stack, "Queue", visibility_timeout=Duration.minutes(10), retention_period=Duration.minutes(5))
    ScalableWebhook(stack, "Webhook", queue=queue)
    result = plan(Template.from_stack(stack).to_json(), Load(burst=100), outage=Outage(seconds=900))
    assert (result.lost, result.dead_lettered, result.stored) == (100, 0, 0)


def test_an_own_consumer_is_retried_by_the_visibility_timeout() -> None:
    stack = Stack(App(), "Orders")
    function = lambda_.Function(
        stack,
        "Own",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        memory_size=512,
        timeout=Duration.seconds(20),
    )
    ScalableWebhook(stack, "Webhook", consumer=function)
    found = only(Template.from_stack(stack).to_json())
    assert (found.retry_initial, found.visibility, found.timeout) == (None, 120, 20)
    assert found.consumer == Function(memory=512, architecture="x86_64")
    result = plan(found, Load(burst=10), outage=Outage(seconds=100))
    assert 120 <= result.drained_at <= 121
    assert "retries a webhook after the visibility timeout, 2 m." in " ".join(result.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"ScalingConfig": {"MaximumConcurrency": {"Ref": "Number"}}},
            "does not tell max_concurrency, which only deployment or another stack knows; pass --max-concurrency",
        ),
        ({"BatchSize": {"Fn::If": ["Large", 100, 10]}}, "does not tell batch_size, "),
        ({"ScalingConfig": {"Ref": "AWS::NoValue"}}, "does not tell max_concurrency, "),
    ],
)
def test_a_token_is_an_error_that_names_the_option(change: dict[str, Any], message: str) -> None:
    found = template()
    resource(found, "AWS::Lambda::EventSourceMapping").update(change)
    assert message in refused(lambda: plan(found, Load(burst=1)))
    assert plan(changed(only(found), max_concurrency=3, batch_size=5), Load(burst=1)).stored == 1


def test_a_window_that_only_deployment_knows_is_none() -> None:
    found = template()
    resource(found, "AWS::Lambda::EventSourceMapping")["MaximumBatchingWindowInSeconds"] = {"Ref": "Window"}
    assert only(found).notes == ("The template does not tell max_batching_window. The plan has none.",)


def test_a_consumer_by_a_condition_is_not_guessed() -> None:
    found = template()
    mapping = resource(found, "AWS::Lambda::EventSourceMapping")
    functions = [id for id, each in found["Resources"].items() if each["Type"] == "AWS::Lambda::Function"]
    publisher = next(id for id in functions if id.startswith("WebhookPublisher"))
    mapping["FunctionName"] = {"Fn::If": ["Blue", mapping["FunctionName"], {"Ref": publisher}]}
    assert "timeout" in only(found).unread


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "fast", {"Ref": "Rate"}, None, True])
def test_a_rate_that_is_no_number_is_none(value: Any) -> None:
    found = template(max_delivery_rate=20)
    consumer = next(id for id in found["Resources"] if id.startswith("WebhookConsumer3"))
    variables = found["Resources"][consumer]["Properties"]["Environment"]["Variables"]
    variables["WEBHOOK_SECONDS_EACH"] = value
    assert only(found).seconds_each is None


def test_a_number_as_a_text_is_a_number() -> None:
    found = template()
    resource(found, "AWS::Lambda::EventSourceMapping")["BatchSize"] = "7"
    assert only(found).batch_size == 7


@pytest.mark.parametrize(("reserved", "at_once", "note"), [(True, 100, False), (7, 7, False), (False, 1000, True)])
def test_a_function_url_has_the_limits_of_its_concurrency_and_no_price(
    reserved: int | bool, at_once: int, note: bool
) -> None:
    found = by_function_url(Ingress.function_url(reserved_concurrency=reserved))
    assert (found.has_api, found.rate_limit, found.burst_limit) == (False, 10 * at_once, at_once)
    assert any("reserved concurrency" in each for each in found.notes) is note
    load = Load(burst=100, over=10)
    bills = [plan(replace(found, has_api=has_api), load).bill for has_api in (False, True)]
    assert bills[0]["API Gateway"] == 0
    assert bills[1]["API Gateway"] == pytest.approx(100 * 3.5e-6)
    assert bills[0]["Lambda"] == bills[1]["Lambda"]


def test_a_rate_limit_that_only_deployment_knows_is_that_of_the_account() -> None:
    found = template()
    resource(found, "AWS::ApiGateway::Stage")["MethodSettings"][0]["ThrottlingRateLimit"] = {"Ref": "Rate"}
    assert only(found).rate_limit == 10_000
    assert only(found).notes == (
        "The template does not tell the rate limit of the endpoint. The plan has the account's, 10,000 a second.",
    )


def test_of_several_webhooks_each_has_its_own_parts() -> None:
    stack = Stack(App(), "Orders")
    ScalableWebhook(stack, "First", max_concurrency=3, ingress=Ingress.direct_integration())
    ScalableWebhook(stack, "Second", max_concurrency=4, batch_size=5)
    found = Template.from_stack(stack).to_json()
    first, second = only(found, "First"), only(found, "Orders/Second")
    assert (first.max_concurrency, first.batch_size, first.publisher) == (3, 10, None)
    assert (second.max_concurrency, second.batch_size, second.publisher) == (4, 5, Function())
    assert refused(lambda: only(found)) == "which webhook? name one of Orders/First, Orders/Second"
    assert refused(lambda: only(found, "Third")) == "no webhook is called Third, only Orders/First, Orders/Second"


def test_a_circuit_breaker_is_read_if_it_is_of_this_mapping() -> None:
    breaker = CircuitBreaker(failures=4, initial=Duration.minutes(2), maximum=Duration.minutes(20))
    found = template(breaker=breaker)
    assert only(found).breaker == Breaker(failures=4, initial=120, maximum=1200)
    asks = '"WEBHOOK_EVENT_SOURCE_MAPPING_ID": {"Ref": "'
    other = json.loads(json.dumps(found).replace(asks, f"{asks}Other"))
    assert only(other).breaker is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "has no ScalableWebhook: no output is described as “Event source mapping of …”"),
        ("[]", "is no template, but list"),
        ("Resources:", "is no template in JSON"),
        ("\x80", "is no template in JSON"),
        ('{"Resources": [], "Outputs": {"A": 1}}', "has no ScalableWebhook"),
    ],
)
def test_a_file_that_is_no_template_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "Orders.template.json"
    file.write_bytes(text.encode("latin-1", errors="replace") if text == "\x80" else text.encode())
    assert message in refused(lambda: plan(file, Load(burst=1)))


def test_a_mapping_of_another_stack_is_an_error() -> None:
    found = template()
    del found["Resources"][the_mapping(found)]
    assert "the event source mapping of Orders/Webhook is not in the template" in refused(lambda: only(found))


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    assert "has no template; synthesise the app" in refused(lambda: plan(tmp_path, Load(burst=1)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Ref", "Fn::GetAtt", "a"]), inner),
    max_leaves=5,
)
TEMPLATE = json.dumps(template())


@given(st.data())
def test_any_other_value_in_a_template_is_read_or_an_error(data: st.DataObject) -> None:
    found = json.loads(TEMPLATE)
    types = ["AWS::Lambda::EventSourceMapping", "AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::ApiGateway::Stage"]
    properties = resource(found, data.draw(st.sampled_from(types)))
    properties[data.draw(st.sampled_from(sorted(properties)))] = data.draw(json_values)
    with suppress(CliError):
        plan(found, Load(burst=10), outage=Outage(seconds=1))


# The simulation.


def outcomes(result: Plan) -> int:
    return result.rejected + result.stored + result.dead_lettered + result.lost


loads = st.builds(
    Load, burst=st.integers(1, 400), over=st.sampled_from([0.0, 1.0, 30.0]), then=st.sampled_from([0.0, 2.0, 15.0])
)
outages = st.none() | st.builds(Outage, seconds=st.integers(0, 300), start=st.integers(0, 60))
kinds = st.builds(
    replace,
    st.just(DEPLOYED),
    max_concurrency=st.integers(2, 40),
    batch_size=st.integers(1, 30),
    window=st.sampled_from([0.0, 1.0, 5.0]),
    in_order=st.just(False),
    retention=st.sampled_from([60.0, 345_600.0]),
    max_receive_count=st.none() | st.integers(1, 6),
    retry_initial=st.none() | st.integers(1, 30),
    retry_maximum=st.just(60.0),
    seconds_each=st.none() | st.just(0.05),
    rate_limit=st.sampled_from([5.0, 1000.0]),
    burst_limit=st.sampled_from([1, 50, 2000]),
    breaker=st.none() | st.just(BREAKER),
) | st.builds(
    replace,
    st.just(DEPLOYED),
    max_concurrency=st.just(1),
    batch_size=st.integers(1, 10),
    in_order=st.just(True),
    retry_initial=st.just(2.0),
    max_receive_count=st.integers(1, 6),
)


@given(kinds, loads, outages, st.integers())
def test_each_webhook_ends_once(kind: Deployed, load: Load, down: Outage | None, seed: int) -> None:
    result = plan(kind, load, outage=down, seed=seed, time=BatchTime(milliseconds=30, each=0.5))
    assert outcomes(result) == result.sent >= load.burst
    assert result.accepted <= kind.burst_limit + kind.rate_limit * result.drained_at + 1
    assert result.peak_backlog <= result.accepted
    assert result.ages.p50 <= result.ages.p95 <= result.ages.highest
    assert result.drained_at >= max(load.over, down.end if down and down.seconds else 0)
    assert result == plan(kind, load, outage=down, seed=seed, time=BatchTime(milliseconds=30, each=0.5))
    lines = [*result.table(), *result.chart(), *result.chart(ascii_only=True)]
    assert max(map(len, lines)) <= 80
    assert "".join(result.chart(ascii_only=True)).isascii()


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        (DEPLOYED, Load(burst=50_000, over=10, then=100)),
        (replace(DEPLOYED, max_concurrency=2, batch_size=1), Load(burst=2000)),
        (replace(DEPLOYED, max_concurrency=2, seconds_each=0.1), Load(burst=1000, over=20, then=5)),
        (replace(DEPLOYED, batch_size=100, window=1), Load(burst=20_000, then=200)),
        (replace(DEPLOYED, max_concurrency=1, in_order=True), Load(burst=5000, over=5, then=50)),
        (replace(DEPLOYED, rate_limit=100, burst_limit=2000), Load(burst=50_000, over=10)),
    ],
)
def test_the_simulation_agrees_with_arithmetic(kind: Deployed, load: Load) -> None:
    result = plan(kind, load)
    # The last batch, and the window of a batch that is not full.
    assert result.drain == pytest.approx(result.closed_form.drain, rel=0.02, abs=0.1 + kind.window)


def test_arithmetic_is_the_documented_formula() -> None:
    result = plan(DEPLOYED, Load(burst=10_000, then=250), time=BatchTime(milliseconds=40, each=2))
    rate = 5 * 10 / (0.040 + 10 * 0.002)
    assert result.closed_form.rate == pytest.approx(rate)
    assert result.closed_form.drain == pytest.approx(10_000 / (rate - 250))


def test_after_an_outage_with_short_retries_the_backlog_flows() -> None:
    kind = replace(DEPLOYED, retry_initial=1, retry_maximum=2, max_receive_count=1000)
    result = plan(kind, Load(burst=60_000, over=60, then=100), outage=Outage(seconds=60, start=30))
    assert result.stored == result.sent
    assert result.drain == pytest.approx(result.closed_form.drain, rel=0.05, abs=2)


def test_the_seed_chooses_the_delays_and_nothing_else() -> None:
    load, down = Load(burst=500), Outage(seconds=120)
    one, other = (plan(DEPLOYED, load, outage=down, seed=seed) for seed in (1, 2))
    assert one == plan(DEPLOYED, load, outage=down, seed=1)
    assert one.drained_at != other.drained_at
    assert replace(plan(DEPLOYED, load, seed=1), seed=2) == plan(DEPLOYED, load, seed=2)


def test_without_a_circuit_breaker_an_outage_uses_up_the_tries() -> None:
    load, down = Load(burst=1000, then=2), Outage(seconds=3600)
    without = plan(DEPLOYED, load, outage=down)
    assert without.dead_lettered > 0.9 * 2 * 3600
    assert without.pauses == 0
    with_it = plan(replace(DEPLOYED, breaker=BREAKER), load, outage=down)
    assert (with_it.dead_lettered, with_it.pauses) == (0, 1)
    # Probes after 1, 3, 7, 12 … 57 and 62 minutes.
    assert with_it.paused_seconds == pytest.approx(3720, abs=10)
    assert with_it.stored == with_it.sent


def test_before_the_last_try_the_circuit_breaker_opens_at_once() -> None:
    kind = replace(DEPLOYED, breaker=replace(BREAKER, failures=1000), max_receive_count=2)
    assert plan(kind, Load(burst=10), outage=Outage(seconds=600)).dead_lettered == 0
    assert plan(replace(kind, breaker=None), Load(burst=10), outage=Outage(seconds=600)).dead_lettered == 10


def test_a_sink_that_is_up_again_is_not_paused() -> None:
    kind = replace(DEPLOYED, breaker=replace(BREAKER, failures=1))
    assert plan(kind, Load(burst=10), outage=Outage(seconds=0.01)).pauses == 0


def test_the_circuit_breaker_resumes_with_two_batches_at_a_time() -> None:
    kind = replace(DEPLOYED, breaker=BREAKER)
    result = plan(kind, Load(burst=100_000, over=10), outage=Outage(seconds=30), time=BatchTime(milliseconds=100))
    # It probes after a minute, and a minute later it has stored 2 x 10 x 600 webhooks.
    of_two, of_five = 200, 500
    assert result.drained_at == pytest.approx(65 + 60 + (100_000 - 60 * of_two) / of_five, abs=5)


def test_webhooks_that_wait_for_a_retry_are_in_flight_and_there_are_not_more_than_sqs_allows() -> None:
    kind = replace(DEPLOYED, max_concurrency=1000, retry_initial=3600, retry_maximum=3600, burst_limit=125_000)
    result = plan(kind, Load(burst=125_000), outage=Outage(seconds=60))
    assert result.peak_in_flight == MAX_IN_FLIGHT
    assert result.stored == 125_000
    assert result.drained_at > 3000
    assert "120,000 that SQS allows; new ones waited for these" in "\n".join(result.table())


def test_the_endpoint_rejects_what_exceeds_its_bucket() -> None:
    kind = replace(DEPLOYED, rate_limit=100, burst_limit=200)
    assert plan(kind, Load(burst=1000)).rejected == 800
    assert plan(kind, Load(burst=3000, over=10)).rejected == pytest.approx(3000 - 200 - 1000, abs=2)
    assert plan(kind, Load(burst=3000, over=30)).rejected == 0


def test_webhooks_older_than_the_retention_period_are_lost() -> None:
    kind = replace(DEPLOYED, max_concurrency=2, batch_size=1, retention=60)
    result = plan(kind, Load(burst=10_000))
    assert result.stored == pytest.approx(60 * 50, abs=5)
    assert result.lost == 10_000 - result.stored
    assert f"lost{result.lost:>27,}  older than the retention period, 1 m" in list(result.table())


def test_almost_as_old_as_the_retention_period_is_noted() -> None:
    kind = replace(DEPLOYED, max_concurrency=2, batch_size=1, retention=60)
    assert "Webhooks become almost as old as the retention period. Raise it." in plan(kind, Load(burst=2800)).notes


def test_in_order_a_webhook_that_is_retried_holds_the_others() -> None:
    kind = replace(DEPLOYED, max_concurrency=1, in_order=True, max_receive_count=4)
    result = plan(kind, Load(burst=100), outage=Outage(seconds=1))
    assert result.peak_in_flight == 10
    assert result.stored == 100
    # The whole queue waits for the delay of the first.
    assert 1 < result.drained_at < 32


def test_a_batch_waits_for_its_window() -> None:
    kind = replace(DEPLOYED, batch_size=100, window=5)
    assert plan(kind, Load(burst=10)).ages.p50 == pytest.approx(5.04)
    assert plan(kind, Load(burst=100)).ages.p50 == pytest.approx(0.04)


def test_a_mapping_begins_with_five_batches_at_a_time() -> None:
    kind = replace(DEPLOYED, max_concurrency=1000, batch_size=1)
    result = plan(kind, Load(burst=20_000), time=BatchTime(milliseconds=1000))
    # 5 more a second: 5 s + 2.5 s² = 20,000.
    assert result.drained_at == pytest.approx(88.4, rel=0.05)


def test_a_batch_that_finds_the_sink_down_may_take_another_time() -> None:
    kind = replace(DEPLOYED, retry_initial=1, retry_maximum=1, max_receive_count=1000)
    down = Outage(seconds=100)
    quick, slow = (
        plan(kind, Load(burst=10), outage=down, time=BatchTime(down=milliseconds)) for milliseconds in (1, 20_000)
    )
    assert quick.batches > 5 * slow.batches


def test_a_steady_load_alone_is_planned_for_five_minutes() -> None:
    result = plan(DEPLOYED, Load(then=10))
    assert result.drained_at == pytest.approx(300, abs=1)
    assert result.sent == pytest.approx(3000, abs=2)


@pytest.mark.parametrize(
    ("kind", "then", "message"),
    [
        (DEPLOYED, 1250, "1,250 webhooks a second arrive, and the sink takes 1,250; raise max_concurrency to 6, or "),
        (replace(DEPLOYED, batch_size=1), 999, "999 webhooks a second arrive, and the sink takes 125; raise max_conc"),
        (replace(DEPLOYED, max_concurrency=1, in_order=True), 300, "give up the order for max_concurrency=2, or make"),
        (replace(DEPLOYED, seconds_each=0.5), 20, "and the sink takes 10; raise max_delivery_rate above 20"),
        (DEPLOYED, 99_999, "and the sink takes 1,250; raise max_concurrency to 400, or raise batch_size"),
    ],
)
def test_a_load_with_which_the_sink_never_keeps_up_is_an_error(kind: Deployed, then: float, message: str) -> None:
    error = refused(lambda: plan(kind, Load(burst=1, then=then)))
    assert error.startswith("the queue of Orders/Webhook would never be empty again: ")
    assert message in error


def test_the_remedy_is_enough() -> None:
    assert plan(replace(DEPLOYED, max_concurrency=6), Load(burst=1, then=1250)).stored


def test_what_the_endpoint_rejects_never_reaches_the_queue() -> None:
    kind = replace(DEPLOYED, rate_limit=1000, burst_limit=10)
    assert plan(kind, Load(then=2000)).rejected == pytest.approx(300 * 1000, rel=0.01)


def test_a_batch_has_to_end_in_time() -> None:
    assert refused(lambda: plan(DEPLOYED, Load(burst=1), time=BatchTime(milliseconds=1, each=3001))) == (
        "a batch must end within the timeout of the consumer, 30 s, got 30 s for 10 webhooks; lower batch_size, or "
        "raise the timeout"
    )


@pytest.mark.parametrize("what", ["webhooks", "batches", "tries"])
def test_a_plan_that_takes_too_long_is_an_error(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(simulation._MOST, what, 50)
    error = refused(lambda: plan(DEPLOYED, Load(burst=1000, over=100)))
    assert error.startswith(f"a plan takes at most 50 {what}, got more before the queue is empty again; ")


def test_a_delivery_rate_is_kept_with_another_concurrency() -> None:
    kind = replace(DEPLOYED, seconds_each=0.1)
    assert plan(kind, Load(burst=500)).closed_form.rate == pytest.approx(50)
    assert plan(changed(kind, max_concurrency=10), Load(burst=500)).closed_form.rate == pytest.approx(50)


def test_another_concurrency_of_one_is_in_order() -> None:
    assert changed(DEPLOYED, max_concurrency=1).in_order
    assert not changed(changed(DEPLOYED, max_concurrency=1), max_concurrency=2).in_order


def test_the_bill_is_of_what_was_used() -> None:
    kind = replace(DEPLOYED, into_dynamodb=True, publisher=Function(memory=1024))
    result = plan(kind, Load(burst=1000), time=BatchTime(milliseconds=100))
    used = Usage(
        requests=1000,
        invocations=1000 + 100,
        gb_seconds={"arm64": 1000 * 0.01 * 1 + 100 * 0.1 * 0.25},
        sqs_requests=1000 + 2 * 100,
        write_units=1000,
    )
    assert result.bill == pytest.approx(used.bill())
    assert plan(replace(kind, into_dynamodb=False), Load(burst=1000)).bill["DynamoDB"] == 0


def test_long_plans_have_as_few_steps_as_short_ones() -> None:
    series = Series()
    for second in range(100_000):
        series.add(float(second), second % 1000, 1.0 * second)
    steps = series.steps()
    assert len(steps) <= 1024
    assert max(step.backlog for step in steps) == 999
    assert steps[-1].age == 99_999
    assert [step.start for step in steps] == sorted({step.start for step in steps})


# The log.


def line(size: int, milliseconds: int, *, started: int = 0, failed: int = 0, **more: Any) -> str:
    values = {"message": "batch", "size": size, "failed": failed, "started": started, "ended": started + milliseconds}
    return json.dumps(values | more)


def fitted(lines: list[str]) -> fits.Fit:
    return fits.fit(fits.batches(lines))


def test_the_time_of_a_batch_is_fitted_to_the_log() -> None:
    found = fitted([line(size, 30 + 2 * size, started=1000 * size) for size in (1, 5, 10, 10)])
    assert found.time.milliseconds == pytest.approx(30)
    assert found.time.each == pytest.approx(2)
    assert found.told() == "A batch takes 30 ms, and 2 ms a webhook, by 4 batches of the log."


@given(st.floats(1, 500), st.floats(0, 50), st.lists(st.integers(1, 100), min_size=1, max_size=20))
def test_a_fit_finds_the_line_that_there_is(batch: float, each: float, sizes: list[int]) -> None:
    found = fits.line_through(sizes, [batch + each * size for size in sizes])
    for size in sizes:
        assert found[0] + found[1] * size == pytest.approx(batch + each * size, rel=1e-6)
    assert min(found) >= 0


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 1000)), min_size=1, max_size=20))
def test_a_fit_is_never_negative(pairs: list[tuple[int, int]]) -> None:
    assert min(fits.line_through([size for size, _ in pairs], [time for _, time in pairs])) >= 0


def test_batches_that_failed_are_left_out() -> None:
    found = fitted([line(1, 10), line(10, 100), line(10, 9000, failed=1)])
    assert (found.time.each, found.left_out) == (10, 1)
    assert "by 2 batches of the log, without 1 that failed" in found.told()


def test_with_one_size_only_its_time_is_known() -> None:
    found = fitted([line(10, 40), line(10, 60)])
    assert found.time == BatchTime(milliseconds=50, each=0)
    assert "All have 10 webhooks, so another size may take another time." in found.told()


def test_other_lines_are_none_of_a_batch() -> None:
    lines = [
        "REPORT Duration: 5 ms",
        "[" * 100_000,
        '{"message": "batch"}',
        json.dumps({"message": "stored", "size": 1}),
        line(0, 5),
        line(1, -5),
        json.dumps({"message": "batch", "size": "1", "failed": 0, "started": 0, "ended": 1}),
        f"two lines\n{line(1, 5)}",
    ]
    assert len(list(fits.batches(lines))) == 1


def test_a_log_without_a_good_batch_is_an_error() -> None:
    assert refused(lambda: fitted([line(1, 5, failed=1)])) == (
        "the consumer's log has no batch without a failure, and 1 with one; send it webhooks first, or pass "
        "--batch-milliseconds instead of --from-logs"
    )


def test_the_time_from_a_batch_to_the_next_one_is_found_while_there_is_a_backlog() -> None:
    two = [line(10, 40, started=50 * n + offset) for n in range(20) for offset in (0, 25)]
    assert fitted(two).time.between == 10
    assert "and 10 ms from one to the next" in fitted(two).told()


@pytest.mark.parametrize("size", [1, 10])
def test_the_time_until_a_webhook_arrives_is_none_of_a_batch(size: int) -> None:
    alone = [line(size, 40, started=140 * n) for n in range(20)]
    assert fitted([*alone, line(100, 40, started=10_000)]).time.between == 0


# The log of a deployed consumer.


class Account:
    """Lambda, CloudFormation and CloudWatch Logs of an account with one webhook. It answers for every service."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = messages
        self.asked: list[dict[str, Any]] = []
        self.body: Any = json.loads(TEMPLATE)
        self.group: dict[str, Any] = {"LoggingConfig": {"LogGroup": "ConsumerLogs"}}

    def get_paginator(self, operation: str) -> Any:
        return self if operation == "describe_stacks" else _NoResources()

    def paginate(self) -> list[dict[str, Any]]:
        return [self.describe_stacks()]

    def describe_stacks(self, StackName: str = "Orders") -> dict[str, Any]:
        output = {"OutputValue": "uuid", "Description": "Event source mapping of Orders/Webhook"}
        return {"Stacks": [{"StackName": StackName, "Outputs": [output]}]}

    def get_template(self, StackName: str) -> dict[str, Any]:
        return {"TemplateBody": self.body}

    def get_event_source_mapping(self, UUID: str) -> dict[str, str]:
        return {"FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:Consumer"}

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        return {"FunctionName": "Consumer"} | self.group

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        if asked["logGroupName"] == "/aws/lambda/Consumer":
            answer = {"Error": {"Code": "ResourceNotFoundException", "Message": "no such group"}}
            raise ClientError(answer, "FilterLogEvents")
        events = [{"message": message, "timestamp": 0, "logStreamName": "s"} for message in self.messages]
        return {"events": events[1:]} if "nextToken" in asked else {"events": events[:1], "nextToken": "1"}


class _NoResources:
    """The consumer is a function of the user's own, with a log group of its own."""

    def paginate(self, StackName: str) -> list[dict[str, Any]]:
        return [{"StackResourceSummaries": []}]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    there = Account([line(size, 30 + 2 * size) for size in (1, 5, 10)])
    asked: Callable[..., Account] = lambda self, service: there  # noqa: E731
    monkeypatch.setattr(Target, "client", asked)
    return there


def test_the_log_and_the_template_are_those_of_the_stack(account: Account) -> None:
    lines = run("--region", "eu-west-1", "--burst", "10", "--from-logs", "--since", "2h", "--down-milliseconds", "5000")
    assert lines[2] == "rate of the sink          400/s  a batch takes 30 ms + 2 ms a webhook"
    assert "A batch takes 30 ms, and 2 ms a webhook, by 3 batches of the log." in lines
    asked, again = account.asked
    assert again == asked | {"nextToken": "1"}
    assert (asked["logGroupName"], asked["filterPattern"]) == ("ConsumerLogs", '"batch"')
    assert time.time() - asked["startTime"] / 1000 == pytest.approx(7200, abs=60)


def test_a_consumer_without_a_log_is_an_error(account: Account) -> None:
    account.group = {}
    (error,) = run("--region", "eu-west-1", "--burst", "10", "--from-logs", code=1)
    assert "the consumer of Orders/Webhook has no log yet; send it webhooks first" in error


def test_a_deployed_template_that_is_not_json_is_an_error(account: Account) -> None:
    account.body = "Resources: {}"
    (error,) = run("--region", "eu-west-1", "--burst", "10", code=1)
    assert "the template of Orders is not JSON" in error


def test_a_file_is_planned_with_the_log_of_what_is_deployed(account: Account, cdk_out: Path) -> None:
    lines = run("Orders/Webhook", "--template", str(cdk_out), "--profile", "a", "--burst", "1", "--from-logs")
    assert "by 3 batches of the log" in "\n".join(lines)


# The command.


@pytest.fixture
def cdk_out(tmp_path: Path) -> Path:
    (tmp_path / "Orders.template.json").write_text(TEMPLATE)
    nested = tmp_path / "assembly-Prod"
    nested.mkdir()
    other = TEMPLATE.replace("Orders/Webhook", "Prod/Refunds/Webhook")
    (nested / "Refunds.template.json").write_text(other)
    return tmp_path


def run(*arguments: str, code: int = 0) -> list[str]:
    result = CliRunner().invoke(app, ["plan", *arguments], catch_exceptions=False, env={"COLUMNS": "80"})
    assert result.exit_code == code, result.output
    return result.output.splitlines()


def test_the_command_prints_a_table_and_a_chart(cdk_out: Path) -> None:
    lines = run("Orders/Webhook", "--template", str(cdk_out), "--burst", "1000", "--outage", "30s@1m")
    assert lines[0] == "Orders/Webhook"
    assert "the sink is down           30 s  from 1 m on" in lines
    assert "stored                    1,000" in lines
    assert "webhooks in the queue" in lines
    assert lines[-1].startswith(" sink down ")
    assert lines[-1].endswith("x")


def test_a_folder_has_the_webhooks_of_all_its_stacks(cdk_out: Path) -> None:
    assert run("Refunds/Webhook", "--template", str(cdk_out), "--burst", "1")[0] == "Prod/Refunds/Webhook"
    (error,) = run("--template", str(cdk_out), "--burst", "1", code=1)
    assert error == "scalable-webhook: which webhook? name one of Orders/Webhook, Prod/Refunds/Webhook"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a plan needs webhooks, got none; pass --burst, --then, or both"),
        (["--burst", "1", "--over", "5"], "--over must be a number with ms, s, m, h or d"),
        (["--then", "5"], "--then must be a number for each s, m, h or d"),
        (["--burst", "1", "--outage", "x"], "--outage must be a number with ms, s, m, h or d"),
        (["--burst", "1", "--retention", "x"], "--retention must be a number with ms, s, m, h or d"),
        (["--burst", "1", "--retention", "0"], "--retention must be 1 m to 14 d, got 0 s"),
        (["--burst", "1", "--retention", "15d"], "--retention must be 1 m to 14 d, got 15 d"),
        (["--burst", "1", "--since", "x"], "--since must be a number with ms, s, m, h or d"),
        (
            ["--burst", "1", "--from-logs", "--batch-milliseconds", "5"],
            "pass --from-logs, or --batch-milliseconds with",
        ),
        (["--then", "2000/s", "--batch-milliseconds", "80"], "would never be empty again"),
    ],
)
def test_an_error_is_one_sentence(cdk_out: Path, arguments: list[str], message: str) -> None:
    (error,) = run("Orders/Webhook", "--template", str(cdk_out), *arguments, code=1)
    assert message in error


def test_other_values_can_be_tried(cdk_out: Path) -> None:
    lines = run(
        *("Orders/Webhook", "--template", str(cdk_out), "--burst", "10", "--max-concurrency", "7", "--batch-size", "3"),
        *("--max-receive-count", "2", "--retention", "1h", "--webhook-milliseconds", "1.5", "--seed", "3"),
    )
    assert lines[1:3] == [
        "batches at a time             7  of 3 webhooks",
        "rate of the sink        471.9/s  a batch takes 40 ms + 1.5 ms a webhook",
    ]


def test_a_plan_needs_neither_an_aws_nor_a_terminal() -> None:
    named = "{name.partition('.')[0] for name, module in sys.modules.items() if module}"
    code = f"import sys, scalable_webhook_cli.plan; print(*{named})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"boto3", "botocore", "typer", "rich", "httpx", "aws_cdk", "jsii"} & set(loaded)


def test_a_token_of_the_cdk_is_none_of_ours() -> None:
    found = template(max_concurrency=Token.as_number({"Ref": "Number"}))
    assert "pass --max-concurrency" in refused(lambda: plan(found, Load(burst=1)))
    assert of_template(found, "Orders/Webhook").batch_size == 10
