import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from scalable_webhook_cli import deployed
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import deploy as deployments
from scalable_webhook_cli.local.emulator import Emulator

from ...suite.patience import SECONDS


@pytest.fixture
def emulator(tmp_path: Path) -> Emulator:
    """Return an emulator that is not running, since these tests do not call it."""
    return Emulator(home=tmp_path, endpoint="http://127.0.0.1:9", processes=())


def assembly(folder: Path, **artifacts: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def stack(environment: str, **properties: str) -> dict[str, object]:
    return {"type": "aws:cloudformation:stack", "environment": environment, "properties": properties}


def test_a_template_is_edited_for_the_local_aws_and_differences_are_reported(tmp_path: Path) -> None:
    address, queue = {"Type": "AWS::EC2::EIP"}, {"Type": "AWS::SQS::Queue"}
    assembly(tmp_path / "assembly-Prod")
    assembly(tmp_path, Prod={"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}})
    files = [tmp_path / "One.template.json", tmp_path / "assembly-Prod" / "Two.template.json"]
    for file in files:
        acl = {"Type": "AWS::WAFv2::WebACLAssociation"}
        file.write_text(json.dumps({"Resources": {"Acl": acl, "Address": address, "Queue": queue}, "Outputs": {}}))
    (tmp_path / "Same.template.json").write_text('{"Resources":   {}}')
    (line,) = deployments._make_local(tmp_path, [])
    assert line.endswith(": 2 x AWS::EC2::EIP, 2 x AWS::WAFv2::WebACLAssociation")
    for file in files:
        assert json.loads(file.read_text()) == {"Resources": {"Queue": queue}, "Outputs": {}}
    assert (tmp_path / "Same.template.json").read_text() == '{"Resources":   {}}'


def test_an_assembly_has_the_stacks_of_its_stages_too(emulator: Emulator, tmp_path: Path) -> None:
    assembly(tmp_path / "assembly-Prod", ProdApi=stack("aws://000000000000/eu-west-1", stackName="Prod-Api"))
    top = assembly(
        tmp_path,
        Tree={"type": "cdk:tree"},
        Here=stack("aws://unknown-account/unknown-region", bootstrapStackVersionSsmParameter="/b/version"),
        Prod={"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}},
    )
    stacks = {(found.name, found.region, found.version) for found in deployments._stacks_of(top, emulator)}
    assert stacks == {
        ("Here", "us-east-1", "/b/version"),
        ("Prod-Api", "eu-west-1", "/cdk-bootstrap/hnb659fds/version"),
    }


class CloudFormation:
    """Stacks with these physical ids. One that ends with an exclamation mark is a nested stack."""

    def __init__(self, status: str = "CREATE_COMPLETE", **stacks: list[str]) -> None:
        self._status, self._stacks = status, stacks

    def get_paginator(self, _: str) -> "CloudFormation":
        return self

    def paginate(self) -> list[dict[str, Any]]:
        outputs = [{"Description": "Webhook URL of x", "OutputValue": "https://a.execute-api.here.amazonaws.com/prod/"}]
        stacks = [{"StackName": name, "Outputs": outputs, "StackStatus": self._status} for name in self._stacks]
        return [{"Stacks": stacks}]

    def describe_stack_resources(self, StackName: str) -> dict[str, Any]:
        found = []
        for id in self._stacks[StackName]:
            arn = f"arn:aws:cloudformation:here:0:stack/{id[:-1]}/1-2" if id.endswith("!") else id
            type = "AWS::CloudFormation::Stack" if id.endswith("!") else "AWS::SQS::Queue"
            found.append({"PhysicalResourceId": arn, "ResourceType": type})
        return {"StackResources": [{}, *found]}


@pytest.fixture
def nested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Create two regions: one has a stack with nested stacks, the other a stack of the same name."""
    stacks = {
        "here": CloudFormation(
            One=["/one/log", "One-Function", "Nested!"], Nested=["/in/log", "Deep!"], Deep=["/deep"]
        ),
        "there": CloudFormation(Two=["/two/log"], Nested=["/other/log"]),
    }
    monkeypatch.setattr(deployments, "regions", lambda _: list(stacks))
    monkeypatch.setattr(Emulator, "client", lambda self, service: stacks[self.region])
    monkeypatch.setattr(deployed, "reachable", lambda target, url: url)


@pytest.mark.usefixtures("nested")
def test_the_endpoints_of_an_app_are_those_of_its_stacks_and_the_stacks_in_them(emulator: Emulator) -> None:
    assert [webhook.stack for webhook in deployments.endpoints(emulator)] == ["One", "Nested", "Deep", "Two", "Nested"]
    of_the_app = deployments._endpoints_of(emulator, [deployments._Stack("One", "000000000000", "here", "One")])
    assert [webhook.stack for webhook in of_the_app] == ["One", "Nested", "Deep"]
    of_another = deployments._endpoints_of(emulator, [deployments._Stack("Two", "000000000000", "there", "Two")])
    assert [webhook.stack for webhook in of_another] == ["Two"]


@pytest.mark.parametrize(
    ("status", "complete"),
    [
        *(("CREATE_COMPLETE", True), ("UPDATE_COMPLETE", True), ("UPDATE_ROLLBACK_COMPLETE", True)),
        *(("CREATE_IN_PROGRESS", False), ("ROLLBACK_COMPLETE", False), ("DELETE_FAILED", False)),
    ],
)
def test_an_incomplete_stack_is_reported_with_a_remedy(
    status: str, complete: bool, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks = {"here": CloudFormation(status, One=[]), "there": CloudFormation("CREATE_IN_PROGRESS", One=[], Two=[])}
    monkeypatch.setattr(Emulator, "client", lambda self, service: stacks[self.region])
    ours = [
        deployments._Stack("One", "000000000000", "here", "One"),
        deployments._Stack("Empty", "000000000000", "there", "Empty"),
    ]
    if complete:
        deployments._require_complete(emulator, Path("app"), ours)
        return
    with pytest.raises(
        CliError, match=rf"^stack One must be .*, got {status}, .*; scalable-webhook local destroy app,"
    ):
        deployments._require_complete(emulator, Path("app"), ours)


def test_a_stack_for_a_real_account_is_rejected(emulator: Emulator, tmp_path: Path) -> None:
    top = assembly(tmp_path, Orders=stack("aws://111122223333/eu-west-1"))
    with pytest.raises(CliError, match=r"stack Orders is for account 111122223333.*CDK_DEFAULT_ACCOUNT"):
        deployments._named(list(deployments._stacks_of(top, emulator)), (), emulator)


def test_stacks_may_be_named_and_only_those_have_to_be_for_the_local_aws(emulator: Emulator, tmp_path: Path) -> None:
    here, account = "aws://unknown-account/unknown-region", "aws://111122223333/eu-west-1"
    nested = assembly(tmp_path / "assembly-Dev", DevShop=stack(here) | {"displayName": "Dev/Shop (Dev-Shop)"})
    assert nested
    top = assembly(
        tmp_path,
        ShopDev=stack(here, stackName="Shop-dev") | {"displayName": "ShopDev (Shop-dev)"},
        ShopProd=stack(account),
        Dev={"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Dev"}},
    )
    found = list(deployments._stacks_of(top, emulator))

    def named(*names: str) -> list[str]:
        return [each.path for each in deployments._named(found, names, emulator)]

    assert named("ShopDev") == ["ShopDev"]
    assert sorted(named("Dev/*", "ShopDev")) == ["Dev/Shop", "ShopDev"]
    with pytest.raises(CliError, match="stack ShopProd is for account 111122223333"):
        named("Shop*")
    with pytest.raises(CliError, match=r"^the app has no stack Shop, only "):
        named("Shop")


def test_the_cdk_sees_the_local_aws_and_no_other(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("CDK_DEFAULT_ACCOUNT", "111122223333")
    environment = deployments._environment(emulator)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & environment.keys()
    assert environment.items() >= emulator.environment().items()
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


@pytest.mark.parametrize(
    ("verbose", "users_own", "seen"), [(False, None, "false"), (True, None, ""), (False, "true", "true")]
)
def test_the_cdk_validates_only_if_its_report_is_shown(
    verbose: bool,
    users_own: str | None,
    seen: str,
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _program(tmp_path / "node", "exit 0")
    _program(tmp_path / "cdk", f'echo "$CDK_VALIDATION" > {tmp_path}/seen; exit 3')
    _only_programs_of(tmp_path, monkeypatch)
    monkeypatch.delenv("CDK_VALIDATION")
    if users_own:
        monkeypatch.setenv("CDK_VALIDATION", users_own)
    (tmp_path / "cdk.json").write_text("{}")
    with pytest.raises(CliError, match="cdk synth failed"):
        deployments.deploy(emulator, tmp_path, verbose=verbose)
    assert (tmp_path / "seen").read_text().strip() == seen


@pytest.mark.parametrize("missing", ["cdk", "node"])
def test_a_missing_program_is_reported_in_one_sentence(
    emulator: Emulator, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"cdk", "node"} - {missing}:
        _program(tmp_path / name, "exit 0")
    _only_programs_of(tmp_path, monkeypatch)
    (tmp_path / "cdk.json").write_text("{}")
    with pytest.raises(CliError, match=rf'{missing} is not installed.*pip install "cdk-scalable-webhook\[local\]"'):
        deployments.deploy(emulator, tmp_path)


def test_the_output_of_the_cdk_is_printed_if_it_fails(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "node", "exit 0")
    _program(tmp_path / "cdk", "echo to stdout; echo to stderr >&2; exit 3")
    _only_programs_of(tmp_path, monkeypatch)
    (tmp_path / "cdk.json").write_text("{}")
    with pytest.raises(CliError, match=r"cdk synth failed in .*\nto stdout\nto stderr$"):
        deployments.deploy(emulator, tmp_path)


def test_the_cause_is_printed_if_it_fails_and_not_the_rest(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "node", "exit 0")
    lines = [
        "One: start: Building One/Code",
        "One: success: Published One Template (current_account-current_region)",
        "One |   0/114 | 4:58:04 AM | CREATE_IN_PROGRESS | AWS::SQS::Queue | One/Queue (Queue1)",
        "Failed resources:",
        "One | 4:58:04 AM | CREATE_FAILED | AWS::EC2::SecurityGroup | Group (Group1) it does not exist",
    ]
    _program(tmp_path / "cdk", "\n".join(f"echo '{line}'" for line in lines) + "\nexit 1")
    _only_programs_of(tmp_path, monkeypatch)
    (tmp_path / "cdk.json").write_text("{}")
    with pytest.raises(CliError) as failed:
        deployments.deploy(emulator, tmp_path)
    assert str(failed.value).splitlines()[1:] == [
        lines[-1],
        "run it again with --verbose to see all that the CDK printed",
    ]


def test_an_interrupt_ends_all_that_the_cdk_started(tmp_path: Path) -> None:
    _program(tmp_path / "node", "exit 0")
    _program(tmp_path / "cdk", "/bin/sh -c '/bin/sleep 60; :' & wait")
    (tmp_path / "cdk.json").write_text("{}")
    code = f"""
import sys
from pathlib import Path
from scalable_webhook_cli.local import deploy
from scalable_webhook_cli.local.emulator import Emulator
sys.executable = {str(tmp_path / "python")!r}
deploy.deploy(Emulator(home=Path(), endpoint="http://127.0.0.1:9", processes=()), Path({str(tmp_path)!r}))
"""
    deploying = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    started: list[psutil.Process] = []
    give_up = time.monotonic() + SECONDS
    while not any(process.name() == "sleep" for process in started) and time.monotonic() < give_up:
        started = psutil.Process(deploying.pid).children(recursive=True)
        time.sleep(0.01)
    deploying.send_signal(signal.SIGINT)
    _, said = deploying.communicate(timeout=SECONDS)
    assert "KeyboardInterrupt" in said
    assert len(started) >= 2
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in started)


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _only_programs_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder))
