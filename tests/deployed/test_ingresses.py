"""Send webhooks to a deployed stack, through every ingress."""

import json
import random
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psutil
import pytest

from scalable_webhook_cli.burst import Request, send
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from webhook_runtime import message

from ..suite.patience import SECONDS, http
from .dead_letters import each_once

Observe = Callable[[str], ObservedWebhook]
Urls = dict[str, str]

INGRESSES = ["Ingresses/Lambda", "Ingresses/Direct", "Ingresses/Binary"]


def stored(webhook: ObservedWebhook, *ids: str) -> list[dict[str, Any]]:
    """Return the items with these ids, after they have arrived."""

    def found() -> list[dict[str, Any]]:
        return [item for item in webhook.items() if item["delivery_id"] in ids]

    assert wait_for(lambda: len(found()) == len(ids), SECONDS), f"not stored within {SECONDS} s"
    return found()


@contextmanager
def retried_after(seconds: int, webhook: ObservedWebhook, emulator: Emulator) -> Iterator[None]:
    """Shorten the visibility timeout, which is longer than the function's, for a test that waits until it ends."""
    sqs, name = emulator.client("sqs"), "VisibilityTimeout"
    usual = sqs.get_queue_attributes(QueueUrl=webhook.queue_url, AttributeNames=[name])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=webhook.queue_url, Attributes={name: str(seconds)})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=webhook.queue_url, Attributes=usual)


@pytest.mark.parametrize("ingress", INGRESSES)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_method_on_any_path_is_stored_with_all_that_it_had(
    ingress: str, method: str, urls: Urls, observe: Observe
) -> None:
    url = f"{urls[ingress]}/hello/world?a=1&b=%26"
    answer = http.request(method, url, content="Zoë".encode(), headers={"X-Thing": "1", "Content-Type": "text/x-odd"})

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    (item,) = stored(observe(ingress), answer.json()["id"])
    assert (item["method"], item["path"], item["query"]) == (method, "/hello/world", "a=1&b=%26")
    assert (item["payload"], item["source_ip"]) == ("Zoë", "127.0.0.1")
    assert (item["headers"]["x-thing"], item["headers"]["content-type"]) == ("1", "text/x-odd")
    assert item["request_id"] == answer.headers["x-amz-apigw-id"]


@pytest.mark.parametrize("ingress", INGRESSES)
def test_a_get_of_hello_is_stored_with_its_path(ingress: str, urls: Urls, observe: Observe) -> None:
    id = http.get(f"{urls[ingress]}/hello").json()["id"]
    (item,) = stored(observe(ingress), id)
    assert (item["path"], item["payload"], item["query"]) == ("/hello", "", "")


@pytest.mark.parametrize("ingress", INGRESSES)
def test_a_request_to_the_endpoint_itself_is_stored_with_the_root_path(
    ingress: str, urls: Urls, observe: Observe
) -> None:
    (item,) = stored(observe(ingress), http.post(urls[ingress], content=b"x").json()["id"])
    assert item["path"] == "/"


@pytest.mark.parametrize("ingress", ["Ingresses/Lambda", "Ingresses/Binary"])
@pytest.mark.parametrize("payload", [b"\x00\xff\xfe", b"\r\n\x1b", bytes(range(256)), "\ufffd\uffff😀".encode()])
def test_any_bytes_are_stored_as_they_came(ingress: str, payload: bytes, urls: Urls, observe: Observe) -> None:
    answer = http.post(urls[ingress], content=payload, headers={"Content-Type": "application/octet-stream"})
    (item,) = stored(observe(ingress), answer.json()["id"])
    kept = item["payload"]
    assert (kept.encode() if isinstance(kept, str) else kept) == payload


@pytest.mark.parametrize("payload", [b"\x00", b"\xff", "\ufffd".encode(), "\uffff".encode()])
def test_the_text_ingress_rejects_what_it_cannot_carry(payload: bytes, urls: Urls) -> None:
    answer = http.post(urls["Ingresses/Direct"], content=payload)
    assert answer.status_code == 400
    assert "binary=True" in answer.json()["message"]


