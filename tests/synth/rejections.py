"""Rejections at synth: each case has its message, and follows each remedy that the message names."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Template

from cdk_scalable_webhook import ScalableWebhook

from .grouped import grouped

Make = Callable[[Stack], Any]

# For a remedy that leaves an argument out.
OMITTED: Any = object()


@dataclass
class Rejection:
    """A case that is rejected, with a part of its message and each remedy that the message names."""

    name: str
    message: str
    make: Make
    remedies: Sequence[Make]
    env: Environment | None = None


def message_of(rejection: Rejection) -> str:
    """Return the message of the error."""
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the caller checks the message)
        rejection.make(Stack(App(), "Stack", env=rejection.env))
    return str(error.value)


def assert_remedies_work(rejection: Rejection) -> None:
    """Assert that the case is rejected with its message, and that the app synthesises after each remedy."""
    message = message_of(rejection)
    assert rejection.message in message
    assert "got" in message
    # An error of the CDK has no remedy of this library.
    assert "; " in message or "of which it says" in message, "the message names no remedy"
    assert len(rejection.remedies) > message.rpartition("; ")[2].count(", or "), "a remedy is not followed"
    for remedy in rejection.remedies:
        stack = Stack(App(), "Stack", env=rejection.env)
        remedy(stack)
        Template.from_stack(stack)


@dataclass
class Row:
    """Arguments of a ScalableWebhook that are rejected, a part of the message, and the remedies.

    Each function in ``existing`` creates an argument in the stack. A remedy is the arguments that it changes, values or
    such functions. Or it is a function of the stack that does something else.
    """

    name: str
    message: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    existing: Mapping[str, Make] = field(default_factory=dict)
    remedies: Sequence[Mapping[str, Any] | Make] = ()

    def rejection(self) -> Rejection:
        """Return the same case as functions of a stack."""
        remedies = [self._follow(each) if isinstance(each, Mapping) else each for each in self.remedies]
        return Rejection(self.name, self.message, self._follow({}), remedies)

    def _follow(self, changes: Mapping[str, Any]) -> Make:
        def make(stack: Stack) -> None:
            made = {
                argument: value(stack) if inspect.isfunction(value) else value
                for argument, value in {**self.existing, **changes}.items()
            }
            given = {"scope": stack, "id": "Webhook", **self.arguments, **made}
            ScalableWebhook(**grouped({argument: value for argument, value in given.items() if value is not OMITTED}))

        return make
