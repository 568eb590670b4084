"""Hostile webhooks never decide about genuine ones of their batch, by the processor time of 256 MiB."""

import hashlib
import hmac
import json
import logging
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from webhook_runtime import message
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.filters import EventFilters
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Outcome
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sources import schemes
from webhook_runtime.sources.secrets import Secrets
from webhook_runtime.sources.source import Source, Sources
from webhook_runtime.sources.verification import Unverified

from ..runtime.doubles import SecretsManager, Sqs
from ..suite.attacks import Attempts
from . import lambda_time
from .hostile import (
    ALL,
    BATCH,
    MOUNT,
    REQUEST,
    Hostile,
    description,
    genuine,
    hostile,
    queued,
    sources,
)
from .lambda_time import Invocation

# The seconds of a consumer, and of a publisher.
TIMEOUT = {"consumer": 30, "publisher": 20}
BATCH_SIZE = 10
NOW = float(int(time.time()) - 2)


@pytest.fixture(autouse=True)
def _lambda_time() -> Iterator[None]:
    with lambda_time.used():
        yield


class Sink:
    """A sink that keeps payloads."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    def store(self, webhooks: Sequence[Webhook], _deadline: Deadline) -> Iterator[Outcome]:
        for webhook in webhooks:
            yield DUPLICATE if webhook.id in self.stored else STORED
            self.stored[webhook.id] = webhook.body


class Outcomes(logging.Handler):
    """The outcome of each message by its id, from the consumer's log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.of: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if id := vars(record).get("message_id"):
            self.of[str(id)] = record.message if hasattr(record, "message") else record.getMessage()


@pytest.fixture
def outcomes() -> Iterator[Outcomes]:
    logger, handler = logging.getLogger("webhook"), Outcomes()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def batches(attackers: Sequence[Hostile], own: Hostile, *, fifo: bool) -> Iterator[list[dict[str, Any]]]:
    """Yield batches of three genuine webhooks, with as many hostile ones as fit before, between and behind them."""
    ordinary = [queued(own.webhook(NOW, f"genuine {number}"), fifo=fifo) for number in range(3)]
    named = [(f"hostile {each.what}", each) for each in attackers]
    left = [queued(each.fitting(NOW, id).webhook(NOW, id), fifo=fifo) for id, each in named]
    while left:
        some: list[dict[str, Any]] = []
        size = 0
        while left and len(some) < BATCH_SIZE - 3 and (size := size + len(json.dumps(left[0]))) < BATCH - 100_000:
            some.append(left.pop(0))
        yield [*ordinary[:1], *some[:2], *ordinary[1:2], *some[2:], *ordinary[2:]]


def consumer(sink: Any, checked: Sources | None, sqs: Sqs, filters: EventFilters | None = None) -> Consumer:
    return Consumer(
        sink,
        Redelivery(sqs, "queue", Backoff(100, 900)),
        DeadLetters(sqs, "dead_letters"),
        5,
        checked,
        filters,
        unverified=DeadLetters(sqs, "unverified", in_order=False),
    )


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "FIFO"])
@pytest.mark.parametrize("name", ALL)
def test_each_genuine_webhook_is_stored_at_its_first_receive(
    name: str, outcomes: Outcomes, attempts: Attempts, *, fifo: bool
) -> None:
    provider = ALL[name]
    checked = sources(provider, SecretsManager(AWSCURRENT=provider.secret), in_order=fifo)
    tried, through = 0, []
    for batch in batches(list(hostile(provider, NOW)), genuine(provider, NOW), fifo=fifo):
        sink, sqs = Sink(), Sqs()
        outcomes.of.clear()
        answer = consumer(sink, checked, sqs).handle({"Records": batch}, Invocation(TIMEOUT["consumer"]))
        assert {outcomes.of[f"genuine {number}"] for number in range(3)} <= {"stored", "duplicate"}
        assert answer == {"batchItemFailures": []}
        assert set(sink.stored.values()) == {genuine(provider, NOW).body}
        # None of them is in the dead-letter queue either, which would raise an alarm.
        assert {each["QueueUrl"] for each in sqs.sent} == {"unverified"}
        tried += len(sqs.sent)
        through += [id for id, what in outcomes.of.items() if id.startswith("hostile") and what != "unverified"]
    attempts("hostile ones among genuine ones of a batch", tried, through)


