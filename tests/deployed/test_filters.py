"""Webhooks that are wanted and webhooks that are not, sent to a really deployed stack through every door.

MiniStack applies the filters of an event source mapping, but not as AWS does to arrays, absent fields and texts that
look like numbers, and it knows neither ``$or`` nor ``equals-ignore-case``: what is sent here has none of these, so that
all doors are held to the same cases. It counts nothing for the mapping, so that the metric is held at synth only.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from deployed.patient import http
from scalable_webhook_cli.observe import ObservedWebhook, wait_for

Observe = Callable[[str], ObservedWebhook]
Urls = dict[str, str]

LINES = {"Filtered/Lambda": "PublisherLogs", "Filtered/Direct": "ConsumerLogs", "Filtered/Binary": "ConsumerLogs"}
DOORS = [*LINES, "Filtered/Mapping"]
SECONDS = 60

ORDER = {"kind": "order", "total": 10, "by": {"name": "Zoë"}}
WANTED = [ORDER, ORDER | {"kind": None}, ORDER | {"total": 10.5, "more": [{}]}]
UNWANTED = [
    ORDER | {"kind": "refund"},
    ORDER | {"total": 9.9},
    ORDER | {"by": {"name": "Ada"}},
    ORDER | {"by": "Zoë"},
    {"kind": "order"},
    [ORDER["kind"]],
    "order",
    None,
]


def send(url: str, payload: bytes, **headers: str) -> str:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = http.post(f"{url}/in", content=payload, headers=names, timeout=30)
    assert answer.status_code == 202
    return str(answer.json()["id"])


def stored(webhook: ObservedWebhook, wanted: list[str], unwanted: list[str]) -> None:
    """What is wanted is in the table, what is not is nowhere."""
    assert wait_for(lambda: set(wanted) <= {item["delivery_id"] for item in webhook.items()}, SECONDS)
    webhook.wait_until_drained(SECONDS)
    assert not {item["delivery_id"] for item in webhook.items()} & set(unwanted)
    assert webhook.dead_letters() == 0


def dropped(webhook: ObservedWebhook, stage: str) -> list[dict[str, Any]]:
    return [line for line in webhook.log(stage) if line["message"] == "dropped"]


@pytest.mark.parametrize("door", DOORS)
def test_only_what_is_wanted_is_stored_and_every_sender_is_answered_alike(
    door: str, urls: Urls, observe: Observe
) -> None:
    wanted = [send(urls[door], json.dumps(payload, ensure_ascii=False).encode()) for payload in WANTED]
    texts = [b"", b"-", b"plain", b'{"kind": "order"', *(json.dumps(payload).encode() for payload in UNWANTED)]
    unwanted = [send(urls[door], text) for text in texts]
    assert len({*wanted, *unwanted}) == len(WANTED) + len(texts)
    stored(observe(door), wanted, unwanted)


@pytest.mark.parametrize("door", LINES)
def test_a_header_is_enough_and_in_any_case(door: str, urls: Urls, observe: Observe) -> None:
    wanted = [send(urls[door], b"plain", **{name: "push"}) for name in ("X_Event", "x_event", "X_EVENT")]
    unwanted = [
        send(urls[door], b"plain", X_Event="Push"),
        send(urls[door], b"plain", X_Event="push", X_Draft="yes"),
        send(urls[door], b"plain"),
    ]
    stored(observe(door), wanted, unwanted)


@pytest.mark.parametrize("door", ["Filtered/Lambda", "Filtered/Binary"])
def test_bytes_that_are_no_text_are_wanted_by_their_headers_only(door: str, urls: Urls, observe: Observe) -> None:
    payload = bytes(range(256))
    stored(observe(door), [send(urls[door], payload, X_Event="push")], [send(urls[door], payload)])


@pytest.mark.parametrize(("door", "stage"), LINES.items())
def test_each_that_is_dropped_is_one_line_without_its_payload(
    door: str, stage: str, urls: Urls, observe: Observe
) -> None:
    payload = json.dumps({"kind": f"refund-{uuid.uuid4()}"}).encode()
    id = send(urls[door], payload)
    assert wait_for(lambda: id in [line["id"] for line in dropped(observe(door), stage)], SECONDS)
    (line,) = [line for line in dropped(observe(door), stage) if line["id"] == id]
    assert line["request_id"] == id
    assert "refund" not in json.dumps(observe(door).log(stage))


def test_what_the_lambda_door_drops_is_never_queued(urls: Urls, observe: Observe) -> None:
    id = send(urls["Filtered/Lambda"], b"plain")
    assert wait_for(
        lambda: id in [line["id"] for line in dropped(observe("Filtered/Lambda"), "PublisherLogs")], SECONDS
    )
    queued = [line["id"] for line in observe("Filtered/Lambda").log("PublisherLogs") if line["message"] == "queued"]
    assert id not in queued


@pytest.mark.parametrize("door", [door for door, stage in LINES.items() if stage == "ConsumerLogs"])
def test_a_batch_counts_what_it_dropped_and_none_of_it_as_failed(door: str, urls: Urls, observe: Observe) -> None:
    send(urls[door], b"plain")
    observe(door).wait_until_drained(SECONDS)
    assert wait_for(lambda: bool(dropped(observe(door), "ConsumerLogs")), SECONDS)
    batches = [line for line in observe(door).log("ConsumerLogs") if line["message"] == "batch"]
    assert sum(batch.get("dropped", 0) for batch in batches) >= 1
    assert sum(batch["failed"] for batch in batches) == 0
