"""Requests that take a function longest before it can reject them, for each scheme and of the largest size.

The attacker has seen genuine requests, but does not have the secret.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import Source as Described
from webhook_runtime import message
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.message import Headers, Webhook
from webhook_runtime.sources.source import Source, Sources

from ..runtime.doubles import SecretsManager
from ..runtime.events import record, request
from ..signers import BODY, SIGNERS, WAYS, Signer

ALL: Mapping[str, Signer] = {**SIGNERS, **WAYS}
# The URL that the publisher reads from an event.
URL = "https://abc.execute-api.us-east-1.amazonaws.com/prod/in"
MOUNT = "/in"
# Bytes: of a message, of a payload in an event of 6 MB, and of a batch as JSON.
MESSAGE = MAX_MESSAGE_BYTES
REQUEST = 4_400_000
BATCH = 6 * 2**20
# Request line and headers are limited to 10,240 bytes together.
_HEAD = 8_000

Pairs = Sequence[tuple[str, str]]
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_ODD = "~!$'()*,;:@/?"
_ODD_QUERY = [(f"{number}{_ODD}", f"{_ODD} ") for number in range(_HEAD // 32)]
_NAMES = [("a", "")] * (_HEAD // 2)
_MANY_HEADERS = [(f"x-{number}", "") for number in range(_HEAD // 8)]


@dataclass(frozen=True)
class Hostile:
    """A request, and a description of its attack."""

    what: str
    headers: Pairs
    body: bytes
    query: Pairs = ()

    def event(self, at: float) -> dict[str, Any]:
        """Return it as an event for the publisher."""
        event = request(self.body, headers=list(self.headers), query=list(self.query), mount=MOUNT, proxy=None)
        event["requestContext"]["requestTimeEpoch"] = round(at * 1000)
        return event

    def webhook(self, at: float, id: str) -> Webhook:
        return Webhook(
            id=id,
            request_id=id,
            method="POST",
            mount=MOUNT,
            path=MOUNT,
            url=URL,
            query_string=urlencode(self.query),
            headers=Headers(self.headers),
            body=self.body,
            source_ip="203.0.113.7",
            received_at=datetime.fromtimestamp(at, UTC),
        )

    def fitting(self, at: float, id: str = "0") -> "Hostile":
        """Return it with as much of its payload as fits a message."""
        body, attribute = message.write(self.webhook(at, id))
        above = message.size(body, attribute) - MESSAGE
        return self if above <= 0 else replace(self, body=_cut(self.body, above))


def description(source: Callable[[Any], Described]) -> dict[str, Any]:
    """Return the description of a source that synth time writes for run time."""
    described = source(secretsmanager.Secret(Stack(App(), "Stack"), "Secret")).describe()
    told: dict[str, Any] = json.loads(json.dumps(described, default=str))
    return told


def sources(provider: Signer, manager: SecretsManager, *, in_order: bool = False) -> Sources:
    """Return the signer's source at ``MOUNT``."""
    return Sources({MOUNT: Source.from_description(description(provider.source), manager, in_order=in_order)})


def genuine(provider: Signer, at: float) -> Hostile:
    """Return a genuine request."""
    query = [tuple(pair.split("=")) for pair in provider.query(BODY).split("&") if pair]
    return Hostile("genuine", list(provider.sign(BODY, at, URL).items()), BODY, query)  # type: ignore[arg-type]


def hostile(provider: Signer, at: float, size: int = REQUEST) -> Iterator[Hostile]:
    """Yield hostile requests with payloads of ``size`` bytes."""
    scheme = description(provider.source)["scheme"]
    ways = scheme.get("ways", [scheme])
    signed = provider.sign(BODY, at, URL)
    # A signature in each header that may have one, most of them of another payload.
    some = next((signed[way["header"]] for way in ways if way.get("header") in signed), "x" * 28)
    headers = [*signed.items(), *((way["header"], some) for way in ways if way.get("header", "") not in ("", *signed))]
    # An attacker does not know the token.
    headers = [(name, value.replace(provider.secret, "hush hash")) for name, value in headers if name != "Content-Type"]
    bodies = _bodies(size)
    for kind, body in bodies.items():
        yield Hostile(kind, headers, body)
    text = bodies["a text"]
    digest = [("bodySHA256", hashlib.sha256(text).hexdigest())]
    yield Hostile("a text, odd query", headers, text, [*digest, *_ODD_QUERY])
    yield Hostile("unsigned", [], text)
    yield Hostile("no payload, odd query", headers, b"", _ODD_QUERY)
    yield Hostile("no payload, many names", headers, b"", _NAMES)
    yield Hostile("many headers", [*headers, *_MANY_HEADERS], text)
    for number in (19, 1_000):
        several = [
            (name, value + "".join(f"{way['separator']}{way['prefix']}0" for _ in range(number)))
            for way in ways
            if way.get("separator")
            for name, value in headers
            if name == way["header"]
        ]
        if several:
            others = [pair for pair in headers if pair[0] not in dict(several)]
            yield Hostile(f"{number} signatures more", [*others, *several], text, _ODD_QUERY)
    for kind, form in _forms(size).items():
        yield Hostile(f"{kind}, odd query", [*headers, _FORM], form, _ODD_QUERY)


@cache
def _bodies(size: int) -> Mapping[str, bytes]:
    """Return payloads, each an object, as most are."""
    elements = {
        "objects": b'{"":0}',
        "arrays": b"[]",
        "numbers": b"1",
        "notifications": b'{"clientState":"hush hash"}',
    }
    return {
        "a text": b'{"a":"' + b"x" * (size - 8) + b'"}',
        "bytes": b"{" + bytes(range(256)) * (size // 256) + b"}",
        **{
            kind: b'{"value":[%s]}' % b",".join([element] * (size // (len(element) + 1)))
            for kind, element in elements.items()
        },
    }


@cache
def _forms(size: int) -> Mapping[str, bytes]:
    forms = {
        "a form of many fields": b"&".join([b"a"] * (size // 2)),
        "a form of one field": b"a=" + b"%41" * (size // 3),
    }
    for limit, fields in ((64 * 1024, 32_000), (64 * 1024, 99), (256 * 1024, 999)):
        escapes = max((limit - 6 * fields) // fields // 3, 0)
        form = b"&".join(b"%x=%s" % (number, b"%41" * escapes) for number in range(fields))[:limit]
        forms[f"a form of {fields} fields in {limit // 1024} KiB"] = form
    return forms


def _cut(body: bytes, above: int) -> bytes:
    """Shorten a payload by this much, in any encoding."""
    left = len(body) - above
    try:
        body.decode()
    except UnicodeDecodeError:
        left = len(body) - above * 3 // 4 - 4
    return body[: left - 2] + b"]}"


def queued(webhook: Webhook, *, fifo: bool = False) -> dict[str, Any]:
    """Return it as a record of the queue."""
    more: dict[str, Any] = {}
    if fifo:
        more = {"queue": "arn:aws:sqs:us-east-1:000000000000:Queue.fifo", "group": "webhook"}
    return record(*message.write(webhook), message_id=webhook.id, **more)
