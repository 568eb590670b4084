"""A message that is set aside, as SQS returns it.

The message format is that of ``webhook_runtime.message``. Malformed messages are set aside as well, so this reads of
each as much as it can.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from scalable_webhook_cli.errors import CliError
from webhook_runtime.contract.groups import ONE_GROUP
from webhook_runtime.contract.limits import QUEUED
from webhook_runtime.contract.messages import size_of

# In place of an error, for a message that no consumer set aside.
MOVED_BY_SQS = "MovedBySQS"
NO_ERROR = "NoError"
_REASONS = {
    MOVED_BY_SQS: "SQS itself moved it: the consumer crashed with it, or was not called for it",
    NO_ERROR: "it does not say why: another program sent it, or it was too full to say it",
}
# The attributes that a consumer adds to a message that it sets aside.
_ADDED = ("error", "reason")


@dataclass(frozen=True)
class Message:
    """A message of ReceiveMessage, with all its attributes."""

    received: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.received["MessageId"])

    @property
    def receipt(self) -> str:
        """The receipt handle, by which it is hidden, shown or deleted."""
        return str(self.received["ReceiptHandle"])

    @property
    def body(self) -> str:
        return str(self.received["Body"])

    @property
    def source(self) -> str | None:
        """The ARN of the queue from which SQS itself moved it. None: it was sent here."""
        return self._system.get("DeadLetterQueueSourceArn")

    @property
    def error(self) -> str:
        # SQS keeps the attributes of an earlier time.
        if self.source is not None:
            return MOVED_BY_SQS
        return self._text("error") or NO_ERROR

    @property
    def reason(self) -> str:
        return _REASONS.get(self.error) or self._text("reason")

    @property
    def group(self) -> str | None:
        """The message group. A FIFO queue keeps its order."""
        return self._system.get("MessageGroupId")

    @property
    def sent_at(self) -> float:
        """The time from which SQS counts its retention, in seconds since 1970."""
        return int(self._system["SentTimestamp"]) / 1000

    @property
    def receives(self) -> int:
        """How often it was received. Looks at it count, and the tries of a consumer if SQS itself moved it."""
        return int(self._system["ApproximateReceiveCount"])

    @cached_property
    def size(self) -> int:
        """Its bytes, as SQS counts them."""
        return size_of(self.body, self._attributes)

    @property
    def webhook_id(self) -> str:
        return self._fields.get("id", "")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids by which a person may know it."""
        return tuple(filter(None, (self.webhook_id, self._fields.get("request"), self.id)))

    @property
    def received_at(self) -> datetime | None:
        """The time of arrival at API Gateway, if it is told."""
        try:
            return datetime.fromtimestamp(int(self._fields["time"]) / 1000, UTC)
        except (KeyError, ValueError, OverflowError, OSError):
            return None

    @property
    def payload_key(self) -> str | None:
        """The key of a payload in S3."""
        # Anyone who may write into the queue could name another object.
        is_there = self._fields.get("encoding") == "s3" and self.body.startswith(QUEUED)
        return self.body if is_there else None

    @property
    def payload(self) -> bytes:
        """The payload, byte for byte. That of a message of no webhook is its body.

        Raises:
            CliError: It is in S3, or it has another encoding.
        """
        match self._fields.get("encoding"):
            case None | "text":
                return self.body.encode()
            case "empty":
                return b""
            case "base64":
                try:
                    return base64.b64decode(self.body, validate=True)
                except (binascii.Error, ValueError):
                    raise CliError(f"the payload of {self.id} is not base64, although its message says so") from None
        raise CliError(
            f"the payload of {self.id} has the encoding {self._fields.get('encoding')!r}, which is not known"
        )

    def told(self) -> dict[str, Any]:
        """Return what there is to know about it. Values of headers and of the query may be secret."""
        fields = self._fields
        return {
            "id": fields.get("id"),
            "endpoint": fields.get("mount"),
            "request_id": fields.get("request"),
            "message_id": self.id,
            "received_at": self.received_at,
            "set_aside_at": datetime.fromtimestamp(self.sent_at, UTC),
            "receives": self.receives,
            "error": self.error,
            "reason": self.reason,
            "method": fields.get("method"),
            "path": fields.get("path"),
            "source_ip": fields.get("ip"),
            "headers": list(dict.fromkeys(name.lower() for name in self._headers())),
            "group": self.group,
            "bytes": self.size,
        }

    def again(self, *, fifo: bool) -> dict[str, Any]:
        """Return the call that sends it to its queue: as it was before it was set aside.

        In a FIFO queue its id is a deduplication id that no other message has, and that a second try of this one has.
        """
        group = self.group or (ONE_GROUP if fifo else None)
        return {
            "MessageBody": self.body,
            "MessageAttributes": {name: each for name, each in self._attributes.items() if name not in _ADDED},
            **({"MessageGroupId": group} if group else {}),
            **({"MessageDeduplicationId": self.id} if fifo else {}),
        }

    @cached_property
    def _fields(self) -> Mapping[str, str]:
        return dict(self._pairs)

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self._text("webhook"), keep_blank_values=True)

    def _headers(self) -> Iterator[str]:
        return (name[2:] for name, _ in self._pairs if name.startswith("h."))

    def _text(self, attribute: str) -> str:
        return str(self._attributes.get(attribute, {}).get("StringValue", ""))

    @property
    def _attributes(self) -> Mapping[str, Mapping[str, Any]]:
        attributes: Mapping[str, Mapping[str, Any]] = self.received.get("MessageAttributes", {})
        return attributes

    @property
    def _system(self) -> Mapping[str, str]:
        system: Mapping[str, str] = self.received.get("Attributes", {})
        return system
