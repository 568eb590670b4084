"""The consumer: one batch of SQS messages in, each webhook into the sink, and an answer that names only what failed."""

import base64
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from webhook_runtime import logs
from webhook_runtime.batch import Batch, Done, Message, Pending, Record, is_fifo
from webhook_runtime.clients import Later
from webhook_runtime.contract.settings import ConsumerSettings, FilterSettings, SourceSettings
from webhook_runtime.deadline import Context, Deadline
from webhook_runtime.filters import EventFilters
from webhook_runtime.message import (
    MAX_MESSAGE_BYTES,
    MalformedMessage,
    Webhook,
    limit_in,
    read_message,
    size_of,
    sqs_text,
)
from webhook_runtime.outcome import DROPPED, DUPLICATE, Kind, Outcome, SinkDown
from webhook_runtime.payloads import Payloads
from webhook_runtime.redelivery import Backoff, Redelivery
from webhook_runtime.sources.source import Sources
from webhook_runtime.sources.verification import Answer, Mismatched, Unverifiable, Unverified


class Sink(Protocol):
    """Where webhooks end."""

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterable[Outcome]:
        """Store them, each once and on its own; one outcome for each, in their order. Their keys differ.

        Raises SinkDown where the sink takes nothing at present: what has no outcome yet comes back.
        """
        ...


_MAX_ATTRIBUTES = 10


