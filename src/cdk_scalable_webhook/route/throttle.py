"""The throttle: the event source mapping that delivers the queue to the consumer."""

from typing import cast

from aws_cdk import Annotations, Duration, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import grants
from cdk_scalable_webhook.checks.values import MINUTE, known_seconds, require_duration, require_number, show
from cdk_scalable_webhook.filters import EventFilters
from cdk_scalable_webhook.route import existing_queue
from cdk_scalable_webhook.route.queue import QueueOptions
from webhook_runtime.contract.connections import MAX_CONCURRENCY

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
_STANDARD_MAX_BATCH = 10_000
_FIFO_MAX_BATCH = 10
_MAX_WINDOW = 5 * MINUTE


_DEFAULT_CONCURRENCY = 2


def concurrency_of(given: int | None, queue: sqs.IQueue | QueueOptions) -> int:
    """Return the number of batches at a time, and check it against the kind of the queue.

    Raises:
        ValueError: The event source mapping, or the queue, does not have so many.
    """
    ordered = isinstance(queue, QueueOptions) and queue.ordered
    if given is None:
        return 1 if ordered is True else _DEFAULT_CONCURRENCY
    require_number("max_concurrency", given, 1, MAX_CONCURRENCY)
    if given != 1 and ordered is True:
        got = "a value that only deployment knows" if Token.is_unresolved(given) else f"{given:,}"
        raise ValueError(
            f"max_concurrency must be 1 with ordered=True, which is one group, got {got}; leave it out, or set "
            "ordered=GroupBy.header(…), whose groups are independent"
        )
    if given == 1 and ordered is not True and isinstance(queue, QueueOptions) and queue.group_by is not None:
        raise ValueError(
            "max_concurrency must be at least 2 with a GroupBy, got 1: one batch at a time is one group; raise it, or "
            "leave out the GroupBy"
        )
    if given == 1 and not isinstance(queue, QueueOptions) and not queue.fifo:
        raise ValueError(
            "max_concurrency must be at least 2 with a standard queue, got 1: only a FIFO queue can have one batch at "
            "a time; raise it, or pass a FIFO queue, or leave queue out"
        )
    return given


def require_batching(batch_size: int, window: Duration | None, *, fifo: bool) -> None:
    """Check batch size and window, which depend on each other and on the kind of queue."""
    if fifo and window is not None and known_seconds(window) != 0:
        raise ValueError(
            f"max_batching_window must not be set for a FIFO queue, got {show(window)}; "
            "leave it out: Lambda does not support a window there"
        )
    if fifo:
        require_number("batch_size of a FIFO queue", batch_size, 1, _FIFO_MAX_BATCH)
    require_number("batch_size", batch_size, 1, _STANDARD_MAX_BATCH)
    require_duration("max_batching_window", window, 0, _MAX_WINDOW)
    if Token.is_unresolved(batch_size) or batch_size <= _FIFO_MAX_BATCH:
        return
    if window is None or known_seconds(window) == 0:
        raise ValueError(
            f"batch_size above 10 needs a max_batching_window of at least 1 second, got batch_size {batch_size:,} and "
            f"{'no window' if window is None else show(window)}; add max_batching_window=Duration.seconds(1)"
        )


# SQS takes a tenant for a noisy one from 30 messages in flight on, or from a tenth of the processing time.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
_NOISY = 30


def check_fairness(scope: Construct, *, max_concurrency: int, batch_size: int) -> None:
    """Warn if so few messages are in flight that SQS may not notice that one tenant has most of them."""
    if Token.is_unresolved(max_concurrency) or Token.is_unresolved(batch_size):
        return
    if max_concurrency * batch_size < 2 * _NOISY:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:fairQueue",
            f"max_concurrency x batch_size should be at least {2 * _NOISY} with fair_by, got {max_concurrency} x "
            f"{batch_size}. SQS notices a tenant by {_NOISY} of its messages in flight, else only by its share of the "
            "processing time. Raise either, or acknowledge this.",
        )


def throttle(
    scope: Construct,
    *,
    queue: sqs.IQueue,
    consumer: lambda_.IFunction,
    max_concurrency: int,
    batch_size: int,
    max_batching_window: Duration | None,
    event_filters: EventFilters | None,
    enabled: bool,
) -> lambda_.EventSourceMapping:
    """Deliver messages that match ``event_filters`` to the consumer, at most ``max_concurrency`` batches at a time.

    Without ``enabled`` all of them wait in the queue.
    """
    existing_queue.consume(queue)
    grants.consume(queue, consumer)
    return lambda_.EventSourceMapping(
        scope,
        "EventSourceMapping",
        target=consumer,
        event_source_arn=queue.queue_arn,
        batch_size=batch_size,
        max_batching_window=max_batching_window,
        enabled=enabled,
        # A mapping has 2 or more. The one group of a FIFO queue has one batch at a time without it.
        max_concurrency=None if max_concurrency == 1 else max_concurrency,
        report_batch_item_failures=True,
        filters=event_filters.criteria() if event_filters is not None else None,
        # Lambda counts dropped messages only if it is configured to.
        metrics_config=lambda_.MetricsConfig(metrics=[lambda_.MetricType.EVENT_COUNT]) if event_filters else None,
    )


def stop_filtering(mapping: lambda_.EventSourceMapping) -> None:
    """Remove the filters of an event source mapping."""
    resource = cast(lambda_.CfnEventSourceMapping, mapping.node.default_child)
    resource.filter_criteria = resource.metrics_config = None
