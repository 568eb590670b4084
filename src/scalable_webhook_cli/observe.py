"""Measure the outcome of webhooks at the services of their AWS."""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event
from typing import Any

from scalable_webhook_cli import cloudwatch
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target

# A change: seconds since 1970, and the number from then on.
Point = tuple[float, int]

_REPORT = re.compile(r"^REPORT .*?Duration: ([\d.]+) ms", re.MULTILINE)


@dataclass
class Samples:
    """The samples so far."""

    points: list[Point] = field(default_factory=list)

    @property
    def highest(self) -> int:
        return max((value for _, value in self.points), default=0)


@contextmanager
def sampled(
    look: Callable[[], int], *, every: float = 0.02, unanswered: tuple[type[Exception], ...] = ()
) -> Iterator[Samples]:
    """Sample a number in a thread, for as long as the block runs.

    Args:
        look: Returns the current number.
        every: The seconds between two samples.
        unanswered: Errors of ``look`` for which there is no sample.
    """
    samples, end = Samples(), Event()

    def watch() -> None:
        while not end.is_set():
            with suppress(*unanswered):
                value = look()
                samples.points.append((time.time(), value))
            end.wait(every)

    with ThreadPoolExecutor(1) as thread:
        watching = thread.submit(watch)
        try:
            yield samples
        finally:
            end.set()
            watching.result()


