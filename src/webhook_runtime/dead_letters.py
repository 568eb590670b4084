"""A message that no retry will help, to another queue: now, and with the reason beside it."""

import base64
from collections.abc import Mapping
from typing import Any

from webhook_runtime.batch import Record, is_fifo
from webhook_runtime.clients import AwsRefused
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.message import limit_in, size_of, sqs_text
from webhook_runtime.outcome import Outcome

_MAX_ATTRIBUTES = 10


class DeadLetters:
    """The dead-letter queue, or the one for what is surely of nobody that is known. ``in_order`` is whether the queue
    is of the consumer's kind, which may be FIFO."""

    def __init__(self, sqs: Any, queue_url: str, *, in_order: bool = True) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._in_order = in_order
        # Until SQS says that the queue holds less.
        self._max_message_bytes = MAX_MESSAGE_BYTES

    def send(self, record: Record, outcome: Outcome) -> None:
        """With as much of the reason as there is room for. Raises what a client raises."""
        try:
            self._send(record, outcome)
        except AwsRefused as error:
            holds = limit_in(error)
            if holds is None or holds >= self._max_message_bytes:
                raise
            self._max_message_bytes = holds
            self._send(record, outcome)

    def _send(self, record: Record, outcome: Outcome) -> None:
        attributes = _own_attributes(record)
        # SQS takes neither an empty value nor every character, and no more of them than a message holds.
        reason = sqs_text(outcome.reason)[:1024] or outcome.error
        for name, text in (("error", outcome.error), ("reason", reason)):
            if len(attributes) == _MAX_ATTRIBUTES:  # somebody else's message, whose own are not ours to drop
                break
            empty = {"DataType": "String", "StringValue": ""}
            room = self._max_message_bytes - size_of(record["body"], attributes | {name: empty})
            if fits := text.encode()[: max(room, 0)].decode(errors="ignore"):
                attributes[name] = empty | {"StringValue": fits}
        self._sqs.send_message(
            QueueUrl=self._queue_url,
            MessageBody=record["body"],
            MessageAttributes=attributes,
            **self._order(record),
        )

    def _order(self, record: Record) -> dict[str, str]:
        """The group of a message, and in a FIFO queue what makes it unique."""
        group = {name: value for name, value in record["attributes"].items() if name == "MessageGroupId"}
        if not is_fifo(record):  # a standard queue may have groups, too
            return group
        return group | {"MessageDeduplicationId": record["messageId"]} if self._in_order else {}


def _own_attributes(record: Record) -> dict[str, dict[str, Any]]:
    """The attributes that the message came with, but those that are ours to say."""
    own = {name: _attribute(value) for name, value in record.get("messageAttributes", {}).items()}
    return {name: value for name, value in own.items() if value is not None and name not in ("error", "reason")}


def _attribute(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """An attribute of a record, as SendMessage has it: a record has bytes in base64. None for what SQS never writes."""
    if "stringValue" in value:
        return {"DataType": value["dataType"], "StringValue": value["stringValue"]}
    try:
        return {"DataType": value["dataType"], "BinaryValue": base64.b64decode(value["binaryValue"])}
    except (KeyError, ValueError):
        return None
