"""Who sent it, and is it whole: the signatures of senders, checked against what their shared secret makes."""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook_runtime.clients import client
from webhook_runtime.message import Headers
from webhook_runtime.settings import SourceSettings

# A secret that has been asked for is taken at its word for so long; one that made no signature match is asked for again
# sooner, since it may have been rotated, but not so often that a stranger's requests could wear Secrets Manager out.
_KNOWN_SECONDS = 300
_ASKED_SECONDS = 10


class Unverified(Exception):
    """The request is not known to be of its sender. ``reason`` says why, and is for the sender too. It is not ``sure``
    where the secret may have been rotated since it was last asked for."""

    def __init__(self, reason: str, *, sure: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sure = sure


class NoSecret(Exception):
    """The secret cannot be had, so nothing can be verified."""


@dataclass(frozen=True)
class Scheme:
    """How one kind of sender signs.

    ``signed`` is what the signature is of, with ``{body}``, ``{timestamp}`` and ``{id}``. ``key`` is how the secret is
    written: ``text``, or ``base64`` with a prefix. ``form`` tells that the header has several signatures: those of
    Standard Webhooks (``v1,…`` and a space between), or those of Stripe (``t=…,v1=…``), which holds the timestamp too.
    """

    header: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    signed: str = "{body}"
    key: str = "text"
    form: str = ""
    timestamp_header: str | None = None
    tolerance: float | None = None
    id_header: str | None = None
    id_field: str | None = None


class Secrets:
    """The secret as it is and as it was before it was rotated, from Secrets Manager. ``field`` is its key in JSON."""

    def __init__(self, client: Any, arn: str, field: str | None, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._arn = arn
        self._field = field
        self._now = now
        self._known: list[str] = []
        self._asked_at = float("-inf")

    def current(self) -> list[str]:
        """Raises NoSecret."""
        if self._now() - self._asked_at > _KNOWN_SECONDS:
            self._ask()
        return self._known

    def are_newer_than(self, at: float) -> bool:
        """Whether what is known was asked for after that time; it is asked for now, unless that was just done."""
        if self._asked_at < at and self._now() - self._asked_at >= _ASKED_SECONDS:
            self._ask()
        return self._asked_at >= at

    def _ask(self) -> None:
        known = [value for stage in ("AWSCURRENT", "AWSPREVIOUS") if (value := self._value(stage))]
        if not known:
            raise NoSecret("the secret is empty")
        self._known, self._asked_at = known, self._now()

    def _value(self, stage: str) -> str | None:
        try:
            text = self._client.get_secret_value(SecretId=self._arn, VersionStage=stage)["SecretString"]
            return str(json.loads(text)[self._field]) if self._field else str(text)
        except Exception as error:
            if stage == "AWSPREVIOUS":  # one that was never rotated has none
                return None
            # What json says of it would quote the secret.
            raise NoSecret(type(error).__name__) from None


class Verifier:
    """Checks requests against one scheme and its secrets."""

    def __init__(self, scheme: Scheme, secrets: Secrets) -> None:
        self._scheme = scheme
        self._secrets = secrets

    @classmethod
    def from_settings(cls, settings: SourceSettings | None) -> "Verifier | None":
        """The verifier of a deployed function. None where anybody may send."""
        if settings is None:
            return None
        secrets = Secrets(client("secretsmanager"), settings.secret_arn, settings.secret_field)
        return cls(Scheme(**json.loads(settings.scheme)), secrets)

    def verify(self, headers: Headers, body: bytes, at: float) -> None:
        """``at`` is when the request arrived, in seconds. Raises Unverified, or NoSecret."""
        scheme = self._scheme
        value = _only(headers, scheme.header)
        parts = _stripe(value) if scheme.form == "stripe" else {}
        timestamp = parts.get("t", [None])[0] if parts else _timestamp(headers, scheme)
        if scheme.tolerance is not None:
            _require_recent(timestamp, at, scheme.tolerance)
        id = _only(headers, scheme.id_header) if "{id}" in scheme.signed and scheme.id_header else ""
        before, _, after = scheme.signed.partition("{body}")
        names = {"timestamp": timestamp or "", "id": id}
        signed = before.format(**names).encode() + body + after.format(**names).encode()
        given = self._given(value, parts)
        if not given:
            raise Unverified(f"The header {scheme.header} holds no signature.")
        if self._matches(given, signed):
            return
        # A secret that was known before the request arrived may have been rotated before it, too.
        sure = self._secrets.are_newer_than(at)
        if not self._matches(given, signed):
            raise Unverified(f"The signature in {scheme.header} does not match the payload.", sure=sure)

    def delivery_id(self, headers: Headers, body: bytes) -> str | None:
        """What makes the delivery unique, where the sender says it."""
        if self._scheme.id_header is not None:
            values = headers.get_all(self._scheme.id_header)
            return values[-1] if values and values[-1] else None
        if self._scheme.id_field is not None:
            try:
                value = json.loads(body).get(self._scheme.id_field)
            except (ValueError, AttributeError):
                return None
            return value if isinstance(value, str) and value else None
        return None

    def _given(self, value: str, parts: Mapping[str, list[str]]) -> list[str]:
        """The signatures that the request has."""
        if self._scheme.form == "stripe":
            return parts.get("v1", [])
        if self._scheme.form == "standard":
            return [each.removeprefix("v1,") for each in value.split(" ") if each.startswith("v1,")]
        return [value.removeprefix(self._scheme.prefix)] if value.startswith(self._scheme.prefix) else []

    def _matches(self, given: list[str], signed: bytes) -> bool:
        """Whether one of them is one that we would have made: as it is written, so in one form only."""
        keys = map(self._key, self._secrets.current())
        made = [self._written(hmac.digest(key, signed, self._scheme.algorithm)) for key in keys]
        # All are compared, each in constant time.
        matches = [hmac.compare_digest(one, other.encode()) for one in made for other in given]
        return any(matches)

    def _written(self, mac: bytes) -> bytes:
        return mac.hex().encode() if self._scheme.encoding == "hex" else base64.b64encode(mac)

    def _key(self, secret: str) -> bytes:
        if self._scheme.key == "text":
            return secret.encode()
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise NoSecret("the secret is not base64") from None


def _only(headers: Headers, name: str) -> str:
    values = headers.get_all(name)
    if len(values) != 1 or not values[0]:
        raise Unverified(f"The header {name} must be there, and once.")
    return values[0]


def _timestamp(headers: Headers, scheme: Scheme) -> str | None:
    return _only(headers, scheme.timestamp_header) if scheme.timestamp_header else None


def _require_recent(timestamp: str | None, at: float, tolerance: float) -> None:
    if timestamp is None or not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 15:
        raise Unverified("The timestamp of the signature must be a number of seconds.")
    if abs(at - int(timestamp)) > tolerance:
        raise Unverified(f"The signature must not be older or younger than {tolerance:g} seconds.")


def _stripe(value: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for part in value.split(","):
        name, _, text = part.partition("=")
        parts.setdefault(name.strip(), []).append(text.strip())
    if len(parts.get("t", [])) != 1:
        raise Unverified("The signature must have one timestamp.")
    return parts