@pytest.mark.parametrize("name", ALL)
def test_a_publisher_rejects_hostile_requests_and_accepts_the_next(name: str, attempts: Attempts) -> None:
    provider, sqs = ALL[name], Sqs()
    publisher = Publisher(
        PublisherSettings("https://sqs/queue", None), sqs, sources(provider, SecretsManager(AWSCURRENT=provider.secret))
    )
    tried = list(hostile(provider, NOW, REQUEST))
    through = [
        each.what
        for each in tried
        if publisher.handle(each.event(NOW), Invocation(TIMEOUT["publisher"]))["statusCode"] != 401
    ]
    assert publisher.handle(genuine(provider, NOW).event(NOW), None)["statusCode"] == 202
    assert len(sqs.sent) == 1
    attempts("hostile ones at a publisher", len(tried), through)


class Work:
    """The number of computations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.macs = self.bytes = self.fields = self.parsed = 0
        digest, parse, read = hmac.digest, urllib.parse.parse_qsl, message.parse_json

        def made(key: bytes, content: bytes, algorithm: str) -> bytes:
            self.macs += 1
            self.bytes += len(content)
            return digest(key, content, algorithm)

        def split(text: str, **options: Any) -> list[tuple[str, str]]:
            pairs = parse(text, **options)
            self.fields += len(pairs)
            return pairs

        def parsed(text: Any, **options: Any) -> Any:
            self.parsed += len(text)
            return read(text, **options)

        monkeypatch.setattr(hmac, "digest", made)
        monkeypatch.setattr(schemes, "parse_qsl", split)
        monkeypatch.setattr(schemes, "parse_json", parsed)


@pytest.mark.parametrize("name", ALL)
def test_the_computations_for_a_request_are_limited(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = ALL[name]
    checked = sources(provider, SecretsManager(AWSCURRENT=provider.secret))
    told = description(provider.source)
    signs_url = told["kind"] == "twilio" or "{url}" in json.dumps(told)
    for each in hostile(provider, NOW, REQUEST):
        work = Work(monkeypatch)
        with pytest.raises(Unverified):
            checked.admit(each.webhook(NOW, "id"))
        # Two schemes at most, each with two secrets, and a URL that may be written in several ways.
        ways = 2 * (32 if each.body else 512) if signs_url else 2
        assert work.macs <= ways
        assert work.bytes <= ways * (len(each.body) + 40_000)
        assert work.fields <= 1_000 + len(each.query)
        # The secret itself may be JSON, and is parsed once.
        assert work.parsed <= 2**20 + len(provider.secret)
        monkeypatch.undo()


def test_filters_search_up_to_a_limit_and_keep_webhooks_above_it(attempts: Attempts) -> None:
    patterns = [
        {"body": {"value": ["a", {"prefix": f"p{number}"}, {"suffix": "s"}, {"numeric": [">", 10 + number]}]}}
        for number in range(5)
    ]
    filters = EventFilters({MOUNT: patterns})
    own = Hostile("wanted", [], b'{"value": ["a"]}')
    tried, through = 0, []
    for fifo in (False, True):
        for batch in batches(list(hostile(ALL["github"], NOW)), own, fifo=fifo):
            sink, sqs = Sink(), Sqs()
            answer = consumer(sink, None, sqs, filters).handle({"Records": batch}, Invocation(TIMEOUT["consumer"]))
            tried += len(batch) - 3
            through += [each["itemIdentifier"] for each in answer["batchItemFailures"]]
            assert {f"genuine {number}" for number in range(3)} <= set(sink.stored)
            assert sqs.sent == []
    attempts("payloads that filters look into", tried, through)


class Slow(Sources):
    """A user's function that takes for ever for some webhooks."""

    def __init__(self) -> None:
        super().__init__({})

    def prepare(self, mount: str) -> None:
        """There is nothing to read first."""

    def admit(self, webhook: Webhook, queued_at: float = 0) -> Webhook:
        while webhook.body.startswith(b"x"):
            hashlib.sha256(b"")
        for _ in range(20):  # genuine ones take it some time too
            hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000)
        return webhook


