"""The kind of queue and of mapping that concurrency, order and fairness ask for, and the settings of a rate."""

import re
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template

from cdk_scalable_webhook import AdaptiveRate, ConsumerOptions, GroupBy, Ingress, QueueOptions, ScalableWebhook, Source

from ..test_existing import function, queue

QUEUE, MAPPING, STAGE = "AWS::SQS::Queue", "AWS::Lambda::EventSourceMapping", "AWS::ApiGateway::Stage"


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def template(stack: Stack, **arguments: Any) -> Template:
    ScalableWebhook(stack, "Webhook", **arguments)
    return Template.from_stack(stack)


def properties(found: Template, type: str, name: str = "") -> dict[str, Any]:
    (only,) = [each for id, each in found.find_resources(type).items() if name in id]
    return dict(only.get("Properties", {}))


def throttle(found: Template) -> list[float]:
    (setting,) = properties(found, STAGE)["MethodSettings"]
    return [setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_concurrency": 1},
        {"queue": QueueOptions(ordered=True)},
        {"queue": QueueOptions(ordered=True), "max_concurrency": 1},
    ],
)
def test_one_at_a_time_is_one_group_of_a_fifo_queue(stack: Stack, arguments: Any) -> None:
    found = template(stack, **arguments)
    main = properties(found, QUEUE, "WebhookQueue")
    assert main["FifoQueue"] is True
    assert "FifoThroughputLimit" not in main
    assert properties(found, QUEUE, "DeadLetterQueue")["FifoQueue"] is True
    assert "ScalingConfig" not in properties(found, MAPPING)
    assert throttle(found) == [300, 300]


def test_an_existing_fifo_queue_can_have_one_at_a_time(stack: Stack) -> None:
    found = template(stack, max_concurrency=1, queue=queue(stack, fifo=True))
    assert "ScalingConfig" not in properties(found, MAPPING)


def test_a_function_of_yours_can_have_one_at_a_time(stack: Stack) -> None:
    found = template(stack, max_concurrency=1, consumer=function(stack, reserved_concurrent_executions=1))
    assert properties(found, QUEUE, "WebhookQueue")["FifoQueue"] is True


@pytest.mark.parametrize("ingress", [Ingress.lambda_integration(), Ingress.direct_integration()])
def test_groups_have_a_fifo_queue_with_a_limit_for_each(stack: Stack, ingress: Ingress) -> None:
    found = template(stack, queue=QueueOptions(ordered=GroupBy.header("X-Shop")), max_concurrency=7, ingress=ingress)
    main = properties(found, QUEUE, "WebhookQueue")
    assert (main["FifoQueue"], main["DeduplicationScope"], main["FifoThroughputLimit"]) == (
        True,
        "messageGroup",
        "perMessageGroupId",
    )
    assert properties(found, MAPPING)["ScalingConfig"] == {"MaximumConcurrency": 7}
    assert throttle(found) == [1000, 2000]


def test_an_endpoint_with_one_group_takes_no_more_than_that(stack: Stack) -> None:
    assert throttle(template(stack, queue=QueueOptions(ordered=GroupBy.mount()))) == [300, 300]


def test_fair_tenants_share_a_standard_queue(stack: Stack) -> None:
    found = template(stack, queue=QueueOptions(fair_by=GroupBy.mount()), max_concurrency=7)
    assert all("FifoQueue" not in each["Properties"] for each in found.find_resources(QUEUE).values())
    assert variables(found, "Publisher")["WEBHOOK_GROUP_BY"] == '{"mount": []}'


def test_every_endpoint_groups_alike(stack: Stack) -> None:
    ScalableWebhook(stack, "Webhook", queue=QueueOptions(ordered=GroupBy.field("a.b")), path="/a").add_source(
        "/b", source(stack)
    )
    found = Template.from_stack(stack)
    groups = [
        each["Properties"]["Environment"]["Variables"].get("WEBHOOK_GROUP_BY")
        for each in found.find_resources("AWS::Lambda::Function").values()
    ]
    assert sorted(groups, key=str) == [None, '{"field": ["a", "b"]}', '{"field": ["a", "b"]}']


def source(stack: Stack) -> Source:
    return Source.github(secretsmanager.Secret(stack, "Secret"))


def variables(found: Template, function: str) -> dict[str, Any]:
    return dict(properties(found, "AWS::Lambda::Function", f"Webhook{function}")["Environment"]["Variables"])


PACE = ["WEBHOOK_SECONDS_EACH", "WEBHOOK_TARGET_SECONDS", "WEBHOOK_LONGEST_EACH"]


@pytest.mark.parametrize(
    ("arguments", "pace"),
    [
        ({}, [None, None, None]),
        ({"max_delivery_rate": 5}, ["0.4", None, None]),
        ({"max_delivery_rate": 5, "max_concurrency": 10, "batch_size": 1}, ["2", None, None]),
        ({"max_delivery_rate": 0.5, "max_concurrency": 1}, ["2", None, None]),
        ({"max_delivery_rate": 5, "queue": QueueOptions(ordered=True)}, ["0.2", None, None]),
        (
            {"max_delivery_rate": AdaptiveRate(maximum=50, target_latency=Duration.millis(150))},
            ["0.04", "0.15", "2.5"],
        ),
    ],
)
def test_the_consumer_gets_its_share_of_the_rate(stack: Stack, arguments: Any, pace: list[str | None]) -> None:
    found = variables(template(stack, **arguments), "Consumer")
    assert [found.get(name) for name in PACE] == pace


