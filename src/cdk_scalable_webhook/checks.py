"""Synth-time guardrails: a wrong argument is a ValueError in the constructor, never a failed deployment.

Every message names the argument, the limit, the value that it got and what to do instead. Values that are known only at
deployment (tokens) pass. The limits are those of
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html.
"""

import re

from aws_cdk import Duration, Token
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs

_STANDARD_MAX_BATCH = 10_000
_FIFO_MAX_BATCH = 10
_MAX_WINDOW = Duration.minutes(5)
_QUEUE_DEFAULT_VISIBILITY = 30
_QUEUE_DEFAULT_RETENTION = 4 * 24 * 3600


def number(argument: str, value: float | None, low: float, high: float, remedy: str = "") -> None:
    """Refuse a number outside its limits."""
    if value is None or Token.is_unresolved(value) or low <= value <= high:
        return
    raise ValueError(_sentence(f"{argument} must be between {low:,} and {high:,}, got {value:,}", remedy))


def is_below(value: int | None, limit: int) -> bool:
    """Whether a number that is set and known is below a limit."""
    return value is not None and not Token.is_unresolved(value) and value < limit


def duration(argument: str, value: Duration | None, low: Duration, high: Duration, remedy: str = "") -> None:
    """Refuse a duration outside its limits."""
    seconds = known_seconds(value)
    if seconds is None or known(low) <= seconds <= known(high):
        return
    raise ValueError(_sentence(f"{argument} must be between {show(low)} and {show(high)}, got {show(value)}", remedy))


def max_concurrency(value: int) -> None:
    """The event source mapping's own limits."""
    number(
        "max_concurrency",
        value,
        2,
        1000,
        "for one at a time bring a FIFO queue: a door sends all its messages in one message group",
    )


def batching(batch_size: int, window: Duration | None, *, fifo: bool) -> None:
    """Batch size and window, which depend on each other and on the kind of queue."""
    if fifo and window is not None and known_seconds(window) != 0:
        raise ValueError(
            f"max_batching_window must not be set for a FIFO queue, got {show(window)}; "
            "leave it out: Lambda does not support a window there"
        )
    if fifo:
        number("batch_size", batch_size, 1, _FIFO_MAX_BATCH, "a FIFO queue delivers at most 10 messages at a time")
    number("batch_size", batch_size, 1, _STANDARD_MAX_BATCH)
    duration("max_batching_window", window, Duration.seconds(0), _MAX_WINDOW)
    if Token.is_unresolved(batch_size) or batch_size <= _FIFO_MAX_BATCH:
        return
    if window is None or known_seconds(window) == 0:
        raise ValueError(
            f"batch_size above 10 needs a max_batching_window of at least 1 second, got batch_size {batch_size:,} and "
            f"{'no window' if window is None else show(window)}; add max_batching_window=Duration.seconds(1)"
        )


def visibility_timeout(value: Duration | None, timeout: Duration | None, window: Duration | None) -> None:
    """A message must stay invisible while it is worked on, retries of throttled batches included."""
    duration("visibility_timeout", value, Duration.seconds(0), Duration.hours(12))
    visible, busy, waiting = known_seconds(value), known_seconds(timeout), known_seconds(window) or 0
    if visible is None or busy is None:
        return
    if visible < busy:
        raise ValueError(
            f"visibility_timeout must not be shorter than the consumer's timeout of {show(timeout)}, "
            f"got {show(value)}; leave it out: 6 x timeout + max_batching_window is right"
        )
    if visible < 6 * busy + waiting:
        raise ValueError(
            "visibility_timeout must be at least 6 x timeout + max_batching_window, "
            f"here {6 * busy + waiting:g} seconds, got {show(value)}; leave it out, or shorten timeout"
        )


def brought_queue_visibility(queue: sqs.IQueue, timeout: Duration | None) -> None:
    """Lambda refuses a mapping whose queue shows a message again while it is still worked on."""
    visible, busy = _property(queue, "visibility_timeout", _QUEUE_DEFAULT_VISIBILITY), known_seconds(timeout)
    if visible is not None and busy is not None and visible < busy:
        raise ValueError(
            f"the visibility timeout of queue must not be shorter than the consumer's timeout of {show(timeout)}, "
            f"got {visible:g} seconds; set visibility_timeout of the queue to at least {6 * busy:g} seconds"
        )


