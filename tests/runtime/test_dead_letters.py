"""The messages of a batch that go to another queue: ten in a call, each exactly once, and none lost."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_runtime.clients import AwsRejected
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.contract.messages import ENTRIES, in_calls, size_of
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.outcome import Kind, Outcome
from webhook_runtime.redelivery import Redelivery

from .doubles import REJECTED, Invocation, Sqs, unreachable
from .test_consumer import BUSY, FIFO, POISON, Memory, attributes, consume, sqs_record
from .world import Killed


def poisoned(count: int, **named: Any) -> tuple[Memory, list[dict[str, Any]]]:
    """Return a sink that rejects webhooks for good, and their messages. The body of each is its id."""
    ids = [f"w{number}" for number in range(count)]
    return Memory(**dict.fromkeys(ids, POISON)), [sqs_record(id, body=id.encode(), **named) for id in ids]


def bodies(sqs: Sqs) -> list[str]:
    return [sent["MessageBody"] for sent in sqs.sent]


@pytest.mark.parametrize(("count", "calls"), [(1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_dead_letters_go_ten_in_a_call(count: int, calls: list[int]) -> None:
    sink, records = poisoned(count)
    dead_letters = Sqs()
    assert consume(sink, *records, dead_letters=dead_letters) == []
    assert dead_letters.batches == calls
    assert bodies(dead_letters) == [f"w{number}" for number in range(count)]
    assert [attributes(sent)["reason"] for sent in dead_letters.sent] == [POISON.reason] * count


def test_a_batch_without_dead_letters_makes_no_call() -> None:
    dead_letters = Sqs()
    assert consume(Memory(b=BUSY), sqs_record("a"), sqs_record("b"), dead_letters=dead_letters) == ["message-b"]
    assert dead_letters.batches == []


@pytest.mark.parametrize(
    ("kilobytes", "calls"),
    [([400, 400, 400], [2, 1]), ([1000, 10, 10], [3]), ([10, 1020, 10], [1, 1, 1]), ([1023, 1023], [1, 1])],
)
def test_a_call_holds_as_many_bytes_as_a_message(kilobytes: list[int], calls: list[int]) -> None:
    records = [sqs_record(str(n), body=b"x" * size * 1024) for n, size in enumerate(kilobytes)]
    dead_letters = Sqs()
    sink = Memory(**{str(n): POISON for n in range(len(records))})
    assert consume(sink, *records, dead_letters=dead_letters) == []
    assert dead_letters.batches == calls
    assert [len(sent["MessageBody"]) // 1024 for sent in dead_letters.sent] == kilobytes


@given(sizes=st.lists(st.integers(0, MAX_MESSAGE_BYTES) | st.integers(0, 1000)))
def test_each_message_is_in_one_call_in_its_order_and_no_call_holds_too_much(sizes: list[int]) -> None:
    calls = list(in_calls((number, size) for number, size in enumerate(sizes)))
    assert [number for call in calls for number in call] == list(range(len(sizes)))
    for call in calls:
        assert 1 <= len(call) <= ENTRIES
        assert sum(sizes[number] for number in call) <= MAX_MESSAGE_BYTES
    # The first of the next call had no room.
    for call, after in pairwise(calls):
        assert len(call) == ENTRIES or sum(sizes[number] for number in [*call, after[0]]) > MAX_MESSAGE_BYTES


@given(rejected=st.sets(st.integers(0, 24)), size=st.integers(1, 25))
def test_each_message_is_retried_or_in_the_other_queue_and_never_both(rejected: set[int], size: int) -> None:
    """SQS takes some entries of a call, and some it does not."""
    sink, records = poisoned(size)
    dead_letters = Sqs(failed=tuple(f"w{number}" for number in rejected))
    failed = consume(sink, *records, dead_letters=dead_letters)
    assert failed == [f"message-w{number}" for number in range(size) if number in rejected]
    assert bodies(dead_letters) == [f"w{number}" for number in range(size) if number not in rejected]


def test_a_message_that_sqs_does_not_take_tells_its_own_reason(caplog: pytest.LogCaptureFixture) -> None:
    sink, records = poisoned(3)
    assert consume(sink, *records, dead_letters=Sqs(failed=("w1",))) == ["message-w1"]
    (line,) = [line for line in caplog.records if line.message == "failed"]
    said = "An error occurred (InternalError) when calling the SendMessageBatch operation: try again"
    assert vars(line)["dead_letter_queue_error"] == f"http://sqs/DeadLetters: {said}"


def test_an_entry_without_an_answer_is_not_taken() -> None:
    class Silent(Sqs):
        def send_message_batch(self, **call: Any) -> dict[str, Any]:
            super().send_message_batch(**call)
            return {}

    sink, records = poisoned(2)
    assert consume(sink, *records, dead_letters=Silent()) == ["message-w0", "message-w1"]


def test_a_queue_that_takes_less_in_a_call_gets_each_message_by_itself() -> None:
    """AWS documents one limit for all queues, and some regions have had a smaller one."""

    class Smaller(Sqs):
        def send_message_batch(self, **call: Any) -> dict[str, Any]:
            if sum(size_of(each["MessageBody"], each["MessageAttributes"]) for each in call["Entries"]) > 262_144:
                self.batches.append(len(call["Entries"]))
                raise AwsRejected({"Error": {"Code": "BatchRequestTooLong", "Message": "too long"}}, "SendMessageBatch")
            return super().send_message_batch(**call)

    dead_letters = Smaller()
    records = [sqs_record(id, body=id.encode() * 100_000) for id in "abc"]
    assert consume(Memory(a=POISON, b=POISON, c=POISON), *records, dead_letters=dead_letters) == []
    assert dead_letters.batches == [3, 1, 1, 1]
    assert [body[0] for body in bodies(dead_letters)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("error", "calls"), [(unreachable("ReadTimeoutError", "http://sqs"), [10]), (REJECTED, [10, *[1] * 10, 2, 1, 1])]
)
def test_a_dead_letter_queue_that_does_not_answer_is_called_once_a_batch(error: Exception, calls: list[int]) -> None:
    sink, records = poisoned(12)
    dead_letters = Sqs(error=error)
    assert len(consume(sink, *records, dead_letters=dead_letters)) == 12
    assert dead_letters.batches == calls


def test_a_dead_letter_queue_is_called_again_in_the_next_batch() -> None:
    dead_letters = Sqs(error=unreachable("ReadTimeoutError", "http://sqs"))
    consumer = Consumer(
        Memory(a=POISON), Redelivery(Sqs(), "queue", Backoff(10, 900)), DeadLetters(dead_letters, "dead_letters")
    )
    for _ in range(2):
        consumer.handle({"Records": [sqs_record("a")]}, Invocation())
    assert dead_letters.batches == [1, 1]


def test_a_batch_with_too_many_dead_letters_for_its_time_reports_its_outcomes() -> None:
    """Otherwise, a queue full of unsigned messages would end all batches without a response."""

    class Slow(Sqs):
        left = 30.0

        def send_message_batch(self, **call: Any) -> dict[str, Any]:
            self.left -= 7
            return super().send_message_batch(**call)

        def get_remaining_time_in_millis(self) -> int:
            return round(self.left * 1000)

    sink, records = poisoned(51)
    dead_letters, sqs = Slow(), Sqs()
    consumer = Consumer(sink, Redelivery(sqs, "queue", Backoff(10, 900)), DeadLetters(dead_letters, "dead_letters"))
    answer = consumer.handle({"Records": [sqs_record("good"), *records]}, dead_letters)
    assert dead_letters.left < 0.5
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert failed == [record["messageId"] for record in records[50:]]
    assert len(dead_letters.sent) == 50


@pytest.mark.parametrize("fifo", [False, True])
def test_a_kill_in_the_middle_loses_no_message(fifo: bool) -> None:
    class Ends(Sqs):
        """Ends the function after the call of a number has been taken, and before its answer."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self._at = at

        def send_message_batch(self, **call: Any) -> dict[str, Any]:
            answer = super().send_message_batch(**call)
            if len(self.batches) == self._at:
                raise Killed
            return answer

    for at in (1, 2, 3):
        sink, records = poisoned(25, **(FIFO if fifo else {}))
        dead_letters = Ends(at)
        with pytest.raises(Killed):
            consume(sink, *records, dead_letters=dead_letters)
        # The visibility timeout ends, and SQS delivers the batch again.
        assert consume(sink, *records, dead_letters=dead_letters) == []
        assert set(bodies(dead_letters)) == {f"w{number}" for number in range(25)}
        if fifo:  # SQS takes one with the same id for the same message
            ids = {sent["MessageDeduplicationId"] for sent in dead_letters.sent}
            assert ids == {f"message-w{number}" for number in range(25)}


