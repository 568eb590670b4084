"""docs/operations.md agrees with the log: each field of its queries and tables, and each message."""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cdk_scalable_webhook.endpoint.api import _ACCESS_LOG
from webhook_runtime import logs
from webhook_runtime.clients import AwsRejected
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.filters import EventFilters
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind, Outcome, SinkDown
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.testing import sqs_event, webhook

from ..runtime.doubles import Invocation, Sqs
from ..runtime.events import request
from ..runtime.test_breaker import REJECTED, World

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
QUERIES = [text for text in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) if re.match(r"fields|filter|stats", text)]
ROWS = re.findall(r"^\| (.+?) \| (publisher|consumer|breaker|API Gateway) \| (.+) \|$", PAGE, re.MULTILINE)

# The fields that depend on the path of a webhook in a test.
OUTCOMES = {
    "/stored": STORED,
    "/duplicate": DUPLICATE,
    "/failed": Outcome(Kind.RETRY, "Down", "it is down"),
    "/dead-lettered": Outcome(Kind.PERMANENT, "Bad", "it is bad"),
    "/unverified": Outcome(Kind.UNVERIFIED, "Unverified", "it is not signed"),
}


class _Sink:
    def store(self, webhooks: Sequence[Webhook], _deadline: Deadline) -> Iterable[Outcome]:
        return [OUTCOMES[each.path] for each in webhooks]


class _Down:
    def store(self, _: Sequence[Webhook], _deadline: Deadline) -> Iterable[Outcome]:
        raise SinkDown("it is down")

    def ping(self, _: Deadline) -> None:
        raise SinkDown("it is down")


class _Trouble:
    def store(self, webhooks: Sequence[Webhook], _deadline: Deadline) -> Iterable[Outcome]:
        return [Outcome(Kind.RETRY, "HTTP 500", "it answered 500", is_trouble=True)] * len(webhooks)


def of_breaker() -> None:
    """Log a pause, from its beginning to its end."""
    world = World()
    for sink in ("up", "broken", "down"):
        world.aws.sink = sink
        world.line()
    world.aws.sink = "up"
    world.minutes(2)
    world.aws.errors = [REJECTED]
    with suppress(AwsRejected):
        world.line()


def lines(caplog: pytest.LogCaptureFixture) -> Iterator[dict[str, Any]]:
    """Log webhooks with every outcome in publisher and consumer, as JSON."""
    caplog.set_level(logging.INFO, "webhook")
    publisher = Publisher(PublisherSettings("https://sqs/queue", None), Sqs())
    publisher.handle(request(), None)
    publisher.handle(request(b"x" * 2**21), None)
    sqs = Sqs()
    consumer = Consumer(
        _Sink(),
        Redelivery(sqs, "https://sqs/queue", Backoff(30, 900)),
        DeadLetters(sqs, "https://sqs/dead_letters"),
        unverified=DeadLetters(sqs, "https://sqs/unverified", in_order=False),
        event_filters=EventFilters({"/": [{"body": {"wanted": [True]}}]}),
    )
    wanted = [webhook(json={"wanted": True}, path=path) for path in OUTCOMES]
    consumer.handle(sqs_event(*wanted, webhook(json={"wanted": False})), Invocation())
    while_it_is_down = Consumer(_Down(), Redelivery(sqs, "https://sqs/queue", Backoff(30, 900)))
    for _ in range(3):
        while_it_is_down.handle(sqs_event(webhook()), Invocation())
    while_it_is_down.handle({"probe": True}, Invocation())
    single = Consumer(_Trouble(), Redelivery(sqs, "https://sqs/queue", Backoff(30, 900)))
    for _ in range(3):
        single.handle(sqs_event(webhook()), Invocation())
    of_breaker()
    formatter = logs._JsonLines()
    for record in caplog.records:
        yield json.loads(formatter.format(record))


@pytest.fixture
def fields(caplog: pytest.LogCaptureFixture) -> dict[str, set[str]]:
    """Return the fields of each line, by its message."""
    told = {line["message"]: set(line) for line in lines(caplog)} | {"": set(_ACCESS_LOG)}
    told["batch"] -= {kind.value for kind in Kind}  # only those that a webhook of the batch has
    return told


def test_there_is_something_to_check() -> None:
    assert len(QUERIES) == 2
    assert len(ROWS) == 14


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_existing_fields_and_messages(query: str, fields: dict[str, set[str]]) -> None:
    without_texts = re.sub(r'"[^"]*"|/[^/]*/', "", query)
    made = {name.strip() for name in re.findall(r" as (\w+)", without_texts)}
    syntax = {"fields", "filter", "sort", "stats", "like", "asc", "desc", "in", "by", "as", "count", "max"}
    asked = set(re.findall(r"(?<![@\w])[a-z_]+\b", without_texts)) - syntax - made
    assert asked <= set().union(*fields.values())
    assert set(re.findall(r'"([^"]*)"', query)) <= set(fields)


@pytest.mark.parametrize(("line", "stage", "told"), ROWS, ids=[row[0] for row in ROWS])
def test_a_line_has_the_fields_of_the_table(line: str, stage: str, told: str, fields: dict[str, set[str]]) -> None:
    messages = [""] if stage == "API Gateway" else re.findall(r"`([\w -]+)`", line)
    for message in messages:
        names = set(re.findall(r"`(\w+)`", told))
        if told.startswith("the same"):
            names |= fields["stored"] - {"timestamp", "level", "message", "logger"}
        known = fields[message] - {"timestamp", "level", "message", "logger", "time"}
        assert names == known, message
