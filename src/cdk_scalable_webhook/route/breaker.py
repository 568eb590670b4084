"""The circuit breaker: it pauses the webhook while its sink is down."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import ArnFormat, Aws, Duration, Fn, Names, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import findings, grants
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import (
    HOUR,
    MINUTE,
    in_seconds,
    require_duration,
    require_known,
    require_number,
    show,
)
from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.monitoring import count, counted
from cdk_scalable_webhook.packaging.asset import packed
from cdk_scalable_webhook.packaging.function import runtime_function
from cdk_scalable_webhook.route.sink import Sink
from cdk_scalable_webhook.stack import BREAKER_FILTER
from webhook_runtime.contract.pausing import FAILURES, PAUSED, SINK_DOWN
from webhook_runtime.contract.settings import BreakerSettings, to_environment

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch

_INITIAL = MINUTE
_MAXIMUM = 15 * MINUTE
_LONGEST = 12 * HOUR
# It waits for the consumer, which has 10 seconds for each probe.
_TIMEOUT = 3 * MINUTE
_MEMORY_SIZE = 256
# The name of a rule has 64 characters at most, and the id of the stack takes 37 of them.
_LONGEST_PREFIX = 27


@typed
@dataclass(frozen=True, kw_only=True)
class CircuitBreaker:
    """A pause while the sink is down, for ``ScalableWebhook(breaker=…)``.

    It disables the event source mapping, so webhooks wait in the queue and use up no try. Then it probes the sink by a
    ping of its own, and not by a webhook: an insert of no rows, a HEAD request, or the ``ping()`` of your module. It
    resumes two batches at a time, and all of them a minute later. It never gives up. If it fails itself, webhooks are
    retried as without it.

    Attributes:
        failures: The batches in a row that find the sink down, in one execution environment of the consumer, before the
            sink is probed: 1 to 100, and less than ``max_receive_count``. A webhook before its last try is enough as
            well. The webhook is paused if the sink then does not answer the ping either. Default: 3.
        initial: The wait before the next probe: 1 minute to 12 hours. Default: 1 minute.
        maximum: The longest wait, since each is twice as long as the one before: ``initial`` to 12 hours, and shorter
            than the ``retention_period`` of the queue. Default: 15 minutes, or ``initial`` if that is more.
        successes: The probes in a row that find the sink up, before the webhook resumes: 1 to 10. Default: 3.

    Raises:
        ValueError: A value is out of its limits, or a wait is known only at deployment.

    See: https://docs.aws.amazon.com/prescriptive-guidance/latest/cloud-design-patterns/circuit-breaker.html
    """

    failures: int = FAILURES
    initial: Duration | None = None
    maximum: Duration | None = None
    successes: int = 3

    def __post_init__(self) -> None:
        """Check the values."""
        require_number("failures of CircuitBreaker", self.failures, 1, 100)
        require_number("successes of CircuitBreaker", self.successes, 1, 10)
        for name, value in {"failures": self.failures, "successes": self.successes}.items():
            if Token.is_unresolved(value):
                raise ValueError(f"{name} of CircuitBreaker must be known at synth, got a token; write it out")
        require_known("initial of CircuitBreaker", self.initial)
        require_known("maximum of CircuitBreaker", self.maximum)
        require_duration("initial of CircuitBreaker", self.initial, _INITIAL, _LONGEST)
        require_duration("maximum of CircuitBreaker", self.maximum, in_seconds(self.first_wait), _LONGEST)

    @property
    def first_wait(self) -> Duration:
        """The wait before the first probe."""
        return self.initial or Duration.seconds(_INITIAL)

    @property
    def longest_wait(self) -> Duration:
        """The longest wait between two probes."""
        return self.maximum or Duration.seconds(max(_MAXIMUM, in_seconds(self.first_wait)))


def breaker_of(
    breaker: CircuitBreaker | bool, sink: Sink | None, tries: float | None, retention: float | None
) -> CircuitBreaker | None:
    """Return the circuit breaker of a webhook. ``True`` stands for one if its sink has outages, and can be pinged.

    ``sink`` is None for an existing consumer. ``tries`` and ``retention`` are those of the queue, None if not known.

    Raises:
        ValueError: The sink cannot be pinged, or the queue does not suit the circuit breaker.
    """
    if breaker is False:
        return None
    known = None if tries is None or Token.is_unresolved(tries) else int(tries)
    if breaker is True:
        if sink is None or not (sink.can_be_pinged and sink.has_outages):
            return None
        if known == 1 or (retention is not None and retention <= _MAXIMUM):
            return None
        return CircuitBreaker(failures=FAILURES if known is None else min(FAILURES, known - 1))
    if sink is None:
        raise ValueError(
            "breaker must not be set together with consumer, got both: an existing function does not tell that its "
            "sink is down; leave breaker out, or pass a sink instead of consumer"
        )
    if not sink.can_be_pinged:
        raise ValueError(
            f"breaker needs a sink that can be pinged, got {type(sink).__name__} without; add def ping() to the module "
            "of its handler, which raises if the sink is down, or leave breaker out"
        )
    if known is not None and breaker.failures >= known:
        raise ValueError(
            f"failures of CircuitBreaker must be less than max_receive_count ({known}), got {breaker.failures}: a "
            "webhook would use up its tries before the pause; lower failures, or raise max_receive_count"
        )
    if retention is not None and in_seconds(breaker.longest_wait) >= retention:
        raise ValueError(
            "maximum of CircuitBreaker must be shorter than the retention_period of the queue, "
            f"{show(retention)}, got {show(breaker.longest_wait)}: SQS would delete webhooks between "
            "two probes; lower it, or raise retention_period"
        )
    return breaker


def create_breaker(
    scope: Construct,
    breaker: CircuitBreaker,
    *,
    mapping: lambda_.EventSourceMapping,
    consumer: lambda_.Function,
    common: CommonOptions,
) -> lambda_.Function:
    """Create the function, the rule that calls it while the webhook is paused, and the filter that hands it lines of
    the consumer's log."""
    from aws_cdk import aws_events as events  # importing it slows each synth

    stack = Stack.of(scope)
    # A name of its own, since function and rule refer to each other. The id of the stack makes it unique.
    prefix = Names.unique_resource_name(scope, max_length=_LONGEST_PREFIX, separator="-")
    name = f"{prefix}-{Fn.select(2, Fn.split('/', Aws.STACK_ID))}"
    settings = BreakerSettings(
        event_source_mapping_id=mapping.event_source_mapping_id,
        consumer_name=consumer.function_name,
        rule_name=name,
        breaker_initial_seconds=in_seconds(breaker.first_wait),
        breaker_maximum_seconds=in_seconds(breaker.longest_wait),
        breaker_successes=breaker.successes,
    )
    with packed(scope, handler="breaker") as code:
        function = runtime_function(
            scope,
            "Breaker",
            code=code,
            handler="breaker",
            description="Pauses the webhook while its sink is down",
            environment=to_environment(settings),
            timeout=Duration.seconds(_TIMEOUT),
            memory_size=_MEMORY_SIZE,
            common=common,
            accepted=[findings.RARELY_CALLED, findings.CALLED_AGAIN],
        )
    grants.pause(mapping, function)
    grants.invoke(consumer, function)
    arn = stack.format_arn(
        service="events", resource="rule", resource_name=name, arn_format=ArnFormat.SLASH_RESOURCE_NAME
    )
    iam.Grant.add_to_principal(
        grantee=function, actions=["events:EnableRule", "events:DisableRule"], resource_arns=[arn]
    )
    rule = events.CfnRule(
        scope,
        "BreakerRule",
        name=name,
        description="Calls the circuit breaker every minute while the webhook is paused",
        # No state: enabled by each deployment that changes it, so that no pause is forgotten. The function disables it.
        schedule_expression="rate(1 minute)",
        targets=[events.CfnRule.TargetProperty(arn=function.function_arn, id="Breaker")],
    )
    events_service = iam.ServicePrincipal("events.amazonaws.com")
    function.add_permission("Rule", principal=events_service, source_arn=rule.attr_arn)
    function.add_permission(
        "Logs", principal=iam.ServicePrincipal("logs.amazonaws.com"), source_arn=consumer.log_group.log_group_arn
    )
    lines = logs.CfnSubscriptionFilter(
        scope,
        BREAKER_FILTER,
        destination_arn=function.function_arn,
        # The function looks closer: a line that has these words elsewhere starts nothing.
        filter_pattern=f'"{SINK_DOWN}"',
        log_group_name=consumer.log_group.log_group_name,
    )
    # CloudWatch Logs calls the function once, to see that it may.
    lines.node.add_dependency(function.node.find_child("Logs"))
    return function


def metric_sink_down(consumer: lambda_.Function, queue: sqs.IQueue, period: Duration | None) -> "cloudwatch.Metric":
    """Return the count of outages that the consumer notices."""
    count("SinkDown", consumer, queue, logs.FilterPattern.string_value("$.message", "=", SINK_DOWN))
    return counted("SinkDown", queue, period)


def metric_paused(function: lambda_.Function, queue: sqs.IQueue, period: Duration | None) -> "cloudwatch.Metric":
    """Return the count of minutes for which the webhook is paused."""
    count("Paused", function, queue, logs.FilterPattern.string_value("$.message", "=", PAUSED))
    return counted("Paused", queue, period)
