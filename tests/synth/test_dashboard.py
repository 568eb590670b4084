"""The dashboard of a webhook: valid for CloudWatch, of metrics that exist, and in the order of the data."""

import functools
import itertools
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from aws_cdk import App, CfnParameter, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_scalable_webhook import Ingress, QueueOptions, ScalableWebhook, Sink, Source

from .metrics import Metric, assert_exists, body_of

SINK = Sink.http("https://example.com/in")
KEPT = [{"body": {"type": ["paid"]}}]

# The rules of https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
# for what this dashboard has in it. AWS publishes them in words alone.
COLOR = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"}
AXIS = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "min": {"type": "number"},
        "max": {"type": "number"},
        "showUnits": {"type": "boolean"},
    },
    "additionalProperties": False,
}
METRIC = {
    "type": "object",
    "properties": {
        "metrics": {"type": "array", "minItems": 1, "maxItems": 500, "items": {"type": "array", "minItems": 3}},
        "annotations": {
            "type": "object",
            "properties": {
                "horizontal": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "value": {"type": "number"},
                            "label": {"type": "string"},
                            "color": COLOR,
                            "fill": {"enum": ["above", "below", "none"]},
                            "visible": {"type": "boolean"},
                            "yAxis": {"enum": ["left", "right"]},
                        },
                        "required": ["value"],
                        "additionalProperties": False,
                    },
                }
            },
            "additionalProperties": False,
        },
        "view": {"enum": ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"]},
        "stacked": {"type": "boolean"},
        "title": {"type": "string"},
        "region": {"type": "string"},
        "period": {"type": "integer", "multipleOf": 60},
        "stat": {"type": "string"},
        "yAxis": {"type": "object", "properties": {"left": AXIS, "right": AXIS}, "additionalProperties": False},
        "legend": {"type": "object", "properties": {"position": {"enum": ["right", "bottom", "hidden"]}}},
        "liveData": {"type": "boolean"},
    },
    "required": ["metrics", "region"],
    "additionalProperties": False,
}
OPTIONS = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "color": COLOR,
        "period": {"type": "integer", "minimum": 60, "multipleOf": 60},
        "stat": {"type": "string", "pattern": r"^(SampleCount|Average|Sum|Minimum|Maximum|p(100|\d{1,2}(\.\d+)?))$"},
        "yAxis": {"enum": ["left", "right"]},
        "visible": {"type": "boolean"},
    },
    "additionalProperties": False,
}
TEXT = {
    "type": "object",
    "properties": {"markdown": {"type": "string", "minLength": 1}, "background": {"enum": ["solid", "transparent"]}},
    "required": ["markdown"],
    "additionalProperties": False,
}
ALARM = {
    "type": "object",
    "properties": {
        "alarms": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "string"}},
        "title": {"type": "string"},
        "sortBy": {"enum": ["default", "stateUpdatedTimestamp", "timestamp"]},
        "states": {"type": "array", "items": {"enum": ["ALARM", "INSUFFICIENT_DATA", "OK"]}},
    },
    "required": ["alarms"],
    "additionalProperties": False,
}


def widget(type: str, properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "type": {"const": type},
            "x": {"type": "integer", "minimum": 0, "maximum": 23},
            "y": {"type": "integer", "minimum": 0},
            "width": {"type": "integer", "minimum": 1, "maximum": 24},
            "height": {"type": "integer", "minimum": 1, "maximum": 1000},
            "properties": properties,
        },
        "required": ["type", "x", "y", "width", "height", "properties"],
        "additionalProperties": False,
    }


BODY = {
    "type": "object",
    "properties": {
        # ISO 8601: a duration before now.
        "start": {"type": "string", "pattern": r"^-P(\d+D|T\d+[HM])$"},
        "end": {"type": "string"},
        "periodOverride": {"enum": ["auto", "inherit"]},
        "widgets": {
            "type": "array",
            "maxItems": 500,
            "items": {"oneOf": [widget("metric", METRIC), widget("text", TEXT), widget("alarm", ALARM)]},
        },
    },
    "required": ["widgets"],
    "additionalProperties": False,
}


def secret(stack: Stack) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "stripe")


def simple(stack: Stack) -> ScalableWebhook:
    return ScalableWebhook(stack, "Webhook", sink=SINK)


