"""The local API Gateway: its data plane, in front of the emulator, which lacks most of it.

It takes every call to the local AWS. Requests to a REST API whose integration is SQS or a Lambda function it answers
as API Gateway does, from what the control plane says of the deployed API: mapping templates, integration responses,
binary media types, throttling, API keys, allowed addresses, access logs. No other request to an API is run. What is
none it hands on, and the emulator's guard decides who may call. It is a developer's tool; where the emulator learns
this, it goes.

Of IAM authorization it wants a signature, and does not read it. What it does not have at all: the throttle of a usage
plan, WAF, TLS, and headers of gateway responses. Names of headers are in lower case, but for API Gateway's own.
"""

import argparse
import asyncio
import base64
import json
import logging
import os
import re
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import httpx
import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from cachetools import TTLCache, cached
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from scalable_webhook_cli import shown
from scalable_webhook_cli.gateway.access_log import AccessLog, looked_up
from scalable_webhook_cli.gateway.permission import Permissions
from scalable_webhook_cli.gateway.rest_api import Method, RestApi, RestApis, media_type
from scalable_webhook_cli.gateway.velocity import render
from scalable_webhook_cli.local.guard import HEALTH_PATH, Refused, key_of, require_local_program
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.headers import ADDED, NEVER_ARRIVE

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
_MAX_PAYLOAD = 10 * 1024 * 1024
_INTEGRATION_TIMEOUT = 29.0
_KEEP_ALIVE_SECONDS = 3600

