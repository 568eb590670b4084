"""Webhooks for tests of a handler, without AWS and without a queue."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from webhook_runtime import message
from webhook_runtime.message import Headers, Webhook

__all__ = ["sqs_event", "webhook"]

_QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:Webhook"

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]


def webhook(
    body: bytes | str = b"",
    *,
    json: Any = None,
    id: str | None = None,
    mount: str = "/",
    method: str = "POST",
    path: str | None = None,
    query: Pairs = (),
    headers: Pairs = (),
    source_ip: str = "203.0.113.7",
    received_at: datetime | None = None,
    attempt: int = 1,
) -> Webhook:
    """Create a webhook as a handler gets it.

    Args:
        body: The payload; text is encoded as UTF-8. Default: empty.
        json: A payload that is encoded as JSON, with its content type, instead of ``body``. Default: none.
        id: The provider's id of the delivery. Default: a new UUID.
        mount: The path of the endpoint. Default: ``/``.
        method: The HTTP method. Default: ``POST``.
        path: The path below the stage. Default: ``mount``.
        query: The query's parameters. Default: none.
        headers: The headers, in any case. Default: none.
        source_ip: The client's address. Default: one that is reserved for examples.
        received_at: The time of its arrival. Default: now.
        attempt: How often it was delivered, this time included, so 1 at least. Default: 1.

    Returns:
        The webhook, with a request id and a message id of its own.

    Example:
        ```python
        handle(webhook(json={"order": 1}, headers={"X-Shop": "north"}))
        ```
    """
    pairs = _pairs(headers)
    path = mount if path is None else path
    if json is not None:
        body = _dumps(json)
        pairs = [("Content-Type", "application/json"), *pairs]
    return Webhook(
        id=str(uuid.uuid4()) if id is None else id,
        request_id=str(uuid.uuid4()),
        method=method,
        mount=mount,
        path=path,
        url=f"https://example.com{path}",
        query_string=urlencode(_pairs(query)),
        headers=Headers(pairs),
        body=body.encode() if isinstance(body, str) else body,
        source_ip=source_ip,
        received_at=received_at or datetime.now(UTC),
        message_id=str(uuid.uuid4()),
        attempt=attempt,
    )


def sqs_event(*webhooks: Webhook) -> dict[str, Any]:
    """Create the event with which Lambda delivers these webhooks to a function of your own.

    Args:
        webhooks: The webhooks of the batch, in its order.

    Returns:
        The event; each record's ``messageId`` is its webhook's ``message_id``.
    """
    return {"Records": [_record(webhook) for webhook in webhooks]}


def _record(webhook: Webhook) -> dict[str, Any]:
    body, attribute = message.write(webhook)
    sent = str(round(webhook.received_at.timestamp() * 1000))
    return {
        "messageId": webhook.message_id,
        "receiptHandle": f"receipt of {webhook.message_id}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(webhook.attempt),
            "SentTimestamp": sent,
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {
            message.ATTRIBUTE: {
                "stringValue": attribute,
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
        },
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": _QUEUE_ARN,
        "awsRegion": "us-east-1",
    }


def _pairs(pairs: Pairs) -> list[tuple[str, str]]:
    return list(pairs.items() if isinstance(pairs, Mapping) else pairs)


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
