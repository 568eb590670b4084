"""Forge requests from a genuine one, without its secret."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

# A part of a header of at least this length is a signature or a secret.
_SIGNATURE = re.compile(r"[A-Za-z0-9+/_-]{16,}=*")
_TOKEN = re.compile(r"(?<=Bearer ).+|^(?!Bearer ).+$")
_IN_A_HEADER = re.compile(r"(?<=t=)\d{10,13}")
_ALPHABET = "0123456789abcdefABCDEFXYZ+/=_-"
# Values that a careless function may take for a signature, a key or a time.
_NOTHINGS = ["", " ", "\t", ",", "=", "null", "None", "undefined", "true", "0", "[]", "{}", "*", "%00", "\0", "\u3000"]
_TIMES = [
    *("", "0", "-1", "1", "1e9", "0x6900", "NaN", "inf", "99999999999999999999", "9" * 5000, "1.5", " 1", "1 ", "+1"),
    *("\u0661\u0667\u0666", "now", "2026-01-01", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "00", "1_0", "١"),
]
_BODIES = [
    *(b"", b" ", b"\n", b"\0", b"{}", b"[]", b"null", b'{"id": "evt_forged"}', b"<x/>", b"a=b&c=d", b"\xff\xfe"),
    *(b"x" * 100_000, b"[" * 10_000, b'{"a":' * 2_000, b"1" * 10_000, "Zoë\u202e".encode(), b"\xed\xa0\x80"),
]


@dataclass(frozen=True)
class Request:
    """A request with all parts that a signature may cover. ``secret`` is the receiver's."""

    headers: Mapping[str, str]
    body: bytes
    at: float
    secret: str
    url: str
    method: str = "POST"
    query: str = ""

    def with_header(self, name: str, value: str) -> "Request":
        return replace(self, headers={**self.headers, name: value})

    def without(self, *names: str) -> "Request":
        left_out = {name.lower() for name in names}
        return replace(
            self, headers={name: value for name, value in self.headers.items() if name.lower() not in left_out}
        )


@dataclass(frozen=True)
class Scheme:
    """The parts of a request that a source reads, by its description."""

    headers: frozenset[str]
    timestamps: frozenset[str]
    signs_body: bool
    signs_url: bool
    is_timed: bool

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Scheme":
        kind, fields = described["kind"], described["scheme"]
        ways = fields.get("ways", [fields])
        signed = [way.get("signed", "{body}") for way in ways]
        headers = {way["header"] for way in ways if "header" in way}
        if kind == "twilio":
            headers = {"X-Twilio-Signature"}
        return cls(
            frozenset(name.lower() for name in headers),
            frozenset(way["timestamp_header"].lower() for way in ways if way.get("timestamp_header")),
            kind in ("hmac", "any_of", "twilio"),
            kind == "twilio" or any("{url}" in each for each in signed),
            any(way.get("tolerance") for way in ways),
        )


Rejected = Callable[[Request], bool]


def forgeries(genuine: Request, scheme: Scheme, rejected: Rejected) -> Iterator[tuple[str, Request]]:
    """Yield each forgery with a description.

    ``rejected`` tells which of several signatures count, as during a provider's rotation. One of them has to.
    """
    in_a_header = [name for name in genuine.headers if name.lower() in scheme.headers]
    named = [name for name in in_a_header if rejected(genuine.without(name))]
    assert bool(named) is bool(scheme.headers)
    if scheme.headers:
        yield "no header that counts", genuine.without(*scheme.headers)
        yield "no header at all", replace(genuine, headers={})
        yield "the secret in the query", replace(genuine.without(*scheme.headers), query=f"token={genuine.secret}")
    for name in named:
        yield from _of_a_header(genuine, name, rejected)
    if scheme.signs_body:
        yield from _of_the_body(genuine)
    if scheme.is_timed:
        yield from _of_the_time(genuine, scheme)
    if scheme.signs_url:
        for url in (
            f"{genuine.url}/",
            f"{genuine.url}x",
            genuine.url.replace("https", "http"),
            "https://evil.example/",
        ):
            yield f"the URL {url}", replace(genuine, url=url)
    if not scheme.headers:
        yield from _of_client_states(genuine)
    for secret in _wrong_secrets(genuine.secret):
        yield f"a signature by another secret than {secret[:20]!r}", replace(genuine, secret=secret)


