"""The deployed app: its endpoints, queues, tables and logs, in an account or locally."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from scalable_webhook_cli.addresses import reachable
from scalable_webhook_cli.conformance.case import API_KEY, Case, Request
from scalable_webhook_cli.conformance.sending import Answer, Sender
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.names import in_outputs, mappings
from scalable_webhook_cli.observe import depth, wait_for
from scalable_webhook_cli.target import Target, is_loopback
from webhook_runtime.contract import outputs
from webhook_runtime.contract.settings import DynamoDBSettings

STACK = "ScalableWebhookConformance"
# The header by which a message is found again.
MARK = "x-conformance"
_AT_ONCE = 16
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
_STEADY_SECONDS = 10
# In an account a log line, a permission or a change of a mapping takes its time.
_PATIENCE = {True: 60, False: 180}

Reply = Answer | str  # a text: why there is none
Message = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """A deployed app. ``run`` tells this run from earlier ones of an app that was kept."""

    target: Target
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    began: float = field(default_factory=time.time)
    _sender: Sender = field(default_factory=Sender)

    @cached_property
    def is_local(self) -> bool:
        """Whether this AWS is on this machine, even if a profile leads to it."""
        endpoint = self.target.client("sts").meta.endpoint_url
        return is_loopback(urlsplit(endpoint).hostname or "")

    @cached_property
    def region(self) -> str:
        return str(self.target.client("sts").meta.region_name)

    @cached_property
    def urls(self) -> Mapping[str, str]:
        """The URL of each endpoint as it is deployed, by the name of its webhook, and of a path added to it."""
        return {
            name.removeprefix(f"{STACK}/").replace("/Source ", "/"): url
            for name, _, url in in_outputs(self._stack, outputs.URL)
        }

    @cached_property
    def webhooks(self) -> Mapping[str, DeployedWebhook]:
        return {
            name.removeprefix(f"{STACK}/"): DeployedWebhook(self.target, name, STACK, prefix, id)
            for name, prefix, id in mappings(self._stack)
        }

    @cached_property
    def api_key(self) -> str:
        (id,) = (each["OutputValue"] for each in self._stack["Outputs"] if each["OutputKey"] == "ApiKey")
        return str(self.target.client("apigateway").get_api_key(apiKey=id, includeValue=True)["value"])

    @cached_property
    def _stack(self) -> dict[str, Any]:
        (stack,) = self.target.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return dict(stack)

    @cached_property
    def _reachable(self) -> Mapping[str, str]:
        return {name: reachable(self.target, url) for name, url in self.urls.items()}

    def webhook(self, ingress: str) -> DeployedWebhook:
        """Return the webhook of an endpoint."""
        return self.webhooks[ingress.partition("/")[0]]

    def url(self, ingress: str) -> str:
        """Return the URL at which an endpoint answers."""
        return self._reachable[ingress]

    def mark(self, case: Case, ingress: str, number: int = 0) -> str:
        return f"{self.run} {case.id} {ingress} {number}"

    def send(self, requests: Iterable[tuple[str, Request, str]]) -> list[Reply]:
        """Send requests at once, each to an endpoint and with a mark, and return the answers in their order."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda each: self._send(*each), requests))

    def _send(self, ingress: str, request: Request, mark: str) -> Reply:
        url = self.url(ingress)
        headers = [(name, self.api_key if value == API_KEY else value) for name, value in request.headers]
        if request.signed:
            headers += self._signature("execute-api", request, url.rstrip("/") + request.path)
        marked = Request(request.method, request.path, [*headers, (MARK, mark)], request.body)
        try:
            return self._sender.send(url, marked)
        except (OSError, HTTPException) as error:
            return f"no answer: {type(error).__name__}"

    def call(self, service: str, url: str, form: bytes) -> Answer:
        """Call a service by a form, which boto3 does not do any more."""
        request = Request(headers=[("Content-Type", "application/x-www-form-urlencoded")], body=form)
        signature = self._signature(service, request, url)
        return self._sender.send(url, Request(headers=[*request.headers, *signature], body=form))

    def _signature(self, service: str, request: Request, url: str) -> Iterator[tuple[str, str]]:
        signed = AWSRequest(request.method, url, data=request.body)
        SigV4Auth(self.target.credentials(), service, self.region).add_auth(signed)
        yield from signed.headers.items()

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Wait until the condition is true, as long as it may take. Return whether it is."""
        return wait_for(condition, _PATIENCE[self.is_local], longest_pause=0.2 if self.is_local else 3)

    def take(self, queue_url: str, awaited: Iterable[str]) -> dict[str, Message]:
        """Receive and delete the messages of a queue until those with these marks are there, and return all by mark."""
        sqs, missing, found = self.target.client("sqs"), set(awaited), dict[str, Message]()

        def receive() -> bool:
            answer = sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                if (mark := mark_of(message)) is not None:
                    found[mark] = message
                    missing.discard(mark)
            return not missing and "Messages" not in answer

        self.wait_for(receive)
        return found

    def wait_until_drained(self, *ingresses: str) -> bool:
        """Wait until the queues are empty, and stay so: SQS's numbers are approximate."""
        sqs, queues = self.target.client("sqs"), {self.webhook(ingress).queue_url for ingress in ingresses}
        drained: list[float] = []

        def are_drained() -> bool:
            drained.append(time.monotonic())
            if any(depth(sqs, queue) for queue in queues):
                drained.clear()
            return bool(drained) and drained[-1] - drained[0] >= (0 if self.is_local else _STEADY_SECONDS)

        return self.wait_for(are_drained)

    def item(self, ingress: str, id: str) -> Mapping[str, Any] | None:
        """Return the item of the endpoint's table, by the id of its webhook."""
        webhook = self.webhook(ingress)
        table = webhook.settings(DynamoDBSettings).table_name
        key = {"id": {"S": f"{self.mount(ingress)}#{id}"}}
        found = self.target.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
        item: Mapping[str, Any] | None = found.get("Item")
        return item

    def mount(self, ingress: str) -> str:
        """Return the path of an endpoint below its stage."""
        return "/" + urlsplit(self.urls[ingress]).path.strip("/").partition("/")[2]

    def lines(self, ingress: str, *stages: str) -> list[str]:
        """Return the log lines of these stages of a webhook, of this run, in their order."""
        logs, found = self.target.client("logs"), list[tuple[int, str]]()
        for group, stage in self.webhook(ingress).log_groups.items():
            if stage not in stages:
                continue
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=round(self.began * 1000)
            )
            for page in pages:
                for event in page["events"]:
                    at = event["timestamp"]
                    found += [(at, line) for line in event["message"].strip().splitlines()]
        return [line for _, line in sorted(found, key=lambda each: each[0])]

    def logged(self, ingress: str, *messages: str) -> list[dict[str, Any]]:
        """Return the consumer's lines with one of these messages."""
        parsed = (json.loads(line) for line in self.lines(ingress, "Consumer") if line.startswith("{"))
        return [line for line in parsed if line.get("message") in messages]


def mark_of(message: Message) -> str | None:
    return metadata(message).get(f"h.{MARK}")


def metadata(message: Message) -> dict[str, str]:
    """Return the fields of a message; of a header that is repeated, the values joined by a comma."""
    form = message.get("MessageAttributes", {}).get("webhook", {}).get("StringValue", "")
    found: dict[str, str] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
