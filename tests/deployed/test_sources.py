"""Send signed webhooks to a deployed stack, through every ingress."""

import hashlib
import hmac
import json
import math
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for

from ..suite.patience import SECONDS, http
from .conftest import Command
from .dead_letters import each_once

Observe = Callable[[str], ObservedWebhook]

INGRESSES = ["Signed/Lambda", "Signed/Direct", "Signed/Binary"]
BODY = '{"action": "opened", "who": "Zoë"}'.encode()


def send(
    url: str, id: str, *, secret: str = "first", body: bytes = BODY, signature: str | None = None
) -> httpx.Response:
    signature = signature or "sha256=" + hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": id, "Content-Type": "application/json"}
    return http.post(f"{url}/github", content=body, headers=headers)


def stored(webhook: ObservedWebhook, id: str) -> bool:
    return id in [item["delivery_id"] for item in webhook.items()]


@pytest.mark.parametrize("ingress", INGRESSES)
def test_a_signed_webhook_is_stored_once_under_its_own_id(ingress: str, urls: dict[str, str], observe: Observe) -> None:
    id = str(uuid.uuid4())
    for _ in range(2):
        answer = send(urls[ingress], id)
        assert (answer.status_code, answer.json()) == (202, {"id": id})
    assert wait_for(lambda: stored(observe(ingress), id), SECONDS)
    observe(ingress).wait_until_drained(SECONDS)
    assert [item["id"] for item in observe(ingress).items()].count(f"/#{id}") == 1


@pytest.mark.parametrize("ingress", INGRESSES)
@pytest.mark.parametrize("wrong", [{"secret": "guess"}, {"body": BODY + b" "}, {"signature": "sha256="}])
@pytest.mark.slow(6)
def test_an_unsigned_webhook_never_reaches_the_sink(
    ingress: str, wrong: dict[str, object], urls: dict[str, str], observe: Observe
) -> None:
    id, webhook = str(uuid.uuid4()), observe(ingress)
    if ingress != "Signed/Lambda":
        webhook.take_unverified()
    answer = send(urls[ingress], id, **wrong)  # type: ignore[arg-type]
    if ingress == "Signed/Lambda":
        # Within ten seconds after a mismatch, the secret may be newer than the cached one.
        assert answer.status_code in (401, 503)
        assert "X-Hub-Signature-256" in answer.json()["message"]
        assert webhook.backlog() == 0
    else:
        assert answer.status_code == 202
        webhook.wait_until_drained(SECONDS)
        (message,) = each_once(webhook.take_unverified())
        assert message["MessageAttributes"]["error"]["StringValue"] == "Unverified"
        assert "X-Hub-Signature-256" in message["MessageAttributes"]["reason"]["StringValue"]
    assert not stored(webhook, id)
    # No alarm is raised.
    assert webhook.dead_letters() == 0


@pytest.mark.parametrize("ingress", INGRESSES)
def test_no_stage_logs_payload_secret_or_signature(ingress: str, urls: dict[str, str], observe: Observe) -> None:
    id = str(uuid.uuid4())
    answer = send(urls[ingress], id)
    assert wait_for(lambda: stored(observe(ingress), id), SECONDS)
    stages = ["AccessLogs", "ConsumerLogs", *(["PublisherLogs"] if ingress == "Signed/Lambda" else [])]
    logged = json.dumps([observe(ingress).log(stage) for stage in stages], ensure_ascii=False)
    assert id in logged
    signature = answer.request.headers["X-Hub-Signature-256"]
    assert [word for word in ("opened", "Zoë", "first", signature, signature[10:]) if word in logged] == []


@pytest.mark.parametrize("ingress", ["Signed/RotatedLambda", "Signed/RotatedDirect"])
def test_no_webhook_is_rejected_during_a_rotation(
    ingress: str, urls: dict[str, str], observe: Observe, emulator: Emulator
) -> None:
    """Send before, during and after the provider changes its secret, with some requests in flight with the old one."""
    secrets, webhook = emulator.client("secretsmanager"), observe(ingress)
    key = webhook.physical("AWS::SecretsManager::Secret", ingress.removeprefix("Signed/"))
    sent = {}
    for number in range(30):
        if number == 10:
            secrets.put_secret_value(SecretId=key, SecretString="second")
        secret = "second" if number >= 20 or (number > 10 and number % 2) else "first"
        sent[f"{ingress} {number}"] = send(urls[ingress], f"{ingress} {number}", secret=secret).status_code
    assert sent == dict.fromkeys(sent, 202)
    assert wait_for(lambda: all(stored(webhook, id) for id in sent), SECONDS)
    assert webhook.take_dead_letters() == []


def stripes(body: bytes, secret: str) -> dict[str, str]:
    at = math.ceil(time.time())  # rounded up, so that the request has the whole tolerance
    return {"Stripe-Signature": f"t={at},v1={hmac.new(secret.encode(), b'%d.%s' % (at, body), 'sha256').hexdigest()}"}


@pytest.mark.parametrize("queue", ["Standard", "Fifo"])
@pytest.mark.slow(20)
def test_an_unverified_webhook_is_redriven_after_the_secret_is_fixed(
    queue: str, urls: dict[str, str], observe: Observe, emulator: Emulator, command: Command
) -> None:
    """The signature is older than its tolerance, but is verified as of its arrival."""
    webhook, id = observe(f"Fixed/{queue}"), f"evt_{uuid.uuid4()}"
    body = json.dumps({"id": id}).encode()
    assert http.post(urls[f"Fixed/{queue}"], content=body, headers=stripes(body, "right")).is_success
    forged = json.dumps({"id": f"forged {id}"}).encode()
    http.post(urls[f"Fixed/{queue}"], content=forged, headers=stripes(forged, "guess"))
    assert wait_for(lambda: webhook.unverified() == 2, SECONDS)
    secrets = emulator.client("secretsmanager")
    secret = webhook.physical("AWS::SecretsManager::Secret", f"{queue}Key")
    secrets.put_secret_value(SecretId=secret, SecretString="right")
    time.sleep(3)  # longer than the tolerance

    redriven = command("unverified", "redrive", f"Fixed/{queue}", "--error", "Unverified")
    assert redriven[0] == f"redriven 2 from the unverified queue of Fixed/{queue}"
    assert wait_for(lambda: stored(webhook, id), SECONDS)
    assert [item["delivery_id"] for item in webhook.items()] == [id]
    # Forged webhooks stay unverified.
    left: list[dict[str, Any]] = []

    def has_forged() -> bool:
        left.extend(webhook.take_unverified())
        return bool(left)

    assert wait_for(has_forged, SECONDS)
    (message,) = each_once(left)
    assert json.loads(message["Body"]) == json.loads(forged)
