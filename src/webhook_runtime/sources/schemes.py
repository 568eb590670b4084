"""Signature schemes: parse the claim of a request, and verify it with a secret."""

import base64
import hashlib
import hmac
import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote

from webhook_runtime import guard, logs
from webhook_runtime.contract import schemes as described
from webhook_runtime.contract.keys import NoKey, key_of
from webhook_runtime.contract.signed import OF_URLS
from webhook_runtime.interrupts import INTERRUPTS
from webhook_runtime.message import Headers, Webhook, is_form, parse_json
from webhook_runtime.sources.secrets import NoSecret
from webhook_runtime.sources.verification import Answer, Unverifiable, Unverified


class SourceFailed(Unverifiable):
    """The user's function failed, so no request is accepted."""


class Verdict:
    """The result of a check: the secret that signed the request, and the result of the user's function."""

    def __init__(self, secret: str = "", id: str | None = None, answer: Answer | None = None) -> None:
        self.secret = secret
        self.id = id
        self.answer = answer


# Verifies a parsed request: given some secrets, returns the one that signed it. Raises Unverified, or Unverifiable.
Claim = Callable[[Sequence[str]], Verdict]
# Tells whether a single secret signed the request.
Fits = Callable[[str], bool]


class Scheme(described.Scheme, ABC):
    """A signature scheme with its check. ``covers_payload`` tells whether no other payload has the same signature."""

    covers_payload: ClassVar[bool] = False

    def claim(self, webhook: Webhook) -> Claim:
        """Parse the claim of a request. Raise Unverified if no secret can verify it."""
        fits = self.read(webhook)
        return lambda secrets: self.verdict(fits, secrets)

    def verdict(self, fits: Fits, secrets: Sequence[str]) -> Verdict:
        """Return the verdict for the first secret that fits. Raise Unverified, or Unverifiable."""
        for secret in secrets:
            try:
                if fits(secret):
                    return Verdict(secret)
            except NoSecret:
                # AWSPREVIOUS may be the random initial value, which is no valid key.
                if secret == secrets[0]:
                    raise
        if secrets and isinstance(_json_value(secrets[0]), dict):
            raise NoSecret("the secret is a JSON object, and no secret_field says which of its keys is meant")
        raise Unverified(self.mismatch, sure=False)

    @property
    @abstractmethod
    def mismatch(self) -> str:
        """The message of a 401 if no secret matches."""

    @abstractmethod
    def read(self, webhook: Webhook) -> Fits:
        """Parse the claim, and return its comparison with a secret, which takes constant time.

        Any client may send a request, so each scheme limits the cost of reading it. Raise Unverified if no secret can
        verify it.
        """

    @property
    def secret_header(self) -> str | None:
        """The header that holds the secret itself, which no sink may get."""
        return None

    def delivery_id(self, webhook: Webhook) -> str | None:
        """Return the provider's id of the event, or None if the request has none."""
        if self.id_header is not None:
            values = webhook.headers.get_all(self.id_header)
            return values[-1] if values and values[-1] else None
        if self.id_field is not None:
            value = _field(_json_object(webhook.body), self.id_field)
            return str(value) if type(value) in (str, int) and value != "" else None
        return None


