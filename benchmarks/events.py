"""The events of the functions: requests of a provider that signs as GitHub does, and batches of them."""

import base64
import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any

from functions import SIGNING_SECRET
from webhook_runtime.contract.table import COLUMNS
from webhook_runtime.message import Webhook
from webhook_runtime.testing import sqs_event, webhook

BATCH_SIZE = 10

_PATH = "orders"
# The usual size: the headers of GitHub and of a regional API, and 1 KB of JSON.
_PAYLOAD = {
    "action": "created",
    "order": {"id": 4711, "currency": "EUR", "items": [{"sku": f"A-{number:05}", "count": 2} for number in range(30)]},
}
_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip",
    "Content-Type": "application/json",
    "Host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
    "User-Agent": "GitHub-Hookshot/8b9f3c1",
    "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
    "X-GitHub-Event": "push",
    "X-GitHub-Hook-ID": "292430182",
    "X-GitHub-Hook-Installation-Target-ID": "79929171",
    "X-GitHub-Hook-Installation-Target-Type": "repository",
}


def signed(payload: bytes | None = None) -> Webhook:
    """Return a new signed webhook.

    Args:
        payload: Its payload. Default: 1 KB, with an id of its own.
    """
    id = str(uuid.uuid4())
    body = json.dumps({"id": id, **_PAYLOAD}).encode() if payload is None else payload
    signature = hmac.new(SIGNING_SECRET.encode(), body, "sha256").hexdigest()
    headers = {**_HEADERS, "X-GitHub-Delivery": id, "X-Hub-Signature-256": f"sha256={signature}"}
    return webhook(body, id=id, path=f"/{_PATH}", headers=headers)


def batches(count: int) -> list[dict[str, Any]]:
    """Return events of the queue, each with a full batch of webhooks.

    Args:
        count: The number of events.
    """
    return [sqs_event(*(signed() for _ in range(BATCH_SIZE))) for _ in range(count)]


def minimal_batches(count: int) -> list[dict[str, Any]]:
    """Return the same events as ``batches``, with the messages of the minimal publisher by boto3.

    Args:
        count: The number of events.
    """
    return [{"Records": [_minimal_record(signed()) for _ in range(BATCH_SIZE)]} for _ in range(count)]


def _minimal_record(sent: Webhook) -> dict[str, Any]:
    (record,) = sqs_event(sent)["Records"]
    rest = {
        "delivery_id": sent.id,
        "mount": sent.mount,
        "request_id": sent.request_id,
        "received_at": sent.received_at.isoformat(timespec="milliseconds"),
        "method": sent.method,
        "path": sent.path,
        "query": sent.query_string,
        "headers": dict(sent.headers),
        "source_ip": sent.source_ip,
    }
    attribute = {"dataType": "String", "stringValue": json.dumps(rest)}
    return {**record, "messageAttributes": {"webhook": attribute}}


def messages(count: int) -> list[dict[str, Any]]:
    """Return the messages of the original pattern's publisher, in batches of the same size.

    Args:
        count: The number of events.
    """
    return [{"Records": [_record() for _ in range(BATCH_SIZE)]} for _ in range(count)]


def _record() -> dict[str, Any]:
    (record,) = sqs_event(webhook())["Records"]
    body = json.dumps({"id": str(uuid.uuid4()), "message": f"hello from /{_PATH}"})
    return {**record, "body": body, "messageAttributes": {}}


def requests(count: int) -> list[dict[str, Any]]:
    """Return events of API Gateway, each with one webhook.

    Args:
        count: The number of events.
    """
    return [_request() for _ in range(count)]


def _request() -> dict[str, Any]:
    sent = signed()
    headers, body = dict(sent.headers), base64.b64encode(sent.body).decode()
    return {
        "resource": "/{proxy+}",
        "path": sent.path,
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": _PATH},
        "stageVariables": None,
        "requestContext": {
            "requestId": sent.request_id,
            "extendedRequestId": sent.request_id,
            "stage": "prod",
            "domainName": headers["host"],
            "path": f"/prod{sent.path}",
            "httpMethod": "POST",
            "requestTimeEpoch": round(sent.received_at.timestamp() * 1000),
            "identity": {"sourceIp": sent.source_ip, "userAgent": headers["user-agent"]},
        },
        "body": body,
        "isBase64Encoded": True,
    }


def rows(count: int) -> list[str]:
    """Return batches of rendered rows.

    Args:
        count: The number of batches.
    """
    return ["".join(row(signed()) for _ in range(BATCH_SIZE)) for _ in range(count)]


# https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def row(sent: Webhook) -> str:
    """Return a webhook as a row of its table, in the format of Postgres' ``COPY``."""
    values = {
        "id": sent.id,
        "mount": sent.mount,
        "request_id": sent.request_id,
        "received_at": sent.received_at.isoformat(),
        "method": sent.method,
        "path": sent.path,
        "query": sent.query_string,
        "headers": json.dumps(dict(sent.headers)),
        "payload": f"\\x{sent.body.hex()}",
        "source_ip": sent.source_ip,
    }
    return "\t".join(values[name].translate(_ESCAPED) for name in COLUMNS) + "\n"


class _Recorded(Exception):
    """The arguments of a call of a client."""


class Recorder:
    """A client that records its first call."""

    def __getattr__(self, _operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> None:
            raise _Recorded(arguments)

        return call


def recorded(work: Callable[[], object]) -> dict[str, Any]:
    """Return the arguments of the first call of a Recorder.

    Args:
        work: What makes the call.
    """
    try:
        work()
    except _Recorded as call:
        return dict(call.args[0])
    raise AssertionError("it made no call")
