"""The commands that alarms and dashboard tell an operator to run exist, with their options."""

import re
import shlex

import pytest
import typer
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from cdk_scalable_webhook import AlarmOptions, CircuitBreaker, ScalableWebhook
from scalable_webhook_cli.commands import app

from ..synth.metrics import body_of


def told() -> list[str]:
    """Return each command, once."""
    stack = Stack(App(), "Orders")
    webhook = ScalableWebhook(stack, "Webhook", breaker=CircuitBreaker())
    webhook.add_alarms(options=AlarmOptions(silence=True))
    webhook.add_dashboard()
    template = Template.from_stack(stack)
    alarms = template.find_resources("AWS::CloudWatch::Alarm").values()
    texts = [each["Properties"]["AlarmDescription"] for each in alarms]
    texts.append(body_of(template)["widgets"][0]["properties"]["markdown"])
    return sorted(set(re.findall(r"scalable-webhook [^`#\n]+NAME", "\n".join(texts))))


COMMANDS = told()


def test_there_is_something_to_check() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_an_operator_is_told_to_run_exists(command: str) -> None:
    group = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    while hasattr(group, "commands"):
        group = group.commands[words.pop(0)]
    assert words == ["Orders/Webhook", "--profile", "NAME"]
    assert "--profile" in [name for each in group.params for name in each.opts]
