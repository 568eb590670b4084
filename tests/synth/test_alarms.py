"""The alarms of a webhook: what they watch, from when on, and that none is silent where it should go off."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Stack
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_scalable_webhook import AlarmOptions, CircuitBreaker, GroupBy, Ingress, QueueOptions, ScalableWebhook, Sink
from webhook_runtime.contract.pausing import PAUSED

from .metrics import assert_exists, of_alarm

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()
SINK = Sink.http("https://example.com/in")
MINUTE, DAY = 60, 24 * 3600

# Name: threshold, seconds of a point, points in a row.
DEFAULTS: dict[str, tuple[float, int, int]] = {
    "NotAccepted": (5, MINUTE, 3),
    "Rejected": (500, 15 * MINUTE, 1),
    "Behind": (600, MINUTE, 3),
    "WebhooksExpiring": (2 * DAY, MINUTE, 1),
    "RetriesExpiring": (2 * DAY, 60 * MINUTE, 1),
    "Paused": (13, 15 * MINUTE, 1),
    "Saturated": (0.9 * 2 * 3600 * 1000, 60 * MINUTE, 1),
    "ConsumerErrors": (1, MINUTE, 3),
    "ConsumerThrottled": (1, MINUTE, 5),
    "DeadLetters": (1, MINUTE, 1),
    "DeadLettersExpiring": (5 * DAY, MINUTE, 1),
}


def alarms_of(template: Template) -> dict[str, dict[str, Any]]:
    """Return the properties of each alarm, by its name."""
    found = template.find_resources("AWS::CloudWatch::Alarm")
    return {re.sub(r"^.*Alarms(.+).{8}$", r"\1", id): each["Properties"] for id, each in found.items()}


def made(options: AlarmOptions | None = None, **arguments: Any) -> tuple[Template, dict[str, dict[str, Any]]]:
    stack = Stack(App(), "Orders")
    webhook = ScalableWebhook(stack, "Webhook", **({"sink": SINK} | arguments))
    webhook.add_alarms(sns.Topic(stack, "Paged", enforce_ssl=True), options)
    template = Template.from_stack(stack)
    return template, alarms_of(template)


def test_the_defaults_are_these() -> None:
    _, alarms = made()
    told = {name: (each["Threshold"], each["Period"], each["EvaluationPeriods"]) for name, each in alarms.items()}
    assert told == DEFAULTS


def test_each_alarm_publishes_to_the_topic() -> None:
    template, alarms = made(AlarmOptions(silence=True))
    (topic,) = template.find_resources("AWS::SNS::Topic")
    assert [each["AlarmActions"] for each in alarms.values()] == [[{"Ref": topic}]] * (len(DEFAULTS) + 1)


def test_without_a_topic_the_actions_are_those_of_the_user() -> None:
    stack = Stack(App(), "Orders")
    alarms = ScalableWebhook(stack, "Webhook", sink=SINK).add_alarms()
    for each in alarms.values():
        each.add_alarm_action(actions.SsmIncidentAction("orders-down"))
    for told in alarms_of(Template.from_stack(stack)).values():
        (arn,) = told["AlarmActions"]
        assert "orders-down" in str(arn)


def test_the_result_is_each_alarm_by_its_name() -> None:
    stack = Stack(App(), "Orders")
    alarms = ScalableWebhook(stack, "Webhook", sink=SINK).add_alarms(sns.Topic(stack, "Paged"))
    assert list(alarms) == list(DEFAULTS)
    alarms["DeadLetters"].add_ok_action(actions.SnsAction(sns.Topic(stack, "Calm")))
    told = alarms_of(Template.from_stack(stack))
    assert [name for name, each in told.items() if "OKActions" in each] == ["DeadLetters"]


def test_no_points_are_no_trouble_but_for_silence() -> None:
    _, alarms = made(AlarmOptions(silence=True))
    told = {name: (each["TreatMissingData"], each["ComparisonOperator"]) for name, each in alarms.items()}
    assert told.pop("Silence") == ("breaching", "LessThanThreshold")
    assert set(told.values()) == {("notBreaching", "GreaterThanOrEqualToThreshold")}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"ingress": Ingress.direct_integration()},
        {"queue": QueueOptions(ordered=GroupBy.header("X-Account"))},
        {"max_concurrency": 1},
        {"breaker": False},
    ],
    ids=["as it is", "a direct integration", "an ordered queue", "one batch at a time", "no circuit breaker"],
)
def test_each_alarm_watches_a_metric_that_exists(arguments: dict[str, Any]) -> None:
    template, alarms = made(AlarmOptions(silence=True), **arguments)
    for each in alarms.values():
        assert_exists(of_alarm(each), template)
        assert each["Statistic"] in ("Sum", "Maximum")
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        assert each["Period"] % 60 == 0
        assert each["Period"] * each["EvaluationPeriods"] <= DAY


def test_two_webhooks_of_a_stack_have_different_alarms_and_no_name_that_another_stack_could_have() -> None:
    app, ids = App(), []
    stacks = [Stack(app, "Orders"), Stack(app, "Refunds")]
    for stack in stacks:
        topic = sns.Topic(stack, "Paged")
        for id in ("One", "Two"):
            ScalableWebhook(stack, id, sink=SINK).add_alarms(topic)
    for stack in stacks:
        found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
        ids += [(stack.stack_name, id) for id in found]
        assert all("AlarmName" not in each["Properties"] for each in found.values())
    assert len(set(ids)) == 4 * len(DEFAULTS)


def test_false_leaves_an_alarm_out_and_a_value_is_its_threshold() -> None:
    _, alarms = made(
        AlarmOptions(
            not_accepted=False,
            rejected=2000,
            silence=Duration.hours(6),
            behind=Duration.hours(1),
            webhooks_expiring=Duration.days(3),
            paused=Duration.hours(1),
            saturated=Duration.minutes(30),
            consumer_errors=10,
            consumer_throttled=False,
            dead_letters=100,
            dead_letters_expiring=Duration.days(12),
        ),
        max_concurrency=10,
    )
    assert {name: (each["Threshold"], each["Period"]) for name, each in alarms.items()} == {
        "Rejected": (2000, 900),
        "Silence": (1, 6 * 3600),
        "Behind": (3600, 60),
        "WebhooksExpiring": (3 * DAY, 60),
        "RetriesExpiring": (3 * DAY, 3600),
        "Paused": (54, 3600),
        "Saturated": (0.9 * 10 * 1800 * 1000, 1800),
        "ConsumerErrors": (10, 60),
        "DeadLetters": (100, 60),
        "DeadLettersExpiring": (12 * DAY, 60),
    }


def test_all_of_them_can_be_left_out() -> None:
    names = AlarmOptions.__dataclass_fields__
    _, alarms = made(AlarmOptions(**dict.fromkeys(names, False)))
    assert alarms == {}


def test_a_webhook_without_a_circuit_breaker_has_no_alarm_for_a_pause() -> None:
    _, alarms = made(breaker=False)
    assert set(DEFAULTS) - set(alarms) == {"Paused"}


def test_a_function_of_the_user_tells_no_age_and_has_no_circuit_breaker() -> None:
    stack = Stack(App(), "Orders")
    function = lambda_.Function(
        stack, "Mine", code=lambda_.Code.from_inline("…"), handler="a.b", runtime=lambda_.Runtime.PYTHON_3_13
    )
    ScalableWebhook(stack, "Webhook", consumer=function).add_alarms()
    assert set(DEFAULTS) - set(alarms_of(Template.from_stack(stack))) == {"Paused", "RetriesExpiring"}


def test_a_queue_of_unknown_retention_and_dead_letters_has_the_alarms_that_need_neither() -> None:
    stack = Stack(App(), "Orders")
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:us-east-1:111111111111:existing")
    webhook = ScalableWebhook(stack, "Webhook", sink=SINK, queue=queue)
    webhook.add_alarms(options=AlarmOptions(behind=Duration.days(13)))
    found = alarms_of(Template.from_stack(stack))
    missing = {"WebhooksExpiring", "RetriesExpiring", "DeadLetters", "DeadLettersExpiring"}
    assert set(DEFAULTS) - set(found) == missing


def test_a_given_age_needs_no_retention_that_is_known() -> None:
    stack = Stack(App(), "Orders")
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:us-east-1:111111111111:existing")
    webhook = ScalableWebhook(stack, "Webhook", sink=SINK, queue=queue)
    alarms = webhook.add_alarms(options=AlarmOptions(webhooks_expiring=Duration.days(3)))
    assert {"WebhooksExpiring", "RetriesExpiring"} <= set(alarms)


def test_a_concurrency_that_only_deployment_knows_has_no_alarm_for_a_busy_consumer() -> None:
    stack = Stack(App(), "Orders")
    number = CfnParameter(stack, "Number", type="Number").value_as_number
    webhook = ScalableWebhook(stack, "Webhook", sink=SINK, max_concurrency=number)  # type: ignore[arg-type]
    assert set(DEFAULTS) - set(webhook.add_alarms()) == {"Saturated"}


@given(kept=st.integers(60, 14 * DAY), fifo=st.booleans())
@settings(max_examples=30, deadline=None)
def test_an_age_goes_off_before_sqs_deletes(kept: int, *, fifo: bool) -> None:
    """An alarm above the retention would never go off."""
    options = QueueOptions(retention_period=Duration.seconds(kept), ordered=fifo, max_receive_count=1)
    _, alarms = made(queue=options, breaker=False)
    for name in ("Behind", "WebhooksExpiring", "RetriesExpiring"):
        assert 0 < alarms[name]["Threshold"] <= kept / 2
    assert 0 < alarms["DeadLettersExpiring"]["Threshold"] <= 7 * DAY
    if not fifo and kept <= 12 * DAY:
        # A webhook that spent all its time in the queue has the rest of 14 days left.
        assert alarms["DeadLettersExpiring"]["Threshold"] < 14 * DAY - kept
    if fifo:
        assert alarms["DeadLettersExpiring"]["Threshold"] == 7 * DAY


def test_a_pause_goes_off_although_a_line_a_minute_may_be_late() -> None:
    template, alarms = made(AlarmOptions(paused=Duration.minutes(5)), breaker=CircuitBreaker())
    assert (alarms["Paused"]["Threshold"], alarms["Paused"]["Statistic"]) == (4, "Sum")
    (line,) = (
        each["Properties"]
        for each in template.find_resources("AWS::Logs::MetricFilter").values()
        if each["Properties"]["MetricTransformations"][0]["MetricName"] == alarms["Paused"]["MetricName"]
    )
    assert line["FilterPattern"] == f'{{ $.message = "{PAUSED}" }}'
    assert line["MetricTransformations"][0]["MetricValue"] == "1"


@pytest.mark.parametrize("batches", [1, 2, 50])
def test_a_consumer_is_saturated_only_if_it_works_nearly_all_the_time(batches: int) -> None:
    """With one webhook a minute, ConcurrentExecutions is at a maximum of 1 in each minute."""
    _, alarms = made(max_concurrency=batches)
    threshold, period = alarms["Saturated"]["Threshold"], alarms["Saturated"]["Period"]
    assert (alarms["Saturated"]["MetricName"], alarms["Saturated"]["Statistic"]) == ("Duration", "Sum")
    now_and_then = (period / 60) * 50
    full = batches * period * 1000
    assert now_and_then < threshold < full


def test_a_webhook_with_a_name_for_the_shell_has_it_quoted_in_commands() -> None:
    stack = Stack(App(), "Orders")
    ScalableWebhook(stack, "It's; rm -rf ~", sink=SINK).add_alarms()
    for each in alarms_of(Template.from_stack(stack)).values():
        (command,) = re.findall(r"`(.+)`", each["AlarmDescription"])
        assert shlex.split(command)[-3:] == ["Orders/It's; rm -rf ~", "--profile", "NAME"]


def test_each_description_names_a_chapter_of_the_runbook_and_is_short_enough() -> None:
    chapters = set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
    stack = Stack(App(), "Orders")
    ScalableWebhook(stack, "W" * 180, sink=SINK).add_alarms(options=AlarmOptions(silence=True))
    for each in alarms_of(Template.from_stack(stack)).values():
        (chapter,) = re.findall(r" Runbook: docs/operations\.md, (.+)\.$", each["AlarmDescription"])
        assert chapter in chapters
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        assert len(each["AlarmDescription"]) <= 1024


def test_the_page_has_a_row_for_each_alarm() -> None:
    (table,) = re.findall(r"^\| alarm \|.+?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", table, re.MULTILINE)
    assert [name for name, _ in rows] == [*[*DEFAULTS][:2], "Silence", *[*DEFAULTS][2:]]
    assert list(dict.fromkeys(option for _, option in rows)) == list(AlarmOptions.__dataclass_fields__)
