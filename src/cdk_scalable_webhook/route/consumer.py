"""The consumer: the function that takes webhooks from the queue to the sink."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Duration, Resource, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import findings, grants
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import MINUTE, in_seconds, require_duration, require_number
from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.endpoints import Endpoint, unverified
from cdk_scalable_webhook.filters import EventFilters, count_dropped, filter_environment
from cdk_scalable_webhook.monitoring import count, counted, measured
from cdk_scalable_webhook.packaging.asset import packed
from cdk_scalable_webhook.packaging.function import number_text, runtime_function
from cdk_scalable_webhook.payloads import grant_take
from cdk_scalable_webhook.route.breaker import CircuitBreaker
from cdk_scalable_webhook.route.capacity import require_connections
from cdk_scalable_webhook.route.queue import Queues
from cdk_scalable_webhook.route.retry import Retry
from cdk_scalable_webhook.route.sink import Sink, SinkNetwork, SinkOptions
from cdk_scalable_webhook.sources.source import count_mismatched, environment
from webhook_runtime.contract.settings import (
    ConsumerSettings,
    OutageSettings,
    PaceSettings,
    UnverifiedSettings,
    to_environment,
)

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_s3 as s3

_TIMEOUT = 30  # seconds
# A payload of 5 MB, one at a time, needs 109 MiB at most (decisions/0013).
_MEMORY_SIZE = 256

# Lambda's default.
_LAMBDA_DEFAULT_TIMEOUT = 3  # seconds


@typed
@dataclass(frozen=True, kw_only=True)
class ConsumerOptions:
    """The settings of the function that comes with a sink, for ``ScalableWebhook(consumer=…)``.

    Attributes:
        timeout: The time that the consumer may work on one batch: 1 second to 15 minutes. Default: 30 seconds.
        memory_size: The memory in MiB: 128 to 10,240. Default: 256.
        reserved_concurrent_executions: The concurrency reserved for the consumer: ``max_concurrency`` or more, so at
            least 2. Take one more with a ``breaker``, so that its probe gets through while all are busy. The account
            has to keep 100 for functions without a reservation. Default: none, since ``max_concurrency`` throttles
            without it.

    Raises:
        ValueError: A value is out of its limits.

    See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """

    timeout: Duration | None = None
    memory_size: int | None = None
    reserved_concurrent_executions: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        require_duration("timeout", self.timeout, 1, 15 * MINUTE)
        require_number("memory_size", self.memory_size, 128, 10_240)


def timeout_of(consumer: lambda_.Function | ConsumerOptions) -> Duration:
    """Return the time that a batch may take. The queue must hide its messages for longer."""
    if isinstance(consumer, ConsumerOptions):
        return consumer.timeout or Duration.seconds(_TIMEOUT)
    return consumer.timeout or Duration.seconds(_LAMBDA_DEFAULT_TIMEOUT)


def require_consumer(
    scope: Construct, consumer: lambda_.Function | ConsumerOptions, queue: sqs.IQueue | None, max_concurrency: int
) -> None:
    """Reject a consumer that the queue cannot be delivered to. ``queue`` is None for a new one."""
    if isinstance(consumer, ConsumerOptions):
        _require_reserved(consumer.reserved_concurrent_executions, max_concurrency)
        return
    _require_stack(scope, consumer, queue)
    # A FIFO queue has one batch at a time, even with a higher maximum.
    if queue is None or not queue.fifo:
        resource = consumer.node.default_child
        reserved = resource.reserved_concurrent_executions if isinstance(resource, lambda_.CfnFunction) else None
        argument = "reserved_concurrent_executions of consumer"
        _require_reserved(reserved, max_concurrency, argument, "raise it, or leave it out")


def create_consumer(
    scope: Construct,
    options: ConsumerOptions,
    *,
    queues: Queues,
    sink: Sink,
    max_concurrency: int,
    pace: PaceSettings,
    retry: Retry,
    breaker: CircuitBreaker | None,
    endpoints: Mapping[str, Endpoint],
    event_filters: Mapping[str, EventFilters],
    payload_bucket: "s3.IBucket | None",
    common: CommonOptions,
) -> lambda_.Function:
    """Create the function that comes with a sink, and permit it to write to the sink and the dead-letter queue.
    ``event_filters`` has the filters that it applies, by path."""
    timeout = timeout_of(options)
    config = sink.bind(scope, SinkOptions(timeout=timeout, common=common, payload_bucket=payload_bucket))
    if config.database is not None:
        require_connections(scope, config.database, max_concurrency)
    verified = [source for source in unverified(endpoints).values() if source is not None]
    packages = [*config.packages, *(package for source in verified for package in source.packages)]
    own = [path for path in (config.code, *(source.code for source in verified)) if path is not None]
    regions = config.certificate_regions
    with packed(scope, packages, own, config.files, handler=config.handler, certificate_regions=regions) as code:
        consumer = runtime_function(
            scope,
            "Consumer",
            code=code,
            handler=config.handler,
            description="Stores webhooks from the queue in the sink",
            environment={
                **config.environment,
                **_environment(queues, retry, payload_bucket),
                **to_environment(pace),
                **to_environment(OutageSettings(None if breaker is None else breaker.failures)),
                **environment_of(endpoints, event_filters),
            },
            timeout=timeout,
            memory_size=options.memory_size or _MEMORY_SIZE,
            reserved_concurrent_executions=options.reserved_concurrent_executions,
            common=common,
            accepted=[findings.THROTTLED_BY_MAPPING] if options.reserved_concurrent_executions is None else [],
            **_place(config.network),
        )
    sink.grant_write(consumer)
    for source in verified:
        source.grant_read(consumer)
    count_mismatched(consumer, queues.queue, verified)
    if event_filters:
        count_dropped(consumer, queues.queue)
    if payload_bucket is not None:
        grant_take(payload_bucket, consumer)
    if queues.dead_letter_queue is not None:
        grants.send(queues.dead_letter_queue, consumer)
    if config.network is not None:
        _connect(consumer, config.network)
    return consumer


def environment_of(endpoints: Mapping[str, Endpoint], event_filters: Mapping[str, EventFilters]) -> dict[str, str]:
    """Return the environment by which the consumer verifies and filters for these endpoints."""
    return environment(unverified(endpoints)) | filter_environment(event_filters)


def _connect(consumer: lambda_.Function, network: SinkNetwork) -> None:
    for connectable in network.reaches:
        # The CDK warns that an egress rule adds nothing if all traffic is allowed. The user cannot change that.
        Annotations.of(consumer).acknowledge_warning("@aws-cdk/aws-ec2:ipv4IgnoreEgressRule")
        # From this side, so that the rule is in this stack: the stack of a database must not depend on this one.
        consumer.connections.allow_to_default_port(connectable, "Webhook consumer")


def take_unverified_aside(consumer: lambda_.Function, unverified: sqs.IQueue, queue: sqs.IQueue) -> None:
    """Let the consumer send webhooks that fail verification to the queue for them, and count them."""
    for name, value in to_environment(UnverifiedSettings(unverified.queue_url)).items():
        consumer.add_environment(name, value)
    grants.send(unverified, consumer)
    count("Unverified", consumer, queue, logs.FilterPattern.string_value("$.message", "=", "unverified"))


def metric_unverified(queue: sqs.IQueue, period: Duration | None) -> "cloudwatch.Metric":
    """Return the count of webhooks of this queue that fail verification."""
    return counted("Unverified", queue, period)


def metric_webhook_age(consumer: lambda_.Function, queue: sqs.IQueue, period: Duration | None) -> "cloudwatch.Metric":
    """Return the age of the oldest webhook of each batch, in seconds."""
    return measured("WebhookAge", consumer, queue, period, field="oldest", statistic="Maximum", unit="SECONDS")


def metric_outcome(
    outcome: str, consumer: lambda_.Function, queue: sqs.IQueue, period: Duration | None
) -> "cloudwatch.Metric":
    """Return the number of webhooks with an outcome, as a batch has it: ``stored`` or ``failed``."""
    return measured(outcome.capitalize(), consumer, queue, period, field=outcome, statistic="Sum", unit="COUNT")


def _environment(queues: Queues, retry: Retry, payload_bucket: "s3.IBucket | None") -> dict[str, str]:
    """Return the settings of a consumer: its queue, its retries, and large payloads with the age at which they
    expire."""
    count = queues.max_receive_count
    settings = ConsumerSettings(
        queue_url=queues.queue.queue_url,
        retry_initial_seconds=in_seconds(retry.initial),
        retry_maximum_seconds=in_seconds(retry.maximum),
        dead_letter_queue_url=queues.dead_letter_queue.queue_url if queues.dead_letter_queue is not None else None,
        max_receive_count=number_text(count) if count is not None else None,
        payload_bucket=payload_bucket.bucket_name if payload_bucket is not None else None,
        payload_days=queues.days if payload_bucket is not None else None,
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


def _require_stack(scope: Construct, consumer: lambda_.Function, queue: sqs.IQueue | None) -> None:
    """Reject a consumer of another stack than the queue. Its permissions refer to the queue, and the event source
    mapping refers to the consumer, so neither stack could be deployed first."""
    is_here = queue is None or (queue.node.default_child is not None and Stack.of(queue) is Stack.of(scope))
    if is_here and Stack.of(consumer) is not Stack.of(scope):
        raise ValueError(
            f"consumer must be in the stack of the queue, got {consumer.node.path} for a queue of "
            f"{Stack.of(scope).node.path}; put the ScalableWebhook into the stack of the consumer, or pass a queue "
            "of that stack"
        )
    role = consumer.role
    is_made = isinstance(role, iam.Role) and Resource.is_owned_resource(role)
    if is_here and is_made and role is not None and Stack.of(role) is not Stack.of(scope):
        raise ValueError(
            f"consumer must have a role of the stack of the queue, got {role.node.path} for a queue of "
            f"{Stack.of(scope).node.path}; give the function a role of that stack, or import the role there by "
            "iam.Role.from_role_arn()"
        )


def _require_reserved(
    reserved: float | None,
    max_concurrency: int,
    argument: str = "reserved_concurrent_executions",
    remedy: str = "leave it out",
) -> None:
    """Reject reserved concurrency below the maximum of the mapping: each throttled delivery counts as a try of a good
    message."""
    if reserved is None or Token.is_unresolved(reserved) or Token.is_unresolved(max_concurrency):
        return
    if reserved < max_concurrency:
        raise ValueError(
            f"{argument} must be at least max_concurrency ({max_concurrency:,}), got {reserved:,.0f}; "
            f"{remedy}: max_concurrency alone throttles the consumer"
        )
