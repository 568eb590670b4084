import random
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from webhook_runtime.contract.items import stored_payload
from webhook_runtime.contract.settings import DynamoDBSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Headers, Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind, Outcome, SinkDown
from webhook_runtime.payloads import Payloads
from webhook_runtime.sinks.dynamodb import DynamoDBSink

from ..doubles import S3, Invocation, client_error, of_botocore, unreachable


@pytest.fixture
def dynamodb() -> Iterator[tuple[Any, Stubber]]:
    """Return boto3's own client, which checks each call and response against the service's model."""
    client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield of_botocore(client), stubber
        stubber.assert_no_pending_responses()


def webhook(id: str = "a", body: bytes = b"{}") -> Webhook:
    return Webhook(
        id=id,
        request_id="request",
        method="POST",
        mount="/",
        path="/hello",
        url="https://example.com/hello",
        query_string="a=1",
        headers=Headers([("X-One", "1")]),
        body=body,
        source_ip="203.0.113.7",
        received_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
    )


def store(client: Any, *webhooks: Webhook) -> Iterator[Outcome]:
    sink = DynamoDBSink(DynamoDBSettings(table_name="Webhooks"), client)
    return sink.store(webhooks, Deadline(Invocation()))


def test_an_item_has_all_of_the_webhook(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    columns = (
        "'id': ?, 'delivery_id': ?, 'mount': ?, 'request_id': ?, 'received_at': ?, 'method': ?, 'path': ?, "
        "'query': ?, 'headers': ?, 'payload': ?, 'source_ip': ?"
    )
    statement = {
        "Statement": f'INSERT INTO "Webhooks" VALUE {{{columns}}}',
        "Parameters": [
            {"S": "/orders#a"},
            {"S": "a"},
            {"S": "/orders"},
            {"S": "request"},
            {"S": "2026-01-02T03:04:05.678+00:00"},
            {"S": "POST"},
            {"S": "/hello"},
            {"S": "a=1"},
            {"M": {"x-one": {"S": "1"}}},
            {"S": "{}"},
            {"S": "203.0.113.7"},
        ],
    }
    stubber.add_response("batch_execute_statement", {"Responses": [{}]}, {"Statements": [statement]})

    assert list(store(client, webhook()._replace(mount="/orders"))) == [STORED]


def test_a_payload_that_is_no_text_is_stored_as_bytes(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    calls: list[Any] = []
    stubber.add_response("batch_execute_statement", {"Responses": [{}]}, {"Statements": ANY})
    client._client.meta.events.register("before-parameter-build.*", lambda params, **_: calls.append(params))
    assert list(store(client, webhook(body=b"\xff\x00"))) == [STORED]
    assert {"B": b"\xff\x00"} in calls[0]["Statements"][0]["Parameters"]


def test_one_round_trip_takes_25_webhooks(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    for size in (25, 25, 10):
        stubber.add_response("batch_execute_statement", {"Responses": [{}] * size}, {"Statements": [ANY] * size})
    assert list(store(client, *(webhook(str(n)) for n in range(60)))) == [STORED] * 60


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DuplicateItem", Kind.DUPLICATE),
        ("ValidationError", Kind.PERMANENT),
        ("ItemCollectionSizeLimitExceeded", Kind.PERMANENT),
        ("ThrottlingError", Kind.RETRY),
        ("ProvisionedThroughputExceeded", Kind.RETRY),
        ("InternalServerError", Kind.RETRY),
        ("TransactionConflict", Kind.RETRY),
        ("AccessDenied", Kind.RETRY),
        ("ResourceNotFound", Kind.RETRY),
    ],
)
def test_the_outcome_of_a_webhook_is_decided_by_its_own_error(
    dynamodb: tuple[Any, Stubber], code: str, kind: Kind
) -> None:
    client, stubber = dynamodb
    answers = [{}, {"Error": {"Code": code, "Message": "why"}}, {}]
    stubber.add_response("batch_execute_statement", {"Responses": answers}, {"Statements": [ANY] * 3})

    first, second, third = store(client, webhook("a"), webhook("b"), webhook("c"))

    assert (first, third) == (STORED, STORED)
    assert second.kind is kind


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "ResourceNotFoundException"])
def test_a_call_that_fails_as_a_whole_finds_the_sink_down(dynamodb: tuple[Any, Stubber], code: str) -> None:
    client, stubber = dynamodb
    stubber.add_client_error("batch_execute_statement", code)
    with pytest.raises(SinkDown) as down:
        list(store(client, *(webhook(str(n)) for n in range(60))))
    assert down.value.error == code