# What Lambda says itself: "Request must be smaller than 6291456 bytes for the InvokeFunction operation".
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_EVENT = 6 * 1024 * 1024

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# A call that comes through the gateway counts as TLS to the emulator, whose policies ask for it.
_TLS = {"x-forwarded-proto": "https"}
_EXECUTE_API = re.compile(r"/_aws/execute-api/(?P<api>[a-z0-9]+)/(?P<stage>[\w-]+)(/.*)?", re.DOTALL | re.ASCII)
_SQS_URI = re.compile(r"arn:[^:]+:apigateway:(?P<region>[^:]+):sqs:path(?P<queue>/[^/]+/[^/]+)")
_LAMBDA_URI = re.compile(r"arn:[^:]+:apigateway:[^:]+:lambda:path/.+/functions/(?P<function>arn:[^/]+)/invocations")
# Not JSON: API Gateway takes the CDK's own { statusCode: 204 } as well.
_STATUS_CODE = re.compile(r"statusCode\W+(\d{3})")
# API Gateway's own, in each request that it hands on. What it makes of a sender's headers of these names is reported,
# not recorded: a trace is kept, an address is appended, and port and protocol are replaced.
_TRACE = "X-Amzn-Trace-Id"
_FORWARDED = "X-Forwarded-For"
_ARRIVED_BY = {"X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}
_CALL_HEADER = "integration.request.header."
# Of the identity in a context; no signature is read here.
_OF_A_SIGNER = [
    *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"),
    *("cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"),
]
_NOT_RUN = "the local AWS runs a method without authorizer, of the type AWS with SQS, AWS_PROXY or MOCK"
_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length"}

# Type and x-amzn-ErrorType of a refusal. Of these texts Missing Authentication Token and Internal server error are
# recorded, see tests/recorded; the others are as people report them. Any other is of a policy, and names the resource.
_REFUSALS = {
    "Endpoint request timed out": ("INTEGRATION_TIMEOUT", "InternalServerErrorException"),
    "Forbidden": ("INVALID_API_KEY", "ForbiddenException"),
    "Internal server error": ("INTEGRATION_FAILURE", "InternalServerErrorException"),
    "Missing Authentication Token": ("MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException"),
    "Request Too Long": ("REQUEST_TOO_LARGE", "RequestTooLargeException"),
    "Too Many Requests": ("THROTTLED", "TooManyRequestsException"),
    "Unsupported Media Type": ("UNSUPPORTED_MEDIA_TYPE", "BadRequestException"),
}
_BY_A_POLICY = ("ACCESS_DENIED", "AccessDeniedException")

# As people report it of AWS's execution log.
_NOT_PERMITTED = "Invalid permissions on Lambda function"

# What the answer of a function may say, and nothing else.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
_ANSWER = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
# Recorded from AWS: headers of an answer that arrive as x-amzn-Remapped-…, one that does not arrive, and those of a
# call that no parameter mapping may make.
_REMAPPED = {
    *("authorization", "connection", "content-length", "content-md5", "date", "expect", "host", "max-forwards"),
    *("proxy-authenticate", "server", "trailer", "upgrade", "user-agent", "www-authenticate"),
}
_NOT_ANSWERED = "transfer-encoding"
_NOT_MAPPED = {
    *("authorization", "connection", "content-length", "expect", "proxy-authenticate", "te", "transfer-encoding"),
}

_log = logging.getLogger("gateway")


class _GatewayResponse(Exception):
    """An answer that API Gateway gives by itself."""

    def __init__(self, status: int, message: str, field: str = "message") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field

    @property
    def type(self) -> str:
        """https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html"""
        return _REFUSALS.get(self.message, _BY_A_POLICY)[0]

    def response(self) -> Response:
        error_type = _REFUSALS.get(self.message, _BY_A_POLICY)[1]
        return _json(self.status, {self.field: self.message}, {"x-amzn-errortype": error_type})


@dataclass(frozen=True)
class _Call:
    """One request that has found its method."""

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
        # A semicolon splits a query, too.
        return parse_qsl(_query(self.request).replace(";", "&"), keep_blank_values=True)

    @cached_property
    def trace(self) -> str:
        """The one of a sender that traces, else a new one. A function's answer has it too.

        https://docs.aws.amazon.com/xray/latest/devguide/xray-services-apigateway.html
        """
        return self.request.headers.get(_TRACE) or f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"

    def headers(self) -> list[tuple[str, str]]:
        """Those that API Gateway hands on, and its own. A function gets them, and a template."""
        came_by = [*self.request.headers.getlist(_FORWARDED), self.context["identity"]["sourceIp"]]
        own = {_TRACE: self.trace, _FORWARDED: ", ".join(came_by), **_ARRIVED_BY}
        theirs = [(name, value) for name, value in self.request.headers.items() if name not in NEVER_ARRIVE | ADDED]
        return [*theirs, *own.items()]

    def brought(self, source: str) -> str | None:
        """What a parameter mapping names: a literal in single quotes, or where in the request its value is."""
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


class Gateway:
    """The ASGI endpoint. ``upstream`` is the emulator's URL, ``key`` the one to call it by, and ``sqs`` the URL of its
    SQS where that has another."""

    def __init__(self, upstream: str, key: str, *, iam: bool = False, sqs: str | None = None) -> None:
        self._upstream = upstream
        self._key = key
        self._target = Target(endpoint=upstream, key=key)
        self._sqs_url = sqs or upstream
        self._iam = iam
        self._role_credentials = cached(TTLCache(maxsize=256, ttl=600))(self._assume)
        self._apis = RestApis(self._target)
        self._permissions = Permissions(self._target)
        self._access_log = AccessLog(self._target)
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        self._http = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)  # noqa: S113
        # Where every webhook passes: its pool does not get slower with each connection in it, as httpx's does.
        # Without the option, the call's body waits 40 milliseconds for the acknowledgement of its headers.
        at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self._sqs_http = URLLib3Session(timeout=_INTEGRATION_TIMEOUT, max_pool_connections=50, socket_options=at_once)

    async def handle(self, request: Request) -> Response:
        """One request to the local AWS."""
        call = _EXECUTE_API.fullmatch(_raw_path(request, 0))
        if call is None:
            try:
                require_local_program(request.scope)
            except Refused as refused:
                return Response(refused.body, status_code=403, headers=refused.headers)
            return await self._forward(request)
        api = await run_in_threadpool(self._apis.get, call["api"], call["stage"])
        # API Gateway does not tell /orders from /orders/. It leaves what is encoded as it is, and slashes between.
        path = "/" + _raw_path(request, 5).strip("/")
        matched = api.match(path, request.method) if api else None
        if api is None or matched is None:
            return _nobody_here()
        if not _is_ours(matched[0]):
            # Never by the emulator, to which a payload is the call that an integration makes.
            return _numbered(_json(403, {"message": f"{_NOT_RUN}; got {_described(matched[0])}"}))
        return await self._execute(request, api, *matched)

    async def _execute(self, request: Request, api: RestApi, method: Method, parameters: dict[str, str]) -> Response:
        started = time.monotonic()
        context = _context(request, api, method)
        try:
            payload = await _payload(request)
            _require_access(request, api, method, context)
            call = _Call(request, payload, api, method, parameters, context)
            if not self._apis.may_enter(api, method):
                raise _GatewayResponse(429, "Too Many Requests")
            _require_possible_parameters(method)
            run = {"AWS": self._sqs, "AWS_PROXY": self._lambda, "MOCK": self._mock}[method.integration["type"]]
            response = await run(call)
        except _GatewayResponse as answer:
            context["error"] = {"message": answer.message, "responseType": answer.type}
            response = answer.response()
        context |= {"status": response.status_code, "responseLatency": round((time.monotonic() - started) * 1000)}
        _numbered(response, context["requestId"], context["extendedRequestId"])
        self._access_log.write(api, context)
        return response

    async def _sqs(self, call: _Call) -> Response:
        """An AWS integration with SQS: mapping template in, SendMessage, integration response out."""
        status, reply = await run_in_threadpool(self._send, call, _request(call))
        call.context["integration"] = {"status": status}
        return _answer(call, status, reply)

    async def _mock(self, call: _Call) -> Response:
        """A mock integration: the request template says the status, the integration response the answer."""
        said = _STATUS_CODE.search(_request(call))
        if said is None:
            raise _GatewayResponse(500, "Internal server error")
        return _answer(call, int(said[1]), "")

    def _send(self, call: _Call, message: str) -> tuple[int, str]:
        """SQS's answer to a call in its Query protocol, as the JSON that API Gateway makes of it."""
        integration = call.method.integration
        uri = _SQS_URI.match(integration["uri"])
        assert uri is not None  # _execute has looked
        headers = _mapped(integration.get("requestParameters"), _CALL_HEADER, call.brought)
        credentials = Credentials(self._key, self._key)
        if self._iam:
            headers |= _TLS
            credentials = self._role_credentials(integration.get("credentials"), uri["region"])
        signed = AWSRequest("POST", self._sqs_url + uri["queue"], headers=headers, data=message.encode())
        SigV4Auth(credentials, "sqs", uri["region"]).add_auth(signed)
        try:
            reply = self._sqs_http.send(signed.prepare())
        except (ReadTimeoutError, ConnectTimeoutError):
            raise _GatewayResponse(504, "Endpoint request timed out") from None
        except BotoCoreError as error:
            _log.error("SQS cannot be reached: %s", error)
            raise _GatewayResponse(500, "Internal server error") from None
        return reply.status_code, _as_json(reply.content)

    def _assume(self, role_arn: str, region: str) -> Credentials:
        """What API Gateway may do for this integration: what its role may."""
        sts = self._target.client("sts", region)
        given = sts.assume_role(RoleArn=role_arn, RoleSessionName="apigateway")["Credentials"]
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    async def _lambda(self, call: _Call) -> Response:
        """A Lambda proxy integration."""
        uri = _LAMBDA_URI.match(call.method.integration["uri"])
        assert uri is not None  # _execute has looked
        event = json.dumps(_proxy_event(call), ensure_ascii=False).encode()
        if len(event) > _MAX_EVENT:
            raise _GatewayResponse(413, "Request Too Long")
        await run_in_threadpool(self._require_permission, call, uri["function"])
        functions = self._target.client("lambda", call.api.region)
        try:
            result = await asyncio.wait_for(
                run_in_threadpool(functions.invoke, FunctionName=uri["function"], Payload=event),
                _INTEGRATION_TIMEOUT,
            )
            said = await run_in_threadpool(result["Payload"].read)
        except TimeoutError:
            raise _GatewayResponse(504, "Endpoint request timed out") from None
        except (BotoCoreError, ClientError) as error:
            _log.error("%s cannot be called: %s", uri["function"], error)
            raise _GatewayResponse(500, "Internal server error") from None
        call.context["integration"] = {"status": result["StatusCode"]}
        try:
            if "FunctionError" in result:
                raise ValueError(said.decode())
            return _proxy_response(call, json.loads(said))
        except (TypeError, ValueError) as error:
            _log.error("%s: %r", uri["function"], error)
            raise _GatewayResponse(502, "Internal server error") from None

    def _require_permission(self, call: _Call, function: str) -> None:
        """A function lets API Gateway call it for what its policy names, unless the integration has a role."""
        api, method, gateway = call.api, call.method, call.method.integration
        region, account = function.split(":")[3:5]
        stage = f"arn:aws:execute-api:{api.region}:{account}:{api.id}/{api.stage}/{call.request.method}"
        # By the path of the request, and by that of the resource, with the names of its variables.
        sources = [stage + path for path in ("/" + _raw_path(call.request, 5).lstrip("/"), method.resource_path)]
        if gateway.get("credentials") or self._permissions.allow(function, region, sources):
            return
        call.context["integration"] = {"error": _NOT_PERMITTED}
        call.context["integrationErrorMessage"] = _NOT_PERMITTED
        _log.error("%s: %s, for %s", function, _NOT_PERMITTED, sources[0])
        raise _GatewayResponse(500, "Internal server error")

    async def _forward(self, request: Request) -> Response:
        """Hand a call on to the emulator, byte for byte."""
        query = request.scope["query_string"]
        target = request.scope["raw_path"] + (b"?" + query if query else b"")
        headers = [(name, value) for name, value in request.headers.raw if name not in _HOP_BY_HOP]
        headers += [(name.encode(), value.encode()) for name, value in _TLS.items() if self._iam]
        try:
            # To the emulator whatever the target says: one that is a URL would be taken for where to send it.
            url = httpx.URL(self._upstream).copy_with(raw_path=target)
        except (httpx.InvalidURL, UnicodeDecodeError):
            return _json(400, {"message": "Bad Request"})
        outgoing = self._http.build_request(request.method, url, headers=headers, content=await request.body())
        try:
            reply = await self._http.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            return _json(503, {"message": f"The local AWS cannot be reached: {error!r}"})
        try:
            body = b"".join([chunk async for chunk in reply.aiter_raw()])
        finally:
            await reply.aclose()
        if reply.is_success and request.scope["path"] != HEALTH_PATH:  # which anybody may ask
            self._apis.saw_region(request.headers.get("authorization", ""))
        response = Response(body, status_code=reply.status_code)
        length = [] if request.method != "HEAD" else reply.headers.get_list("content-length")
        response.raw_headers = [
            *((name.lower(), value) for name, value in reply.headers.raw if name.lower() not in _HOP_BY_HOP),
            (b"content-length", (length[0] if length else str(len(body))).encode()),
        ]
        return response


