"""Guard the local AWS: a call needs its key, and must not be from a browser.

Anyone may send a webhook, and ask for its health. Every other call, at either port, has to name this machine as its
host, and has to be signed with the key of this local AWS. The signature itself is not verified: the key is a secret, in
place of the access key of a signature.
"""

import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from scalable_webhook_cli.shown import shown

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The environment variable of the key, which boto3 and the CDK CLI read.
KEY_VARIABLE = "AWS_ACCESS_KEY_ID"
HEALTH_PATH = "/_ministack/health"

# Not twelve digits, which MiniStack takes for an account; 160 bits, which no one can guess.
_KEY = re.compile(r"LOCAL[0-9a-f]{40}")
# The names of this machine that a browser resolves without a resolver. Not `*.localhost`, which nothing here needs.
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE | re.ASCII)
# The data planes of API Gateway and of function URLs, by their hosts and by MiniStack's paths for them.
_ENDPOINT_HOST = re.compile(r"(^|\.)(execute-api|lambda-url)(\.|:|$)", re.IGNORECASE)
_ENDPOINT_PATH = re.compile(r"/_aws/(execute-api|lambda-url)(/|$)|/restapis/[^/]*/[^/]*/_user_request_(/|$)")
_SIGNED = "AWS4-HMAC-SHA256 "
_SCOPE = re.compile(r"(?P<key>[^/]+)/\d{8}/[^/]+/[^/]+/aws4_request")
# The parameters of a signed query, by the one with the access key: SigV4, and the older form of S3.
_BY_QUERY = {
    "X-Amz-Credential": {"X-Amz-Algorithm", "X-Amz-Signature"},
    "AWSAccessKeyId": {"Signature", "Expires"},
}
_NAMES_A_KEY = {name.lower() for name in _BY_QUERY}
_CORS = b"access-control-"
# Services with errors in XML, by the name in a signature. Others are known by the form that they send.
_QUERY = "<ErrorResponse><Error>{}</Error></ErrorResponse>"
_XML = {
    "s3": "<Error>{}</Error>",
    "ec2": "<Response><Errors><Error>{}</Error></Errors></Response>",
    **dict.fromkeys(("query", "route53", "cloudfront"), _QUERY),
}
_FORM = "application/x-www-form-urlencoded"
_SERVICE = re.compile(r"/\d{8}/[^/]+/([^/]+)/aws4_request")
_OLD_S3 = re.compile(r"^AWS |(^|[ &])AWSAccessKeyId=")


class Rejected(Exception):
    """A call that is rejected. The reason is sent in the protocol of the call ``asked``, so that the client can read
    it.
    """

    error_type = "AccessDeniedException"

    def __init__(self, why: str, asked: Scope | None = None) -> None:
        super().__init__(why)
        self.asked = asked

    @property
    def body(self) -> bytes:
        """The body that a client of AWS reads as an error with this message."""
        envelope = _envelope(self.asked) if self.asked else None
        if envelope is None:
            return json.dumps({"__type": self.error_type, "message": str(self)}).encode()
        error = f"<Type>Sender</Type><Code>AccessDenied</Code><Message>{escape(shown(str(self)))}</Message>"
        return envelope.format(error).encode()

    @property
    def headers(self) -> dict[str, str]:
        return {
            "content-type": "text/xml" if self.body.startswith(b"<") else "application/json",
            "content-length": str(len(self.body)),
            "x-amzn-errortype": self.error_type,
            "x-content-type-options": "nosniff",
        }


class NoSuchMethod(Rejected):
    """A call to an API that is not run, in API Gateway's words."""

    error_type = "MissingAuthenticationTokenException"

    def __init__(self) -> None:
        super().__init__("Missing Authentication Token")

    @property
    def body(self) -> bytes:
        return json.dumps({"message": str(self)}).encode()


def _envelope(asked: Scope) -> str | None:
    """Return the XML around an error, or None if the client's protocol is JSON."""
    query = asked["query_string"].decode("latin-1")
    signed = " ".join([*_values(asked, b"authorization"), unquote(query)])
    service = _SERVICE.search(signed)
    if service is None and _OLD_S3.search(signed):
        return _XML["s3"]
    if service and service[1] in _XML:
        return _XML[service[1]]
    is_form = any(value.lower().startswith(_FORM) for value in _values(asked, b"content-type"))
    return _XML["query"] if is_form else None


def new_key() -> str:
    """Return a new random key."""
    return "LOCAL" + secrets.token_hex(20)