def reserved_concurrency(reserved: int | None, max_concurrency: int) -> None:
    """Reserved concurrency below the mapping's maximum throttles the function, and throttled messages get lost in the
    DLQ."""
    if reserved is None or Token.is_unresolved(reserved) or Token.is_unresolved(max_concurrency):
        return
    if reserved < max_concurrency:
        raise ValueError(
            f"reserved_concurrent_executions must be at least max_concurrency ({max_concurrency:,}), got {reserved:,}; "
            "leave it out: max_concurrency alone throttles the consumer"
        )


def dead_letter_retention(dead_letter_queue: sqs.IQueue, retention: Duration | None) -> None:
    """A message keeps its age when it moves: with a shorter retention it would be deleted on arrival."""
    kept = _property(dead_letter_queue, "message_retention_period", _QUEUE_DEFAULT_RETENTION)
    needed = _QUEUE_DEFAULT_RETENTION if retention is None else known_seconds(retention)
    if kept is not None and needed is not None and kept < needed:
        raise ValueError(
            f"the retention period of dead_letter_queue must not be shorter than the queue's {needed:g} seconds, "
            f"got {kept:g} seconds; give the dead-letter queue retention_period=Duration.days(14)"
        )


def same_kind(queue_fifo: bool, dead_letter_queue: sqs.IQueue | None) -> None:
    """SQS wants the dead-letter queue of a FIFO queue to be FIFO, and of a standard queue to be standard."""
    if dead_letter_queue is None or dead_letter_queue.fifo == queue_fifo:
        return
    kinds = {True: "FIFO", False: "standard"}
    raise ValueError(
        f"dead_letter_queue must be a {kinds[queue_fifo]} queue like the queue that it serves, "
        f"got a {kinds[dead_letter_queue.fifo]} queue; bring a {kinds[queue_fifo]} one, or leave it out"
    )


def nothing_set(brought: str, **settings: object) -> None:
    """Refuse settings that would shape a thing which was brought, and which nobody would apply."""
    given = [name for name, value in settings.items() if value is not None]
    if given:
        raise ValueError(
            f"{' and '.join(given)} must not be set together with {brought}, got {', '.join(given)}; "
            f"set {'it' if len(given) == 1 else 'them'} on what you pass as {brought}, or leave {brought} out"
        )


def header_name(argument: str, value: str | None) -> None:
    """A header's name, as it goes into a mapping template and an environment variable."""
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        raise ValueError(
            f"{argument} must be 1 to 128 letters, digits, hyphens or underscores, got {value!r}; "
            "name one header, for example 'Idempotency-Key'"
        )


def mount_path(value: str) -> None:
    """The path of a door: fixed segments, since the door itself is every path below."""
    segments = value.strip("/").split("/")
    if value == "/" or (value.startswith("/") and all(re.fullmatch(r"[A-Za-z0-9._~:@-]+", name) for name in segments)):
        return
    raise ValueError(
        f"path must be '/' or fixed segments such as '/hooks/github', got {value!r}; "
        "leave {parameters} out: every path below the mount comes in, and is stored with the webhook"
    )


def table_key(table: dynamodb.ITable) -> None:
    """The table's key is the webhook's id, or an insert cannot be conditional on it."""
    if not isinstance(table, dynamodb.Table):
        return
    schema = table.schema_v2()
    keys = [*schema.partition_keys, *schema.sort_keys]
    if [(key.name, key.type) for key in keys] == [("id", dynamodb.AttributeType.STRING)]:
        return
    got = " and ".join(f"{key.name} ({key.type.name})" for key in keys)
    raise ValueError(
        f"table must have the string partition key 'id' and no sort key, got {got}; "
        "create it with partition_key=dynamodb.Attribute(name='id', type=dynamodb.AttributeType.STRING)"
    )


def known_seconds(value: Duration | None) -> float | None:
    """The seconds of a duration, or None where it is absent or a token."""
    return None if value is None or value.is_unresolved() else known(value)


def known(value: Duration) -> float:
    """The seconds of a duration that is no token."""
    return value.to_seconds(integral=False)


def show(value: Duration | None) -> str:
    """A duration for a person."""
    return "no duration" if value is None else value.to_human_string()


def _property(queue: sqs.IQueue, name: str, default: float) -> float | None:
    """A property of a queue made in this app, the default where it is not set, None where it cannot be known."""
    resource = queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        return None
    value = getattr(resource, name)
    if value is None:
        return default
    return None if Token.is_unresolved(value) else float(value)


def _sentence(problem: str, remedy: str) -> str:
    return f"{problem}; {remedy}" if remedy else problem
