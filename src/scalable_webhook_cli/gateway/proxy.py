"""A Lambda proxy integration: the event for a function, and its response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import json
import secrets
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from scalable_webhook_cli.gateway.answers import GatewayResponse, answered
from scalable_webhook_cli.gateway.call import TRACE, Call, raw_path

# API Gateway rejects a response with any other key.
_ANSWER = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


def event(call: Call) -> dict[str, Any]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"""
    headers, query = _several(call.headers()), _several(call.query())
    binary = bool(call.payload) and call.is_binary
    text = base64.b64encode(call.payload).decode() if binary else call.payload.decode(errors="replace")
    return {
        "resource": call.method.resource_path,
        "path": "/" + raw_path(call.request, 5).lstrip("/"),
        "httpMethod": call.request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": call.parameters or None,
        "stageVariables": dict(call.api.stage_variables) or None,
        "requestContext": dict(call.context),
        "body": text or None,
        "isBase64Encoded": binary,
    }


def _several(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def response(call: Call, answer: Any) -> Response:
    """Convert the response of a function. Raise ValueError or TypeError if API Gateway would reject it."""
    if not isinstance(answer, dict) or not answer.keys() <= _ANSWER:
        raise ValueError(f"the answer must be an object of {', '.join(sorted(_ANSWER))} only, got {answer!r}")
    said = answer.get("statusCode")
    status = 200 if said is None else int(said)
    if not 200 <= status <= 599:
        raise ValueError(f"statusCode must be between 200 and 599, got {status}")
    body: str | bytes = _scalar(answer.get("body"))
    if answer.get("isBase64Encoded") and call.api.is_binary(call.request.headers.get("accept", "").partition(",")[0]):
        try:
            body = base64.b64decode(body, validate=True)
        except ValueError:
            raise GatewayResponse(500, "Internal server error") from None
    pairs = [
        (name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in _list(values)
    ]
    pairs += (answer.get("headers") or {}).items()
    response = Response("" if status in (204, 304) else body, status_code=status)
    for name, value in answered((name, _scalar(value)) for name, value in pairs):
        response.headers.append(name, value)
    response.headers.setdefault("content-type", "application/json")
    # This call is a part of the trace.
    call_in_it = "" if ";Parent=" in call.trace else f";Parent={secrets.token_hex(8)};Sampled=0"
    response.headers[TRACE] = call.trace + call_in_it
    return response


def _scalar(value: object) -> str:
    if isinstance(value, list | dict):
        raise TypeError(f"it must be a text, got {value!r}")
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"each of multiValueHeaders must be a list, got {value!r}")
    return value
