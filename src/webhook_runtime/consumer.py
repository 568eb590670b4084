"""The consumer: one batch of SQS messages in, each webhook into the sink, and an answer that names only what failed."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from webhook_runtime import logs
from webhook_runtime.admission import Answer, Unverifiable, Unverified
from webhook_runtime.clients import Later
from webhook_runtime.clock import Clock, Context
from webhook_runtime.filters import EventFilters
from webhook_runtime.message import MAX_MESSAGE_BYTES, MalformedMessage, Webhook, read_message, size_of, sqs_text
from webhook_runtime.outcome import DROPPED, DUPLICATE, Kind, Outcome, SinkDown
from webhook_runtime.payloads import Payloads
from webhook_runtime.redelivery import Backoff, Redelivery
from webhook_runtime.settings import ConsumerSettings, FilterSettings, SourceSettings
from webhook_runtime.source import Sources

Record = Mapping[str, Any]


class Sink(Protocol):
    """Where webhooks end."""

    def store(self, webhooks: Sequence[Webhook], clock: Clock) -> Iterable[Outcome]:
        """Store them, each once and on its own; one outcome for each, in their order. Their ids differ.

        Raises SinkDown where the sink takes nothing at present: what has no outcome yet comes back.
        """
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
        # SQS takes neither an empty value nor every character, and no more of them than a message holds.
        reason = sqs_text(outcome.reason)[:1024] or outcome.error
        for name, text in (("error", outcome.error), ("reason", reason)):
            empty = {"DataType": "String", "StringValue": ""}
            room = MAX_MESSAGE_BYTES - size_of(record["body"], attributes | {name: empty})
            if fits := text.encode()[: max(room, 0)].decode(errors="ignore"):
                attributes[name] = empty | {"StringValue": fits}
        more = {name: value for name, value in record["attributes"].items() if name == "MessageGroupId"}
        if _is_fifo(record):  # a standard queue may have groups, too
            more["MessageDeduplicationId"] = record["messageId"]
        self._sqs.send_message(
            QueueUrl=self._queue_url, MessageBody=record["body"], MessageAttributes=attributes, **more
        )


_NOT_REACHED = Outcome(Kind.RETRY, "NotReached", "the sink was not reached")


@dataclass
class _Message:
    """One message of a batch on its way: ``webhook`` is None where it could not be read, and the outcome then says
    why. ``delay`` is after how many seconds it comes back where it has to. ``payload_key`` is the key of a payload that
    is in S3: the webhook has it only while the sink does."""

    record: Record
    webhook: Webhook | None
    outcome: Outcome
    delay: int = 0
    payload_key: str | None = None

    @property
    def id(self) -> str:
        return str(self.record["messageId"])

    @property
    def attempt(self) -> int:
        return int(self.record["attributes"]["ApproximateReceiveCount"])

    def names(self) -> dict[str, object]:
        """What every log line about it carries."""
        names = logs.names(self.webhook) if self.webhook else {"id": self.id, "message_id": self.id}
        return names | {"attempt": self.attempt}


class Consumer:
    """Stores batch after batch.

    ``dead_letters`` is None where no dead-letter queue is known: what is beyond help then comes back until the queue's
    own redrive policy takes it away. ``max_receive_count`` is that policy's; where it is known, a message that fails
    for the last time goes to the dead-letter queue from here, so that its reason goes with it, and in a FIFO queue
    those behind it still have their turn.
    """

    def __init__(
        self,
        sink: Sink,
        redelivery: Redelivery,
        dead_letters: DeadLetters | None = None,
        max_receive_count: int | None = None,
        sources: Sources | None = None,
        event_filters: EventFilters | None = None,
        payloads: Payloads | None = None,
    ) -> None:
        self._sink = sink
        self._redelivery = redelivery
        self._dead_letters = dead_letters
        self._max_receive_count = max_receive_count
        self._sources = sources
        self._event_filters = event_filters
        self._payloads = payloads
        self._letters_answer = True

    @classmethod
    def from_environment(cls, sink: Sink) -> "Consumer":
        """The consumer of a deployed function."""
        settings = ConsumerSettings.from_environment()
        sqs = Later("sqs")  # which is needed for what failed, and for nothing else
        return cls(
            sink,
            Redelivery(sqs, settings.queue_url, Backoff(settings.retry_initial, settings.retry_maximum)),
            DeadLetters(sqs, settings.dead_letter_queue_url) if settings.dead_letter_queue_url else None,
            settings.max_receive_count,
            Sources.from_settings(SourceSettings.from_environment()),
            EventFilters.from_settings(FilterSettings.from_environment()),
            Payloads.in_bucket(settings.payload_bucket, settings.payload_days),
        )

    def handle(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """The Lambda handler, for an event source mapping with ReportBatchItemFailures."""
        started = time.time()
        self._letters_answer = True
        messages = [self._read(record) for record in event["Records"]]
        process = self._process_in_order if _is_fifo(event["Records"][0]) else self._process
        clock = Clock(context)
        failed = process(messages, clock)
        self._redelivery.postpone([(message.record, message.delay) for message in failed], clock)
        self._delete_payloads(messages)
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

    def _process(self, messages: Sequence[_Message], clock: Clock) -> list[_Message]:
        """All messages in as few calls as the sink needs, large ones alone. Returns those that have to come back."""
        down = self._store([message for message in messages if message.payload_key is None], clock)
        for message in messages:
            if message.payload_key is None or message.outcome is not _NOT_REACHED:
                continue
            if down:
                message.outcome = down
            else:
                down = self._store_alone(message, clock)
        return [message for message in messages if not self._settle(message, clock)]

    def _process_in_order(self, messages: Sequence[_Message], clock: Clock) -> list[_Message]:
        """One message after the other: in a FIFO queue nothing may overtake one that has to come back."""
        down: Outcome | None = None
        for position, message in enumerate(messages):
            if down and message.outcome is _NOT_REACHED:
                message.outcome = down
            elif message.outcome is _NOT_REACHED:
                down = self._store_alone(message, clock)
            if not self._settle(message, clock):
                behind = messages[position + 1 :]
                for other in behind:
                    other.outcome = Outcome(Kind.RETRY, "NotReached", "one before it has to come back first")
                    other.delay = message.delay
                    logs.logger.info("waits", extra=other.names() | {"retry_in": other.delay})
                return [message, *behind]
        return []

    def _store_alone(self, message: _Message, clock: Clock) -> Outcome | None:
        """One message. A large payload is in memory only for as long, since a batch of them would not fit."""
        if message.payload_key is None:
            return self._store([message], clock)
        try:
            with clock.step():
                self._fetch(message, message.payload_key)
                return self._store([message], clock)
        except SinkDown as error:
            message.outcome = Outcome(Kind.RETRY, error.error, error.reason, error.retry_after)
            return message.outcome
        finally:
            assert message.webhook
            message.webhook = replace(message.webhook, body=b"")

    def _fetch(self, message: _Message, key: str) -> None:
        """The payload from S3, or the outcome of a webhook whose payload is not there. Raises SinkDown."""
        assert message.webhook
        assert self._payloads
        body = self._payloads.get(key)
        if body is not None:
            admitted = self._admit(message.record, replace(message.webhook, body=body))
            message.webhook, message.outcome = admitted.webhook, admitted.outcome
        elif self._payloads.has_expired(message.webhook.received_at):
            reason = f"the payload is no longer in S3, at {key}: it has outlived the life cycle of the bucket"
            message.outcome = Outcome(Kind.PERMANENT, "PayloadExpired", reason)
        else:
            # Only what is stored is deleted, so SQS has delivered it once more. That somebody else has deleted it
            # cannot be told from that, so it is said.
            logs.logger.warning("payload gone, so stored before", extra=message.names() | {"payload_key": key})
            message.outcome = DUPLICATE

    def _delete_payloads(self, messages: Sequence[_Message]) -> None:
        """Those of what is stored, or not wanted. The others' are still needed: a dead letter's for its redrive."""
        done = (Kind.STORED, Kind.DUPLICATE, Kind.DROPPED)
        keys = [message.payload_key for message in messages if message.payload_key and message.outcome.kind in done]
        if keys and self._payloads:
            self._payloads.delete(keys)

    def _store(self, messages: Sequence[_Message], clock: Clock) -> Outcome | None:
        """Each id once: the first message that has it speaks for the others. Returns what the others of the batch have
        to expect where the sink is down."""
        by_id: dict[str, list[_Message]] = {}
        for message in messages:
            if message.webhook and message.outcome is _NOT_REACHED:
                by_id.setdefault(message.webhook.id, []).append(message)
        firsts = [message.webhook for message, *_ in by_id.values() if message.webhook]
        same = iter(by_id.values())
        try:
            for outcome in self._sink.store(firsts, clock) if firsts else ():
                _tell(next(same), outcome)
        except SinkDown as error:
            down = Outcome(Kind.RETRY, error.error, error.reason, error.retry_after)
        except Exception as error:
            # Not foreseen, so nobody knows whether the next call would fare better. What is stored stays stored.
            logs.logger.exception("the sink failed")
            down = Outcome(Kind.RETRY, type(error).__name__, "the sink failed in a way that was not foreseen")
        else:
            return None
        for rest in same:
            _tell(rest, down)
        return down

    def _read(self, record: Record) -> _Message:
        """The message, with the outcome that it has already where its webhook is none, not of its sender, or not
        wanted."""
        try:
            webhook, payload_key = read_message(record)
        except MalformedMessage as error:
            return _Message(record, None, Outcome(Kind.PERMANENT, "MalformedMessage", str(error)))
        if payload_key is None:
            return self._admit(record, webhook)
        if self._payloads is None:
            reason = f"the payload is in S3, at {payload_key}, and large_payloads is off"
            return _Message(record, webhook, Outcome(Kind.PERMANENT, "LargePayload", reason))
        return _Message(record, webhook, _NOT_REACHED, payload_key=payload_key)

    def _admit(self, record: Record, webhook: Webhook) -> _Message:
        """The message of a webhook that has its payload, with the outcome that it has already where it is not of its
        sender, or not wanted."""
        if self._sources is None:
            return self._filtered(record, webhook)
        try:
            admitted = self._sources.admit(webhook)
        except Unverified as error:
            kind = Kind.PERMANENT if error.sure else Kind.RETRY
            return _Message(record, webhook, Outcome(kind, "Unverified", error.reason))
        except Unverifiable as error:
            return _Message(record, webhook, Outcome(Kind.RETRY, type(error).__name__, str(error)))
        if isinstance(admitted, Answer):
            late = Outcome(Kind.PERMANENT, "Handshake", "a handshake is answered at the door, and this door cannot")
            return _Message(record, webhook, late)
        return self._filtered(record, admitted)

    def _filtered(self, record: Record, webhook: Webhook) -> _Message:
        """The message of a webhook that is known to be of its sender."""
        wanted = self._event_filters is None or self._event_filters.want(webhook)
        return _Message(record, webhook, _NOT_REACHED if wanted else DROPPED)

    def _settle(self, message: _Message, clock: Clock) -> bool:
        """Whether SQS may delete the message: it is stored, unwanted, or safe in the dead-letter queue. Logs which."""
        outcome, line = message.outcome, message.names()
        if outcome.kind in (Kind.STORED, Kind.DUPLICATE, Kind.DROPPED):
            logs.logger.info(outcome.kind.value, extra=line)
            return True
        line |= {"error": outcome.error, "reason": outcome.reason}
        is_last = self._max_receive_count is not None and message.attempt >= self._max_receive_count
        if (outcome.kind is Kind.PERMANENT or is_last) and self._bury(message, line, clock):
            message.outcome = outcome._replace(kind=Kind.PERMANENT)
            logs.logger.warning(Kind.PERMANENT.value, extra=line)
            return True
        message.delay = self._redelivery.delay(message.attempt, outcome.retry_after)
        logs.logger.warning("failed", extra=line | {"retry_in": message.delay})
        return False

    def _bury(self, message: _Message, line: dict[str, object], clock: Clock) -> bool:
        if self._dead_letters is None:
            return False
        if not self._letters_answer:
            line["dead_letter_queue_error"] = "not asked again in this batch"
            return False
        if clock.is_over():
            line["dead_letter_queue_error"] = "the function had no time left for it"
            return False
        try:
            self._dead_letters.send(message.record, message.outcome)
        except (ClientError, BotoCoreError) as error:
            # It stays in the queue, whose redrive policy takes it away in the end: without the reason, but not lost.
            line["dead_letter_queue_error"] = str(error)
            # SQS may refuse one message and take the next. Where it does not answer, each call costs the function time
            # in which it has to say what is stored.
            self._letters_answer = isinstance(error, ClientError)
            return False
        return True


def _is_fifo(record: Record) -> bool:
    return bool(record["eventSourceARN"].endswith(".fifo"))


def _tell(messages: Sequence[_Message], outcome: Outcome) -> None:
    """The outcome of a webhook, to every message of the batch that carries it."""
    for message in messages:
        message.outcome = outcome
        if outcome.kind is Kind.STORED:
            outcome = DUPLICATE
