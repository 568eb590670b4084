"""The data plane of the local API Gateway, in front of the emulator, which lacks most of it.

It takes every call to the local AWS. It answers requests to a REST API with an SQS, Lambda or mock integration as API
Gateway does. It has mapping templates, integration responses, binary media types, throttling, API keys, allowed
addresses and access logs, all as deployed. It runs no other method of an API. It forwards all other calls, and the
emulator's guard decides about them. It can go once the emulator does all this.

For IAM authorization it requires a signature, but does not verify it. It lacks the throttle of a usage plan, WAF, TLS,
and headers of gateway responses.
"""

import argparse
import asyncio
import json
import logging
import os
import re
import socket
import time
from collections.abc import Mapping
from typing import Any

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
from scalable_webhook_cli.gateway import function_urls, mapping, proxy
from scalable_webhook_cli.gateway.access_log import AccessLog
from scalable_webhook_cli.gateway.answers import GatewayResponse, json_answer, numbered
from scalable_webhook_cli.gateway.call import Call, context_of, raw_path, read_payload
from scalable_webhook_cli.gateway.function_urls import FunctionUrls
from scalable_webhook_cli.gateway.permission import Permissions
from scalable_webhook_cli.gateway.rest_api import Method, RestApi, RestApis
from scalable_webhook_cli.local.guard import HEALTH_PATH, Rejected, key_of, require_local_program
from scalable_webhook_cli.target import Target, http_options

_INTEGRATION_TIMEOUT = 29.0
_KEEP_ALIVE_SECONDS = 3600

# Lambda's own limit: "Request must be smaller than 6291456 bytes for the InvokeFunction operation".
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_EVENT = 6 * 1024 * 1024

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# The emulator counts a call through the gateway as TLS, which its policies require.
_TLS = {"x-forwarded-proto": "https"}
_EXECUTE_API = re.compile(r"/_aws/execute-api/(?P<api>[a-z0-9]+)/(?P<stage>[\w-]+)(/.*)?", re.DOTALL | re.ASCII)
_LAMBDA_URL = re.compile(r"/_aws/lambda-url/(?P<id>[a-z0-9-]+)(/.*)?", re.DOTALL | re.ASCII)
_SQS_URI = re.compile(r"arn:[^:]+:apigateway:(?P<region>[^:]+):sqs:path(?P<queue>/[^/]+/[^/]+)")
_LAMBDA_URI = re.compile(r"arn:[^:]+:apigateway:[^:]+:lambda:path/.+/functions/(?P<function>arn:[^/]+)/invocations")
# Not JSON, since API Gateway also takes the CDK's { statusCode: 204 }.
_STATUS_CODE = re.compile(r"statusCode\W+(\d{3})")
_NOT_RUN = "the local AWS runs a method without authorizer, of the type AWS with SQS, AWS_PROXY or MOCK"
_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length"}

# As users report it from AWS's execution log.
_NOT_PERMITTED = "Invalid permissions on Lambda function"

_log = logging.getLogger("gateway")


