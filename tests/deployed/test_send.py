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
from webhook_runtime.contract.providers import PROVIDERS

from ..suite.patience import SECONDS
from .test_providers import secrets  # noqa: F401 (a fixture, which stores each secret)

Run = Callable[..., Any]
VERIFICATIONS = {
    provider.method: name
    for provider in PROVIDERS
    for name in samples.names(provider.method)
    if samples.event(provider.method, name).is_verification
}
# Those that sign a payload, a time, a URL and a form, and one whose secret is in the payload.
KINDS = ("github", "stripe", "twilio", "microsoft_graph")


@pytest.fixture
def run(emulator: Emulator, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command with `--json`, and returns the exit code and the result."""
    assert urls
    monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(emulator.home))

    def command(*arguments: str) -> tuple[int, Any]:
        result = CliRunner().invoke(app, [*arguments, "--json", "--wait", str(SECONDS)])
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr

    return command


def at(ingress: str, provider: str) -> list[str]:
    return ["--webhook", f"Providers/{ingress}/Source {provider}"]


def ends(said: Any) -> list[str]:
    return [each["outcome"] for each in said["deliveries"]]


@pytest.mark.slow(25)
def test_the_usual_event_of_each_provider_is_stored(run: Run) -> None:
    for provider in PROVIDERS:
        code, said = run("send", samples.names(provider.method)[0], *at("Lambda", provider.method))
        assert (code, ends(said), said["provider"]) == (0, ["stored"], provider.method), said


@pytest.mark.parametrize("ingress", ["Lambda", "Direct"])
@pytest.mark.parametrize("provider", KINDS)
def test_an_event_that_is_sent_twice_is_stored_once_and_a_forged_one_never(
    ingress: str, provider: str, run: Run
) -> None:
    event, has_an_id = samples.names(provider)[0], provider != "microsoft_graph"
    code, said = run("send", provider, event, *at(ingress, provider), "--twice")
    assert (code, ends(said)) == (0, ["stored", "duplicate" if has_an_id else "stored"]), said
    code, said = run("send", provider, event, *at(ingress, provider), "--bad-signature")
    assert (code, ends(said)) == (0, ["rejected" if ingress == "Lambda" else "unverified"]), said


@pytest.mark.slow(10)
def test_the_endpoint_verification_of_each_provider_is_answered(run: Run) -> None:
    assert VERIFICATIONS.keys() == {provider.method for provider in PROVIDERS if provider.handshakes}
    for provider, name in VERIFICATIONS.items():
        code, said = run("send", provider, name, *at("Lambda", provider))
        assert (code, said["deliveries"][0]["status"]) == (0, 200), said
    for provider in ("okta", "microsoft_graph"):
        code, said = run("send", provider, VERIFICATIONS[provider], *at("Direct", provider))
        assert (code, said["deliveries"][0]["status"]) == (0, 200), said


@pytest.mark.slow(7)
def test_an_hmac_of_your_own_is_signed_by_its_description(run: Run, tmp_path: Path) -> None:
    (data := tmp_path / "order.json").write_bytes(b'{"order": "Zo\xc3\xab"}\r\n')
    for ingress in ("Lambda", "Direct", "Binary"):
        code, said = run("send", "--data", str(data), *at(ingress, "partner"), "--twice")
        assert (code, ends(said), said["provider"]) == (0, ["stored", "duplicate"], None), said


def test_a_source_of_your_own_function_is_sent_the_signature_of_a_header(run: Run) -> None:
    code, said = run("send", "--webhook", "Providers/Lambda")
    assert code == 1
    assert "Providers/Lambda has a Source.custom(), and only its function knows the signature" in said
    code, said = run("send", "--webhook", "Providers/Lambda", "-H", "X-Seal: red wax", "-H", "X-Transfer: from send")
    assert (code, ends(said), said["deliveries"][0]["id"]) == (0, ["stored"], "from send"), said


@pytest.mark.parametrize("ingress", ["Lambda", "Direct"])
@pytest.mark.slow(6)
def test_a_burst_of_signed_events_ends_with_the_outcome_of_all(ingress: str, run: Run) -> None:
    code, said = run("burst", "--as", "stripe", *at(ingress, "stripe"), "--count", "40", "--duplicates", "20")
    became = said["outcomes"]
    assert (code, said["accepted"], became["stored"] + became["duplicate"], became["waiting"]) == (0, 40, 40, 0), said
    assert became["duplicate"] > 0
