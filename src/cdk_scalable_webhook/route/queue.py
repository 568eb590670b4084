"""The queue in front of the consumer, its dead-letter queue, and the queue for webhooks that fail verification."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Annotations, Duration, Resource, Token
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import findings
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import (
    DAY,
    HOUR,
    MINUTE,
    in_seconds,
    known_seconds,
    require_duration,
    require_number,
    show,
)
from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.grouping import GroupBy
from cdk_scalable_webhook.route import existing_queue
from cdk_scalable_webhook.route.retry import Retry
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES

_MAX_RECEIVE_COUNT = 5

# In seconds: any sink is restarted now and then.
_SHORTEST_OUTAGE = 60

# SQS's maximum: a message keeps its age when it moves.
_DEAD_LETTER_RETENTION = 14 * DAY

# Each group then has a limit of its own.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
_HIGH_THROUGHPUT: dict[str, Any] = {
    "deduplication_scope": sqs.DeduplicationScope.MESSAGE_GROUP,
    "fifo_throughput_limit": sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
}

# Long enough to notice a wrong secret after a weekend.
_UNVERIFIED_RETENTION = 4 * DAY


@typed
@dataclass(frozen=True, kw_only=True)
class QueueOptions:
    """The settings of a new queue, for ``ScalableWebhook(queue=…)``.

    Attributes:
        dead_letter_queue: An existing queue of this account and region for messages that cannot be stored. It keeps
            messages at least as long as the new queue, and is a FIFO queue if the new one is. Default: a new queue that
            keeps them for 14 days.
        unverified_queue: An existing queue for webhooks that fail verification behind an ingress that does not verify,
            with the reason as an attribute: a standard queue. It is used only where there is such an endpoint, one of
            ``add_source()`` included. Default: a new queue, where it is used, that keeps them for 4 days.
        max_receive_count: The number of tries before a message moves to the dead-letter queue: 1 to 1000; below 5
            gives a warning. Default: 5.
        retention_period: The time for which the queue keeps a message: 1 minute to 14 days. If you shorten it, SQS
            deletes the messages that are older. Default: 4 days.
        visibility_timeout: The time for which a message stays hidden while the consumer works on it: at least 6 x
            ``timeout`` of the consumer + ``max_batching_window``, up to 12 hours. Default: that minimum.
        ordered: Whether webhooks are stored in the order in which they were accepted, one batch at a time. With a
            ``GroupBy`` each group has an order of its own, and a webhook that has to be retried holds its group alone.
            The queue is a FIFO queue then; a change of its kind replaces the queue, and deletes the webhooks in it.
            Default: no order.
            See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues.html
        fair_by: The tenants among whom SQS shares the consumer fairly: while one of them has a backlog, webhooks of the
            others are received first. Not together with ``ordered``. Default: the queue has no tenants.
            See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html

    Raises:
        ValueError: A value is out of its limits, or ``ordered`` and ``fair_by`` are set together.

    See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """

    dead_letter_queue: sqs.IQueue | None = None
    unverified_queue: sqs.IQueue | None = None
    max_receive_count: int | None = None
    retention_period: Duration | None = None
    visibility_timeout: Duration | None = None
    ordered: bool | GroupBy = False
    fair_by: GroupBy | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        require_number("max_receive_count", self.max_receive_count, 1, 1000)
        require_duration("retention_period", self.retention_period, MINUTE, 14 * DAY)
        require_duration("visibility_timeout", self.visibility_timeout, 0, 12 * HOUR)
        if self.ordered and self.fair_by is not None:
            raise ValueError(
                "fair_by must not be set together with ordered, got both: each group of a FIFO queue has its own order "
                "and share already; leave out fair_by, or leave out ordered"
            )

    @property
    def group_by(self) -> GroupBy | None:
        """The value by which webhooks form groups. None: they form none, or one."""
        return self.ordered if isinstance(self.ordered, GroupBy) else self.fair_by


@dataclass(frozen=True)
class Queues:
    """The queue; and the dead-letter queue with its ``max_receive_count``, if they are known."""

    queue: sqs.IQueue
    dead_letter_queue: sqs.IQueue | None
    max_receive_count: float | None

    @property
    def retention(self) -> float | None:
        """The seconds for which the queue keeps a webhook; None if that is not known."""
        return existing_queue.retention_of(self.queue)

    @property
    def days(self) -> int:
        """The days for which a webhook may be in flight: in the queue, in the dead-letter queue, and in the queue again
        after a redrive. An unknown retention counts as SQS's maximum. One day is added, since nothing ends exactly."""
        longest = _DEAD_LETTER_RETENTION
        in_queue = existing_queue.retention_of(self.queue) or longest
        dead_lettered = (self.dead_letter_queue and existing_queue.retention_of(self.dead_letter_queue)) or longest
        return math.ceil((in_queue + dead_lettered + in_queue) / DAY) + 1