def first_second(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("firstSecond"))
    return [str(each.entry.data) for each in found]


@pytest.mark.parametrize(
    ("rate", "concurrency", "batch", "remedy"),
    [
        (100, 2, 10, None),
        (20, 2, 10, None),
        (10, 2, 10, None),
        (50, 2, 10, "up to 60 webhooks in it: 2 batches of 10 begin together"),
        (50, 2, 10, "Take batch_size=5, or acknowledge"),
        (5, 2, 10, "Take max_delivery_rate=4 and batch_size=2, or acknowledge"),
        (3, 2, 10, "Take max_delivery_rate=2 and batch_size=1, or acknowledge"),
        (7, 5, 10, "Take max_delivery_rate=5 and batch_size=1, or acknowledge"),
        (97, 4, 10, "Take max_delivery_rate=96 and batch_size=8, or acknowledge"),
        (40, 1000, 1, "Take max_concurrency=40, or acknowledge"),
        (99991, 1000, 10, "Take max_delivery_rate=99000 and batch_size=9, or acknowledge"),
        (1, 1, 1, None),
        (0.5, 1, 1, None),
        (0.5, 2, 1, "average. Acknowledge this."),
    ],
)
def test_a_first_second_above_the_rate_warns_with_what_keeps_it(
    stack: Stack, rate: float, concurrency: int, batch: int, remedy: str | None
) -> None:
    given: dict[str, Any] = {"max_delivery_rate": rate, "max_concurrency": concurrency, "batch_size": batch}
    options = ConsumerOptions(timeout=Duration.minutes(10))
    template(stack, **given, consumer=options)
    found = first_second(stack)
    assert bool(found) == (remedy is not None)
    if remedy is not None:
        assert remedy in found[0]
        better = dict(re.findall(r"(max_\w+|batch_size)=(\d+)", found[0].partition("Take ")[2]))
        if better:
            again = Stack(App(), "Again")
            ScalableWebhook(again, "Webhook", consumer=options, **given | {name: int(n) for name, n in better.items()})
            assert first_second(again) == []


def test_an_adaptive_rate_begins_slowly(stack: Stack) -> None:
    template(stack, max_delivery_rate=AdaptiveRate(maximum=50, target_latency=Duration.millis(150)))
    assert first_second(stack) == []


def test_more_batches_than_an_adaptive_rate_warn(stack: Stack) -> None:
    rate = AdaptiveRate(maximum=40, target_latency=Duration.millis(150))
    template(stack, max_delivery_rate=rate, max_concurrency=1000, batch_size=1)
    (warning,) = first_second(stack)
    assert "up to 1,000 webhooks in it" in warning
    assert "Take max_concurrency=40" in warning


@pytest.mark.parametrize(("rate", "concurrency", "batch"), [(4.68, 13, 9), (42.4, 2, 530), (21.2, 2, 265)])
def test_a_batch_that_just_fits_is_not_rejected_by_rounding(
    stack: Stack, rate: float, concurrency: int, batch: int
) -> None:
    window = Duration.seconds(1) if batch > 10 else None
    template(stack, max_delivery_rate=rate, max_concurrency=concurrency, batch_size=batch, max_batching_window=window)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_template_says_whether_the_mapping_is_enabled(stack: Stack, enabled: bool) -> None:
    """Both ways: CloudFormation may leave what a template no longer says."""
    assert properties(template(stack, enabled=enabled), MAPPING)["Enabled"] is enabled


def test_the_event_source_mapping_is_a_property(stack: Stack) -> None:
    webhook = ScalableWebhook(stack, "Webhook")
    mapping = webhook.event_source_mapping.node.default_child
    assert isinstance(mapping, lambda_.CfnEventSourceMapping)
    mapping.add_property_override("BatchSize", 3)
    assert properties(Template.from_stack(stack), MAPPING)["BatchSize"] == 3


def test_pausing_is_permitted_for_this_mapping_alone(stack: Stack) -> None:
    operator = iam.Role(stack, "Operator", assumed_by=iam.AccountRootPrincipal())
    grant = ScalableWebhook(stack, "Webhook").grant_pause(operator)
    grant.assert_success()
    found = Template.from_stack(stack)
    (statement,) = properties(found, "AWS::IAM::Policy", "Operator")["PolicyDocument"]["Statement"]
    assert statement["Action"] == [
        "lambda:GetEventSourceMapping",
        "lambda:UpdateEventSourceMapping",
        "lambda:ListTags",
        "lambda:TagResource",
        "lambda:UntagResource",
    ]
    (mapping,) = found.find_resources(MAPPING)
    assert statement["Resource"]["Fn::Join"][1][-2:] == [":event-source-mapping:", {"Ref": mapping}]