@dataclass(frozen=True)
class ObservedWebhook:
    """A deployed ``ScalableWebhook``, by its stack and construct id."""

    target: Target
    stack: str
    id: str

    def items(self, table: str | None = None) -> list[dict[str, Any]]:
        """Return the items of the sink's table, or of the table with this logical id."""
        dynamodb = self._client("dynamodb")
        name = self.physical("AWS::DynamoDB::Table", table or f"{self.id}Table")
        pages = dynamodb.get_paginator("scan").paginate(TableName=name)
        return [{key: _plain(value) for key, value in item.items()} for page in pages for item in page["Items"]]

    def backlog(self) -> int:
        """Return the number of messages in the queue, including those in flight."""
        return self._depth(self.queue_url)

    def dead_letters(self) -> int:
        """Return the number of messages in the dead-letter queue."""
        return self._depth(self.dead_letter_queue_url)

    def take_dead_letters(self) -> list[dict[str, Any]]:
        """Receive and delete the messages of the dead-letter queue."""
        return self._take(self.dead_letter_queue_url)

    def unverified(self) -> int:
        """Return the number of messages in the unverified queue."""
        return self._depth(self.unverified_queue_url)

    def take_unverified(self) -> list[dict[str, Any]]:
        """Receive and delete the messages of the unverified queue."""
        return self._take(self.unverified_queue_url)

    def _take(self, queue_url: str) -> list[dict[str, Any]]:
        sqs = self._client("sqs")
        taken: list[dict[str, Any]] = []
        while True:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            if "Messages" not in answer:
                return taken
            for message in answer["Messages"]:
                taken.append(message)
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    def log(self, construct: str) -> list[dict[str, Any]]:
        """Return the structured log lines of a stage: AccessLogs, PublisherLogs or ConsumerLogs."""
        lines = [line for invocation in self.invocations(construct) for line in invocation]
        return sorted(lines, key=lambda line: str(line.get("timestamp", "")))

    def invocations(self, construct: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the same by invocation: the local AWS gives each one a log stream of its own."""
        logs, group = self._client("logs"), self.physical("AWS::Logs::LogGroup", self.id + construct)
        for stream in log_streams(logs, group):
            texts = (text.strip() for text in stream)
            yield [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]

    def at_work(self, construct: str, since: float) -> list[Point]:
        """Return the number of running invocations over time, of the function with PublisherLogs or ConsumerLogs."""
        group = self.physical("AWS::Logs::LogGroup", self.id + construct)
        return functions_at_work(self._client("logs"), group, since)

    def peak_concurrency(self, lines: Iterable[Mapping[str, Any]] | None = None) -> int:
        """Return the highest number of concurrent batches, by all log lines of the consumer or by these."""
        return peak(self.log("ConsumerLogs") if lines is None else lines)

    def max_concurrency(self) -> int:
        """Return the maximum concurrency of the deployed event source mapping."""
        name = self.physical("AWS::Lambda::Function", f"{self.id}Consumer")
        (mapping,) = self._client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        return int(mapping["ScalingConfig"]["MaximumConcurrency"])

    def wait_until_drained(self, seconds: float) -> None:
        """Wait until the queue is empty.

        Raises:
            CliError: It is not, after so many seconds.
        """
        if not wait_for(lambda: self.backlog() == 0, seconds):
            raise CliError(
                f"the queue of {self.stack}/{self.id} still holds {self.backlog()} after {seconds:g} seconds"
            )

    @property
    def queue_url(self) -> str:
        return self.physical("AWS::SQS::Queue", f"{self.id}Queue")

    @property
    def unverified_queue_url(self) -> str:
        return self.physical("AWS::SQS::Queue", f"{self.id}UnverifiedQueue")

    @property
    def dead_letter_queue_url(self) -> str:
        return self.physical("AWS::SQS::Queue", f"{self.id}DeadLetterQueue")

    def physical(self, type: str, logical_id: str) -> str:
        """Return the name or URL of a resource whose logical id starts with this text."""
        return _physical(self.stack, self._resources, type, logical_id)

    @cached_property
    def _resources(self) -> list[dict[str, Any]]:
        """They are asked for once, since a name does not change and is needed for each look."""
        return _resources(self._client("cloudformation"), self.stack)

    def _depth(self, queue_url: str) -> int:
        return depth(self._client("sqs"), queue_url)

    def _client(self, service: str) -> Any:
        return self.target.client(service)


def depth(sqs: Any, queue_url: str) -> int:
    """Return the number of messages in a queue, including delayed ones and those in flight."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def physical(cloudformation: Any, stack: str, type: str, logical_id: str) -> str:
    """Return the name or URL of a stack's resource whose logical id starts with this text."""
    return _physical(stack, _resources(cloudformation, stack), type, logical_id)


def _resources(cloudformation: Any, stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return found


def _physical(stack: str, resources: Iterable[Mapping[str, Any]], type: str, logical_id: str) -> str:
    for resource in resources:
        if resource["ResourceType"] == type and resource["LogicalResourceId"].startswith(logical_id):
            return str(resource["PhysicalResourceId"])
    raise CliError(f"stack {stack} has no {type} {logical_id}")


def log_streams(logs: Any, group: str) -> Iterator[list[str]]:
    """Yield the messages of a log group, stream by stream."""
    for events in _streams(logs, group):
        yield [event["message"] for event in events]


def functions_at_work(logs: Any, group: str, since: float) -> list[Point]:
    """Return the number of running invocations over time, by REPORT lines, which have an end and a duration."""
    return steps(
        (ended - float(milliseconds) / 1000, ended)
        for events in _streams(logs, group)
        for event in events
        for milliseconds in _REPORT.findall(event["message"])
        for ended in [event["timestamp"] / 1000]
        if ended >= since
    )


def _streams(logs: Any, group: str) -> Iterable[list[cloudwatch.Event]]:
    """Return the events of a log group by their streams, in few calls: a busy function has hundreds of streams."""
    streams: dict[str, list[cloudwatch.Event]] = {}
    for event in cloudwatch.events(logs, group, since=0):
        streams.setdefault(event["logStreamName"], []).append(event)
    return streams.values()


def peak(lines: Iterable[Mapping[str, Any]]) -> int:
    """Return the highest number of concurrent batches, by their starts and ends."""
    batches = [(line["started"], line["ended"]) for line in lines if line.get("message") == "batch"]
    return max((count for _, count in steps(batches)), default=0)


def steps(spans: Iterable[tuple[float, float]]) -> list[Point]:
    """Return the number of running spans over time. One that starts when another ends comes after it."""
    points: list[Point] = []
    running = 0
    for moment, change in sorted([step for began, ended in spans for step in ((began, 1), (ended, -1))]):
        running += change
        if points and points[-1][0] == moment:
            points.pop()
        points.append((moment, running))
    return points


def wait_for(condition: Callable[[], bool], seconds: float, *, longest_pause: float = 0.2) -> bool:
    """Wait until the condition is true, at most so many seconds. Return whether it is."""
    give_up, pause = time.monotonic() + seconds, 0.02
    while not condition():
        if time.monotonic() > give_up:
            return False
        # Most conditions become true soon. The others are checked less often.
        time.sleep(pause)
        pause = min(pause * 1.5, longest_pause)
    return True


def _plain(value: Mapping[str, Any]) -> Any:
    ((_, content),) = value.items()
    return {name: _plain(inner) for name, inner in content.items()} if isinstance(content, dict) else content
