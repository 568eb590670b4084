"""Send a message that no retry can help to another queue, with the reason."""

import base64
from collections.abc import Mapping
from typing import Any

from webhook_runtime.batch import Record, is_fifo
from webhook_runtime.clients import AwsRejected
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.message import limit_in, size_of, sqs_text
from webhook_runtime.outcome import Outcome

_MAX_ATTRIBUTES = 10


class DeadLetters:
    """The dead-letter queue, or the unverified queue. ``in_order`` is False if the queue is never a FIFO queue."""

    def __init__(self, sqs: Any, queue_url: str, *, in_order: bool = True) -> None:
        self._sqs = sqs
        self.url = queue_url
        self._in_order = in_order
        # Until SQS says that the queue takes less.
        self._max_message_bytes = MAX_MESSAGE_BYTES

    def send(self, record: Record, outcome: Outcome) -> None:
        """Send a message with as much of the reason as fits. Raise the error of the client."""
        try:
            self._send(record, outcome)
        except AwsRejected as error:
            holds = limit_in(error)
            if holds is None or holds >= self._max_message_bytes:
                raise
            self._max_message_bytes = holds
            self._send(record, outcome)

    def _send(self, record: Record, outcome: Outcome) -> None:
        attributes = _own_attributes(record)
        # SQS takes neither an empty value nor every character, and the message has to fit its limit.
        reason = sqs_text(outcome.reason)[:1024] or outcome.error
        for name, text in (("error", outcome.error), ("reason", reason)):
            if len(attributes) == _MAX_ATTRIBUTES:  # a message of another sender, whose attributes must be kept
                break
            empty = {"DataType": "String", "StringValue": ""}
            room = self._max_message_bytes - size_of(record["body"], attributes | {name: empty})
            if fits := text.encode()[: max(room, 0)].decode(errors="ignore"):
                attributes[name] = empty | {"StringValue": fits}
        self._sqs.send_message(
            QueueUrl=self.url,
            MessageBody=record["body"],
            MessageAttributes=attributes,
            **self._order(record),
        )

    def _order(self, record: Record) -> dict[str, str]:
        """Return the group of a message, which a standard queue takes too, and its deduplication id for a FIFO one."""
        group = {name: value for name, value in record["attributes"].items() if name == "MessageGroupId"}
        return group | ({"MessageDeduplicationId": record["messageId"]} if is_fifo(record) and self._in_order else {})


def _own_attributes(record: Record) -> dict[str, dict[str, Any]]:
    """Return the message's own attributes, without error and reason."""
    own = {name: _attribute(value) for name, value in record.get("messageAttributes", {}).items()}
    return {name: value for name, value in own.items() if value is not None and name not in ("error", "reason")}


def _attribute(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """Convert an attribute of a record, which has bytes in base64, for SendMessage. Return None for any other form."""
    if "stringValue" in value:
        return {"DataType": value["dataType"], "StringValue": value["stringValue"]}
    try:
        return {"DataType": value["dataType"], "BinaryValue": base64.b64decode(value["binaryValue"])}
    except (KeyError, ValueError):
        return None
