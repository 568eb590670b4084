"""The queue between door and consumer, its dead-letter queue, and the queue for what is not of its source."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aws_cdk import Annotations, Duration, RemovalPolicy, Resource, Token
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import checks, findings
from cdk_scalable_webhook.retry import Retry
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES

_MAX_RECEIVE_COUNT = 5

# In seconds. Anything is restarted now and then.
_SHORTEST_OUTAGE = 60

# As long as SQS keeps anything: a message's age does not start anew when it moves.
_DEAD_LETTER_RETENTION = Duration.days(14)

# Long enough for a weekend in which a secret was wrong; what a stranger sends is not worth more.
_UNVERIFIED_RETENTION = Duration.days(4)


@dataclass(frozen=True)
class Buffer:
    """The queue; and the dead-letter queue, and after how many tries it takes a message, where they are known."""

    queue: sqs.IQueue
    dead_letter_queue: sqs.IQueue | None
    max_receive_count: float | None

    @property
    def days(self) -> int:
        """For how many days a webhook may be under way: in the queue, in the dead-letter queue, and after a redrive in
        the queue once more. The longest that SQS knows where only deployment knows; and a day more, since nothing of
        this ends on the second."""
        longest = checks.known(_DEAD_LETTER_RETENTION)
        in_queue = checks.retention_of(self.queue) or longest
        in_letters = (self.dead_letter_queue and checks.retention_of(self.dead_letter_queue)) or longest
        return math.ceil((in_queue + in_letters + in_queue) / (24 * 3600)) + 1


def create_buffer(
    scope: Construct,
    *,
    dead_letter_queue: sqs.IQueue | None,
    max_receive_count: int | None,
    retention_period: Duration | None,
    visibility_timeout: Duration | None,
    consumer_timeout: Duration,
    max_batching_window: Duration | None,
    retry: Retry | None,
    encryption_key: kms.IKey | None,
    removal_policy: RemovalPolicy | None,
) -> Buffer:
    """A standard queue with a dead-letter queue, encrypted, and closed to anything but TLS. ``retry`` is None where a
    consumer was brought, whose own affair it is."""
    checks.number("max_receive_count", max_receive_count, 1, 1000)
    checks.duration("retention_period", retention_period, Duration.minutes(1), Duration.days(14))
    checks.visibility_timeout(visibility_timeout, consumer_timeout, max_batching_window)
    retention, tries = checks.retention(retention_period), max_receive_count or _MAX_RECEIVE_COUNT
    if dead_letter_queue is not None:
        _check_dead_letters(scope, dead_letter_queue, None, fifo=False, retention=retention, size=MAX_MESSAGE_BYTES)
    _check_tries(scope, retry, tries, retention)

    create = partial(_queue, scope, encryption_key=encryption_key, removal_policy=removal_policy)
    dead_letters = dead_letter_queue or create("DeadLetterQueue", retention_period=_DEAD_LETTER_RETENTION)
    return Buffer(
        create(
            "Queue",
            retention_period=retention_period,
            visibility_timeout=visibility_timeout or _visibility_timeout(consumer_timeout, max_batching_window),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=tries),
        ),
        dead_letters,
        tries,
    )


def check_unverified_queue(
    scope: Construct, brought: sqs.IQueue, queue: sqs.IQueue | None, dead_letter_queue: sqs.IQueue | None
) -> None:
    """Whether it takes what comes out of the queue, which is None where one is about to be made, as is that of dead
    letters."""
    needed = checks.message_size_of(queue) if queue else MAX_MESSAGE_BYTES
    checks.unverified_queue(scope, brought, queue, dead_letter_queue, needed)


def unverified_queue(
    scope: Construct,
    brought: sqs.IQueue | None,
    *,
    encryption_key: kms.IKey | None,
    removal_policy: RemovalPolicy | None,
) -> sqs.IQueue:
    """Where goes what is surely not of its source: a standard queue, whatever the other one is, since nobody asks in
    which order a stranger has sent."""
    if brought is not None:
        return brought
    return _queue(
        scope,
        "UnverifiedQueue",
        encryption_key=encryption_key,
        removal_policy=removal_policy,
        retention_period=_UNVERIFIED_RETENTION,
        accepted=[findings.NOTHING_BEHIND_IT],
    )


def _queue(
    scope: Construct,
    id: str,
    *,
    encryption_key: kms.IKey | None,
    removal_policy: RemovalPolicy | None,
    accepted: Sequence[findings.Finding] = (),
    **properties: Any,
) -> sqs.Queue:
    """A standard queue, encrypted, and closed to anything but TLS."""
    queue = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.KMS if encryption_key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=encryption_key,
        enforce_ssl=True,
        # Set, since defaults differ from account to account and region to region.
        max_message_size_bytes=MAX_MESSAGE_BYTES,
        removal_policy=removal_policy,
        **properties,
    )
    findings.acknowledge(queue, *accepted, *([] if encryption_key else [findings.QUEUE_ENCRYPTED]))
    return queue


def brought_buffer(
    scope: Construct,
    queue: sqs.IQueue,
    *,
    consumer_timeout: Duration,
    max_batching_window: Duration | None,
    retry: Retry | None,
) -> Buffer:
    """A queue of the user's, with the dead-letter queue that it has, if it was made in this app."""
    checks.brought_queue_visibility(queue, consumer_timeout, max_batching_window)
    if not queue.fifo and Token.is_unresolved(queue.queue_name) and not Resource.is_owned_resource(queue):
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:queueKind",
            "queue should say whether it is FIFO, got an imported one whose name only deployment knows: it is taken "
            "for a standard queue. Import a FIFO queue by from_queue_attributes(fifo=True, …); else acknowledge this.",
        )
    holds = checks.message_size_of(queue)
    if holds is not None and holds < MAX_MESSAGE_BYTES:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:maxMessageSize",
            f"max_message_size_bytes of queue should be {MAX_MESSAGE_BYTES}, got {holds:.0f}: a webhook that does not "
            "fit is answered 413, or goes through S3 with large_payloads at the Lambda door.",
        )
    policy = queue.dead_letter_queue if isinstance(queue, sqs.Queue) else None
    if policy is None:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:noDeadLetterQueue",
            "queue should have a dead-letter queue, and none is known: a webhook that cannot be stored comes back "
            "until its retention period ends, and is then lost. Create the queue in this app with dead_letter_queue=; "
            "where an imported one has one, acknowledge this.",
        )
        return Buffer(queue, None, None)
    retention, size = checks.retention_of(queue), checks.message_size_of(queue)
    _check_dead_letters(scope, policy.queue, queue, fifo=queue.fifo, retention=retention, size=size)
    _check_tries(scope, retry, policy.max_receive_count, retention)
    return Buffer(queue, policy.queue, policy.max_receive_count)