@dataclass(frozen=True)
class Timing:
    """The times that the consumer needs. ``retry`` is None for an existing consumer, which does its own retries."""

    timeout: Duration
    max_batching_window: Duration | None
    retry: Retry | None

    @property
    def visibility(self) -> float | None:
        """The least seconds for which a message has to stay hidden, retries of throttled batches included. None if the
        timeout is known only at deployment.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        """
        busy = known_seconds(self.timeout)
        return None if busy is None else 6 * busy + (known_seconds(self.max_batching_window) or 0)


def create_queues(
    scope: Construct, options: QueueOptions, timing: Timing, common: CommonOptions, *, fifo: bool
) -> Queues:
    """Create a queue with a dead-letter queue."""
    _require_visibility(options.visibility_timeout, timing)
    kept = options.retention_period
    retention = existing_queue.DEFAULT_RETENTION if kept is None else known_seconds(kept)
    tries = options.max_receive_count or _MAX_RECEIVE_COUNT
    if options.dead_letter_queue is not None:
        existing_queue.require_dead_letter_queue(
            scope, options.dead_letter_queue, None, fifo=fifo, retention=retention, size=MAX_MESSAGE_BYTES
        )
    if options.unverified_queue is not None:
        existing_queue.require_unverified_queue(
            scope, options.unverified_queue, options.dead_letter_queue, MAX_MESSAGE_BYTES
        )
    dead_letter_queue = options.dead_letter_queue or _queue(
        scope, "DeadLetterQueue", common, **_kind(fifo=fifo), retention_period=Duration.seconds(_DEAD_LETTER_RETENTION)
    )
    visibility = options.visibility_timeout or _visibility_timeout(timing)
    queue = _queue(
        scope,
        "Queue",
        common,
        **_kind(fifo=fifo),
        **(_HIGH_THROUGHPUT if isinstance(options.ordered, GroupBy) else {}),
        retention_period=kept,
        visibility_timeout=visibility,
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=tries),
    )
    return Queues(queue, dead_letter_queue, tries)


def create_unverified_queue(scope: Construct, common: CommonOptions) -> sqs.IQueue:
    """Create a standard queue, also next to a FIFO queue: the order of unverified webhooks does not matter."""
    return _queue(
        scope,
        "UnverifiedQueue",
        common,
        accepted=[findings.NOTHING_BEHIND_IT],
        retention_period=Duration.seconds(_UNVERIFIED_RETENTION),
    )


def _kind(*, fifo: bool) -> dict[str, Any]:
    # CloudFormation takes no FifoQueue: false.
    return {"fifo": True} if fifo else {}


def _queue(
    scope: Construct,
    id: str,
    common: CommonOptions,
    *,
    accepted: Sequence[findings.Finding] = (),
    **properties: Any,
) -> sqs.Queue:
    """Create a queue, encrypted and for TLS only."""
    key = common.encryption_key
    queue = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        # Always set, since the default differs from account to account and region to region.
        max_message_size_bytes=MAX_MESSAGE_BYTES,
        removal_policy=common.removal_policy,
        **properties,
    )
    findings.acknowledge(queue, *accepted, *([] if key else [findings.QUEUE_ENCRYPTED]))
    return queue