class _Anything(PathConvertor):
    """A path may have an end of line in it, too."""

    regex = "(?s:.*)"


register_url_convertor("anything", _Anything())


def create_app(upstream: str, key: str, *, iam: bool = False, sqs: str | None = None) -> Starlette:
    """Make the gateway in front of the emulator at this URL, with its key. With ``iam`` the emulator evaluates
    policies."""
    gateway = Gateway(upstream, key, iam=iam, sqs=sqs)
    return Starlette(
        routes=[Route("/{path:anything}", gateway.handle, methods=_METHODS)],
        exception_handlers={
            404: lambda _, __: _nobody_here(),  # a target that is no path
            405: lambda _, __: _nobody_here(),
            # The sender hung up, and nobody reads this.
            ClientDisconnect: lambda _, __: _json(400, {"message": "Bad Request"}),
            # The log has it: an answer is JSON, and no stack trace.
            Exception: lambda _, __: _numbered(_GatewayResponse(500, "Internal server error").response()),
        },
    )


def main() -> None:
    """Serve until terminated."""
    arguments = argparse.ArgumentParser(prog="python -m scalable_webhook_cli.gateway.server")
    where = arguments.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int, help="a socket that listens: nobody else can take its port")
    arguments.add_argument("--upstream", required=True, help="the emulator's URL")
    arguments.add_argument("--iam", action="store_true", help="the emulator evaluates policies")
    arguments.add_argument("--sqs", help="the URL of SQS, where calls to it go another way")
    options = arguments.parse_args()
    log = logging.StreamHandler()
    log.setFormatter(shown.Formatter())
    logging.basicConfig(handlers=[log])
    config = uvicorn.Config(
        create_app(options.upstream, key_of(os.environ), iam=options.iam, sqs=options.sqs),
        host="127.0.0.1",
        port=options.port or 0,
        log_level="warning",
        # A kept connection that ends just as it is used again fails its call, and who invokes must not try twice.
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        # The emulator has its own Date and Server, and a second Date confuses its clients.
        date_header=False,
        server_header=False,
        # Who calls is whoever calls, as for API Gateway: not whom an X-Forwarded-For names.
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=None if options.fd is None else [socket.socket(fileno=options.fd)])


