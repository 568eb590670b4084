import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from webhook_runtime import message
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Headers, Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind, Outcome, SinkDown
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sources.secrets import NoSecret
from webhook_runtime.sources.source import Sources
from webhook_runtime.sources.verification import Answer, Mismatched, Unverified
from webhook_runtime.testing import sqs_event
from webhook_runtime.testing import webhook as a_webhook

from .doubles import REJECTED, Invocation, Sqs
from .events import record

ARN = "arn:aws:sqs:us-east-1:000000000000:Queue"
FIFO: dict[str, Any] = {"queue": f"{ARN}.fifo", "group": "webhook"}


class Memory:
    """A sink that keeps webhooks. `troubles` has errors by id."""

    def __init__(self, **troubles: Outcome | Exception) -> None:
        self.stored: dict[str, Webhook] = {}
        self.keys: set[str] = set()
        self.calls: list[list[str]] = []
        self._troubles = troubles

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        self.calls.append([webhook.id for webhook in webhooks])
        for webhook in webhooks:
            yield self._store(webhook)

    def _store(self, webhook: Webhook) -> Outcome:
        trouble = self._troubles.get(webhook.id)
        if isinstance(trouble, Exception):
            raise trouble
        if trouble:
            return trouble
        if webhook.key in self.keys:
            return DUPLICATE
        self.keys.add(webhook.key)
        self.stored[webhook.id] = webhook
        return STORED


BUSY = Outcome(Kind.RETRY, "Throttled", "too many at once")
POISON = Outcome(Kind.PERMANENT, "TooLarge", "the item is too large")
DOWN = SinkDown("no connection", error="ConnectionError")


