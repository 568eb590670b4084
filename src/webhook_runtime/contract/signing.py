"""Sign a request as its provider does: the inverse of ``webhook_runtime.sources.schemes``, by the same data.

The command line and ``webhook_runtime.testing`` sign. No deployed function has this module.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from webhook_runtime.contract.keys import key_of
from webhook_runtime.contract.schemes import AnyOf, ClientState, Hmac, Scheme, Token, Twilio

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of a provider. ``url`` is the URL that the provider calls, with its query."""

    body: bytes
    url: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """Return the value of a header, in any case."""
        return {each.lower(): value for each, value in self.headers.items()}.get(name.lower())

    def having(self, **headers: str) -> "Request":
        """Return the request with these headers in place of its own."""
        added = {name.lower() for name in headers}
        others = {name: value for name, value in self.headers.items() if name.lower() not in added}
        return replace(self, headers={**others, **headers})


def sign(scheme: Scheme, request: Request, secret: str, *, at: float, id: str) -> Request:
    """Return the request with its signature, and with the id of its delivery if that belongs into a header.

    An id that the request has already is kept. A scheme that has several ways to sign uses the first. Most add headers,
    but a ``clientState`` belongs into the payload, and Twilio's digest into the query.

    Args:
        scheme: The scheme.
        request: The request.
        secret: The signing secret.
        at: The time of signing, in seconds since 1970.
        id: The id of the delivery.

    Raises:
        ValueError: The secret holds no key, the scheme cannot sign this payload, or a function of the user verifies.
    """
    scheme = usual(scheme)
    if scheme.id_header is not None and not request.header(scheme.id_header):
        request = request.having(**{scheme.id_header: id})
    match scheme:
        case Hmac():
            return _by_hmac(scheme, request, secret, at)
        case Twilio():
            return _by_twilio(scheme, request, secret)
        case Token():
            return request.having(**{scheme.header: scheme.prefix + secret})
        case ClientState():
            return replace(request, body=_with_state(request.body, secret))
    raise ValueError("Source.custom() verifies by a function of your own, so only that knows the signature")


def usual(scheme: Scheme) -> Scheme:
    """Return the way to sign that a provider uses if nothing else is said: the first of several."""
    return Hmac(**scheme.ways[0]) if isinstance(scheme, AnyOf) else scheme


def _by_hmac(scheme: Hmac, request: Request, secret: str, at: float) -> Request:
    if not request.body.startswith(scheme.opening.encode()):
        raise ValueError(f"the payload must start with {scheme.opening}")
    names = {
        "timestamp": time_text(at, scheme.timestamp_format),
        "id": (scheme.id_header and request.header(scheme.id_header)) or "",
        "url": request.url,
        "method": request.method,
    }
    before, behind = (each.text.format(**names).encode() for each in scheme.around)
    mac = hmac.digest(key_of(secret, scheme.key), before + request.body + behind, scheme.algorithm)
    parts = [scheme.prefix + scheme.written(mac)]
    if scheme.timestamp_prefix is not None:
        parts.insert(0, scheme.timestamp_prefix + names["timestamp"])
    signed = request.having(**{scheme.header: scheme.separator.join(parts)})
    return signed.having(**{scheme.timestamp_header: names["timestamp"]}) if scheme.timestamp_header else signed


def _by_twilio(scheme: Twilio, request: Request, secret: str) -> Request:
    form = parse_qsl(request.body.decode(), keep_blank_values=True) if is_form(request.header("Content-Type")) else []
    fields = scheme.fields(form)
    if request.body and not fields:
        request = replace(request, url=_with_parameter(request.url, scheme.digest, _sha256(request.body)))
    mac = hmac.digest(secret.encode(), request.url.encode() + fields, "sha1")
    return request.having(**{scheme.header: base64.b64encode(mac).decode()})


def _with_state(body: bytes, secret: str) -> bytes:
    """Return the payload with the secret in each of its notifications."""
    try:
        payload = json.loads(body)
        notifications = [{**each, "clientState": secret} for each in payload["value"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("the payload must be a JSON object with a list of notifications in value") from None
    if notifications == payload["value"]:
        return body
    return dumps({**payload, "value": notifications})


def time_text(at: float, format: str) -> str:
    """Return a time as a header has it, in ``seconds``, in ``milliseconds`` or as ``iso8601``."""
    if format == "iso8601":
        return datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")
    return str(int(at * 1000) if format == "milliseconds" else int(at))


def is_form(content_type: str | None) -> bool:
    """Tell whether this is the content type of a form."""
    return (content_type or "").partition(";")[0].strip().lower() == FORM


def dumps(value: object) -> bytes:
    """Return compact JSON, as most providers write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def new_secret(scheme: Scheme) -> str:
    """Return a new secret that suits a scheme, for tests."""
    key = secrets.token_bytes(24)
    match usual(scheme):
        case Hmac(key="base64"):
            return f"whsec_{base64.b64encode(key).decode()}"
        case Hmac(key="hex"):
            return key.hex()
    return f"test_{key.hex()}"


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _with_parameter(url: str, name: str, value: str) -> str:
    """Return the URL with a parameter in its query, unless it is there."""
    base, _, query = url.partition("?")
    pairs = [pair for pair in query.split("&") if pair and not pair.startswith(f"{name}=")]
    return f"{base}?{'&'.join([*pairs, urlencode({name: value})])}"
