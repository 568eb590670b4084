from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cdk_scalable_webhook.local import commands
from cdk_scalable_webhook.local.emulator import Emulator


@pytest.mark.parametrize(
    ("group", "source"),
    [
        ("/aws/cloudformation/Hello/WebhookConsumerLogs33C84EAD", "Hello/WebhookConsumerLogs"),
        ("/aws/lambda/Hello-WebhookConsumer302E6104-AACF341432492", "lambda/Hello-WebhookConsumer"),
        ("/aws/lambda/orders", "lambda/orders"),
        ("orders", "orders"),
    ],
)
def test_a_log_line_names_its_stack_and_construct_without_the_hash(group: str, source: str) -> None:
    assert commands._source(group) == source


class Logs:
    """CloudWatch Logs of one region: events by log group."""

    def __init__(self, **groups: list[tuple[int, str]]) -> None:
        self._groups = groups
        self.asked_since: list[int] = []

    def get_paginator(self, operation: str) -> "Logs":
        self._operation = operation
        return self

    def paginate(self, logGroupName: str = "", startTime: int = 0) -> list[dict[str, Any]]:
        if self._operation == "describe_log_groups":
            return [{"logGroups": [{"logGroupName": name}]} for name in self._groups]
        self.asked_since.append(startTime)
        lines = [(at, text) for at, text in self._groups[logGroupName] if at >= startTime]
        return [{"events": [{"timestamp": at, "message": text, "logStreamName": "s"} for at, text in lines]}]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `local logs` against these regions' logs."""
    emulator = Emulator(tmp_path, "http://127.0.0.1:9", ())

    def logs(*arguments: str, **regions: Logs) -> str:
        monkeypatch.setattr("cdk_scalable_webhook.local.emulator.find", lambda: emulator)
        monkeypatch.setattr("cdk_scalable_webhook.local.deploy.regions", lambda _: list(regions))
        monkeypatch.setattr(commands, "client", lambda service, endpoint, region: regions[region])
        result = CliRunner().invoke(commands.app, ["local", "logs", *arguments])
        assert result.exception is None, result.output
        return result.stdout

    return logs


def test_logs_of_every_region_and_group_come_in_the_order_of_time(run: Any) -> None:
    out = run(here=Logs(a=[(3, "third"), (5, "fifth")], b=[(4, "fourth")]), there=Logs(c=[(1, "first"), (2, "second")]))
    assert [line.split(" ", 1)[1] for line in out.splitlines()] == [
        "c: first",
        "c: second",
        "a: third",
        "b: fourth",
        "a: fifth",
    ]


def test_an_event_of_several_lines_has_its_time_and_source_on_each(run: Any) -> None:
    assert [line.split(" ", 1)[1] for line in run(here=Logs(a=[(1, "one\ntwo\n")])).splitlines()] == [
        "a: one",
        "a: two",
    ]


def test_equal_lines_of_the_same_millisecond_are_all_printed(run: Any) -> None:
    assert run(here=Logs(a=[(1, "same"), (1, "same")])).count("same") == 2


def test_following_prints_each_line_once_and_asks_only_for_what_is_new(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: dict[str, list[tuple[int, str]]] = {"a": [(20_000, "old"), (20_000, "old")]}
    here = Logs(**groups)
    rounds = iter([(20_000, "old"), (19_999, "late"), (90_000, "new")])

    def wait(_: float) -> None:
        line = next(rounds, None)
        if line is None:
            raise KeyboardInterrupt
        groups["a"].append(line)

    monkeypatch.setattr("cdk_scalable_webhook.local.commands.time.sleep", wait)
    out = run("--follow", here=here)
    assert [line.rsplit(" ", 1)[1] for line in out.splitlines()] == ["old", "old", "old", "late", "new"]
    assert here.asked_since == [0, 10_000, 10_000, 10_000]


def test_the_logs_of_one_stack_are_those_of_its_groups(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdk_scalable_webhook.local.deploy.log_groups", lambda _, stack: {f"{stack}/a", f"{stack}/b"})
    groups = {"One/a": [(1, "first")], "One/b": [(2, "second")], "Two/a": [(1, "other")]}
    out = run("--stack", "One", here=Logs(**groups))
    assert [line.rsplit(" ", 1)[1] for line in out.splitlines()] == ["first", "second"]


def test_a_mistake_of_the_aws_client_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "state.json")

    monkeypatch.setattr("cdk_scalable_webhook.local.emulator.find", refuse)
    result = CliRunner().invoke(commands.app, ["local", "status"])
    assert result.exit_code == 1
    assert "Permission denied" in result.stderr
    assert isinstance(result.exception, SystemExit)
