from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from webhook_runtime.consumer import DUPLICATE, STORED, Kind
from webhook_runtime.message import Headers, Webhook
from webhook_runtime.settings import DynamoDBSettings
from webhook_runtime.sinks.dynamodb import DynamoDBSink


@pytest.fixture
def dynamodb() -> Iterator[tuple[Any, Stubber]]:
    """boto3's own client, which checks every call and answer against the service's model; nothing is sent."""
    client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def webhook(id: str = "a", body: bytes = b"{}") -> Webhook:
    return Webhook(
        id=id,
        request_id="request",
        method="POST",
        path="/hello",
        query_string="a=1",
        headers=Headers([("X-One", "1")]),
        body=body,
        source_ip="203.0.113.7",
        received_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
    )


def sink(client: Any) -> DynamoDBSink:
    return DynamoDBSink(DynamoDBSettings(table_name="Webhooks"), client)


def test_an_item_has_all_of_the_webhook(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    columns = (
        "'id': ?, 'request_id': ?, 'received_at': ?, 'method': ?, 'path': ?, 'query': ?, 'headers': ?, 'payload': ?"
    )
    statement = {
        "Statement": f"INSERT INTO \"Webhooks\" VALUE {{{columns}, 'source_ip': ?}}",
        "Parameters": [
            {"S": "a"},
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

    assert sink(client).store([webhook()]) == [STORED]


def test_a_payload_that_is_no_text_is_stored_as_bytes(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    calls: list[Any] = []
    stubber.add_response("batch_execute_statement", {"Responses": [{}]}, {"Statements": ANY})
    client.meta.events.register("before-parameter-build.*", lambda params, **_: calls.append(params))
    sink(client).store([webhook(body=b"\xff\x00")])
    assert {"B": b"\xff\x00"} in calls[0]["Statements"][0]["Parameters"]


def test_one_round_trip_takes_25_webhooks(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    for size in (25, 25, 10):
        stubber.add_response("batch_execute_statement", {"Responses": [{}] * size}, {"Statements": [ANY] * size})
    assert sink(client).store([webhook(str(n)) for n in range(60)]) == [STORED] * 60


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
def test_what_becomes_of_one_webhook_is_decided_by_its_own_error(
    dynamodb: tuple[Any, Stubber], code: str, kind: Kind
) -> None:
    client, stubber = dynamodb
    answers = [{}, {"Error": {"Code": code, "Message": "why"}}, {}]
    stubber.add_response("batch_execute_statement", {"Responses": answers}, {"Statements": [ANY] * 3})

    first, second, third = sink(client).store([webhook("a"), webhook("b"), webhook("c")])

    assert (first, third) == (STORED, STORED)
    assert second.kind is kind


def test_a_throttled_call_is_tried_again_as_a_whole(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    stubber.add_client_error("batch_execute_statement", "ThrottlingException")
    outcomes = sink(client).store([webhook("a"), webhook("b")])
    assert [(outcome.kind, outcome.error) for outcome in outcomes] == [(Kind.RETRY, "ThrottlingException")] * 2


def test_a_call_that_one_bad_webhook_spoils_is_repeated_one_by_one(dynamodb: tuple[Any, Stubber]) -> None:
    client, stubber = dynamodb
    duplicate = {"Responses": [{"Error": {"Code": "DuplicateItem"}}]}
    stubber.add_client_error("batch_execute_statement", "ValidationException")
    stubber.add_response("batch_execute_statement", {"Responses": [{}]}, {"Statements": [ANY]})
    stubber.add_client_error("batch_execute_statement", "ValidationException", "key too long")
    stubber.add_response("batch_execute_statement", duplicate, {"Statements": [ANY]})

    first, second, third = sink(client).store([webhook("a"), webhook("b"), webhook("c")])

    assert (first, third) == (STORED, DUPLICATE)
    assert (second.kind, second.error) == (Kind.PERMANENT, "ValidationException")
    assert "key too long" in second.reason
