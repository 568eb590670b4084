"""Who gets into the local AWS: who has its key, and no page of a browser.

Anybody may send a webhook, and ask for its health. Every other call, to either of its two ports, has to be sent to this
machine by name, by a program, and be signed with the key that was made for this local AWS. The signature itself is not
verified: the key is a secret, and stands where a signature names its access key.
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

# The variable by which whoever may call has the key. boto3 and the CDK CLI know it.
KEY_VARIABLE = "AWS_ACCESS_KEY_ID"
HEALTH_PATH = "/_ministack/health"

# Not twelve digits, which MiniStack takes for an account; 160 bits, which nobody guesses.
_KEY = re.compile(r"LOCAL[0-9a-f]{40}")
# What a browser takes for this machine and no resolver has a say in. Not `*.localhost`: nothing of ours needs it.
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE | re.ASCII)
# API Gateway's data plane by its host, and by the paths that MiniStack has for it.
_EXECUTE_API_HOST = re.compile(r"(^|\.)execute-api(\.|:|$)", re.IGNORECASE)
_EXECUTE_API_PATH = re.compile(r"/_aws/execute-api(/|$)|/restapis/[^/]*/[^/]*/_user_request_(/|$)")
_SIGNED = "AWS4-HMAC-SHA256 "
_SCOPE = re.compile(r"(?P<key>[^/]+)/\d{8}/[^/]+/[^/]+/aws4_request")
# What names an access key in a query, and what has to stand beside it: SigV4, and the older one of S3.
_BY_QUERY = {
    "X-Amz-Credential": {"X-Amz-Algorithm", "X-Amz-Signature"},
    "AWSAccessKeyId": {"Signature", "Expires"},
}
_NAMES_A_KEY = {name.lower() for name in _BY_QUERY}
_CORS = b"access-control-"
# Whose errors are in XML, by the service in a signature; others are known by the form that they send.
_QUERY = "<ErrorResponse><Error>{}</Error></ErrorResponse>"
_XML = {
    "s3": "<Error>{}</Error>",
    "ec2": "<Response><Errors><Error>{}</Error></Errors></Response>",
    **dict.fromkeys(("query", "route53", "cloudfront"), _QUERY),
}
_FORM = "application/x-www-form-urlencoded"
_SERVICE = re.compile(r"/\d{8}/[^/]+/([^/]+)/aws4_request")
_OLD_S3 = re.compile(r"^AWS |(^|[ &])AWSAccessKeyId=")


class Refused(Exception):
    """A call that is not let in, and why: told in the protocol of what was ``asked``, so that the client reads it."""

    error_type = "AccessDeniedException"

    def __init__(self, why: str, asked: Scope | None = None) -> None:
        super().__init__(why)
        self.asked = asked

    @property
    def body(self) -> bytes:
        """What AWS's clients read as an error with this message."""
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


class NobodyHere(Refused):
    """A call to an API that is not run, in API Gateway's words."""

    error_type = "MissingAuthenticationTokenException"

    def __init__(self) -> None:
        super().__init__("Missing Authentication Token")

    @property
    def body(self) -> bytes:
        return json.dumps({"message": str(self)}).encode()


def _envelope(asked: Scope) -> str | None:
    """What is around an error in XML. None: the caller's protocol is of JSON."""
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
    """A key that nobody else has."""
    return "LOCAL" + secrets.token_hex(20)


def key_of(environment: Mapping[str, str]) -> str:
    """The key that a process of the local AWS was given.

    Raises:
        SystemExit: It was given none: whoever knows another text would be let in.
    """
    key = environment.get(KEY_VARIABLE, "")
    if not _KEY.fullmatch(key):
        raise SystemExit(
            f"by hand the local AWS needs a key of its own in {KEY_VARIABLE}; start it with: scalable-webhook local up"
        )
    return key


def require_local_program(scope: Scope) -> None:
    """
    Raises:
        Refused: The call came by a name that is not this machine's, as after DNS rebinding, or from a page.
    """
    hosts = _values(scope, b"host")
    if len(hosts) == 1 and _EXECUTE_API_HOST.search(hosts[0]):
        raise NobodyHere
    if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0]):
        got = ", ".join(hosts) if hosts else "none"
        raise Refused(
            f"the local AWS is called by 127.0.0.1 or localhost, got Host {got}; send to $AWS_ENDPOINT_URL", scope
        )
    pages = _values(scope, b"origin")
    if pages:
        raise Refused(
            f"no page of a browser may call the local AWS, got Origin {', '.join(pages)}; a page may send a webhook, "
            "to the URL that scalable-webhook local status shows",
            scope,
        )
    if scope["path"] != HEALTH_PATH and any(site != "none" for site in _values(scope, b"sec-fetch-site")):
        raise Refused("no page of a browser may call the local AWS; send from a program", scope)


class Guard:
    """Around the ASGI app of the emulator. ``is_issued`` tells a key that the emulator gave to somebody who was let in,
    as to a role, and ``is_awaited`` a path of which the emulator has told only one who may call it."""

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
                raise Refused("the local AWS has no WebSocket")
            self._require(scope)
        except Refused as refused:
            return await _refuse(scope, receive, send, refused)
        return await self._app(scope, receive, _without_cors(send))

    def _require(self, scope: Scope) -> None:
        require_local_program(scope)
        method, path = scope["method"], scope["path"]
        if _EXECUTE_API_PATH.match(path):  # our own API Gateway runs them, and nobody else
            raise NobodyHere
        if (method, path) == ("GET", HEALTH_PATH) or self._is_awaited(method, path):
            return
        key = signed_by(scope)
        if key is None or not (hmac.compare_digest(key.encode(), self._key) or self._is_issued(key)):
            raise Refused(
                "every call to the local AWS is signed with its own key; in this shell, "
                'eval "$(scalable-webhook local env)", and call it by boto3, the AWS CLI or cdk'
            )


def signed_by(scope: Scope) -> str | None:
    """The access key that a call names, as AWS reads it: once, in the one header or in the query."""
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
    """MiniStack lets every page read every answer."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if not name.lower().startswith(_CORS)]
            message = {**message, "headers": kept}
        await send(message)

    return sent


async def _refuse(scope: Scope, receive: Receive, send: Send, refused: Refused) -> None:
    refused.asked = scope
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        return
    # To its end: what is left unread ends the connection, on which our gateway's next call may be under way.
    while (await receive()).get("more_body"):
        pass
    headers = [(name.encode(), value.encode()) for name, value in refused.headers.items()]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else refused.body})
