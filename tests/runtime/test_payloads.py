"""Large payloads: the publisher puts them into S3, the consumer loads them, and a sink keeps them."""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webhook_runtime import MalformedMessage, message, read
from webhook_runtime import consumer as consumers
from webhook_runtime.batch import Batch
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract import limits
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.filters import EventFilters
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind, Outcome, SinkDown
from webhook_runtime.payloads import Payloads
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sources.verification import Unverified
from webhook_runtime.testing import webhook as a_webhook

from .doubles import REJECTED, S3, Invocation, Sqs, client_error, unreachable
from .events import record, request

LARGE = b"x" * 1_100_000
TIMED_OUT = unreachable("ReadTimeoutError", "https://s3")
DOWN = client_error("SlowDown")
FIFO: dict[str, Any] = {"queue": "arn:aws:sqs:us-east-1:000000000000:Queue.fifo", "group": "webhook"}


def publish(s3: S3 | None, body: bytes, sqs: Sqs | None = None) -> tuple[int, Sqs]:
    """Return the status of the response, and the queue."""
    sqs = sqs or Sqs()
    payloads = Payloads(s3, "payloads") if s3 else None
    publisher = Publisher(PublisherSettings("http://sqs/Queue", None), sqs, payloads=payloads)
    answer = publisher.handle(request(body), None)
    assert "message" in json.loads(answer["body"]) or answer["statusCode"] == 202
    return answer["statusCode"], sqs


class TestThePublisher:
    def test_a_payload_that_fits_no_message_is_in_s3_and_its_key_in_the_message(self) -> None:
        s3 = S3()
        status, sqs = publish(s3, LARGE)
        ((key, body),) = s3.objects.items()
        (sent,) = sqs.sent
        assert (status, body, sent["MessageBody"]) == (202, LARGE, key)
        assert re.fullmatch(r"queued/2025/11/13/[0-9a-f]{32}", key)
        webhook, payload_key = message.read_message(record(key, sent["MessageAttributes"]["webhook"]["StringValue"]))
        assert (webhook.path, webhook.body, payload_key) == ("/hello", b"", key)

    @pytest.mark.parametrize("body", [b"", b"x", b"x" * 1_000_000, b"\xff" * 780_000])
    def test_a_payload_that_fits_is_in_the_message(self, body: bytes) -> None:
        s3 = S3()
        status, _ = publish(s3, body)
        assert (status, s3.calls) == (202, [])

    def test_bytes_that_no_message_holds_as_base64_are_in_s3_as_bytes(self) -> None:
        s3 = S3()
        assert publish(s3, b"\xff" * 790_000)[0] == 202
        assert list(s3.objects.values()) == [b"\xff" * 790_000]

    def test_no_two_payloads_have_one_key(self) -> None:
        now = datetime.now(UTC)
        assert len({Payloads.new_key(now) for _ in range(1000)}) == 1000

    def test_without_a_bucket_it_is_rejected(self) -> None:
        status, sqs = publish(None, LARGE)
        assert (status, sqs.sent) == (413, [])

    @pytest.mark.parametrize("holds", [1024, 262_144, 1_000_000])
    def test_a_payload_above_a_smaller_limit_of_the_queue_goes_through_s3_too(self, holds: int) -> None:
        s3, sqs = S3(), Sqs(holds=holds)
        publisher = Publisher(PublisherSettings("queue", None), sqs, payloads=Payloads(s3, "payloads"))
        for size in (holds - 900, holds, holds + 1, holds + 1):
            assert publisher.handle(request(b"x" * size), None)["statusCode"] == 202
        assert len(sqs.sent) == 4
        assert len(s3.objects) == 3
        assert sqs.rejected == 1

    @pytest.mark.parametrize("holds", [1024, 262_144, 1_000_000])
    def test_without_s3_a_large_payload_is_rejected_for_good(self, holds: int) -> None:
        sqs = Sqs(holds=holds)
        publisher = Publisher(PublisherSettings("queue", None), sqs)
        answers = [publisher.handle(request(b"x" * size), None) for size in (holds, holds - 900, holds)]
        assert [answer["statusCode"] for answer in answers] == [413, 202, 413]
        assert "too large" in answers[0]["body"]
        assert sqs.rejected == 1

    @pytest.mark.parametrize("error", [DOWN, TIMED_OUT, client_error("AccessDenied")])
    def test_if_s3_fails_nothing_is_queued_and_the_response_is_an_error(self, error: Exception) -> None:
        status, sqs = publish(S3(error), LARGE)
        assert (status, sqs.sent) == (503, [])

    @pytest.mark.parametrize("error", [REJECTED, unreachable("ConnectTimeoutError", "https://sqs")])
    def test_if_sqs_fails_the_payload_stays_since_sqs_may_have_accepted_the_message(self, error: Exception) -> None:
        s3 = S3()
        status, _ = publish(s3, LARGE, Sqs(error))
        assert (status, s3.calls) == (503, ["PutObject"])


