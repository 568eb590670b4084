"""A batch on its way, as the consumer has it: each message, and how far it has come.

Tuples with names and plain classes: Python takes fifteen times as long to make a dataclass, at each cold start.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from webhook_runtime import logs
from webhook_runtime.deadline import Context, Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Kind, Outcome

Record = Mapping[str, Any]

NOT_REACHED: Outcome = Outcome(Kind.RETRY, "NotReached", "the sink was not reached")


class Unread(NamedTuple):
    """Nobody has looked at it yet."""

    webhook: None = None
    payload_key: None = None


class Pending(NamedTuple):
    """The sink has to take it. ``payload_key`` is the key of a payload that is in S3: the webhook has it only while the
    sink does, since a batch of them would not fit into memory."""

    webhook: Webhook
    payload_key: str | None = None


class Done(NamedTuple):
    """It is known what becomes of it. ``webhook`` is None where it could not be read."""

    outcome: Outcome
    webhook: Webhook | None = None
    payload_key: str | None = None


class Message:
    """``delay`` is after how many seconds it comes back where it has to."""

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
    def queued_at(self) -> float:
        """When it was sent to the queue, in seconds since 1970: a redrive does that anew."""
        return int(self.record["attributes"].get("SentTimestamp", 0)) / 1000

    @property
    def outcome(self) -> Outcome:
        """What becomes of it, or would if nobody did anything more."""
        return self.state.outcome if isinstance(self.state, Done) else NOT_REACHED

    @property
    def is_unsure(self) -> bool:
        """Whether no signature fits, and a secret that is read anew may change that."""
        return self.outcome.kind is Kind.RETRY and self.outcome.secret is not None

    def ends(self, outcome: Outcome) -> None:
        self.state = Done(outcome, self.state.webhook, self.state.payload_key)

    def names(self) -> dict[str, object]:
        """What every log line about it carries."""
        webhook = self.state.webhook
        names = logs.names(webhook) if webhook else {"id": self.id, "message_id": self.id}
        return names | {"attempt": self.attempt}


class Batch:
    """The messages of one event. ``letters_answer`` is whether SQS has answered whenever it was to take a message
    aside."""

    def __init__(self, records: Sequence[Record], context: Context) -> None:
        self.messages: list[Message] = [Message(record) for record in records]
        self.deadline: Deadline = Deadline(context)
        self.letters_answer: bool = True

    def is_fifo(self) -> bool:
        return any(is_fifo(message.record) for message in self.messages)


def is_fifo(record: Record) -> bool:
    """Whether the message's queue keeps an order."""
    return str(record["eventSourceARN"]).endswith(".fifo")
