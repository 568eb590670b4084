"""A queue of SQS, ten messages a call. A permission that is missing is named."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli.dead_letters.message import Message
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.messages import ENTRIES, in_calls, size_of

# A long poll asks every server of SQS, so an empty answer means that nothing is visible.
_LONG_POLL_SECONDS = 1
DENIED = ("AccessDenied", "AccessDeniedException")
# By the older name of the error, and by its name in the JSON protocol.
_KEY_DENIED = ("KMS.AccessDeniedException", "KmsAccessDenied")

# Clocks that differ by less than this agree: SQS tells whole seconds.
_SAME_CLOCK_SECONDS = 2

# The reason for which SQS did not take an entry of a batch, by the id of its message.
Failures = Mapping[str, str]


@dataclass(frozen=True)
class State:
    """A queue at present. The numbers of messages are approximate, and late on AWS.

    Attributes:
        now: The time by SQS's clock, in seconds since 1970.
        arn: Its ARN.
        visible: The messages that a receive may return.
        hidden: The messages that were received and not deleted, by whomever.
        retention_seconds: The time after which SQS deletes a message.
        redrive_policy: Its own redrive policy, as JSON, if it has one.
    """

    now: float
    arn: str
    visible: int
    hidden: int
    retention_seconds: int
    redrive_policy: str | None


class Queue:
    """A queue of a target."""

    def __init__(self, target: Target, url: str) -> None:
        self._sqs = target.client("sqs")
        self.url = url

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @cached_property
    def arn(self) -> str:
        return self.state().arn

    def state(self) -> State:
        answer = self._call("get_queue_attributes", AttributeNames=["All"])
        attributes: Mapping[str, str] = answer["Attributes"]
        return State(
            now=_clock(answer),
            arn=attributes["QueueArn"],
            visible=int(attributes["ApproximateNumberOfMessages"]),
            hidden=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            retention_seconds=int(attributes["MessageRetentionPeriod"]),
            redrive_policy=attributes.get("RedrivePolicy"),
        )

    def sources(self) -> list[str]:
        """Return the URLs of the queues that have it for a dead-letter queue."""
        try:
            pages = self._sqs.get_paginator("list_dead_letter_source_queues").paginate(QueueUrl=self.url)
            return [str(url) for page in pages for url in page["queueUrls"]]
        except ClientError as error:
            raise in_words(error, self.name) from error

    def receive(self, hidden_seconds: int) -> list[Message]:
        """Receive up to ten messages, and hide them from others for a while."""
        answer = self._call(
            "receive_message",
            MaxNumberOfMessages=ENTRIES,
            VisibilityTimeout=hidden_seconds,
            WaitTimeSeconds=_LONG_POLL_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [Message(each) for each in answer.get("Messages", ())]

    def hide(self, receipts: Mapping[str, str], seconds: int) -> Failures:
        """Hide messages that were received for so many seconds from now on, by their ids and receipts. 0 shows them."""
        entries = {id: {"ReceiptHandle": receipt, "VisibilityTimeout": seconds} for id, receipt in receipts.items()}
        return self._batches("change_message_visibility_batch", entries)

    def delete(self, messages: Sequence[Message]) -> Failures:
        """Delete messages that were received."""
        return self._batches("delete_message_batch", {each.id: {"ReceiptHandle": each.receipt} for each in messages})

    def send(self, messages: Sequence[Message]) -> Failures:
        """Send messages of another queue, as they were before they were set aside."""
        return self._batches("send_message_batch", {each.id: each.again(fifo=self.is_fifo) for each in messages})

    def _batches(self, operation: str, entries: Mapping[str, Mapping[str, Any]]) -> Failures:
        failures = {}
        sized = (
            (id, size_of(entry.get("MessageBody", ""), entry.get("MessageAttributes", {})))
            for id, entry in entries.items()
        )
        for ids in in_calls(sized):
            named = [{"Id": str(number), **entries[id]} for number, id in enumerate(ids)]
            for failed in self._call(operation, Entries=named).get("Failed", ()):
                failures[ids[int(failed["Id"])]] = f"{failed['Code']}: {failed.get('Message', '')}".rstrip(": ")
        return failures

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._sqs, operation)(QueueUrl=self.url, **arguments)
        except ClientError as error:
            raise in_words(error, self.name) from error


def _clock(answer: Mapping[str, Any]) -> float:
    """Return the time of an answer of SQS. That of this machine is exact, and may be wrong."""
    here = time.time()
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    there = parsedate_to_datetime(told).timestamp() if told else here
    return here if abs(here - there) < _SAME_CLOCK_SECONDS else there


def in_words(error: ClientError, resource: str) -> Exception:
    """Return the error, or for a permission that is missing one that names it."""
    code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _KEY_DENIED:
        return CliError(f"it needs kms:Decrypt and kms:GenerateDataKey on the key of {resource}: {said}")
    if code not in DENIED:
        unchanged: Exception = error
        return unchanged
    # A batch needs the permission for one message.
    action = error.operation_name.removesuffix("Batch")
    return CliError(f"it needs the permission sqs:{action} on {resource}: {said}")
