"""The dashboard of a webhook: the way from the endpoint to the sink, a row for each part, in the order of the data."""

import re
import shlex
from collections.abc import Mapping, Sequence, Sized
from typing import Any

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import show
from cdk_scalable_webhook.endpoint.front import Front, Told
from cdk_scalable_webhook.filters import metric_dropped
from cdk_scalable_webhook.route.breaker import metric_paused, metric_sink_down
from cdk_scalable_webhook.route.consumer import metric_outcome, metric_webhook_age
from cdk_scalable_webhook.route.route import Route

# CloudWatch's grid has 24 columns.
_COLUMNS = 24
_HEIGHT = 6
_PERIOD = Duration.minutes(5)
_GREEN, _ORANGE, _RED = cloudwatch.Color.GREEN, cloudwatch.Color.ORANGE, cloudwatch.Color.RED

_TEXT = """\
# {name}
**endpoint** → {publisher}**queue** → **throttle** → **consumer** → **sink**, or the dead-letter queue
```
scalable-webhook status {command} --profile NAME           # where webhooks are now
scalable-webhook logs {command} --profile NAME             # what became of each
scalable-webhook dead-letters list {command} --profile NAME
scalable-webhook pause {command} --profile NAME            # resume, concurrency
```"""


def create_dashboard(
    scope: Construct,
    name: str | None,
    front: Front,
    route: Route,
    alarms: Mapping[str, cloudwatch.Alarm],
) -> cloudwatch.Dashboard:
    """Create the dashboard.

    Raises:
        ValueError: There is one already, or CloudWatch cannot have one of this name.
    """
    if scope.node.try_find_child("Dashboard") is not None:
        raise ValueError(
            "name must be given to one add_dashboard() of a webhook, got a second call; add your own widgets to the "
            "dashboard that the first returns"
        )
    if name is not None and not Token.is_unresolved(name) and not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        raise ValueError(
            f"name must be 1 to 255 letters, digits, hyphens or underscores, got {brief(name)}; for example 'Orders'"
        )
    rows = [
        [_text(scope, front)],
        [_state(alarms)] if alarms else [],
        _endpoint(front),
        _queue_and_throttle(route),
        _consumer(route),
        _not_stored(route),
    ]
    return cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=name,
        default_interval=Duration.hours(12),
        period_override=cloudwatch.PeriodOverride.INHERIT,
        widgets=[row for row in rows if row],
    )


def _text(scope: Construct, front: Front) -> cloudwatch.IWidget:
    markdown = _TEXT.format(
        name=scope.node.path,
        command=shlex.quote(scope.node.path),
        publisher="**publisher** → " if front.publishers else "",
    )
    return cloudwatch.TextWidget(markdown=markdown, width=_COLUMNS, height=5)


