"""What is refused at synth, with what the message says, and the remedies that it names: each is followed."""

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
OUT: Any = object()


@dataclass
class Refusal:
    """What is refused, a part of what the message says, and each remedy that it names, as it says it."""

    name: str
    message: str
    make: Make
    remedies: Sequence[Make]
    env: Environment | None = None


def message_of(refusal: Refusal) -> str:
    """What the refusal says."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the message is what the case is about)
        refusal.make(Stack(App(), "Stack", env=refusal.env))
    return str(refused.value)


def assert_followed(refusal: Refusal) -> None:
    """Refused with its message; and after each remedy of it the app synthesises."""
    message = message_of(refusal)
    assert refusal.message in message
    assert "got" in message
    # What the CDK says has no remedy of ours behind it.
    assert "; " in message or "of which it says" in message, "the message names no remedy"
    assert len(refusal.remedies) > message.rpartition("; ")[2].count(", or "), "a remedy is not followed"
    for remedy in refusal.remedies:
        stack = Stack(App(), "Stack", env=refusal.env)
        remedy(stack)
        Template.from_stack(stack)


@dataclass
class Row:
    """Arguments of a ScalableWebhook that are refused, what the message must say, and the remedies.

    What is ``brought`` is made in the stack. A remedy is the arguments that it changes, likewise, or a function of the
    stack that does something else.
    """

    name: str
    message: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    brought: Mapping[str, Make] = field(default_factory=dict)
    remedies: Sequence[Mapping[str, Any] | Make] = ()

    def refusal(self) -> Refusal:
        """The same, as functions of a stack."""
        remedies = [self._follow(each) if isinstance(each, Mapping) else each for each in self.remedies]
        return Refusal(self.name, self.message, self._follow({}), remedies)

    def _follow(self, changes: Mapping[str, Any]) -> Make:
        def make(stack: Stack) -> None:
            made = {
                argument: value(stack) if inspect.isfunction(value) else value
                for argument, value in {**self.brought, **changes}.items()
            }
            given = {"scope": stack, "id": "Webhook", **self.arguments, **made}
            ScalableWebhook(**grouped({argument: value for argument, value in given.items() if value is not OUT}))

        return make