def test_a_network_that_fails_finds_the_sink_down() -> None:
    class Unreachable:
        def batch_execute_statement(self, **_: Any) -> None:
            raise unreachable("EndpointConnectionError", "http://dynamodb")

    with pytest.raises(SinkDown) as down:
        list(store(Unreachable(), webhook()))
    assert down.value.error == "EndpointConnectionError"


def test_after_a_throttled_webhook_the_table_is_left_alone(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    answers: list[Any] = [{}] * 24 + [{"Error": {"Code": "ThrottlingError", "Message": "slow down"}}]
    stubber.add_response("batch_execute_statement", {"Responses": answers}, {"Statements": [ANY] * 25})

    outcomes = store(client, *(webhook(str(n)) for n in range(60)))

    assert [next(outcomes).kind for _ in range(25)] == [Kind.STORED] * 24 + [Kind.RETRY]
    with pytest.raises(SinkDown) as down:
        next(outcomes)
    assert (down.value.error, down.value.reason) == ("ThrottlingError", "table Webhooks: slow down")


def test_a_call_that_one_bad_webhook_spoils_is_halved_until_it_stands_alone(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    duplicate = {"Responses": [{"Error": {"Code": "DuplicateItem"}}]}
    for size in (3, 2):
        expected = {"Statements": [ANY] * size}
        stubber.add_client_error("batch_execute_statement", "ValidationException", expected_params=expected)
        if size == 3:
            stubber.add_response("batch_execute_statement", {"Responses": [{}]}, {"Statements": [ANY]})
    stubber.add_client_error("batch_execute_statement", "ValidationException", "key too long")
    stubber.add_response("batch_execute_statement", duplicate, {"Statements": [ANY]})

    first, second, third = store(client, webhook("a"), webhook("b"), webhook("c"))

    assert (first, third) == (STORED, DUPLICATE)
    assert (second.kind, second.error) == (Kind.PERMANENT, "ValidationException")
    assert "key too long" in second.reason


TEXT = b'{"id": 1, "name": "Zo\xc3\xab"}, ' * 100
NOISE = random.Random(1).randbytes(5000)


@pytest.mark.parametrize(
    ("body", "compressed"),
    [
        (b"", False),
        (TEXT[:1023], False),
        (TEXT[:1024], True),
        (TEXT, True),
        (NOISE, False),
        (zlib.compress(TEXT), False),
    ],
)
@pytest.mark.parametrize("compress", [True, False])
def test_a_payload_is_compressed_if_that_makes_it_smaller(body: bytes, compressed: bool, compress: bool) -> None:
    item = item_of(webhook(body=body), DynamoDBSettings("Webhooks", compress_payloads=compress))
    assert (item.get("encoding") == {"S": "zlib"}) == (compressed and compress)
    assert stored_payload(item) == body
    if compressed and compress:
        assert len(item["payload"]["B"]) < len(body) / 2


@given(
    st.binary(max_size=3000)
    | st.text(max_size=3000).map(str.encode)
    | st.binary(min_size=1, max_size=9).map(lambda x: x * 400)
)
def test_a_stored_payload_is_read_back_from_a_client_and_from_a_resource(body: bytes) -> None:
    item = item_of(webhook(body=body), DynamoDBSettings("Webhooks", compress_payloads=True))
    read = TypeDeserializer()
    assert (
        stored_payload(item) == stored_payload({name: read.deserialize(value) for name, value in item.items()}) == body
    )


def test_another_encoding_or_a_payload_in_s3_is_an_error() -> None:
    with pytest.raises(ValueError, match="encoding must be zlib, got 'br'; install a newer cdk-scalable-webhook"):
        stored_payload({"payload": {"B": b""}, "encoding": {"S": "br"}})
    with pytest.raises(KeyError):
        stored_payload({"payload_object": {"S": "s3://bucket/key"}})


def item_of(webhook: Webhook, settings: DynamoDBSettings, payloads: Payloads | None = None) -> dict[str, Any]:
    """Return the item that is inserted."""
    statements: list[dict[str, Any]] = []

    class Recorder:
        def batch_execute_statement(self, Statements: list[dict[str, Any]]) -> dict[str, Any]:
            statements.extend(Statements)
            return {"Responses": [{}] * len(Statements)}

    assert list(DynamoDBSink(settings, Recorder(), payloads).store([webhook], Deadline(Invocation()))) == [STORED]
    (statement,) = statements
    names = re.findall(r"'(\w+)': \?", statement["Statement"])
    return dict(zip(names, statement["Parameters"], strict=True))


class TestWithLargePayloads:
    def test_a_payload_that_fits_an_item_when_it_is_compressed_is_stored_there(self) -> None:
        s3, settings = S3(), DynamoDBSettings("Webhooks", compress_payloads=True)
        item = item_of(webhook(body=b"x" * 1_000_000), settings, Payloads(s3, "payloads"))
        assert (stored_payload(item), s3.objects) == (b"x" * 1_000_000, {})
        noise = random.Random(2).randbytes(500_000)
        item = item_of(webhook(body=noise), settings, Payloads(s3, "payloads"))
        assert ({"payload", "encoding"} & item.keys(), list(s3.objects.values())) == (set(), [noise])

    ITEM = 350 * 1024

    def store(self, client: Any, s3: S3, *webhooks: Webhook) -> list[Outcome]:
        sink = DynamoDBSink(DynamoDBSettings(table_name="Webhooks"), client, Payloads(s3, "payloads"))
        return list(sink.store(webhooks, Deadline(Invocation())))

    def test_a_payload_that_fits_no_item_stays_in_s3_and_the_item_names_it(self, dynamodb: tuple[Any, Stubber]) -> None:
        client, stubber = dynamodb
        calls: list[Any] = []
        stubber.add_response("batch_execute_statement", {"Responses": [{}, {}]}, {"Statements": [ANY] * 2})
        client._client.meta.events.register("before-parameter-build.*", lambda params, **_: calls.append(params))
        s3 = S3()

        body = b"x" * (self.ITEM + 1)
        assert self.store(client, s3, webhook("a", body[:-1]), webhook("b", body)) == [STORED, STORED]

        small, large = calls[0]["Statements"]
        assert {"S": body[:-1].decode()} in small["Parameters"]
        assert "payload_object" not in small["Statement"]
        assert "'payload': ?" not in large["Statement"]
        assert large["Statement"].endswith("'source_ip': ?, 'payload_object': ?}")
        ((key, kept),) = s3.objects.items()
        assert large["Parameters"][-1] == {"S": f"s3://payloads/{key}"}
        assert kept == body

    def test_a_payload_is_stored_before_its_item(self, dynamodb: tuple[Any, Stubber]) -> None:
        client, _ = dynamodb  # it would complain of a call
        s3 = S3(client_error("SlowDown"))
        with pytest.raises(SinkDown) as down:
            self.store(client, s3, webhook("a", b"x" * 500_000))
        assert down.value.error == "SlowDown"

    def test_an_item_names_the_payload_that_came_with_it(self, dynamodb: tuple[Any, Stubber]) -> None:
        """Either webhook of one key may keep its payload first, and either may get the item."""
        client, stubber = dynamodb
        calls: list[Any] = []
        client._client.meta.events.register("before-parameter-build.*", lambda params, **_: calls.append(params))
        throttled = {"Error": {"Code": "ThrottlingError", "Message": "slow down"}}
        duplicate = {"Error": {"Code": "DuplicateItem"}}
        answers: list[dict[str, Any]] = [throttled, {}, duplicate]
        s3 = S3()
        for answer in answers:
            stubber.add_response("batch_execute_statement", {"Responses": [answer]}, {"Statements": [ANY]})
        first, second = webhook("a", b"x" * 500_000), webhook("a", b"y" * 500_000)

        kinds = [outcome.kind for each in (first, second, first) for outcome in self.store(client, s3, each)]

        assert kinds == [Kind.RETRY, Kind.STORED, Kind.DUPLICATE]
        named = [call["Statements"][0]["Parameters"][-1]["S"].removeprefix("s3://payloads/") for call in calls]
        assert [s3.objects[name] for name in named] == [first.body, second.body, first.body]
        # No item names the payload of the first one, whose webhook turned out to be a duplicate.
        assert len(s3.objects) == 2
