"""The deployed webhooks of an AWS, and their parts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scalable_webhook_cli.addresses import reachable
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.names import HASH, in_outputs, mappings
from scalable_webhook_cli.target import Target
from webhook_runtime.contract import outputs
from webhook_runtime.contract.settings import Kind, from_environment


@dataclass(frozen=True)
class DeployedEndpoint:
    """An endpoint: the path of its construct, its stack and its URL."""

    name: str
    stack: str
    url: str


@dataclass(frozen=True)
class DeployedWebhook:
    """A deployed webhook.

    Attributes:
        target: The AWS, with the region of the webhook.
        name: The path of its construct.
        stack: The name of its stack.
        prefix: The start of the logical ids of its resources.
        mapping_id: The UUID of its event source mapping.
    """

    target: Target
    name: str
    stack: str
    prefix: str
    mapping_id: str

    @cached_property
    def consumer(self) -> str:
        """The name of the consumer."""
        return str(self._mapping["FunctionArn"].split(":")[6])

    @property
    def sink(self) -> str:
        """The kind of its sink, such as ``dynamodb``. Empty: its consumer is an existing function."""
        module, _, name = self._configuration.get("Handler", "").rpartition(".")
        return name if module == "webhook_runtime.handlers" else ""

    @cached_property
    def queue_url(self) -> str:
        arn = self._mapping["EventSourceArn"].split(":")
        answer = self.target.client("sqs").get_queue_url(QueueName=arn[5], QueueOwnerAWSAccountId=arn[4])
        return str(answer["QueueUrl"])

    @cached_property
    def dead_letter_queue_url(self) -> str:
        """
        Raises:
            CliError: The queue has none.
        """
        if url := self._variables.get("WEBHOOK_DEAD_LETTER_QUEUE_URL"):
            return url
        policy = self.queue_attributes.get("RedrivePolicy")
        found = re.search(r'"deadLetterTargetArn" *: *"([^"]+)"', policy or "")
        if found is None:
            raise CliError(f"the queue of {self.name} has no dead-letter queue; set one in the app and deploy it")
        # It is in the account and region of the queue.
        return f"{self.queue_url.rpartition('/')[0]}/{found[1].rpartition(':')[2]}"

    @cached_property
    def unverified_queue_url(self) -> str | None:
        """None if every endpoint with a source verifies by itself."""
        return self._variables.get("WEBHOOK_UNVERIFIED_QUEUE_URL")

    @property
    def is_paused(self) -> bool:
        return bool(self._mapping["State"] == "Disabled")

    @property
    def batches_at_a_time(self) -> int:
        """The number of batches that the consumer may have in progress."""
        # A FIFO queue of one group has no limit of its own.
        return int(self._mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1))

    @property
    def batch_size(self) -> int:
        return int(self._mapping["BatchSize"])

    @property
    def queue_attributes(self) -> Mapping[str, str]:
        """The attributes of the queue."""
        answer = self.target.client("sqs").get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        attributes: Mapping[str, str] = answer["Attributes"]
        return attributes

    @cached_property
    def publishers(self) -> Sequence[str]:
        """The names of the functions between API Gateway and the queue."""
        return [id for _, id in self._own("AWS::Lambda::Function", "Publisher")]

    @cached_property
    def log_groups(self) -> Mapping[str, str]:
        """The log groups, and the stage that writes to each: ``Access``, ``Publisher``, ``Consumer`` or ``Breaker``."""
        found = {id: stage for stage, id in self._own("AWS::Logs::LogGroup", "(Access|Publisher|Consumer|Breaker)Logs")}
        if "Consumer" not in found.values():  # an existing function
            told = self._configuration.get("LoggingConfig", {})
            found[told.get("LogGroup") or f"/aws/lambda/{self.consumer}"] = "Consumer"
        return found

    @property
    def hides_webhooks(self) -> str | None:
        """Why the log of its consumer does not have what is stored, or None if it does."""
        if "WEBHOOK_QUEUE_URL" not in self._variables:
            return "its consumer is a function of your own, whose log is your own too"
        level = self._configuration.get("LoggingConfig", {}).get("ApplicationLogLevel", "INFO")
        if level in ("WARN", "ERROR", "FATAL"):
            return f"the log level of its consumer is {level}, which hides what is stored"
        return None

    def settings(self, kind: type[Kind]) -> Kind:
        """Return settings of the consumer.

        Raises:
            KeyError: A required one is missing, since the consumer is an existing function.
        """
        return from_environment(kind, self._variables)

    def variables_of(self, function: str) -> Mapping[str, str]:
        """Return the environment variables of one of its functions."""
        configuration = self.target.client("lambda").get_function_configuration(FunctionName=function)
        variables: Mapping[str, str] = configuration.get("Environment", {}).get("Variables", {})
        return variables

    @cached_property
    def _mapping(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.target.client("lambda").get_event_source_mapping(UUID=self.mapping_id)
        return found

    @cached_property
    def _configuration(self) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self.target.client("lambda").get_function_configuration(
            FunctionName=self._mapping["FunctionArn"]
        )
        return answer

    @property
    def _variables(self) -> Mapping[str, str]:
        variables: Mapping[str, str] = self._configuration.get("Environment", {}).get("Variables", {})
        return variables

    def _own(self, type: str, suffix: str) -> Iterator[tuple[str, str]]:
        """Yield the end of the logical id of each of its resources, and its physical id."""
        pages = self.target.client("cloudformation").get_paginator("list_stack_resources")
        # The resources of another webhook of the stack may start with the same letters.
        longer = [each for each in self._prefixes if each != self.prefix and each.startswith(self.prefix)]
        for page in pages.paginate(StackName=self.stack):
            for resource in page["StackResourceSummaries"]:
                id = resource["LogicalResourceId"]
                of_another = any(id.startswith(each) for each in longer)
                found = re.fullmatch(f"{self.prefix}.*?{suffix}{HASH}", id)
                if resource["ResourceType"] == type and found and not of_another:
                    yield (found[1] if found.groups() else suffix), resource["PhysicalResourceId"]

    @cached_property
    def _prefixes(self) -> Sequence[str]:
        (stack,) = self.target.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return [prefix for _, prefix, _ in mappings(stack)]


def stacks(target: Target) -> Iterator[dict[str, Any]]:
    """Yield the description of every stack of the region."""
    for page in target.client("cloudformation").get_paginator("describe_stacks").paginate():
        yield from page["Stacks"]


def webhooks(target: Target) -> list[DeployedWebhook]:
    """Return every webhook of the region."""
    return [
        DeployedWebhook(target, name, stack["StackName"], prefix, mapping_id)
        for stack in stacks(target)
        for name, prefix, mapping_id in mappings(stack)
    ]


def endpoints(target: Target) -> list[DeployedEndpoint]:
    """Return every endpoint of the region, at the URL at which it answers."""
    return [
        DeployedEndpoint(name, stack["StackName"], reachable(target, url))
        for stack in stacks(target)
        for name, _, url in in_outputs(stack, outputs.URL)
    ]
