"""Queues of the user's: what can be known of them, and what a queue has to be for its place."""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from aws_cdk import Duration, Reference, Stack, Token, Tokenization
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from cdk_scalable_webhook.checks.cdk import require_same_environment
from cdk_scalable_webhook.checks.values import known_seconds

_QUEUE_DEFAULT_VISIBILITY = 30
_QUEUE_DEFAULT_RETENTION = 4 * 24 * 3600


def require_visibility(queue: sqs.IQueue, timeout: Duration | None, window: Duration | None) -> None:
    """A message must stay hidden while the consumer works on it, retries of throttled batches included."""
    visible, busy = _property(queue, "visibility_timeout", _QUEUE_DEFAULT_VISIBILITY), known_seconds(timeout)
    needed = None if busy is None else 6 * busy + (known_seconds(window) or 0)
    if visible is not None and needed is not None and visible < needed:
        raise ValueError(
            "the visibility timeout of queue must be at least 6 x timeout + max_batching_window, here "
            f"{needed:.0f} seconds, got {visible:.0f} seconds; create the queue with "
            f"visibility_timeout=Duration.seconds({needed:.0f}), or shorten timeout"
        )


def require_dead_letter_queue(
    scope: Construct,
    dead_letter_queue: sqs.IQueue,
    queue: sqs.IQueue | None,
    *,
    fifo: bool,
    retention: float | None,
    size: float | None,
) -> None:
    """What a dead-letter queue has to be for its queue, which is None where it is about to be made."""
    require_same_environment(scope, dead_letter_queue=dead_letter_queue)
    _require_account(scope, dead_letter_queue)
    _require_same_kind(fifo, dead_letter_queue)
    _require_let_in(dead_letter_queue, queue)
    _require_retention(dead_letter_queue, retention)
    _require_size_of_dead_letters(dead_letter_queue, size)


def _require_account(scope: Construct, dead_letter_queue: sqs.IQueue) -> None:
    """SQS moves messages within an account.

    https://docs.aws.amazon.com/sdk-for-java/v1/developer-guide/examples-sqs-dead-letter-queues.html
    """
    own, other = Stack.of(scope).account, dead_letter_queue.env.account
    if not Token.is_unresolved(own) and not Token.is_unresolved(other) and own != other:
        raise ValueError(
            f"dead_letter_queue must be of the account of the ScalableWebhook, {own}, got "
            f"{dead_letter_queue.node.path} of {other}; pass one of this account, or leave it out"
        )


def arns(queue: sqs.IQueue) -> set[str]:
    """Every ARN by which a queue is known here. One that only deployment knows says nothing to another stack."""
    stack, resource = Stack.of(queue), queue.node.default_child
    arns = [queue.queue_arn]
    if isinstance(resource, sqs.CfnQueue) and (name := stack.resolve(resource.queue_name)) is not None:
        arns.append(stack.format_arn(service="sqs", resource=name))
    return {_spelled(stack, arn) for arn in arns}


def _spelled(stack: Stack, text: str) -> str:
    """Service, region, account and name of an ARN: the same text for the same thing, however it was written."""
    # What is of another stack is named by that, and an export by its account and region, where these are known.
    for token in Tokenization.reverse_string(text).tokens:
        if Reference.is_reference(token):
            stack = Stack.of(cast(Reference, token).target)
    arn = stack.resolve(text)
    if isinstance(arn, dict) and "Fn::ImportValue" in arn and not Token.is_unresolved(stack.account):
        return f"{stack.environment} {json.dumps(arn, sort_keys=True)}"
    parts = arn["Fn::Join"][1] if isinstance(arn, dict) and "Fn::Join" in arn else [arn]
    partition = {"Ref": "AWS::Partition"}
    if any(part != partition and not isinstance(part, str) for part in parts):
        return f"{stack.node.path} {json.dumps(arn, sort_keys=True)}"
    return ":".join("".join("aws" if part == partition else part for part in parts).split(":")[2:])


def _require_retention(dead_letter_queue: sqs.IQueue, needed: float | None) -> None:
    """A message keeps its age when it moves: with a shorter retention than its queue's, in seconds, it would be deleted
    on arrival."""
    kept = retention_of(dead_letter_queue)
    if kept is not None and needed is not None and kept < needed:
        raise ValueError(
            f"the retention period of dead_letter_queue must not be shorter than the queue's {needed:.0f} seconds, "
            f"got {kept:.0f} seconds; give the dead-letter queue retention_period=Duration.days(14)"
        )