def _of_a_header(genuine: Request, name: str, rejected: Rejected) -> Iterator[tuple[str, Request]]:
    value = genuine.headers[name]
    for nothing in _NOTHINGS:
        yield f"{name}: {nothing!r}", genuine.with_header(name, nothing)
    other = {"another name": f"Not-{name}", "an underscore": name.replace("-", "_") + "_", "a blank": f"{name}x"}
    for what, wrong in other.items():
        yield f"{name} by {what}", genuine.without(name).with_header(wrong, value)
    for forged in _signatures(genuine):
        yield f"{name}: {forged[:30]}", genuine.with_header(name, _with_signature(value, forged))
        yield f"{name}: {forged[:30]} alone", genuine.with_header(name, forged)
    places = [
        (start, end)
        for start, end in _places(value)
        if rejected(genuine.with_header(name, value[:start] + "A" * (end - start) + value[end:]))
    ]
    assert places
    for start, end in places:
        signature = value[start:end]
        for position, character in enumerate(signature):
            wrong = next(each for each in _ALPHABET[position % len(_ALPHABET) :] + _ALPHABET if each != character)
            changed = signature[:position] + wrong + signature[position + 1 :]
            yield f"{name}: character {position}", genuine.with_header(name, value[:start] + changed + value[end:])
        for cut in (1, 2, 4, 8, len(signature) // 2, len(signature) - 1):
            yield f"{name}: cut by {cut}", genuine.with_header(name, value[:start] + signature[:-cut] + value[end:])
            yield f"{name}: its end of {cut}", genuine.with_header(name, value[:start] + signature[cut:] + value[end:])
        for end_of in ("0", "A", ".", "\u200b", "\uff11"):
            yield f"{name}: longer by {end_of!r}", genuine.with_header(name, value[:end] + end_of + value[end:])
        yield f"{name}: from the end", genuine.with_header(name, value[:start] + signature[::-1] + value[end:])


def _places(value: str) -> list[tuple[int, int]]:
    """Return the places of signatures in a header, or else of the secret itself."""
    found = list(_SIGNATURE.finditer(value)) or list(_TOKEN.finditer(value))
    return [each.span() for each in found]


def _with_signature(value: str, forged: str) -> str:
    for start, end in reversed(_places(value)):
        value = value[:start] + forged + value[end:]
    return value


def _signatures(genuine: Request) -> Iterator[str]:
    """Yield signatures that need no secret."""
    for digest in (hashlib.sha256, hashlib.sha1, hashlib.sha512, hashlib.md5):
        for content in (genuine.body, b"", str(int(genuine.at)).encode() + b"." + genuine.body):
            made = digest(content).digest()
            yield made.hex()
            yield base64.b64encode(made).decode()
    yield "0" * 64
    yield base64.b64encode(bytes(32)).decode()


def _of_the_body(genuine: Request) -> Iterator[tuple[str, Request]]:
    body = genuine.body
    for other in _BODIES:
        if other != body:
            yield f"the body {other[:20]!r}", replace(genuine, body=other)
    for what in (b" ", b"\n", b"\r\n", b"\0", b"\xef\xbb\xbf", b"x", b"&a=b"):
        yield f"{what!r} behind the body", replace(genuine, body=body + what)
        yield f"{what!r} before the body", replace(genuine, body=what + body)
    for position in range(min(len(body), 40)):
        changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
        yield f"bit {position} of the body", replace(genuine, body=changed)
        yield f"{position + 1} bytes less", replace(genuine, body=body[: -position - 1])
    yield "the body twice", replace(genuine, body=body * 2)


def _of_the_time(genuine: Request, scheme: Scheme) -> Iterator[tuple[str, Request]]:
    day = 86_400 * 2
    for seconds in (day, -day, 10 * 365 * 86_400, -10 * 365 * 86_400):
        yield f"{seconds} s later", replace(genuine, at=genuine.at + seconds)
    for name, value in genuine.headers.items():
        if name.lower() in scheme.headers and (found := _IN_A_HEADER.search(value)):
            for time in _TIMES:
                changed = value[: found.start()] + time + value[found.end() :]
                yield f"{name} at {time[:30]!r}", genuine.with_header(name, changed)
        if name.lower() not in scheme.timestamps:
            continue
        yield f"no {name}", genuine.without(name)
        for time in [*_TIMES, f"{value} ", f"{value}.0", f"+{value}", f"{value}\u200b", f"{value},{value}", value[:-1]]:
            # HTTP strips blanks at the ends of a value. With them, a time is wrong too.
            yield f"{name}: {time[:30]!r}", genuine.with_header(name, time)


def _of_client_states(genuine: Request) -> Iterator[tuple[str, Request]]:
    """In Microsoft Graph's payload, each change has the secret as a field."""
    secret = genuine.secret
    wrong: list[Any] = [None, "", " ", 0, 1, True, False, [], [secret], {}, {"clientState": secret}, secret + " ", "x"]
    wrong += [secret[:-1], secret[1:], secret.upper(), secret.title(), f"\u200b{secret}", secret.replace("s", "\u017f")]
    wrong += [secret[:n] + "~" + secret[n + 1 :] for n in range(len(secret))] + [
        secret * 2,
        secret[::-1],
        f"{secret}\0",
    ]
    changes: list[Any] = [{"clientState": each, "resource": "me"} for each in wrong] + [
        {"resource": "me"},
        {},
        None,
        "x",
        [],
    ]
    right = {"clientState": secret, "resource": "me"}
    for change in changes:
        for what, value in {"alone": [change], "first": [change, right], "last": [right, change]}.items():
            yield f"{change!r} {what}", replace(genuine, body=json.dumps({"value": value}).encode())
    values: list[Any] = [None, [], {}, secret, 1, {"clientState": secret}, [[right]]]
    for each in values:
        yield f"the value {each!r}", replace(genuine, body=json.dumps({"value": each}).encode())
    yield "next to the value", replace(genuine, body=json.dumps({"clientState": secret}).encode())
    for body in _BODIES:
        yield f"the body {body[:20]!r}", replace(genuine, body=body)


def _wrong_secrets(secret: str) -> Iterator[str]:
    """Yield wrong secrets, in the form of the right one. With each, the genuine request becomes a forgery."""
    try:
        fields = json.loads(secret)
    except ValueError:
        fields = None
    if isinstance(fields, dict):
        (first, value), *others = fields.items()
        yield from (json.dumps({first: wrong, **dict(others)}) for wrong in _wrong_secrets(value))
        return
    start = len("whsec_") if secret.startswith("whsec_") else 0
    # The last character of base64 has unused bits.
    for position in range(start, min(len(secret) - 2, start + 40)):
        character = secret[position]
        if character.isalnum():
            wrong = "1" if character != "1" else "2"
            yield secret[:position] + wrong + secret[position + 1 :]