def sqs_record(
    id: str, message_id: str | None = None, body: bytes = b"{}", mount: str = "/", **more: Any
) -> dict[str, Any]:
    webhook = Webhook(
        id=id,
        request_id=f"request-{id}",
        method="POST",
        mount=mount,
        path=mount,
        url="https://example.com/",
        query_string="",
        headers=Headers(),
        body=body,
        source_ip="203.0.113.7",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return record(*message.write(webhook), message_id=message_id or f"message-{id}", **more)


def consume(
    sink: Memory,
    *records: dict[str, Any],
    sqs: Sqs | None = None,
    dead_letters: Sqs | None = None,
    max_receive_count: int | None = None,
    initial: float = 10,
) -> list[str]:
    """Return the ids of the messages to retry."""
    consumer = Consumer(
        sink,
        Redelivery(sqs or Sqs(), "http://sqs/Queue", Backoff(initial, 900)),
        DeadLetters(dead_letters, "http://sqs/DeadLetters") if dead_letters else None,
        max_receive_count,
    )
    answer = consumer.handle({"Records": list(records)}, Invocation())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def attributes(dead_letter: dict[str, Any]) -> dict[str, str]:
    return {name: value.get("StringValue", "") for name, value in dead_letter["MessageAttributes"].items()}


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


def test_two_providers_that_choose_one_id_are_two_webhooks() -> None:
    sink = Memory()
    mounts = ["/stripe", "/partner", "/stripe", "/"]
    batch = [sqs_record("a", f"message-{n}", mount=mount) for n, mount in enumerate(mounts)]
    assert consume(sink, *batch) == []
    assert sink.calls == [["a", "a", "a"]]
    assert sink.keys == {"/stripe#a", "/partner#a", "/#a"}
    assert consume(sink, sqs_record("a", mount="/another")) == []
    assert sink.keys == {"/stripe#a", "/partner#a", "/#a", "/another#a"}


def test_an_error_of_one_provider_is_not_reported_for_the_same_id_of_another() -> None:
    class OneIsBad(Memory):
        def _store(self, webhook: Webhook) -> Outcome:
            return POISON if webhook.mount == "/partner" else super()._store(webhook)

    sink, dead_letters = OneIsBad(), Sqs()
    batch = [sqs_record("a", mount[1:], mount=mount) for mount in ("/partner", "/stripe")]
    assert consume(sink, *batch, dead_letters=dead_letters) == []
    assert sink.keys == {"/stripe#a"}
    (dead_letter,) = dead_letters.sent
    assert "mount=/partner" in attributes(dead_letter)["webhook"]


def test_two_deliveries_of_one_id_are_retried_together_when_the_first_fails() -> None:
    assert consume(Memory(a=BUSY), sqs_record("a", "first"), sqs_record("a", "second")) == ["first", "second"]


def test_two_deliveries_of_one_id_are_dead_lettered_together() -> None:
    dead_letters = Sqs()
    records = [sqs_record("a", "first"), sqs_record("b"), sqs_record("a", "second")]
    assert consume(Memory(a=POISON), *records, dead_letters=dead_letters) == []
    assert [attributes(dead_letter)["error"] for dead_letter in dead_letters.sent] == ["TooLarge", "TooLarge"]


def test_only_the_messages_that_failed_are_retried() -> None:
    sqs = Sqs()
    assert consume(Memory(b=BUSY), sqs_record("a"), sqs_record("b"), sqs_record("c"), sqs=sqs) == ["message-b"]
    assert list(sqs.delays()) == ["handle-message-b"]


def test_if_nothing_failed_sqs_is_not_called() -> None:
    sqs = Sqs()
    assert consume(Memory(), sqs_record("a"), sqs=sqs) == []
    assert sqs.postponed == []


def test_a_message_waits_longer_with_each_attempt() -> None:
    sqs = Sqs()
    attempts = [1, 3, 5, 50]
    troubles = {f"w{attempt}": BUSY for attempt in attempts}
    for _ in range(100):
        consume(Memory(**troubles), *(sqs_record(f"w{attempt}", attempt=attempt) for attempt in attempts), sqs=sqs)
    waited = {
        attempt: [
            entry["VisibilityTimeout"]
            for entries in sqs.postponed
            for entry in entries
            if entry["ReceiptHandle"] == f"handle-message-w{attempt}"
        ]
        for attempt in attempts
    }
    for attempt, longest in zip(attempts, [10, 40, 160, 900], strict=True):
        assert len(waited[attempt]) == 100
        assert all(1 <= seconds <= longest for seconds in waited[attempt])
        assert max(waited[attempt]) > longest / 2


@pytest.mark.parametrize("trouble", [Outcome(Kind.RETRY, "E", "why", 77), SinkDown("why", retry_after=77)])
def test_a_message_waits_as_long_as_the_sink_asks(trouble: Outcome | Exception) -> None:
    sqs = Sqs()
    assert consume(Memory(a=trouble), sqs_record("a"), sqs=sqs) == ["message-a"]
    assert sqs.delays() == {"handle-message-a": 77}


def test_a_message_that_sqs_does_not_postpone_fails_no_other(caplog: pytest.LogCaptureFixture) -> None:
    records = [sqs_record("a"), sqs_record("b"), sqs_record("c")]
    for sqs in (Sqs(error=REJECTED), Sqs(failed=("handle-message-b",))):
        sink = Memory(b=BUSY)
        assert consume(sink, *records, sqs=sqs) == ["message-b"]
        assert list(sink.stored) == ["a", "c"]
    errors = [vars(line)["error"] for line in caplog.records if line.message == "not postponed"]
    assert errors == [str(REJECTED), "ReceiptHandleIsInvalid"]


def test_a_poison_message_goes_to_the_dead_letter_queue_at_once_with_its_reason() -> None:
    dead_letters = Sqs()

    failed = consume(Memory(b=POISON), sqs_record("a"), sqs_record("b", body=b"\xff"), dead_letters=dead_letters)

    (dead_letter,) = dead_letters.sent
    told = attributes(dead_letter)
    assert failed == []
    assert dead_letter["QueueUrl"] == "http://sqs/DeadLetters"
    assert (told["error"], told["reason"]) == ("TooLarge", "the item is too large")
    assert message.read(record(dead_letter["MessageBody"], told["webhook"])).body == b"\xff"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("a\x00b\x1b[0m\ud800\uffff", "a\ufffdb\ufffd[0m\ufffd\ufffd"),
        ("😀" * 2000, "😀" * 1024),
        ("", "TooLarge"),
    ],
    ids=["characters that SQS rejects", "too long", "empty"],
)
def test_a_reason_is_changed_so_that_sqs_accepts_it(reason: str, told: str) -> None:
    dead_letters = Sqs()
    trouble = Outcome(Kind.PERMANENT, "TooLarge", reason)
    assert consume(Memory(a=trouble), sqs_record("a"), dead_letters=dead_letters) == []
    assert attributes(dead_letters.sent[0])["reason"] == told


@pytest.mark.parametrize(
    ("room", "told"),
    [
        (100, {"error": "TooLarge", "reason": "the item is too large"}),
        (39, {"error": "TooLarge", "reason": "the item"}),
        (31, {"error": "TooLarge"}),
        (11, {}),
        (0, {}),
    ],
)
def test_a_dead_letter_has_as_much_of_its_reason_as_a_message_holds(room: int, told: dict[str, str]) -> None:
    fixed = message.size("", sqs_record("a")["messageAttributes"]["webhook"]["stringValue"])
    body = b"x" * (MAX_MESSAGE_BYTES - fixed - room)
    dead_letters = Sqs()
    assert consume(Memory(a=POISON), sqs_record("a", body=body), dead_letters=dead_letters) == []
    (dead_letter,) = dead_letters.sent
    written = attributes(dead_letter)
    assert message.read(record(dead_letter["MessageBody"], written.pop("webhook"))).body == body
    assert written == told