def _require_access(request: Request, api: RestApi, method: Method, context: Mapping[str, Any]) -> None:
    """Who may not call is refused, in API Gateway's order and words."""
    if method.authorization_type == "AWS_IAM" and "authorization" not in request.headers:
        raise _GatewayResponse(403, "Missing Authentication Token")
    if not api.allows(context["identity"]["sourceIp"]):
        arn = f"arn:aws:execute-api:{api.region}:********0000:{api.id}/{api.stage}/{request.method}{context['path']}"
        caller = "User: anonymous is not authorized to perform: execute-api:Invoke on resource"
        raise _GatewayResponse(403, f"{caller}: {arn} with an explicit deny", "Message")
    if method.api_key_required and request.headers.get("x-api-key") not in api.api_keys:
        raise _GatewayResponse(403, "Forbidden")


def _require_possible_parameters(method: Method) -> None:
    """A mapping of a header that API Gateway keeps for itself is deployed, and fails each request."""
    mapped = (name.removeprefix(_CALL_HEADER).lower() for name in method.integration.get("requestParameters") or {})
    if not _NOT_MAPPED.isdisjoint(mapped):
        raise _GatewayResponse(500, "Internal server error")


def _nobody_here() -> Response:
    """The answer where the API has no such path, or the path no such method."""
    return _numbered(_GatewayResponse(403, "Missing Authentication Token").response())