class Hmac(described.Hmac, Scheme):
    covers_payload = True

    @property
    def mismatch(self) -> str:
        if "{url}" in self.signed:
            return f"The signature in {self.header} does not match URL and payload."
        return f"The signature in {self.header} does not match the payload."

    def read(self, webhook: Webhook) -> Fits:
        return self.read_with(_Macs(webhook.body), webhook)

    def read_with(self, macs: "_Macs", webhook: Webhook) -> Fits:
        """Do the same as ``read``, for a scheme of several that need the same MACs."""
        headers, body = webhook.headers, webhook.body
        value = _only(headers, self.header)
        parts = [part.strip(_BLANK) for part in value.split(self.separator)] if self.separator else [value]
        timestamp = self._timestamp(headers, parts)
        if self.tolerance is not None:
            _require_recent(timestamp, self.timestamp_format, webhook.received_at.timestamp(), self.tolerance)
        if not body.startswith(self.opening.encode()):
            raise Unverified(f"The payload must start with {self.opening}.")
        given = [self._normal(part.removeprefix(self.prefix)) for part in parts if part.startswith(self.prefix)]
        if not given:
            raise Unverified(f"The header {self.header} holds no signature.")
        if len(given) > _MAX_SIGNATURES:
            raise Unverified(f"The header {self.header} holds more than {_MAX_SIGNATURES} signatures.")
        id = _only(headers, self.id_header) if "{id}" in self.signed and self.id_header else ""
        self._require_one_reading(webhook, id)
        names = {"timestamp": timestamp or "", "id": id, "method": webhook.method}
        before, behind = self.around
        texts = [
            (before.text.format(url=url, **names).encode(), behind.text.format(url=url, **names).encode())
            for url in (_urls(webhook) if "{url}" in self.signed else [""])
        ]

        def fits(secret: str) -> bool:
            key = self._key(secret)
            made = [self.written(macs.made(key, start, end, self.algorithm)) for start, end in texts]
            return any(_equal(one, other) for one in made for other in given)

        return fits

    def _require_one_reading(self, webhook: Webhook, id: str) -> None:
        """Require that the signed text can be read in one way only: no other id or URL makes it with another payload.

        Method and time cannot be confused: there are few methods, and a recent time has one length.
        """
        before, behind = self.around
        if any(name == "id" and (id + text).find(text) != len(id) for name, text in before.apart) or any(
            name == "id" and (text + id).rfind(text) != 0 for name, text in behind.apart
        ):
            raise Unverified(f"The header {self.id_header} must not hold what separates it from the payload.")
        if "{url}" not in self.signed:
            return
        if not OF_URLS.fullmatch(webhook.url):
            raise Unverified("The URL must hold no characters that have to be escaped in it.")
        touching = [(*each, webhook.body[:1]) for each in before.apart[:1]] + [
            (*each, webhook.body[-1:]) for each in behind.apart[:1]
        ]
        if any(
            name == "url" and end and OF_URLS.fullmatch(text + end.decode("latin-1")) for name, text, end in touching
        ):
            raise Unverified("The payload must not touch the URL with a character that a URL may hold.")

    def _timestamp(self, headers: Headers, parts: Sequence[str]) -> str | None:
        if self.timestamp_header is not None:
            return _only(headers, self.timestamp_header)
        if self.timestamp_prefix is None:
            return None
        times = [part for part in parts if part.startswith(self.timestamp_prefix)]
        if len(times) != 1:
            raise Unverified("The signature must have one timestamp.")
        return times[0].removeprefix(self.timestamp_prefix)

    def _normal(self, given: str) -> str:
        """Normalise a signature: base64url may have padding, all others have one form."""
        return given.rstrip("=") if self.encoding == "base64url" else given

    def _key(self, secret: str) -> bytes:
        try:
            return key_of(secret, self.key)
        except NoKey as error:
            raise NoSecret(str(error)) from None


class AnyOf(described.AnyOf, Scheme):
    covers_payload = True
    mismatch = ""

    def read(self, webhook: Webhook) -> Fits:
        raise NotImplementedError  # each way has its own

    def claim(self, webhook: Webhook) -> Claim:
        macs = _Macs(webhook.body)
        claimed: list[tuple[Hmac, Fits]] = []
        rejections: list[tuple[Hmac, Unverified]] = []
        for way in self._schemes:
            try:
                claimed.append((way, way.read_with(macs, webhook)))
            except Unverified as rejection:
                rejections.append((way, rejection))
        if not claimed:
            # The error of a way whose header is present helps the provider most.
            signed = [rejection for way, rejection in rejections if way.header in webhook.headers]
            raise [*signed, *(rejection for _, rejection in rejections)][0]

        def claim(secrets: Sequence[str]) -> Verdict:
            mismatches: list[Unverified] = []
            for way, fits in claimed:
                try:
                    return Verdict(way.verdict(fits, secrets).secret, way.delivery_id(webhook))
                except Unverified as mismatch:
                    mismatches.append(mismatch)
            raise mismatches[0]

        return claim

    @cached_property
    def _schemes(self) -> Sequence[Hmac]:
        return [Hmac(**way) for way in self.ways]


class Twilio(described.Twilio, Scheme):
    covers_payload = True
    _ALGORITHMS = MappingProxyType({"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"})

    @property
    def mismatch(self) -> str:
        return f"The signature in {self.header} does not match URL and payload."

    def read(self, webhook: Webhook) -> Fits:
        given = _only(webhook.headers, self.header)
        form = _form(webhook.body) if is_form(webhook.headers) else []
        fields = self.fields(form)
        digests = webhook.query.get(self.digest, [])
        # A request without its payload, or with a form without fields instead, was changed too.
        is_of_digest = not fields and (webhook.body or digests)
        if is_of_digest and not _equal(hashlib.sha256(webhook.body).hexdigest(), "".join(digests[:1])):
            raise Unverified(f"The payload does not match the {self.digest} of the query.")
        algorithm = self._algorithm(webhook.headers.get("X-Twilio-Webhooks-Signature-Settings", ""))
        urls = [url.encode() for url in _urls(webhook)]

        def fits(secret: str) -> bool:
            made = [base64.b64encode(hmac.digest(secret.encode(), url + fields, algorithm)).decode() for url in urls]
            return any(_equal(one, given) for one in made)

        return fits

    def _algorithm(self, settings: str) -> str:
        pairs = dict(part.strip(_BLANK).split("=", 1) for part in settings.split(",") if "=" in part)
        name = pairs.get("algorithm", "HMAC_SHA1").upper()
        if name not in self._ALGORITHMS:
            raise Unverified("The algorithm of X-Twilio-Webhooks-Signature-Settings is not known here.")
        return self._ALGORITHMS[name]


