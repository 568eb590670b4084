"""Moves of messages out of a dead-letter queue, which MiniStack's SQS does not have: StartMessageMoveTask and its kin.

A move has the messages that are visible when it starts. Each becomes a new message, with another id and time.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

_MOST_A_SECOND = 500
_MOST_LISTED = 10
_TICK_SECONDS = 0.05
# The words of AWS.
_NO_SOURCE = "Source queue must be configured as a Dead Letter Queue."
_NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
# The parameters of these actions in the Query protocol, and the names of lists in its answers.
_PARAMETERS = ("SourceArn", "DestinationArn", "MaxNumberOfMessagesPerSecond", "TaskHandle")
_OF_LISTS = {"Results": "ListMessageMoveTasksResultEntry", "queueUrls": "QueueUrl"}


class _Failed(Exception):
    """The reason for which a move ends early."""


@dataclass
class _Task:
    source: str
    destination: str | None
    rate: int | None
    to_move: int
    moved: int = 0
    status: str = "RUNNING"
    reason: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: int = field(default_factory=lambda: round(time.time() * 1000))

    @property
    def is_active(self) -> bool:
        return self.status in ("RUNNING", "CANCELLING")

    @property
    def handle(self) -> str:
        return base64.b64encode(json.dumps({"taskId": self.id, "sourceArn": self.source}).encode()).decode()

    def told(self) -> dict[str, Any]:
        told = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.source,
            "DestinationArn": self.destination,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.reason,
            "StartedTimestamp": self.started,
        }
        return {name: value for name, value in told.items() if value is not None}


class _Moves:
    """The actions. A queue of MiniStack keeps the tasks that move its messages, so that they end with it."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs
        self._running: set[asyncio.Task[None]] = set()

    def start(self, data: Mapping[str, Any], _url: str) -> dict[str, Any]:
        source = self._queue("SourceArn", data)
        self._sqs._enforce_queue_policy(source, "sqs:StartMessageMoveTask")
        if not any(self._sources(source)):
            raise self._invalid(_NO_SOURCE)
        destination = self._queue("DestinationArn", data) if data.get("DestinationArn") else None
        if destination is not None:
            self._sqs._enforce_queue_policy(destination, "sqs:SendMessage")
            if destination["is_fifo"] != source["is_fifo"]:
                raise self._invalid("Source and destination queue must be of the same type.")
        rate = self._number("MaxNumberOfMessagesPerSecond", data, _MOST_A_SECOND)
        tasks: list[_Task] = source.setdefault("move_tasks", [])
        if any(task.is_active for task in tasks):
            raise self._invalid(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given "
                "time."
            )
        now = time.time()
        ids = [message["id"] for message in source["messages"] if message["visible_at"] <= now]
        task = _Task(_arn(source), None if destination is None else _arn(destination), rate, len(ids))
        tasks[:] = [*tasks[1 - _MOST_LISTED :], task]
        running = asyncio.create_task(self._run(task, ids))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return {"TaskHandle": task.handle}

    def listed(self, data: Mapping[str, Any], _url: str) -> dict[str, Any]:
        source = self._queue("SourceArn", data)
        self._sqs._enforce_queue_policy(source, "sqs:ListMessageMoveTasks")
        most = self._number("MaxResults", data, _MOST_LISTED) or 1
        newest_first = source.get("move_tasks", [])[::-1]
        return {"Results": [task.told() for task in newest_first[:most]]}

    def cancel(self, data: Mapping[str, Any], _url: str) -> dict[str, Any]:
        try:
            named = json.loads(base64.b64decode(data.get("TaskHandle", ""), validate=True))
            id, source_arn = str(named["taskId"]), str(named["sourceArn"])
        except (ValueError, KeyError, TypeError):
            raise self._invalid("Value for parameter TaskHandle is invalid.") from None
        source = self._queue("SourceArn", {"SourceArn": source_arn})
        self._sqs._enforce_queue_policy(source, "sqs:CancelMessageMoveTask")
        task = next((task for task in source.get("move_tasks", []) if task.id == id and task.is_active), None)
        if task is None:
            raise self._sqs._Err("ResourceNotFoundException", "Task does not exist.", 404)
        task.status = "CANCELLING"
        return {"ApproximateNumberOfMessagesMoved": task.moved}

    def sources(self, data: Mapping[str, Any], url: str) -> dict[str, Any]:
        """ListDeadLetterSourceQueues."""
        queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:ListDeadLetterSourceQueues")
        found = [source["url"] for source in self._sources(queue)]
        first = int(data.get("NextToken") or 0)
        most = self._number("MaxResults", data, 1000)
        rest = found[first:]
        answer: dict[str, Any] = {"queueUrls": rest[: most or 1000]}
        return answer | ({"NextToken": str(first + most)} if most and len(rest) > most else {})

    async def _run(self, task: _Task, ids: list[str]) -> None:
        """Move messages until all are moved, the task is cancelled, or one of them cannot be moved."""
        rate = task.rate or _MOST_A_SECOND
        began, done = time.monotonic(), 0
        try:
            while done < len(ids) and task.status == "RUNNING":
                due = 1 + int((time.monotonic() - began) * rate)
                self._move(task, set(ids[done:due]))
                done = max(done, due)
                if done < len(ids):
                    await asyncio.sleep(max(_TICK_SECONDS, began + done / rate - time.monotonic()))
            task.status = "CANCELLED" if task.status == "CANCELLING" else "COMPLETED"
        except (_Failed, self._sqs._Err) as error:
            task.status, task.reason = "FAILED", getattr(error, "code", str(error))

    def _move(self, task: _Task, ids: set[str]) -> None:
        # The thread of an event source mapping changes the messages of a queue as well.
        with self._sqs._queues_lock:
            source = self._sqs._queue_by_arn(task.source)
            if source is None:
                raise _Failed(_NO_QUEUE)
            now = time.time()
            for message in [each for each in source["messages"] if each["id"] in ids and each["visible_at"] <= now]:
                to = task.destination or message.get("sys", {}).get("DeadLetterQueueSourceArn")
                if to is None:
                    raise _Failed("CouldNotDetermineMessageSource")
                destination = self._sqs._queue_by_arn(to)
                if destination is None:
                    raise _Failed(_NO_QUEUE)
                self._sqs._act_send_message(_sent(message, destination), destination["url"])
                source["messages"].remove(message)
                task.moved += 1

    def _queue(self, parameter: str, data: Mapping[str, Any]) -> dict[str, Any]:
        arn = str(data.get(parameter) or "")
        if not arn:
            raise self._sqs._Err("MissingParameter", f"The request must contain the parameter {parameter}.")
        if len(arn.split(":")) != 6:
            raise self._invalid(
                f"You must use this format to specify the {parameter}: "
                "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            )
        queue: dict[str, Any] | None = self._sqs._queue_by_arn(arn)
        if queue is None:
            raise self._sqs._Err(
                "ResourceNotFoundException",
                f"The resource that you specified for the {parameter} parameter doesn't exist.",
                404,
            )
        return queue

    def _sources(self, dead_letter_queue: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the queues that have this dead-letter queue."""
        for queue in self._sqs._queues.values():
            policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
            if policy.get("deadLetterTargetArn") == _arn(dead_letter_queue):
                yield queue

    def _number(self, parameter: str, data: Mapping[str, Any], most: int) -> int | None:
        value = data.get(parameter)
        if value is None:
            return None
        if not (str(value).isdecimal() and 1 <= int(value) <= most):
            raise self._invalid(
                f"Value {value} for parameter {parameter} is invalid. Reason: Must be between 1 and {most}."
            )
        return int(value)

    def _invalid(self, message: str) -> Exception:
        error: Exception = self._sqs._Err("InvalidParameterValueException", message)
        return error


def _arn(queue: Mapping[str, Any]) -> str:
    return str(queue["attributes"]["QueueArn"])


def _sent(message: Mapping[str, Any], destination: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call that sends a moved message. Its id is a deduplication id that no other message of it had."""
    trace = message.get("sys", {}).get("AWSTraceHeader")
    return {
        "QueueUrl": destination["url"],
        "MessageBody": message["body"],
        "MessageAttributes": message.get("message_attributes"),
        "MessageSystemAttributes": {"AWSTraceHeader": {"StringValue": trace}} if trace else None,
        "MessageGroupId": message.get("group_id"),
        "MessageDeduplicationId": message["id"] if destination["is_fifo"] else None,
    }


def _xml(result: Mapping[str, Any]) -> str:
    return "".join(_elements(result))


def _elements(result: Mapping[str, Any]) -> Iterable[str]:
    for name, value in result.items():
        tag = _OF_LISTS.get(name, name)
        for each in value if isinstance(value, list) else [value]:
            yield f"<{tag}>{_xml(each) if isinstance(each, dict) else escape(str(each))}</{tag}>"


def add_to(sqs: Any) -> None:
    """Add the actions to MiniStack's SQS, in both of its protocols."""
    moves = _Moves(sqs)
    actions = {
        "StartMessageMoveTask": moves.start,
        "ListMessageMoveTasks": moves.listed,
        "CancelMessageMoveTask": moves.cancel,
        "ListDeadLetterSourceQueues": moves.sources,
    }
    sqs._HANDLERS.update(actions)
    # By its name in the JSON protocol, and its older one.
    sqs._QUERY_COMPAT_CODES["InvalidParameterValueException"] = "InvalidParameterValue"
    read, write = sqs._normalise, sqs._to_xml

    def normalise(action: str, parameters: dict[str, Any]) -> Any:
        given = {name: value for name in _PARAMETERS if (value := sqs._p(parameters, name))}
        return read(action, parameters) | given

    def to_xml(action: str, result: dict[str, Any]) -> Any:
        if action not in actions:
            return write(action, result)
        return sqs._xml_resp(200, f"{action}Response", f"<{action}Result>{_xml(result)}</{action}Result>")

    sqs._normalise, sqs._to_xml = normalise, to_xml
