from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from constructs import Construct

from cdk_scalable_webhook import ScalableWebhook

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
