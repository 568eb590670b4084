"""The message format: what a door writes into SQS and a consumer reads, in one place.

An SQS message is the payload as its body (as text where SQS can carry it exactly, else base64) and one message
attribute, ``webhook``, that holds the rest of the request as ``application/x-www-form-urlencoded``. The publisher
writes it here; the direct integration writes the same from ``mapping/request.vtl``. Where large payloads are enabled,
one that no message holds is an object in S3, and the body of its message is the object's key.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlencode

from webhook_runtime.contract.limits import QUEUED

ATTRIBUTE = "webhook"
VERSION = "1"

_SHORTER = re.compile(r"must be shorter than (\d+) bytes")

# What SQS does not take; any other character it takes as it is.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
# Written as the few that it does not take: the others take Python ten times as long to compile.
_NOT_SQS_TEXT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# SQS refuses an empty body, so an empty payload travels as this, and ``encoding=empty`` says so.
_EMPTY_BODY = "-"


class MalformedMessage(Exception):
    """The message was not written by a door of ours, or not by a version that this code can read."""


class Headers(Mapping[str, str]):
    """The request's headers: a mapping whose names are compared without regard to case. The values of a repeated header
    are joined by a comma.

    Args:
        pairs: Name and value, one pair for each value. Default: no headers.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"

    def get_all(self, name: str) -> list[str]:
        """Every value of a repeated header.

        Args:
            name: The header's name, in any case.

        Returns:
            The values in the order of arrival; none where there is no such header.
        """
        return list(self._values.get(name.lower(), ()))

    def without(self, name: str | None) -> "Headers":
        """The headers but one.

        Args:
            name: The name of that one, in any case; None: nothing is left out.

        Returns:
            The others.
        """
        if name is None:
            return self
        return Headers((each, value) for each, value in self.pairs() if each != name.lower())

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Each value by itself, as it came.

        Returns:
            Name in lower case and value, one pair for each value.
        """
        return ((name, value) for name, values in self._values.items() for value in values)


@dataclass(frozen=True)
class Webhook:
    """One webhook, as its sender sent it.

    Attributes:
        id: The sender's own id of the delivery, of the source or in the delivery id header; where there is none, API
            Gateway's request id. Another sender may choose the same: store by ``key``.
        request_id: API Gateway's extended request id, which is in the log of every stage.
        method: The HTTP method.
        mount: The path of the endpoint that it came to, which tells senders apart that have an endpoint each.
        path: The path below the stage, mount included: as the sender wrote it, so percent-encoded.
        url: The URL that the sender called, as it was written, without the query.
        query_string: The query, as a form.
        headers: The headers; names in any case. ``X-Amzn-Trace-Id`` and ``X-Forwarded-For``, ``-Port`` and ``-Proto``
            are API Gateway's.
        body: The payload, byte for byte.
        source_ip: The sender's address, as API Gateway saw it.
        received_at: When it arrived at API Gateway, in UTC.
        message_id: SQS's id of the message. Default: empty, as long as SQS has not taken it.
        attempt: How often SQS has delivered the message, this time included, so 1 at least. Default: 0, as long as it
            has not.
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
        """What makes the webhook unique: ``mount``, ``#`` and ``id``, such as ``/stripe#evt_1``. Store by it: what is
        delivered twice is then stored once, and no other sender can take the id away."""
        # No mount has a '#': the first one ends it, and no id makes the key of another endpoint's.
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
            What it says.

        Raises:
            ValueError: It is not JSON.
        """
        return parse_json(self.body)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query string's parameters, each with all its values."""
        return parse_qs(self.query_string, keep_blank_values=True)


def is_form(headers: Headers) -> bool:
    """Whether the payload is a form."""
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type == "application/x-www-form-urlencoded"


def parse_json(payload: bytes | str, **options: Any) -> Any:
    """A payload as JSON, for whoever reads one here: what its handler can read, an event filter does not miss. With a
    byte order mark or without. Raises ValueError."""
    try:
        return json.loads(payload, **options)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write(webhook: Webhook, payload_key: str | None = None) -> tuple[str, str]:
    """The message body and the value of the ``webhook`` attribute for a webhook that arrived. ``payload_key`` is where
    its payload is in S3, if it is there."""
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
    return body, urlencode(metadata)


def size(body: str, attribute: str) -> int:
    """What SQS counts against its limit of a message with this attribute."""
    return size_of(body, {ATTRIBUTE: {"DataType": "String", "StringValue": attribute}})


def size_of(body: str, attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """What SQS counts against its limit: the body, and name, type and value of each attribute."""
    texts = [body, *(name + each["DataType"] + each.get("StringValue", "") for name, each in attributes.items())]
    return sum(map(_bytes_of, texts)) + sum(len(each.get("BinaryValue", b"")) for each in attributes.values())


def _bytes_of(text: str) -> int:
    """As UTF-8, whatever somebody else has written. Most is ASCII, which need not be encoded to be counted."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def limit_in(error: Exception) -> int | None:
    """How many bytes a message of the queue holds, where SQS refuses one for its size; None where it says otherwise."""
    said = _SHORTER.search(str(error))
    return int(said[1]) if said else None


def sqs_text(text: str) -> str:
    """The text, with what SQS would not take replaced."""
    return _NOT_SQS_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def read(record: Mapping[str, Any]) -> Webhook:
    """The webhook in a record of the event with which SQS calls a function.

    Args:
        record: One of ``event["Records"]``.

    Returns:
        The webhook, the same whichever door it came by.

    Raises:
        MalformedMessage: No door of this library wrote the message, or its payload is in S3; it says why.
    """
    webhook, payload_key = read_message(record)
    if payload_key is not None:
        raise MalformedMessage(
            f"the payload is in S3, at {payload_key}: only a consumer with large_payloads fetches it"
        )
    return webhook


def read_message(record: Mapping[str, Any]) -> tuple[Webhook, str | None]:
    """The webhook in a record; and where its payload is in S3, with an empty one, the payload's key. Raises
    MalformedMessage."""
    try:
        pairs = form_pairs(record["messageAttributes"][ATTRIBUTE]["stringValue"])
    except KeyError:
        raise MalformedMessage(
            f"no message attribute {ATTRIBUTE!r}: no door of this library wrote this message"
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


def form_pairs(form: str) -> list[tuple[str, str]]:
    """What ``parse_qsl`` makes of it with ``keep_blank_values``, in a third of the time: most of it is not escaped."""
    pairs = (pair.partition("=") for pair in form.replace("+", " ").split("&") if pair)
    return [(_unescaped(name), _unescaped(value)) for name, _, value in pairs]


def _twice(names: Iterable[str]) -> str | None:
    """The first name that comes a second time; only a header may."""
    known: set[str] = set()
    for name in names:
        if name in known and not name.startswith("h."):
            return name
        known.add(name)
    return None


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
        if not _NOT_SQS_TEXT.search(text):
            return "text", text
    return "base64", base64.b64encode(payload).decode()


def _payload_key(body: str) -> str:
    """Whoever may write into the queue could name any object."""
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
