"""Existing queues: their known properties, and the checks for each use."""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from aws_cdk import Reference, Stack, Token, Tokenization
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from cdk_scalable_webhook.checks.cdk import require_same_environment

# SQS's, in seconds.
_DEFAULT_VISIBILITY = 30
DEFAULT_RETENTION = 4 * 24 * 3600


def require_visibility(queue: sqs.IQueue, needed: float | None) -> None:
    """Require that a message stays hidden while the consumer works on it. ``needed`` is in seconds, None if unknown."""
    visible = _property(queue, "visibility_timeout", _DEFAULT_VISIBILITY)
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
    """Reject a dead-letter queue that does not fit its queue, which is None for a new one."""
    require_same_environment(scope, dead_letter_queue=dead_letter_queue)
    _require_account(scope, dead_letter_queue)
    _require_same_kind(fifo, dead_letter_queue)
    _require_let_in(dead_letter_queue, queue)
    _require_retention(dead_letter_queue, retention)
    # A larger message would be retried until it is deleted.
    _require_size(size, "dead-letter queue", dead_letter_queue=dead_letter_queue)


def _require_account(scope: Construct, dead_letter_queue: sqs.IQueue) -> None:
    """Reject a dead-letter queue of another account: SQS moves messages within an account.

    https://docs.aws.amazon.com/sdk-for-java/v1/developer-guide/examples-sqs-dead-letter-queues.html
    """
    own, other = Stack.of(scope).account, dead_letter_queue.env.account
    if not Token.is_unresolved(own) and not Token.is_unresolved(other) and own != other:
        raise ValueError(
            f"dead_letter_queue must be in the account of the ScalableWebhook, {own}, got "
            f"{dead_letter_queue.node.path} of {other}; pass one of this account, or leave it out"
        )


def arns(queue: sqs.IQueue) -> set[str]:
    """Return every ARN that a queue has in this app. Another stack cannot compare an ARN that only deployment knows."""
    stack, resource = Stack.of(queue), queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        return {_spelled(stack, queue.queue_arn)}
    found = {_spelled_in(stack, queue.queue_arn)}
    if (given := resource.queue_name) is not None and (name := stack.resolve(given)) is not None:
        found.add(_spelled_in(stack, stack.format_arn(service="sqs", resource=name)))
    return found


def _spelled(stack: Stack, text: str) -> str:
    """Return the spelling of an ARN that may be of another stack."""
    # A reference belongs to the stack of its resource, and an export to its account and region, if they are known.
    for token in Tokenization.reverse_string(text).tokens:
        if Reference.is_reference(token):
            stack = Stack.of(cast(Reference, token).target)
    return _spelled_in(stack, text)


def _spelled_in(stack: Stack, text: str) -> str:
    """Return service, region, account and name of an ARN of a stack: the same text for the same resource."""
    arn = stack.resolve(text)
    if isinstance(arn, dict) and "Fn::ImportValue" in arn and not Token.is_unresolved(stack.account):
        return f"{stack.environment} {json.dumps(arn, sort_keys=True)}"
    parts = arn["Fn::Join"][1] if isinstance(arn, dict) and "Fn::Join" in arn else [arn]
    partition = {"Ref": "AWS::Partition"}
    if any(part != partition and not isinstance(part, str) for part in parts):
        return f"{stack.node.path} {json.dumps(arn, sort_keys=True)}"
    return ":".join("".join("aws" if part == partition else part for part in parts).split(":")[2:])


def _require_retention(dead_letter_queue: sqs.IQueue, needed: float | None) -> None:
    """Reject a shorter retention than that of the queue, in seconds. A message keeps its age when it moves, so it could
    be deleted on arrival."""
    kept = retention_of(dead_letter_queue)
    if kept is not None and needed is not None and kept < needed:
        raise ValueError(
            f"the retention period of dead_letter_queue must not be shorter than the queue's {needed:.0f} seconds, "
            f"got {kept:.0f} seconds; give the dead-letter queue retention_period=Duration.days(14)"
        )


def _require_let_in(dead_letter_queue: sqs.IQueue, queue: sqs.IQueue | None) -> None:
    """Reject a dead-letter queue that does not allow the queue. ``queue`` is None for a new one, which no list of
    allowed queues can have in it.

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
    got = "no queue" if permission == "denyAll" else f"{len(allowed)} others"
    raise ValueError(
        f"the redrive-allow policy of dead_letter_queue must allow the queue, got one that allows {got}; create the "
        "dead-letter queue without redrive_allow_policy, or with sqs.RedrivePermission.ALLOW_ALL in it"
    )


def _require_same_kind(queue_fifo: bool, dead_letter_queue: sqs.IQueue) -> None:
    """Reject a dead-letter queue of another kind: SQS requires a FIFO one for a FIFO queue, else a standard one."""
    if dead_letter_queue.fifo == queue_fifo:
        return
    kinds = {True: "FIFO", False: "standard"}
    raise ValueError(
        f"dead_letter_queue must be a {kinds[queue_fifo]} queue like the queue that it serves, "
        f"got a {kinds[dead_letter_queue.fifo]} queue; pass a {kinds[queue_fifo]} one, or leave it out"
    )


def retention_of(queue: sqs.IQueue) -> float | None:
    """Return the seconds for which an existing queue keeps messages, or None if that is not known."""
    return _property(queue, "message_retention_period", DEFAULT_RETENTION)


def message_size_of(queue: sqs.IQueue) -> float | None:
    """Return the maximum bytes of a message of an existing queue, or None if that is not known: SQS's default differs
    from account to account."""
    return _property(queue, "maximum_message_size", None)


def require_unverified_queue(
    scope: Construct, unverified_queue: sqs.IQueue, dead_letter_queue: sqs.IQueue | None, needed: float
) -> None:
    """Reject a queue with a consumer, which would store the unverified webhooks, and a dead-letter queue, which would
    hide them. ``dead_letter_queue`` is None for a new one; ``needed`` is the size of a message in bytes."""
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
            "consumes; pass another one, or leave it out"
        )
    _require_size(needed, "queue", unverified_queue=unverified_queue)


# The child of an app that lists the queues with a consumer.
_CONSUMED = "ScalableWebhook Queues"


def is_consumed(scope: IConstruct, names: Iterable[str]) -> bool:
    """Check whether a webhook of this app consumes the queue with one of these ARNs."""
    consumed = cast(Construct, scope.node.root).node.try_find_child(_CONSUMED)
    return consumed is not None and _has_any(cast(Construct, consumed), names)


def _has_any(consumed: Construct, names: Iterable[str]) -> bool:
    return any(consumed.node.try_find_child(name) for name in names)


def consume(queue: sqs.IQueue) -> None:
    """Record that the queue has a consumer: two would take each other's messages. A queue may have several ARNs here:
    that of its own stack, and those of imports.

    Raises:
        ValueError: The queue has a consumer already.
    """
    names, root = sorted(arns(queue)), cast(Construct, queue.node.root)
    consumed = cast(Construct, root.node.try_find_child(_CONSUMED) or Construct(root, _CONSUMED))
    if _has_any(consumed, names):
        raise ValueError(
            f"queue must have one consumer, got {queue.node.path}, which another ScalableWebhook has already; "
            "call add_source() of that one, which shares queue and consumer"
        )
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
    """Return a property of a queue: the default if this app does not set it, None if it is not known."""
    resource = queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        return None
    value = getattr(resource, name)
    if value is None:
        return default
    return None if Token.is_unresolved(value) else float(value)