def _require_let_in(dead_letter_queue: sqs.IQueue, queue: sqs.IQueue | None) -> None:
    """SQS refuses a redrive policy that the dead-letter queue does not allow. ``queue`` is None for one that is about
    to be made, which no list can have in it.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    resource = dead_letter_queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        return
    stack, policy = Stack.of(dead_letter_queue), resource.redrive_allow_policy
    told = policy if isinstance(policy, Mapping) else {}
    permission, allowed = told.get("redrivePermission"), told.get("sourceQueueArns", [])
    if permission not in ("denyAll", "byQueue") or not isinstance(allowed, list):
        return
    if queue is not None and not arns(queue).isdisjoint(_spelled(stack, arn) for arn in allowed):
        return
    got = "nobody" if permission == "denyAll" else f"{len(allowed)} others"
    raise ValueError(
        f"the redrive-allow policy of dead_letter_queue must let the queue in, got one that lets in {got}; create the "
        "dead-letter queue without redrive_allow_policy, or with sqs.RedrivePermission.ALLOW_ALL in it"
    )


def _require_same_kind(queue_fifo: bool, dead_letter_queue: sqs.IQueue | None) -> None:
    """SQS wants the dead-letter queue of a FIFO queue to be FIFO, and of a standard queue to be standard."""
    if dead_letter_queue is None or dead_letter_queue.fifo == queue_fifo:
        return
    kinds = {True: "FIFO", False: "standard"}
    raise ValueError(
        f"dead_letter_queue must be a {kinds[queue_fifo]} queue like the queue that it serves, "
        f"got a {kinds[dead_letter_queue.fifo]} queue; pass a {kinds[queue_fifo]} one, or leave it out"
    )


def retention_of(queue: sqs.IQueue) -> float | None:
    """The seconds for which an existing queue keeps messages, None where that cannot be known."""
    return _property(queue, "message_retention_period", _QUEUE_DEFAULT_RETENTION)


def message_size_of(queue: sqs.IQueue) -> float | None:
    """The bytes that a message of an existing queue may have, None where that cannot be known: SQS's default
    differs from account to account."""
    return _property(queue, "maximum_message_size", None)


def _require_size_of_dead_letters(dead_letter_queue: sqs.IQueue, needed: float | None) -> None:
    """What does not fit into the dead-letter queue would come back until it is deleted."""
    _require_size(needed, "dead-letter queue", dead_letter_queue=dead_letter_queue)


def require_unverified_queue(
    scope: Construct, unverified_queue: sqs.IQueue, dead_letter_queue: sqs.IQueue | None, needed: float
) -> None:
    """A queue that no consumer empties, which would store its messages, and that is no dead-letter queue, where they
    would hide. ``dead_letter_queue`` is None where a new one is made; ``needed`` is the size of a message in bytes."""
    require_same_environment(scope, unverified_queue=unverified_queue)
    if unverified_queue.fifo:
        raise ValueError(
            "unverified_queue must be a standard queue, got a FIFO queue; pass a standard one, or leave it out"
        )
    names = arns(unverified_queue)
    if dead_letter_queue is not None and not arns(dead_letter_queue).isdisjoint(names):
        raise ValueError(
            f"unverified_queue must be another queue than dead_letter_queue, got {unverified_queue.node.path} for "
            "both; pass another one, or leave it out"
        )
    if is_consumed(scope, names):
        raise ValueError(
            f"unverified_queue must have no consumer, got {unverified_queue.node.path}, which another ScalableWebhook "
            "empties; pass another one, or leave it out"
        )
    _require_size(needed, "queue", unverified_queue=unverified_queue)


# The child of an app that knows which queues have a consumer.
_CONSUMED = "ScalableWebhook Queues"


def is_consumed(scope: IConstruct, names: Iterable[str]) -> bool:
    """Whether a webhook of this app consumes the queue with one of these ARNs."""
    consumed = cast(Construct, scope.node.root).node.try_find_child(_CONSUMED)
    return consumed is not None and any(cast(Construct, consumed).node.try_find_child(name) for name in names)


def consume(queue: sqs.IQueue) -> None:
    """Note that the queue has a consumer: two would take each other's messages. One queue may have several names here:
    that of its own stack, and those of imports.

    Raises:
        ValueError: It has one already.
    """
    names = sorted(arns(queue))
    if is_consumed(queue, names):
        raise ValueError(
            f"queue must have one consumer, got {queue.node.path}, which another ScalableWebhook has already; "
            "call add_source() of that one, which shares queue and consumer"
        )
    root = cast(Construct, queue.node.root)
    consumed = cast(Construct, root.node.try_find_child(_CONSUMED) or Construct(root, _CONSUMED))
    for name in names:
        Construct(consumed, name)


def _require_size(needed: float | None, kind: str, **queues: sqs.IQueue) -> None:
    ((argument, queue),) = queues.items()
    holds = message_size_of(queue)
    if holds is not None and needed is not None and holds < needed:
        raise ValueError(
            f"max_message_size_bytes of {argument} must not be smaller than the queue's {needed:.0f}, "
            f"got {holds:.0f}; give the {kind} max_message_size_bytes={needed:.0f}"
        )


def _property(queue: sqs.IQueue, name: str, default: float | None) -> float | None:
    """A property of a queue made in this app, the default where it is not set, None where it cannot be known."""
    resource = queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        return None
    value = getattr(resource, name)
    if value is None:
        return default
    return None if Token.is_unresolved(value) else float(value)
