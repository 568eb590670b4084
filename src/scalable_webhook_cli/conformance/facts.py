"""The facts about an answer, a message and an item, in words that can be compared."""

import base64
import json
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from scalable_webhook_cli.conformance.case import Facts, Request, shown
from scalable_webhook_cli.conformance.sending import Answer
from scalable_webhook_cli.conformance.world import MARK, Message, Reply, metadata
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.items import payload_object, stored_payload
from webhook_runtime.contract.limits import QUEUED

_SHOWN_CHARACTERS = 300
# These differ from request to request.
_OF_ITS_OWN = {"date", "content-length", "connection", "server", "via", "x-amz-apigw-id", "x-amzn-requestid"}
_ARRIVAL_SECONDS = 300


def answered(reply: Reply) -> Facts:
    """Return the facts of an answer."""
    if not isinstance(reply, Answer):
        return {"status": reply}
    headers = {name: value for name, value in reply.headers.items() if name not in _OF_ITS_OWN}
    facts: dict[str, object] = {
        "status": reply.status,
        "answer": reply.text[:_SHOWN_CHARACTERS],
        "answer_type": headers.get("content-type", "").partition(";")[0],
        "answer_headers": headers,
    }
    said = _json(reply)
    # API Gateway begins the name with a capital if a policy rejects.
    return facts | {"reason": said.get("message", said.get("Message")), "verification": said.get("verification")}


def field(message: Message | None, name: str) -> str | None:
    """Return a field of a message."""
    return None if message is None else metadata(message).get(name)


def received(message: Message | None, reply: Reply, url: str, request: Request) -> Facts:
    """Return the facts of a message, next to the request and its answer. ``url`` is that of the endpoint."""
    if message is None:
        return {"message": None}
    fields, system = metadata(message), message.get("Attributes", {})
    headers = {name[2:]: value for name, value in fields.items() if name.startswith("h.") and name != f"h.{MARK}"}
    number = reply.headers.get("x-amz-apigw-id", "") if isinstance(reply, Answer) else ""
    called = url.rstrip("/") + request.path.partition("?")[0]
    client = fields.get("ip", "")
    return {
        "message": "in the queue",
        "payload": _payload(message["Body"], fields.get("encoding", "")),
        "fields": sorted(name for name in fields if not name.startswith("h.")),
        "attributes": sorted(message.get("MessageAttributes", {})),
        **{name: fields.get(name) for name in ("encoding", "method", "mount", "path")},
        "query": fields.get("query", "").removeprefix("&"),
        "id": "as answered" if fields.get("id") == _json(reply).get("id") else fields.get("id"),
        "request": _numbered(fields.get("request"), number),
        "time": "of arrival" if _is_now(fields.get("time", "")) else fields.get("time"),
        "ip": "an address" if _is_address(client) else client,
        "url": "as called" if fields.get("url", "").rstrip("/") == called.rstrip("/") else fields.get("url"),
        "headers": {name: value.replace(client, "(client)") if client else value for name, value in headers.items()},
        "group": system.get("MessageGroupId"),
        "deduplication": _numbered(system.get("MessageDeduplicationId"), number),
        "trace": system.get("AWSTraceHeader"),
    }


def stored(target: Target, item: Mapping[str, Any] | None) -> Facts:
    """Return the facts of an item of the table."""
    if item is None:
        return {"item": None}
    facts: dict[str, object] = {
        "item": "in the table",
        **{name: item[name]["S"] for name in ("method", "path", "query")},
    }
    if "payload" in item:
        return facts | {"payload": shown(stored_payload(item))}
    bucket, key = payload_object(item)
    s3 = target.client("s3")
    payload = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    left = s3.list_objects_v2(Bucket=bucket, Prefix=QUEUED)["KeyCount"]
    return facts | {"payload": shown(payload), "in": "S3", "left in S3": left}


def _payload(body: str, encoding: str) -> str:
    match encoding:
        case "empty":
            return ""
        case "base64":
            try:
                return shown(base64.b64decode(body, validate=True))
            except ValueError:
                return f"no base64: {shown(body.encode())}"
    return shown(body.encode(errors="replace"))


def _json(reply: Reply) -> Mapping[str, Any]:
    """Return the JSON of an answer, or nothing."""
    try:
        said = json.loads(reply.body) if isinstance(reply, Answer) else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _numbered(id: str | None, number: str) -> str | None:
    """Return an id, or where API Gateway tells it."""
    return "x-amz-apigw-id" if id and id == number else id


def _is_now(milliseconds: str) -> bool:
    return milliseconds.isdigit() and abs(int(milliseconds) / 1000 - time.time()) < _ARRIVAL_SECONDS


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
