"""A request to an API, and the values that API Gateway adds."""

import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from scalable_webhook_cli.gateway.access_log import looked_up
from scalable_webhook_cli.gateway.answers import GatewayResponse, new_extended_id
from scalable_webhook_cli.gateway.rest_api import Method, RestApi
from webhook_runtime.contract.headers import ADDED, NEVER_ARRIVE

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
_MAX_PAYLOAD = 10 * 1024 * 1024
# API Gateway sets these in each request that it passes on. Of a client's own ones, it keeps a trace, appends the
# address, and replaces port and protocol. This is as users report it, and not recorded.
TRACE = "X-Amzn-Trace-Id"
_FORWARDED = "X-Forwarded-For"
_ARRIVED_BY = {"X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}
# The identity in a context, which is empty since no signature is read here.
_OF_A_SIGNER = [
    *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"),
    *("cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"),
]


@dataclass(frozen=True)
class Call:
    """A request for which a method was found."""

    request: Request
    payload: bytes
    api: RestApi
    method: Method
    parameters: dict[str, str]
    context: dict[str, Any]

    @property
    def content_type(self) -> str:
        return self.request.headers.get("content-type", "application/json")

    @property
    def is_binary(self) -> bool:
        return self.api.is_binary(self.content_type)

    def query(self) -> list[tuple[str, str]]:
        # A semicolon separates parameters too.
        return parse_qsl(_query(self.request).replace(";", "&"), keep_blank_values=True)

    @cached_property
    def trace(self) -> str:
        """The trace of the client, or a new one. The response of a function has it too.

        https://docs.aws.amazon.com/xray/latest/devguide/xray-services-apigateway.html
        """
        return self.request.headers.get(TRACE) or new_trace()

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that functions and templates get, with those of API Gateway."""
        came_by = [*self.request.headers.getlist(_FORWARDED), self.context["identity"]["sourceIp"]]
        own = {TRACE: self.trace, _FORWARDED: ", ".join(came_by), **_ARRIVED_BY}
        theirs = [(name, value) for name, value in self.request.headers.items() if name not in NEVER_ARRIVE | ADDED]
        return [*theirs, *own.items()]

    def value_of(self, source: str) -> str | None:
        """Return the value of a parameter mapping: a literal in single quotes, or a place in the request."""
        if source.startswith("'"):
            return source[1:-1]
        place, _, name = source.removeprefix("method.request.").partition(".")
        match place:
            case "header":
                return {each.lower(): value for each, value in self.headers()}.get(name.lower())
            case "querystring":
                return dict(self.query()).get(name)
            case "path":
                return self.parameters.get(name)
            case "stageVariables":
                return self.api.stage_variables.get(name)
            case "context":
                value = looked_up(self.context, name)
                return None if value is None else str(value)
        return None


def new_trace() -> str:
    """Return the header of a trace that begins here."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"


def raw_path(request: Request, segments: int) -> str:
    """Return the path after so many segments, as it was sent."""
    return "/".join(request.scope["raw_path"].decode("latin-1").split("/")[segments:])


def _query(request: Request) -> str:
    return str(request.scope["query_string"], "ascii", "replace")


async def read_payload(request: Request) -> bytes:
    payload = bytearray()
    async for chunk in request.stream():
        payload += chunk
        if len(payload) > _MAX_PAYLOAD:
            raise GatewayResponse(413, "Request Too Long")
    return bytes(payload)


def context_of(request: Request, api: RestApi, method: Method) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        # As on AWS, a client may choose this one, but not the extended one.
        "requestId": request.headers.get("x-amzn-requestid") or str(uuid.uuid4()),
        "extendedRequestId": new_extended_id(),
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S %z"),
        "requestTimeEpoch": round(now.timestamp() * 1000),
        "accountId": "000000000000",
        "apiId": api.id,
        "deploymentId": api.deployment_id,
        "stage": api.stage,
        "httpMethod": request.method,
        "resourceId": method.resource_id,
        "resourcePath": method.resource_path,
        "path": "/" + raw_path(request, 4),
        "protocol": f"HTTP/{request.scope['http_version']}",
        "domainName": f"{api.id}.execute-api.{api.region}.amazonaws.com",
        "domainPrefix": api.id,
        "identity": {
            **dict.fromkeys(_OF_A_SIGNER),
            "sourceIp": request.client.host if request.client else "",
            "userAgent": request.headers.get("user-agent", ""),
        },
    }
