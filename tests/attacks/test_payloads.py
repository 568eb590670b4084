"""Payloads that are small to send and large to read: every reader answers, and does nothing else."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from cdk_scalable_webhook.filters import EventFilters as Written
from webhook_runtime import Answer, Unverified, Webhook, message
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.filters import EventFilters
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sources.source import Source
from webhook_runtime.sources.verification import Unverifiable
from webhook_runtime.testing import webhook

from ..runtime.doubles import Invocation, SecretsManager, Sqs
from ..runtime.events import record, request
from ..runtime.test_consumer import Memory
from ..signers import SIGNERS
from ..suite.attacks import Attempts
from .bombs import BOMBS
from .hostile import description

NOW = float(int(time.time()))
FILTERS: list[list[dict[str, Any]]] = [
    [{"body": {"type": ["a", {"prefix": "b"}]}}],
    [{"body": {"id": [{"numeric": [">", 1, "<", 5]}]}}, {"body": {"id": [{"exists": False}]}}],
    [{"body": {"a": {"a": {"a": [1, None, True]}}}}],
    [{"body": {"$or": [{"a.b.c": ["x"]}, {"type": [{"anything-but": ["y"]}]}]}}, {"headers": {"x-a": ["1"]}}],
]
TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain", ""]


def bombs(**headers: str) -> list[tuple[str, Webhook]]:
    return [
        (f"{what} as {type}", webhook(body, headers={**headers, **({"Content-Type": type} if type else {})}))
        for what, body in BOMBS.items()
        for type in TYPES
    ]


@pytest.mark.parametrize("filters", FILTERS, ids=range(len(FILTERS)))
def test_a_filter_decides_on_each_payload(filters: list[dict[str, Any]], attempts: Attempts) -> None:
    of_mount = EventFilters({"/": Written(filters).patterns})
    tried = bombs()
    attempts(
        "payloads at filters", len(tried), [what for what, each in tried if of_mount.want(each) not in (True, False)]
    )


@pytest.mark.parametrize("name", SIGNERS)
def test_a_source_rejects_unsigned_requests(name: str, attempts: Attempts) -> None:
    provider = SIGNERS[name]
    source = Source.from_description(description(provider.source), SecretsManager(AWSCURRENT=provider.secret))
    signed = provider.sign(b"another payload", NOW, "https://example.com/")
    through = []
    tried = [*bombs(), *bombs(**{name: value for name, value in signed.items() if name != "Content-Type"})]
    for what, each in tried:
        try:
            admitted = source.admit(each._replace(received_at=datetime.fromtimestamp(NOW, UTC)))
        except Unverified:
            continue
        if not (isinstance(admitted, Webhook) and not provider.is_body_signed and provider.secret in str(signed)):
            through.append(what)
    attempts("payloads at sources", len(tried), through)


@pytest.mark.parametrize("name", SIGNERS)
def test_a_genuine_payload_is_accepted_and_keeps_its_id(name: str, attempts: Attempts) -> None:
    """A signed payload may be a bomb too: it keeps its id, and no error turns it into a handshake."""
    provider = SIGNERS[name]
    source = Source.from_description(description(provider.source), SecretsManager(AWSCURRENT=provider.secret))
    through = []
    tried = []
    for what, body in BOMBS.items():
        try:
            signed = provider.sign(body, NOW, "https://example.com/")
        except UnicodeDecodeError:  # its library signs text
            continue
        arrived = webhook(body, headers=signed, received_at=datetime.fromtimestamp(NOW, UTC))
        arrived = arrived._replace(url="https://example.com/", query_string=provider.query(body))
        tried.append(what)
        try:
            admitted = source.admit(arrived)
        except Unverified:
            if provider.is_body_signed and provider.sends(body):
                through.append(what)
            continue
        except Unverifiable:
            through.append(what)
            continue
        if isinstance(admitted, Answer) or not admitted.id:
            through.append(what)
    attempts("genuine payloads at sources", len(tried), through)


def test_the_publisher_accepts_each_payload(attempts: Attempts) -> None:
    publisher = Publisher(PublisherSettings("http://sqs/Queue", None), Sqs(), None, EventFilters({"/": FILTERS[0]}))
    tried = [
        (f"{what} as {type}", publisher.handle(request(body, headers=[("Content-Type", type)]), None)["statusCode"])
        for what, body in BOMBS.items()
        for type in TYPES
    ]
    attempts("payloads at the publisher", len(tried), [f"{what}: {status}" for what, status in tried if status != 202])


def test_the_consumer_stores_or_drops_each_payload(attempts: Attempts) -> None:
    sink, sqs, tried = Memory(), Sqs(), bombs()
    consumer = Consumer(
        sink,
        Redelivery(sqs, "http://sqs/Queue", Backoff(30, 900)),
        DeadLetters(sqs, "http://sqs/DeadLetters"),
        event_filters=EventFilters({"/": FILTERS[3]}),
    )
    through = []
    for number, (what, each) in enumerate(tried):
        each = each._replace(id=str(number))
        made = record(*message.write(each), message_id=str(number))
        if consumer.handle({"Records": [made]}, Invocation(30)) != {"batchItemFailures": []}:
            through.append(what)
    attempts("payloads at the consumer", len(tried), through)
    assert sqs.sent == []