def _numbered(response: Response, id: str | None = None, extended_id: str | None = None) -> Response:
    """With the ids that every answer of API Gateway has."""
    response.headers["x-amzn-requestid"] = id or str(uuid.uuid4())
    response.headers["x-amz-apigw-id"] = extended_id or _extended_id()
    return response


def _extended_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()


def _described(method: Method) -> str:
    target = method.integration.get("uri") or "no target"
    return f"the authorization {method.authorization_type} and the type {method.integration.get('type')} with {target}"


def _is_ours(method: Method) -> bool:
    if method.authorization_type not in ("NONE", "AWS_IAM"):
        return False
    type, uri = method.integration.get("type"), method.integration.get("uri") or ""
    patterns = {"AWS": _SQS_URI, "AWS_PROXY": _LAMBDA_URI}
    return type == "MOCK" or bool(type in patterns and patterns[type].match(uri))


def _request(call: _Call) -> str:
    """What the integration is sent. Of bytes no template can be rendered."""
    template = _request_template(call.method.integration, call.content_type)
    if template is None:
        return _text(call)
    handling = call.method.integration.get("contentHandling")
    if call.payload and (handling == "CONVERT_TO_BINARY" or (call.is_binary and handling != "CONVERT_TO_TEXT")):
        raise _GatewayResponse(500, "Internal server error")
    return _render(template, call, _text(call))