class Memory:
    """A sink that keeps webhooks. `troubles` has errors by id."""

    def __init__(self, **troubles: Outcome | Exception) -> None:
        self.stored: dict[str, bytes] = {}
        self.calls: list[list[str]] = []
        self._troubles = troubles

    def store(self, webhooks: Sequence[Webhook], _deadline: Deadline) -> Iterator[Outcome]:
        self.calls.append([webhook.id for webhook in webhooks])
        for webhook in webhooks:
            trouble = self._troubles.get(webhook.id)
            if isinstance(trouble, Exception):
                raise trouble
            yield trouble or (DUPLICATE if webhook.id in self.stored else STORED)
            if not trouble:
                self.stored.setdefault(webhook.id, webhook.body)


def large(s3: S3, id: str, *, days_ago: float = 0, body: bytes | None = LARGE, **more: Any) -> dict[str, Any]:
    """Return the record of a webhook whose payload is, or was, in S3."""
    webhook = a_webhook(b"", id=id, received_at=datetime.now(UTC) - timedelta(days=days_ago))
    key = f"{limits.QUEUED}{id}"
    if body is not None:
        s3.objects[key] = body
    return record(*message.write(webhook, key), message_id=f"message-{id}", **more)


def small(id: str, **more: Any) -> dict[str, Any]:
    return record(*message.write(a_webhook(b"{}", id=id)), message_id=f"message-{id}", **more)


def consume(
    sink: Any,
    s3: S3 | None,
    *records: dict[str, Any],
    dead_letters: Sqs | None = None,
    tries: int | None = None,
    sources: Any = None,
    event_filters: EventFilters | None = None,
    seconds: Sequence[float] = (),
) -> list[str]:
    """Return the ids of the messages to retry."""
    consumer = Consumer(
        sink,
        Redelivery(Sqs(), "http://sqs/Queue", Backoff(10, 900)),
        DeadLetters(dead_letters, "http://sqs/DeadLetters") if dead_letters else None,
        tries,
        sources,
        event_filters,
        payloads=Payloads(s3, "payloads", 23) if s3 else None,
    )
    answer = consumer.handle({"Records": list(records)}, Invocation(*seconds))
    return [failure["itemIdentifier"].removeprefix("message-") for failure in answer["batchItemFailures"]]


def dead_letter(dead_letters: Sqs) -> tuple[str, str, str]:
    """Return error, reason and body of the only message in the dead-letter queue."""
    (sent,) = dead_letters.sent
    attributes = sent["MessageAttributes"]
    return attributes["error"]["StringValue"], attributes["reason"]["StringValue"], sent["MessageBody"]


