"""The apps that are checked: every example, and one with every argument in use."""

import runpy
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import aws_cdk
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/cdk.json"))
APPS = {
    **{folder.name: folder / "app.py" for folder in EXAMPLES},
    "maximal": ROOT / "tests" / "synth" / "maximal.py",
}
# The one that asks for the most.
STRICT = ROOT / "tests" / "deployed" / "strict" / "app.py"

# What an app made by `cdk init` sets, as far as it changes a template of ours.
INIT_FLAGS = {
    "@aws-cdk/core:newStyleStackSynthesis": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-apigateway:disableCloudWatchRole": True,
    "@aws-cdk/aws-apigateway:requestValidatorUniqueId": True,
    "@aws-cdk/aws-lambda:createNewPoliciesWithAddToRolePolicy": True,
    "@aws-cdk/aws-lambda:useCdkManagedLogGroup": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/aws-dynamodb:resourcePolicyPerReplica": True,
}


def install(site_packages: Path) -> None:
    """Build the wheel and unpack it there, as whoever installs it has it."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        zipfile.ZipFile(wheel).extractall(site_packages)


def run(name: str, *, context: Mapping[str, object] | None = None) -> aws_cdk.App:
    """An app of these, synthesised in this process, with more context than it gives itself."""

    def app(**arguments: object) -> aws_cdk.App:
        own = arguments.get("context") or {}
        assert isinstance(own, dict)
        return real(context={**own, **(context or {})})

    real = aws_cdk.App
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws_cdk, "App", app)
        made = runpy.run_path(str(APPS[name]))["app"]
    assert isinstance(made, real)
    return made
