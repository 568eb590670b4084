"""How senders prove who they are, each kind in a class: what a request claims, and whether a secret bears it out."""

import base64
import hashlib
import hmac
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

from webhook_runtime import guard, logs
from webhook_runtime.admission import Answer, Unverifiable, Unverified
from webhook_runtime.clock import INTERRUPTS
from webhook_runtime.message import Headers, Webhook, parse_json
from webhook_runtime.secrets import NoSecret, standard_key


class SourceFailed(Unverifiable):
    """The user's function failed, so nobody is let in."""


@dataclass(frozen=True)
class Verdict:
    """What a check has found: the secret that the request was signed with, and what the user's function said of it."""

    secret: str = ""
    id: str | None = None
    answer: Answer | None = None


# Whether a secret bears out what a request claims.
Claim = Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class Scheme(ABC):
    """``id_header`` or ``id_field``, of a JSON payload, is what makes a delivery unique."""

    id_header: str | None = None
    id_field: str | None = None

    def check(self, webhook: Webhook, secrets: Sequence[str]) -> Verdict:
        """Raises Unverified, or Unverifiable."""
        claim = self.claim(webhook)
        for secret in secrets:
            try:
                if claim(secret):
                    return Verdict(secret)
            except NoSecret:
                # The one before it may have been of another kind: the random one that it was created with.
                if secret == secrets[0]:
                    raise
        if secrets and isinstance(_json_value(secrets[0]), dict):
            raise NoSecret("the secret is a JSON object, and no secret_field says which of its keys is meant")
        raise Unverified(self.mismatch, sure=False)

    @property
    @abstractmethod
    def mismatch(self) -> str:
        """What to tell a sender whom no secret bears out."""

    @abstractmethod
    def claim(self, webhook: Webhook) -> Claim:
        """What compares does so in constant time. Raises Unverified for what no secret can mend."""

    @property
    def secret_header(self) -> str | None:
        """The header that holds the secret itself, so that no sink has it."""
        return None

    def delivery_id(self, webhook: Webhook) -> str | None:
        """What makes the delivery unique, where the sender says it."""
        if self.id_header is not None:
            values = webhook.headers.get_all(self.id_header)
            return values[-1] if values and values[-1] else None
        if self.id_field is not None:
            value = _json_object(webhook.body).get(self.id_field)
            return value if isinstance(value, str) and value else None
        return None


