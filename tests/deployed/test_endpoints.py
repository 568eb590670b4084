"""Two endpoints of one webhook, each with its own acknowledgement, delivery id header and filters."""

import hashlib
import hmac
import uuid
from collections.abc import Callable

import httpx
import pytest

from scalable_webhook_cli.observe import ObservedWebhook, wait_for

from ..suite.patience import SECONDS, http

Observe = Callable[[str], ObservedWebhook]

# The publishers drop webhooks of a Lambda integration. Behind a direct integration the consumer does, since only it can
# tell the endpoints apart.
WEBHOOKS = ["Filtered/Lambda", "Filtered/Binary", "Filtered/Apart"]

# The first endpoint wants the order, and the partner's the return.
PAYLOADS = {
    "order": '{"kind": "order", "total": 10, "by": {"name": "Zoë"}}'.encode(),
    "return": b'{"kind": "return", "total": 10}',
}


def send(url: str, body: bytes, key: str, partner_id: str) -> httpx.Response:
    """Send a request that has the headers of both endpoints."""
    signature = hmac.new(b"shared", body, hashlib.sha256).hexdigest()
    headers = {"Idempotency-Key": key, "X-Partner-Id": partner_id, "X-Signature": signature}
    return http.post(f"{url}/in", content=body, headers=headers)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_each_endpoint_has_its_own_acknowledgement_id_header_and_filters(
    name: str, urls: dict[str, str], observe: Observe
) -> None:
    webhook, run = observe(name), f" of {uuid.uuid4()}"
    for kind, body in PAYLOADS.items():
        for _ in range(2):
            own = send(urls[name], body, f"own {kind}{run}", f"no id{run}")
            assert (own.status_code, own.json()) == (202, {"id": f"own {kind}{run}"})
            partner = send(urls[f"{name}/Source partner"], body, f"no id{run}", f"partner {kind}{run}")
            assert (partner.status_code, partner.text) == (200, "thanks")

    def stored() -> list[tuple[str, str]]:
        return sorted((item["delivery_id"], item["path"]) for item in webhook.items() if item["id"].endswith(run))

    expected = [(f"own order{run}", "/in"), (f"partner return{run}", "/partner/in")]
    assert wait_for(lambda: stored() == expected, SECONDS), stored()
    webhook.wait_until_drained(SECONDS)
    assert stored() == expected
    assert webhook.dead_letters() == 0
    stages = ["PublisherLogs", "SourcepartnerPublisherLogs"] if name == "Filtered/Lambda" else ["ConsumerLogs"]

    def dropped() -> set[str]:
        lines = [line for stage in stages for line in webhook.log(stage) if line["message"] == "dropped"]
        return {line["id"] for line in lines if line["id"].endswith(run)}

    unwanted = {f"own return{run}", f"partner order{run}"}
    assert wait_for(lambda: dropped() == unwanted, SECONDS), dropped()