def with_alarms(stack: Stack) -> ScalableWebhook:
    webhook = simple(stack)
    webhook.add_alarms()
    return webhook


def direct(stack: Stack) -> ScalableWebhook:
    return ScalableWebhook(
        stack, "Webhook", sink=SINK, source=Source.stripe(secret(stack)), ingress=Ingress.direct_integration()
    )


def many(stack: Stack) -> ScalableWebhook:
    """Return a webhook with several endpoints of both kinds, filters and everything that a graph shows."""
    stripe = Source.stripe(secret(stack))
    webhook = ScalableWebhook(stack, "Webhook", sink=SINK, event_filters=KEPT, path="/one")
    webhook.add_source("/two", stripe)
    webhook.add_source("/three", stripe, ingress=Ingress.direct_integration(binary=True))
    webhook.add_alarms()
    return webhook


def filtered_by_the_mapping(stack: Stack) -> ScalableWebhook:
    return ScalableWebhook(stack, "Webhook", sink=SINK, event_filters=KEPT, ingress=Ingress.direct_integration())


def existing(stack: Stack) -> ScalableWebhook:
    function = lambda_.Function(
        stack, "Mine", code=lambda_.Code.from_inline("…"), handler="a.b", runtime=lambda_.Runtime.PYTHON_3_13
    )
    queue = sqs.Queue(stack, "Queue", visibility_timeout=Duration.minutes(5))
    return ScalableWebhook(stack, "Webhook", queue=queue, consumer=function)


def fifo(stack: Stack) -> ScalableWebhook:
    return ScalableWebhook(stack, "Webhook", queue=QueueOptions(ordered=True), sink=SINK)


def dynamodb(stack: Stack) -> ScalableWebhook:
    return ScalableWebhook(stack, "Webhook")


KINDS = [simple, with_alarms, direct, many, filtered_by_the_mapping, existing, fifo, dynamodb]


def template_of(make: Callable[[Stack], ScalableWebhook], name: str | None = None) -> Template:
    stack = Stack(App(), "Orders")
    make(stack).add_dashboard(name)
    return Template.from_stack(stack)


def graphs(body: dict[str, Any]) -> dict[str, list[tuple[Metric, dict[str, Any]]]]:
    """Return the metrics of each graph with their options, by its title."""
    return {
        each["properties"]["title"]: [
            ((namespace, name, dict(zip(rest[::2], rest[1::2], strict=True))), options)
            for namespace, name, *rest, options in each["properties"]["metrics"]
        ]
        for each in body["widgets"]
        if each["type"] == "metric"
    }


@pytest.mark.parametrize("make", KINDS)
def test_cloudwatch_takes_the_body(make: Callable[[Stack], ScalableWebhook]) -> None:
    body = body_of(template_of(make))
    jsonschema.validate(body, BODY)
    for metrics in graphs(body).values():
        for _, options in metrics:
            jsonschema.validate(options, OPTIONS)
            assert options["label"]


@pytest.mark.parametrize("make", KINDS)
def test_each_metric_exists(make: Callable[[Stack], ScalableWebhook]) -> None:
    template = template_of(make)
    for title, metrics in graphs(body_of(template)).items():
        for metric, _ in metrics:
            assert_exists(metric, template)
        assert len({json.dumps([metric, options["stat"]]) for metric, options in metrics}) == len(metrics), title


@pytest.mark.parametrize("make", KINDS)
def test_widgets_fill_rows_and_cover_each_other_nowhere(make: Callable[[Stack], ScalableWebhook]) -> None:
    taken: set[tuple[int, int]] = set()
    rows: dict[int, int] = {}
    for each in body_of(template_of(make))["widgets"]:
        cells = set(
            itertools.product(range(each["x"], each["x"] + each["width"]), range(each["y"], each["y"] + each["height"]))
        )
        assert not cells & taken
        taken |= cells
        rows[each["y"]] = rows.get(each["y"], 0) + each["width"]
    assert set(rows.values()) == {24}
    assert {y for _, y in taken} == set(range(max(y for _, y in taken) + 1))


