"""The consumer: it gives each webhook of a batch to the sink, and answers with the messages that failed."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from webhook_runtime import deployed, logs
from webhook_runtime.batch import Batch, Done, Message, Pending
from webhook_runtime.clients import client
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import (
    ConsumerSettings,
    OutageSettings,
    PaceSettings,
    UnverifiedSettings,
    from_environment,
)
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Context
from webhook_runtime.intake import Intake
from webhook_runtime.outage import Outage
from webhook_runtime.outcome import ENDED_WELL, Kind, Outcome
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.settlement import Settlement
from webhook_runtime.sinks import Sink
from webhook_runtime.storing import Storing

if TYPE_CHECKING:  # only for types: a function that verifies, filters or paces nothing does not load them
    from webhook_runtime.filters import EventFilters
    from webhook_runtime.pace import Pace
    from webhook_runtime.payloads import Payloads
    from webhook_runtime.sources.source import Sources


class Consumer:
    """Stores batch after batch: it reads, verifies, filters, stores and settles each message.

    Without ``dead_letters``, permanent failures are retried until the queue's redrive policy moves them.
    ``max_receive_count`` is the one of that policy. If it is known, the consumer itself sends a message to the
    dead-letter queue after the last try, with the reason. In a FIFO queue, the messages behind it then still get their
    turn. ``unverified`` takes messages that are certainly not from their provider. Without it, the dead-letter queue
    takes them.
    """

    def __init__(
        self,
        sink: Sink,
        redelivery: Redelivery,
        dead_letters: DeadLetters | None = None,
        max_receive_count: int | None = None,
        sources: "Sources | None" = None,
        event_filters: "EventFilters | None" = None,
        payloads: "Payloads | None" = None,
        unverified: DeadLetters | None = None,
        pace: "Pace | None" = None,
        outage: Outage | None = None,
    ) -> None:
        self._sink = sink
        self._intake = Intake(sources, event_filters, takes_payloads=payloads is not None)
        self._storing = Storing(sink, self._intake, payloads)
        self._settlement = Settlement(redelivery, dead_letters, unverified, max_receive_count)
        self._redelivery = redelivery
        self._payloads = payloads
        self._pace = pace
        self._outage = outage or Outage()

    @classmethod
    def from_environment(cls, sink: Sink) -> Self:
        """Create the consumer of a deployed function."""
        settings = from_environment(ConsumerSettings)
        sqs = client("sqs")  # only for messages that failed
        dead_letters = settings.dead_letter_queue_url
        unverified = from_environment(UnverifiedSettings).unverified_queue_url
        backoff = Backoff(settings.retry_initial_seconds, settings.retry_maximum_seconds)
        max_receive_count = None if settings.max_receive_count is None else int(settings.max_receive_count)
        failures = from_environment(OutageSettings).breaker_failures
        return cls(
            sink,
            Redelivery(sqs, settings.queue_url, backoff),
            DeadLetters(sqs, dead_letters) if dead_letters else None,
            max_receive_count,
            deployed.sources(in_order=settings.queue_url.endswith(".fifo")),
            deployed.event_filters(),
            deployed.payloads(settings.payload_bucket, int(settings.payload_days or 0)),
            DeadLetters(sqs, unverified, in_order=False) if unverified else None,
            _pace(),
            Outage(None if failures is None else int(failures), max_receive_count),
        )

    def handle(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Handle an event of an event source mapping with ReportBatchItemFailures, or the circuit breaker's question
        how the sink is.
        """
        if "probe" in event:
            from webhook_runtime.probe import probe

            return probe(self._sink, context)
        started = time.time()
        batch = Batch(event["Records"], context, self._pace)
        self._intake.look_at(batch.messages, batch.deadline)
        failed = self._in_order(batch) if batch.is_fifo() else self._together(batch)
        self._outage.look_at(batch, failed)
        self._redelivery.postpone([(message.record, message.delay) for message in failed], batch.deadline)
        self._delete_payloads(batch)
        _report(batch, failed, started)
        batch.deadline.hold()
        return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failed]}

    # Two ways to store a batch. Both return the messages to retry.

    def _together(self, batch: Batch) -> list[Message]:
        """Store all messages in as few calls as the sink needs, and each payload from S3 by itself."""
        alone = [message for message in batch.messages if message.state.payload_key]
        others = [message for message in batch.messages if not message.state.payload_key]
        batch.down = self._storing.store(others, batch.deadline)
        for message in alone:
            self._store_unless_down(message, batch)
        return self._settlement.settle(batch.messages, batch)

    def _in_order(self, batch: Batch) -> list[Message]:
        """Store one message after the other: in a FIFO queue, none may overtake a message of its group that is retried.

        Other groups go on.
        """
        self._intake.look_again(batch)
        held: dict[str, Message] = {}
        failed = []
        for message in batch.messages:
            if (first := held.get(message.group)) is not None:
                message.ends(Outcome(Kind.RETRY, "NotReached", "an earlier message has to be retried first"))
                message.delay = first.delay
                logs.logger.info("waits", extra=message.names() | {"retry_in": message.delay})
                failed.append(message)
                continue
            self._store_unless_down(message, batch)
            if self._settlement.settle([message], batch):
                held[message.group] = message
                failed.append(message)
        return failed

    def _store_unless_down(self, message: Message, batch: Batch) -> None:
        """Store one message, unless the sink is down or the message is decided."""
        if not isinstance(message.state, Pending):
            return
        if batch.down is None:
            batch.down = self._storing.store_alone(message, batch.deadline)
        else:
            message.ends(batch.down)

    def _delete_payloads(self, batch: Batch) -> None:
        """Delete the payloads of messages that ended well. A message in the dead-letter queue needs its own for a
        redrive.
        """
        states = [message.state for message in batch.messages]
        keys = [each.payload_key for each in states if isinstance(each, Done) and each.outcome.kind in ENDED_WELL]
        if self._payloads and (named := [key for key in keys if key]):
            self._payloads.delete(named, batch.deadline)


def handler(sink: Sink) -> Callable[[Mapping[str, Any], Context], dict[str, Any]]:
    """Return the handler of a deployed function."""
    return Consumer.from_environment(sink).handle


def _pace() -> "Pace | None":
    """Return the pace of a deployed function, or None if there is no rate to keep."""
    settings = from_environment(PaceSettings)
    if settings.seconds_each is None:
        return None
    from webhook_runtime.pace import AdaptivePace, Pace

    if settings.target_seconds is None:
        return Pace(settings.seconds_each)
    return AdaptivePace(settings.seconds_each, settings.target_seconds, settings.longest_each)


def _report(batch: Batch, failed: list[Message], started: float) -> None:
    ended = time.time()
    logs.logger.info(
        "batch",
        extra={
            "size": len(batch.messages),
            "failed": len(failed),
            **Counter(message.outcome.kind.value for message in batch.messages),
            "oldest": round(batch.age(ended), 3),
            "started": round(started * 1000),
            "ended": round(ended * 1000),
        },
    )
