"""Function URLs: the event for a function, and its response. The emulator decodes paths and queries.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import base64
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import Response

from scalable_webhook_cli.gateway.answers import json_answer
from scalable_webhook_cli.gateway.call import TRACE, new_trace, raw_path
from scalable_webhook_cli.gateway.recent import recent
from scalable_webhook_cli.gateway.rest_api import media_type
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.headers import ADDED, NEVER_ARRIVE

# Payloads of these types are texts in an event, and all others base64.
_TEXTS = ("application/json", "application/xml", "application/javascript")


class FunctionUrl(NamedTuple):
    """A function URL: the id in its host name, and the ARN of its function."""

    id: str
    region: str
    function: str
    auth_type: str


class FunctionUrls:
    """The function URLs of the local AWS. ``regions`` returns those with a deployment."""

    def __init__(self, target: Target, regions: Callable[[], Sequence[str]]) -> None:
        self._target = target
        self._regions = regions
        self._recent = recent(self._find)

    def get(self, id: str) -> FunctionUrl | None:
        """Return a function URL, as deployed at most a second ago."""
        return self._recent(id)

    def _find(self, id: str) -> FunctionUrl | None:
        for region in self._regions():
            functions = self._target.within(region).client("lambda")
            for page in functions.get_paginator("list_functions").paginate():
                for function in page["Functions"]:
                    try:
                        url = functions.get_function_url_config(FunctionName=function["FunctionName"])
                    except ClientError:  # it has none
                        continue
                    if url["FunctionUrl"].startswith(f"https://{id}."):
                        return FunctionUrl(id, region, function["FunctionArn"], url["AuthType"])
        return None


def event(request: Request, url: FunctionUrl, payload: bytes) -> dict[str, Any]:
    """Return the event in the payload format 2.0, with the path and the query as they were sent."""
    now = datetime.now(UTC)
    path = "/" + raw_path(request, 4)
    query = request.scope["query_string"].decode("ascii", "replace")
    domain = f"{url.id}.lambda-url.{url.region}.on.aws"
    source_ip = request.client.host if request.client else ""
    told = media_type(request.headers.get("content-type", ""))
    is_text = told.startswith("text/") or told in _TEXTS
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": _joined(request) | {"host": domain, "x-forwarded-for": source_ip},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": url.id,
            "domainName": domain,
            "domainPrefix": url.id,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": f"HTTP/{request.scope['http_version']}",
                "sourceIp": source_ip,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S %z"),
            "timeEpoch": round(now.timestamp() * 1000),
        },
        "isBase64Encoded": bool(payload) and not is_text,
    }
    if cookies := [each.strip() for value in request.headers.getlist("cookie") for each in value.split(";")]:
        made["cookies"] = cookies
    if payload:
        made["body"] = payload.decode(errors="replace") if is_text else base64.b64encode(payload).decode()
    return made


def _joined(request: Request) -> dict[str, str]:
    """Return the headers, those of the same name as one, with those that Lambda adds."""
    joined = {TRACE.lower(): new_trace()}
    for name, value in request.headers.items():
        if name not in NEVER_ARRIVE | ADDED | {"cookie"}:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined | {"x-forwarded-port": "443", "x-forwarded-proto": "https"}


def response(answer: Any, request_id: str) -> Response:
    """Convert the response of a function. Anything but an object with a status is the body of a 200."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        answer = {"statusCode": 200, "body": json.dumps(answer)}
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    made = Response(body, status_code=int(answer["statusCode"]))
    for name, value in (answer.get("headers") or {}).items():
        made.headers[name] = str(value)
    made.headers.setdefault("content-type", "application/json")
    for cookie in answer.get("cookies") or ():
        made.headers.append("set-cookie", cookie)
    made.headers["x-amzn-requestid"] = request_id
    return made


def failed(status: int, message: str, error_type: str) -> Response:
    """Return a response that Lambda creates itself."""
    return json_answer(
        status,
        {"Message": message},
        {"x-amzn-errortype": error_type, "x-amzn-requestid": str(uuid.uuid4())},
    )
