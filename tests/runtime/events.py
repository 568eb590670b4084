"""The events that AWS sends to the functions, as its documentation shows them."""

import base64
import gzip
import hashlib
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from webhook_runtime.message import Headers, Webhook
from webhook_runtime.requests import OfFunctionUrl

REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def request(
    body: bytes = b"",
    *,
    method: str = "POST",
    proxy: str | None = "hello",
    mount: str = "/",
    headers: list[tuple[str, str]] | None = None,
    query: list[tuple[str, str]] | None = None,
    text: str | None = None,
) -> dict[str, Any]:
    """Return an API Gateway proxy event. Its API treats all media types as binary, or with `text` none."""
    return {
        "resource": mount if proxy is None else f"{mount.rstrip('/')}/{{proxy+}}",
        "path": "/base-path-of-a-custom-domain/anything",
        "httpMethod": method,
        "headers": dict(headers or []),
        "multiValueHeaders": _multi(headers or []),
        "queryStringParameters": dict(query or []) or None,
        "multiValueQueryStringParameters": _multi(query or []) or None,
        "pathParameters": None if proxy is None else {"proxy": proxy},
        "stageVariables": None,
        "requestContext": {
            "requestId": "what-the-provider-chose",
            "extendedRequestId": REQUEST_ID,
            "stage": "prod",
            "domainName": "abc.execute-api.us-east-1.amazonaws.com",
            "path": "/prod" + (mount if proxy is None else f"{mount.rstrip('/')}/{proxy}"),
            "httpMethod": method,
            "requestTimeEpoch": 1_763_000_000_123,
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8.0"},
        },
        "body": text if text is not None else base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": text is None and bool(body),
    }


def url_event(
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/hello",
    query: str = "",
    headers: list[tuple[str, str]] | None = None,
    host: str = "abc.lambda-url.us-east-1.on.aws",
) -> dict[str, Any]:
    """Return the event of a function URL: names in lower case, values of one name joined, and text by its type."""
    joined: dict[str, str] = {}
    for name, value in headers or []:
        joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    told = joined.get("content-type", "").partition(";")[0].lower()
    is_text = told.startswith("text/") or told in ("application/json", "application/xml", "application/javascript")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": host.partition(".")[0],
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.0",
            },
            "requestId": REQUEST_ID,
            "routeKey": "$default",
            "stage": "$default",
            "time": "13/Nov/2025:02:13:20 +0000",
            "timeEpoch": 1_763_000_000_123,
        },
        "isBase64Encoded": bool(body) and not is_text,
    }
    if "cookie" in joined:
        event["cookies"] = joined.pop("cookie").split("; ")
    if body:
        event["body"] = body.decode(errors="replace") if is_text else base64.b64encode(body).decode()
    return event


def by_function_url(webhook: Webhook) -> Webhook:
    """Return a webhook as it is when it arrives by a function URL."""
    event = url_event(
        webhook.body,
        method=webhook.method,
        path=urlsplit(webhook.url).path,
        query=webhook.query_string,
        headers=list(webhook.headers.pairs()),
        host=urlsplit(webhook.url).netloc,
    )
    read = OfFunctionUrl("/").read(event)
    return webhook._replace(headers=Headers(read.headers), query_string=urlencode(read.parameters), body=read.body)


def record(
    body: str,
    attribute: str | None,
    *,
    message_id: str = "059f36b4-87a3-44ab-83d2-661975830a7d",
    attempt: int = 1,
    queue: str = "arn:aws:sqs:us-east-1:000000000000:Queue",
    group: str | None = None,
) -> dict[str, Any]:
    """Return one record of an SQS event."""
    attributes = {
        "ApproximateReceiveCount": str(attempt),
        "SentTimestamp": "1763000000456",
        "SenderId": "AIDAEXAMPLE",
        "ApproximateFirstReceiveTimestamp": "1763000000789",
    }
    if group:
        attributes["MessageGroupId"] = group
    value: dict[str, Any] = {
        "stringValue": attribute,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "String",
    }
    return {
        "messageId": message_id,
        "receiptHandle": f"handle-{message_id}",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {} if attribute is None else {"webhook": value},
        "md5OfBody": hashlib.md5(body.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": "us-east-1",
    }


def _multi(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    several: dict[str, list[str]] = {}
    for name, value in pairs:
        several.setdefault(name, []).append(value)
    return several


def log_lines(*texts: str) -> dict[str, Any]:
    """Return the event of a subscription filter: lines of a log."""
    events = [{"id": "1", "timestamp": 1, "message": text} for text in texts]
    data = base64.b64encode(gzip.compress(json.dumps({"logEvents": events}).encode())).decode()
    return {"awslogs": {"data": data}}
