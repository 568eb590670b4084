"""Send payloads that fit no SQS message to a deployed stack."""

import base64
import hashlib
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from webhook_runtime import stored_payload
from webhook_runtime.contract import limits

from ..suite.patience import SECONDS, http
from .conftest import Command
from .dead_letters import each_once

Observe = Callable[[str], ObservedWebhook]
Urls = dict[str, str]

TEXT = ("Zoë: 5,000,000 bytes of text. " * 200_000).encode()[:5_000_000]
BYTES = random.Random(13).randbytes(4_400_000)


class Bucket:
    """The bucket of a webhook."""

    def __init__(self, emulator: Emulator, webhook: ObservedWebhook) -> None:
        self._s3 = emulator.client("s3")
        self.name = webhook.physical("AWS::S3::Bucket", f"{webhook.id}Payloads")

    def keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def read(self, uri: str) -> bytes:
        key = uri.removeprefix(f"s3://{self.name}/")
        return bytes(self._s3.get_object(Bucket=self.name, Key=key)["Body"].read())


def post(url: str, payload: bytes, **headers: str) -> httpx.Response:
    return http.post(url, content=payload, headers=headers)


def stored(webhook: ObservedWebhook, id: str, table: str | None = None) -> dict[str, Any]:
    """Return the item whose key ends with this id, after it has arrived and nothing is in flight."""

    def found() -> list[dict[str, Any]]:
        return [item for item in webhook.items(table) if item["id"].endswith(f"#{id}")]

    assert wait_for(lambda: len(found()) > 0, SECONDS)
    webhook.wait_until_drained(SECONDS)
    (item,) = found()
    return item


@pytest.mark.parametrize(
    ("ingress", "payload"), [("Text", TEXT), ("Bytes", BYTES)], ids=["5 MB of text", "4.4 MB of bytes"]
)
def test_a_large_payload_is_stored_whole_and_once(
    ingress: str, payload: bytes, urls: Urls, observe: Observe, emulator: Emulator, command: Command
) -> None:
    id, webhook = f"order {uuid.uuid4()}", observe(f"Large/{ingress}")
    for _ in range(2):
        answer = post(urls[f"Large/{ingress}"], payload, **{"Idempotency-Key": id, "Content-Type": "text/plain"})
        assert (answer.status_code, answer.json()) == (202, {"id": id})

    item, bucket = stored(webhook, id), Bucket(emulator, webhook)
    assert bucket.read(item["payload_object"]) == payload
    assert "payload" not in item
    assert (item["headers"]["content-type"], item["method"]) == ("text/plain", "POST")
    assert bucket.keys(limits.STORED) == [item["payload_object"].removeprefix(f"s3://{bucket.name}/")]
    assert wait_for(lambda: bucket.keys(limits.QUEUED) == [], SECONDS)
    assert webhook.dead_letters() == 0
    (traced,) = command("trace", id, "--webhook", f"Large/{ingress}", "--payload", "--json")
    assert payload_in(json.loads(traced)[0]) == payload


def payload_in(told: dict[str, str]) -> bytes:
    return told["payload"].encode() if "payload" in told else base64.b64decode(told["payload_base64"])


def test_a_small_payload_needs_no_bucket(urls: Urls, observe: Observe, emulator: Emulator) -> None:
    webhook = observe("Large/Text")
    before = Bucket(emulator, webhook).keys("")
    id = post(urls["Large/Text"], b"small").json()["id"]
    assert stored(webhook, id)["payload"] == "small"
    assert Bucket(emulator, webhook).keys("") == before


def test_a_compressed_payload_is_read_back(urls: Urls, observe: Observe, emulator: Emulator, command: Command) -> None:
    payload = json.dumps([{"id": number, "name": "Zoë"} for number in range(2000)]).encode()
    id = post(urls["Large/Compressed"], payload).json()["id"]
    item = stored(observe("Large/Compressed"), id)
    assert (item["encoding"], len(bytes(item["payload"])) < len(payload) / 4) == ("zlib", True)
    assert stored_payload(item) == payload
    (traced,) = command("trace", id, "--webhook", "Large/Compressed", "--payload", "--json")
    assert payload_in(json.loads(traced)[0]) == payload


def test_a_payload_that_fits_a_message_but_not_an_item_is_stored_too(
    urls: Urls, observe: Observe, emulator: Emulator
) -> None:
    webhook, payload = observe("Large/Text"), b"x" * 500_000
    item = stored(webhook, post(urls["Large/Text"], payload).json()["id"])
    assert Bucket(emulator, webhook).read(item["payload_object"]) == payload
    assert webhook.dead_letters() == 0


def test_a_handler_gets_the_payload_itself(urls: Urls, observe: Observe) -> None:
    webhook = observe("Large/Digest")
    item = stored(webhook, post(urls["Large/Digest"], TEXT).json()["id"], "Digests")
    assert (item["bytes"], item["sha256"]) == (str(len(TEXT)), hashlib.sha256(TEXT).hexdigest())


def test_a_dead_letter_keeps_its_payload_and_a_redrive_stores_it(
    urls: Urls, observe: Observe, emulator: Emulator
) -> None:
    webhook = observe("Large/Digest")
    bucket, dynamodb = Bucket(emulator, webhook), emulator.client("dynamodb")
    id = post(urls["Large/Digest"], TEXT, **{"X-Reject": "yes"}).json()["id"]
    assert wait_for(lambda: webhook.dead_letters() >= 1, SECONDS)
    webhook.wait_until_drained(SECONDS)
    assert len(bucket.keys(limits.QUEUED)) == 1

    table = webhook.physical("AWS::DynamoDB::Table", "Digests")
    dynamodb.put_item(TableName=table, Item={"id": {"S": "fixed"}})
    (dead_letter,) = each_once(webhook.take_dead_letters())
    assert dead_letter["Body"] == bucket.keys(limits.QUEUED)[0]
    assert dead_letter["MessageAttributes"]["reason"]["StringValue"] == "not before it is fixed"
    attributes = {
        name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
        for name, value in dead_letter["MessageAttributes"].items()
    }
    emulator.client("sqs").send_message(
        QueueUrl=webhook.queue_url, MessageBody=dead_letter["Body"], MessageAttributes=attributes
    )
    assert stored(webhook, id, "Digests")["sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert wait_for(lambda: bucket.keys(limits.QUEUED) == [], SECONDS)


@pytest.mark.parametrize(("ingress", "payload"), [("Text", b"x" * 6_300_000), ("Bytes", b"x" * 4_750_000)])
def test_a_payload_that_fits_no_lambda_event_is_rejected_by_the_api(ingress: str, payload: bytes, urls: Urls) -> None:
    answer = post(urls[f"Large/{ingress}"], payload)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})


def test_without_large_payloads_it_is_rejected(urls: Urls) -> None:
    answer = post(urls["Ingresses/Lambda"], BYTES)
    assert answer.status_code == 413
    assert "too large" in answer.json()["message"]
