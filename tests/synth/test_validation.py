"""The CDK's own validator on, its findings as errors, and cfn-lint after it: over the examples and the maximal app."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

ROOT = Path(__file__).parents[2]
APPS = {
    **{name: ROOT / "examples" / name / "app.py" for name in ("hello", "direct", "postgres", "python_handler")},
    "maximal": Path(__file__).with_name("maximal.py"),
}


@pytest.mark.parametrize("name", APPS)
def test_an_app_is_clean_to_the_cdks_validator_and_to_cfn_lint(name: str, tmp_path: Path) -> None:
    kept = {variable: value for variable, value in os.environ.items() if variable != "CDK_VALIDATION"}
    context = {"@aws-cdk/core:validateAgainstDefaultRules": True, "@aws-cdk/core:strictCfnValidateErrors": True}
    environment = kept | {"CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": json.dumps(context)}
    run = subprocess.run(
        [sys.executable, str(APPS[name])], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr

    templates = sorted(tmp_path.glob("*.template.json"))
    assert templates
    for template in templates:
        # W3005, a superfluous DependsOn, is what the CDK's own Function writes for the role that it is given.
        config = ManualArgs(regions=["us-east-1"], ignore_checks=["W3005"])
        assert [str(finding) for finding in lint(template.read_text(), config=config)] == []
