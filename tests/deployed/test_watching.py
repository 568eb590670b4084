"""``logs``, ``trace`` and ``status`` on the logs and queues of a local AWS, and on those of an account by a profile."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scalable_webhook_cli import deployed, target
from scalable_webhook_cli.commands import app
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.events import event
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.log_lines import Line, lines
from scalable_webhook_cli.observe import wait_for

from ..suite.patience import SECONDS, http

Urls = dict[str, str]

# The events of a webhook that is stored.
STORED = {
    "Ingresses/Lambda": ["POST /", "queued", "stored"],
    "Ingresses/Direct": ["POST /", "stored"],
    "Ingresses/Binary": ["POST /", "stored"],
}


@pytest.fixture
def webhooks(emulator: Emulator, urls: Urls) -> dict[str, DeployedWebhook]:
    return {webhook.name: webhook for webhook in deployed.webhooks(emulator) if webhook.name in urls}


@pytest.fixture(params=["local", "account"])
def aws(
    request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the options that name an AWS: the local one, and one that is an account for all that a command knows."""
    if request.param == "local":
        monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(emulator.home))
        return []
    keys = f"aws_access_key_id = {emulator.key}\naws_secret_access_key = {emulator.key}"
    there = f"region = {emulator.region}\nendpoint_url = {emulator.endpoint}"
    (tmp_path / "config").write_text(f"[profile production]\n{there}\n{keys}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(tmp_path))
    target._of_an_account.cache_clear()
    return ["--profile", "production"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"TTY_COMPATIBLE": "0"})
    assert result.exit_code == 0, result.output
    return result.stdout


def sent(url: str) -> str:
    """Send a webhook, and return its id."""
    id = f"evt-{uuid.uuid4()}"
    assert http.post(url, content=b"12 bytes now", headers={"Idempotency-Key": id}).status_code == 202
    return id


def stored(webhook: DeployedWebhook, since: float, id: str) -> Line:
    """Follow a webhook until it is stored, and until its log is complete: the line of API Gateway may come last."""
    found = next(line for line in lines(webhook, since, id, follow=SECONDS, hold=0) if line.name("message") == "stored")
    events = STORED[webhook.name]
    assert wait_for(lambda: [event(line).what for line in lines(webhook, since, id)] == events, SECONDS)
    return found


@pytest.mark.parametrize("name", STORED)
def test_a_webhook_is_followed_until_it_is_stored(name: str, urls: Urls, webhooks: dict[str, DeployedWebhook]) -> None:
    since = time.time() - 1
    id = sent(urls[name])
    assert stored(webhooks[name], since, id).id == id
    found = list(lines(webhooks[name], since, id))
    assert {line.id for line in found} == {id}
    assert all(since <= line.at <= time.time() for line in found)


@pytest.mark.parametrize("name", ["Ingresses/Lambda", "Ingresses/Direct"])
def test_its_story_and_its_logs_are_found_by_each_id(
    name: str, urls: Urls, webhooks: dict[str, DeployedWebhook], aws: list[str]
) -> None:
    id = sent(urls[name])
    line = stored(webhooks[name], time.time() - 60, id)
    for wanted in (id, line.name("request_id"), line.name("message_id")):
        (story,) = json.loads(run("trace", wanted, "--webhook", name, "--json", *aws))
        (delivery,) = story["deliveries"]
        assert (story["webhook"], story["id"], delivery["state"]) == (name, id, "stored")
        told = [json.loads(line) for line in run("logs", name, "--id", wanted, *aws).splitlines()]
        assert told == delivery["lines"]
        assert len(told) == len(STORED[name])


def test_the_numbers_count_what_was_stored(urls: Urls, aws: list[str]) -> None:
    def status() -> Any:
        return json.loads(run("status", "Ingresses/Direct", "--json", *aws))

    before = status()
    sent(urls["Ingresses/Direct"])
    assert wait_for(lambda: status()["stored"] > before["stored"], SECONDS)
    assert wait_for(lambda: status()["waiting"] + status()["in_flight"] == 0, SECONDS)
    after = status()
    assert (after["unknown"], after["oldest_seconds"]) == ({}, 0)
    assert (after["paused"], after["breaker"]) == (False, "none")
    assert after["urls"] == {"Ingresses/Direct": f"{urls['Ingresses/Direct']}/"}
