"""Two providers use one id, at two endpoints of a deployed stack."""

import hashlib
import hmac
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for

from ..signers import SIGNERS
from ..suite.patience import SECONDS, http

Observe = Callable[[str], ObservedWebhook]

# The endpoints are those of test_providers.py, which counts their webhooks.
BELOW = "/ids"
PARTNERS = "that of the partner"
HELLO = '{"partner": "says hello"}'


@pytest.fixture(scope="module", autouse=True)
def secrets(urls: dict[str, str], emulator: Emulator) -> None:
    observed = ObservedWebhook(emulator, "Providers", "Lambda")
    manager = emulator.client("secretsmanager")
    for name, secret in {"partner": PARTNERS, "stripe": SIGNERS["stripe"].secret}.items():
        manager.put_secret_value(SecretId=observed.physical("AWS::SecretsManager::Secret", name), SecretString=secret)


def as_partner(url: str, id: str) -> httpx.Response:
    """Send a webhook with a valid signature and any id."""
    mac = hmac.new(PARTNERS.encode(), HELLO.encode(), hashlib.sha256).hexdigest()
    return http.post(f"{url}{BELOW}", content=HELLO, headers={"X-Signature": mac, "X-Id": id})


def as_stripe(url: str, event: str) -> httpx.Response:
    headers = SIGNERS["stripe"].sign(event.encode(), time.time(), url)
    return http.post(f"{url}{BELOW}", content=event, headers=headers)


@pytest.mark.parametrize("ingress", ["Lambda", "Direct", "Binary"])
def test_a_partner_that_uses_an_id_of_another_provider_first_replaces_nothing(
    ingress: str, urls: dict[str, str], observe: Observe
) -> None:
    webhook, id = observe(f"Providers/{ingress}"), f"evt_{uuid.uuid4().hex}"
    chosen = [id, f"/stripe#{id}", f"#/stripe#{id}", f"../stripe#{id}", f"/stripe%23{id}", id.upper()]
    for each in chosen:
        answer = as_partner(urls[f"Providers/{ingress}/Source partner"], each)
        assert (answer.status_code, answer.json()["id"]) == (202, each)

    def stored() -> dict[str, tuple[str, str, str]]:
        items = [item for item in webhook.items() if id in item["id"].lower()]
        assert max(Counter(item["id"] for item in items).values(), default=1) == 1
        return {item["id"]: (item["mount"], item["delivery_id"], item["payload"]) for item in items}

    expected = {f"/partner#{each}": ("/partner", each, HELLO) for each in chosen}
    assert wait_for(lambda: stored() == expected, SECONDS), stored()

    event = json.dumps({"id": id, "type": "invoice.paid"})
    for _ in range(2):
        assert as_stripe(urls[f"Providers/{ingress}/Source stripe"], event).status_code == 202
    expected[f"/stripe#{id}"] = ("/stripe", id, event)
    assert wait_for(lambda: stored() == expected, SECONDS), stored()
    webhook.wait_until_drained(SECONDS)

    def outcomes(mount: str) -> list[str]:
        lines = webhook.log("ConsumerLogs")
        return sorted(line["message"] for line in lines if (line.get("mount"), line.get("id")) == (mount, id))

    assert wait_for(lambda: outcomes("/stripe") == ["duplicate", "stored"], SECONDS), outcomes("/stripe")
    assert outcomes("/partner") == ["stored"]
    assert stored() == expected
