import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runtime.events import record
from webhook_runtime import message
from webhook_runtime.consumer import DUPLICATE, STORED, Consumer, DeadLetters, Kind, Outcome
from webhook_runtime.message import Headers, Webhook


class Memory:
    """A sink that keeps what it gets; `troubles` says what goes wrong for which id."""

    def __init__(self, **troubles: Outcome) -> None:
        self.stored: dict[str, Webhook] = {}
        self.calls: list[list[str]] = []
        self._troubles = troubles

    def store(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        self.calls.append([webhook.id for webhook in webhooks])
        return [self._store(webhook) for webhook in webhooks]

    def _store(self, webhook: Webhook) -> Outcome:
        if webhook.id in self._troubles:
            return self._troubles[webhook.id]
        if webhook.id in self.stored:
            return DUPLICATE
        self.stored[webhook.id] = webhook
        return STORED


class Queue:
    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self._error = error

    def send_message(self, **call: Any) -> None:
        if self._error:
            raise self._error
        self.sent.append(call)


BUSY = Outcome(Kind.RETRY, "Throttled", "too many at once")
HOPELESS = Outcome(Kind.PERMANENT, "TooLarge", "the item is too large")


def sqs_record(id: str, message_id: str | None = None, body: bytes = b"{}", **more: Any) -> dict[str, Any]:
    webhook = Webhook(
        id=id,
        request_id=f"request-{id}",
        method="POST",
        path="/",
        query_string="",
        headers=Headers(),
        body=body,
        source_ip="203.0.113.7",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return record(*message.write(webhook), message_id=message_id or f"message-{id}", **more)


def consume(sink: Memory, *records: dict[str, Any], dead_letters: Queue | None = None) -> list[str]:
    """The ids of the messages that have to come back."""
    letters = DeadLetters(dead_letters, "http://sqs/DeadLetters") if dead_letters else None
    answer = Consumer(sink, letters).handle({"Records": list(records)}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_batch_is_stored_in_one_call() -> None:
    sink = Memory()
    assert consume(sink, sqs_record("a"), sqs_record("b")) == []
    assert sink.calls == [["a", "b"]]


def test_a_redelivered_message_is_stored_once_and_counts_as_success() -> None:
    sink = Memory()
    assert consume(sink, sqs_record("a")) == []
    assert consume(sink, sqs_record("a", attempt=2)) == []
    assert len(sink.stored) == 1


def test_two_deliveries_of_one_id_in_one_batch_are_stored_once() -> None:
    sink = Memory()
    assert consume(sink, sqs_record("a", "first"), sqs_record("a", "second")) == []
    assert sink.calls == [["a"]]


def test_two_deliveries_of_one_id_come_back_together_when_the_first_fails() -> None:
    assert consume(Memory(a=BUSY), sqs_record("a", "first"), sqs_record("a", "second")) == ["first", "second"]


def test_only_the_messages_that_failed_come_back() -> None:
    assert consume(Memory(b=BUSY), sqs_record("a"), sqs_record("b"), sqs_record("c")) == ["message-b"]


def test_a_hopeless_message_goes_to_the_dead_letter_queue_at_once_with_its_reason() -> None:
    letters = Queue()

    failed = consume(Memory(b=HOPELESS), sqs_record("a"), sqs_record("b", body=b"\xff"), dead_letters=letters)

    (letter,) = letters.sent
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert failed == []
    assert (attributes["error"], attributes["reason"]) == ("TooLarge", "the item is too large")
    assert message.read(record(letter["MessageBody"], attributes["webhook"])).body == b"\xff"


def test_a_message_that_no_door_wrote_goes_to_the_dead_letter_queue() -> None:
    sink, letters = Memory(), Queue()
    assert consume(sink, record("hello", None), dead_letters=letters) == []
    assert letters.sent[0]["MessageAttributes"]["error"]["StringValue"] == "MalformedMessage"
    assert sink.calls == []


def test_a_hopeless_message_comes_back_where_no_dead_letter_queue_takes_it() -> None:
    refusing = Queue(ClientError({"Error": {"Code": "Throttled", "Message": ""}}, "SendMessage"))
    assert consume(Memory(a=HOPELESS), sqs_record("a"), dead_letters=refusing) == ["message-a"]
    assert consume(Memory(a=HOPELESS), sqs_record("a")) == ["message-a"]


def test_a_sink_that_raises_fails_the_whole_batch() -> None:
    class Broken(Memory):
        def store(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
            raise RuntimeError("a defect")

    with pytest.raises(RuntimeError):
        consume(Broken(), sqs_record("a"))


class TestFifo:
    FIFO: dict[str, Any] = {"queue": "arn:aws:sqs:us-east-1:000000000000:Queue.fifo", "group": "webhook"}

    def test_nothing_overtakes_a_message_that_comes_back(self) -> None:
        sink = Memory(b=BUSY)
        records = [sqs_record(id, **self.FIFO) for id in "abc"]
        assert consume(sink, *records) == ["message-b", "message-c"]
        assert list(sink.stored) == ["a"]

    def test_a_hopeless_message_stops_nobody_once_it_is_dead_lettered(self) -> None:
        sink, letters = Memory(b=HOPELESS), Queue()
        records = [sqs_record(id, **self.FIFO) for id in "abc"]
        assert consume(sink, *records, dead_letters=letters) == []
        assert list(sink.stored) == ["a", "c"]
        assert letters.sent[0]["MessageGroupId"] == "webhook"
        assert letters.sent[0]["MessageDeduplicationId"] == "message-b"


def test_every_message_and_the_batch_have_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = Memory(b=BUSY, c=HOPELESS)

    records = [sqs_record(id, body=b"secret") for id in "abc"]
    consume(sink, sqs_record("a", "again"), *records, dead_letters=Queue())

    lines = [(line.message, vars(line).get("id"), vars(line).get("request_id")) for line in caplog.records]
    assert lines == [
        ("stored", "a", "request-a"),
        ("duplicate", "a", "request-a"),
        ("failed", "b", "request-b"),
        ("dead-lettered", "c", "request-c"),
        ("batch", None, None),
    ]
    batch = vars(caplog.records[-1])
    assert (batch["size"], batch["stored"], batch["duplicate"], batch["failed"]) == (4, 1, 1, 1)
    assert batch["started"] <= batch["ended"]
    assert not any("secret" in str(vars(line)) for line in caplog.records)
