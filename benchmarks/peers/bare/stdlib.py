"""One call of AWS by the standard library alone, and nothing around it: the limit of a cold start in Python.

It does no more than the call needs: no try again, no time-out, no answer to an error.
"""

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

_KEY, _SECRET, _REGION = (
    os.environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "DEFAULT_REGION")
)
_HOST = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
connection = HTTPConnection(_HOST)


def call(service: str, target: str, request: dict[str, Any]) -> dict[str, Any]:
    """Send a request, and return the answer."""
    body = json.dumps(request).encode()
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "host": _HOST,
        "x-amz-date": moment,
        "x-amz-target": target,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{_REGION}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{_SECRET}".encode()
    for part in (moment[:8], _REGION, service, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    signed = f"Credential={_KEY}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    connection.request("POST", "/", body, headers | {"authorization": f"AWS4-HMAC-SHA256 {signed}"})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def sqs(event: dict[str, Any], _context: object) -> None:
    """Send a message."""
    call("sqs", "AmazonSQS.SendMessage", event)


def dynamodb(event: dict[str, Any], _context: object) -> None:
    """Insert an item."""
    call("dynamodb", "DynamoDB_20120810.BatchExecuteStatement", event)