@pytest.mark.parametrize("ingress", INGRESSES)
@pytest.mark.parametrize("size", [1_100_000, 11_000_000])
def test_a_payload_that_is_too_large_is_rejected(ingress: str, size: int, urls: Urls) -> None:
    answer = http.post(urls[ingress], content=b"x" * size)
    assert answer.status_code == 413
    assert answer.text.startswith('{"message"')
    assert "\n" not in answer.text


@pytest.mark.parametrize("ingress", ["Ingresses/ThrottledLambda", "Ingresses/ThrottledDirect"])
def test_requests_above_the_rate_limit_are_rejected(ingress: str, urls: Urls) -> None:
    # At the same time: one after the other is not too fast where each takes a second.
    with ThreadPoolExecutor(32) as pool:
        statuses = set(pool.map(lambda _: http.post(urls[ingress], content=b"x").status_code, range(32)))
    assert statuses == {202, 429}


@pytest.mark.parametrize("ingress", ["Ingresses/BrokenLambda", "Ingresses/BrokenDirect"])
def test_if_the_queue_fails_the_response_is_an_error(
    ingress: str, urls: Urls, observe: Observe, emulator: Emulator
) -> None:
    emulator.client("sqs").delete_queue(QueueUrl=observe(ingress).queue_url)
    answer = http.post(urls[ingress], content=b"x")
    assert answer.status_code == 503
    assert answer.text == '{"message":"The webhook could not be queued: try again."}'


@pytest.mark.parametrize("ingress", INGRESSES)
def test_one_delivery_sent_twice_is_stored_once(ingress: str, urls: Urls, observe: Observe) -> None:
    id = f"order {uuid.uuid4()} \"'\\é".encode()
    answers = [http.post(urls[ingress], content=b"x", headers={b"idempotency-key": id}) for _ in range(2)]

    ids = {answer.json()["id"] for answer in answers}
    assert len(ids) == 1
    (item,) = stored(observe(ingress), *ids)
    assert item["id"] == f"/#{item['delivery_id']}"
    observe(ingress).wait_until_drained(SECONDS)
    assert [other["id"] for other in observe(ingress).items()].count(item["id"]) == 1
    outcomes = [line["message"] for line in observe(ingress).log("ConsumerLogs") if line.get("id") in ids]
    assert sorted(outcomes) == ["duplicate", "stored"]


@pytest.mark.parametrize("ingress", INGRESSES)
def test_two_webhooks_with_the_same_request_id_are_both_stored(ingress: str, urls: Urls, observe: Observe) -> None:
    headers = {"X-Amzn-RequestId": "chosen"}
    answers = [http.post(urls[ingress], content=body, headers=headers) for body in (b"one", b"another")]
    assert [answer.headers["x-amzn-requestid"] for answer in answers] == ["chosen"] * 2
    ids = [answer.json()["id"] for answer in answers]
    assert len(set(ids)) == 2
    stored(observe(ingress), *ids)


@pytest.mark.parametrize("ingress", INGRESSES)
def test_one_id_follows_a_webhook_through_the_logs_of_every_stage(ingress: str, urls: Urls, observe: Observe) -> None:
    marked = "secret-payload"
    answer = http.post(f"{urls[ingress]}/hello?token={marked}", content=marked, headers={"X-Token": marked})
    id = answer.json()["id"]
    stages = ["AccessLogs", "ConsumerLogs"] + (["PublisherLogs"] if ingress == "Ingresses/Lambda" else [])

    def lines(stage: str) -> list[dict[str, Any]]:
        return [line for line in observe(ingress).log(stage) if line.get("request_id") == id]

    assert wait_for(lambda: all(lines(stage) for stage in stages), SECONDS)
    assert [len(lines(stage)) for stage in stages] == [1] * len(stages)
    assert lines("AccessLogs")[0]["status"] == "202"
    assert lines("ConsumerLogs")[0]["message"] == "stored"
    assert marked not in json.dumps([observe(ingress).log(stage) for stage in stages])