class Gateway:
    """The ASGI application.

    ``upstream`` is the emulator's URL and ``key`` its key. ``sqs`` is the URL of SQS if that has another one.
    """

    def __init__(self, upstream: str, key: str, *, iam: bool = False, sqs: str | None = None) -> None:
        self._upstream = upstream
        self._key = key
        self._target = Target(endpoint=upstream, key=key)
        self._sqs_url = sqs or upstream
        self._iam = iam
        self._role_credentials = cached(TTLCache(maxsize=256, ttl=600))(self._assume)
        self._apis = RestApis(self._target)
        self._function_urls = FunctionUrls(self._target, lambda: self._apis.regions)
        self._permissions = Permissions(self._target)
        self._access_log = AccessLog(self._target)
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        self._http = httpx.AsyncClient(timeout=None, limits=limits, **http_options(upstream))  # noqa: S113
        # Every webhook passes here, and this pool, unlike that of httpx, does not get slower with each connection.
        # Without the option, the body waits 40 milliseconds for the acknowledgement of the headers.
        at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self._sqs_http = URLLib3Session(timeout=_INTEGRATION_TIMEOUT, max_pool_connections=50, socket_options=at_once)

    async def handle(self, request: Request) -> Response:
        """Answer a request to the local AWS."""
        path = raw_path(request, 0)
        if called := _LAMBDA_URL.fullmatch(path):
            return await self._function_url(request, called["id"])
        call = _EXECUTE_API.fullmatch(path)
        if call is None:
            try:
                require_local_program(request.scope)
            except Rejected as rejected:
                return Response(rejected.body, status_code=403, headers=rejected.headers)
            return await self._forward(request)
        api = await run_in_threadpool(self._apis.get, call["api"], call["stage"])
        # API Gateway treats /orders and /orders/ as equal. It keeps escapes, and slashes between segments.
        path = "/" + raw_path(request, 5).strip("/")
        matched = api.match(path, request.method) if api else None
        if api is None or matched is None:
            return _no_such_method()
        if not _is_supported(matched[0]):
            # Never forward it: the emulator would treat the payload as the call of an integration.
            return numbered(json_answer(403, {"message": f"{_NOT_RUN}; got {_described(matched[0])}"}))
        return await self._execute(request, api, *matched)

    async def _execute(self, request: Request, api: RestApi, method: Method, parameters: dict[str, str]) -> Response:
        started = time.monotonic()
        context = context_of(request, api, method)
        try:
            payload = await read_payload(request)
            _require_access(request, api, method, context)
            call = Call(request, payload, api, method, parameters, context)
            if not self._apis.may_enter(api, method):
                raise GatewayResponse(429, "Too Many Requests")
            mapping.require_possible_parameters(method)
            run = {"AWS": self._sqs, "AWS_PROXY": self._lambda, "MOCK": self._mock}[method.integration["type"]]
            response = await run(call)
        except GatewayResponse as answer:
            context["error"] = {"message": answer.message, "responseType": answer.type}
            response = answer.response()
        context |= {"status": response.status_code, "responseLatency": round((time.monotonic() - started) * 1000)}
        numbered(response, context["requestId"], context["extendedRequestId"])
        self._access_log.write(api, context)
        return response

    async def _sqs(self, call: Call) -> Response:
        """Run an AWS integration with SQS: mapping template, SendMessage, integration response."""
        status, reply = await run_in_threadpool(self._send, call, mapping.request(call))
        call.context["integration"] = {"status": status}
        return mapping.answer(call, status, reply)

    async def _mock(self, call: Call) -> Response:
        """Run a mock integration: the request template sets the status, the integration response the body."""
        said = _STATUS_CODE.search(mapping.request(call))
        if said is None:
            raise GatewayResponse(500, "Internal server error")
        return mapping.answer(call, int(said[1]), "")

    def _send(self, call: Call, message: str) -> tuple[int, str]:
        """Call SQS with its Query protocol, and return status and reply as API Gateway's JSON."""
        integration = call.method.integration
        uri = _SQS_URI.match(integration["uri"])
        assert uri is not None  # _execute has checked it
        headers = mapping.call_headers(call)
        credentials = Credentials(self._key, self._key)
        if self._iam:
            headers |= _TLS
            credentials = self._role_credentials(integration.get("credentials"), uri["region"])
        signed = AWSRequest("POST", self._sqs_url + uri["queue"], headers=headers, data=message.encode())
        SigV4Auth(credentials, "sqs", uri["region"]).add_auth(signed)
        try:
            reply = self._sqs_http.send(signed.prepare())
        except (ReadTimeoutError, ConnectTimeoutError):
            raise GatewayResponse(504, "Endpoint request timed out") from None
        except BotoCoreError as error:
            _log.error("SQS cannot be reached: %s", error)
            raise GatewayResponse(500, "Internal server error") from None
        return reply.status_code, mapping.as_json(reply.content)

    def _assume(self, role_arn: str, region: str) -> Credentials:
        """Return the credentials of the integration's role."""
        sts = self._target.within(region).client("sts")
        given = sts.assume_role(RoleArn=role_arn, RoleSessionName="apigateway")["Credentials"]
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    async def _lambda(self, call: Call) -> Response:
        """Run a Lambda proxy integration."""
        uri = _LAMBDA_URI.match(call.method.integration["uri"])
        assert uri is not None  # _execute has checked it
        event = json.dumps(proxy.event(call), ensure_ascii=False).encode()
        if len(event) > _MAX_EVENT:
            raise GatewayResponse(413, "Request Too Long")
        await run_in_threadpool(self._require_permission, call, uri["function"])
        try:
            result, said = await self._invoke(call.api.region, uri["function"], event)
        except TimeoutError:
            raise GatewayResponse(504, "Endpoint request timed out") from None
        except (BotoCoreError, ClientError) as error:
            _log.error("%s cannot be called: %s", uri["function"], error)
            raise GatewayResponse(500, "Internal server error") from None
        call.context["integration"] = {"status": result["StatusCode"]}
        try:
            if "FunctionError" in result:
                raise ValueError(said.decode())
            return proxy.response(call, json.loads(said))
        except (TypeError, ValueError) as error:
            _log.error("%s: %r", uri["function"], error)
            raise GatewayResponse(502, "Internal server error") from None

    async def _invoke(self, region: str, function: str, event: bytes) -> tuple[Mapping[str, Any], bytes]:
        """Call a function, and return the result and its text. Raise TimeoutError, or an error of botocore."""
        functions = self._target.within(region).client("lambda")
        calling = run_in_threadpool(functions.invoke, FunctionName=function, Payload=event)
        result = await asyncio.wait_for(calling, _INTEGRATION_TIMEOUT)
        return result, await run_in_threadpool(result["Payload"].read)

    async def _function_url(self, request: Request, id: str) -> Response:
        """Run a function URL that everyone may call."""
        url = await run_in_threadpool(self._function_urls.get, id)
        if url is None or not await run_in_threadpool(self._permissions.allow_url, url):
            return function_urls.failed(403, "Forbidden", "AccessDeniedException")
        try:
            told = function_urls.event(request, url, await read_payload(request))
            event = json.dumps(told).encode()
            if len(event) > _MAX_EVENT:
                raise GatewayResponse(413, "Request Too Long")
        except GatewayResponse:
            return function_urls.failed(413, "Request must be smaller than 6291456 bytes", "RequestTooLargeException")
        try:
            result, said = await self._invoke(url.region, url.function, event)
            if "FunctionError" in result:
                raise ValueError(said.decode())
            return function_urls.response(json.loads(said), told["requestContext"]["requestId"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "TooManyRequestsException":
                return function_urls.failed(429, "Rate Exceeded.", "TooManyRequestsException")
            _log.error("%s cannot be called: %s", url.function, error)
        except (BotoCoreError, TimeoutError, TypeError, ValueError) as error:
            _log.error("%s: %r", url.function, error)
        return function_urls.failed(502, "Internal Server Error", "InternalFailure")

    def _require_permission(self, call: Call, function: str) -> None:
        """Require that the function's policy allows the call, unless the integration has a role."""
        api, method, gateway = call.api, call.method, call.method.integration
        region, account = function.split(":")[3:5]
        stage = f"arn:aws:execute-api:{api.region}:{account}:{api.id}/{api.stage}/{call.request.method}"
        # By the path of the request, and by the resource's, with the names of its variables.
        sources = [stage + path for path in ("/" + raw_path(call.request, 5).lstrip("/"), method.resource_path)]
        if gateway.get("credentials") or self._permissions.allow(function, region, sources):
            return
        call.context["integration"] = {"error": _NOT_PERMITTED}
        call.context["integrationErrorMessage"] = _NOT_PERMITTED
        _log.error("%s: %s, for %s", function, _NOT_PERMITTED, sources[0])
        raise GatewayResponse(500, "Internal server error")

    async def _forward(self, request: Request) -> Response:
        """Forward a call to the emulator, byte for byte."""
        query = request.scope["query_string"]
        target = request.scope["raw_path"] + (b"?" + query if query else b"")
        headers = [(name, value) for name, value in request.headers.raw if name not in _HOP_BY_HOP]
        headers += [(name.encode(), value.encode()) for name, value in _TLS.items() if self._iam]
        try:
            # Always to the emulator: a path that is a URL would be used as the destination.
            url = httpx.URL(self._upstream).copy_with(raw_path=target)
        except (httpx.InvalidURL, UnicodeDecodeError):
            return json_answer(400, {"message": "Bad Request"})
        outgoing = self._http.build_request(request.method, url, headers=headers, content=await request.body())
        try:
            reply = await self._http.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            return json_answer(503, {"message": f"The local AWS cannot be reached: {error!r}"})
        try:
            body = b"".join([chunk async for chunk in reply.aiter_raw()])
        finally:
            await reply.aclose()
        if reply.is_success and request.scope["path"] != HEALTH_PATH:  # anyone may call that without a signature
            self._apis.saw_region(request.headers.get("authorization", ""))
        response = Response(body, status_code=reply.status_code)
        length = [] if request.method != "HEAD" else reply.headers.get_list("content-length")
        response.raw_headers = [
            *((name.lower(), value) for name, value in reply.headers.raw if name.lower() not in _HOP_BY_HOP),
            (b"content-length", (length[0] if length else str(len(body))).encode()),
        ]
        return response


class _Anything(PathConvertor):
    """A path that may also have a line end in it."""

    regex = "(?s:.*)"


register_url_convertor("anything", _Anything())


def create_app(upstream: str, key: str, *, iam: bool = False, sqs: str | None = None) -> Starlette:
    """Create the gateway in front of the emulator at this URL. With ``iam``, the emulator evaluates policies."""
    gateway = Gateway(upstream, key, iam=iam, sqs=sqs)
    return Starlette(
        routes=[Route("/{path:anything}", gateway.handle, methods=_METHODS)],
        exception_handlers={
            404: lambda _, __: _no_such_method(),  # a request target that is no path
            405: lambda _, __: _no_such_method(),
            # The client closed the connection, so no one reads this.
            ClientDisconnect: lambda _, __: json_answer(400, {"message": "Bad Request"}),
            # The log has the stack trace, the response does not.
            Exception: lambda _, __: numbered(GatewayResponse(500, "Internal server error").response()),
        },
    )


def main() -> None:
    """Serve until terminated."""
    arguments = argparse.ArgumentParser(prog="python -m scalable_webhook_cli.gateway.server")
    where = arguments.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int, help="a listening socket, whose port no other process can take")
    arguments.add_argument("--upstream", required=True, help="the emulator's URL")
    arguments.add_argument("--iam", action="store_true", help="the emulator evaluates policies")
    arguments.add_argument("--sqs", help="the URL of SQS, if it differs")
    options = arguments.parse_args()
    log = logging.StreamHandler()
    log.setFormatter(shown.Formatter())
    logging.basicConfig(handlers=[log])
    config = uvicorn.Config(
        create_app(options.upstream, key_of(os.environ), iam=options.iam, sqs=options.sqs),
        host="127.0.0.1",
        port=options.port or 0,
        log_level="warning",
        # If an idle connection ends just as it is used again, its call fails, and an invocation must not be repeated.
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        # The emulator sets Date and Server, and a second Date confuses clients.
        date_header=False,
        server_header=False,
        # As for API Gateway, the client is the other end of the connection, whatever X-Forwarded-For says.
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=None if options.fd is None else [socket.socket(fileno=options.fd)])


def _require_access(request: Request, api: RestApi, method: Method, context: Mapping[str, Any]) -> None:
    """Reject a call that is not allowed, in API Gateway's order and words."""
    if method.authorization_type == "AWS_IAM" and "authorization" not in request.headers:
        raise GatewayResponse(403, "Missing Authentication Token")
    if not api.allows(context["identity"]["sourceIp"]):
        arn = f"arn:aws:execute-api:{api.region}:********0000:{api.id}/{api.stage}/{request.method}{context['path']}"
        caller = "User: anonymous is not authorized to perform: execute-api:Invoke on resource"
        raise GatewayResponse(403, f"{caller}: {arn} with an explicit deny", "Message")
    if method.api_key_required and request.headers.get("x-api-key") not in api.api_keys:
        raise GatewayResponse(403, "Forbidden")


def _no_such_method() -> Response:
    """Return the response for an unknown path or method."""
    return numbered(GatewayResponse(403, "Missing Authentication Token").response())


def _described(method: Method) -> str:
    target = method.integration.get("uri") or "no target"
    return f"the authorization {method.authorization_type} and the type {method.integration.get('type')} with {target}"


def _is_supported(method: Method) -> bool:
    if method.authorization_type not in ("NONE", "AWS_IAM"):
        return False
    type, uri = method.integration.get("type"), method.integration.get("uri") or ""
    patterns = {"AWS": _SQS_URI, "AWS_PROXY": _LAMBDA_URI}
    return type == "MOCK" or bool(type in patterns and patterns[type].match(uri))


if __name__ == "__main__":
    main()
