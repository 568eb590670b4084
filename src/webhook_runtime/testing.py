"""Webhooks for tests of a handler, and signed requests for tests of an endpoint, without AWS and without a queue."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from webhook_runtime import message
from webhook_runtime.contract.providers import provider_named
from webhook_runtime.contract.schemes import Scheme, scheme_of
from webhook_runtime.contract.signing import Request, sign
from webhook_runtime.message import Headers, Webhook

__all__ = ["signed", "sqs_event", "webhook"]

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


class Described(Protocol):
    """A ``Source`` of ``cdk_scalable_webhook``."""

    def describe(self) -> Mapping[str, Any]: ...


def signed(
    provider: str | Described,
    body: bytes | str,
    secret: str,
    *,
    id: str | None = None,
    at: datetime | None = None,
    url: str = "https://example.com/",
    method: str = "POST",
    headers: Pairs = (),
) -> dict[str, str]:
    """Sign a payload as a provider does, and return the headers to send with it.

    Args:
        provider: The provider: its name, such as ``stripe`` or ``standard_webhooks``, or a ``Source`` of your app. A
            ``Source.custom()`` cannot be signed for, since only its function knows the signature.
        body: The payload, which has to be sent byte for byte; text is encoded as UTF-8.
        secret: The signing secret, as the provider shows it. Of a JSON secret, the value of its ``secret_field``.
        id: The id of the delivery, for a provider that sends it in a header. Default: a new UUID.
        at: The time of signing, for a provider that signs a time. Default: now.
        url: The URL that the provider calls, with its query, for a provider that signs it. Default: that of
            ``webhook()`` without a path.
        method: The HTTP method, for a provider that signs it. Default: ``POST``.
        headers: More headers of the request, such as ``Content-Type``, by which Twilio tells a form. Default: none.

    Returns:
        The given headers, the signature, and the id if it is in a header.

    Raises:
        ValueError: The provider is not known, the secret is not in the form of its key, or the payload or the URL lacks
            a part that this provider puts there: Microsoft Graph's ``clientState``, Twilio's ``bodySHA256``.

    Example:
        ```python
        body = b'{"id": "evt_1", "type": "invoice.paid"}'
        httpx.post(url, content=body, headers=signed("stripe", body, secret))
        ```
    """
    payload = body.encode() if isinstance(body, str) else body
    request = Request(body=payload, url=url, method=method, headers=dict(_pairs(headers)))
    made = sign(
        _scheme(provider),
        request,
        secret,
        at=(at or datetime.now(UTC)).timestamp(),
        id=str(uuid.uuid4()) if id is None else id,
    )
    if made.body != payload:
        raise ValueError("body must have the secret as the clientState of each notification, got another one; set it")
    if made.url != url:
        raise ValueError(f"url must have the digest of a payload that is no form, got {url}; send it to {made.url}")
    return dict(made.headers)


def _scheme(provider: str | Described) -> Scheme:
    if isinstance(provider, str):
        return provider_named(provider).scheme
    described = provider.describe()
    return scheme_of(described["kind"], described["scheme"])


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