def test_a_message_that_was_dead_lettered_before_gets_its_new_reason() -> None:
    """After a redrive, the message has the attributes of the first time."""
    again = sqs_record("a")
    again["messageAttributes"] |= {
        "error": {"stringValue": "Old", "dataType": "String"},
        "reason": {"stringValue": "old", "dataType": "String"},
        "trace": {"stringValue": "kept", "dataType": "String"},
        "raw": {"binaryValue": "AA==", "dataType": "Binary"},
    }
    dead_letters = Sqs()
    assert consume(Memory(a=POISON), again, dead_letters=dead_letters) == []
    told = attributes(dead_letters.sent[0])
    assert (told["error"], told["reason"], told["trace"]) == ("TooLarge", "the item is too large", "kept")
    assert dead_letters.sent[0]["MessageAttributes"]["raw"] == {"DataType": "Binary", "BinaryValue": b"\0"}


@pytest.mark.parametrize(("own", "names"), [(7, {"error", "reason"}), (8, {"error"}), (9, set())])
def test_a_dead_letter_keeps_its_attributes_and_has_its_reason_if_sqs_has_room(own: int, names: set[str]) -> None:
    record = sqs_record("a")
    more = {f"own-{number}": {"stringValue": "x", "dataType": "String"} for number in range(own)}
    record["messageAttributes"] |= more
    dead_letters = Sqs()
    assert consume(Memory(a=POISON), record, dead_letters=dead_letters) == []
    sent = set(dead_letters.sent[0]["MessageAttributes"])
    assert sent == more.keys() | {"webhook"} | names


def test_a_dead_letter_queue_of_smaller_messages_gets_as_much_of_the_reason_as_it_holds() -> None:
    fixed = message.size("", sqs_record("a")["messageAttributes"]["webhook"]["stringValue"])
    dead_letters = Sqs(holds=fixed + 131)
    consumer = Consumer(
        Memory(a=POISON), Redelivery(Sqs(), "", Backoff(1, 1)), DeadLetters(dead_letters, "dead_letters")
    )
    for _ in range(2):
        event = {"Records": [sqs_record("a", body=b"x" * 100)]}
        assert consumer.handle(event, Invocation()) == {"batchItemFailures": []}
    assert [attributes(dead_letter).keys() - {"webhook"} for dead_letter in dead_letters.sent] == [{"error"}] * 2
    assert dead_letters.rejected == 1


def test_a_message_that_the_dead_letter_queue_does_not_hold_is_retried() -> None:
    dead_letters = Sqs(holds=10)
    assert consume(Memory(a=POISON), sqs_record("a", body=b"x" * 100), dead_letters=dead_letters) == ["message-a"]
    assert dead_letters.sent == []


def test_a_record_without_attributes_is_dead_lettered_and_an_event_without_records_is_answered() -> None:
    record = sqs_record("a")
    del record["messageAttributes"]
    dead_letters = Sqs()
    assert consume(Memory(), record, sqs_record("b"), dead_letters=dead_letters) == []
    assert attributes(dead_letters.sent[0])["error"] == "MalformedMessage"
    assert consume(Memory()) == []


def test_a_group_of_a_standard_queue_is_kept_without_a_deduplication_id() -> None:
    """A standard queue may have groups, for fairness, but rejects a deduplication id."""
    dead_letters = Sqs()
    assert consume(Memory(a=POISON), sqs_record("a", group="tenant"), dead_letters=dead_letters) == []
    assert dead_letters.sent[0]["MessageGroupId"] == "tenant"
    assert "MessageDeduplicationId" not in dead_letters.sent[0]


@pytest.mark.parametrize("body", ["hello", "\ud800"])
def test_a_message_that_no_ingress_wrote_goes_to_the_dead_letter_queue(body: str) -> None:
    sink, dead_letters = Memory(), Sqs()
    assert consume(sink, record(body, None), dead_letters=dead_letters) == []
    assert attributes(dead_letters.sent[0])["error"] == "MalformedMessage"
    assert sink.calls == []


def test_a_poison_message_is_retried_if_no_dead_letter_queue_accepts_it() -> None:
    assert consume(Memory(a=POISON), sqs_record("a"), dead_letters=Sqs(error=REJECTED)) == ["message-a"]
    assert consume(Memory(a=POISON), sqs_record("a")) == ["message-a"]


