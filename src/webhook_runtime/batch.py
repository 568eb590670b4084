"""A batch in the consumer: its messages, and the state of each.

Plain classes, since a cold start creates them: a named tuple takes ten times as long to create.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from webhook_runtime import logs
from webhook_runtime.deadline import Context, Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Kind, Outcome

if TYPE_CHECKING:
    from webhook_runtime.pace import Pace

Record = Mapping[str, Any]

NOT_REACHED: Outcome = Outcome(Kind.RETRY, "NotReached", "the sink was not reached")


class Unread:
    """Not read yet."""

    webhook: None = None
    payload_key: None = None


class Pending:
    """Waiting for the sink.

    ``payload_key`` is the key of a payload in S3. The payload itself is loaded only while it is stored, since a batch
    of large ones would not fit into memory.
    """

    def __init__(self, webhook: Webhook, payload_key: str | None = None) -> None:
        self.webhook = webhook
        self.payload_key = payload_key


class Done:
    """Decided. ``webhook`` is None if the message could not be read."""

    def __init__(self, outcome: Outcome, webhook: Webhook | None = None, payload_key: str | None = None) -> None:
        self.outcome = outcome
        self.webhook = webhook
        self.payload_key = payload_key


class Message:
    """One message of a batch. ``delay`` is the number of seconds until its retry, if it needs one."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.state: Unread | Pending | Done = Unread()
        self.delay = 0

    @property
    def id(self) -> str:
        return str(self.record["messageId"])

    @property
    def attempt(self) -> int:
        return int(self.record["attributes"]["ApproximateReceiveCount"])

    @property
    def group(self) -> str:
        """The message group, whose order a FIFO queue keeps."""
        return str(self.record["attributes"].get("MessageGroupId", ""))

    @property
    def queued_at(self) -> float:
        """The time at which it was sent to the queue, in seconds since 1970. A redrive sets it again."""
        return int(self.record["attributes"].get("SentTimestamp", 0)) / 1000

    @property
    def outcome(self) -> Outcome:
        """The outcome so far: a retry, unless something else was decided."""
        return self.state.outcome if isinstance(self.state, Done) else NOT_REACHED

    @property
    def is_unsure(self) -> bool:
        """Whether no signature fits yet, and reading the secret again may change that."""
        return self.outcome.kind is Kind.RETRY and self.outcome.secret is not None

    def ends(self, outcome: Outcome) -> None:
        self.state = Done(outcome, self.state.webhook, self.state.payload_key)

    def names(self) -> dict[str, object]:
        """The fields of every log line about this message."""
        webhook = self.state.webhook
        names = logs.names(webhook) if webhook else {"id": self.id, "message_id": self.id}
        return names | {"attempt": self.attempt}


class Batch:
    """The messages of one event.

    ``sqs_answers`` is False after a call to SQS that got no answer. ``down`` is the outcome of a sink that takes
    nothing at present.
    """

    def __init__(self, records: Sequence[Record], context: Context, pace: "Pace | None" = None) -> None:
        self.messages: list[Message] = [Message(record) for record in records]
        self.deadline: Deadline = Deadline(context, pace)
        self.sqs_answers: bool = True
        self.down: Outcome | None = None

    def is_fifo(self) -> bool:
        return any(is_fifo(message.record) for message in self.messages)

    def age(self, at: float) -> float:
        """The age of the oldest message in seconds, since it was queued: SQS deletes a message by the same time."""
        known = [message.queued_at for message in self.messages if message.queued_at]
        return max(0.0, at - min(known, default=at))


def is_fifo(record: Record) -> bool:
    """Whether the queue of the message is a FIFO queue."""
    return str(record["eventSourceARN"]).endswith(".fifo")