class Token(described.Token, Scheme):
    @property
    def mismatch(self) -> str:
        return f"The header {self.header} does not hold the secret."

    @property
    def secret_header(self) -> str:
        return self.header

    def read(self, webhook: Webhook) -> Fits:
        given = _only(webhook.headers, self.header)
        return lambda secret: _equal(self.prefix + secret, given)


class ClientState(described.ClientState, Scheme):
    mismatch = "A notification does not have the clientState of its subscription."

    def read(self, webhook: Webhook) -> Fits:
        if len(webhook.body) > _MAX_NOTIFICATIONS:
            raise Unverified(f"The payload is larger than {_MAX_NOTIFICATIONS} bytes.")
        notifications = _json_object(webhook.body).get("value")
        if not isinstance(notifications, list) or not notifications:
            raise Unverified("The payload holds no notification.")
        states = [each.get("clientState") if isinstance(each, dict) else None for each in notifications]
        given = [state for state in states if isinstance(state, str)]
        if len(given) != len(states):
            raise Unverified("A notification has no clientState.")
        return lambda secret: all(_equal(secret, state) for state in given)


class Custom(described.Custom, Scheme):
    mismatch = ""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        # An error of the user's module shows when the function is loaded, not with the first webhook.
        module, _, name = self.handler.rpartition(".")
        self._function: Callable[[Webhook, list[str]], object] = getattr(importlib.import_module(module), name)

    def read(self, webhook: Webhook) -> Fits:
        raise NotImplementedError  # the function verifies by itself

    def claim(self, webhook: Webhook) -> Claim:
        return lambda secrets: self._ask(webhook, secrets)

    def _ask(self, webhook: Webhook, secrets: Sequence[str]) -> Verdict:
        try:
            said = self._function(webhook, list(secrets))
            if isinstance(said, Answer):
                # Create it again, since a subclass may have skipped the checks.
                return Verdict(answer=Answer(said.body, said.content_type, said.status, said.headers))
            if said is None or (isinstance(said, str) and said):
                return Verdict(id=None if said is None else "".join([said]))
        except INTERRUPTS:
            raise
        except BaseException as error:  # SystemExit too: it would end the function, and with it the batch
            if guard.is_a(error, Unverified):
                raised = guard.read(error)
                raise Unverified(raised.reason, sure=raised.is_sure and not secrets) from None
            logs.logger.error("the source's function raised", exc_info=logs.raised(error))
            raise SourceFailed(logs.name_of(type(error))) from None
        # An async function that was not awaited has verified nothing, nor has one that returned False.
        logs.logger.error(
            "the source's function must return an id, an Answer or None", extra={"got": logs.name_of(type(said))}
        )
        raise SourceFailed(f"it returned {logs.name_of(type(said))}")


KINDS: Mapping[str, type[Scheme]] = {each.kind: each for each in (Hmac, AnyOf, Twilio, Token, ClientState, Custom)}


