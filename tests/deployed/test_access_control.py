"""Access control and acknowledgements of deployed APIs."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for

from ..suite.patience import SECONDS, http

Observe = Callable[[str], ObservedWebhook]
Urls = dict[str, str]

ingresses = pytest.mark.parametrize("ingress", ["Lambda", "Direct", "Binary"])


def payloads(webhook: ObservedWebhook) -> list[str]:
    return [item["payload"] for item in webhook.items()]


def found(webhook: ObservedWebhook, mark: str) -> list[dict[str, Any]]:
    """Return the items with this payload, after at least one has arrived."""

    def items() -> list[dict[str, Any]]:
        return [item for item in webhook.items() if mark in str(item["payload"])]

    assert wait_for(lambda: bool(items()), SECONDS)
    return items()


def key(emulator: Emulator, ingress: str) -> str:
    """Return the value of the API key of an ingress."""
    (stack,) = emulator.client("cloudformation").describe_stacks(StackName="AccessControl")["Stacks"]
    (id,) = (output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == f"{ingress}Key")
    return str(emulator.client("apigateway").get_api_key(apiKey=id, includeValue=True)["value"])


@ingresses
def test_an_accepted_webhook_is_acknowledged_and_stored(ingress: str, urls: Urls, observe: Observe) -> None:
    name = f"AccessControl/{ingress}Acknowledged"
    answer = http.post(f"{urls[name]}/x", content=b"acknowledged")
    assert (answer.status_code, answer.text) == (200, "<Response>$x #if é</Response>")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert wait_for(lambda: "acknowledged" in payloads(observe(name)), SECONDS)


@ingresses
def test_an_acknowledgement_may_be_no_content(ingress: str, urls: Urls, observe: Observe) -> None:
    name = f"AccessControl/{ingress}Silent"
    answer = http.post(urls[name], content=b"silent")
    assert (answer.status_code, answer.content) == (204, b"")
    assert wait_for(lambda: "silent" in payloads(observe(name)), SECONDS)


@ingresses
def test_a_rejected_request_is_not_acknowledged(ingress: str, urls: Urls) -> None:
    answer = http.post(urls[f"AccessControl/{ingress}Acknowledged"], content=b"x" * 1_100_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/json"
    assert "too large" in answer.json()["message"]


@ingresses
def test_an_api_key_is_accepted_at_its_own_ingress_only(ingress: str, urls: Urls, emulator: Emulator) -> None:
    others = [key(emulator, other) for other in ("Lambda", "Direct", "Binary") if other != ingress]
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "wrong"}, *({"x-api-key": other} for other in others)):
        answer = http.post(urls[f"AccessControl/{ingress}Keyed"], content=b"x", headers=headers)
        assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
    answer = http.post(f"{urls[f'AccessControl/{ingress}Keyed']}/x", headers={"X-API-Key": key(emulator, ingress)})
    assert answer.status_code == 202


@ingresses
def test_an_api_key_is_not_in_the_webhook(ingress: str, urls: Urls, emulator: Emulator, observe: Observe) -> None:
    own, mark = key(emulator, ingress), uuid.uuid4().hex
    http.post(
        urls[f"AccessControl/{ingress}Keyed"], params={"X-Amz-Date": "kept"}, content=mark, headers={"x-Api-KEY": own}
    )
    (stored,) = found(observe(f"AccessControl/{ingress}Keyed"), mark)
    assert own not in str(stored)
    assert "content-type" in str(stored) or "user-agent" in str(stored)
    assert stored["query"] == "X-Amz-Date=kept"


def test_a_signature_of_iam_is_not_in_the_webhook(urls: Urls, observe: Observe) -> None:
    mark = uuid.uuid4().hex
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=a-secret", "X-Amz-Security-Token": "a-secret"}
    query = {"X-Amz-Security-Token": "a-secret", "X-Amz-Signature": "a-secret", "X-Amz-Date": "kept"}
    assert http.post(urls["AccessControl/Signed"], params=query, content=mark, headers=headers).status_code == 202
    (stored,) = found(observe("AccessControl/Signed"), mark)
    assert "a-secret" not in str(stored)
    assert stored["query"] == "X-Amz-Date=kept"


@pytest.mark.parametrize("path", ["", "/below"])
@pytest.mark.parametrize("ingress", ["Lambda", "Binary"])
def test_a_browser_may_send_to_an_existing_api_at_its_domain(ingress: str, path: str, urls: Urls) -> None:
    url = urls[f"AccessControl/{ingress}Theirs"] + path
    origin = {"Origin": "https://example.com"}
    preflight = http.options(url, headers=origin | {"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://example.com"
    answer = http.post(url, content=b"x", headers=origin)
    assert answer.status_code == 202
    assert answer.headers["access-control-allow-origin"] == "https://example.com"


@ingresses
@pytest.mark.parametrize("path", ["", "/below"])
def test_a_browser_may_send_from_a_named_origin(ingress: str, path: str, urls: Urls, emulator: Emulator) -> None:
    url = urls[f"AccessControl/{ingress}Keyed"] + path
    origin = {"Origin": "https://example.com"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    preflight = http.options(url, headers=origin | asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://example.com"
    assert preflight.headers["access-control-allow-headers"] == "x-api-key"
    assert "POST" in preflight.headers["access-control-allow-methods"]

    answer = http.post(url, content=b"x", headers=origin | {"x-api-key": key(emulator, ingress)})
    assert answer.status_code == 202
    assert answer.headers["access-control-allow-origin"] == "https://example.com"
    too_large = http.post(url, content=b"x" * 1_100_000, headers=origin | {"x-api-key": key(emulator, ingress)})
    assert too_large.status_code == 413
    assert too_large.headers["access-control-allow-origin"] == "https://example.com"


def test_a_call_from_another_address_is_rejected(urls: Urls) -> None:
    assert http.post(urls["AccessControl/Here"], content=b"x").status_code == 202
    answer = http.post(urls["AccessControl/Elsewhere"], content=b"x")
    assert answer.status_code == 403
    assert answer.json()["Message"].endswith("with an explicit deny")


def test_an_unsigned_call_is_rejected(urls: Urls) -> None:
    answer = http.post(urls["AccessControl/Signed"], content=b"x")
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}
    assert http.post(urls["AccessControl/Signed"], content=b"x", headers=signed).status_code == 202


@pytest.mark.parametrize("name", ["Domain", "BasePath"])
def test_an_ingress_with_a_domain_and_a_web_acl_has_a_local_twin(name: str, urls: Urls, observe: Observe) -> None:
    assert urls[f"AccessControl/{name}"].endswith("/prod/in")
    assert http.post(f"{urls[f'AccessControl/{name}']}/x", content=b"by domain").status_code == 202
    assert wait_for(lambda: [item["path"] for item in observe(f"AccessControl/{name}").items()] == ["/in/x"], SECONDS)
