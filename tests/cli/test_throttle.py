"""``scalable-webhook pause``, ``resume`` and ``concurrency`` in an account whose mapping takes its time."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from scalable_webhook_cli import throttle
from scalable_webhook_cli.commands import app
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.pausing import BREAKER, PAUSED_AT, PAUSED_BY

NAMES = ["Orders/Webhook", "Refunds/Webhook", "Refunds/Late"]


class Account:
    """The services of an account, with the webhooks of NAMES. A change takes effect after so many looks.

    It answers for every service: each method is one call.
    """

    def __init__(self) -> None:
        self.mappings = {name: self._mapping() for name in NAMES}
        self.tags: dict[str, dict[str, str]] = {name: {} for name in NAMES}
        self.looks = 2
        self.conflicts = 0
        self.reserved: dict[str, int] = {}
        self.variables: dict[str, str] = {}
        self.scaling: Any = {"MaximumConcurrency": 5}
        self.me = "arn:aws:sts::123456789012:assumed-role/Operator/anna,o=x"
        self.changes: list[dict[str, Any]] = []
        self._left = 0
        self._next: dict[str, Any] = {}
        self.meta = self
        self.region_name = "eu-west-1"

    def _mapping(self) -> dict[str, Any]:
        function = "arn:aws:lambda:eu-west-1:123456789012:function:Consumer"
        return {"State": "Enabled", "ScalingConfig": {"MaximumConcurrency": 5}, "FunctionArn": function}

    def get_paginator(self, _: str) -> "Account":
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        for stack in ("Other", "Orders", "Refunds"):
            outputs = [
                output
                for name in NAMES
                if name.startswith(stack)
                for output in (
                    {"OutputValue": f"https://{name}", "Description": f"Webhook URL of {name}"},
                    {"OutputValue": name, "Description": f"Event source mapping of {name}"},
                )
            ]
            yield {"Stacks": [{"StackName": stack} | ({"Outputs": outputs} if outputs else {})]}

    def get_template(self, StackName: str) -> dict[str, Any]:
        outputs = {
            f"Output{n}": {"Value": {"Ref": name}, "Description": f"Event source mapping of {name}"}
            for n, name in enumerate(NAMES)
            if name.startswith(StackName)
        }
        resource = {"Properties": {"ScalingConfig": self.scaling}}
        return {"TemplateBody": {"Outputs": outputs, "Resources": dict.fromkeys(NAMES, resource)}}

    def get_event_source_mapping(self, UUID: str) -> dict[str, Any]:
        mapping = self.mappings[UUID]
        if self._next:
            self._left -= 1
            if self._left <= 0:
                mapping |= self._next
                self._next = {}
        return mapping | {"EventSourceMappingArn": f"arn:{UUID}"}

    def update_event_source_mapping(self, UUID: str, **change: Any) -> None:
        if self.conflicts:
            self.conflicts -= 1
            answer = {"Error": {"Code": "ResourceInUseException", "Message": "it is changing"}}
            raise ClientError(answer, "UpdateEventSourceMapping")
        self.changes.append({UUID: dict(change)})
        mapping = self.mappings[UUID]
        before = mapping["State"]
        enabled = change.pop("Enabled", None)
        after = before if enabled is None else "Enabled" if enabled else "Disabled"
        mapping["State"] = "Updating" if enabled is None else f"{after[:-1].removesuffix('e')}ing"
        self._left, self._next = self.looks, {"State": after, **change}

    def list_tags(self, Resource: str) -> dict[str, Any]:
        return {"Tags": self.tags[Resource.removeprefix("arn:")]}

    def tag_resource(self, Resource: str, Tags: dict[str, str]) -> None:
        self.tags[Resource.removeprefix("arn:")].update(Tags)

    def untag_resource(self, Resource: str, TagKeys: list[str]) -> None:
        for key in TagKeys:
            self.tags[Resource.removeprefix("arn:")].pop(key, None)

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": self.me, "Account": "123456789012"}

    def get_function_concurrency(self, FunctionName: str) -> dict[str, int]:
        assert FunctionName.endswith(":Consumer")
        return self.reserved

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        assert FunctionName.endswith(":Consumer")
        return {"Environment": {"Variables": self.variables}} if self.variables else {}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    there = Account()
    asked: Callable[..., Account] = lambda self, service: there  # noqa: E731
    monkeypatch.setattr(Target, "client", asked)
    monkeypatch.setattr(throttle, "_PATIENCE_SECONDS", 0.3)
    return there


def run(*arguments: str, code: int = 0, answer: str | None = None, yes: bool = True) -> list[str]:
    options = ["--region", "eu-west-1", *(["--yes"] if yes else [])]
    result = CliRunner().invoke(app, [*arguments, *options], catch_exceptions=False, input=answer)
    assert result.exit_code == code, result.output
    return result.output.splitlines()


def test_pause_waits_for_the_state_and_says_who_did_it(account: Account) -> None:
    assert run("pause", "Orders/Webhook") == [
        "paused Orders/Webhook in 0 s; its webhooks wait in the queue",
        "next: scalable-webhook resume Orders/Webhook",
    ]
    assert account.mappings["Orders/Webhook"]["State"] == "Disabled"
    assert account.changes == [{"Orders/Webhook": {"Enabled": False}}]
    tags = account.tags["Orders/Webhook"]
    assert tags[PAUSED_BY] == "arn:aws:sts::123456789012:assumed-role/Operator/anna-o=x"
    at = tags[PAUSED_AT]
    (line,) = run("pause", "Orders/Webhook")
    assert line == f"Orders/Webhook is paused already, by {tags[PAUSED_BY]} at {at}"


def test_resume_waits_for_the_state_and_says_who_had_paused(account: Account) -> None:
    run("pause", "Orders/Webhook")
    tags = dict(account.tags["Orders/Webhook"])
    (line,) = run("resume", "Orders/Webhook")
    by, at = tags[PAUSED_BY], tags[PAUSED_AT]
    assert line == f"resumed Orders/Webhook in 0 s; it was paused by {by} at {at}"
    assert account.mappings["Orders/Webhook"]["State"] == "Enabled"
    assert account.tags["Orders/Webhook"] == {}
    assert run("resume", "Orders/Webhook") == ["Orders/Webhook is not paused"]


def test_a_mapping_that_someone_else_disabled_is_resumed_too(account: Account) -> None:
    account.mappings["Orders/Webhook"]["State"] = "Disabled"
    assert run("pause", "Orders/Webhook") == ["Orders/Webhook is paused already, by someone who left no tag"]
    assert run("resume", "Orders/Webhook") == [
        "resumed Orders/Webhook in 0 s; it was paused by someone who left no tag"
    ]


def test_pause_takes_over_from_the_circuit_breaker(account: Account) -> None:
    account.mappings["Orders/Webhook"]["State"] = "Disabled"
    tags = account.tags["Orders/Webhook"]
    tags |= {PAUSED_BY: BREAKER, PAUSED_AT: "2026-11-27T00:00:00Z", "state": "wait=60"}
    by = "it was paused by the circuit breaker at 2026-11-27T00:00:00Z"
    assert run("pause", "Orders/Webhook", yes=False, answer="n\n", code=1)[0].startswith(
        "keep Orders/Webhook paused, also when its sink is up in eu-west-1 of account"
    )
    assert run("pause", "Orders/Webhook") == [f"Orders/Webhook stays paused until you resume it; {by}"]
    assert tags[PAUSED_BY].endswith("Operator/anna-o=x")
    assert account.changes == []
    assert run("pause", "Orders/Webhook")[0].startswith("Orders/Webhook is paused already, by arn:")
    assert "paused by arn:" in run("resume", "Orders/Webhook")[0]
    assert tags == {"state": "wait=60"}


def test_resume_ends_a_pause_of_the_circuit_breaker(account: Account) -> None:
    account.mappings["Orders/Webhook"]["State"] = "Disabled"
    account.tags["Orders/Webhook"] |= {PAUSED_BY: BREAKER, PAUSED_AT: "now"}
    assert run("resume", "Orders/Webhook") == [
        "resumed Orders/Webhook in 0 s; it was paused by the circuit breaker at now"
    ]
    assert account.tags["Orders/Webhook"] == {}


def test_a_mapping_that_is_changing_is_asked_again(account: Account) -> None:
    account.conflicts = 3
    assert run("pause", "Late")[0].startswith("paused Refunds/Late in 0 s")
    assert [list(change) for change in account.changes] == [["Refunds/Late"]]


def test_a_change_that_takes_too_long_is_told(account: Account) -> None:
    account.looks = 1000
    (line,) = run("pause", "Late", code=1)
    assert "of Refunds/Late is still Disabling after 0.3 seconds" in line


def test_another_error_is_told(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_: object) -> None:
        answer = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
        raise ClientError(answer, "UpdateEventSourceMapping")

    monkeypatch.setattr(account, "update_event_source_mapping", denied)
    assert "not authorized" in run("pause", "Late", code=1)[0]


def test_in_an_account_a_change_is_asked_for(account: Account) -> None:
    (line,) = run("pause", "Late", yes=False, answer="n\n", code=1)[:1]
    assert line.startswith("pause Refunds/Late in eu-west-1 of account 123456789012? [y/N]: ")
    for command in (["pause"], ["concurrency", "7"]):
        run(*command, "Late", yes=False, answer="", code=1)
    assert account.changes == []
    run("pause", "Late", yes=False, answer="y\n")
    run("resume", "Late", yes=False, answer="", code=1)
    assert [list(change) for change in account.changes] == [["Refunds/Late"]]


def test_a_name_has_to_be_of_one_webhook(account: Account) -> None:
    assert run("pause", "Webhook", code=1) == [
        "scalable-webhook: which webhook? name one of Orders/Webhook, Refunds/Webhook"
    ]
    assert (
        "no webhook is called Nope, only Orders/Webhook, Refunds/Late, Refunds/Webhook"
        in run("pause", "Nope", code=1)[0]
    )
    assert "which webhook?" in run("pause", code=1)[0]
    assert account.changes == []


def test_concurrency_is_changed_and_the_app_mentioned(account: Account) -> None:
    assert run("concurrency", "20", "Late") == [
        "changed Refunds/Late from 5 to 20 batches at a time in 0 s",
        "next: put max_concurrency=20 into the app, since a deployment may set it back",
    ]
    assert run("concurrency", "20", "Late") == ["Refunds/Late has 20 batches at a time already"]
    assert run("concurrency", "5", "Late") == ["changed Refunds/Late from 20 to 5 batches at a time in 0 s"]


def test_concurrency_of_a_paused_webhook_leaves_it_paused(account: Account) -> None:
    run("pause", "Late")
    run("concurrency", "3", "Late")
    assert account.mappings["Refunds/Late"]["State"] == "Disabled"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("0", "concurrency must be at least 2, got 0; run: scalable-webhook pause Refunds/Late"),
        ("1", "concurrency must be 2 to 1,000, got 1"),
        ("1001", "concurrency must be 2 to 1,000, got 1,001"),
    ],
)
def test_concurrency_is_within_the_limits_of_lambda(account: Account, number: str, message: str) -> None:
    assert message in run("concurrency", number, "Late", code=1)[0]
    assert account.changes == []


def test_concurrency_is_not_above_what_is_reserved(account: Account) -> None:
    account.reserved = {"ReservedConcurrentExecutions": 6}
    assert "at most 6, the reserved concurrency of the consumer, got 7" in run("concurrency", "7", "Late", code=1)[0]
    run("concurrency", "6", "Late")


@pytest.mark.parametrize(("deployed", "most"), [(5, "5"), ({"Ref": "N"}, "the deployed one")])
def test_with_a_rate_concurrency_is_not_above_the_deployed_one(account: Account, deployed: Any, most: str) -> None:
    account.variables, account.scaling = {"WEBHOOK_SECONDS_EACH": "0.1"}, {"MaximumConcurrency": deployed}
    assert f"at most {most} with max_delivery_rate, got 6" in run("concurrency", "6", "Late", code=1)[0]
    assert account.changes == []


def test_with_a_rate_concurrency_can_be_lowered_and_set_back(account: Account) -> None:
    account.variables = {"WEBHOOK_SECONDS_EACH": "0.1"}
    run("concurrency", "2", "Late")
    run("concurrency", "5", "Late")
    assert len(account.changes) == 2


def test_one_group_has_no_concurrency_to_change(account: Account) -> None:
    del account.mappings["Refunds/Late"]["ScalingConfig"]
    assert "Refunds/Late has one batch at a time" in run("concurrency", "2", "Late", code=1)[0]
