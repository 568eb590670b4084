"""Metrics of our own: the lines of a kind that functions log, counted over all functions of a queue."""

from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, Names
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from cdk_scalable_webhook.checks.values import known_seconds

if TYPE_CHECKING:  # importing it costs every synth
    from aws_cdk import aws_cloudwatch as cloudwatch

_NAMESPACE = "ScalableWebhook"


def count(
    kind: str, function: lambda_.Function, queue: sqs.IQueue, pattern: logs.IFilterPattern, **properties: Any
) -> None:
    """Count the lines of a function that the pattern finds. ``properties`` are more of the metric filter's."""
    if function.node.try_find_child(kind) is None:
        logs.MetricFilter(
            function,
            kind,
            log_group=function.log_group,
            filter_pattern=pattern,
            metric_namespace=_NAMESPACE,
            metric_name=_name(kind, queue),
            **properties,
        )


def counted(
    kind: str, queue: sqs.IQueue, period: Duration | None, dimensions: dict[str, str] | None = None
) -> "cloudwatch.Metric":
    """What was counted."""
    return total(_NAMESPACE, _name(kind, queue), period, dimensions)


def total(
    namespace: str, name: str, period: Duration | None, dimensions: dict[str, str] | None = None
) -> "cloudwatch.Metric":
    """The sum of a metric, ours or AWS's."""
    from aws_cdk import aws_cloudwatch as cloudwatch

    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic="Sum", period=period
    )


def _name(kind: str, queue: sqs.IQueue) -> str:
    """It tells webhooks apart, in all stacks of a region: one is made for each queue."""
    return f"{kind}-{Names.unique_resource_name(queue, max_length=200, separator='-')}"


def require_period(value: Duration | None) -> None:
    """What one point of a metric may stand for. Those of SQS, Lambda and a log come once a minute: an alarm that asks
    more often finds none.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-cloudwatch-alarm-metricstat.html
    """
    seconds = known_seconds(value)
    if seconds is not None and (seconds < 60 or seconds % 60):
        raise ValueError(
            f"period must be in whole minutes, got {seconds:g} seconds; there is one point a minute: take "
            "Duration.minutes(1)"
        )
