"""Publisher and consumer drop webhooks that no event filter matches."""

import hmac
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.filters import EventFilters
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Outcome, SinkDown
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sources.schemes import Hmac
from webhook_runtime.sources.source import Source, Sources
from webhook_runtime.testing import sqs_event, webhook

from .doubles import Invocation, Sqs
from .events import REQUEST_ID, record, request

FILTERS = EventFilters({"/": [{"headers": {"x-event": ["push"]}, "body": {"ref": [{"prefix": "refs/heads/"}]}}]})
PUSH = ("X-Event", "push")
WANTED, UNWANTED = b'{"ref": "refs/heads/main"}', b'{"ref": "refs/tags/secret"}'


class Shared:
    """A shared secret."""

    def current(self) -> list[str]:
        return ["shh"]

    def are_newer_than(self, at: float) -> bool:
        return True


def signed() -> Sources:
    secrets: Any = Shared()
    return Sources({"/": Source(Hmac(header="X-Signature", id_field="ref"), secrets)})


def signature(body: bytes) -> tuple[str, str]:
    return "X-Signature", hmac.new(b"shh", body, "sha256").hexdigest()


class TestThePublisher:
    """The publisher accepts a dropped webhook, and does not send it to SQS."""

    def handle(
        self, body: bytes, *headers: tuple[str, str], sqs: Sqs, sources: Sources | None = None
    ) -> tuple[int, Any]:
        publisher = Publisher(PublisherSettings("http://sqs/Queue", None), sqs, sources, FILTERS)
        answer = publisher.handle(request(body, headers=list(headers)), None)
        return answer["statusCode"], json.loads(answer["body"])

    def test_queues_webhooks_with_a_match(self) -> None:
        sqs = Sqs()
        assert self.handle(WANTED, PUSH, sqs=sqs) == (202, {"id": REQUEST_ID})
        assert len(sqs.sent) == 1

    def test_acknowledges_webhooks_that_it_drops(self) -> None:
        # Even if it is too large for a message.
        for body, headers in ((UNWANTED, [PUSH]), (WANTED, []), (b"", [PUSH]), (b"\xff" * 1_100_000, [PUSH])):
            sqs = Sqs()
            assert self.handle(body, *headers, sqs=sqs) == (202, {"id": REQUEST_ID})
            assert sqs.sent == []

    def test_says_so_in_one_line_without_the_payload(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "webhook")
        self.handle(UNWANTED, PUSH, sqs=Sqs())
        (line,) = map(vars, caplog.records)
        assert (line["message"], line["id"], line["request_id"]) == ("dropped", REQUEST_ID, REQUEST_ID)
        assert (line["method"], line["path"], line["bytes"]) == ("POST", "/hello", len(UNWANTED))
        assert "secret" not in str(line)

    def test_verifies_first(self) -> None:
        sqs = Sqs()
        assert self.handle(UNWANTED, PUSH, sqs=sqs, sources=signed())[0] == 401
        answer = self.handle(UNWANTED, PUSH, signature(UNWANTED), sqs=sqs, sources=signed())
        assert answer == (202, {"id": "refs/tags/secret"})
        assert sqs.sent == []


class Memory:
    """A sink that keeps webhooks, or is down."""

    def __init__(self, down: bool = False) -> None:
        self.asked: list[str] = []
        self._down = down

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        self.asked.extend(webhook.id for webhook in webhooks)
        if self._down:
            raise SinkDown("no connection")
        yield from [STORED] * len(webhooks)


class TestTheConsumer:
    """The consumer finishes a dropped webhook, without its sink."""

    def consume(
        self, *records: dict[str, Any], sources: Sources | None = None, down: bool = False
    ) -> tuple[list[str], list[str], Sqs]:
        """Return the calls of the sink, the messages to retry, and the calls of SQS."""
        sink, sqs = Memory(down), Sqs()
        redelivery, dead_letters = (
            Redelivery(sqs, "http://sqs/Queue", Backoff(10, 900)),
            DeadLetters(sqs, "http://sqs/Dead"),
        )
        consumer = Consumer(sink, redelivery, dead_letters, sources=sources, event_filters=FILTERS)
        answer = consumer.handle({"Records": list(records)}, Invocation())
        return sink.asked, [failure["itemIdentifier"] for failure in answer["batchItemFailures"]], sqs

    def record(self, id: str, body: bytes, *headers: tuple[str, str], fifo: bool = False) -> dict[str, Any]:
        made: dict[str, Any]
        (made,) = sqs_event(webhook(body, id=id, headers=[PUSH, *headers]))["Records"]
        if fifo:
            made["eventSourceARN"] += ".fifo"
            made["attributes"]["MessageGroupId"] = "webhook"
        return made

    def test_stores_webhooks_with_a_match_and_finishes_the_rest(self) -> None:
        records = [self.record("a", UNWANTED), self.record("b", WANTED), self.record("c", b"\xff")]
        assert self.consume(*records)[:2] == (["b"], [])

    def test_counts_dropped_webhooks_and_reports_none_as_failed(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "webhook")
        _, _, sqs = self.consume(self.record("a", UNWANTED), self.record("b", WANTED))
        assert (sqs.sent, sqs.postponed) == ([], [])
        dropped, stored, batch = map(vars, caplog.records)
        assert (dropped["message"], dropped["id"], dropped["levelname"]) == ("dropped", "a", "INFO")
        assert (stored["message"], stored["id"]) == ("stored", "b")
        assert (batch["size"], batch["failed"], batch["dropped"], batch["stored"]) == (2, 0, 1, 1)
        assert "secret" not in str(dropped)

    def test_drops_by_the_filters_of_the_endpoint_only(self) -> None:
        by_mount = [webhook(UNWANTED, id=mount, headers=[PUSH]) for mount in ("/", "/other", "/gone")]
        records = sqs_event(*(each._replace(mount=each.id) for each in by_mount))["Records"]
        assert self.consume(*records)[:2] == (["/other", "/gone"], [])

    def test_needs_no_sink_for_dropped_webhooks(self) -> None:
        unwanted = self.record("a", UNWANTED)
        assert self.consume(unwanted, down=True)[:2] == ([], [])
        wanted = self.record("b", WANTED)
        assert self.consume(unwanted, wanted, down=True)[:2] == (["b"], [wanted["messageId"]])

    def test_keeps_the_order_of_a_fifo_queue(self) -> None:
        records = [self.record(id, body, fifo=True) for id, body in zip("abc", (WANTED, UNWANTED, WANTED), strict=True)]
        assert self.consume(*records)[:2] == (["a", "c"], [])
        # Messages behind one that is retried are retried too, and dropped then.
        assert self.consume(*records, down=True)[:2] == (["a"], [each["messageId"] for each in records])

    def test_verifies_first(self) -> None:
        good, unsigned = self.record("a", UNWANTED, signature(UNWANTED)), self.record("b", UNWANTED)
        asked, failed, sqs = self.consume(good, unsigned, sources=signed())
        assert (asked, failed) == ([], [])
        (dead_letter,) = sqs.sent
        assert dead_letter["MessageAttributes"]["error"]["StringValue"] == "Unverified"

    def test_sends_foreign_messages_to_the_dead_letter_queue(self) -> None:
        _, _, sqs = self.consume(record("hello", None))
        (dead_letter,) = sqs.sent
        assert dead_letter["MessageAttributes"]["error"]["StringValue"] == "MalformedMessage"
