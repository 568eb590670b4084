from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from constructs import Construct

from cdk_scalable_webhook import ScalableWebhook
from cdk_scalable_webhook.packaging import asset

from ..apps import INIT_FLAGS
from .grouped import grouped


@pytest.fixture(params=[{}, INIT_FLAGS], ids=["no feature flags", "flags of cdk init"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return a new stack for each test: a tree must not change once it is synthesised."""
    return Stack(App(context=request.param), "Stack")


@pytest.fixture
def synth(stack: Stack) -> Callable[..., Template]:
    """Return a function that creates a ScalableWebhook with its arguments, and returns the template."""

    def make(scope: Construct = stack, **arguments: Any) -> Template:
        ScalableWebhook(scope, "Webhook", **grouped(arguments))
        return Template.from_stack(stack)

    return make


# The modules that look into the functions.
WHOLE = ("test_asset.py", "test_modules.py", "test_sink.py", "test_source.py", "test_two_worlds.py")


@pytest.fixture(scope="session")
def empty_run_time(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("src") / "webhook_runtime"
    folder.mkdir()
    (folder / "__init__.py").touch()
    return folder


@pytest.fixture(autouse=True)
def light_functions(request: pytest.FixtureRequest, empty_run_time: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pack functions without the run time: to copy it is a sixth of the time of a test that looks at the template."""
    if request.path.name not in WHOLE:
        monkeypatch.setattr(asset, "_RUNTIME", empty_run_time)
