"""The apps for checks: every example, and one that uses every argument."""

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
# The app with the most permissions.
STRICT = ROOT / "tests" / "deployed" / "strict" / "app.py"

# The flags of an app made by `cdk init`, as far as they change our templates.
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
    """Build the wheel and unpack it into a folder, as an installation does."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        zipfile.ZipFile(wheel).extractall(site_packages)


def run(name: str, *, context: Mapping[str, object] | None = None) -> aws_cdk.App:
    """Run one of these apps in this process, with additional context."""

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