class TestTheConsumer:
    def test_the_sink_gets_the_payload_and_the_object_is_deleted_after_that(self) -> None:
        s3, sink = S3(), Memory()
        assert consume(sink, s3, large(s3, "a")) == []
        assert sink.stored == {"a": LARGE}
        assert s3.objects == {}

    def test_large_payloads_go_to_the_sink_one_at_a_time_after_the_others(self) -> None:
        s3, sink = S3(), Memory()
        assert consume(sink, s3, large(s3, "a"), small("b"), large(s3, "c"), small("d")) == []
        assert sink.calls == [["b", "d"], ["a"], ["c"]]

    def test_one_payload_is_in_memory_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        s3 = S3()
        seen: list[Webhook] = []

        class Hoarder(Memory):
            def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
                seen.extend(webhooks)
                return super().store(webhooks, deadline)

        consumer = Consumer(Hoarder(), Redelivery(Sqs(), "", Backoff(1, 1)), payloads=Payloads(s3, "payloads", 23))
        batches: list[Batch] = []
        monkeypatch.setattr(consumers, "Batch", lambda *given: batches.append(made := Batch(*given)) or made)  # type: ignore[func-returns-value]
        answer = consumer.handle({"Records": [large(s3, id) for id in "ab"]}, Invocation())
        assert answer == {"batchItemFailures": []}
        assert [len(webhook.body) for webhook in seen] == [len(LARGE)] * 2
        kept = [message.state.webhook for message in batches[0].messages]
        assert [webhook and webhook.body for webhook in kept] == [b"", b""]

    def test_payloads_are_deleted_in_one_call(self) -> None:
        s3 = S3()
        consume(Memory(), s3, *(large(s3, id) for id in "abc"))
        assert s3.calls == ["GetObject"] * 3 + ["DeleteObjects"]

    def test_a_batch_of_small_payloads_does_not_call_s3(self) -> None:
        s3 = S3()
        assert consume(Memory(), s3, small("a")) == []
        assert s3.calls == []

    def test_in_a_fifo_queue_the_order_is_kept(self) -> None:
        s3, sink = S3(), Memory(c=Outcome(Kind.RETRY, "Busy", "busy"))
        records = [small("a", **FIFO), large(s3, "b", **FIFO), large(s3, "c", **FIFO), small("d", **FIFO)]
        assert consume(sink, s3, *records) == ["c", "d"]
        assert sink.calls == [["a"], ["b"], ["c"]]
        assert list(s3.objects) == ["queued/c"]

    def test_the_payload_of_a_duplicate_is_deleted_too(self) -> None:
        s3, sink = S3(), Memory()
        sink.stored["a"] = b"before"
        assert consume(sink, s3, large(s3, "a")) == []
        assert (sink.stored, s3.objects) == ({"a": b"before"}, {})

    @pytest.mark.parametrize("trouble", [Outcome(Kind.RETRY, "Busy", "busy"), SinkDown("down"), RuntimeError("odd")])
    def test_a_webhook_that_is_not_stored_keeps_its_payload(self, trouble: Outcome | Exception) -> None:
        s3 = S3()
        assert consume(Memory(a=trouble), s3, large(s3, "a")) == ["a"]
        assert s3.objects == {"queued/a": LARGE}

    def test_a_dead_letter_keeps_its_payload(self) -> None:
        s3, dead_letters = S3(), Sqs()
        assert (
            consume(Memory(a=Outcome(Kind.PERMANENT, "Bad", "bad")), s3, large(s3, "a"), dead_letters=dead_letters)
            == []
        )
        assert dead_letter(dead_letters) == ("Bad", "bad", "queued/a")
        assert s3.objects == {"queued/a": LARGE}

    def test_if_the_sink_is_down_neither_it_nor_s3_is_called_again(self) -> None:
        s3, sink = S3(), Memory(a=SinkDown("down"))
        assert consume(sink, s3, small("a"), large(s3, "b"), large(s3, "c")) == ["a", "b", "c"]
        assert (sink.calls, s3.calls) == ([["a"]], [])

    @pytest.mark.parametrize("error", [DOWN, TIMED_OUT, client_error("AccessDenied")])
    def test_when_s3_fails_large_payloads_are_retried_and_small_ones_pass(
        self, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        s3, sink, dead_letters = S3(error), Memory(), Sqs()
        caplog.set_level(logging.INFO, "webhook")
        assert consume(sink, s3, large(s3, "a"), small("b"), large(s3, "c"), dead_letters=dead_letters, tries=5) == [
            "a",
            "c",
        ]
        assert (list(sink.stored), dead_letters.sent, s3.calls) == (["b"], [], ["GetObject"])
        failed = [line for line in caplog.records if line.message == "failed"]
        assert {line.__dict__["id"] for line in failed} == {"a", "c"}
        assert "could not be read from s3://payloads/queued/" in failed[0].__dict__["reason"]

    def test_if_s3_fails_at_the_last_try_the_message_is_dead_lettered_with_the_reason(self) -> None:
        s3, dead_letters = S3(DOWN), Sqs()
        assert consume(Memory(), s3, large(s3, "a", attempt=5), dead_letters=dead_letters, tries=5) == []
        assert dead_letter(dead_letters)[0] == "SlowDown"
        assert s3.objects == {"queued/a": LARGE}

    def test_a_payload_that_is_gone_was_stored_before(self, caplog: pytest.LogCaptureFixture) -> None:
        s3, sink, dead_letters = S3(), Memory(), Sqs()
        caplog.set_level(logging.INFO, "webhook")
        assert consume(sink, s3, large(s3, "a", days_ago=22, body=None), dead_letters=dead_letters) == []
        assert (sink.calls, dead_letters.sent) == ([], [])
        assert [line.message for line in caplog.records][:2] == ["payload gone, so stored before", "duplicate"]

    def test_a_payload_that_may_have_expired_is_dead_lettered(self) -> None:
        s3, dead_letters = S3(), Sqs()
        assert consume(Memory(), s3, large(s3, "a", days_ago=23.01, body=None), dead_letters=dead_letters) == []
        error, reason, _ = dead_letter(dead_letters)
        assert error == "PayloadExpired"
        assert "queued/a" in reason

    def test_an_older_payload_that_still_exists_is_stored(self) -> None:
        s3, sink = S3(), Memory()
        assert consume(sink, s3, large(s3, "a", days_ago=100)) == []
        assert sink.stored == {"a": LARGE}

    def test_an_object_that_cannot_be_deleted_is_a_line_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        s3 = S3(None, DOWN)
        assert consume(Memory(), s3, large(s3, "a")) == []
        assert "payloads not deleted" in [line.message for line in caplog.records]

    def test_each_object_that_is_rejected_is_a_line_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        class Rejecting(S3):
            def delete_objects(self, **call: Any) -> dict[str, Any]:
                return {"Errors": [{"Key": "queued/a", "Code": "AccessDenied"}]}

        s3 = Rejecting()
        assert consume(Memory(), s3, large(s3, "a")) == []
        (line,) = [line for line in caplog.records if line.message == "payloads not deleted"]
        assert line.__dict__["error"] == "AccessDenied"

    def test_a_large_payload_without_time_left_is_retried_at_once(self) -> None:
        s3, sink = S3(), Memory()
        assert consume(sink, s3, large(s3, "a"), large(s3, "b"), seconds=[30, 0.5]) == ["b"]
        assert list(sink.stored) == ["a"]

    def test_a_webhook_is_verified_with_its_payload_from_s3(self) -> None:
        seen: list[int] = []

        class Unknown:
            def prepare(self, mount: str) -> None:
                """There is nothing to read first."""

            def admit(self, webhook: Webhook, queued_at: float) -> Webhook:
                seen.append(len(webhook.body))
                raise Unverified("not signed")

        s3, sink, dead_letters = S3(), Memory(), Sqs()
        assert consume(sink, s3, large(s3, "a"), dead_letters=dead_letters, sources=Unknown()) == []
        assert (seen, sink.calls, dead_letter(dead_letters)[0]) == ([len(LARGE)], [], "Unverified")

    def test_the_payload_of_a_dropped_webhook_is_deleted_without_the_sink(self) -> None:
        s3, sink = S3(), Memory()
        filters = EventFilters({"/": [{"body": {"kind": ["order"]}}]})
        wanted = [large(s3, id, body=b'{"kind": "%s"}' % kind) for id, kind in (("a", b"order"), ("b", b"draft"))]
        assert consume(sink, s3, *wanted, event_filters=filters) == []
        assert (list(sink.stored), s3.objects) == (["a"], {})

    def test_a_consumer_without_the_bucket_dead_letters_a_large_payload(self) -> None:
        dead_letters = Sqs()
        assert consume(Memory(), None, large(S3(), "a"), dead_letters=dead_letters) == []
        assert "large_payloads is off" in dead_letter(dead_letters)[1]

    @pytest.mark.parametrize("body", ["", "secret.txt", "stored/a", "s3://other/queued/a"])
    def test_a_message_that_names_another_object_than_a_queued_payload_is_malformed(self, body: str) -> None:
        s3, dead_letters = S3(), Sqs()
        forged = record(body, message.write(a_webhook(), "queued/a")[1])
        assert consume(Memory(), s3, forged, dead_letters=dead_letters) == []
        assert (dead_letter(dead_letters)[0], s3.calls) == ("MalformedMessage", [])


def test_read_rejects_a_message_whose_payload_is_in_s3() -> None:
    with pytest.raises(MalformedMessage, match="the payload is in S3, at queued/a: only a consumer"):
        read(large(S3(), "a"))


class TestWhatASinkKeeps:
    def test_the_name_of_an_object_has_hashes_of_key_and_payload(self) -> None:
        s3 = S3()
        uri = Payloads(s3, "payloads").keep(a_webhook(b"payload", id="order é", mount="/orders"))
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in ("/orders#order é", "payload")]
        assert uri == f"s3://payloads/stored/{hashes[0]}/{hashes[1]}"
        assert s3.objects == {uri.removeprefix("s3://payloads/"): b"payload"}

    def test_another_payload_under_the_same_key_is_another_object(self) -> None:
        s3 = S3()
        payloads = Payloads(s3, "payloads")
        webhooks = [a_webhook(body, id="a", mount=mount) for mount in ("/", "/b") for body in (b"first", b"second")]
        uris = [payloads.keep(each) for each in webhooks]
        assert [s3.objects[uri.removeprefix("s3://payloads/")] for uri in uris] == [each.body for each in webhooks]
        assert len(s3.objects) == 4

    def test_a_duplicate_overwrites_nothing(self) -> None:
        s3 = S3()
        payloads = Payloads(s3, "payloads")
        uri = payloads.keep(a_webhook(b"first", id="a"))
        (key,) = s3.objects
        s3.objects[key] = b"what is there"
        assert payloads.keep(a_webhook(b"first", id="a")) == uri
        assert s3.objects == {key: b"what is there"}

    @pytest.mark.parametrize(
        ("error", "name"),
        [(client_error("ConditionalRequestConflict"), "ConditionalRequestConflict"), (TIMED_OUT, "ReadTimeoutError")],
    )
    def test_an_s3_that_fails_is_a_sink_that_is_down(self, error: Exception, name: str) -> None:
        with pytest.raises(SinkDown, match="could not be kept at s3://payloads/stored/") as raised:
            Payloads(S3(error), "payloads").keep(a_webhook(b"payload"))
        assert raised.value.error == name
