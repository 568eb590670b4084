"""The consumer: the function that takes webhooks from the queue to the sink, and the throttle before it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import checks, findings, grants
from cdk_scalable_webhook.asset import packed
from cdk_scalable_webhook.buffer import Buffer
from cdk_scalable_webhook.counts import count, counted
from cdk_scalable_webhook.filters import EventFilters, count_dropped, filter_environment
from cdk_scalable_webhook.function import number_text, runtime_function
from cdk_scalable_webhook.payloads import grant_take
from cdk_scalable_webhook.retry import Retry
from cdk_scalable_webhook.sink import Sink, SinkNetwork, SinkOptions
from cdk_scalable_webhook.source import Source, count_mismatched, environment
from webhook_runtime.contract.settings import ConsumerSettings, UnverifiedSettings, to_environment

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_s3 as s3

_TIMEOUT = Duration.seconds(30)
# A payload of 5 MB, of which there is one at a time, takes it to 109 MiB at most (decisions/0013).
_MEMORY_SIZE = 256

# What Lambda gives a function that says nothing.
_LAMBDA_DEFAULT_TIMEOUT = Duration.seconds(3)


def consumer_timeout(consumer: lambda_.Function | None, timeout: Duration | None) -> Duration:
    """How long a batch may take: the queue must hide its messages for longer."""
    checks.duration("timeout", timeout, Duration.seconds(1), Duration.minutes(15))
    if consumer is None:
        return timeout or _TIMEOUT
    return consumer.timeout or _LAMBDA_DEFAULT_TIMEOUT


def create_consumer(
    scope: Construct,
    *,
    buffer: Buffer,
    sink: Sink,
    retry: Retry,
    sources: Mapping[str, Source | None],
    event_filters: Mapping[str, EventFilters],
    payload_bucket: "s3.IBucket | None",
    timeout: Duration,
    memory_size: int | None,
    reserved_concurrent_executions: int | None,
    encryption_key: kms.IKey | None,
    log_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy | None,
    tracing: lambda_.Tracing | None,
) -> lambda_.Function:
    """The function that comes with a sink, permitted to write to it and to the dead-letter queue. ``sources`` has those
    that no door verifies, by mount; None for a mount where a door has, or anybody may send. ``event_filters`` has those
    that it applies, by mount."""
    checks.number("memory_size", memory_size, 128, 10_240)
    options = SinkOptions(
        timeout=timeout, encryption_key=encryption_key, removal_policy=removal_policy, payload_bucket=payload_bucket
    )
    config = sink.bind(scope, options)
    verified = [source for source in sources.values() if source is not None]
    packages = [*config.packages, *(package for source in verified for package in source.packages)]
    own = [path for path in (config.code, *(source.code for source in verified)) if path is not None]
    with packed(scope, packages, own, config.files) as code:
        consumer = runtime_function(
            scope,
            "Consumer",
            code=code,
            handler=config.handler,
            description="Stores webhooks from the queue in the sink",
            environment={
                **config.environment,
                **_environment(buffer, retry, payload_bucket),
                **environment(sources),
                **filter_environment(event_filters),
            },
            timeout=timeout,
            memory_size=memory_size or _MEMORY_SIZE,
            reserved_concurrent_executions=reserved_concurrent_executions,
            tracing=tracing,
            log_retention=log_retention,
            removal_policy=removal_policy,
            accepted=[findings.THROTTLED_BY_MAPPING] if reserved_concurrent_executions is None else [],
            **_place(config.network),
        )
    sink.grant_write(consumer)
    for source in verified:
        source.grant_read(consumer)
    count_mismatched(consumer, buffer.queue, verified)
    if event_filters:
        count_dropped(consumer, buffer.queue)
    if payload_bucket is not None:
        grant_take(payload_bucket, consumer)
    if buffer.dead_letter_queue is not None:
        grants.send(buffer.dead_letter_queue, consumer)
    if config.network is not None:
        for connectable in config.network.reaches:
            # That a rule for what may go out adds nothing to "anything may" is true, and is not the user's affair.
            Annotations.of(consumer).acknowledge_warning("@aws-cdk/aws-ec2:ipv4IgnoreEgressRule")
            # From this side, so that the rule is of this stack: a database is often of another, on which this one
            # depends already.
            consumer.connections.allow_to_default_port(connectable, "Webhook consumer")
    return consumer


def put_unverified_aside(consumer: lambda_.Function, unverified: sqs.IQueue, queue: sqs.IQueue) -> None:
    """Let the consumer take what is surely not of its source to the queue for that, and count it."""
    for name, value in to_environment(UnverifiedSettings(unverified.queue_url)).items():
        consumer.add_environment(name, value)
    grants.send(unverified, consumer)
    count("Unverified", consumer, queue, logs.FilterPattern.string_value("$.message", "=", "unverified"))


def metric_unverified(queue: sqs.IQueue, period: Duration | None) -> "cloudwatch.Metric":
    """What was counted, of this queue."""
    return counted("Unverified", queue, period)


def _environment(buffer: Buffer, retry: Retry, payload_bucket: "s3.IBucket | None") -> dict[str, str]:
    """What every consumer knows of its queue, to send back and to dead-letter what failed; and where large payloads
    are, and from which age on one that is not there has expired."""
    count = buffer.max_receive_count
    settings = ConsumerSettings(
        queue_url=buffer.queue.queue_url,
        retry_initial_seconds=checks.known(retry.initial),
        retry_maximum_seconds=checks.known(retry.maximum),
        dead_letter_queue_url=buffer.dead_letter_queue.queue_url if buffer.dead_letter_queue is not None else None,
        max_receive_count=number_text(count) if count is not None else None,
        payload_bucket=payload_bucket.bucket_name if payload_bucket is not None else None,
        payload_days=buffer.days if payload_bucket is not None else None,
    )
    return to_environment(settings)


def _place(network: SinkNetwork | None) -> dict[str, Any]:
    if network is None:
        return {}
    return {
        "vpc": network.vpc,
        "vpc_subnets": network.vpc_subnets,
        "security_groups": network.security_groups,
    }


def throttle(
    scope: Construct,
    *,
    buffer: Buffer,
    consumer: lambda_.IFunction,
    max_concurrency: int,
    batch_size: int,
    max_batching_window: Duration | None,
    event_filters: EventFilters | None,
) -> lambda_.EventSourceMapping:
    """Deliver the queue to the consumer, never more than ``max_concurrency`` batches at a time, and only what
    ``event_filters`` want."""
    checks.free_queue(buffer.queue)
    grants.consume(buffer.queue, consumer)
    return lambda_.EventSourceMapping(
        scope,
        "EventSourceMapping",
        target=consumer,
        event_source_arn=buffer.queue.queue_arn,
        batch_size=batch_size,
        max_batching_window=max_batching_window,
        max_concurrency=max_concurrency,
        report_batch_item_failures=True,
        filters=event_filters.criteria() if event_filters is not None else None,
        # Lambda counts what it drops only where it is asked to.
        metrics_config=lambda_.MetricsConfig(metrics=[lambda_.MetricType.EVENT_COUNT]) if event_filters else None,
    )
