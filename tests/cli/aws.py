"""An AWS with webhooks, their logs and their queues, for tests of commands that look at them."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from scalable_webhook_cli.commands import app
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.target import Target

# A moment of today, in seconds since 1970.
NOON = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0).timestamp()
STAGES = ("Access", "Publisher", "Consumer", "Breaker")


def error(code: str, operation: str = "Call", message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def access(at: float, request: str, *, status: int = 202, latency: int = 100, resource: str = "/{proxy+}") -> str:
    """Return the line of API Gateway about a request that began then."""
    fields = {
        "request_id": request,
        "time": datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S %z"),
        "method": "POST",
        "resource": resource,
        "status": str(status),
        "source_ip": "127.0.0.1",
        "latency": str(latency),
        "integration_status": "200",
        "error": "-",
    }
    return json.dumps(fields)


def said(at: float, message: str, id: str = "evt_1", request: str = "", level: str = "INFO", **more: Any) -> str:
    """Return the line of a function about a webhook."""
    request = request or f"request-{id}"
    names = {"id": id, "mount": "/", "request_id": request, "message_id": f"message-of-{request}"}
    return json.dumps({"timestamp": text(at), "level": level, "message": message, **names, **more, "logger": "webhook"})


class Aws:
    """Answers for every service: each method is one call.

    Attributes:
        page: The events of one answer of CloudWatch.
        is_ministack: Whether CloudWatch ends after one answer, without a word.
    """

    def __init__(self, *names: str) -> None:
        self.names = names or ("Orders/Webhook",)
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.without = {"Breaker"}
        self.page = 10_000
        self.is_ministack = False
        self.busy = 0
        self.forbidden: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.mapping: dict[str, Any] = {"State": "Enabled", "ScalingConfig": {"MaximumConcurrency": 5}}
        self.tags: dict[str, str] = {}
        self.variables = {
            "WEBHOOK_QUEUE_URL": "https://sqs/queue",
            "WEBHOOK_DEAD_LETTER_QUEUE_URL": "https://sqs/letters",
        }
        self.handler = "app.handler"
        self.logging: dict[str, Any] = {}
        self.depths: dict[str, tuple[int, int, int]] = {}
        self.points: list[dict[str, Any]] = []
        self.functions: dict[str, str] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.meta = self
        self.region_name = "eu-west-1"
        self.endpoint_url = "https://amazonaws.com"

    # Logs.

    def log(self, stage: str, at: float, message: str, *, stream: str = "s", webhook: str = "") -> None:
        """Put an event into the log of a stage."""
        group = f"{webhook or self.names[0]}/{stage}"
        self.events[group].append({"timestamp": round(at * 1000), "message": message, "logStreamName": stream})

    def stored(self, at: float, id: str, *, direct: bool = False, webhook: str = "") -> None:
        """Log a webhook that is stored, in all the lines that the local AWS has for it."""
        request = f"request-{id}"
        self.log("Access", at + 0.1, access(at, request), webhook=webhook)
        stages = [("Consumer", at + 1, [said(at + 0.9, "stored", id, attempt=1), batch(at + 0.95)])]
        if not direct:
            stages.insert(0, ("Publisher", at + 0.1, [said(at + 0.05, "queued", id, path="/orders", bytes=12)]))
        for stage, end, lines in stages:
            for line in [START, *lines, END, REPORT]:
                self.log(stage, end, line, stream=f"{stage}-{id}", webhook=webhook)

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self._may("logs:FilterLogEvents")
        self.asked.append(asked)
        if self.busy:
            self.busy -= 1
            raise error("ThrottlingException", "FilterLogEvents", "Rate exceeded")
        group = asked["logGroupName"]
        if group not in self.events:
            raise error("ResourceNotFoundException", "FilterLogEvents")
        phrase = asked.get("filterPattern", "")
        assert phrase == "" or (phrase[0], phrase[-1]) == ('"', '"')
        found = [
            event
            for event in sorted(self.events[group], key=lambda event: event["timestamp"])
            if event["timestamp"] >= asked["startTime"] and phrase[1:-1] in event["message"]
        ]
        begin = int(asked.get("nextToken", 0))
        end = begin + self.page
        there_is_more = end < len(found) and not self.is_ministack
        return {"events": found[begin:end]} | ({"nextToken": str(end)} if there_is_more else {})

    def get_log_events(self, **asked: Any) -> dict[str, Any]:
        begin = int(asked.get("nextToken", 0))
        found = [
            event
            for event in self.events[asked["logGroupName"]]
            if event["logStreamName"] == asked["logStreamName"]
            and asked["startTime"] <= event["timestamp"] < asked["endTime"]
        ][begin : begin + self.page]
        events = [{name: value for name, value in event.items() if name != "logStreamName"} for event in found]
        return {"events": events, "nextForwardToken": str(begin + len(found))}

    # The sink and the bucket.

    def get_item(self, **asked: Any) -> dict[str, Any]:
        self._may("dynamodb:GetItem")
        item = self.items.get(asked["Key"]["id"]["S"])
        return {} if item is None else {"Item": item}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": BytesIO(self.objects[Bucket, Key])}

    # Stacks.

    def get_paginator(self, operation: str) -> Any:
        return _Pages(getattr(self, f"_{operation}"))

    def _describe_log_streams(self, logGroupName: str) -> Iterator[dict[str, Any]]:
        yield {
            "logStreams": [{"logStreamName": name} for name in {e["logStreamName"] for e in self.events[logGroupName]}]
        }

    def _describe_stacks(self, StackName: str | None = None) -> Iterator[dict[str, Any]]:
        for stack in sorted({name.split("/")[0] for name in self.names}):
            if StackName in (None, stack):
                yield {"Stacks": [{"StackName": stack, "Outputs": self._outputs(stack)}]}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return next(self._describe_stacks(StackName))

    def _outputs(self, stack: str) -> list[dict[str, str]]:
        return [
            output
            for name in self.names
            if name.startswith(f"{stack}/")
            for id in [name.rpartition("/")[2]]
            for output in (
                {"OutputKey": f"{id}Url", "OutputValue": f"https://{name}", "Description": f"Webhook URL of {name}"},
                {
                    "OutputKey": f"{id}EventSourceMapping0123ABCD",
                    "OutputValue": name,
                    "Description": f"Event source mapping of {name}",
                },
            )
        ]

    def _list_stack_resources(self, StackName: str) -> Iterator[dict[str, Any]]:
        yield {
            "StackResourceSummaries": [
                {
                    "ResourceType": "AWS::Logs::LogGroup",
                    "LogicalResourceId": f"{name.rpartition('/')[2]}{stage}Logs0123ABCD",
                    "PhysicalResourceId": f"{name}/{stage}",
                }
                for name in self.names
                if name.startswith(f"{StackName}/")
                for stage in STAGES
                if stage not in self.without
            ]
        }

    # Functions and queues.

    def get_event_source_mapping(self, UUID: str) -> dict[str, Any]:
        self._may("lambda:GetEventSourceMapping")
        function = self.functions.get(UUID, "Consumer")
        return self.mapping | {
            "FunctionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{function}",
            "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:queue",
            "EventSourceMappingArn": f"arn:{UUID}",
        }

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        self._may("lambda:GetFunctionConfiguration")
        told = {"Handler": self.handler, "LoggingConfig": self.logging}
        return {"Environment": {"Variables": self.variables}} | told

    def list_tags(self, Resource: str) -> dict[str, Any]:
        self._may("lambda:ListTags")
        return {"Tags": self.tags}

    def get_queue_url(self, QueueName: str, QueueOwnerAWSAccountId: str) -> dict[str, str]:
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        self._may("sqs:GetQueueAttributes")
        kinds = ("", "Delayed", "NotVisible")
        depths = self.depths.get(QueueUrl.rpartition("/")[2], (0, 0, 0))
        numbers = {f"ApproximateNumberOfMessages{kind}": str(depth) for kind, depth in zip(kinds, depths, strict=True)}
        return {"Attributes": numbers}

    def get_metric_statistics(self, **asked: Any) -> dict[str, Any]:
        self._may("cloudwatch:GetMetricStatistics")
        return {"Datapoints": self.points}

    def _may(self, action: str) -> None:
        if action in self.forbidden:
            raise error("AccessDeniedException", action.split(":")[1], f"not authorized to perform: {action}")


class _Pages:
    def __init__(self, pages: Callable[..., Any]) -> None:
        self.paginate = pages


START = "START RequestId: 01234567-89ab-cdef-0123-456789abcdef Version: $LATEST"
END = "END RequestId: 01234567-89ab-cdef-0123-456789abcdef"
REPORT = f"REPORT{END[3:]}\tDuration: 10 ms\tBilled Duration: 10 ms\tMemory Size: 256 MB\tMax Memory Used: 0 MB"


def batch(at: float, size: int = 1, failed: int = 0, **more: Any) -> str:
    told = {"timestamp": text(at), "level": "INFO", "message": "batch", "size": size, "failed": failed}
    times = {"started": round((at - 0.01) * 1000), "ended": round(at * 1000)}
    stored = {"stored": size - failed} if size > failed else {}
    return json.dumps(told | stored | more | times | {"logger": "webhook"})


class Commands:
    """Runs commands on an AWS, locally and in an account."""

    def __init__(self, aws: Aws, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        self.aws = aws
        emulator = Emulator(home=home, endpoint="http://127.0.0.1:9", processes=(), key="key")
        monkeypatch.setattr("scalable_webhook_cli.local.emulator.find", lambda: emulator)
        monkeypatch.setattr("scalable_webhook_cli.local.deploy.regions", lambda _: ["us-east-1"])
        client: Callable[..., Aws] = lambda self, service: aws  # noqa: E731
        monkeypatch.setattr(Target, "client", client)

    def result(self, *arguments: str, columns: int = 80, terminal: bool = True) -> Result:
        environment = {"COLUMNS": str(columns), "NO_COLOR": "1"}
        # Rich takes the output for a terminal.
        environment |= {"TTY_COMPATIBLE": "1"} if terminal else {"TTY_COMPATIBLE": "0"}
        return CliRunner().invoke(app, arguments, env=environment)

    def lines(self, *arguments: str, **how: Any) -> list[str]:
        """Return what a command prints on a terminal."""
        result = self.result(*arguments, **how)
        assert result.exception is None, result.output
        return result.stdout.split("\n")[:-1]

    def json_lines(self, *arguments: str) -> list[Any]:
        """Return what a command prints into a pipe."""
        return [json.loads(line) for line in self.lines(*arguments, terminal=False)]

    def error(self, *arguments: str) -> str:
        """Return the sentence with which a command fails."""
        result = self.result(*arguments)
        assert result.exit_code == 1, result.output
        return result.stderr