@pytest.mark.parametrize("trouble", [BUSY, DOWN, RuntimeError("a defect")])
def test_the_last_attempt_that_fails_ends_in_the_dead_letter_queue_with_its_reason(
    trouble: Outcome | Exception,
) -> None:
    dead_letters, sqs = Sqs(), Sqs()
    records = [sqs_record("b", attempt=3), sqs_record("a", attempt=2)]
    failed = consume(Memory(a=trouble, b=trouble), *records, sqs=sqs, dead_letters=dead_letters, max_receive_count=3)
    assert failed == ["message-a"]
    assert list(sqs.delays()) == ["handle-message-a"]
    (dead_letter,) = dead_letters.sent
    told = attributes(dead_letter)
    assert "id=b" in told["webhook"]
    assert told["error"] in ("Throttled", "ConnectionError", "RuntimeError")
    assert told["reason"] in ("too many at once", "no connection", "the sink raised an unexpected error")


def test_the_last_attempt_is_retried_if_no_dead_letter_queue_accepts_it() -> None:
    for dead_letters in (None, Sqs(error=REJECTED)):
        last = sqs_record("a", attempt=3)
        assert consume(Memory(a=BUSY), last, dead_letters=dead_letters, max_receive_count=3) == ["message-a"]


def test_a_sink_that_is_down_is_left_alone_and_outcomes_stay() -> None:
    sink, dead_letters = Memory(b=POISON, c=DOWN), Sqs()
    failed = consume(sink, *(sqs_record(id) for id in "abcde"), dead_letters=dead_letters)
    assert failed == ["message-c", "message-d", "message-e"]
    assert list(sink.stored) == ["a"]
    assert len(dead_letters.sent) == 1
    assert sink.calls == [["a", "b", "c", "d", "e"]]


def test_an_unexpected_error_of_a_sink_is_logged_and_outcomes_stay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Memory(b=RuntimeError("a defect"))
    assert consume(sink, *(sqs_record(id) for id in "abc")) == ["message-b", "message-c"]
    assert list(sink.stored) == ["a"]
    (line,) = [line for line in caplog.records if line.message == "the sink failed"]
    assert line.exc_info
    assert isinstance(line.exc_info[1], RuntimeError)


def test_a_sink_that_gives_too_few_outcomes_has_not_stored_the_others() -> None:
    class Short(Memory):
        def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
            return super().store(webhooks[:1], deadline)

    assert consume(Short(), sqs_record("a"), sqs_record("b")) == ["message-b"]


class TestFifo:
    def test_nothing_overtakes_a_message_that_is_retried(self) -> None:
        sink = Memory(b=BUSY)
        records = [sqs_record(id, **FIFO) for id in "abc"]
        assert consume(sink, *records) == ["message-b", "message-c"]
        assert list(sink.stored) == ["a"]

    def test_messages_behind_one_that_is_retried_wait_as_long(self) -> None:
        sqs = Sqs()
        records = [sqs_record(id, **FIFO, attempt=attempt) for id, attempt in zip("abcd", [1, 4, 1, 9], strict=True)]
        consume(Memory(b=BUSY), *records, sqs=sqs, initial=100)
        delays = sqs.delays()
        assert list(delays) == ["handle-message-b", "handle-message-c", "handle-message-d"]
        assert len(set(delays.values())) == 1

    def test_a_poison_message_stops_no_other_once_it_is_dead_lettered(self) -> None:
        sink, dead_letters = Memory(b=POISON), Sqs()
        records = [sqs_record(id, **FIFO) for id in "abc"]
        assert consume(sink, *records, dead_letters=dead_letters) == []
        assert list(sink.stored) == ["a", "c"]
        assert dead_letters.sent[0]["MessageGroupId"] == "webhook"
        assert dead_letters.sent[0]["MessageDeduplicationId"] == "message-b"

    def test_a_poison_message_stops_the_others_if_no_dead_letter_queue_accepts_it(self) -> None:
        sink = Memory(b=POISON)
        records = [sqs_record(id, **FIFO) for id in "abc"]
        assert consume(sink, *records, dead_letters=Sqs(error=REJECTED)) == ["message-b", "message-c"]
        assert list(sink.stored) == ["a"]

    def test_a_message_that_is_retried_holds_its_group_alone(self) -> None:
        sink, sqs = Memory(b1=BUSY), Sqs()
        ids = ["a1", "b1", "c1", "b2", "a2", "b3", "c2"]
        records = [sqs_record(id, queue=FIFO["queue"], group=id[0]) for id in ids]
        assert consume(sink, *records, sqs=sqs) == ["message-b1", "message-b2", "message-b3"]
        assert list(sink.stored) == ["a1", "c1", "a2", "c2"]
        assert len(set(sqs.delays().values())) == 1

    def test_a_sink_that_is_down_holds_every_group(self) -> None:
        sink = Memory(b1=DOWN)
        records = [sqs_record(id, queue=FIFO["queue"], group=id[0]) for id in ["a1", "b1", "c1", "b2", "a2"]]
        assert consume(sink, *records) == [f"message-{id}" for id in ["b1", "c1", "b2", "a2"]]
        assert sink.calls == [["a1"], ["b1"]]

    def test_messages_behind_a_last_attempt_that_is_dead_lettered_are_stored(self) -> None:
        sink, dead_letters = Memory(b=BUSY), Sqs()
        records = [sqs_record(id, **FIFO, attempt=3) for id in "abc"]
        assert consume(sink, *records, dead_letters=dead_letters, max_receive_count=3) == []
        assert list(sink.stored) == ["a", "c"]

    @pytest.mark.parametrize("trouble", [DOWN, RuntimeError("a defect")])
    def test_a_sink_that_is_down_is_not_called_again(self, trouble: Exception) -> None:
        sink = Memory(b=trouble)
        assert consume(sink, *(sqs_record(id, **FIFO) for id in "abc")) == ["message-b", "message-c"]
        assert sink.calls == [["a"], ["b"]]

    def test_a_sink_that_is_down_is_not_called_again_after_a_dead_lettered_message(self) -> None:
        """The last try and a foreign message are dead-lettered, so it goes on; the sink is still down."""
        sink, dead_letters = Memory(a=DOWN), Sqs()
        malformed = record("hello", None, **FIFO)
        records = [sqs_record("a", **FIFO, attempt=3), malformed, sqs_record("b", **FIFO), sqs_record("c", **FIFO)]
        failed = consume(sink, *records, dead_letters=dead_letters, max_receive_count=3)
        assert failed == ["message-b", "message-c"]
        assert sink.calls == [["a"]]
        assert [attributes(dead_letter)["error"] for dead_letter in dead_letters.sent] == [
            "ConnectionError",
            "MalformedMessage",
        ]


