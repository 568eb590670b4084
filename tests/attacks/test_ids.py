"""An id belongs to its endpoint: no provider can make another provider's webhook a duplicate."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from webhook_runtime import message
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import DynamoDBSettings, HttpSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Outcome
from webhook_runtime.payloads import Payloads
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks import data_api, mysql
from webhook_runtime.sinks.dynamodb import DynamoDBSink
from webhook_runtime.sinks.http import HttpSink, Signer
from webhook_runtime.testing import sqs_event, webhook

from ..runtime.doubles import S3, Invocation, Sqs
from ..runtime.events import record
from ..suite.attacks import Attempts

VICTIMS = [webhook(b"{}", mount=mount, id=id) for mount in ("/stripe", "/") for id in ("evt_1", "Zoë", "1.2", "a#b")]
MOUNTS = ["/", "/stripe", "/partner", "/stripe/eu", "/Stripe", "/stripe.", "/stripe:", "/stripe-evt_1"]
BETWEEN = [
    *"#/ :.|,;!?&=+-_~@$%\\\"'\t\n\r\0\x1f\x7f",
    "",
    "%23",
    "%2523",
    "#/",
    "/#",
    "##",
    "＃",
    "﹟",
    "\u200b#",
    "#\u200b",
]


def chosen(victim: Webhook) -> Iterator[str]:
    """Yield ids that a client may choose to be taken for the victim."""
    for between in BETWEEN:
        for mount in ("", victim.mount, victim.mount[1:], f"..{victim.mount}", f"{victim.mount}/"):
            yield f"{mount}{between}{victim.id}"
        yield f"{victim.id}{between}"
        yield f"{victim.id}{between}{victim.key}"
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield unicodedata.normalize(form, victim.id)
    yield from (victim.id.upper(), victim.id.lower(), victim.id.swapcase(), victim.id.casefold(), victim.id[:-1])
    yield from (
        victim.key,
        f"{victim.key}\0",
        victim.key.encode().hex(),
        victim.id + "x" * 3000,
        "x" * 3000 + victim.id,
    )


def attacks(victim: Webhook) -> list[Webhook]:
    """Return webhooks with these ids, and with the same id at every other endpoint."""
    ids = dict.fromkeys(chosen(victim))
    return [webhook(b"hostile", mount=mount, id=id) for mount in MOUNTS if mount != victim.mount for id in ids]


class Secret:
    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": "c2VjcmV0"}


def in_dynamodb(each: Webhook) -> str:
    statement = DynamoDBSink(DynamoDBSettings("Table"), None)._statement(each)
    return str(statement["Parameters"][0]["S"])


def in_headers(name: str) -> Callable[[Webhook], str]:
    """Return the header as a service reads it, which strips whitespace at its ends."""
    sink = HttpSink(HttpSettings("http://127.0.0.1", 5, None, None), Signer(Secret(), "arn"))
    return lambda each: sink._headers(each)[name].strip(" \t")


def in_s3(each: Webhook) -> str:
    return Payloads(S3(), "payloads").keep(each)


# The keys by which each sink deduplicates.
NAMES: dict[str, Callable[[Webhook], object]] = {
    "a handler": lambda each: each.key,
    "DynamoDB": in_dynamodb,
    "MySQL": lambda each: mysql._values(each)[:2],
    "the Data API": lambda each: [value["value"] for value in data_api._parameters(each)[:2]],
    "Idempotency-Key": in_headers("Idempotency-Key"),
    "webhook-id": in_headers("webhook-id"),
    "S3": in_s3,
}


@pytest.mark.parametrize("sink", NAMES)
def test_no_id_makes_the_key_of_another_providers_webhook(sink: str, attempts: Attempts) -> None:
    name = NAMES[sink]
    tried = [(victim, each) for victim in VICTIMS for each in attacks(victim)]
    through = [f"{each.mount} {each.id!r}" for victim, each in tried if name(each) == name(victim)]
    attempts("ids of another provider", len(tried), through)


class Memory:
    """A sink that stores each key once."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    def store(self, webhooks: Sequence[Webhook], _deadline: Deadline) -> Iterator[Outcome]:
        for each in webhooks:
            is_new = self.stored.setdefault(each.key, each.body) is each.body
            yield STORED if is_new else DUPLICATE


@pytest.mark.parametrize("size", [1, 10, 10_000], ids=["alone", "in batches", "all in one batch"])
@pytest.mark.parametrize("victim", VICTIMS, ids=lambda victim: victim.key)
def test_an_earlier_webhook_makes_no_duplicate_of_another_providers_webhook(victim: Webhook, size: int) -> None:
    sink = Memory()
    consumer = Consumer(sink, Redelivery(Sqs(), "http://sqs/Queue", Backoff(10, 900)))
    webhooks = [*attacks(victim), victim]
    for start in range(0, len(webhooks), size):
        # Enough time for each, even on a busy machine.
        answer = consumer.handle(sqs_event(*webhooks[start : start + size]), Invocation(1_000_000))
        assert answer == {"batchItemFailures": []}
    assert sink.stored[victim.key] == victim.body
    assert len(sink.stored) == len(webhooks)


def test_a_message_has_one_endpoint_and_one_id() -> None:
    """A message with a second field of the same name is malformed."""
    body, attribute = message.write(VICTIMS[0])
    for field in dict(pair.split("=") for pair in attribute.split("&")):
        if not field.startswith("h."):
            for twice in (f"{attribute}&{field}=x", f"{field}=x&{attribute}"):
                with pytest.raises(message.MalformedMessage, match=f"'{field}' twice"):
                    message.read(record(body, twice))