class TestFifo:
    def test_a_call_has_one_message_of_a_group(self) -> None:
        """SQS may take the second of a call and not the first."""
        sink, records = poisoned(4, **FIFO)
        dead_letters = Sqs(failed=("message-w1",))
        assert consume(sink, *records, dead_letters=dead_letters) == [f"message-w{number}" for number in (1, 2, 3)]
        assert dead_letters.batches == [1, 1]
        assert bodies(dead_letters) == ["w0"]

    def test_nothing_is_stored_before_the_dead_letter_in_front_of_it_is_safe(self) -> None:
        dead_letters = Sqs(failed=("message-b",))
        sink = Memory(b=POISON)
        records = [sqs_record(id, **FIFO) for id in "abc"]
        assert consume(sink, *records, dead_letters=dead_letters) == ["message-b", "message-c"]
        assert list(sink.stored) == ["a"]


class TestTwoQueues:
    """Messages that are certainly not from their provider have a queue of their own."""

    def consume(
        self, outcomes: Sequence[Outcome], *, unverified: Sqs, dead_letters: Sqs, attempt: int = 1
    ) -> list[str]:
        records = [sqs_record(f"w{n}", body=f"w{n}".encode(), attempt=attempt) for n in range(len(outcomes))]
        consumer = Consumer(
            Memory(**{f"w{n}": outcome for n, outcome in enumerate(outcomes)}),
            Redelivery(Sqs(), "queue", Backoff(10, 900)),
            DeadLetters(dead_letters, "dead_letters"),
            5,
            unverified=DeadLetters(unverified, "unverified", in_order=False),
        )
        answer = consumer.handle({"Records": records}, Invocation())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def test_each_queue_gets_its_messages_in_one_call(self) -> None:
        unverified, dead_letters = Sqs(), Sqs()
        forged = Outcome(Kind.UNVERIFIED, "Unverified", "no signature")
        outcomes = [forged, POISON] * 5
        assert self.consume(outcomes, unverified=unverified, dead_letters=dead_letters) == []
        assert (unverified.batches, dead_letters.batches) == ([5], [5])
        assert bodies(unverified) == ["w0", "w2", "w4", "w6", "w8"]
        assert bodies(dead_letters) == ["w1", "w3", "w5", "w7", "w9"]

    def test_at_the_last_try_the_dead_letter_queue_takes_those_that_the_other_did_not_take(self) -> None:
        unverified, dead_letters = Sqs(failed=("w1",)), Sqs()
        forged = Outcome(Kind.UNVERIFIED, "Unverified", "no signature")
        assert self.consume([forged] * 3, unverified=unverified, dead_letters=dead_letters, attempt=5) == []
        assert bodies(unverified) == ["w0", "w2"]
        assert bodies(dead_letters) == ["w1"]
