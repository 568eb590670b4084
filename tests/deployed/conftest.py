"""One local AWS for all deployed tests, with one app in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdk_scalable_webhook.local.deploy import deploy
from cdk_scalable_webhook.local.emulator import Emulator, running
from cdk_scalable_webhook.local.observe import ObservedWebhook

APP = Path(__file__).parent / "app"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def urls(emulator: Emulator) -> dict[str, str]:
    """The URL of each webhook of the app, by stack and id."""
    return {webhook.name: webhook.url.rstrip("/") for webhook in deploy(emulator, APP)}


@pytest.fixture(scope="session")
def observe(emulator: Emulator, urls: dict[str, str]) -> Callable[[str], ObservedWebhook]:
    """Looks behind the door with this name."""

    def look(name: str) -> ObservedWebhook:
        assert name in urls
        return ObservedWebhook(emulator, *name.split("/"))

    return look
