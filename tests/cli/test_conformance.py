"""``scalable-webhook conformance``: what it asks, compares, prints and leaves. An AWS of fakes has one endpoint."""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scalable_webhook_cli.commands import app, conforming
from scalable_webhook_cli.conformance import places, report
from scalable_webhook_cli.conformance import run as runs
from scalable_webhook_cli.conformance.case import ANY, Case, Facts, Locally, differences, shown
from scalable_webhook_cli.conformance.cases import CASES, NOT_TRIED
from scalable_webhook_cli.conformance.cases.locally import LOCALLY
from scalable_webhook_cli.conformance.places import Account
from scalable_webhook_cli.conformance.run import Outcome, Row
from scalable_webhook_cli.conformance.ways import WAYS
from scalable_webhook_cli.conformance.world import STACK, World
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target

from ..recorded.facts import FACTS

ACCOUNT, KEY, SECRET = "123456789012", "AKIAIOSFODNN7EXAMPLE", "a/secret+of=AWS"
API_KEY, API, CALLER = "the-value-of-the-api-key", "a1b2c3d4e5", f"arn:aws:iam::{ACCOUNT}:user/anna"
SECRETS = [ACCOUNT, KEY, SECRET, API_KEY, API, CALLER, "anna"]


class Aws:
    """Every service of an account, or of the local AWS: each method is one call."""

    def __init__(self, endpoint: str = "https://sts.eu-west-1.amazonaws.com") -> None:
        self.meta, self.region_name, self.endpoint_url = self, "eu-west-1", endpoint
        self.deployed = False
        self.deleted: list[str] = []
        self.objects = ["stored/1"]
        self.log_role: str | None = None
        self.bootstrapped = True
        self.fails_to_delete = ""
        self.profile = None
        self.exceptions = self
        self.ParameterNotFound = KeyError

    def client(self, _service: str) -> "Aws":
        return self

    def credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials(KEY, SECRET, None)

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT, "Arn": CALLER}

    def get_account(self) -> dict[str, str]:
        return {"cloudwatchRoleArn": self.log_role} if self.log_role else {}

    def get_parameter(self, Name: str) -> dict[str, str]:
        if not self.bootstrapped:
            raise KeyError(Name)
        return {"Name": Name}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == STACK
        if not self.deployed:
            error = {"Code": "ValidationError", "Message": f"Stack with id {STACK} does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")
        outputs = [{"OutputKey": "ApiKey", "OutputValue": "id"}]
        status = "DELETE_FAILED" if self.deleted else "CREATE_COMPLETE"
        return {"Stacks": [{"StackStatus": status, "StackStatusReason": self.fails_to_delete, "Outputs": outputs}]}

    def get_api_key(self, apiKey: str, includeValue: bool) -> dict[str, str]:
        return {"value": API_KEY}

    def get_paginator(self, operation: str) -> "Aws":
        self._operation = operation
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        if self._operation == "list_objects_v2":
            return [{"Contents": [{"Key": key} for key in self.objects]}] if self.objects else [{}]
        bucket = {"ResourceType": "AWS::S3::Bucket", "PhysicalResourceId": "bucket"}
        # A bucket that is not there yet has no name.
        return [{"StackResourceSummaries": [bucket, {"ResourceType": "AWS::S3::Bucket"}]}]

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> None:
        self.objects = [key for key in self.objects if key not in [each["Key"] for each in Delete["Objects"]]]

    def delete_stack(self, StackName: str) -> None:
        self.deleted.append(StackName)
        self.deployed = bool(self.fails_to_delete)


class Place:
    """A place whose AWS is these fakes."""

    def __init__(self, aws: Aws) -> None:
        self.target: Any = aws
        self.by_hand = "destroy --by-hand"

    def deploy(self) -> None:
        self.target.deployed = True


def case(id: str, expected: Facts | None = None, **more: Any) -> Case:
    return Case(id=id, shows="it", way="fake", expected={"Text": expected}, source="a test", **more)


def saw(*seen: Facts | BaseException) -> Callable[[World, Sequence[Case]], Iterator[tuple[Case, str, Facts]]]:
    """Return a way that sees this of one case after the other."""

    def way(_: World, cases: Sequence[Case]) -> Iterator[tuple[Case, str, Facts]]:
        for each, facts in zip(cases, seen, strict=False):
            if isinstance(facts, BaseException):
                raise facts
            yield each, "Text", facts

    return way