@dataclass(frozen=True, kw_only=True)
class Hmac(Scheme):
    """An HMAC in a header.

    ``signed`` is what it is of, with ``{body}``, ``{timestamp}`` and ``{id}``. ``key`` is how the secret is written:
    ``text``, or ``base64`` with a prefix. ``form`` tells that the header has several signatures: those of Standard
    Webhooks (``v1,…`` and a space between), or those of Stripe (``t=…,v1=…``), which holds the timestamp too.
    ``opening`` is how every payload starts, where a handshake signs anything else for anybody.
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
    opening: str = ""

    @property
    def mismatch(self) -> str:
        return f"The signature in {self.header} does not match the payload."

    def claim(self, webhook: Webhook) -> Claim:
        headers, body = webhook.headers, webhook.body
        value = _only(headers, self.header)
        parts = _stripe(value) if self.form == "stripe" else {}
        timestamp = parts["t"][0] if parts else _only(headers, self.timestamp_header) if self.timestamp_header else None
        if self.tolerance is not None:
            _require_recent(timestamp, webhook.received_at.timestamp(), self.tolerance)
        if not body.startswith(self.opening.encode()):
            raise Unverified(f"The payload must start with {self.opening}.")
        id = _only(headers, self.id_header) if "{id}" in self.signed and self.id_header else ""
        before, _, after = self.signed.partition("{body}")
        names = {"timestamp": timestamp or "", "id": id}
        signed = before.format(**names).encode() + body + after.format(**names).encode()
        given = self._given(value, parts)
        if not given:
            raise Unverified(f"The header {self.header} holds no signature.")
        return lambda secret: self._matches(given, hmac.digest(self._key(secret), signed, self.algorithm))

    def _given(self, value: str, parts: Mapping[str, list[str]]) -> list[str]:
        """The signatures that the request has."""
        if self.form == "stripe":
            return parts.get("v1", [])
        if self.form == "standard":
            return [each.removeprefix("v1,") for each in value.split(" ") if each.startswith("v1,")]
        return [value.removeprefix(self.prefix)] if value.startswith(self.prefix) else []

    def _matches(self, given: Sequence[str], mac: bytes) -> bool:
        """Whether one of them is the one that we would have made: as it is written, so in one form only."""
        made = mac.hex() if self.encoding == "hex" else base64.b64encode(mac).decode()
        return any(_equal(made, other) for other in given)

    def _key(self, secret: str) -> bytes:
        if self.key == "text":
            return secret.encode()
        return standard_key(secret)


@dataclass(frozen=True, kw_only=True)
class Twilio(Scheme):
    """Twilio signs the URL that it called, and with it the parameters of a form, or the SHA-256 of another payload that
    is in the URL's query: by HMAC-SHA1, or as a header of its own says.

    https://www.twilio.com/docs/usage/security#validating-requests
    """

    header = "X-Twilio-Signature"
    _ALGORITHMS = MappingProxyType({"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"})

    @property
    def mismatch(self) -> str:
        return f"The signature in {self.header} does not match URL and payload."

    def claim(self, webhook: Webhook) -> Claim:
        given = _only(webhook.headers, self.header)
        fields = ""
        if _is_form(webhook.headers):
            fields = "".join(name + value for name, value in sorted(set(_form(webhook.body))))
        elif webhook.body:
            digest = webhook.query.get("bodySHA256", [""])[0]
            if not _equal(hashlib.sha256(webhook.body).hexdigest(), digest):
                raise Unverified("The payload does not match the bodySHA256 of the query.")
        algorithm = self._algorithm(webhook.headers.get("X-Twilio-Webhooks-Signature-Settings", ""))
        contents = [(url + fields).encode() for url in _urls(webhook)]

        def claim(secret: str) -> bool:
            made = [base64.b64encode(hmac.digest(secret.encode(), each, algorithm)).decode() for each in contents]
            return any(_equal(one, given) for one in made)

        return claim

    def _algorithm(self, settings: str) -> str:
        pairs = dict(part.strip().split("=", 1) for part in settings.split(",") if "=" in part)
        name = pairs.get("algorithm", "HMAC_SHA1").upper()
        if name not in self._ALGORITHMS:
            raise Unverified("The algorithm of X-Twilio-Webhooks-Signature-Settings is not known here.")
        return self._ALGORITHMS[name]


@dataclass(frozen=True, kw_only=True)
class Token(Scheme):
    """The secret itself, in a header."""

    header: str

    @property
    def mismatch(self) -> str:
        return f"The header {self.header} does not hold the secret."

    @property
    def secret_header(self) -> str:
        return self.header

    def claim(self, webhook: Webhook) -> Claim:
        given = _only(webhook.headers, self.header)
        return lambda secret: _equal(secret, given)


@dataclass(frozen=True, kw_only=True)
class ClientState(Scheme):
    """The secret itself, in every notification of a payload of Microsoft Graph's.

    https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks
    """

    mismatch = "A notification does not have the clientState of its subscription."

    def claim(self, webhook: Webhook) -> Claim:
        notifications = _json_object(webhook.body).get("value")
        if not isinstance(notifications, list) or not notifications:
            raise Unverified("The payload holds no notification.")
        states = [each.get("clientState") if isinstance(each, dict) else None for each in notifications]
        given = [state for state in states if isinstance(state, str)]
        if len(given) != len(states):
            raise Unverified("A notification has no clientState.")
        return lambda secret: all(_equal(secret, state) for state in given)


@dataclass(frozen=True, kw_only=True)
class Custom(Scheme):
    """A function of the user's, ``module.function``: it is given the webhook and the secrets, raises Unverified, and
    returns the delivery's id, an Answer or None."""

    handler: str

    mismatch = ""

    def __post_init__(self) -> None:
        # An error of the user's module shows when the function is loaded, not with the first webhook.
        module, _, name = self.handler.rpartition(".")
        object.__setattr__(self, "_function", getattr(importlib.import_module(module), name))

    def claim(self, webhook: Webhook) -> Claim:
        raise NotImplementedError  # it checks by itself

    def check(self, webhook: Webhook, secrets: Sequence[str]) -> Verdict:
        function: Callable[[Webhook, list[str]], object] = self._function  # type: ignore[attr-defined]
        try:
            said = function(webhook, list(secrets))
            if isinstance(said, Answer):
                # Made anew, since one of a class of their own may not have been checked.
                return Verdict(answer=Answer(said.body, said.content_type, said.status, said.headers))
            if said is None or (isinstance(said, str) and said):
                return Verdict(id=None if said is None else "".join([said]))
        except INTERRUPTS:
            raise
        except BaseException as error:  # an exit too: it would end the function, and with it the batch
            if isinstance(error, Unverified):
                refusal = guard.refusal(error)
                raise Unverified(refusal.reason, sure=refusal.sure and not secrets) from None
            logs.logger.error("the source's function raised", exc_info=error)
            raise SourceFailed(type(error).__name__) from None
        # An async function that was not awaited has verified nothing, nor has one that says False.
        logs.logger.error(
            "the source's function must return an id, an Answer or None", extra={"got": type(said).__name__}
        )
        raise SourceFailed(f"it returned {type(said).__name__}")


KINDS: Mapping[str, type[Scheme]] = {
    "hmac": Hmac,
    "twilio": Twilio,
    "token": Token,
    "client_state": ClientState,
    "custom": Custom,
}


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode(errors="surrogatepass"))


def _only(headers: Headers, name: str) -> str:
    values = headers.get_all(name)
    if len(values) != 1 or not values[0]:
        raise Unverified(f"The header {name} must be there, and once.")
    return values[0]


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


def _is_form(headers: Headers) -> bool:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type == "application/x-www-form-urlencoded"


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Unverified("The form is not UTF-8.") from None


def _urls(webhook: Webhook) -> list[str]:
    """The URL as its sender may have written it: API Gateway hands over the query decoded, so how a space was written
    is not known, nor whether the port was."""
    pairs = parse_qsl(webhook.query_string, keep_blank_values=True)
    queries = dict.fromkeys(urlencode(pairs, quote_via=way) for way in (quote_plus, quote))
    scheme, _, rest = webhook.url.partition("://")
    host, slash, path = rest.partition("/")
    bases = [webhook.url, f"{scheme}://{host}:443{slash}{path}"]
    return [f"{base}?{query}" if query else base for base in bases for query in queries]


def _json_object(body: bytes) -> Mapping[str, Any]:
    """The payload where it is a JSON object, else an empty one."""
    value = _json_value(body)
    return value if isinstance(value, dict) else {}


def _json_value(text: bytes | str) -> Any:
    """What it says, None where it is no JSON."""
    try:
        return parse_json(text)
    except ValueError:
        return None