@pytest.mark.parametrize("ingress", INGRESSES)
def test_a_webhook_that_the_sink_cannot_hold_is_dead_lettered_and_the_others_are_stored(
    ingress: str, urls: Urls, observe: Observe
) -> None:
    webhook = observe(ingress)
    requests = [Request(content=b"x" * (450_000 if n == 3 else 10)) for n in range(10)]
    report = send(urls[ingress], requests, concurrency=10)
    assert report.accepted == 10
    webhook.wait_until_drained(SECONDS)

    dead_letters = each_once(webhook.take_dead_letters())
    (dead_letter,) = dead_letters
    assert dead_letter["MessageAttributes"]["error"]["StringValue"] == "ValidationError"
    assert "size" in dead_letter["MessageAttributes"]["reason"]["StringValue"]
    ids = {item["delivery_id"] for item in webhook.items()}
    assert len(set(report.accepted_ids) & ids) == 9


@pytest.mark.parametrize("ingress", ["Ingresses/Lambda", "Ingresses/Direct"])
@pytest.mark.slow(7)
def test_a_consumer_killed_in_the_middle_of_its_batches_loses_nothing(
    ingress: str, urls: Urls, observe: Observe, emulator: Emulator
) -> None:
    webhook = observe(ingress)
    consumer = webhook.physical("AWS::Lambda::Function", f"{webhook.id}Consumer")
    accepted: list[str] = []

    def redelivered() -> bool:
        ids = set(accepted)
        return any(line.get("attempt", 1) > 1 and line["id"] in ids for line in webhook.log("ConsumerLogs"))

    # A kill may hit the consumer between two batches. Go on until messages are retried, which proves that it hit one.
    with retried_after(6, webhook, emulator):
        for _ in range(10):
            requests = (Request(content=str(n).encode()) for n in range(100))
            report = send(urls[ingress], requests, concurrency=8, on_answer=lambda: _kill(emulator, consumer, 0.1))
            assert report.accepted == 100
            accepted += report.accepted_ids
            webhook.wait_until_drained(SECONDS)
            if redelivered():
                break

    assert redelivered()
    ids = [item["delivery_id"] for item in webhook.items()]
    assert set(accepted) <= set(ids)
    assert len(ids) == len(set(ids))
    assert webhook.dead_letters() == 0


@pytest.mark.parametrize("ingress", ["Ingresses/Lambda", "Ingresses/Direct"])
@pytest.mark.slow(5)
@pytest.mark.smoke
def test_the_consumer_never_works_on_more_batches_than_max_concurrency(
    ingress: str, urls: Urls, observe: Observe
) -> None:
    report = send(urls[ingress], (Request(content=b"x") for _ in range(300)), concurrency=12)
    observe(ingress).wait_until_drained(SECONDS)
    assert report.accepted == 300
    assert 1 <= observe(ingress).peak_concurrency() <= 3


def test_a_message_that_is_delivered_again_is_stored_once(urls: Urls, observe: Observe, emulator: Emulator) -> None:
    webhook = observe("Ingresses/Lambda")
    (item,) = stored(webhook, http.post(urls["Ingresses/Lambda"], content=b"x").json()["id"])
    body, attribute = message.write(
        message.Webhook(
            **{name: item[name] for name in ("mount", "request_id", "method", "path", "source_ip")},
            id=item["delivery_id"],
            url="https://example.com/",
            query_string="",
            headers=message.Headers(),
            body=b"another payload",
            received_at=datetime.fromisoformat(item["received_at"]),
        )
    )
    sqs = emulator.client("sqs")
    attributes = {"webhook": {"DataType": "String", "StringValue": attribute}}
    sqs.send_message(QueueUrl=webhook.queue_url, MessageBody=body, MessageAttributes=attributes)
    webhook.wait_until_drained(SECONDS)

    def outcomes() -> list[str]:
        return [line["message"] for line in webhook.log("ConsumerLogs") if line.get("id") == item["delivery_id"]]

    assert wait_for(lambda: outcomes() == ["stored", "duplicate"], SECONDS), outcomes()
    assert stored(webhook, item["delivery_id"]) == [item]


