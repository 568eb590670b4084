"""Webhooks with and without a matching filter, sent to a deployed stack through every ingress.

MiniStack applies the filters of an event source mapping, but differs from AWS for arrays, absent fields and texts that
look like numbers. It knows neither ``$or`` nor ``equals-ignore-case``. The webhooks here have none of these, so that
every ingress gets the same cases. MiniStack has no metrics of a mapping, so only synth tests cover the metric.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from scalable_webhook_cli.observe import ObservedWebhook, wait_for

from ..suite.patience import SECONDS, http

Observe = Callable[[str], ObservedWebhook]
Urls = dict[str, str]

LINES = {"Filtered/Lambda": "PublisherLogs", "Filtered/Direct": "ConsumerLogs", "Filtered/Binary": "ConsumerLogs"}
INGRESSES = [*LINES, "Filtered/Mapping"]

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
    answer = http.post(f"{url}/in", content=payload, headers=names)
    assert answer.status_code == 202
    return str(answer.json()["id"])


def stored(webhook: ObservedWebhook, wanted: list[str], unwanted: list[str]) -> None:
    """Assert that the wanted webhooks are in the table, and the others nowhere."""
    assert wait_for(lambda: set(wanted) <= {item["delivery_id"] for item in webhook.items()}, SECONDS)
    webhook.wait_until_drained(SECONDS)
    assert not {item["delivery_id"] for item in webhook.items()} & set(unwanted)
    assert webhook.dead_letters() == 0


def dropped(webhook: ObservedWebhook, stage: str) -> list[dict[str, Any]]:
    return [line for line in webhook.log(stage) if line["message"] == "dropped"]


@pytest.mark.parametrize("ingress", INGRESSES)
def test_only_webhooks_with_a_match_are_stored_and_all_get_the_same_answer(
    ingress: str, urls: Urls, observe: Observe
) -> None:
    wanted = [send(urls[ingress], json.dumps(payload, ensure_ascii=False).encode()) for payload in WANTED]
    texts = [b"", b"-", b"plain", b'{"kind": "order"', *(json.dumps(payload).encode() for payload in UNWANTED)]
    unwanted = [send(urls[ingress], text) for text in texts]
    assert len({*wanted, *unwanted}) == len(WANTED) + len(texts)
    stored(observe(ingress), wanted, unwanted)


@pytest.mark.parametrize("ingress", LINES)
def test_a_header_matches_a_filter_in_any_case(ingress: str, urls: Urls, observe: Observe) -> None:
    wanted = [send(urls[ingress], b"plain", **{name: "push"}) for name in ("X_Event", "x_event", "X_EVENT")]
    unwanted = [
        send(urls[ingress], b"plain", X_Event="Push"),
        send(urls[ingress], b"plain", X_Event="push", X_Draft="yes"),
        send(urls[ingress], b"plain"),
    ]
    stored(observe(ingress), wanted, unwanted)


@pytest.mark.parametrize("ingress", ["Filtered/Lambda", "Filtered/Binary"])
def test_bytes_that_are_no_text_match_by_their_headers_only(ingress: str, urls: Urls, observe: Observe) -> None:
    payload = bytes(range(256))
    stored(observe(ingress), [send(urls[ingress], payload, X_Event="push")], [send(urls[ingress], payload)])


@pytest.mark.parametrize(("ingress", "stage"), LINES.items())
def test_each_dropped_webhook_is_one_log_line_without_its_payload(
    ingress: str, stage: str, urls: Urls, observe: Observe
) -> None:
    payload = json.dumps({"kind": f"refund-{uuid.uuid4()}"}).encode()
    id = send(urls[ingress], payload)
    assert wait_for(lambda: id in [line["id"] for line in dropped(observe(ingress), stage)], SECONDS)
    (line,) = [line for line in dropped(observe(ingress), stage) if line["id"] == id]
    assert line["request_id"] == id
    assert "refund" not in json.dumps(observe(ingress).log(stage))


def test_a_webhook_that_the_publisher_drops_is_never_queued(urls: Urls, observe: Observe) -> None:
    id = send(urls["Filtered/Lambda"], b"plain")
    assert wait_for(
        lambda: id in [line["id"] for line in dropped(observe("Filtered/Lambda"), "PublisherLogs")], SECONDS
    )
    queued = [line["id"] for line in observe("Filtered/Lambda").log("PublisherLogs") if line["message"] == "queued"]
    assert id not in queued


@pytest.mark.parametrize("ingress", [ingress for ingress, stage in LINES.items() if stage == "ConsumerLogs"])
def test_a_batch_counts_dropped_webhooks_and_none_of_them_as_failed(ingress: str, urls: Urls, observe: Observe) -> None:
    send(urls[ingress], b"plain")
    observe(ingress).wait_until_drained(SECONDS)
    assert wait_for(lambda: bool(dropped(observe(ingress), "ConsumerLogs")), SECONDS)
    batches = [line for line in observe(ingress).log("ConsumerLogs") if line["message"] == "batch"]
    assert sum(batch.get("dropped", 0) for batch in batches) >= 1
    assert sum(batch["failed"] for batch in batches) == 0