def _state(alarms: Mapping[str, cloudwatch.Alarm]) -> cloudwatch.IWidget:
    return cloudwatch.AlarmStatusWidget(
        title="Alarms", alarms=list(alarms.values()), width=_COLUMNS, height=1 + -(-len(alarms) // 4)
    )


def _endpoint(front: Front) -> list[cloudwatch.IWidget]:
    """Return the graphs of the requests and their answers."""

    def of_each(told: Told, label: str, **options: Any) -> list[cloudwatch.IMetric]:
        metrics = front.metrics(told, period=_PERIOD, **options)
        return [each.with_(label=label + _at(mount, metrics)) for mount, each in metrics.items()]

    graphs: list[dict[str, Any]] = [
        {
            "title": "Endpoint: requests",
            "left": [
                *of_each("requests", "requests"),
                *of_each("client_errors", "4xx, rejected", color=_ORANGE),
                *of_each("server_errors", "5xx, not accepted", color=_RED),
            ],
        },
        {
            "title": "Endpoint: time to answer",
            "left": [
                *of_each("latency", "half within", statistic="p50"),
                *of_each("latency", "99 % within", statistic="p99"),
            ],
            "left_y_axis": cloudwatch.YAxisProps(label="milliseconds", show_units=False, min=0),
        },
    ]
    # AWS does not count the requests of each ingress.
    graphs = [graph for graph in graphs if graph["left"]]
    publishers = front.publishers
    if publishers:
        graphs.append(
            {
                "title": "Publisher",
                "left": [
                    metric
                    for mount, each in publishers.items()
                    for of in [_at(mount, publishers)]
                    for metric in (
                        each.metric_errors(label=f"crashes{of}", period=_PERIOD),
                        each.metric_throttles(label=f"throttled{of}", period=_PERIOD),
                    )
                ],
                "right": [
                    each.metric_duration(statistic="p99", label="99 % within" + _at(mount, publishers), period=_PERIOD)
                    for mount, each in publishers.items()
                ],
                "right_y_axis": cloudwatch.YAxisProps(label="milliseconds", show_units=False, min=0),
            }
        )
    return _row(graphs)


def _at(mount: str, among: Sized) -> str:
    """Return the end of the label of an endpoint, which only several need."""
    return f" at {mount}" if len(among) > 1 else ""


def _queue_and_throttle(route: Route) -> list[cloudwatch.IWidget]:
    """Return the graphs of the webhooks that wait, their age, and the batches in progress."""
    queue, ages = route.queue, []
    if route.sink is not None:
        ages = [metric_webhook_age(route.consumer, queue, _PERIOD).with_(label="in a batch, retries too")]
    # A number that only deployment knows is a reference in the text of the dashboard.
    limit = route.max_concurrency
    return _row(
        [
            {
                "title": "Queue: webhooks",
                "left": [
                    queue.metric_approximate_number_of_messages_visible(label="waiting", period=_PERIOD),
                    queue.metric_approximate_number_of_messages_not_visible(
                        label="in progress, or waiting for a retry", period=_PERIOD
                    ),
                ],
            },
            {
                "title": f"Queue: age of the oldest{_deleted_after(route)}",
                "left": [
                    queue.metric_approximate_age_of_oldest_message(label="waiting", period=_PERIOD),
                    *ages,
                ],
                "left_y_axis": cloudwatch.YAxisProps(label="seconds", show_units=False, min=0),
            },
            {
                "title": "Throttle: batches at a time",
                "left": [
                    route.consumer.metric(
                        "ConcurrentExecutions", statistic="Maximum", label="in progress", period=_PERIOD
                    ),
                    route.consumer.metric_throttles(label="no concurrency left", color=_RED, period=_PERIOD),
                ],
                "left_annotations": [cloudwatch.HorizontalAnnotation(value=limit, label="max_concurrency", color=_RED)],
            },
        ]
    )


def _consumer(route: Route) -> list[cloudwatch.IWidget]:
    """Return the graphs of the webhooks that the consumer stores, its time, and its sink."""
    consumer, queue = route.consumer, route.queue
    outcomes: list[cloudwatch.IMetric] = [
        queue.metric_number_of_messages_deleted(label="done", color=_GREEN, period=_PERIOD)
    ]
    if route.sink is not None:
        outcomes = [
            metric_outcome("stored", consumer, queue, _PERIOD).with_(label="stored", color=_GREEN),
            metric_outcome("failed", consumer, queue, _PERIOD).with_(label="failed, so retried", color=_ORANGE),
        ]
    graphs: list[dict[str, Any]] = [
        {"title": "Consumer: webhooks", "left": outcomes},
        {
            "title": "Consumer: time of a batch",
            "left": [
                consumer.metric_duration(statistic="p50", label="half within", period=_PERIOD),
                consumer.metric_duration(statistic="p99", label="99 % within", period=_PERIOD),
            ],
            "left_y_axis": cloudwatch.YAxisProps(label="milliseconds", show_units=False, min=0),
            "right": [consumer.metric_errors(label="crashes", color=_RED, period=_PERIOD)],
        },
    ]
    if route.sink is not None:
        down: list[cloudwatch.IMetric] = [
            metric_sink_down(consumer, queue, _PERIOD).with_(label="noticed to be down", color=_RED)
        ]
        if route.breaker is not None:
            down.append(metric_paused(route.breaker, queue, _PERIOD).with_(label="minutes paused", color=_ORANGE))
        graphs.append({"title": "Sink", "left": down})
    return _row(graphs)


def _not_stored(route: Route) -> list[cloudwatch.IWidget]:
    """Return the graphs of the webhooks that went elsewhere."""
    graphs: list[dict[str, Any]] = []
    if (letters := route.dead_letter_queue) is not None:
        graphs.append(
            {
                "title": "Dead-letter queue",
                "left": [
                    letters.metric_approximate_number_of_messages_visible(label="webhooks", color=_RED, period=_PERIOD)
                ],
                "right": [letters.metric_approximate_age_of_oldest_message(label="age of the oldest", period=_PERIOD)],
                "right_y_axis": cloudwatch.YAxisProps(label="seconds", show_units=False, min=0),
            }
        )
    if (unverified := route.unverified_queue) is not None:
        count = unverified.metric_approximate_number_of_messages_visible(label="webhooks", period=_PERIOD)
        graphs.append({"title": "Unverified queue", "left": [count]})
    if route.filters:
        dropped = metric_dropped(route.queue, route.filtering_mapping(), _PERIOD).with_(label="webhooks")
        graphs.append({"title": "Dropped by event_filters", "left": [dropped]})
    return _row(graphs)


def _deleted_after(route: Route) -> str:
    # No line in the graph: it would be so far up that an age of minutes were none.
    kept = route.retention
    return "" if kept is None else f", which SQS deletes after {show(kept)}"


def _row(graphs: Sequence[Mapping[str, Any]]) -> list[cloudwatch.IWidget]:
    """Return graphs that share a row."""
    zero = cloudwatch.YAxisProps(min=0, show_units=False)
    return [
        cloudwatch.GraphWidget(
            **{"left_y_axis": zero, "right_y_axis": zero, **graph}, width=_COLUMNS // len(graphs), height=_HEIGHT
        )
        for graph in graphs
    ]
