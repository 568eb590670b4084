"""One local AWS for all deployed tests and workers, with one app in it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scalable_webhook_cli.commands import app
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook

from ..suite.shared import local_aws, once

APP = Path(__file__).parent / "app"


@pytest.fixture(scope="session")
def emulator() -> Emulator:
    return emulators.up(local_aws())


@pytest.fixture(scope="session")
def urls(emulator: Emulator) -> dict[str, str]:
    """Return the URL of each webhook of the app, by stack and id."""
    return once("app", lambda: {webhook.name: webhook.url.rstrip("/") for webhook in deploy(emulator, APP)})


Command = Callable[..., list[str]]


@pytest.fixture
def command(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command with this local AWS, and returns its lines."""
    monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(emulator.home))

    def run(*arguments: str) -> list[str]:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    return run


@pytest.fixture(scope="session")
def observe(emulator: Emulator, urls: dict[str, str]) -> Callable[[str], ObservedWebhook]:
    """Return a function that observes the webhook of this name."""

    def look(name: str) -> ObservedWebhook:
        assert name in urls
        return ObservedWebhook(emulator, *name.split("/"))

    return look