def test_every_message_and_the_batch_have_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = Memory(b=BUSY, c=POISON)

    records = [sqs_record(id, body=b"secret") for id in "abc"]
    consume(sink, sqs_record("a", "again"), *records, dead_letters=Sqs())

    lines = [(line.message, vars(line).get("id"), vars(line).get("request_id")) for line in caplog.records]
    assert lines == [
        ("stored", "a", "request-a"),
        ("duplicate", "a", "request-a"),
        ("failed", "b", "request-b"),
        ("dead-lettered", "c", "request-c"),
        ("batch", None, None),
    ]
    failed, dead = vars(caplog.records[2]), vars(caplog.records[3])
    assert (failed["error"], failed["reason"], failed["attempt"]) == ("Throttled", "too many at once", 1)
    assert 1 <= failed["retry_in"] <= 10
    assert (dead["error"], dead["reason"]) == ("TooLarge", "the item is too large")
    assert [vars(line)["mount"] for line in caplog.records[:-1]] == ["/"] * 4
    batch = vars(caplog.records[-1])
    assert (batch["size"], batch["stored"], batch["duplicate"], batch["failed"]) == (4, 1, 1, 1)
    assert (batch["retry"], batch["dead-lettered"]) == (1, 1)
    assert batch["started"] <= batch["ended"]
    assert not any("secret" in str(vars(line)) for line in caplog.records)


def oldest(
    caplog: pytest.LogCaptureFixture, *records: dict[str, Any], sink: Memory | None = None, **options: Any
) -> float:
    """Return the age of the oldest message in the line of a batch."""
    caplog.set_level(logging.INFO)
    consume(sink or Memory(), *records, **options)
    (line,) = [line for line in caplog.records if line.message == "batch"]
    return float(vars(line)["oldest"])


def queued(seconds_ago: float, record: dict[str, Any]) -> dict[str, Any]:
    sent = str(round((time.time() - seconds_ago) * 1000))
    return record | {"attributes": record["attributes"] | {"SentTimestamp": sent}}


def test_a_batch_tells_the_age_of_its_oldest_message_whatever_became_of_it(caplog: pytest.LogCaptureFixture) -> None:
    records = [queued(seconds, sqs_record(id)) for id, seconds in [("a", 5), ("b", 7200), ("c", 60)]]
    assert 7200 <= oldest(caplog, *records, sink=Memory(b=BUSY)) < 7300


@pytest.mark.parametrize(
    "made",
    [
        lambda: queued(3600, record("hello", None)),
        lambda: queued(3600, sqs_record("a", **FIFO)),
        lambda: queued(3600, sqs_record("a", attempt=400)),
    ],
    ids=["malformed", "FIFO", "received often"],
)
def test_the_age_of_any_message_counts(made: Callable[[], dict[str, Any]], caplog: pytest.LogCaptureFixture) -> None:
    assert 3600 <= oldest(caplog, made(), dead_letters=Sqs()) < 3700


