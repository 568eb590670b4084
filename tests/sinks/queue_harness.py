"""SQS and the event source mapping, as far as a consumer can tell. Its clock advances only when it has to."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Context
from webhook_runtime.message import Webhook
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks import Sink
from webhook_runtime.testing import sqs_event

VISIBILITY_TIMEOUT = 180


class Invocation:
    """Lambda's context with a fixed number of seconds left."""

    def __init__(self, seconds: float = 30) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(self._seconds * 1000)


class Countdown:
    """Lambda's context in which time passes."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._stall = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def get_remaining_time_in_millis(self) -> int:
        return round((self._end - time.monotonic()) * 1000)

    def is_kept(self) -> bool:
        """Tell whether there is time left, not counting the time in which the machine ran no thread here."""
        return self._end - time.monotonic() + self._stall > 0

    def _watch(self) -> None:
        while (before := time.monotonic()) < self._end + 1:
            time.sleep(_TURN)
            self._stall = max(self._stall, time.monotonic() - before - _TURN)


# In seconds.
_TURN = 0.01


@dataclass
class Queue:
    """A queue. ``dead_letters`` are the messages that the consumer or, without a reason, the redrive policy moved."""

    max_receive_count: int = 5
    fifo: bool = False
    now: float = 0
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    _messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    _visible_at: dict[str, float] = field(default_factory=dict)
    _received: dict[str, int] = field(default_factory=dict)

    def send(self, *webhooks: Webhook) -> None:
        for record in sqs_event(*webhooks)["Records"]:
            if self.fifo:
                record["eventSourceARN"] += ".fifo"
                record["attributes"]["MessageGroupId"] = "webhook"
            self._messages[record["messageId"]] = record
            self._visible_at[record["messageId"]] = self.now

    def consumer(self, sink: Sink) -> Consumer:
        """Return a consumer of this queue."""
        return Consumer(
            sink, Redelivery(self, "queue", Backoff(10, 900)), DeadLetters(self, "dead_letters"), self.max_receive_count
        )

    def deliver(
        self, handle: Callable[[Any, Context], Any], size: int = 10, *, context: Context | None = None
    ) -> list[str]:
        """Deliver one batch of visible messages. Return the ids of those that failed."""
        visible = [id for id, at in self._visible_at.items() if at <= self.now][:size]
        if self.fifo and len(self._messages) and next(iter(self._messages)) not in visible:
            visible = []  # the first of a group is in flight, and all others wait for it
        for id in visible:
            self._received[id] = self._received.get(id, 0) + 1
            self._visible_at[id] = self.now + VISIBILITY_TIMEOUT
            if self._received[id] > self.max_receive_count:
                self.dead_letters.append(self._messages[id])
                self._delete(id)
        records = [self._record(id) for id in visible if id in self._messages]
        if not records:
            return []
        answer = handle({"Records": records}, context or Invocation())
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        for record in records:
            if record["messageId"] not in failed:
                self._delete(record["messageId"])
        return failed

    def drain(self, consumer: Consumer, size: int = 10, *, rounds: int = 200) -> None:
        """Deliver until nothing is left, each message when it becomes visible."""
        for _ in range(rounds):
            if not self._messages:
                return
            self.now = max(self.now, self._next())
            self.deliver(consumer.handle, size)
        raise AssertionError(f"{len(self._messages)} messages are still there")

    def _next(self) -> float:
        """Return the time of the next delivery. In a FIFO queue, it is that of the first message."""
        return self._visible_at[next(iter(self._messages))] if self.fifo else min(self._visible_at.values())

    def __len__(self) -> int:
        return len(self._messages)

    def receive_counts(self) -> list[int]:
        return list(self._received.values())

    # The consumer calls these as methods of its boto3 client.

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        assert QueueUrl == "queue"
        assert 1 <= len(Entries) <= 10
        handles = {record["receiptHandle"]: id for id, record in self._messages.items()}
        for entry in Entries:
            assert 0 <= entry["VisibilityTimeout"] <= 43_200
            self._visible_at[handles[entry["ReceiptHandle"]]] = self.now + entry["VisibilityTimeout"]
            self.delays.append(entry["VisibilityTimeout"])
        return {"Successful": [], "Failed": []}

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        assert QueueUrl == "dead_letters"
        assert 1 <= len(Entries) <= 10
        self.dead_letters += Entries
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def _record(self, id: str) -> dict[str, Any]:
        record = self._messages[id]
        attributes = record["attributes"] | {"ApproximateReceiveCount": str(self._received[id])}
        return record | {"attributes": attributes}

    def _delete(self, id: str) -> None:
        del self._messages[id], self._visible_at[id]


def reason(dead_letter: dict[str, Any]) -> tuple[str, str]:
    """Return error and reason of a message in the dead-letter queue."""
    attributes = dead_letter["MessageAttributes"]
    return attributes["error"]["StringValue"], attributes["reason"]["StringValue"]