def _attribute(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """An attribute of a record, as SendMessage has it: a record has bytes in base64. None for what SQS never writes."""
    if "stringValue" in value:
        return {"DataType": value["dataType"], "StringValue": value["stringValue"]}
    try:
        return {"DataType": value["dataType"], "BinaryValue": base64.b64decode(value["binaryValue"])}
    except (KeyError, ValueError):
        return None


class DeadLetters:
    """Takes a message that no retry will help to the dead-letter queue now, with the reason beside it; or what is
    surely of nobody that is known to the queue for that. ``in_order`` is whether the queue is of the consumer's kind,
    which may be FIFO."""

    def __init__(self, sqs: Any, queue_url: str, *, in_order: bool = True) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._in_order = in_order
        # Until SQS says that the queue holds less.
        self._max_message_bytes = MAX_MESSAGE_BYTES

    def send(self, record: Record, outcome: Outcome) -> None:
        """With as much of the reason as there is room for. Raises what boto3 raises."""
        try:
            self._send(record, outcome)
        except ClientError as error:
            holds = limit_in(error)
            if holds is None or holds >= self._max_message_bytes:
                raise
            self._max_message_bytes = holds
            self._send(record, outcome)

    def _send(self, record: Record, outcome: Outcome) -> None:
        attributes = {
            name: kept
            for name, value in record.get("messageAttributes", {}).items()
            if name not in ("error", "reason") and (kept := _attribute(value))
        }
        # SQS takes neither an empty value nor every character, and no more of them than a message holds.
        reason = sqs_text(outcome.reason)[:1024] or outcome.error
        for name, text in (("error", outcome.error), ("reason", reason)):
            if len(attributes) == _MAX_ATTRIBUTES:  # somebody else's message, whose own are not ours to drop
                break
            empty = {"DataType": "String", "StringValue": ""}
            room = self._max_message_bytes - size_of(record["body"], attributes | {name: empty})
            if fits := text.encode()[: max(room, 0)].decode(errors="ignore"):
                attributes[name] = empty | {"StringValue": fits}
        more = {name: value for name, value in record["attributes"].items() if name == "MessageGroupId"}
        if is_fifo(record):  # a standard queue may have groups, too
            more = more | {"MessageDeduplicationId": record["messageId"]} if self._in_order else {}
        self._sqs.send_message(
            QueueUrl=self._queue_url, MessageBody=record["body"], MessageAttributes=attributes, **more
        )


class Consumer:
    """Stores batch after batch.

    ``dead_letters`` is None where no dead-letter queue is known: what is beyond help then comes back until the queue's
    own redrive policy takes it away. ``max_receive_count`` is that policy's; where it is known, a message that fails
    for the last time goes to the dead-letter queue from here, so that its reason goes with it, and in a FIFO queue
    those behind it still have their turn. ``unverified`` takes what is surely not of its sender; where it is None, the
    dead-letter queue does.
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
        unverified: DeadLetters | None = None,
    ) -> None:
        self._sink = sink
        self._redelivery = redelivery
        self._dead_letters = dead_letters
        self._max_receive_count = max_receive_count
        self._sources = sources
        self._event_filters = event_filters
        self._payloads = payloads
        self._unverified = unverified

    @classmethod
    def from_environment(cls, sink: Sink) -> "Consumer":
        """The consumer of a deployed function."""
        settings = ConsumerSettings.from_environment()
        sqs = Later("sqs")  # which is needed for what failed, and for nothing else
        in_order, unverified = settings.queue_url.endswith(".fifo"), settings.unverified_queue_url
        return cls(
            sink,
            Redelivery(sqs, settings.queue_url, Backoff(settings.retry_initial, settings.retry_maximum)),
            DeadLetters(sqs, settings.dead_letter_queue_url) if settings.dead_letter_queue_url else None,
            settings.max_receive_count,
            Sources.from_settings(SourceSettings.from_environment(), in_order=in_order),
            EventFilters.from_settings(FilterSettings.from_environment()),
            Payloads.in_bucket(settings.payload_bucket, settings.payload_days),
            DeadLetters(sqs, unverified, in_order=False) if unverified else None,
        )

    def handle(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """The Lambda handler, for an event source mapping with ReportBatchItemFailures."""
        started = time.time()
        batch = Batch(event["Records"], context)
        self._look_at(batch.messages, batch.deadline)
        if batch.is_fifo():
            self._look_again(batch)
            failed = self._store_in_order(batch)
        else:
            failed = self._store_together(batch)
        self._redelivery.postpone([(message.record, message.delay) for message in failed], batch.deadline)
        self._delete_payloads(batch)
        logs.logger.info(
            "batch",
            extra={
                "size": len(batch.messages),
                "failed": len(failed),
                **Counter(message.outcome.kind.value for message in batch.messages),
                "started": round(started * 1000),
                "ended": round(time.time() * 1000),
            },
        )
        return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failed]}

    # What is looked at before anything is stored: each message by itself, and in its own time.

    def _look_at(self, messages: Sequence[Message], deadline: Deadline) -> None:
        """The smallest first, since what takes long is large: whoever sends that waits for the others. In which order
        they are stored does not depend on it."""
        smallest_first = sorted(messages, key=lambda message: len(message.record["body"]))
        for position, message in enumerate(smallest_first, 1):
            behind = len(messages) - position
            webhook = None
            try:
                with deadline.look(behind):
                    state = self._read(message.record)
                    webhook = state.webhook
                if isinstance(state, Pending) and self._sources is not None:
                    # What the secret takes is no message's own time.
                    with deadline.look():
                        self._sources.prepare(state.webhook.mount)
                with deadline.look(behind):
                    message.state = self._judged(state, message.queued_at)
            except SinkDown as late:
                message.state = Done(Outcome(Kind.RETRY, late.error, late.reason, late.retry_after), webhook)

    def _look_again(self, batch: Batch) -> None:
        """What cannot be judged yet would hold everybody behind it in a FIFO queue, and use up a receive of each. So
        it is waited for here, once for all of the batch: never longer than until the secret may be asked for again."""
        unsure = [message for message in batch.messages if _is_unsure(message.outcome)]
        if not unsure:
            return
        try:
            with batch.deadline.look():
                time.sleep(max(message.outcome.retry_after or 0 for message in unsure))
        except SinkDown:
            return
        self._look_at(unsure, batch.deadline)

    def _read(self, record: Record) -> Pending | Done:
        try:
            webhook, payload_key = read_message(record)
        except MalformedMessage as error:
            return Done(Outcome(Kind.PERMANENT, "MalformedMessage", str(error)))
        if payload_key is not None and self._payloads is None:
            reason = f"the payload is in S3, at {payload_key}, and large_payloads is off"
            return Done(Outcome(Kind.PERMANENT, "LargePayload", reason), webhook)
        return Pending(webhook, payload_key)

    def _judged(self, state: Pending | Done, queued_at: float) -> Pending | Done:
        """What comes of what was read. A payload that is in S3 is judged once it is here."""
        if isinstance(state, Pending) and state.payload_key is None:
            return self._verified(state.webhook, queued_at)
        return state

    def _verified(self, webhook: Webhook, queued_at: float) -> Pending | Done:
        """What comes of a webhook that has its payload, by who sent it."""
        if self._sources is None:
            return self._filtered(webhook)
        try:
            admitted = _admitted(self._sources, webhook, queued_at)
        except Mismatched as error:
            kind = Kind.UNVERIFIED if error.sure else Kind.RETRY
            reason = f"{error.reason} The secret is {error.secret}."
            return Done(Outcome(kind, "Unverified", reason, error.retry_after, error.secret), webhook)
        except Unverified as error:
            kind = Kind.UNVERIFIED if error.sure else Kind.RETRY
            return Done(Outcome(kind, "Unverified", error.reason), webhook)
        except Unverifiable as error:
            return Done(Outcome(Kind.RETRY, type(error).__name__, str(error), error.retry_after), webhook)
        if isinstance(admitted, Answer):
            # Anybody may ask for one, so it is no dead letter.
            late = "a handshake is answered at the door, and this door cannot"
            return Done(Outcome(Kind.UNVERIFIED, "Handshake", late), webhook)
        return self._filtered(admitted)

    def _filtered(self, webhook: Webhook) -> Pending | Done:
        """What comes of a webhook that is known to be of its sender."""
        wanted = self._event_filters is None or self._event_filters.want(webhook)
        return Pending(webhook) if wanted else Done(DROPPED, webhook)

    # How it is stored: together, or one after the other. Both return what has to come back.

    def _store_together(self, batch: Batch) -> list[Message]:
        """All messages in as few calls as the sink needs, those whose payload is in S3 alone."""
        alone = [message for message in batch.messages if message.state.payload_key]
        down = self._store([message for message in batch.messages if not message.state.payload_key], batch.deadline)
        for message in alone:
            if down:
                message.ends(down)
            else:
                down = self._store_alone(message, batch.deadline)
        return [message for message in batch.messages if not self._settle(message, batch)]

    def _store_in_order(self, batch: Batch) -> list[Message]:
        """One message after the other: in a FIFO queue nothing may overtake one that has to come back."""
        down: Outcome | None = None
        for position, message in enumerate(batch.messages):
            if isinstance(message.state, Pending):
                if down:
                    message.ends(down)
                else:
                    down = self._store_alone(message, batch.deadline)
            if not self._settle(message, batch):
                behind = batch.messages[position + 1 :]
                for other in behind:
                    other.ends(Outcome(Kind.RETRY, "NotReached", "one before it has to come back first"))
                    other.delay = message.delay
                    logs.logger.info("waits", extra=other.names() | {"retry_in": other.delay})
                return [message, *behind]
        return []

    def _store_alone(self, message: Message, deadline: Deadline) -> Outcome | None:
        """One message. A payload from S3 is in memory only for as long."""
        pending = message.state
        assert isinstance(pending, Pending)
        if pending.payload_key is None:
            return self._store([message], deadline)
        try:
            with deadline.step():
                self._fetch(message, pending)
                return self._store([message], deadline)
        except SinkDown as error:
            down = Outcome(Kind.RETRY, error.error, error.reason, error.retry_after)
            message.ends(down)
            return down
        finally:
            assert message.state.webhook
            message.state = replace(message.state, webhook=replace(message.state.webhook, body=b""))

    def _fetch(self, message: Message, pending: Pending) -> None:
        """The payload from S3, or the outcome of a webhook whose payload is not there. Raises SinkDown."""
        webhook, key = pending.webhook, pending.payload_key
        assert self._payloads
        assert key
        body = self._payloads.get(key)
        if body is not None:
            message.state = replace(self._verified(replace(webhook, body=body), message.queued_at), payload_key=key)
        elif self._payloads.has_expired(webhook.received_at):
            reason = f"the payload is no longer in S3, at {key}: it has outlived the life cycle of the bucket"
            message.ends(Outcome(Kind.PERMANENT, "PayloadExpired", reason))
        else:
            # Only what is stored is deleted, so SQS has delivered it once more. That somebody else has deleted it
            # cannot be told from that, so it is said.
            logs.logger.warning("payload gone, so stored before", extra=message.names() | {"payload_key": key})
            message.ends(DUPLICATE)

    def _store(self, messages: Sequence[Message], deadline: Deadline) -> Outcome | None:
        """Each key once: the first message that has it speaks for the others. Returns what the others of the batch have
        to expect where the sink is down."""
        by_key: dict[str, list[Message]] = {}
        webhooks: dict[str, Webhook] = {}
        for message in messages:
            if isinstance(message.state, Pending):
                webhook = message.state.webhook
                by_key.setdefault(webhook.key, []).append(message)
                webhooks.setdefault(webhook.key, webhook)
        same = iter(by_key.values())
        try:
            for outcome in self._sink.store(list(webhooks.values()), deadline) if webhooks else ():
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

    # What SQS is told of it.

    def _settle(self, message: Message, batch: Batch) -> bool:
        """Whether SQS may delete the message: it is stored, unwanted, or safe in another queue. Logs which."""
        outcome, line = message.outcome, message.names()
        if outcome.kind in (Kind.STORED, Kind.DUPLICATE, Kind.DROPPED):
            logs.logger.info(outcome.kind.value, extra=line)
            return True
        line |= {"error": outcome.error, "reason": outcome.reason}
        if outcome.secret:  # what metric_mismatched() counts
            line["secret"] = outcome.secret
        for kind in self._ways_out(message, outcome):
            queue = self._dead_letters if kind is Kind.PERMANENT else self._unverified
            if queue is not None and self._put_aside(message, queue, line, batch):
                message.ends(outcome._replace(kind=kind))
                logs.logger.warning(kind.value, extra=line)
                return True
        message.delay = self._redelivery.delay(message.attempt, outcome.retry_after)
        logs.logger.warning("failed", extra=line | {"retry_in": message.delay})
        return False

    def _ways_out(self, message: Message, outcome: Outcome) -> list[Kind]:
        """Of which kind it is, where it does not come back; and what it is where the queue for that does not take it.
        What is surely of nobody that is known is for no person to look at; nor is what could not be judged, of which no
        signature fits."""
        is_last = self._max_receive_count is not None and message.attempt >= self._max_receive_count
        is_unverified = outcome.kind is Kind.UNVERIFIED or (is_last and _is_unsure(outcome))
        if is_unverified and self._unverified is not None:
            return [Kind.UNVERIFIED, Kind.PERMANENT] if is_last else [Kind.UNVERIFIED]
        return [Kind.PERMANENT] if is_last or outcome.kind is not Kind.RETRY else []

    def _put_aside(self, message: Message, queue: DeadLetters, line: dict[str, object], batch: Batch) -> bool:
        error = "unverified_queue_error" if queue is self._unverified else "dead_letter_queue_error"
        if not batch.letters_answer:
            line[error] = "not asked again in this batch"
            return False
        if batch.deadline.is_over():
            line[error] = "the function had no time left for it"
            return False
        try:
            with batch.deadline.told():
                queue.send(message.record, message.outcome)
        except (ClientError, BotoCoreError, TimeoutError) as failure:
            # It stays in the queue, whose redrive policy takes it away in the end: without the reason, but not lost.
            line[error] = str(failure)
            # SQS may refuse one message and take the next. Where it does not answer, each call costs the function time
            # in which it has to say what is stored.
            batch.letters_answer = isinstance(failure, ClientError)
            return False
        return True

    def _delete_payloads(self, batch: Batch) -> None:
        """Those of what is stored, or not wanted. The others' are still needed: a dead letter's for its redrive."""
        done = (Kind.STORED, Kind.DUPLICATE, Kind.DROPPED)
        states = [message.state for message in batch.messages]
        keys = [each.payload_key for each in states if isinstance(each, Done) and each.outcome.kind in done]
        if self._payloads and (named := [key for key in keys if key]):
            self._payloads.delete(named, batch.deadline)


def _is_unsure(outcome: Outcome) -> bool:
    """Whether no signature fits, and a secret that is read anew may change that."""
    return outcome.kind is Kind.RETRY and outcome.secret is not None


def _admitted(sources: Sources, webhook: Webhook, queued_at: float) -> Webhook | Answer:
    """To a mapping template an absent payload and ``{}`` are one: its sender has signed either."""
    try:
        return sources.admit(webhook, queued_at)
    except Unverified as refusal:
        other = {b"": b"{}", b"{}": b""}.get(webhook.body)
        if other is None:
            raise
        try:
            return sources.admit(replace(webhook, body=other), queued_at)
        except Unverified:
            raise refusal from None


def _tell(messages: Sequence[Message], outcome: Outcome) -> None:
    """The outcome of a webhook, to every message of the batch that carries it."""
    for message in messages:
        message.ends(outcome)
        if outcome.kind is Kind.STORED:
            outcome = DUPLICATE
