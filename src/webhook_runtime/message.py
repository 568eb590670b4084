"""The message format, which an ingress writes into SQS and a consumer reads.

The body of an SQS message is the payload: as text if SQS can carry it exactly, else as base64. One message attribute,
``webhook``, holds the rest of the request as ``application/x-www-form-urlencoded``. The publisher writes it here, and
the direct integration writes the same from ``mapping/request.vtl``. If large payloads are enabled, a payload that fits
no message is an object in S3, and the body is the object's key.
"""

import base64
import binascii
import json
import re
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote_plus, unquote_to_bytes

from webhook_runtime.contract.limits import QUEUED
from webhook_runtime.contract.messages import size_of

ATTRIBUTE = "webhook"
VERSION = "1"

# The characters that SQS does not take, and halves of surrogate pairs, which no UTF-8 has.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r"))
_NO_CHARACTERS = "\ufffe\uffff"
_NOT_SQS_TEXT = f"[{_CONTROLS.decode()}\ud800-\udfff{_NO_CHARACTERS}]"  # compiled when a message is rejected

# The characters of URLs and headers that separate nothing in a form. Most values then need no escape, so a person can
# read them, and they are quickly written and read. A semicolon separates pairs for some older parsers.
_PLAIN = "/:=@,*!$'()?"
_needs_no_escape = re.compile(r"[\w.~-]*", re.ASCII).fullmatch
_is_plain = re.compile(rf"[\w.~{_PLAIN}-]*", re.ASCII).fullmatch

# SQS does not take an empty body, so this stands for an empty payload, with ``encoding=empty``.
_EMPTY_BODY = "-"


class MalformedMessage(Exception):
    """No ingress of this library wrote the message, or a version did that this code cannot read."""


class Headers(Mapping[str, str]):
    """The request's headers: a mapping whose names are compared without regard to case. The values of a repeated header
    are joined by a comma.

    Args:
        pairs: Name and value, one pair for each value. Default: no headers.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            lower = name.lower()
            if lower in values:
                values[lower].append(value)
            else:
                values[lower] = [value]
        self._values = values

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> ItemsView[str, str]:
        """Return each header once.

        Returns:
            Name in lower case and value, one pair for each name.
        """
        # A mapping's own would look each name up again.
        return {name: ", ".join(values) for name, values in self._values.items()}.items()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"

    def get_all(self, name: str) -> list[str]:
        """Return every value of a repeated header.

        Args:
            name: The header's name, in any case.

        Returns:
            The values in the order of arrival; none if there is no such header.
        """
        return list(self._values.get(name.lower(), ()))

    def without(self, name: str | None) -> "Headers":
        """Return the headers without one.

        Args:
            name: The name to leave out, in any case; None leaves out nothing.

        Returns:
            The other headers.
        """
        if name is None:
            return self
        return Headers((each, value) for each, value in self.pairs() if each != name.lower())

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Return each value by itself, as it arrived.

        Returns:
            Name in lower case and value, one pair for each value.
        """
        return ((name, value) for name, values in self._values.items() for value in values)


class Webhook(NamedTuple):
    """One webhook, as its provider sent it. A named tuple: ``webhook._replace(id=…)`` makes another one.

    Attributes:
        id: The provider's own id of the event, read by the source or from the delivery id header. Without one, API
            Gateway's request id. Another provider may use the same id: store by ``key``.
        request_id: API Gateway's extended request id, which every log line has.
        method: The HTTP method.
        mount: The path of the endpoint that received it. It tells providers apart if each has an endpoint.
        path: The path below the stage, ``mount`` included, percent-encoded as the provider wrote it.
        url: The URL that the provider called, as it was written, without the query.
        query_string: The query, as a form.
        headers: The headers; names in any case. ``X-Amzn-Trace-Id`` and ``X-Forwarded-For``, ``-Port`` and ``-Proto``
            are API Gateway's.
        body: The payload, byte for byte.
        source_ip: The client's address, as API Gateway saw it.
        received_at: The time of its arrival at API Gateway, in UTC.
        message_id: SQS's id of the message. Default: empty, until SQS has taken it.
        attempt: How often SQS has delivered the message, this time included, so 1 at least. Default: 0, until SQS
            has delivered it.
    """

    id: str
    request_id: str
    method: str
    mount: str
    path: str
    url: str
    query_string: str
    headers: Headers
    body: bytes
    source_ip: str
    received_at: datetime
    message_id: str = ""
    attempt: int = 0

    @property
    def key(self) -> str:
        """The key that makes the webhook unique: ``mount``, ``#`` and ``id``, such as ``/stripe#evt_1``.

        Store by it. Two deliveries with one key are then stored once, and no other provider can use up the id.
        """
        # A path of an endpoint has no '#', so the first one ends it, and no id makes the key of another endpoint.
        return f"{self.mount}#{self.id}"

    @property
    def text(self) -> str:
        """The payload as text.

        Raises:
            UnicodeDecodeError: It is not UTF-8.
        """
        return self.body.decode()

    def json(self) -> Any:
        """Parse the payload as JSON.

        Returns:
            The parsed value.

        Raises:
            ValueError: It is not JSON.
        """
        return parse_json(self.body)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query string's parameters, each with all its values."""
        return parse_qs(self.query_string, keep_blank_values=True)