def test_the_rows_are_the_way_from_the_endpoint_to_the_sink() -> None:
    widgets = body_of(template_of(many))["widgets"]
    assert [each["properties"].get("title", each["type"]) for each in widgets] == [
        "text",
        "Alarms",
        "Endpoint: requests",
        "Endpoint: time to answer",
        "Publisher",
        "Queue: webhooks",
        "Queue: age of the oldest, which SQS deletes after 4 days",
        "Throttle: batches at a time",
        "Consumer: webhooks",
        "Consumer: time of a batch",
        "Sink",
        "Dead-letter queue",
        "Unverified queue",
        "Dropped by event_filters",
    ]


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (direct, {"Publisher", "Dropped by event_filters"}),
        (existing, {"Sink", "Dead-letter queue", "Unverified queue", "Dropped by event_filters"}),
        (dynamodb, {"Unverified queue", "Dropped by event_filters"}),
    ],
)
def test_a_graph_is_there_only_if_the_webhook_has_that_part(
    make: Callable[[Stack], ScalableWebhook], missing: set[str]
) -> None:
    assert set(graphs(body_of(template_of(many)))) - set(graphs(body_of(template_of(make)))) == missing


def test_the_throttle_is_shown_against_its_maximum() -> None:
    stack = Stack(App(), "Orders")
    ScalableWebhook(stack, "Webhook", max_concurrency=17).add_dashboard()
    (throttle,) = (
        each["properties"]
        for each in body_of(Template.from_stack(stack))["widgets"]
        if each["properties"].get("title", "").startswith("Throttle")
    )
    assert [each["value"] for each in throttle["annotations"]["horizontal"]] == [17]


def test_a_maximum_that_only_deployment_knows_is_shown_too() -> None:
    stack = Stack(App(), "Orders")
    number = CfnParameter(stack, "Number", type="Number").value_as_number
    ScalableWebhook(stack, "Webhook", max_concurrency=number).add_dashboard()  # type: ignore[arg-type]
    (dashboard,) = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    parts = dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]
    where = parts.index({"Ref": "Number"})
    assert parts[where - 1].endswith('"value":')


def test_each_endpoint_has_its_publisher_and_a_sole_one_needs_no_path() -> None:
    several = [options["label"] for _, options in graphs(body_of(template_of(many)))["Publisher"]]
    assert several == [
        *("crashes at /one", "throttled at /one", "crashes at /two", "throttled at /two"),
        *("99 % within at /one", "99 % within at /two"),
    ]
    alone = [options["label"] for _, options in graphs(body_of(template_of(simple)))["Publisher"]]
    assert alone == ["crashes", "throttled", "99 % within"]


def test_the_alarms_are_those_of_the_webhook() -> None:
    template = template_of(with_alarms)
    (shown,) = (each["properties"]["alarms"] for each in body_of(template)["widgets"] if each["type"] == "alarm")
    assert set(shown) == set(template.find_resources("AWS::CloudWatch::Alarm"))


def test_it_has_a_name_of_its_own_or_the_given_one() -> None:
    (unnamed,) = template_of(simple).find_resources("AWS::CloudWatch::Dashboard").values()
    assert "DashboardName" not in unnamed["Properties"]
    (named,) = template_of(simple, "Orders_1-eu").find_resources("AWS::CloudWatch::Dashboard").values()
    assert named["Properties"]["DashboardName"] == "Orders_1-eu"


@given(name=st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_a_name_that_cloudwatch_does_not_take_is_rejected(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html"""
    webhook = shared_webhook()
    if not (0 < len(name) <= 255 and name.isascii() and all(each.isalnum() or each in "-_" for each in name)):
        with pytest.raises(ValueError, match=r"^name must be .*, got .*; "):
            webhook.add_dashboard(name)


def test_widgets_of_the_user_come_behind() -> None:
    stack = Stack(App(), "Orders")
    dashboard = simple(stack).add_dashboard()
    dashboard.add_widgets(cloudwatch.TextWidget(markdown="Ask Ada."))
    assert body_of(Template.from_stack(stack))["widgets"][-1]["properties"]["markdown"] == "Ask Ada."


def test_a_name_of_a_webhook_cannot_break_the_text() -> None:
    stack = Stack(App(), "Orders")
    ScalableWebhook(stack, 'a"b{c}`d\\e', sink=SINK).add_dashboard()
    body = body_of(Template.from_stack(stack))
    jsonschema.validate(body, BODY)
    assert '# Orders/a"b{c}`d\\e\n' in body["widgets"][0]["properties"]["markdown"]


@functools.cache
def shared_webhook() -> ScalableWebhook:
    return simple(Stack(App(), "Orders"))
