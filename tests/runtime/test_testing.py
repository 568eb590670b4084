"""The helpers for a user's tests, and the names that a handler imports."""

import json
from datetime import UTC, datetime, timedelta

import pytest

import webhook_runtime
from webhook_runtime import MalformedMessage, Permanent, RetryAfter, SinkDown, Webhook, read, testing
from webhook_runtime.testing import sqs_event, webhook


def test_the_public_names_are_these_and_all_of_them_are_there() -> None:
    assert webhook_runtime.__all__ == [
        "Answer",
        "Headers",
        "MalformedMessage",
        "Permanent",
        "RetryAfter",
        "SinkDown",
        "Unverified",
        "Webhook",
        "read",
        "stored_payload",
    ]
    for name in webhook_runtime.__all__:
        assert getattr(webhook_runtime, name).__doc__, name


def test_a_webhook_needs_nothing_said() -> None:
    first, second = webhook(), webhook()
    assert (first.method, first.mount, first.path, first.query_string, first.body) == ("POST", "/", "/", "", b"")
    assert dict(first.headers) == {}
    assert first.attempt == 1
    assert datetime.now(UTC) - first.received_at < timedelta(minutes=1)
    assert first.id != second.id
    assert first.request_id != second.request_id
    assert first.message_id != second.message_id


def test_a_webhook_has_the_given_fields() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
    made = webhook(
        "Zoë",
        id="order-7",
        method="PUT",
        path="/orders",
        query=[("a", "1"), ("a", "&=é")],
        headers=[("X-Thing", "1"), ("x-thing", "2")],
        source_ip="203.0.113.9",
        received_at=at,
        attempt=4,
    )
    assert isinstance(made, Webhook)
    assert (made.id, made.method, made.path, made.source_ip) == ("order-7", "PUT", "/orders", "203.0.113.9")
    assert made.query == {"a": ["1", "&=é"]}
    assert made.headers.get_all("X-THING") == ["1", "2"]
    assert (made.text, made.received_at, made.attempt) == ("Zoë", at, 4)


def test_a_webhook_of_an_endpoint_is_at_its_path_unless_another_below_is_said() -> None:
    made, below = webhook(mount="/stripe", id="evt_1"), webhook(mount="/stripe", path="/stripe/eu")
    assert (made.mount, made.path, made.url, made.key) == (
        "/stripe",
        "/stripe",
        "https://example.com/stripe",
        "/stripe#evt_1",
    )
    assert (below.mount, below.path) == ("/stripe", "/stripe/eu")


def test_json_comes_with_its_content_type_unless_another_is_said() -> None:
    value = {"name": "Zoë", "items": [1, None]}
    assert webhook(json=value).json() == value
    assert webhook(json=value).headers["Content-Type"] == "application/json"
    assert webhook(json=[]).body == b"[]"
    assert webhook(json=0).body == b"0"


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAYLOADS = [b"", b"-", b"{}", "Zoë 😀".encode(), b"\x00\xff", bytes(range(256))]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_an_event_has_the_webhooks_as_read_finds_them(payload: bytes) -> None:
    webhooks = [
        webhook(
            payload, id="first", query={"q": "&="}, headers={"X-A": "1"}, received_at=datetime.fromtimestamp(1, UTC)
        ),
        webhook(payload, attempt=7, received_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)),
    ]
    event = sqs_event(*webhooks)
    assert json.loads(json.dumps(event)) == event
    found = [read(record) for record in event["Records"]]
    for each, made in zip(found, webhooks, strict=True):
        assert dict(each.headers) == dict(made.headers)
        assert {**each._asdict(), "headers": None} == {**made._asdict(), "headers": None}
    assert [record["messageId"] for record in event["Records"]] == [each.message_id for each in webhooks]
    assert len({record["receiptHandle"] for record in event["Records"]}) == 2


def test_an_event_of_no_webhook_is_empty() -> None:
    assert sqs_event() == {"Records": []}


def test_a_foreign_message_is_malformed() -> None:
    record = sqs_event(webhook())["Records"][0] | {"messageAttributes": {}}
    with pytest.raises(MalformedMessage):
        read(record)


def test_the_errors_of_a_handler_have_a_reason() -> None:
    assert Permanent("no such customer").reason == "no such customer"
    assert (RetryAfter(30).seconds, RetryAfter(30).reason) == (30, "asked for a retry in 30 seconds")
    assert RetryAfter(30, "maintenance").reason == str(RetryAfter(30, "maintenance")) == "maintenance"
    down = SinkDown("no connection", retry_after=60)
    assert (down.reason, down.retry_after, down.error) == ("no connection", 60, "SinkDown")
    assert SinkDown("no connection").retry_after is None


def test_the_helpers_have_docstrings() -> None:
    assert testing.webhook.__doc__
    assert testing.sqs_event.__doc__
