"""One row for each guardrail: the argument, the limit, what it got and what to do are all in the message."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from cdk_scalable_webhook import Ingress, ScalableWebhook, Sink

Make = Callable[[Stack], Any]
seconds, minutes, days = Duration.seconds, Duration.minutes, Duration.days


def queue(**properties: Any) -> Make:
    return lambda stack: sqs.Queue(stack, "Brought", **properties)


def table(name: str, type: dynamodb.AttributeType, sort: str | None = None) -> Make:
    sort_key = dynamodb.Attribute(name=sort, type=dynamodb.AttributeType.STRING) if sort else None
    return lambda stack: Sink.dynamodb(
        dynamodb.Table(stack, "T", partition_key=dynamodb.Attribute(name=name, type=type), sort_key=sort_key)
    )


def function(timeout: Duration | None = None) -> Make:
    return lambda stack: lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): return {}"),
        timeout=timeout,
    )


def api(**properties: Any) -> Make:
    def make(stack: Stack) -> apigateway.RestApi:
        rest_api = apigateway.RestApi(stack, "Brought", **properties)
        rest_api.root.add_method("ANY")
        rest_api.root.add_resource("taken").add_proxy(any_method=True)
        return rest_api

    return make


def fifo_with_standard_dead_letters(stack: Stack) -> sqs.Queue:
    letters = sqs.Queue(stack, "Letters")
    policy = sqs.DeadLetterQueue(queue=letters, max_receive_count=5)
    return sqs.Queue(stack, "Brought", fifo=True, dead_letter_queue=policy)


@dataclass
class Row:
    """Arguments that are refused, and what the message must say."""

    name: str
    message: str
    arguments: dict[str, Any] = field(default_factory=dict)
    brought: dict[str, Make] = field(default_factory=dict)


ROWS = [
    Row("max_concurrency too low", "max_concurrency must be between 2 and 1,000, got 1; for one at a time", {"max_concurrency": 1}),
    Row("max_concurrency too high", "max_concurrency must be between 2 and 1,000, got 1,001", {"max_concurrency": 1001}),
    Row("batch_size too low", "batch_size must be between 1 and 10,000, got 0", {"batch_size": 0}),
    Row("batch_size too high", "batch_size must be between 1 and 10,000, got 10,001", {"batch_size": 10_001}),
    Row("batch_size without window", "batch_size above 10 needs a max_batching_window of at least 1 second, got batch_size 11 and no window; add", {"batch_size": 11}),
    Row("batch_size with window of 0", "needs a max_batching_window of at least 1 second", {"batch_size": 11, "max_batching_window": seconds(0)}),
    Row("window too long", "max_batching_window must be between 0 seconds and 5 minutes, got 5 minutes 1 second", {"max_batching_window": seconds(301)}),
    Row("FIFO batch", "batch_size must be between 1 and 10, got 11; a FIFO queue delivers at most 10", {"batch_size": 11}, {"queue": queue(fifo=True)}),
    Row("FIFO window", "max_batching_window must not be set for a FIFO queue, got 1 second; leave it out", {"max_batching_window": seconds(1)}, {"queue": queue(fifo=True)}),
    Row("visibility below timeout", "visibility_timeout must not be shorter than the consumer's timeout of 30 seconds, got 29 seconds; leave it out", {"visibility_timeout": seconds(29)}),
    Row("visibility below 6 x timeout", "at least 6 x timeout + max_batching_window, here 125 seconds, got 2 minutes 4 seconds", {"visibility_timeout": seconds(124), "timeout": seconds(20), "max_batching_window": seconds(5)}),
    Row("visibility too long", "visibility_timeout must be between 0 seconds and 12 hours, got 12 hours 1 second", {"visibility_timeout": seconds(43_201)}),
    Row("visibility below timeout of a consumer of one's own", "the consumer's timeout of 1 minute, got 59 seconds", {"visibility_timeout": seconds(59)}, {"consumer": function(minutes(1))}),
    Row("visibility of a queue of one's own", "the visibility timeout of queue must not be shorter than the consumer's timeout of 1 minute, got 30 seconds; set visibility_timeout of the queue to at least 360 seconds", {"timeout": minutes(1)}, {"queue": queue()}),
    Row("max_receive_count too low", "max_receive_count must be between 1 and 1,000, got 0", {"max_receive_count": 0}),
    Row("max_receive_count too high", "max_receive_count must be between 1 and 1,000, got 1,001", {"max_receive_count": 1001}),
    Row("reserved below max_concurrency", "reserved_concurrent_executions must be at least max_concurrency (5), got 4; leave it out", {"reserved_concurrent_executions": 4, "max_concurrency": 5}),
    Row("retention too short", "retention_period must be between 1 minute and 14 days, got 59 seconds", {"retention_period": seconds(59)}),
    Row("retention too long", "retention_period must be between 1 minute and 14 days, got 15 days", {"retention_period": days(15)}),
    Row("dead-letter retention shorter", "the retention period of dead_letter_queue must not be shorter than the queue's 432000 seconds, got 345600 seconds; give", {"retention_period": days(5)}, {"dead_letter_queue": queue()}),
    Row("dead-letter retention shorter than the default", "shorter than the queue's 345600 seconds, got 60 seconds", {}, {"dead_letter_queue": queue(retention_period=minutes(1))}),
    Row("FIFO dead-letter queue of a standard queue", "dead_letter_queue must be a standard queue like the queue that it serves, got a FIFO queue; bring a standard one", {}, {"dead_letter_queue": queue(fifo=True)}),
    Row("standard dead-letter queue of a FIFO queue", "dead_letter_queue must be a FIFO queue like the queue that it serves, got a standard queue", {}, {"queue": fifo_with_standard_dead_letters}),
    Row("timeout too short", "timeout must be between 1 second and 15 minutes, got 0 seconds", {"timeout": seconds(0)}),
    Row("timeout too long", "timeout must be between 1 second and 15 minutes, got 16 minutes", {"timeout": minutes(16)}),
    Row("memory too small", "memory_size must be between 128 and 10,240, got 64", {"memory_size": 64}),
    Row("rate of nothing", "throttling_rate_limit must be between 1 and 100,000, got 0", {"throttling_rate_limit": 0}),
    Row("burst of nothing", "throttling_burst_limit must be between 1 and 100,000, got 0", {"throttling_burst_limit": 0}),
    Row("header with a colon", "delivery_id_header must be 1 to 128 letters, digits, hyphens or underscores, got 'X: y'", {"delivery_id_header": "X: y"}),
    Row("empty header", "delivery_id_header must be", {"delivery_id_header": ""}),
    Row("relative path", "path must be '/' or fixed segments such as '/hooks/github', got 'hooks'", {"path": "hooks"}),
    Row("path with a parameter", "got '/hooks/{id}'; leave {parameters} out", {"path": "/hooks/{id}"}),
    Row("empty path segment", "got '/hooks//github'", {"path": "/hooks//github"}),
    Row("settings of a queue that was brought", "max_receive_count and retention_period must not be set together with queue, got max_receive_count, retention_period; set them on what you pass as queue", {"max_receive_count": 7, "retention_period": days(1)}, {"queue": queue()}),
    Row("visibility of a queue that was brought", "visibility_timeout must not be set together with queue", {"visibility_timeout": minutes(5)}, {"queue": queue()}),
    Row("dead-letter queue of a queue that was brought", "dead_letter_queue must not be set together with queue", {}, {"queue": queue(), "dead_letter_queue": lambda stack: sqs.Queue(stack, "Letters")}),
    Row("sink beside a consumer", "sink must not be set together with consumer", {}, {"consumer": function(), "sink": lambda stack: Sink.dynamodb()}),
    Row("settings of a consumer that was brought", "timeout and memory_size and reserved_concurrent_executions must not be set together with consumer", {"timeout": seconds(10), "memory_size": 128, "reserved_concurrent_executions": 9}, {"consumer": function()}),
    Row("throttling of an api that was brought", "throttling_rate_limit must not be set together with api", {"throttling_rate_limit": 10, "path": "/free"}, {"api": api()}),
    Row("taken root of an api that was brought", "path must be free in api, got '/', which has ANY already; choose another path", {}, {"api": api(binary_media_types=["*/*"])}),
    Row("taken path of an api that was brought", "path must be free in api, got '/taken', which has {proxy+} already", {"path": "/taken"}, {"api": api(binary_media_types=["*/*"])}),
    Row("text door in a binary api", "ingress must be Ingress.direct_integration(binary=True) for an api with binary_media_types", {"path": "/free", "ingress": Ingress.direct_integration()}, {"api": api(binary_media_types=["*/*"])}),
    Row("binary door in a text api", "ingress must be Ingress.direct_integration() for an api without", {"path": "/free", "ingress": Ingress.direct_integration(binary=True)}, {"api": api()}),
    Row("table with another key", "table must have the string partition key 'id' and no sort key, got pk (STRING); create it with", {}, {"sink": table("pk", dynamodb.AttributeType.STRING)}),
    Row("table with a number as key", "got id (NUMBER)", {}, {"sink": table("id", dynamodb.AttributeType.NUMBER)}),
    Row("table with a sort key", "got id (STRING) and at (STRING)", {}, {"sink": table("id", dynamodb.AttributeType.STRING, "at")}),
    Row("key for nothing", "encryption_key must not be set together with queue and consumer, got encryption_key; set it on", {}, {"queue": queue(visibility_timeout=minutes(3)), "consumer": function(), "encryption_key": lambda stack: kms.Key(stack, "Key")}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_cannot_work_is_refused_in_the_constructor(row: Row) -> None:
    stack = Stack(App(), "Stack")
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the message is what the row is about)
        ScalableWebhook(
            stack, "Webhook", **row.arguments, **{argument: make(stack) for argument, make in row.brought.items()}
        )
    assert row.message in str(refusal.value)
    assert "got" in str(refusal.value)


def number() -> Any:
    return Token.as_number({"Ref": "Number"})


TOKENS: dict[str, Callable[[], Any]] = {
    "max_concurrency": number,
    "batch_size": number,
    "max_receive_count": number,
    "memory_size": number,
    "reserved_concurrent_executions": number,
    "throttling_rate_limit": number,
    "throttling_burst_limit": number,
    "retention_period": lambda: seconds(number()),
    "visibility_timeout": lambda: seconds(number()),
}


@pytest.mark.parametrize("argument", TOKENS)
def test_a_value_that_only_deployment_knows_passes(argument: str) -> None:
    stack = Stack(App(), "Stack")
    ScalableWebhook(stack, "Webhook", **{argument: TOKENS[argument]()})
    assert '{"Ref": "Number"}' in json.dumps(Template.from_stack(stack).to_json())


@pytest.mark.parametrize("argument", ["timeout", "max_batching_window"])
def test_a_duration_that_only_deployment_knows_needs_a_visibility_timeout(argument: str) -> None:
    durations: dict[str, Any] = {argument: seconds(number())}
    with pytest.raises(ValueError, match="visibility_timeout must be set where"):
        ScalableWebhook(Stack(App(), "Refused"), "Webhook", **durations)

    stack = Stack(App(), "Stack")
    ScalableWebhook(stack, "Webhook", visibility_timeout=minutes(30), **durations)
    assert '{"Ref": "Number"}' in json.dumps(Template.from_stack(stack).to_json())
