"""Send every provider's requests to a deployed stack, each to its own endpoint."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest

from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from webhook_runtime.contract.providers import PROVIDERS

from ..signers import BODY, SECRET, SIGNERS, Signed
from ..suite.patience import SECONDS, http
from .dead_letters import each_once

Observe = Callable[[str], ObservedWebhook]

ANY_INGRESS = [provider.method for provider in PROVIDERS if not provider.takes_code]
LAMBDA_INGRESS = [provider.method for provider in PROVIDERS if provider.takes_code]
INGRESSES = [("Lambda", name) for name in (*ANY_INGRESS, *LAMBDA_INGRESS)]
# So many share a consumer, as in app.py.
TOGETHER = 7
# As in app.py.
BY_URL = ("stripe", "github", "twilio", "zoom")
INGRESSES += [("Url", name) for name in BY_URL]
# The ingresses that answer 401.
VERIFYING = ("Lambda", "Url")
INGRESSES += [(ingress, name) for ingress in ("Direct", "Binary") for name in ANY_INGRESS[:TOGETHER]]
INGRESSES += [(f"Direct{n // TOGETHER * TOGETHER}", name) for n, name in enumerate(ANY_INGRESS) if n >= TOGETHER]


@pytest.fixture(scope="module", autouse=True)
def secrets(urls: dict[str, str], emulator: Emulator) -> None:
    """Store each provider's secret for its source."""
    manager, observed = emulator.client("secretsmanager"), ObservedWebhook
    for name in (*ANY_INGRESS, *LAMBDA_INGRESS, "bank"):
        arn = observed(emulator, "Providers", "Lambda").physical("AWS::SecretsManager::Secret", name.replace("_", ""))
        manager.put_secret_value(SecretId=arn, SecretString=SIGNERS[name].secret if name in SIGNERS else "red wax")


def url_of(urls: dict[str, str], ingress: str, name: str) -> str:
    return urls[f"Providers/{ingress}/Source {name}"]


def called(url: str) -> str:
    """Return the URL of a deployed API or function as a provider calls it, which Twilio signs."""
    _, _, service, id, *path = urlsplit(url).path.split("/")
    domain = "on.aws" if service == "lambda-url" else "amazonaws.com"
    return f"https://{id}.{service}.us-east-1.{domain}/{'/'.join(path)}"


def post(url: str, name: str, body: bytes = BODY, signed: Signed | None = None) -> httpx.Response:
    provider = SIGNERS[name]
    headers = provider.sign(body, time.time(), called(url)) if signed is None else signed
    query = provider.query(body)
    target = f"{url}?{query}" if query else url
    return http.post(target, content=body, headers={"Content-Type": "application/json"} | headers)


def stored(webhook: ObservedWebhook, path: str, text: str = "") -> list[str]:
    return [item["delivery_id"] for item in webhook.items() if item["path"] == path and text in str(item["payload"])]


