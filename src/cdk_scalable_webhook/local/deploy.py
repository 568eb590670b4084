"""Deploying CDK apps to the local AWS, with the real CDK CLI."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cdk_scalable_webhook.local.emulator import Emulator, LocalError
from cdk_scalable_webhook.local.rest_api import client

_URL = re.compile(r"https://(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.[^/]+/(?P<rest>.*)")
_DESCRIPTION = re.compile(r"Webhook URL of (?P<name>.+)")


@dataclass(frozen=True)
class DeployedWebhook:
    """A webhook of the local AWS: its construct's path, its stack, and the URL to send to."""

    name: str
    stack: str
    url: str


def deploy(emulator: Emulator, app_dir: Path, *, verbose: bool = False) -> list[DeployedWebhook]:
    """Deploy every stack of a CDK app, bootstrapping the local AWS first where that was not done.

    Returns:
        The app's webhooks.

    Raises:
        LocalError: There is no app, or the CDK failed; the message has what the CDK said.
    """
    _require_app(app_dir)
    with tempfile.TemporaryDirectory() as folder:
        assembly, outputs = Path(folder, "assembly"), Path(folder, "outputs.json")
        _cdk(emulator, app_dir, ["synth", "--quiet", "--output", str(assembly)], verbose=verbose)
        if not _is_bootstrapped(emulator):
            environment = f"aws://{emulator.account}/{emulator.region}"
            _cdk(emulator, app_dir, ["bootstrap", environment, "--app", str(assembly)], verbose=verbose)
        approved = ["--all", "--require-approval", "never", "--outputs-file", str(outputs)]
        _cdk(emulator, app_dir, ["deploy", "--app", str(assembly), *approved], verbose=verbose)
        stacks = json.loads(outputs.read_text()) if outputs.exists() else {}
    return [webhook for webhook in webhooks(emulator) if webhook.stack in stacks]


def destroy(emulator: Emulator, app_dir: Path, *, verbose: bool = False) -> None:
    """Destroy every stack of a CDK app.

    Raises:
        LocalError: There is no app, or the CDK failed.
    """
    _require_app(app_dir)
    with tempfile.TemporaryDirectory() as assembly:
        _cdk(emulator, app_dir, ["destroy", "--all", "--force", "--output", assembly], verbose=verbose)


def webhooks(emulator: Emulator) -> list[DeployedWebhook]:
    """Every webhook that is deployed, whichever tool deployed it: its construct says so in an output of its stack."""
    return [
        DeployedWebhook(name=named["name"], stack=stack["StackName"], url=local_url(emulator, output["OutputValue"]))
        for stack in _stacks(emulator)
        for output in stack.get("Outputs", [])
        if (named := _DESCRIPTION.fullmatch(output.get("Description", "")))
    ]


def local_url(emulator: Emulator, url: str) -> str:
    """Where an API of AWS is to be found locally."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise LocalError(
            f"a webhook's URL must be one of API Gateway's own, got {url}; custom domains have no local twin"
        )
    return f"{emulator.endpoint}/_aws/execute-api/{parts['api']}/{parts['rest']}"


def _stacks(emulator: Emulator) -> Iterator[dict[str, Any]]:
    pages = client("cloudformation", emulator.endpoint, emulator.region).get_paginator("describe_stacks").paginate()
    return (stack for page in pages for stack in page["Stacks"])


def _is_bootstrapped(emulator: Emulator) -> bool:
    cloudformation = client("cloudformation", emulator.endpoint, emulator.region)
    try:
        return bool(cloudformation.describe_stacks(StackName="CDKToolkit")["Stacks"])
    except ClientError:
        return False


def _require_app(app_dir: Path) -> None:
    if not (app_dir / "cdk.json").is_file():
        raise LocalError(f"a CDK app has a cdk.json, and {app_dir} has none; name the folder of an app")


def _cdk(emulator: Emulator, app_dir: Path, arguments: list[str], *, verbose: bool) -> None:
    """Run the CDK CLI in the app's folder."""
    run = subprocess.run(
        [_cli(), *arguments, "--no-notices", "--no-version-reporting"],
        cwd=app_dir,
        env=_environment(emulator),
        stdin=subprocess.DEVNULL,
        stdout=None if verbose else subprocess.PIPE,
        stderr=None if verbose else subprocess.STDOUT,
        check=False,
        text=True,
    )
    if run.returncode:
        raise LocalError(f"cdk {arguments[0]} failed in {app_dir}\n{(run.stdout or '').strip()}".strip())


def _environment(emulator: Emulator) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    # The app's `python3` is this one, with this library in it.
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    quiet = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "true"}
    return kept | emulator.environment() | quiet | {"PATH": path}


def _cli() -> str:
    found = shutil.which("cdk", path=str(Path(sys.executable).parent))
    if found is None:
        raise LocalError('the CDK CLI is not installed beside Python; pip install "cdk-scalable-webhook[local]"')
    return found
