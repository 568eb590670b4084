"""Send messages that no retry can help to another queue, each with its reason."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from webhook_runtime.batch import Message, Record, is_fifo
from webhook_runtime.clients import AwsRejected
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.contract.messages import in_calls, size_of, size_of_attribute
from webhook_runtime.message import limit_in, sqs_text

_MAX_ATTRIBUTES = 10

Entry = dict[str, Any]


class DeadLetters:
    """The dead-letter queue, or the unverified queue. ``in_order`` is False if the queue is never a FIFO queue."""

    def __init__(self, sqs: Any, queue_url: str, *, in_order: bool = True) -> None:
        self._sqs = sqs
        self.url = queue_url
        self._in_order = in_order
        # Until SQS says that the queue takes less.
        self._max_message_bytes = MAX_MESSAGE_BYTES

    def calls(self, messages: Iterable[Message]) -> Iterator[Mapping[Message, Entry]]:
        """Yield the entries of one call after the other, each entry with as much of its reason as fits."""
        sized = (((message, entry), size) for message in messages for entry, size in [self._entry(message)])
        return map(dict, in_calls(sized, self._max_message_bytes))

    def send(self, entries: Mapping[Message, Entry]) -> dict[Message, AwsRejected]:
        """Send the entries of one call. Return the errors of those that SQS did not take, or raise that of the call."""
        named = [{"Id": str(number), **entry} for number, entry in enumerate(entries.values())]
        answer = self._sqs.send_message_batch(QueueUrl=self.url, Entries=named)
        taken = {each["Id"] for each in answer.get("Successful", ())}
        errors = {each["Id"]: each for each in answer.get("Failed", ())}
        return {
            message: AwsRejected({"Error": errors.get(entry["Id"], {})}, "SendMessageBatch")
            for message, entry in zip(entries, named, strict=True)
            if entry["Id"] not in taken
        }

    def shortened(self, failed: Mapping[Message, Exception]) -> dict[Message, Entry]:
        """Return shorter entries for messages that were too long, if SQS has just told that the queue takes less."""
        limits = {message: limit for message, error in failed.items() if (limit := limit_in(error)) is not None}
        holds = min(limits.values(), default=self._max_message_bytes)
        if holds >= self._max_message_bytes:
            return {}
        self._max_message_bytes = holds
        return {message: self._entry(message)[0] for message in limits}

    def _entry(self, message: Message) -> tuple[Entry, int]:
        """Return an entry and its size."""
        record, outcome = message.record, message.outcome
        attributes = _own_attributes(record)
        size = size_of(record["body"], attributes)
        # SQS takes neither an empty value nor every character, and the message has to fit its limit.
        reason = sqs_text(outcome.reason)[:1024] or outcome.error
        for name, text in (("error", outcome.error), ("reason", reason)):
            if len(attributes) == _MAX_ATTRIBUTES:  # a message of another sender, whose attributes must be kept
                break
            empty = {"DataType": "String", "StringValue": ""}
            room = self._max_message_bytes - size - size_of_attribute(name, empty)
            if fits := text.encode()[: max(room, 0)].decode(errors="ignore"):
                attributes[name] = empty | {"StringValue": fits}
                size += size_of_attribute(name, attributes[name])
        return {"MessageBody": record["body"], "MessageAttributes": attributes, **self._order(record)}, size

    def _order(self, record: Record) -> dict[str, str]:
        """Return the group of a message, which a standard queue takes too, and its deduplication id for a FIFO one."""
        group = {name: value for name, value in record["attributes"].items() if name == "MessageGroupId"}
        return group | ({"MessageDeduplicationId": record["messageId"]} if is_fifo(record) and self._in_order else {})


def _own_attributes(record: Record) -> dict[str, dict[str, Any]]:
    """Return the message's own attributes, without error and reason."""
    own = {name: _attribute(value) for name, value in record.get("messageAttributes", {}).items()}
    return {name: value for name, value in own.items() if value is not None and name not in ("error", "reason")}


def _attribute(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """Convert an attribute of a record, which has bytes in base64, for SQS. Return None for any other form."""
    if "stringValue" in value:
        return {"DataType": value["dataType"], "StringValue": value["stringValue"]}
    try:
        return {"DataType": value["dataType"], "BinaryValue": base64.b64decode(value["binaryValue"])}
    except (KeyError, ValueError):
        return None