def is_form(headers: Headers) -> bool:
    """Tell whether the payload is a form."""
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type == "application/x-www-form-urlencoded"


# One of these characters is in front of each value of a JSON payload. Parsing more would need too much memory.
_MARKS = (b",", b"[", b"{")
_MAX_VALUES = 300_000


def has_too_many_values(payload: bytes) -> bool:
    """Tell whether a payload may have more values than a function should read of what any client may have sent."""
    return sum(map(payload.count, _MARKS)) > _MAX_VALUES


def parse_json(payload: bytes | str, **options: Any) -> Any:
    """Parse a payload as JSON, with a byte order mark or without. Raise ValueError.

    Event filters and handlers both parse with it, so that no filter misses a payload that a handler can read.
    """
    try:
        return json.loads(payload, **options)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write(webhook: Webhook, payload_key: str | None = None) -> tuple[str, str]:
    """Return the body and the ``webhook`` attribute of the message for a webhook.

    ``payload_key`` is the key of a payload in S3.
    """
    encoding, body = _encode(webhook.body) if payload_key is None else ("s3", payload_key)
    metadata = [
        ("v", VERSION),
        ("encoding", encoding),
        ("id", webhook.id),
        ("request", webhook.request_id),
        ("time", str(round(webhook.received_at.timestamp() * 1000))),
        ("ip", webhook.source_ip),
        ("method", webhook.method),
        ("mount", webhook.mount),
        ("path", webhook.path),
        ("url", webhook.url),
        ("query", webhook.query_string),
        *((f"h.{name}", value) for name, value in webhook.headers.pairs()),
    ]
    return body, _metadata(metadata)


def size(body: str, attribute: str) -> int:
    """Return the size of a message with this attribute, as SQS counts it."""
    return size_of(body, {ATTRIBUTE: {"DataType": "String", "StringValue": attribute}})


def fits(body: str, attribute: str, most_bytes: int) -> bool:
    """Tell whether a message is so small. A character has four bytes at most, so most messages need no count."""
    return 4 * (len(body) + len(attribute)) + size("", "") <= most_bytes or size(body, attribute) <= most_bytes


def limit_in(error: Exception) -> int | None:
    """Return the size limit in an error of SQS, or None if it is another error."""
    said = re.search(r"must be shorter than (\d+) bytes", str(error))
    return int(said[1]) if said else None


def sqs_text(text: str) -> str:
    """Replace the characters that SQS does not take."""
    return re.sub(_NOT_SQS_TEXT, "\N{REPLACEMENT CHARACTER}", text)


def read(record: Mapping[str, Any]) -> Webhook:
    """Return the webhook in a record of the event with which SQS calls a function.

    Args:
        record: One of ``event["Records"]``.

    Returns:
        The webhook, the same for both kinds of ingress.

    Raises:
        MalformedMessage: No ingress of this library wrote the message, or its payload is in S3. The text says which.
    """
    webhook, payload_key = read_message(record)
    if payload_key is not None:
        raise MalformedMessage(
            f"the payload is in S3, at {payload_key}: only a consumer with large_payloads fetches it"
        )
    return webhook