@pytest.mark.parametrize("number", [3, 8])
def test_a_verification_without_end_takes_only_its_part_of_the_time(number: int) -> None:
    """This queue is standard. In a FIFO queue, a message that a function cannot verify has to be retried first."""
    attackers = [Hostile(f"{each}", [], b"x" * each).webhook(NOW, f"hostile {each}") for each in range(1, number + 1)]
    own = [Hostile("genuine", [], b"{}" * 50).webhook(NOW, f"genuine {each}") for each in range(2)]
    sink = Sink()
    answer = consumer(sink, Slow(), Sqs()).handle(
        {"Records": [queued(each) for each in (*attackers, *own)]}, Invocation(8)
    )
    assert set(sink.stored) == {each.id for each in own}
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == [each.id for each in attackers]


def test_a_forged_webhook_delays_a_fifo_queue_no_longer_than_a_new_secret_takes(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts
) -> None:
    """For a minute, each batch has a forged one, which may be signed with a secret that was rotated a moment ago."""
    now, waits, manager = NOW, [], SecretsManager(AWSCURRENT="hush hush")

    def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    secrets = Secrets(manager, "arn", None, lambda: now, in_order=True)
    checked = Sources({MOUNT: Source(schemes.Hmac(header="X-Signature"), secrets)})
    signature = hmac.new(b"hush hush", b"{}", "sha256").hexdigest()
    tried, through = 0, []
    while now < NOW + 60:
        now += 0.2
        forged = Hostile("forged", [("X-Signature", "0" * 64)], b"{}").webhook(now - 0.05, f"hostile {tried}")
        signed = [
            Hostile("signed", [("X-Signature", signature)], b"{}").webhook(now - 0.05, f"genuine {tried} {number}")
            for number in range(2)
        ]
        sink, sqs = Sink(), Sqs()
        records = {"Records": [queued(each, fifo=True) for each in (forged, *signed)]}
        answer = consumer(sink, checked, sqs).handle(records, Invocation(TIMEOUT["consumer"]))
        tried += 1
        through += [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        assert list(sink.stored) == [each.id for each in signed]
    attempts("forged ones that may be of a new secret, in a FIFO queue", tried, through)
    assert 0 < max(waits) <= 1
    # Two calls a second at most, for both versions of it.
    assert manager.asked <= 2 * 61 + 2


def test_a_large_batch_is_verified_in_time(outcomes: Outcomes) -> None:
    """Each hostile webhook has many ways to write its URL."""
    provider = ALL["twilio"]
    (odd,) = (each for each in hostile(provider, NOW) if each.what == "no payload, odd query")
    attackers = [queued(odd.webhook(NOW, f"hostile {number}")) for number in range(100)]
    own = genuine(provider, NOW)
    ordinary = [queued(own.webhook(NOW, f"genuine {number}")) for number in range(100)]
    sink, sqs = Sink(), Sqs()
    checked = sources(provider, SecretsManager(AWSCURRENT=provider.secret))
    batch = {"Records": [each for pair in zip(attackers, ordinary, strict=True) for each in pair]}
    consumer(sink, checked, sqs).handle(batch, Invocation(TIMEOUT["consumer"]))
    assert {outcomes.of[f"genuine {number}"] for number in range(100)} <= {"stored", "duplicate"}
    assert not any(each["QueueUrl"] == "dead_letters" for each in sqs.sent)
