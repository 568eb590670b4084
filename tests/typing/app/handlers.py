"""A user's functions, at run time, and a test of one."""

from typing import Any

from webhook_runtime import (
    Answer,
    Headers,
    MalformedMessage,
    Permanent,
    RetryAfter,
    SinkDown,
    Unverified,
    Webhook,
    read,
)
from webhook_runtime.testing import sqs_event, webhook


def handle(webhook: Webhook) -> None:
    order = webhook.json()
    if "order" not in order:
        raise Permanent("no order in it")
    if webhook.attempt > 3:
        raise RetryAfter(30, "not yet")
    if webhook.received_at.year < 2000:
        raise SinkDown("it is asleep", retry_after=5)
    headers: Headers = webhook.headers
    print(webhook.id, headers["content-type"].lower(), webhook.query.get("customer", [""])[0], len(webhook.body))


def handle_all(webhooks: list[Webhook]) -> None:
    for each in webhooks:
        handle(each)


def verify(webhook: Webhook, secrets: list[str]) -> str | Answer | None:
    if webhook.method == "GET":
        return Answer(webhook.text, status=200)
    if webhook.headers.get("X-Token") not in secrets:
        raise Unverified("another token")
    return webhook.id


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    failures = []
    for record in event["Records"]:
        try:
            handle(read(record))
        except MalformedMessage:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def test_an_order_is_handled() -> None:
    received = webhook(json={"order": 1}, headers={"X-Shop": "north"}, query=[("customer", "Zoë")], attempt=2)
    handle(received)
    assert lambda_handler(sqs_event(received, webhook(b"bytes", method="PUT")), None)["batchItemFailures"] == []