def key_of(environment: Mapping[str, str]) -> str:
    """Return the key of a process of the local AWS.

    Raises:
        SystemExit: There is none, and without one any other text could count as the key.
    """
    key = environment.get(KEY_VARIABLE, "")
    if not _KEY.fullmatch(key):
        raise SystemExit(f"{KEY_VARIABLE} must hold a key of the local AWS; start it with: scalable-webhook local up")
    return key


def require_local_program(scope: Scope) -> None:
    """
    Raises:
        Rejected: The call names another host, as after DNS rebinding, or is from a page of a browser.
    """
    hosts = _values(scope, b"host")
    if len(hosts) == 1 and _ENDPOINT_HOST.search(hosts[0]):
        raise NoSuchMethod
    if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0]):
        got = ", ".join(hosts) if hosts else "none"
        raise Rejected(
            f"call the local AWS by 127.0.0.1 or localhost, got Host {got}; send to $AWS_ENDPOINT_URL", scope
        )
    pages = _values(scope, b"origin")
    if pages:
        raise Rejected(
            f"no page of a browser may call the local AWS, got Origin {', '.join(pages)}; a page may send a webhook, "
            "to the URL that scalable-webhook local status shows",
            scope,
        )
    if scope["path"] != HEALTH_PATH and any(site != "none" for site in _values(scope, b"sec-fetch-site")):
        raise Rejected("no page of a browser may call the local AWS; send from a program", scope)


class Guard:
    """Guards the ASGI application of the emulator.

    ``is_issued`` tells whether the emulator gave a key to an admitted client, for example for a role. ``is_awaited``
    tells whether a path is a secret of the emulator and one client.
    """

    def __init__(
        self, app: App, key: str, *, is_issued: Callable[[str], bool], is_awaited: Callable[[str, str], bool]
    ) -> None:
        self._app = app
        self._key = key.encode()
        self._is_issued = is_issued
        self._is_awaited = is_awaited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        try:
            if scope["type"] != "http":
                raise Rejected("the local AWS has no WebSocket")
            self._require(scope)
        except Rejected as rejected:
            return await _reject(scope, receive, send, rejected)
        return await self._app(scope, receive, _without_cors(send))

    def _require(self, scope: Scope) -> None:
        require_local_program(scope)
        method, path = scope["method"], scope["path"]
        if _ENDPOINT_PATH.match(path):  # only our own gateway runs them
            raise NoSuchMethod
        if (method, path) == ("GET", HEALTH_PATH) or self._is_awaited(method, path):
            return
        key = signed_by(scope)
        if key is None or not (hmac.compare_digest(key.encode(), self._key) or self._is_issued(key)):
            raise Rejected(
                "every call to the local AWS must be signed with its own key; in this shell, "
                'eval "$(scalable-webhook local env)", and call it by boto3, the AWS CLI or cdk'
            )


def signed_by(scope: Scope) -> str | None:
    """Return the access key of a call, as AWS reads it: exactly one, in the header or in the query."""
    headers = _values(scope, b"authorization")
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    named = [(name, value) for name, value in query if name.lower() in _NAMES_A_KEY]
    if len(headers) + len(named) != 1:
        return None
    if headers:
        return _key_in_header(headers[0])
    ((name, value),) = named
    if name not in _BY_QUERY or not _BY_QUERY[name] <= {other for other, _ in query}:
        return None
    return value if name == "AWSAccessKeyId" else _key_in_scope(value)


def _key_in_header(authorization: str) -> str | None:
    if not authorization.startswith(_SIGNED):
        return None
    pairs = [pair.strip().partition("=") for pair in authorization.removeprefix(_SIGNED).split(",")]
    parts = {name: value for name, _, value in pairs}
    if len(pairs) != 3 or parts.keys() != {"Credential", "SignedHeaders", "Signature"}:
        return None
    return _key_in_scope(parts["Credential"])


def _key_in_scope(credential: str) -> str | None:
    scope = _SCOPE.fullmatch(credential)
    return scope["key"] if scope else None


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _without_cors(send: Send) -> Send:
    """Remove the CORS headers by which MiniStack lets every page read every response."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if not name.lower().startswith(_CORS)]
            message = {**message, "headers": kept}
        await send(message)

    return sent


async def _reject(scope: Scope, receive: Receive, send: Send, rejected: Rejected) -> None:
    rejected.asked = scope
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        return
    # Read to the end: unread bytes end the connection, which may carry the gateway's next call.
    while (await receive()).get("more_body"):
        pass
    headers = [(name.encode(), value.encode()) for name, value in rejected.headers.items()]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else rejected.body})