def _check_dead_letters(
    scope: Construct,
    dead_letter_queue: sqs.IQueue,
    queue: sqs.IQueue | None,
    *,
    fifo: bool,
    retention: float | None,
    size: float | None,
) -> None:
    """What a dead-letter queue has to be for its queue, which is None where it is about to be made."""
    checks.same_environment(scope, dead_letter_queue=dead_letter_queue)
    checks.dead_letter_account(scope, dead_letter_queue)
    checks.same_kind(fifo, dead_letter_queue)
    checks.dead_letters_let_in(dead_letter_queue, queue)
    checks.dead_letter_retention(dead_letter_queue, retention)
    checks.dead_letter_size(dead_letter_queue, size)


def _check_tries(scope: Construct, retry: Retry | None, tries: float, retention: float | None) -> None:
    """How long the sink may be down before good webhooks go to the dead-letter queue: not too short, and never longer
    than the queue keeps them."""
    if Token.is_unresolved(tries):
        return
    if tries < _MAX_RECEIVE_COUNT:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:maxReceiveCount",
            f"max_receive_count should be at least {_MAX_RECEIVE_COUNT}, got {tries:.0f}: a short outage of the sink "
            "or a throttled consumer would move good messages to the dead-letter queue.",
        )
    if retry is None:
        return
    checks.retries(int(tries), retry.longest(int(tries)), retention)
    survived = retry.average(int(tries))
    if checks.known(survived) < _SHORTEST_OUTAGE:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:outage",
            f"max_receive_count ({int(tries)}) and retry survive an outage of the sink of about "
            f"{checks.show(survived)}: a longer one moves good webhooks to the dead-letter queue. Raise either; the "
            "fail-over of a database takes a minute or two.",
        )


def _visibility_timeout(consumer_timeout: Duration, max_batching_window: Duration | None) -> Duration:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    window = max_batching_window or Duration.seconds(0)
    if consumer_timeout.is_unresolved() or window.is_unresolved():
        raise ValueError(
            "visibility_timeout must be given where the consumer's timeout or max_batching_window is known only at "
            "deployment, got none; set it to at least 6 x timeout + max_batching_window"
        )
    return Duration.seconds(6 * checks.known(consumer_timeout)).plus(window)
