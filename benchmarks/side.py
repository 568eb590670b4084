"""One side of a comparison: an app on the local AWS, ours or a peer's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalable_webhook_cli.addresses import local_url
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import depth, log_streams, wait_for

HERE = Path(__file__).parent
OURS, PEERS = HERE / "ours", HERE / "peers"
_BILLED = re.compile(r"^REPORT .*Billed Duration: (\d+) ms", re.MULTILINE)


@dataclass(frozen=True)
class Side:
    """A deployed stack with one API, and functions behind it."""

    emulator: Emulator
    stack: str
    url: str

    def client(self, service: str) -> Any:
        """Return a client of the local AWS."""
        return self.emulator.client(service)

    def physical(self, type: str) -> list[str]:
        """Return the names of the stack's resources of a type."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=self.stack)["StackResources"]
        return [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == type]

    def pause(self, paused: bool = True) -> None:
        """Stop the delivery of the queue; or, with False, resume it."""
        functions = self.client("lambda")
        for uuid in self.physical("AWS::Lambda::EventSourceMapping"):
            functions.update_event_source_mapping(UUID=uuid, Enabled=not paused)

    def backlog(self) -> int:
        """Return the number of messages in the stack's queues, dead-letter queues included."""
        sqs = self.client("sqs")
        return sum(depth(sqs, url) for url in self.physical("AWS::SQS::Queue"))

    def drain(self) -> None:
        """Resume the delivery of the queue, and wait until it is empty."""
        self.pause(False)
        self.wait_until_drained()

    def wait_until_drained(self, seconds: float = 120) -> None:
        """Wait until all queues of the stack are empty."""
        if not wait_for(lambda: self.backlog() == 0, seconds):
            raise TimeoutError(f"{self.stack} still has {self.backlog()} messages after {seconds:g} seconds")

    def functions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the stack's own functions by name, with their configuration."""
        functions = self.client("lambda")
        for name in self.physical("AWS::Lambda::Function"):
            yield name, functions.get_function_configuration(FunctionName=name)

    def billed_milliseconds(self, function: str, configuration: dict[str, Any]) -> list[int]:
        """Return the billed duration of each invocation of a function, by its REPORT lines."""
        streams = self.log(function, configuration)
        return [int(ms) for stream in streams for message in stream for ms in _BILLED.findall(message)]

    def log(self, function: str, configuration: dict[str, Any]) -> Iterator[list[str]]:
        """Yield the lines of each environment of a function."""
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function}"
        return log_streams(self.client("logs"), group)


def side(emulator: Emulator, app: Path, context: list[str] | None = None) -> Side:
    """Deploy an app that has one stack with one API."""
    before = _stacks(emulator)
    deploy(emulator, app, context=context or [])
    ((name, stack),) = (found for found in _stacks(emulator).items() if found[0] not in before)
    url = next(output["OutputValue"] for output in stack["Outputs"] if "execute-api" in output["OutputValue"])
    return Side(emulator, name, local_url(emulator.endpoint, url))


def _stacks(emulator: Emulator) -> dict[str, Any]:
    pages = emulator.client("cloudformation").get_paginator("describe_stacks").paginate()
    return {
        stack["StackName"]: stack for page in pages for stack in page["Stacks"] if stack["StackName"] != "CDKToolkit"
    }