def read_message(record: Mapping[str, Any]) -> tuple[Webhook, str | None]:
    """Return the webhook in a record, and the key of its payload if that is in S3. Raise MalformedMessage."""
    try:
        pairs = form_pairs(record["messageAttributes"][ATTRIBUTE]["stringValue"])
    except KeyError:
        raise MalformedMessage(
            f"no message attribute {ATTRIBUTE!r}: no ingress of this library wrote this message"
        ) from None
    fields = dict(pairs)
    if len(fields) < len(pairs) and (twice := _twice(name for name, _ in pairs)):
        raise MalformedMessage(f"message metadata has {twice!r} twice")
    if fields.get("v") != VERSION:
        raise MalformedMessage(f"message format {fields.get('v')!r}, this consumer reads {VERSION!r}")
    try:
        payload_key = _payload_key(record["body"]) if fields["encoding"] == "s3" else None
        webhook = Webhook(
            id=fields["id"],
            request_id=fields["request"],
            method=fields["method"],
            mount=fields["mount"],
            path=fields["path"],
            url=fields["url"],
            query_string=fields["query"].removeprefix("&"),
            headers=Headers((name[2:], value) for name, value in pairs if name.startswith("h.")),
            body=_decode(fields["encoding"], record["body"]) if payload_key is None else b"",
            source_ip=fields["ip"],
            received_at=datetime.fromtimestamp(int(fields["time"]) / 1000, UTC),
            message_id=record["messageId"],
            attempt=int(record["attributes"]["ApproximateReceiveCount"]),
        )
        return webhook, payload_key
    except KeyError as missing:
        raise MalformedMessage(f"message metadata has no {missing}") from None
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedMessage(f"message metadata does not fit its body: {error}") from None


def form(pairs: Iterable[tuple[str, str]]) -> str:
    """Write a form as ``urlencode`` does, in half of the time since most of it needs no escape."""
    return "&".join([f"{_escaped(name)}={_escaped(value)}" for name, value in pairs])


def form_pairs(form: str) -> list[tuple[str, str]]:
    """Parse a form as ``parse_qsl`` with ``keep_blank_values`` does, in a third of the time since most of it is not
    escaped.
    """
    pairs = []
    for pair in form.replace("+", " ").split("&"):
        name, _, value = pair.partition("=")
        if "%" in pair:
            name, value = _unescaped(name), _unescaped(value)
        if pair:
            pairs.append((name, value))
    return pairs


def _twice(names: Iterable[str]) -> str | None:
    """Return the first name that is repeated. Only headers may be."""
    known: set[str] = set()
    for name in names:
        if name in known and not name.startswith("h."):
            return name
        known.add(name)
    return None


def _metadata(pairs: Iterable[tuple[str, str]]) -> str:
    """Write a form whose values have ``_PLAIN`` as it is."""
    return "&".join(
        [f"{_escaped(name)}={value if _is_plain(value) else quote_plus(value, _PLAIN)}" for name, value in pairs]
    )


def _escaped(text: str) -> str:
    return text if _needs_no_escape(text) else quote_plus(text)


def _unescaped(text: str) -> str:
    return unquote_to_bytes(text.encode(errors="replace")).decode(errors="replace") if "%" in text else text


def _encode(payload: bytes) -> tuple[str, str]:
    if not payload:
        return "empty", _EMPTY_BODY
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        pass
    else:
        if _is_sqs_text(payload, text):
            return "text", text
    return "base64", base64.b64encode(payload).decode()


def _is_sqs_text(payload: bytes, text: str) -> bool:
    """Tell whether SQS takes a payload that is this text, in a sixth of the time of the regular expression."""
    has_controls = len(payload.translate(None, _CONTROLS)) < len(payload)
    return not has_controls and not any(character in text for character in _NO_CHARACTERS)


def _payload_key(body: str) -> str:
    """Check the key: anyone who may write into the queue could name any object."""
    if not body.startswith(QUEUED):
        raise ValueError("the body is not the key of a payload")
    return body


def _decode(encoding: str, body: str) -> bytes:
    match encoding:
        case "text":
            return body.encode()
        case "empty":
            return b""
        case "base64":
            try:
                return base64.b64decode(body, validate=True)
            except binascii.Error:
                raise ValueError("the body is not base64") from None
    raise ValueError(f"unknown encoding {encoding!r}")
