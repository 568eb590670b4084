"""Events of the providers, to send: small ones of our own making, with a new id and time whenever one is asked for."""

import json
import random
import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from webhook_runtime.contract.signing import FORM, dumps

_JSON = "application/json"
# A text of only a placeholder with ``int`` is a number.
_PLACEHOLDER = re.compile(r"\{(?P<number>int )?(?P<name>[a-z][a-z0-9 ]*)\}")


@dataclass(frozen=True)
class Event:
    """An event of a provider: its payload, and the headers that tell what it is.

    Or a verification of the endpoint, which is answered and not stored. It may have another method and a query, and its
    provider may not sign it.
    """

    name: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)
    is_verification: bool = False
    is_signed: bool = True


def names(provider: str) -> Sequence[str]:
    """Return the events of a provider, by the name of its method: the usual one first, the verifications last."""
    told = _of(provider)
    return [*told["events"], *told.get("verifications", ())]


def event(provider: str, name: str, verify_token: Callable[[], str] = str) -> Event:
    """Return a new event, with an id and a time of its own where the provider has them.

    ``verify_token`` reads the one that Meta's verification has to have.
    """
    told, values = _of(provider), _new_values(name)
    if name in told["events"]:
        payload = _filled(told["events"][name], values)
        return Event(name, _written(payload, told["written"]), headers(provider, name, values))
    asked = _filled(told["verifications"][name], {**values, "verify token": verify_token()})
    payload, common = asked.get("payload"), headers(provider, name, values)
    return Event(
        name,
        b"" if payload is None else _written(payload, told["written"]),
        {**({} if payload is None else common), **asked.get("headers", {})},
        method=asked.get("method", "POST"),
        query=asked.get("query", {}),
        is_verification=True,
        is_signed=asked.get("is_signed", True),
    )


def headers(provider: str, name: str | None, values: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the headers of an event, which need not be one of those here. Without a name, those that need none."""
    told = _of(provider)
    filled = _filled(
        {header: value for header, value in told["headers"].items() if name or "{event}" not in value},
        values or _new_values(name or ""),
    )
    return {"Content-Type": FORM if told["written"] == "form" else _JSON, **filled}


@cache
def _of(provider: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(files(__name__).joinpath(f"{provider}.json").read_text(encoding="utf-8"))
    return told


def _new_values(event: str) -> Mapping[str, str]:
    now = datetime.now(UTC)
    return {
        "event": event,
        "uuid": str(uuid.uuid4()),
        "hex": secrets.token_hex(12),
        "hex32": secrets.token_hex(16),
        "number": str(random.SystemRandom().randrange(10**11, 10**12)),
        "seconds": str(int(time.time())),
        "milliseconds": str(int(time.time() * 1000)),
        "iso": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "iso tomorrow": (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "asctime": now.strftime("%a %b %d %H:%M:%S +0000 %Y"),
    }


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """Return a value with each placeholder in it replaced."""
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole and whole["number"]:
        return int(values[whole["name"]])
    return _PLACEHOLDER.sub(lambda found: values[found["name"]], value)


def _written(payload: Any, how: str) -> bytes:
    """Return a payload as its provider writes it."""
    match how:
        case "form":
            return urlencode(payload).encode()
        case "indented":
            return json.dumps(payload, indent=2, ensure_ascii=False).encode()
    return dumps(payload)