def _answer(call: _Call, status: int, reply: str) -> Response:
    """The integration response to what the integration has replied."""
    chosen = _integration_response(call.method.integration, status)
    content_type, template = _response_template(chosen, call.request.headers.get("accept", ""))
    answer = reply if template is None else _render(template, call, _reply_text(call, chosen, reply))
    override = call.context.pop("responseOverride", {})
    headers = {"content-type": content_type}
    headers |= _mapped(chosen.get("responseParameters"), "method.response.header.", call.brought)
    headers |= {name.lower(): str(value) for name, value in override.get("header", {}).items()}
    return Response(
        answer,
        status_code=int(override.get("status") or chosen["statusCode"]),
        headers=dict(_answered(headers.items())),
    )


def _answered(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Headers of an answer under the names by which they arrive."""
    for name, value in headers:
        if name.lower() != _NOT_ANSWERED:
            yield (f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name), value


def _reply_text(call: _Call, response: Mapping[str, Any], reply: str) -> str:
    """``$input.body`` in the template of an answer, of none as of an absent payload. Of bytes no template can be
    rendered.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
    """
    if not call.api.is_binary("application/json"):
        return reply or "{}"
    if response.get("contentHandling") != "CONVERT_TO_TEXT":
        raise _GatewayResponse(500, "Internal server error")
    return base64.b64encode(reply.encode()).decode()


def _raw_path(request: Request, segments: int) -> str:
    """What follows so many segments of the path, as it was sent."""
    return "/".join(request.scope["raw_path"].decode("latin-1").split("/")[segments:])


def _query(request: Request) -> str:
    return str(request.scope["query_string"], "ascii", "replace")


async def _payload(request: Request) -> bytes:
    payload = bytearray()
    async for chunk in request.stream():
        payload += chunk
        if len(payload) > _MAX_PAYLOAD:
            raise _GatewayResponse(413, "Request Too Long")
    return bytes(payload)


def _context(request: Request, api: RestApi, method: Method) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        # As at AWS, the sender may choose the one, and not the other.
        "requestId": request.headers.get("x-amzn-requestid") or str(uuid.uuid4()),
        "extendedRequestId": _extended_id(),
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S %z"),
        "requestTimeEpoch": round(now.timestamp() * 1000),
        "accountId": "000000000000",
        "apiId": api.id,
        "deploymentId": api.deployment_id,
        "stage": api.stage,
        "httpMethod": request.method,
        "resourceId": method.resource_id,
        "resourcePath": method.resource_path,
        "path": "/" + _raw_path(request, 4),
        "protocol": f"HTTP/{request.scope['http_version']}",
        "domainName": f"{api.id}.execute-api.{api.region}.amazonaws.com",
        "domainPrefix": api.id,
        "identity": {
            **dict.fromkeys(_OF_A_SIGNER),
            "sourceIp": request.client.host if request.client else "",
            "userAgent": request.headers.get("user-agent", ""),
        },
    }


def _text(call: _Call) -> str:
    """``$input.body``. API Gateway shows an absent body as ``{}``, and replaces what is not UTF-8 without a word."""
    if not call.payload:
        return "{}"
    if call.is_binary and call.method.integration.get("contentHandling") == "CONVERT_TO_TEXT":
        return base64.b64encode(call.payload).decode()
    return call.payload.decode(errors="replace")


def _request_template(integration: Mapping[str, Any], content_type: str) -> str | None:
    """The template for a content type, else ``$default``; None where the payload is passed on as it is."""
    templates = {name.lower(): str(text) for name, text in (integration.get("requestTemplates") or {}).items()}
    template = templates.get(media_type(content_type), templates.get("$default"))
    behavior = integration.get("passthroughBehavior") or "WHEN_NO_MATCH"
    passes = behavior == "WHEN_NO_MATCH" or (behavior == "WHEN_NO_TEMPLATES" and not templates)
    if template is None and not passes:
        raise _GatewayResponse(415, "Unsupported Media Type")
    return template


def _response_template(response: Mapping[str, Any], accept: str) -> tuple[str, str | None]:
    """An answer's content type and template: of those that are there the one asked for, else JSON, else the first."""
    templates = response.get("responseTemplates") or {}
    for content_type in (media_type(accept), "application/json", *templates):
        if content_type in templates:
            return content_type, templates[content_type]
    return "application/json", None


def _render(template: str, call: _Call, body: str) -> str:
    try:
        return render(
            template,
            body=body,
            header=dict(call.headers()),
            querystring=dict(call.query()),
            path=call.parameters,
            stage_variables=call.api.stage_variables,
            context=call.context,
        )
    except Exception as error:
        _log.exception("a mapping template failed")
        raise _GatewayResponse(500, "Internal server error") from error


def _integration_response(integration: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    """The response whose pattern is the back end's status, else the one without a pattern."""
    responses = list((integration.get("integrationResponses") or {}).values())
    for response in responses:
        if response.get("selectionPattern") and re.fullmatch(response["selectionPattern"], str(status)):
            return dict(response)
    for response in responses:
        if not response.get("selectionPattern"):
            return dict(response)
    raise _GatewayResponse(500, "Internal server error")


def _mapped(parameters: Mapping[str, Any] | None, prefix: str, brought: Callable[[str], str | None]) -> dict[str, str]:
    """The headers that a parameter mapping makes. Those without a value are left out."""
    values = {
        name.removeprefix(prefix).lower(): brought(source)
        for name, source in (parameters or {}).items()
        if name.startswith(prefix) and isinstance(source, str)
    }
    return {name: value for name, value in values.items() if value is not None}


def _as_json(reply: bytes) -> str:
    """A reply of the Query protocol as JSON. An error loses its outermost element on the way, a success does not."""

    def value(element: ElementTree.Element) -> Any:
        return {_name(child): value(child) for child in element} if len(element) else element.text

    try:
        root = ElementTree.fromstring(reply)  # noqa: S314 (the emulator's, on loopback)
    except ElementTree.ParseError:
        return reply.decode(errors="replace")
    inner = value(root)
    return json.dumps(inner if _name(root) == "ErrorResponse" else {_name(root): inner})


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _proxy_event(call: _Call) -> dict[str, Any]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"""
    headers, query = _several(call.headers()), _several(call.query())
    binary = bool(call.payload) and call.is_binary
    text = base64.b64encode(call.payload).decode() if binary else call.payload.decode(errors="replace")
    return {
        "resource": call.method.resource_path,
        "path": "/" + _raw_path(call.request, 5).lstrip("/"),
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


def _proxy_response(call: _Call, answer: Any) -> Response:
    """Raises ValueError or TypeError for an answer that API Gateway does not take."""
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
            raise _GatewayResponse(500, "Internal server error") from None
    pairs = [
        (name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in _list(values)
    ]
    pairs += (answer.get("headers") or {}).items()
    response = Response("" if status in (204, 304) else body, status_code=status)
    for name, value in _answered((name, _scalar(value)) for name, value in pairs):
        response.headers.append(name, value)
    response.headers.setdefault("content-type", "application/json")
    # Whoever began the trace: this call is a part of it.
    call_in_it = "" if ";Parent=" in call.trace else f";Parent={secrets.token_hex(8)};Sampled=0"
    response.headers[_TRACE] = call.trace + call_in_it
    return response


def _scalar(value: object) -> str:
    if isinstance(value, list | dict):
        raise TypeError(f"it must be a text, got {value!r}")
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"each of multiValueHeaders must be a list, got {value!r}")
    return value


def _json(status: int, body: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status_code=status, headers=headers, media_type="application/json")


if __name__ == "__main__":
    main()
