"""One batch at a time, and groups, in deployed stacks: what each ingress sends is what SQS takes."""

import json
from collections.abc import Callable
from itertools import pairwise

import pytest

from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from webhook_runtime import read
from webhook_runtime.contract.groups import is_group

from ..suite.patience import SECONDS, http

Observe = Callable[[str], ObservedWebhook]

# Headers, and the groups that both ingresses make of them. None: each makes a group of its own.
GROUPS = {
    "shop-1.example": "shop-1.example",
    "!#$%&'*+~": "!#$%&'*+~",
    "x" * 128: "x" * 128,
    "a b": None,
    "caf\u00e9": None,
    "x" * 129: None,
    "$context.requestId #end": None,
    "a&MessageBody=forged": "a&MessageBody=forged",
}


def groups_of(webhook: ObservedWebhook, count: int) -> dict[str, str | None]:
    """Return the group of each payload."""

    def records() -> list[dict[str, str]]:
        return [json.loads(item["record"]) for item in webhook.items(f"{webhook.id}Records")]

    assert wait_for(lambda: len(records()) == count, SECONDS), records()
    found = {}
    for record in records():
        attributes: dict[str, str] = record["attributes"]  # type: ignore[assignment]
        found[read(record).text] = attributes.get("MessageGroupId")
    return found


@pytest.mark.parametrize("ingress", ["Lambda", "Direct"])
@pytest.mark.parametrize("kind", ["Ordered", "Fair"])
def test_any_header_is_a_group_that_sqs_takes(kind: str, ingress: str, urls: dict[str, str], observe: Observe) -> None:
    name = f"Throttled/{kind}{ingress}"
    for number, header in enumerate(GROUPS):
        # Latin-1, as clients send it.
        answer = http.post(urls[name], content=str(number), headers={b"x-GROUP": header.encode("latin-1")})
        assert answer.status_code == 202, header
    assert http.post(urls[name], content="none").status_code == 202
    found = groups_of(observe(name), len(GROUPS) + 1)
    assert found.pop("none") == ("-" if kind == "Ordered" else None)
    for number, expected in enumerate(GROUPS.values()):
        group = found[str(number)]
        assert group is not None
        assert is_group(group)
        assert expected in (None, group)


@pytest.mark.parametrize("ingress", ["Lambda", "Direct"])
def test_a_group_by_the_endpoint_is_its_path(ingress: str, urls: dict[str, str], observe: Observe) -> None:
    name = f"Throttled/Mounts{ingress}"
    assert http.post(urls[name], content="x").status_code == 202
    assert groups_of(observe(name), 1) == {"x": "/mounts"}


@pytest.mark.parametrize("ingress", ["Lambda", "Direct"])
def test_one_at_a_time_stores_in_the_order_of_acceptance(ingress: str, urls: dict[str, str], observe: Observe) -> None:
    name = f"Throttled/One{ingress}"
    ids = [http.post(urls[name], content=b"the same").json()["id"] for _ in range(25)]
    webhook = observe(name)
    webhook.wait_until_drained(SECONDS)

    def stored() -> list[str]:
        return [line["id"] for line in webhook.log("ConsumerLogs") if line["message"] == "stored"]

    assert wait_for(lambda: stored() == ids, SECONDS), stored()
    batches = [line for line in webhook.log("ConsumerLogs") if line["message"] == "batch"]
    batches.sort(key=lambda line: line["started"])
    assert all(one["ended"] <= other["started"] for one, other in pairwise(batches))
