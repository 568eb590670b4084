"""Run cdk-nag, checkov and cfn-lint on every example and on the maximal app.

Each finding has a reason at its resource, and each reason has a finding.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, Environment, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from cdk_scalable_webhook import ScalableWebhook, Sink, findings
from cdk_scalable_webhook.findings import Finding

from .. import apps
from .linting import lint

CHECKOV = Path(sys.prefix) / "checkov" / "bin" / "checkov"
DOCUMENTATION = (apps.ROOT / "docs" / "checkers.md").read_text()
OURS = {name: value for name, value in vars(findings).items() if isinstance(value, Finding)}
KEY = Validations.ACKNOWLEDGED_RULES_METADATA_KEY

# A finding of cdk-nag: its rule, and the path of the construct.
Violation = tuple[str, str]


@dataclass
class Checked:
    """The apps as they are, and without any reasons."""

    apps: Mapping[str, App]
    bare: Mapping[str, App]


@pytest.fixture(scope="module")
def checked() -> Checked:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "acknowledge", lambda *_: None)
        patch.setattr(Validations, "acknowledge", lambda *_: None)
        bare = {name: apps.run(name) for name in apps.APPS}
    return Checked({name: apps.run(name) for name in apps.APPS}, bare)


def of_cdk_nag(scope: IConstruct) -> set[Violation]:
    report = AwsSolutionsChecks().validate_scope(scope)
    return {
        (violation.rule_name, str(resource.construct_path))
        for violation in report.violations
        for resource in violation.violating_resources
    }


def templates(app: App) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack in app.synth().stacks:
        yield stack.stack_name, stack.template


def skipped(template: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the rules that a template tells checkov to skip: logical id, rule and reason."""
    for id, resource in template["Resources"].items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            yield id, skip["id"], skip["comment"]