Invoke = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def invoke(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return a function that runs the command with these cases, and what is seen of each."""

    def invoke(cases: list[Case], *seen: Facts | BaseException, options: Sequence[str] = ()) -> tuple[int, list[str]]:
        @contextmanager
        def place(*_: object, **__: object) -> Iterator[Place]:
            yield Place(aws)

        monkeypatch.setattr(runs, "CASES", cases)
        monkeypatch.setattr(conforming, "_place", place)
        monkeypatch.setitem(WAYS, "fake", saw(*seen))
        result = CliRunner().invoke(app, ["conformance", *options])
        return result.exit_code, result.output.splitlines()

    return invoke


def test_all_as_expected_ends_with_the_count_and_destroys_the_app(invoke: Invoke, aws: Aws) -> None:
    cases = [case("a.one", {"status": 202}), case("a.two", {"payload": "x", "headers": {"b": ANY, "c": None}})]
    code, lines = invoke(cases, {"status": 202, "more": 1}, {"payload": "x", "headers": {"b": "anything"}})
    assert (code, lines[-1]) == (0, "2 of 2 as expected")
    assert [line for line in lines if line.startswith("a.one")] == [f"{'a.one':24} {'Text':14} {'202':20} the same"]
    assert (aws.deleted, aws.deployed, aws.objects) == ([STACK], False, [])


def test_a_case_that_differs_is_shown_with_both_values_and_exits_with_1(invoke: Invoke, aws: Aws) -> None:
    cases = [case("a.one", {"status": 202, "path": "/a%20b"}), case("a.two", {"status": 202})]
    code, lines = invoke(cases, {"status": 202, "path": "/a b"}, {"status": 202})
    assert (code, lines[-1]) == (1, "1 of 2 as expected")
    assert "  path: /a b, not /a%20b" in lines
    assert aws.deleted == [STACK]


def test_what_nobody_knew_is_recorded_and_not_counted(invoke: Invoke) -> None:
    cases = [case("a.one", None, fields=["headers.x-odd"]), case("a.two", {"status": 202})]
    code, lines = invoke(cases, {"status": 202, "headers": {"x-odd": "Zoë"}}, {"status": 202})
    assert (code, lines[-1]) == (0, "1 of 1 as expected")
    assert "  headers.x-odd: Zoë" in lines
    assert any(line.startswith("1 recorded: ") for line in lines)


@pytest.mark.parametrize(
    ("seen", "locally", "code", "line"),
    [
        (404, True, 0, "  status: 404, not 202"),
        (202, True, 1, "  status: 202, not 404"),
        (404, False, 1, "  status: 404, not 202"),
        (202, False, 0, ""),
    ],
)
def test_a_difference_that_is_known_is_known_locally_only_and_as_long_as_it_is_there(
    seen: int, locally: bool, code: int, line: str, invoke: Invoke, aws: Aws
) -> None:
    known = case("a.one", {"status": 202}, locally={"Text": Locally({"status": 404}, "it is no AWS")})
    if locally:
        aws.endpoint_url = "http://127.0.0.1:4566"
    found, lines = invoke([known], {"status": seen})
    assert found == code
    assert line in lines
    assert ("  it is no AWS" in lines) == (locally and seen == 404)


def test_a_way_that_fails_fails_its_own_cases_alone(invoke: Invoke, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no right to read"}}, "ReceiveMessage")
    monkeypatch.setitem(WAYS, "other", saw({"status": 202}))
    other = Case(id="b.one", shows="it", way="other", expected={"Text": {"status": 202}}, source="a test")
    cases = [case("a.one", {"status": 202}), case("a.two", {"status": 202}), other]
    code, lines = invoke(cases, {"status": 202}, denied)
    assert (code, lines[-1]) == (1, "2 of 3 as expected")
    said = " ".join(lines)
    assert "(AccessDenied)" in said
    assert "no right to read" in said
    assert aws.deleted == [STACK]


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(9)])
def test_a_run_that_is_ended_destroys_the_app(ending: BaseException, invoke: Invoke, aws: Aws) -> None:
    code, _ = invoke([case("a.one", {"status": 202})], ending)
    assert code != 0
    assert (aws.deleted, aws.deployed) == ([STACK], False)


def test_an_interrupt_while_the_app_is_destroyed_does_not_keep_it(
    invoke: Invoke, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, interrupts = aws.delete_objects, [KeyboardInterrupt()]

    def delete(**what: Any) -> None:
        if interrupts:
            raise interrupts.pop()
        empty(**what)

    monkeypatch.setattr(aws, "delete_objects", delete)
    code, lines = invoke([case("a.one", {"status": 202})], {"status": 202})
    assert code != 0
    assert (aws.deleted, aws.deployed) == ([STACK], False)
    assert any(line.endswith("if you kill it, destroy --by-hand") for line in lines)


def test_a_deployment_that_fails_is_destroyed_too(invoke: Invoke, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Place) -> None:
        self.target.deployed = True
        raise CliError("cdk deploy failed")

    monkeypatch.setattr(Place, "deploy", fails)
    code, lines = invoke([case("a.one", {"status": 202})])
    assert (code, lines[-1]) == (1, "scalable-webhook: cdk deploy failed")
    assert (aws.deleted, aws.deployed) == ([STACK], False)


def test_without_a_deployment_there_is_nothing_to_empty(
    invoke: Invoke, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Place) -> None:
        raise CliError("cdk deploy failed in its synth")

    monkeypatch.setattr(Place, "deploy", fails)
    code, lines = invoke([case("a.one", {"status": 202})])
    assert (code, lines[-1]) == (1, "scalable-webhook: cdk deploy failed in its synth")
    assert aws.objects == ["stored/1"]


def test_an_app_that_cannot_be_destroyed_is_told_with_the_way_by_hand(invoke: Invoke, aws: Aws) -> None:
    aws.fails_to_delete = "The following resource(s) failed to delete: [Key]"
    code, lines = invoke([case("a.one", {"status": 202})], {"status": 202})
    assert code == 1
    assert "1 of 1 as expected" in lines
    assert lines[-2:] == [
        "not destroyed: CloudFormation says: The following resource(s) failed to delete: [Key]",
        "destroy it by hand: destroy --by-hand",
    ]


def test_a_stack_that_does_not_go_away_is_told(invoke: Invoke, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "wait_for", lambda *_, **__: False)
    code, lines = invoke([case("a.one", {"status": 202})], {"status": 202})
    assert code == 1
    assert f"not destroyed: {STACK} is still there after 30 minutes" in lines


def test_keep_leaves_the_app_and_tells_how_to_destroy_it(invoke: Invoke, aws: Aws) -> None:
    code, lines = invoke([case("a.one", {"status": 202})], {"status": 202}, options=["--keep"])
    assert (code, aws.deleted, aws.deployed) == (0, [], True)
    assert lines[-1] == "the app is still there; destroy it by: destroy --by-hand"


def test_keep_leaves_the_app_when_the_run_is_ended(invoke: Invoke, aws: Aws) -> None:
    code, _ = invoke([case("a.one", {"status": 202})], KeyboardInterrupt(), options=["--keep"])
    assert (code != 0, aws.deleted) == (True, [])


def test_json_has_all_that_was_seen(invoke: Invoke) -> None:
    cases = [case("a.one", {"status": 202}), case("a.two", None)]
    code, lines = invoke(cases, {"status": 400, "answer": "no"}, {"status": 202}, options=["--json"])
    told = json.loads(next(line for line in lines if line.startswith("{")))
    assert (code, told["aws"], told["region"]) == (1, "account", "eu-west-1")
    assert told["counted"] == {"differs": 1, "recorded": 1}
    assert told["rows"][0] == {
        "case": "a.one",
        "ingress": "Text",
        "shows": "it",
        "source": "a test",
        "status": "differs",
        "expected": {"status": 202},
        "seen": {"status": 400, "answer": "no"},
    }
    assert told["not_tried"].keys() == {each.id for each in NOT_TRIED}


def test_neither_table_nor_json_has_a_secret(invoke: Invoke) -> None:
    said = (
        f"{CALLER} of {ACCOUNT} with {KEY} may not call https://{API}.execute-api.eu-west-1.amazonaws.com ({API_KEY})"
    )
    seen = {"status": 403, "answer": said, "headers": {API_KEY: SECRET, "arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"}}
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": said}}, "ReceiveMessage")
    cases = [case("a.one", {"status": 202, "answer": "x"}), case("a.two", None, fields=["answer"]), case("a.three", {})]
    for options in ([], ["--json"]):
        _, lines = invoke(cases, seen, seen, denied, options=options)
        assert [secret for secret in SECRETS if secret in "\n".join(lines)] == []
        assert any("(account)" in line for line in lines)


@given(
    st.recursive(
        st.sampled_from([*SECRETS[:-1], "ASIAIOSFODNN7EXAMPLE", "210987654321", "********9012"]).flatmap(
            lambda secret: st.tuples(st.text("ab :/-", max_size=5), st.just(secret), st.just(" x")).map("".join)
        ),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SECRETS), inner, max_size=3),
        max_leaves=10,
    )
)
def test_no_value_however_deep_brings_a_secret_into_a_report(value: object) -> None:
    secrets = dict.fromkeys(SECRETS, "(secret)")
    row = Row(case("a.one"), "Text", None, {"x": value}, "recorded")
    told = json.dumps(report.told(Outcome([row], secrets), local=False, region="eu-west-1"))
    for secret in (*SECRETS, "ASIAIOSFODNN7EXAMPLE", "********9012"):
        assert secret not in told


def test_a_line_of_the_table_fits_a_terminal_of_80_columns(invoke: Invoke) -> None:
    long = "w\nö" * 300
    cases = [case(f"a.{'x' * 50}", {"status": 202, "payload": long}), case("a.two", None, fields=["payload"])]
    _, lines = invoke(cases, {"status": 202, "payload": long.upper()}, {"payload": long})
    assert max(map(len, lines)) <= 80


def test_text_of_a_stranger_has_no_effect_on_a_terminal(invoke: Invoke) -> None:
    _, lines = invoke([case("a.one", None, fields=["answer"])], {"status": 200, "answer": "\x1b[2J\u202ex"})
    assert not any(re.search("[\x1b\u202e]", line) for line in lines)


def test_only_the_chosen_cases_are_tried() -> None:
    assert {each.id.partition(".")[0] for each in runs.chosen(["path", "answer.graph"])} == {"path", "answer"}
    assert len(runs.chosen([])) == len(CASES)


def test_a_prefix_of_no_case_is_rejected_before_anything_is_deployed(aws: Aws, invoke: Invoke) -> None:
    code, lines = invoke([case("a.one")], options=["--only", "b"])
    assert (code, lines) == (1, ["scalable-webhook: no case begins with b; the groups are a"])
    assert not aws.deployed


# The question in an account.


@pytest.fixture
def account(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Return a function that runs the command with a profile, and this answer to its question."""
    monkeypatch.setattr(Target, "client", lambda *_: aws)
    monkeypatch.setattr(Target, "credentials", lambda _: aws.credentials())
    monkeypatch.setattr(Account, "deploy", lambda _: setattr(aws, "deployed", True))
    monkeypatch.setattr(runs, "CASES", [case("a.one", {"status": 202})])
    monkeypatch.setitem(WAYS, "fake", saw({"status": 202}))

    def account(*options: str, answer: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(app, ["conformance", "--profile", "test", *options], input=answer)
        return result.exit_code, result.output

    return account


def test_an_account_is_told_what_comes_and_asked(account: Callable[..., tuple[int, str]], aws: Aws) -> None:
    code, said = account(answer="n\n")
    assert code != 0
    assert (aws.deployed, aws.deleted) == (False, [])
    for told in (STACK, "6 REST APIs", "0.25 USD", "AWS::ApiGateway::Account", "cdk bootstrap", "destroys the stack"):
        assert told in said, told
    assert "No run in an account is\nknown yet" in said
    assert f"in eu-west-1 of account {ACCOUNT}? [y/N]" in said
    assert max(map(len, said.splitlines())) <= 100


def test_yes_answers_the_question(account: Callable[..., tuple[int, str]], aws: Aws) -> None:
    assert account(answer="y\n")[0] == 0
    code, said = account("--yes")
    assert (code, said.splitlines()[-1]) == (0, "1 of 1 as expected")
    assert aws.deleted == [STACK] * 2


def test_a_role_for_logs_that_is_there_is_kept(account: Callable[..., tuple[int, str]], aws: Aws) -> None:
    aws.log_role = "arn:aws:iam::123456789012:role/logs"
    assert "which is kept" in account(answer="n\n")[1]


def test_an_app_of_an_earlier_run_is_told(account: Callable[..., tuple[int, str]], aws: Aws) -> None:
    aws.deployed = True
    assert "is there already, of an earlier run" in account(answer="n\n")[1]


def test_a_region_without_bootstrap_is_rejected_with_the_command(
    account: Callable[..., tuple[int, str]], aws: Aws
) -> None:
    aws.bootstrapped = False
    code, said = account("--yes")
    assert (code, aws.deployed) == (1, False)
    assert said.strip().endswith(f"run: cdk bootstrap aws://{ACCOUNT}/eu-west-1")


def test_the_cdk_gets_the_profile_its_region_and_the_role_that_is_there(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "cdk"
    program.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\necho "$@" > {tmp_path}/arguments\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of another account")
    monkeypatch.setenv("AWS_CA_BUNDLE", "kept")
    monkeypatch.setattr(Target, "client", lambda *_: aws)
    aws.log_role = "arn:aws:iam::123456789012:role/logs"
    Account(Target(profile="test")).deploy()
    variables = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert variables["AWS_PROFILE"] == "test"
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert variables["AWS_CA_BUNDLE"] == "kept"
    assert "of another account" not in variables.values()
    arguments = (tmp_path / "arguments").read_text()
    assert arguments.startswith(f"deploy {STACK} --require-approval never")
    assert "--context log_role=arn:aws:iam::123456789012:role/logs" in arguments


def test_the_way_by_hand_names_stack_region_and_profile(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Target, "client", lambda *_: aws)
    by_hand = Account(Target(profile="test")).by_hand
    assert by_hand == f"aws cloudformation delete-stack --stack-name {STACK} --region eu-west-1 --profile test"


# The cases.


def test_each_case_is_one_and_has_a_way_a_source_and_fields() -> None:
    ids = [each.id for each in CASES]
    assert len(ids) == len(set(ids)) > 100
    assert {each.way for each in CASES} == WAYS.keys()
    for each in CASES:
        assert re.fullmatch(r"[a-z]+\.[A-Za-z0-9.+-]+", each.id), each.id
        assert (
            each.source.startswith(("fact", "https://docs.aws.amazon.com/")) or "no one has recorded it" in each.source
        )
        assert each.fields or None not in each.expected.values(), each.id
    assert not set(ids) & {each.id for each in NOT_TRIED}


def test_each_fact_that_a_case_names_is_recorded() -> None:
    named = {
        name
        for each in CASES
        if each.source.startswith("fact")
        for name in re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)+", each.source)
    }
    assert len(named) > 20
    assert named <= FACTS.keys()


def test_each_known_difference_is_of_an_endpoint_with_an_expectation_and_differs_from_it() -> None:
    known = {id: each for id, each in LOCALLY.items() if id in {case.id for case in CASES}}
    assert known.keys() == LOCALLY.keys()
    for each in CASES:
        for ingress, locally in each.locally.items():
            expected = each.expected[ingress]
            assert expected is not None
            assert differences(expected, {**expected, **locally.facts}), each.id


def test_differences_are_of_expected_fields_alone() -> None:
    expected = {"status": 202, "headers": {"a": "1", "gone": None, "any": ANY}, "list": [1]}
    seen = {"status": 202, "headers": {"a": "1", "any": "x", "more": "2"}, "list": [1], "more": 3}
    assert differences(expected, seen) == {}
    assert differences(expected, {**seen, "headers": {"a": "2", "gone": "x"}, "list": [1, 2]}) == {
        "headers.a": ("1", "2"),
        "headers.gone": (None, "x"),
        "headers.any": (ANY, None),
        "list": ([1], [1, 2]),
    }
    assert differences({"headers": {"a": "1"}}, {}) == {"headers": ({"a": "1"}, None)}


@given(st.binary(max_size=200))
def test_payloads_that_differ_are_shown_differently(payload: bytes) -> None:
    assert shown(payload).isprintable()
    assert len(shown(payload)) < 70
    if payload:
        assert shown(payload) != shown(payload[:-1])
