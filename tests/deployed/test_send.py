"""``scalable-webhook send`` and ``burst --as`` against deployed webhooks of every provider."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scalable_webhook_cli import samples
from scalable_webhook_cli.commands import app
from scalable_webhook_cli.local.emulator import Emulator
from webhook_runtime.contract.providers import BY_METHOD, PROVIDERS

from ..suite.patience import SECONDS
from .test_providers import ANY_INGRESS, TOGETHER, secrets  # noqa: F401 (a fixture, which stores each secret)

Send = Callable[..., tuple[int, Any]]
EVENTS = [(provider.method, name) for provider in PROVIDERS for name in samples.names(provider.method)]


@pytest.fixture
def send(emulator: Emulator, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Send:
    """Return a function that runs `send --json`, and returns the exit code and the result."""
    assert urls
    monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(emulator.home))

    def run(*arguments: str) -> tuple[int, Any]:
        result = CliRunner().invoke(app, ["send", *arguments, "--json", "--wait", str(SECONDS)])
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr

    return run


def at(ingress: str, provider: str) -> list[str]:
    return ["--webhook", f"Providers/{ingress}/Source {provider}"]


def ends(said: Any) -> list[str]:
    return [each["outcome"] for each in said["deliveries"]]


@pytest.mark.parametrize(("provider", "event"), EVENTS)
def test_each_event_of_a_provider_is_verified(provider: str, event: str, send: Send) -> None:
    code, said = send(event, *at("Lambda", provider))
    is_answered = samples.event(provider, event).is_verification
    assert (code, ends(said)) == (0, [None if is_answered else "stored"]), said
    assert (said["provider"], said["event"]) == (provider, event)


@pytest.mark.parametrize("provider", ANY_INGRESS[:TOGETHER])
@pytest.mark.parametrize("ingress", ["Direct", "Binary"])
def test_behind_a_direct_integration_an_event_is_verified_too(ingress: str, provider: str, send: Send) -> None:
    event = samples.names(provider)[0]
    code, said = send(provider, event, *at(ingress, provider), "--twice")
    has_an_id = BY_METHOD[provider].id_of_delivery is not None
    assert (code, ends(said)) == (0, ["stored", "duplicate" if has_an_id else "stored"]), said


@pytest.mark.parametrize("provider", [provider.method for provider in PROVIDERS])
def test_a_bad_signature_is_rejected(provider: str, send: Send) -> None:
    code, said = send(samples.names(provider)[0], *at("Lambda", provider), "--bad-signature")
    assert (code, ends(said)) == (0, ["rejected"]), said


@pytest.mark.parametrize("provider", ANY_INGRESS[:TOGETHER])
def test_behind_a_direct_integration_a_bad_signature_is_found_later(provider: str, send: Send) -> None:
    code, said = send(samples.names(provider)[0], *at("Direct", provider), "--bad-signature")
    assert (code, ends(said)) == (0, ["unverified"]), said


def test_an_hmac_of_your_own_is_signed_by_its_description(send: Send, tmp_path: Path) -> None:
    (data := tmp_path / "order.json").write_bytes(b'{"order": "Zo\xc3\xab"}\r\n')
    for ingress in ("Lambda", "Direct", "Binary"):
        code, said = send("--data", str(data), *at(ingress, "partner"), "--twice")
        assert (code, ends(said)) == (0, ["stored", "duplicate"]), said
        assert said["provider"] is None


def test_a_source_of_your_own_function_cannot_be_signed(send: Send) -> None:
    code, said = send("--webhook", "Providers/Lambda")
    assert code == 1
    assert "Providers/Lambda has a Source.custom(), and only its function knows the signature" in said
    code, said = send("--webhook", "Providers/Lambda", "-H", "X-Seal: red wax", "-H", "X-Transfer: from send")
    assert (code, ends(said)) == (0, ["stored"]), said
    assert said["deliveries"][0]["id"] == "from send"