@pytest.mark.parametrize("ingress", ["Ingresses/FifoLambda", "Ingresses/FifoDirect"])
def test_a_fifo_queue_keeps_the_order(ingress: str, urls: Urls, observe: Observe) -> None:
    ids = [http.post(urls[ingress], content=b"the same").json()["id"] for _ in range(25)]
    stored(observe(ingress), *ids)
    assert [line["id"] for line in observe(ingress).log("ConsumerLogs") if line["message"] == "stored"] == ids


class TestAnExistingConsumer:
    def records(self, webhook: ObservedWebhook) -> list[dict[str, Any]]:
        return [json.loads(item["record"]) for item in webhook.items(f"{webhook.id}Records")]

    @pytest.mark.parametrize("kind", ["Text", "Bytes"])
    def test_gets_the_same_message_through_either_ingress(self, kind: str, urls: Urls, observe: Observe) -> None:
        payloads = ["", "{}", '{"a": "Zoë"}', "a=1&b=%20", "😀\r\n\t", "-", "${x} #if"]
        seen: dict[str, dict[str, Any]] = {}
        for ingress in ("Lambda", "Direct"):
            name = f"Recorders/{kind}{ingress}"
            for n, payload in enumerate(payloads):
                answer = http.put(
                    f"{urls[name]}/some/path?q=%26&r=",
                    content=payload.encode(),
                    # Without a content type, a text ingress cannot tell {} from an absent payload.
                    headers={b"X-Delivery": f"delivery-{n}".encode(), b"X-Odd": "a&b=c%20+é;\"'".encode()}
                    | ({b"Content-Type": b"text/x-odd"} if payload else {}),
                )
                assert (answer.status_code, answer.json()) == (202, {"id": f"delivery-{n}"})
            assert wait_for(lambda name=name: len(self.records(observe(name))) == len(payloads), SECONDS)  # type: ignore[misc]
            seen[ingress] = {}
            for record in self.records(observe(name)):
                webhook = message.read(record)
                # These fields differ from request to request, and from endpoint to endpoint.
                assert webhook.headers["x-amzn-trace-id"]
                fields = webhook._asdict() | {"headers": dict(webhook.headers.without("x-amzn-trace-id"))}
                for field in ("request_id", "message_id", "received_at"):
                    assert fields.pop(field)
                for field in ("mount", "path", "url"):
                    assert f"/{ingress.lower()}/in" in fields[field]
                    fields[field] = fields[field].replace(f"/{ingress.lower()}/in", "/in")
                if kind == "Text":
                    fields["raw"] = record["body"]
                seen[ingress][webhook.id] = fields
        assert seen["Lambda"] == seen["Direct"]
        assert [seen["Lambda"][f"delivery-{n}"]["body"].decode() for n in range(len(payloads))] == payloads

    def test_that_raises_sends_the_message_to_the_dead_letter_queue_in_the_end(
        self, urls: Urls, observe: Observe, emulator: Emulator
    ) -> None:
        webhook = observe("Recorders/TextDirect")
        with retried_after(1, webhook, emulator):
            assert http.post(urls["Recorders/TextDirect"], content=b"raise").status_code == 202
            assert wait_for(lambda: webhook.dead_letters() >= 1, SECONDS)
        (dead_letter,) = each_once(webhook.take_dead_letters())
        assert dead_letter["Body"] == "raise"

    def test_shares_an_existing_api(self, urls: Urls) -> None:
        health = urls["Recorders/TextDirect"].removesuffix("/direct/in") + "/health"
        assert http.get(health).status_code == 200


def _kill(emulator: Emulator, function: str, chance: float) -> None:
    """Kill the processes of this function, each with some probability."""
    if random.random() > chance:
        return
    for known in emulator.processes:
        root = known.find()
        for process in root.children(recursive=True) if root else []:
            with suppress(psutil.Error):
                if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == function:
                    process.send_signal(signal.SIGKILL)