def test_a_message_from_a_clock_that_is_ahead_has_no_negative_age(caplog: pytest.LogCaptureFixture) -> None:
    assert oldest(caplog, queued(-60, sqs_record("a"))) == 0


def test_a_message_without_a_time_does_not_make_the_others_older(caplog: pytest.LogCaptureFixture) -> None:
    timeless = sqs_record("a")
    del timeless["attributes"]["SentTimestamp"]
    assert 10 <= oldest(caplog, timeless, queued(10, sqs_record("b"))) < 100


def test_a_batch_without_messages_or_times_has_no_age(caplog: pytest.LogCaptureFixture) -> None:
    assert oldest(caplog) == 0


def test_an_error_of_the_dead_letter_queue_is_in_the_log_line_of_the_message(caplog: pytest.LogCaptureFixture) -> None:
    consume(Memory(a=POISON), sqs_record("a"), dead_letters=Sqs(error=REJECTED))
    (line,) = [line for line in caplog.records if line.message == "failed"]
    assert vars(line)["dead_letter_queue_error"] == f"http://sqs/DeadLetters: {REJECTED}"
    assert vars(line)["error"] == "TooLarge"


@pytest.mark.parametrize(
    ("size", "late", "failed", "looks"),
    [(100, {7}, [], 101), (100, set(range(1, 102)), list(range(100)), 100), (10, {7}, [6], 10)],
    ids=[
        "a late one in a large batch has another turn",
        "if all are late there is no time for another turn",
        "longer than any pause",
    ],
)
def test_a_look_that_is_late_by_a_pause_of_the_machine_is_no_fault_of_the_webhook(
    size: int, late: set[int], failed: list[int], looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0

    @contextmanager
    def look(_deadline: Deadline, _behind: int = 0) -> Iterator[None]:
        nonlocal begun
        begun += 1
        if begun in late:
            raise SinkDown("late")
        yield

    monkeypatch.setattr(Deadline, "look", look)
    assert consume(Memory(), *(sqs_record(str(n)) for n in range(size))) == [f"message-{n}" for n in failed]
    assert begun == looks


class Signed:
    """A source that verifies by a header, as long as there is a secret."""

    def __init__(self, *, secret: bool = True) -> None:
        self._secret = secret

    def prepare(self) -> None:
        """There is nothing to read first."""

    def admit(self, webhook: Webhook, queued_at: float) -> Webhook | Answer:
        if not self._secret:
            raise NoSecret("ConnectTimeoutError")
        if "X-Signature" not in webhook.headers:
            raise Unverified("The header X-Signature must be there, and once.")
        if webhook.headers["X-Signature"] == "of a new secret":
            raise Unverified("It does not match.", sure=False)
        if webhook.body == b"are you there?":
            return Answer("yes")
        return webhook._replace(id=webhook.headers.get("X-Order", webhook.id))


class TestSource:
    """Behind an ingress that does not verify, the consumer does."""

    def record(self, id: str, *headers: tuple[str, str]) -> dict[str, Any]:
        (record,) = sqs_event(a_webhook(b"{}", id=id, headers=headers))["Records"]
        return dict(record)

    def consume(self, source: Any, *records: dict[str, Any]) -> tuple[Memory, Sqs, dict[str, Any]]:
        sink, sqs = Memory(), Sqs()
        consumer = Consumer(
            sink,
            Redelivery(sqs, "queue", Backoff(10, 900)),
            DeadLetters(sqs, "dead_letters"),
            sources=Sources({"/": source, "/open": None}),
        )
        return sink, sqs, consumer.handle({"Records": records}, Invocation())

    def test_an_unsigned_webhook_is_dead_lettered_and_never_reaches_the_sink(self) -> None:
        good, bad = self.record("a", ("X-Signature", "1")), self.record("b")
        sink, sqs, answer = self.consume(Signed(), good, bad)
        assert list(sink.stored) == ["a"]
        assert answer == {"batchItemFailures": []}
        (dead_letter,) = sqs.sent
        assert attributes(dead_letter)["error"] == "Unverified"
        assert attributes(dead_letter)["reason"] == "The header X-Signature must be there, and once."

    def test_the_log_names_the_secret_that_a_signature_does_not_match(self, caplog: pytest.LogCaptureFixture) -> None:
        class Asked(Signed):
            def admit(self, webhook: Webhook, queued_at: float) -> Webhook | Answer:
                sure = "X-Surely" in webhook.headers
                raise Mismatched("It does not match.", sure=sure, secret="arn:of:the:secret")

        records = [self.record("a"), self.record("b", ("X-Surely", "1"))]
        _, sqs, _ = self.consume(Asked(), *records)
        lines = [vars(line) for line in caplog.records if "secret" in vars(line)]
        told = {(line["message"], line["id"], line["secret"]) for line in lines}
        assert told == {("failed", "a", "arn:of:the:secret"), ("dead-lettered", "b", "arn:of:the:secret")}
        (dead_letter,) = sqs.sent
        assert attributes(dead_letter)["reason"] == "It does not match. The secret is arn:of:the:secret."

    def test_the_providers_own_id_makes_a_delivery_unique(self) -> None:
        records = [self.record(id, ("X-Signature", "1"), ("X-Order", "7")) for id in ("a", "b")]
        sink, _, _ = self.consume(Signed(), *records)
        assert list(sink.stored) == ["7"]

    @pytest.mark.parametrize(("arrived", "signed"), [(b"{}", b""), (b"", b"{}"), (b"{}", b"{}"), (b"", b"")])
    def test_an_absent_payload_and_an_empty_object_are_what_their_provider_signed(
        self, arrived: bytes, signed: bytes
    ) -> None:
        """The template of a direct integration cannot tell them apart."""

        class Payloads(Signed):
            def admit(self, webhook: Webhook, queued_at: float) -> Webhook:
                if webhook.body != signed:
                    raise Unverified("It does not match.")
                return webhook

        messages = [a_webhook(body, id=id) for body, id in ((arrived, "a"), (b"{ }", "b"))]
        sink, sqs, answer = self.consume(Payloads(), *sqs_event(*messages)["Records"])
        assert list(sink.stored) == ["a"]
        assert sink.stored["a"].body == signed
        assert answer == {"batchItemFailures": []}
        assert attributes(sqs.sent[0])["reason"] == "It does not match."

    def test_each_endpoint_has_its_own_provider(self) -> None:
        messages = [a_webhook(b"{}", id=id)._replace(mount=mount) for id, mount in [("a", "/open"), ("b", "/unheard")]]
        sink, sqs, answer = self.consume(Signed(), *sqs_event(*messages)["Records"])
        assert list(sink.stored) == ["a"]
        # The endpoint may be newer than this function.
        assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == [messages[1].message_id]
        assert sqs.sent == []

    def test_a_handshake_is_no_webhook(self) -> None:
        (record,) = sqs_event(a_webhook(b"are you there?", headers=[("X-Signature", "1")]))["Records"]
        sink, sqs, answer = self.consume(Signed(), record)
        assert sink.calls == []
        assert answer == {"batchItemFailures": []}
        assert attributes(sqs.sent[0])["error"] == "Handshake"

    def test_a_signature_with_a_secret_that_may_be_new_is_retried(self) -> None:
        sink, sqs, answer = self.consume(Signed(), self.record("a", ("X-Signature", "of a new secret")))
        assert sink.calls == []
        assert len(answer["batchItemFailures"]) == 1
        assert sqs.sent == []

    def test_in_a_fifo_queue_an_unsigned_webhook_causes_no_call_of_a_sink_that_is_down(self) -> None:
        signed = ("X-Signature", "1")
        records = [self.record("a", signed), self.record("b"), self.record("c", signed)]
        for each in records:
            each["eventSourceARN"] = f"{ARN}.fifo"
            each["attributes"] |= {"MessageGroupId": "webhook", "ApproximateReceiveCount": "3"}
        sink, sqs = Memory(a=DOWN), Sqs()
        redelivery, dead_letters = Redelivery(sqs, "queue", Backoff(10, 900)), DeadLetters(sqs, "dead_letters")
        source: Any = Signed()
        consumer = Consumer(sink, redelivery, dead_letters, max_receive_count=3, sources=Sources({"/": source}))
        assert consumer.handle({"Records": records}, Invocation()) == {"batchItemFailures": []}
        assert sink.calls == [["a"]]
        errors = [attributes(dead_letter)["error"] for dead_letter in sqs.sent]
        assert errors == ["ConnectionError", "Unverified", "ConnectionError"]

    def test_without_the_secret_everything_waits(self) -> None:
        sink, sqs, answer = self.consume(Signed(secret=False), self.record("a", ("X-Signature", "1")))
        assert sink.calls == []
        assert len(answer["batchItemFailures"]) == 1
        assert sqs.sent == []
        assert len(sqs.postponed) == 1


class Unsigned(Signed):
    """Unsigned webhooks are certainly rejected. A signature may be of a new secret, so wait for that."""

    def __init__(self, *, after: float = 0) -> None:
        super().__init__()
        self.waited = 0.0
        self._after = after

    def admit(self, webhook: Webhook, queued_at: float) -> Webhook | Answer:
        if webhook.headers.get("X-Signature") == "unknown":
            left = self._after - self.waited
            wait = left if left > 0 else None
            raise Mismatched("It does not match.", sure=wait is None, secret="arn", retry_after=wait)
        return super().admit(webhook, queued_at)


class TestUnverified:
    """Webhooks that are certainly unverified go to their own queue, and never to the dead-letter queue."""

    def record(self, id: str, signature: str | None = None, body: bytes = b"{}", **attributes: str) -> dict[str, Any]:
        headers = [] if signature is None else [("X-Signature", signature)]
        (record,) = sqs_event(a_webhook(body, id=id, headers=headers))["Records"]
        record["attributes"] |= attributes
        return dict(record)

    def consume(
        self,
        *records: dict[str, Any],
        source: Any = None,
        unverified: Sqs | None = None,
        last: int = 5,
        fifo: bool = False,
    ) -> tuple[list[str], list[dict[str, Any]], list[dict[str, Any]], Sqs]:
        """Return the stored ids, the unverified messages, those in the dead-letter queue, and those to retry."""
        sink, dead_letters, aside, sqs = Memory(), Sqs(), unverified or Sqs(), Sqs()
        if fifo:
            for record in records:
                record["eventSourceARN"] = f"{ARN}.fifo"
                record["attributes"] |= {"MessageGroupId": "webhook"}
        sources = Sources({"/": source or cast(Any, Unsigned())})
        consumer = Consumer(
            sink,
            Redelivery(sqs, "queue", Backoff(100, 900)),
            DeadLetters(dead_letters, "dead_letters"),
            last,
            sources,
            unverified=DeadLetters(aside, "unverified", in_order=False),
        )
        consumer.handle({"Records": records}, Invocation())
        return list(sink.stored), aside.sent, dead_letters.sent, sqs

    def test_an_unverified_webhook_goes_to_its_queue_with_the_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        stored, aside, dead_letters, sqs = self.consume(
            self.record("a", "1"), self.record("b"), self.record("c", "unknown")
        )
        assert stored == ["a"]
        assert dead_letters == []
        assert sqs.postponed == []
        reasons = [attributes(each)["reason"] for each in aside]
        assert reasons == ["The header X-Signature must be there, and once.", "It does not match. The secret is arn."]
        assert {attributes(each)["error"] for each in aside} == {"Unverified"}
        assert [line.message for line in caplog.records if line.levelname == "WARNING"] == ["unverified"] * 2

    def test_a_handshake_that_cannot_be_answered_is_unverified(self) -> None:
        _, aside, dead_letters, _ = self.consume(self.record("a", "1", b"are you there?"))
        assert dead_letters == []
        assert [attributes(each)["error"] for each in aside] == ["Handshake"]

    def test_an_unverified_message_of_a_fifo_queue_goes_to_a_standard_one_and_stops_no_other(self) -> None:
        stored, aside, _, _ = self.consume(self.record("a"), self.record("b", "1"), fifo=True)
        assert stored == ["b"]
        # A standard queue takes the group, which a redrive needs.
        assert aside[0]["MessageGroupId"] == "webhook"
        assert "MessageDeduplicationId" not in aside[0]

    @pytest.mark.parametrize(("attempt", "dead"), [("4", 0), ("5", 1)])
    def test_if_the_unverified_queue_fails_messages_are_retried_and_then_dead_lettered(
        self, attempt: str, dead: int
    ) -> None:
        record = self.record("a", ApproximateReceiveCount=attempt)
        _, _, dead_letters, sqs = self.consume(record, unverified=Sqs(REJECTED))
        assert len(dead_letters) == dead
        assert len(sqs.postponed) == 1 - dead

    def test_a_webhook_that_is_uncertain_at_its_last_try_goes_to_the_unverified_queue(self) -> None:
        record = self.record("a", "unknown", ApproximateReceiveCount="5")
        _, aside, dead_letters, _ = self.consume(record, source=Unsigned(after=7))
        assert (len(aside), dead_letters) == (1, [])

    def test_an_uncertain_webhook_is_retried_when_its_secret_is_certain(self) -> None:
        for attempt in ("1", "4"):
            record = self.record("a", "unknown", ApproximateReceiveCount=attempt)
            *_, sqs = self.consume(record, source=Unsigned(after=6.2))
            assert list(sqs.delays().values()) == [7]

    def test_in_a_fifo_queue_the_consumer_waits_for_certainty_once_a_batch(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, waits = Unsigned(after=0.7), []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            source.waited += seconds

        monkeypatch.setattr(time, "sleep", sleep)
        records = [
            self.record("a", "unknown"),
            self.record("b", "1"),
            self.record("c", "unknown"),
            self.record("d", "1"),
        ]
        stored, aside, dead_letters, sqs = self.consume(*records, source=source, fifo=True)
        assert stored == ["b", "d"]
        assert (len(aside), dead_letters, sqs.postponed) == (2, [], [])
        assert waits == [0.7]