class _Macs:
    """The MACs of one payload, each computed once: several headers may need the same ones."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._made: dict[tuple[bytes, bytes, bytes, str], bytes] = {}

    def made(self, key: bytes, start: bytes, end: bytes, algorithm: str) -> bytes:
        """Return the MAC of the payload with these texts around it."""
        asked = (key, start, end, algorithm)
        if asked not in self._made:
            # One copy of the payload at a time: more copies of a large one would not fit into memory.
            self._made[asked] = hmac.digest(key, start + self._payload + end, algorithm)
        return self._made[asked]


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode(errors="surrogatepass"))


def _only(headers: Headers, name: str) -> str:
    values = headers.get_all(name)
    if len(values) != 1 or not values[0]:
        raise Unverified(f"The header {name} must be there, and once.")
    return values[0]


def _require_recent(timestamp: str | None, format: str, at: float, tolerance: float) -> None:
    if abs(at - _seconds(timestamp or "", format)) > tolerance:
        raise Unverified(f"The signature must not be older or younger than {tolerance:g} seconds.")


def _seconds(timestamp: str, format: str) -> float:
    """Return the seconds since 1970. Raise Unverified."""
    if format == "iso8601":
        try:
            # Only one form: among the others that Python reads, one may be the beginning of another.
            if _ISO_8601.fullmatch(timestamp):
                return datetime.fromisoformat(timestamp).timestamp()
        except (ValueError, OverflowError):
            pass
        raise Unverified("The timestamp of the signature must be a time of ISO 8601 with its time zone.")
    if not _NUMBER.fullmatch(timestamp):
        raise Unverified(f"The timestamp of the signature must be a number of {format}.")
    number = int(timestamp)
    # In seconds this is the year 5138, in milliseconds 1973.
    if (number >= 100_000_000_000) != (format == "milliseconds"):
        other = "seconds" if format == "milliseconds" else "milliseconds"
        raise Unverified(f"The timestamp of the signature must be a number of {format}, and this one is of {other}.")
    return number / 1000 if format == "milliseconds" else number


# HTTP allows these between the parts of a header.
_BLANK = " \t"
# HTTP allows these between the parts of a header.
_NUMBER = re.compile(r"[1-9][0-9]{0,14}")
_ISO_8601 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")

# Limits for requests that are not verified yet, far above those of any provider. One signature for each secret: two,
# while it is rotated.
_MAX_SIGNATURES = 20
# Fields and bytes of a form. Twilio sends dozens of fields in a few KB, or up to 48 KB if 16 KB of JSON are a field.
_MAX_FIELDS = 1_000
_MAX_FORM = 256 * 1024
# Bytes: as much as a message of the queue holds.
_MAX_NOTIFICATIONS = 1024 * 1024


def _form(body: bytes) -> list[tuple[str, str]]:
    if len(body) > _MAX_FORM:
        raise Unverified(f"The form is larger than {_MAX_FORM} bytes.")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise Unverified(f"The form is not UTF-8, or has more than {_MAX_FIELDS} fields.") from None


def _urls(webhook: Webhook) -> list[str]:
    """Return the URLs that the provider may have signed.

    API Gateway passes the query decoded, so neither its encoding is known, nor whether the port was written.
    """
    scheme, _, rest = webhook.url.partition("://")
    host, slash, path = rest.partition("/")
    bases = [webhook.url, f"{scheme}://{host}:443{slash}{path}"]
    # With a payload, each URL costs a hash of it, so try only a few.
    queries = _queries(parse_qsl(webhook.query_string, keep_blank_values=True), all_of_them=not webhook.body)
    return [f"{base}?{query}" if query else base for base in bases for query in queries]


# Characters that a query may have unescaped, and those that common encoders leave so: RFC 3986, forms of browsers and
# Java, JavaScript's encodeURIComponent, and a query written by hand.
_AS_THEY_ARE = "~!$'()*,;:@/?"
_ENCODERS = ("~", "*", "~!*'()", _AS_THEY_ARE)
# Each further choice doubles the number of queries. If there are too many, treat characters alike that encoders do.
_MAX_CHOICES = 5
_ALIKE = ("~", "'", "*", "!()", "@:", "$,;/?")


def _queries(pairs: Sequence[tuple[str, str]], *, all_of_them: bool) -> list[str]:
    """Return the queries that may have been parsed to these pairs.

    Each pair is escaped once, and each query is made from another one by replacing one kind of escape. So thousands of
    pairs are not encoded again for hundreds of queries.
    """
    escaped = [(_escaped(name), _escaped(value)) for name, value in pairs]
    written = ["&".join(f"{name}={value}" for name, value in escaped)]
    written.append("&".join(f"{name}={value}" if value else name for name, value in escaped))
    written += [query.replace("%20", "+") for query in written]
    left = [character for character in _AS_THEY_ARE if _escape(character) in written[0]]
    if all_of_them:
        for choice in left if len(left) <= _MAX_CHOICES else _ALIKE:
            written += [_with(choice, query) for query in written]
    else:
        written = [_with(safe, query) for safe in _ENCODERS for query in written]
    return list(dict.fromkeys(written))


def _with(characters: str, query: str) -> str:
    """Unescape these characters in a query."""
    for character in characters:
        query = query.replace(_escape(character), character)
    return query


def _escaped(text: str) -> str:
    return quote(text, safe="").replace("~", "%7E")


def _escape(character: str) -> str:
    return f"%{ord(character):02X}"


def _json_object(body: bytes) -> Mapping[str, Any]:
    """Parse a payload as a JSON object, or return an empty one."""
    value = _json_value(body)
    return value if isinstance(value, dict) else {}


def _field(payload: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field, or None. A key that itself has dots comes first."""
    value: Any = payload
    for key in [name] if name in payload else name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _json_value(text: bytes | str) -> Any:
    """Parse JSON, or return None."""
    try:
        return parse_json(text)
    except ValueError:
        return None
