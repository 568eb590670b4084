"""A case: what is sent, what AWS should make of it, and who says so."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Fields of an answer and of a message: seen, or expected.
Facts = Mapping[str, object]

# Where an expectation has this, any value will do.
ANY = "(any)"
# A header with this value gets the key of the API.
API_KEY = "(API key)"

_SHOWN_BYTES = 60


@dataclass(frozen=True)
class Request:
    """A request to an endpoint: the path below its URL, with the query, as it is written on the wire."""

    method: str = "POST"
    path: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    signed: bool = False


@dataclass(frozen=True)
class Locally:
    """The known behaviour of the local AWS instead, and the reason."""

    facts: Facts
    why: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case.

    Attributes:
        id: Its group and its name, such as ``payload.none``.
        shows: What it shows.
        way: The way in which it is tried, of ``ways.py``.
        expected: What is expected of each endpoint. None: no one has recorded it, so what is seen is a new fact.
        source: Who says so: a fact of ``tests/recorded``, or a page of AWS.
        requests: What is sent.
        fields: The fields of interest, where nothing is expected.
        count: How many webhooks a burst has, in an account and locally.
        locally: What the local AWS does instead, at some endpoints.
    """

    id: str
    shows: str
    way: str
    expected: Mapping[str, Facts | None]
    source: str
    requests: Sequence[Request] = (Request(),)
    fields: Sequence[str] = ()
    count: tuple[int, int] = (0, 0)
    locally: Mapping[str, Locally] = field(default_factory=dict)


@dataclass(frozen=True)
class NotTried:
    """Something that no request to this app can show, and why."""

    id: str
    why: str


def at(ingresses: Sequence[str], expected: Facts | None) -> Mapping[str, Facts | None]:
    """Expect the same of several endpoints."""
    return dict.fromkeys(ingresses, expected)


def shown(payload: bytes) -> str:
    """Return a payload as text, if it is short and can be read; else its size and digest."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = "\0"
    if len(payload) <= _SHOWN_BYTES and text.isprintable():
        return text
    return f"{len(payload):,} bytes, SHA-256 {hashlib.sha256(payload).hexdigest()[:16]}"


def differences(expected: Facts, seen: Facts) -> dict[str, tuple[object, object]]:
    """Return expected and seen value of each field that differs. Fields without an expectation are free."""
    found: dict[str, tuple[object, object]] = {}
    for name, wanted in expected.items():
        got = seen.get(name)
        if isinstance(wanted, Mapping) and isinstance(got, Mapping):
            found |= {f"{name}.{inner}": pair for inner, pair in differences(wanted, got).items()}
        elif (got is None) if wanted == ANY else (got != wanted):
            found[name] = (wanted, got)
    return found
