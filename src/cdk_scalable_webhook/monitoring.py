"""Metrics of our own: the log lines of one kind, counted over all functions of a queue, or a number in them."""

from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, Names
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from cdk_scalable_webhook.checks.values import known_seconds

if TYPE_CHECKING:  # importing it slows each synth
    from aws_cdk import aws_cloudwatch as cloudwatch

_NAMESPACE = "ScalableWebhook"


def count(
    kind: str, function: lambda_.Function, queue: sqs.IQueue, pattern: logs.IFilterPattern, **properties: Any
) -> None:
    """Count the log lines of a function that match the pattern. ``properties`` are those of the metric filter."""
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
    """Return the metric of these log lines."""
    return total(_NAMESPACE, _name(kind, queue), period, dimensions)


def total(
    namespace: str, name: str, period: Duration | None, dimensions: dict[str, str] | None = None
) -> "cloudwatch.Metric":
    """Return the sum of a metric, ours or AWS's."""
    from aws_cdk import aws_cloudwatch as cloudwatch

    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic="Sum", period=period
    )


def measured(
    kind: str,
    function: lambda_.Function,
    queue: sqs.IQueue,
    period: Duration | None,
    *,
    field: str,
    statistic: str,
    unit: str,
) -> "cloudwatch.Metric":
    """Return the metric of a number in the line that the consumer logs for each batch."""
    from aws_cdk import aws_cloudwatch as cloudwatch

    lines = logs.FilterPattern.string_value("$.message", "=", "batch")
    count(kind, function, queue, lines, metric_value=f"$.{field}", unit=cloudwatch.Unit[unit])
    return cloudwatch.Metric(namespace=_NAMESPACE, metric_name=_name(kind, queue), statistic=statistic, period=period)


def _name(kind: str, queue: sqs.IQueue) -> str:
    """Return the name of a metric, which is different for each queue in all stacks of a region."""
    return f"{kind}-{Names.unique_resource_name(queue, max_length=200, separator='-')}"


def require_period(value: Duration | None) -> None:
    """Reject a period that is not in whole minutes. The metrics of SQS, Lambda and a log have one point a minute, so an
    alarm with a shorter period finds none.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-cloudwatch-alarm-metricstat.html
    """
    seconds = known_seconds(value)
    if seconds is not None and (seconds < 60 or seconds % 60):
        raise ValueError(
            f"period must be in whole minutes, got {seconds:g} seconds; take Duration.minutes(1): there is one point a "
            "minute"
        )