def existing_queues(scope: Construct, queue: sqs.IQueue, timing: Timing) -> Queues:
    """Return an existing queue, with its dead-letter queue if this app creates it."""
    existing_queue.require_visibility(queue, timing.visibility)
    if not queue.fifo and Token.is_unresolved(queue.queue_name) and not Resource.is_owned_resource(queue):
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:queueKind",
            "queue should tell whether it is FIFO, got an imported one whose name only deployment knows: it counts as "
            "a standard queue. Import a FIFO queue by from_queue_attributes(fifo=True, …); else acknowledge this.",
        )
    holds = existing_queue.message_size_of(queue)
    if holds is not None and holds < MAX_MESSAGE_BYTES:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:maxMessageSize",
            f"max_message_size_bytes of queue should be {MAX_MESSAGE_BYTES}, got {holds:.0f}: a webhook that does not "
            "fit is answered 413, or goes through S3 with large_payloads and the Lambda integration.",
        )
    policy = queue.dead_letter_queue if isinstance(queue, sqs.Queue) else None
    if policy is None:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:noDeadLetterQueue",
            "queue should have a dead-letter queue, and none is known: a webhook that cannot be stored is retried "
            "until its retention period ends, and is then lost. Create the queue in this app with dead_letter_queue=; "
            "if an imported one has one, acknowledge this.",
        )
        return Queues(queue, None, None)
    retention, size = existing_queue.retention_of(queue), existing_queue.message_size_of(queue)
    existing_queue.require_dead_letter_queue(
        scope, policy.queue, queue, fifo=queue.fifo, retention=retention, size=size
    )
    return Queues(queue, policy.queue, policy.max_receive_count)


def check_tries(
    scope: Construct, retry: Retry | None, tries: float | None, retention: float | None, *, breaks: bool
) -> None:
    """Check the time that the sink may be down before good webhooks move to the dead-letter queue: not too short, and
    never longer than the queue keeps them. With a circuit breaker (``breaks``) the queue alone limits it."""
    if tries is None or Token.is_unresolved(tries):
        return
    if tries < _MAX_RECEIVE_COUNT and not breaks:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:maxReceiveCount",
            f"max_receive_count should be at least {_MAX_RECEIVE_COUNT}, got {tries:.0f}: a short outage of the sink "
            "or a throttled consumer would move good messages to the dead-letter queue.",
        )
    if retry is None:
        return
    _require_retries(int(tries), retry.longest(int(tries)), retention)
    survived = retry.average(int(tries))
    if in_seconds(survived) < _SHORTEST_OUTAGE and not breaks:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:outage",
            f"max_receive_count ({int(tries)}) and retry survive an outage of the sink of about "
            f"{show(survived)}: a longer one moves good webhooks to the dead-letter queue. Raise either, or set "
            "breaker=CircuitBreaker(); the failover of a database takes a minute or two.",
        )


def _visibility_timeout(timing: Timing) -> Duration:
    """Return the default of a new queue."""
    window = timing.max_batching_window
    if timing.visibility is None or (window is not None and window.is_unresolved()):
        raise ValueError(
            "visibility_timeout must be given if the consumer's timeout or max_batching_window is known only at "
            "deployment, got none; set it to at least 6 x timeout + max_batching_window"
        )
    return Duration.seconds(timing.visibility)


def _require_visibility(value: Duration | None, timing: Timing) -> None:
    """Require that a message stays hidden while the consumer works on it."""
    visible, needed = known_seconds(value), timing.visibility
    if visible is None or needed is None:
        return
    if visible < in_seconds(timing.timeout):
        raise ValueError(
            f"visibility_timeout must not be shorter than the consumer's timeout of {show(timing.timeout)}, "
            f"got {show(value)}; leave it out: 6 x timeout + max_batching_window is right"
        )
    if visible < needed:
        raise ValueError(
            "visibility_timeout must be at least 6 x timeout + max_batching_window, "
            f"here {needed:.0f} seconds, got {show(value)}; leave it out, or shorten timeout"
        )


def _require_retries(tries: int, longest: Duration, retention: float | None) -> None:
    """Reject retries that take longer than the queue keeps a message: SQS would delete it silently."""
    if retention is not None and in_seconds(longest) >= retention:
        raise ValueError(
            f"retention_period must be longer than the {show(longest)} that max_receive_count ({tries:,}) and retry "
            f"may take together, got {show(retention)}; raise it, or lower max_receive_count or the "
            "maximum of retry: SQS would delete a webhook before its last try"
        )
