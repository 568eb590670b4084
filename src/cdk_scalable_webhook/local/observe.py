"""What became of webhooks in the local AWS, measured at the services themselves: for the demo and the tests."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdk_scalable_webhook.local.emulator import Emulator, LocalError
from cdk_scalable_webhook.local.rest_api import client


@dataclass(frozen=True)
class ObservedWebhook:
    """A deployed ``ScalableWebhook``, named by its stack and its construct's id."""

    emulator: Emulator
    stack: str
    id: str

    def items(self, table: str | None = None) -> list[dict[str, Any]]:
        """The items of the sink's table, or of another with this logical id."""
        dynamodb = self._client("dynamodb")
        name = self.physical("AWS::DynamoDB::Table", table or f"{self.id}Table")
        pages = dynamodb.get_paginator("scan").paginate(TableName=name)
        return [{key: _plain(value) for key, value in item.items()} for page in pages for item in page["Items"]]

    def backlog(self) -> int:
        """How many messages are in the queue, those that are worked on included."""
        return self._depth(self.queue_url)

    def dead_letters(self) -> int:
        """How many messages are in the dead-letter queue."""
        return self._depth(self.dead_letter_queue_url)

    def take_dead_letters(self) -> list[dict[str, Any]]:
        """The messages of the dead-letter queue, which are taken from it."""
        sqs = self._client("sqs")
        letters: list[dict[str, Any]] = []
        while True:
            answer = sqs.receive_message(
                QueueUrl=self.dead_letter_queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            if "Messages" not in answer:
                return letters
            for letter in answer["Messages"]:
                letters.append(letter)
                sqs.delete_message(QueueUrl=self.dead_letter_queue_url, ReceiptHandle=letter["ReceiptHandle"])

    def log(self, construct: str) -> list[dict[str, Any]]:
        """The structured lines that one stage has logged: AccessLogs, PublisherLogs or ConsumerLogs."""
        lines = [line for invocation in self.invocations(construct) for line in invocation]
        return sorted(lines, key=lambda line: str(line.get("timestamp", "")))

    def invocations(self, construct: str) -> Iterator[list[dict[str, Any]]]:
        """The same, the lines of one invocation together: the local AWS gives each a log stream of its own."""
        logs, group = self._client("logs"), self.physical("AWS::Logs::LogGroup", self.id + construct)
        for stream in log_streams(logs, group):
            texts = (text.strip() for text in stream)
            yield [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]

    def peak_concurrency(self, lines: Iterable[Mapping[str, Any]] | None = None) -> int:
        """The most batches that the consumer worked on at the same time, by its own records: all, or these."""
        return peak(self.log("ConsumerLogs") if lines is None else lines)

    def max_concurrency(self) -> int:
        """What the deployed event source mapping allows."""
        name = self.physical("AWS::Lambda::Function", f"{self.id}Consumer")
        (mapping,) = self._client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        return int(mapping["ScalingConfig"]["MaximumConcurrency"])

    def wait_until_drained(self, seconds: float) -> None:
        """Wait until the queue is empty.

        Raises:
            LocalError: It is not, after so many seconds.
        """
        if not wait_for(lambda: self.backlog() == 0, seconds):
            raise LocalError(
                f"the queue of {self.stack}/{self.id} still holds {self.backlog()} after {seconds:g} seconds"
            )

    @property
    def queue_url(self) -> str:
        return self.physical("AWS::SQS::Queue", f"{self.id}Queue")

    @property
    def dead_letter_queue_url(self) -> str:
        return self.physical("AWS::SQS::Queue", f"{self.id}DeadLetterQueue")

    def physical(self, type: str, logical_id: str) -> str:
        """The name or URL of a resource whose logical id starts like this."""
        resources = self._client("cloudformation").describe_stack_resources(StackName=self.stack)["StackResources"]
        for resource in resources:
            if resource["ResourceType"] == type and resource["LogicalResourceId"].startswith(logical_id):
                return str(resource["PhysicalResourceId"])
        raise LocalError(f"stack {self.stack} has no {type} {logical_id}")

    def _depth(self, queue_url: str) -> int:
        return depth(self._client("sqs"), queue_url)

    def _client(self, service: str) -> Any:
        return client(service, self.emulator.endpoint, self.emulator.region)


def depth(sqs: Any, queue_url: str) -> int:
    """How many messages are in a queue, those that are worked on or delayed included."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def log_streams(logs: Any, group: str) -> Iterator[Iterator[str]]:
    """The messages of a log group, those of one stream together."""
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
    for stream in [stream["logStreamName"] for page in pages for stream in page["logStreams"]]:
        yield _messages(logs, group, stream)


def _messages(logs: Any, group: str, stream: str) -> Iterator[str]:
    """Every event of a stream. Not by FilterLogEvents, of which MiniStack gives 10,000 and says nothing of the rest."""
    answer: dict[str, Any] = {}
    while True:
        token = {"nextToken": answer["nextForwardToken"]} if answer else {}
        answer = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        if not answer["events"]:
            return
        yield from (event["message"] for event in answer["events"])


def peak(lines: Iterable[Mapping[str, Any]]) -> int:
    """The most batches under way at the same time, by when they started and ended."""
    batches = [line for line in lines if line.get("message") == "batch"]
    # A batch that starts in the millisecond in which another ends comes after it.
    changes = sorted([(b["started"], 1) for b in batches] + [(b["ended"], -1) for b in batches])
    highest = running = 0
    for _, change in changes:
        running += change
        highest = max(highest, running)
    return highest


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within so many seconds."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.2)
    return True


def _plain(value: Mapping[str, Any]) -> Any:
    ((_, content),) = value.items()
    return {name: _plain(inner) for name, inner in content.items()} if isinstance(content, dict) else content