def ignored(template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the rules that a template tells cfn-lint to ignore: logical id and rule."""
    for id, resource in template["Resources"].items():
        for rule in resource.get("Metadata", {}).get("cfn-lint", {}).get("config", {}).get("ignore_checks", []):
            yield id, rule


@pytest.fixture(scope="module")
def of_checkov(checked: Checked, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[tuple[str, str, str]]]:
    """Return the findings of checkov in both kinds of apps: template, logical id and rule."""
    if not CHECKOV.exists():
        pytest.skip("checkov is not installed; `make environment` does so")
    folder = tmp_path_factory.mktemp("templates")
    for kind, made in (("as they are", checked.apps), ("bare", checked.bare)):
        (folder / kind).mkdir()
        for name, app in made.items():
            for stack, template in templates(app):
                if kind == "bare":
                    for resource in template["Resources"].values():
                        resource.get("Metadata", {}).pop("checkov", None)
                (folder / kind / f"{name}-{stack}.template.json").write_text(json.dumps(template))
    options = ["--framework", "cloudformation", "--output", "json", "--quiet", "--compact", "--skip-download"]
    run = subprocess.run([CHECKOV, "--directory", folder, *options], capture_output=True, text=True, check=False)
    report = json.loads(run.stdout)
    assert report["summary"]["parsing_errors"] == 0
    # Both would lack a rule that checkov could not decide.
    assert report["summary"]["passed"] > 1000
    found: dict[str, set[tuple[str, str, str]]] = {"as they are": set(), "bare": set()}
    for failed in report["results"]["failed_checks"]:
        path = Path(failed["file_path"])
        _, _, id = failed["resource"].rpartition(".")
        found[path.parent.name].add((path.name.removesuffix(".template.json"), id, failed["check_id"]))
    return found


@pytest.mark.parametrize("name", apps.APPS)
def test_cdk_nag_finds_nothing(name: str, checked: Checked) -> None:
    assert of_cdk_nag(checked.apps[name]) == set()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow(6)] if name == "maximal" else []) for name in apps.APPS]
)
def test_cdk_nag_finds_nothing_with_the_flags_of_cdk_init(name: str) -> None:
    assert of_cdk_nag(apps.run(name, context=apps.INIT_FLAGS)) == set()


@pytest.mark.slow(35)
def test_checkov_finds_nothing(of_checkov: Mapping[str, set[tuple[str, str, str]]]) -> None:
    assert of_checkov["as they are"] == set()


@pytest.mark.parametrize("name", apps.APPS)
def test_each_reason_for_cdk_nag_has_a_finding(name: str, checked: Checked) -> None:
    found = of_cdk_nag(checked.bare[name])
    given = {
        (rule, construct.node.path)
        for construct in checked.apps[name].node.find_all()
        for entry in construct.node.metadata
        if entry.type == KEY
        for rule in entry.data
        if rule.startswith("AwsSolutions-")
    }
    assert given
    superfluous = {
        (rule, path)
        for rule, path in given
        if not any(rule == each and f"{where}/".startswith(f"{path}/") for each, where in found)
    }
    assert superfluous == set()


@pytest.mark.slow(35)
def test_each_reason_for_checkov_has_a_finding(
    checked: Checked, of_checkov: Mapping[str, set[tuple[str, str, str]]]
) -> None:
    given = {
        (f"{name}-{stack}", id, rule)
        for name, app in checked.apps.items()
        for stack, template in templates(app)
        for id, rule, _ in skipped(template)
    }
    assert len(given) > 100
    assert given - of_checkov["bare"] == set()


def test_cfn_lint_ignores_its_findings_and_nothing_else(checked: Checked) -> None:
    """tests/synth/test_validation.py checks that it then finds nothing in any app."""
    ((_, template),) = templates(checked.bare["hello"])
    found = lint(template)
    ((_, told),) = templates(checked.apps["hello"])
    assert {(str(each.path[1]), each.rule.id) for each in found} == set(ignored(told))


def test_each_reason_of_the_construct_is_in_one_of_the_apps(checked: Checked) -> None:
    given = {
        reason
        for app in checked.apps.values()
        for construct in app.node.find_all()
        for entry in construct.node.metadata
        if entry.type == KEY
        for reason in entry.data.values()
    } | {
        reason for app in checked.apps.values() for _, template in templates(app) for _, _, reason in skipped(template)
    }
    of_cfn_lint = {
        rule for app in checked.apps.values() for _, template in templates(app) for _, rule in ignored(template)
    }
    missing = {name: each for name, each in OURS.items() if each.reason not in given}
    assert {name for name, each in missing.items() if not set(each.rules) <= of_cfn_lint} == set()


@pytest.mark.parametrize("name", OURS)
def test_each_reason_is_a_sentence_of_its_own(name: str) -> None:
    reason = OURS[name].reason
    assert len(reason.split()) >= 8
    assert reason.endswith(".")
    # Every template contains it.
    assert len(reason) <= 180
    assert [each for each, finding in OURS.items() if finding.reason == reason] == [name]


def test_the_documentation_has_every_rule_with_its_reason() -> None:
    rows = re.findall(r"^\| [^|]+ \| (`(?:AwsSolutions|CKV|W)[^|]+) \| ([^|]+) \|$", DOCUMENTATION, re.MULTILINE)
    told = [(tuple(re.findall(r"`([^`]+)`", rules)), reason) for rules, reason in rows]
    assert told == [(tuple(rule.format("…") for rule in each.rules), each.reason) for each in OURS.values()]


def test_the_program_of_the_documentation_has_the_reasons_in_its_template(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENTATION, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CDK_OUTDIR": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    template = json.loads((tmp_path / "Hello.template.json").read_text())
    rules = [
        rule["id"]
        for resource in template["Resources"].values()
        for rule in resource.get("Metadata", {}).get("cdk_nag", {}).get("rules_to_suppress", [])
    ]
    assert {"AwsSolutions-APIG2", "AwsSolutions-APIG4", "AwsSolutions-COG4"} < set(rules)


@pytest.mark.parametrize("env", [None, Environment(account="123456789012", region="eu-central-1")])
@pytest.mark.parametrize("context", [{}, apps.INIT_FLAGS], ids=["no feature flags", "flags of cdk init"])
def test_a_bucket_of_another_app_is_known_by_its_arn(env: Environment | None, context: dict[str, object]) -> None:
    stack = Stack(App(context=context), "Stack", env=env)
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "payloads")
    ScalableWebhook(stack, "Webhook", large_payloads=bucket, tracing=lambda_.Tracing.PASS_THROUGH)
    assert of_cdk_nag(stack) == set()


def test_resources_that_you_add_are_checked() -> None:
    stack = Stack(App(), "Stack", env=Environment(account="123456789012", region="eu-central-1"))
    vpc = ec2.Vpc(stack, "Vpc", nat_gateways=1, max_azs=2)
    webhook = ScalableWebhook(stack, "Webhook", sink=Sink.http("https://example.com", vpc=vpc), large_payloads=True)
    assert {rule for rule, path in of_cdk_nag(stack) if "/Webhook/" in path} == set()

    bucket = webhook.payload_bucket
    assert bucket
    for action, resource in {"s3:*": bucket.arn_for_objects("*"), "ec2:DescribeRegions": "*"}.items():
        statement = iam.PolicyStatement(actions=[action], resources=[resource])
        webhook.consumer.add_to_role_policy(statement)
    sqs.Queue(webhook, "Mine")
    webhook.api.root.add_resource("mine").add_method("GET")
    assert {re.sub(r"<\w+\.", "<", rule) for rule, path in of_cdk_nag(stack) if "/Webhook/" in path} == {
        "AwsSolutions-IAM5[Action::s3:*]",
        "AwsSolutions-IAM5[Resource::*]",
        "AwsSolutions-IAM5[Resource::<Arn>/*]",
        "AwsSolutions-SQS3",
        "AwsSolutions-SQS4",
        "AwsSolutions-APIG4",
        "AwsSolutions-COG4",
    }


def test_a_reason_is_in_the_metadata_of_its_resource_only() -> None:
    stack = Stack(App(), "Stack")
    webhook = ScalableWebhook(stack, "Webhook")
    for construct in (stack, webhook, webhook.api, webhook.consumer, webhook.queue):
        assert [entry for entry in construct.node.metadata if entry.type == KEY] == []
    given = [each for each in stack.node.find_all() if any(entry.type == KEY for entry in each.node.metadata)]
    assert len(given) == 5
    assert all(CfnResource.is_cfn_resource(each) for each in given)