@pytest.mark.parametrize(("ingress", "name"), INGRESSES)
def test_a_signed_webhook_is_stored_under_its_own_id(
    ingress: str, name: str, urls: dict[str, str], observe: Observe
) -> None:
    url, webhook = url_of(urls, ingress, name), observe(f"Providers/{ingress}")

    def own() -> list[str]:
        """Return the ids of those that this test has sent."""
        return stored(webhook, f"/{name}", BODY.decode())

    answers = [post(url, name) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [SIGNERS[name].accepted] * 2
    # A direct integration answers with the id of a header, or with one of its own.
    id = SIGNERS[name].id
    expected = 1 if id else 2
    assert wait_for(lambda: len(own()) == expected, SECONDS), webhook.log("ConsumerLogs")[-3:]
    webhook.wait_until_drained(SECONDS)
    assert len(own()) == expected
    assert id is None or own() == [id]


def take_unverified(webhook: ObservedWebhook, ingress: str) -> None:
    """Take the messages that other tests have left."""
    if ingress not in VERIFYING:
        webhook.take_unverified()


@pytest.mark.parametrize(("ingress", "name"), INGRESSES)
def test_an_unsigned_webhook_never_reaches_the_sink(
    ingress: str, name: str, urls: dict[str, str], observe: Observe
) -> None:
    url, webhook = url_of(urls, ingress, name), observe(f"Providers/{ingress}")
    take_unverified(webhook, ingress)
    forged = BODY.replace(SECRET.encode(), b"guess").replace(b"Zo", b"forged")
    signed = {k: v.replace(SECRET, "guess") for k, v in SIGNERS[name].sign(BODY, time.time(), called(url)).items()}
    answer = post(url, name, forged, signed)
    if ingress in VERIFYING:
        assert answer.status_code in (401, 503)
        assert webhook.backlog() == 0
    else:
        assert answer.status_code == SIGNERS[name].accepted
        assert wait_for(lambda: webhook.unverified() >= 1, SECONDS)
        (message,) = each_once(webhook.take_unverified())
        assert message["MessageAttributes"]["error"]["StringValue"] == "Unverified"
    assert stored(webhook, f"/{name}", "forged") == []
    assert webhook.dead_letters() == 0


@pytest.mark.parametrize("ingress", ["Lambda", "Direct", "Binary"])
def test_a_signature_for_one_endpoint_is_rejected_at_another(
    ingress: str, urls: dict[str, str], observe: Observe
) -> None:
    webhook = observe(f"Providers/{ingress}")
    take_unverified(webhook, ingress)
    signed = SIGNERS["github"].sign(BODY, time.time(), "")
    answer = http.post(url_of(urls, ingress, "shopify"), content=BODY, headers=signed)
    if ingress in VERIFYING:
        assert answer.status_code in (401, 503)
    else:
        assert wait_for(lambda: len(webhook.take_unverified()) >= 1, SECONDS)


class TestHandshakes:
    @pytest.mark.parametrize("ingress", ["Lambda", "Direct", "Binary"])
    def test_microsoft_graph(self, ingress: str, urls: dict[str, str], observe: Observe) -> None:
        webhook = observe(f"Providers/{ingress}")
        token = "Validation: Testing <b>client</b> reachability +1 Zoë"
        before = len(webhook.items())
        answer = http.post(url_of(urls, ingress, "microsoft_graph"), params={"validationToken": token})
        assert (answer.status_code, answer.text) == (200, token)
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"
        webhook.wait_until_drained(SECONDS)
        assert len(webhook.items()) == before

    @pytest.mark.parametrize("ingress", ["Lambda", "Direct", "Binary"])
    def test_okta(self, ingress: str, urls: dict[str, str]) -> None:
        headers = {"X-Okta-Verification-Challenge": "Me_rShK8\"<b>'", "Authorization": SECRET}
        answer = http.get(url_of(urls, ingress, "okta"), headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"verification": "Me_rShK8\"<b>'"})
        assert answer.headers["content-type"] == "application/json"

    def test_okta_has_no_other_get(self, urls: dict[str, str]) -> None:
        assert http.get(url_of(urls, "Lambda", "okta")).status_code == 401
        answer = http.get(url_of(urls, "Direct", "okta"))
        assert answer.status_code == 400
        assert "X-Okta-Verification-Challenge" in answer.json()["message"]

    def test_slack(self, urls: dict[str, str]) -> None:
        body = b'{"type": "url_verification", "challenge": "3eZbrw1aB"}'
        answer = post(url_of(urls, "Lambda", "slack"), "slack", body)
        assert (answer.status_code, answer.text) == (200, "3eZbrw1aB")

    def test_meta(self, urls: dict[str, str]) -> None:
        url, query = url_of(urls, "Lambda", "meta"), {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
        answer = http.get(url, params=query | {"hub.verify_token": "t"})
        assert (answer.status_code, answer.text) == (200, "1158201444")
        assert http.get(url, params=query | {"hub.verify_token": "guess"}).status_code == 401

    @pytest.mark.parametrize("ingress", VERIFYING)
    def test_zoom(self, ingress: str, urls: dict[str, str]) -> None:
        body = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8"}}'
        answer = post(url_of(urls, ingress, "zoom"), "zoom", body)
        encrypted = hmac.new(SECRET.encode(), b"qgg8", hashlib.sha256).hexdigest()
        assert (answer.status_code, answer.json()) == (200, {"plainToken": "qgg8", "encryptedToken": encrypted})

    def test_x(self, urls: dict[str, str]) -> None:
        answer = http.get(url_of(urls, "Lambda", "x"), params={"crc_token": "MzIy"})
        assert answer.status_code == 200
        assert answer.json()["response_token"].startswith("sha256=")

    def test_the_ping_of_github_is_stored_as_any_event(self, urls: dict[str, str], observe: Observe) -> None:
        body = b'{"zen": "Responsive is better than fast."}'
        signed = SIGNERS["github"].sign(body, time.time(), "") | {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "ping"}
        assert post(url_of(urls, "Lambda", "github"), "github", body, signed).status_code == 202
        assert wait_for(lambda: "ping" in stored(observe("Providers/Lambda"), "/github"), SECONDS)


class TestCustom:
    @pytest.mark.parametrize("ingress", ["Lambda", "Url", "Direct", "Binary"])
    def test_a_webhook_that_a_custom_source_accepts_is_stored(
        self, ingress: str, urls: dict[str, str], observe: Observe
    ) -> None:
        url, webhook = urls[f"Providers/{ingress}"], observe(f"Providers/{ingress}")
        take_unverified(webhook, ingress)
        for seal in ("red wax", "red wax", "candle"):
            headers = {"X-Seal": seal, "X-Transfer": f"transfer-{len(seal)}"}
            http.post(url, content=b"{}", headers=headers)

        def own() -> list[str]:
            return [id for id in stored(webhook, "/bank") if id.startswith("transfer-")]

        assert wait_for(lambda: own() == ["transfer-7"], SECONDS)
        if ingress not in VERIFYING:
            assert wait_for(lambda: webhook.unverified() >= 1, SECONDS)

    def test_a_custom_source_answers_at_the_endpoint(self, urls: dict[str, str]) -> None:
        answer = http.options(urls["Providers/Lambda"])
        assert (answer.status_code, answer.text) == (200, "here")


def test_no_stage_logs_payload_secret_or_signature(urls: dict[str, str], observe: Observe) -> None:
    """After all other tests: no line of any stage has a marked text."""
    post(url_of(urls, "Lambda", "github"), "github")
    logged = ""
    for ingress in dict.fromkeys(ingress for ingress, _ in INGRESSES):
        names = ["ConsumerLogs"] + (["AccessLogs"] if ingress != "Url" else [])
        if ingress in VERIFYING:
            of_sources = [f"Source{name.replace('_', '')}PublisherLogs" for each, name in INGRESSES if each == ingress]
            names += ["PublisherLogs", *of_sources]
        logged += json.dumps([observe(f"Providers/{ingress}").log(name) for name in names], ensure_ascii=False)
    assert '"stored"' in logged
    signed = [value for name in SIGNERS for value in SIGNERS[name].sign(BODY, time.time(), "").values()]
    secret = [word for word in signed if len(word) > 20] + ["Zoë", SECRET, "red wax", "candle", "forged"]
    assert [word for word in secret if word in logged] == []
