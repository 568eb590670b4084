"""SQS in memory, with properties that AWS documents and MiniStack does not have.

It repeats messages, counts badly and fails for single messages. A process may be killed at each call.
"""

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from threading import RLock
from typing import Any

from botocore.exceptions import ClientError

from webhook_runtime import message
from webhook_runtime.contract.messages import size_of
from webhook_runtime.message import Webhook

MOST_BYTES = 1_048_576


class Killed(BaseException):
    """The process was killed: it makes no call any more."""


@dataclass
class Stored:
    body: str
    attributes: dict[str, dict[str, Any]]
    group: str | None = None
    deduplication: str | None = None
    source: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent_at: float = field(default_factory=time.time)
    visible_at: float = 0
    receives: int = 0
    handles: list[str] = field(default_factory=list)


class Sqs:
    """A client, and the queues behind it by URL."""

    def __init__(self, *, random: Random | None = None, faults: float = 0) -> None:
        self.queues: dict[str, list[Stored]] = defaultdict(list)
        self.attributes: dict[str, dict[str, str]] = defaultdict(dict)
        self.denied: set[str] = set()
        self.calls: list[str] = []
        self.dies_after: int | None = None
        self.faults = faults
        self.moves: list[dict[str, Any]] = []
        self.late_moves = 0
        self.ends: str | None = None
        self.on_send: Callable[[Stored], None] = lambda _: None
        self._random = random or Random(0)
        self._deleted: list[tuple[str, Stored]] = []
        self._deduplicated: set[tuple[str, str]] = set()
        self._lock = RLock()

    def put(self, url: str, *stored: Stored) -> None:
        self.queues[url] += stored

    def show_all(self) -> None:
        """Let the time pass for which messages are hidden."""
        for stored in self.queues.values():
            for each in stored:
                each.visible_at = 0

    def visible(self, url: str) -> int:
        return sum(each.visible_at <= time.time() for each in self.queues[url])

    # The calls of boto3.

    def start_message_move_task(
        self, SourceArn: str, DestinationArn: str, MaxNumberOfMessagesPerSecond: int
    ) -> dict[str, Any]:
        def answer() -> dict[str, Any]:
            self.moves.append(
                {
                    "TaskHandle": "handle",
                    "Status": "RUNNING",
                    "SourceArn": SourceArn,
                    "DestinationArn": DestinationArn,
                    "MaxNumberOfMessagesPerSecond": MaxNumberOfMessagesPerSecond,
                    "ApproximateNumberOfMessagesMoved": 0,
                    "ApproximateNumberOfMessagesToMove": len(self.queues[url_of(SourceArn)]),
                    "StartedTimestamp": round(time.time() * 1_000_000),
                }
            )
            return {"TaskHandle": "handle"}

        return self._call("StartMessageMoveTask", answer)

    def list_message_move_tasks(self, SourceArn: str, MaxResults: int) -> dict[str, Any]:
        """Each look moves one message, and the first ones see the last move."""

        def answer() -> dict[str, Any]:
            if self.late_moves and self.moves:
                self.late_moves -= 1
                return {"Results": self.moves[:-1][-1:]}
            for task in self.moves[-1:]:
                source, destination = (self.queues[url_of(task[f"{end}Arn"])] for end in ("Source", "Destination"))
                if task["Status"] == "RUNNING" and source:
                    destination.append(source.pop(0))
                    task["ApproximateNumberOfMessagesMoved"] += 1
                elif task["Status"] in ("RUNNING", "CANCELLING"):
                    task["Status"] = self.ends or ("CANCELLED" if source else "COMPLETED")
                    del task["TaskHandle"]
                    if self.ends == "FAILED":
                        task["FailureReason"] = "AWS.SimpleQueueService.NonExistentQueue"
            return {"Results": [dict(task) for task in self.moves[-1:]]}

        return self._call("ListMessageMoveTasks", answer)

    def cancel_message_move_task(self, TaskHandle: str) -> dict[str, Any]:
        def answer() -> dict[str, Any]:
            self.moves[-1]["Status"] = "CANCELLING"
            return {"ApproximateNumberOfMessagesMoved": self.moves[-1]["ApproximateNumberOfMessagesMoved"]}

        assert TaskHandle == "handle"
        return self._call("CancelMessageMoveTask", answer)

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: Sequence[str]) -> dict[str, Any]:
        def answer() -> dict[str, Any]:
            visible = self.visible(QueueUrl)
            hidden = len(self.queues[QueueUrl]) - visible
            return {
                "Attributes": {
                    "QueueArn": arn(QueueUrl),
                    "ApproximateNumberOfMessages": str(self._about(visible)),
                    "ApproximateNumberOfMessagesNotVisible": str(self._about(hidden)),
                    "MessageRetentionPeriod": "1209600",
                    **self.attributes[QueueUrl],
                }
            }

        return self._call("GetQueueAttributes", answer)

    def receive_message(
        self,
        QueueUrl: str,
        MaxNumberOfMessages: int,
        VisibilityTimeout: int,
        WaitTimeSeconds: int,
        MessageAttributeNames: list[str],
        MessageSystemAttributeNames: list[str],
    ) -> dict[str, Any]:
        assert WaitTimeSeconds > 0, "a short poll may miss messages"
        assert MessageAttributeNames == MessageSystemAttributeNames == ["All"]

        def answer() -> dict[str, Any]:
            stored = self.queues[QueueUrl]
            found = self._first_of_groups(stored) if is_fifo(QueueUrl) else self._any_of(stored)
            found = found[:MaxNumberOfMessages]
            if found and not is_fifo(QueueUrl):
                found = found[: self._random.randint(1, len(found))] if self._has_fault() else found
                again = [each for url, each in self._deleted if url == QueueUrl] + stored
                if self._has_fault() and (repeated := self._random.choice(again)) not in found:
                    found = [*found[: MaxNumberOfMessages - 1], repeated]
            if not found:
                time.sleep(0.001)
            return {"Messages": [self._received(each, VisibilityTimeout) for each in found]} if found else {}

        return self._call("ReceiveMessage", answer)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        def one(entry: dict[str, Any]) -> None:
            attributes = entry["MessageAttributes"]
            assert all(each.get("StringValue") or each.get("BinaryValue") for each in attributes.values())
            stored = Stored(entry["MessageBody"], attributes, entry.get("MessageGroupId"))
            if is_fifo(QueueUrl):
                assert stored.group
                key = (QueueUrl, entry["MessageDeduplicationId"])
                if key in self._deduplicated:
                    return
                self._deduplicated.add(key)
            self.queues[QueueUrl].append(stored)
            self.on_send(stored)

        total = sum(size_of(entry["MessageBody"], entry["MessageAttributes"]) for entry in Entries)
        if total > MOST_BYTES:
            raise error("AWS.SimpleQueueService.BatchRequestTooLong", "SendMessageBatch")
        return self._batch("SendMessageBatch", Entries, one)

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        def one(entry: dict[str, Any]) -> None:
            for each in self.queues[QueueUrl]:
                if entry["ReceiptHandle"] in each.handles:
                    self.queues[QueueUrl].remove(each)
                    self._deleted.append((QueueUrl, each))
                    return

        return self._batch("DeleteMessageBatch", Entries, one)

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        def one(entry: dict[str, Any]) -> None:
            for each in self.queues[QueueUrl]:
                if entry["ReceiptHandle"] in each.handles:
                    each.visible_at = time.time() + entry["VisibilityTimeout"]

        return self._batch("ChangeMessageVisibilityBatch", Entries, one)

    def get_paginator(self, operation: str) -> "Sqs":
        assert operation == "list_dead_letter_source_queues"
        return self

    def paginate(self, QueueUrl: str) -> Iterator[dict[str, Any]]:
        def answer() -> dict[str, Any]:
            policies = {url: json.loads(each.get("RedrivePolicy", "{}")) for url, each in self.attributes.items()}
            sources = [url for url, each in policies.items() if each.get("deadLetterTargetArn") == arn(QueueUrl)]
            return {"queueUrls": sources}

        yield self._call("ListDeadLetterSourceQueues", answer)

    def _batch(self, operation: str, entries: list[dict[str, Any]], one: Callable[[Any], None]) -> dict[str, Any]:
        assert 1 <= len(entries) <= 10
        assert len({entry["Id"] for entry in entries}) == len(entries)

        def answer() -> dict[str, Any]:
            failed = [entry["Id"] for entry in entries if self._has_fault()]
            for entry in entries:
                if entry["Id"] not in failed:
                    one(entry)
            code = {"Code": "InternalError", "Message": "try again", "SenderFault": False}
            return {"Successful": [], "Failed": [{"Id": id} | code for id in failed]} if failed else {"Successful": []}

        return self._call(operation, answer)

    def _call(self, operation: str, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        with self._lock:
            dead = self.dies_after is not None and len(self.calls) >= self.dies_after
            if dead and len(self.calls) > (self.dies_after or 0):
                raise Killed
            self.calls.append(operation)
            if operation in self.denied:
                raise error("AccessDenied", operation, "User: arn:me is not authorized to perform it")
            # The last call may arrive, although its answer does not.
            if dead and self._random.random() < 0.5:
                raise Killed
            answered = answer()
            if dead:
                raise Killed
            return answered

    def _has_fault(self) -> bool:
        return self._random.random() < self.faults

    def _about(self, number: int) -> int:
        return max(0, number + self._random.randint(-2, 2)) if self._has_fault() else number

    def _any_of(self, stored: list[Stored]) -> list[Stored]:
        visible = [each for each in stored if each.visible_at <= time.time()]
        self._random.shuffle(visible)
        return visible

    def _first_of_groups(self, stored: list[Stored]) -> list[Stored]:
        """Return those of a group together, as long as none in front of them is hidden."""
        now = time.time()
        groups: dict[str | None, list[Stored]] = {}
        ended = set()
        for each in stored:
            if each.visible_at > now:
                ended.add(each.group)
            elif each.group not in ended:
                groups.setdefault(each.group, []).append(each)
        return [each for group in groups.values() for each in group]

    def _received(self, each: Stored, seconds: int) -> dict[str, Any]:
        each.receives += 1
        each.visible_at = time.time() + seconds
        each.handles.append(str(uuid.uuid4()))
        system = {"SentTimestamp": str(round(each.sent_at * 1000)), "ApproximateReceiveCount": str(each.receives)}
        if each.group:
            system["MessageGroupId"] = each.group
        if each.source:
            system["DeadLetterQueueSourceArn"] = each.source
        return {
            "MessageId": each.id,
            "ReceiptHandle": each.handles[-1],
            "Body": each.body,
            "Attributes": system,
            **({"MessageAttributes": each.attributes} if each.attributes else {}),
        }


def arn(url: str) -> str:
    return f"arn:aws:sqs:eu-west-1:123456789012:{url.rpartition('/')[2]}"


def url_of(arn: str) -> str:
    return f"https://sqs/{arn.rpartition(':')[2]}"


def is_fifo(url: str) -> bool:
    return url.endswith(".fifo")


def error(code: str, operation: str, said: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": said}}, operation)


def set_aside(webhook: Webhook, error: str = "", reason: str = "", **more: Any) -> Stored:
    """Return a webhook as a consumer sets it aside, or as SQS itself does it without an error."""
    body, attribute = message.write(webhook)
    texts = {"webhook": attribute, "error": error, "reason": reason}
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text}
    return Stored(body, attributes, **more)
