"""The consumer: one batch of SQS messages in, each webhook into the sink, and an answer that names only what failed."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from webhook_runtime import logs
from webhook_runtime.message import MalformedMessage, Webhook, read

Record = Mapping[str, Any]


class Kind(Enum):
    STORED = "stored"
    DUPLICATE = "duplicate"  # it was there already, which is just as good
    RETRY = "retry"  # the sink could not take it now
    PERMANENT = "dead-lettered"  # no retry will ever help this message


@dataclass(frozen=True)
class Outcome:
    """What became of one webhook, and why where it was not stored."""

    kind: Kind
    error: str = ""
    reason: str = ""


STORED = Outcome(Kind.STORED)
DUPLICATE = Outcome(Kind.DUPLICATE)


class Sink(Protocol):
    """Where webhooks end."""

    def store(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        """Store them, each once and on its own; one outcome for each, in their order. Their ids differ."""
        ...


class DeadLetters:
    """Takes a message that no retry will help to the dead-letter queue now, with the reason beside it."""

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def send(self, record: Record, outcome: Outcome) -> None:
        """Raises what boto3 raises."""
        attributes = {
            name: {"DataType": value["dataType"], "StringValue": value["stringValue"]}
            for name, value in record["messageAttributes"].items()
            if "stringValue" in value and name not in ("error", "reason")
        }
        attributes |= {
            "error": {"DataType": "String", "StringValue": outcome.error},
            "reason": {"DataType": "String", "StringValue": outcome.reason[:1024]},
        }
        group = record["attributes"].get("MessageGroupId")
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": record["messageId"]} if group else {}
        self._sqs.send_message(
            QueueUrl=self._queue_url, MessageBody=record["body"], MessageAttributes=attributes, **fifo
        )


@dataclass
class _Message:
    """One message of a batch on its way: ``webhook`` is None where it could not be read, and the outcome then says
    why."""

    record: Record
    webhook: Webhook | None
    outcome: Outcome

    @property
    def id(self) -> str:
        return str(self.record["messageId"])

    def names(self) -> dict[str, object]:
        """What every log line about it carries."""
        names = logs.names(self.webhook) if self.webhook else {"id": self.id, "message_id": self.id}
        return names | {"attempt": int(self.record["attributes"]["ApproximateReceiveCount"])}


class Consumer:
    """Stores batch after batch.

    ``dead_letters`` is None where no dead-letter queue is known: what is beyond help then comes back until the queue's
    own redrive policy takes it away.
    """

    def __init__(self, sink: Sink, dead_letters: DeadLetters | None) -> None:
        self._sink = sink
        self._dead_letters = dead_letters

    def handle(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """The Lambda handler, for an event source mapping with ReportBatchItemFailures."""
        started = time.time()
        messages = [_read(record) for record in event["Records"]]
        in_order = event["Records"][0]["eventSourceARN"].endswith(".fifo")
        failed = self._process_in_order(messages) if in_order else self._process(messages)
        logs.logger.info(
            "batch",
            extra={
                "size": len(messages),
                "failed": len(failed),
                **Counter(message.outcome.kind.value for message in messages),
                "started": round(started * 1000),
                "ended": round(time.time() * 1000),
            },
        )
        return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failed]}

    def _process(self, messages: Sequence[_Message]) -> list[_Message]:
        """All messages in as few calls as the sink needs. Returns those that have to come back."""
        self._store(messages)
        return [message for message in messages if not self._settle(message)]

    def _process_in_order(self, messages: Sequence[_Message]) -> list[_Message]:
        """One message after the other: in a FIFO queue nothing may overtake one that has to come back."""
        for position, message in enumerate(messages):
            if self._process([message]):
                return list(messages[position:])
        return []

    def _store(self, messages: Sequence[_Message]) -> None:
        """Each id once: the first message that has it speaks for the others."""
        by_id: dict[str, list[_Message]] = {}
        for message in messages:
            if message.webhook:
                by_id.setdefault(message.webhook.id, []).append(message)
        firsts = [message.webhook for message, *_ in by_id.values() if message.webhook]
        outcomes = self._sink.store(firsts) if firsts else []
        for same, outcome in zip(by_id.values(), outcomes, strict=True):
            for message in same:
                message.outcome = outcome
                if outcome.kind is Kind.STORED:
                    outcome = DUPLICATE

    def _settle(self, message: _Message) -> bool:
        """Whether SQS may delete the message: it is stored, or safe in the dead-letter queue. Logs which."""
        outcome, line = message.outcome, message.names()
        if outcome.kind in (Kind.STORED, Kind.DUPLICATE):
            logs.logger.info(outcome.kind.value, extra=line)
            return True
        line |= {"error": outcome.error, "reason": outcome.reason}
        buried = outcome.kind is Kind.PERMANENT and self._bury(message, line)
        logs.logger.warning(Kind.PERMANENT.value if buried else "failed", extra=line)
        return buried

    def _bury(self, message: _Message, line: dict[str, object]) -> bool:
        if self._dead_letters is None:
            return False
        try:
            self._dead_letters.send(message.record, message.outcome)
        except (ClientError, BotoCoreError) as error:
            # It stays in the queue, whose redrive policy takes it away in the end: without the reason, but not lost.
            line["dead_letter_queue_error"] = str(error)
            return False
        return True


def _read(record: Record) -> _Message:
    try:
        return _Message(record, read(record), Outcome(Kind.RETRY, "NotReached", "the sink was not reached"))
    except MalformedMessage as error:
        return _Message(record, None, Outcome(Kind.PERMANENT, "MalformedMessage", str(error)))
