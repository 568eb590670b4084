"""Deploy CDK apps to the local AWS, with the real CDK CLI."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from filelock import FileLock

from scalable_webhook_cli import cdk, deployed
from scalable_webhook_cli.addresses import with_local_urls
from scalable_webhook_cli.deployed import DeployedEndpoint
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import assembly as assemblies
from scalable_webhook_cli.local.databases import Server, redirected
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.local.left_out import known_types, left_out, with_own_values
from scalable_webhook_cli.local.rejected import rejected, used_twice

# Includes stacks of stages, which `--all` leaves out.
_EVERY_STACK = ["**"]


def deploy(
    emulator: Emulator,
    app_dir: Path,
    names: Sequence[str] = (),
    *,
    context: Sequence[str] = (),
    verbose: bool = False,
    servers: Sequence[Server] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> list[DeployedEndpoint]:
    """Deploy stacks of a CDK app, and bootstrap the local AWS first if needed.

    ``names`` are those of the stacks, as ``cdk`` takes them. The stacks that they need are deployed too. Default: all.
    ``context`` has the ``KEY=VALUE`` of ``cdk --context``. ``servers`` are for sinks whose database is not on this
    machine. ``tell`` gets each warning of synth, and each difference from AWS.

    Returns:
        The endpoints of these stacks.

    Raises:
        CliError: There is no app, AWS would reject it, or the CDK failed. The message has the CDK's own.
    """
    require_app(app_dir)
    with tempfile.TemporaryDirectory() as folder:
        assembly = Path(folder, "assembly")
        synth = ["synth", "--quiet", "--output", str(assembly), *cdk.context(context)]
        _cdk(emulator, app_dir, synth, verbose=verbose)
        stacks = _named(list(_stacks_of(assembly, emulator)), names, emulator)
        for warning in assemblies.warnings(assembly):
            tell(f"warning: {warning}")
        _require_deployable(assembly)
        for line in _make_local(assembly, servers):
            tell(line)
        for region in {stack.region for stack in stacks}:
            for server in servers:
                server.save_secret(emulator, region)
        # If two apps are deployed at once, one bootstraps, and the other finds it done.
        with FileLock(emulator.home / "tmp" / "bootstrap.lock"):
            missing = sorted({stack.region for stack in stacks if not _is_bootstrapped(emulator, stack)})
            if missing:
                environments = [f"aws://{emulator.account}/{region}" for region in missing]
                _cdk(emulator, app_dir, ["bootstrap", *environments, "--app", str(assembly)], verbose=verbose)
        approved = ["--require-approval", "never", *(names or _EVERY_STACK)]
        _cdk(emulator, app_dir, ["deploy", "--app", str(assembly), *approved], verbose=verbose)
    _require_complete(emulator, app_dir, stacks)
    return _endpoints_of(emulator, stacks)


def destroy(
    emulator: Emulator,
    app_dir: Path,
    names: Sequence[str] = (),
    *,
    context: Sequence[str] = (),
    verbose: bool = False,
) -> None:
    """Destroy stacks of a CDK app. Default: every one.

    Raises:
        CliError: There is no app, or the CDK failed.
    """
    require_app(app_dir)
    with tempfile.TemporaryDirectory() as assembly:
        _cdk(
            emulator,
            app_dir,
            ["destroy", "--force", "--output", assembly, *cdk.context(context), *(names or _EVERY_STACK)],
            verbose=verbose,
        )


def _require_complete(emulator: Emulator, app_dir: Path, stacks: Sequence["_Stack"]) -> None:
    """
    Raises:
        CliError: A stack is not deployed, though the CDK did not fail: an interrupted deploy left it halfway.
    """
    for region in sorted({stack.region for stack in stacks}):
        names = {stack.name for stack in stacks if stack.region == region}
        for stack in deployed.stacks(emulator.within(region)):
            name, status = stack["StackName"], stack["StackStatus"]
            if name in names and (not status.endswith("_COMPLETE") or status == "ROLLBACK_COMPLETE"):
                raise CliError(
                    f"stack {name} must be complete after a deploy, got {status}, which an earlier deploy left; "
                    f"scalable-webhook local destroy {app_dir}, and deploy again"
                )


def endpoints(emulator: Emulator) -> list[DeployedEndpoint]:
    """Return every deployed endpoint, whichever tool deployed it: an output of its stack describes it."""
    return [endpoint for region in regions(emulator) for endpoint in deployed.endpoints(emulator.within(region))]


def _endpoints_of(emulator: Emulator, stacks: Sequence["_Stack"]) -> list[DeployedEndpoint]:
    """Return the endpoints of these stacks and their nested stacks."""
    return [
        endpoint
        for region in sorted({stack.region for stack in stacks})
        for names in [_with_nested(emulator, region, {stack.name for stack in stacks if stack.region == region})]
        for endpoint in deployed.endpoints(emulator.within(region))
        if endpoint.stack in names
    ]


def _with_nested(emulator: Emulator, region: str, stacks: set[str]) -> set[str]:
    """Return the names of these stacks and their nested stacks, at any depth."""
    cloudformation = emulator.within(region).client("cloudformation")
    nested = {
        # The name is the second part of the ARN.
        resource["PhysicalResourceId"].split(":stack/")[-1].split("/")[0]
        for stack in stacks
        for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        if resource.get("ResourceType") == "AWS::CloudFormation::Stack" and "PhysicalResourceId" in resource
    }
    return stacks | (_with_nested(emulator, region, nested) if nested else set())


def regions(emulator: Emulator) -> list[str]:
    """Return the regions with a deployment: a bootstrapped region has a bucket with its name."""
    buckets = emulator.client("s3").list_buckets()["Buckets"]
    found = (re.search(rf"-assets-{emulator.account}-(.+)", bucket["Name"]) for bucket in buckets)
    return sorted({emulator.region, *(match[1] for match in found if match)})


def _require_deployable(assembly: Path) -> None:
    """
    Raises:
        CliError: AWS would reject it.
    """
    templates = assemblies.templates(assembly)
    environments = assemblies.environments(assembly, templates)
    named = [(file, file.name.partition(".")[0], template) for file, template in templates.items()]
    lines = [line for file, name, template in named for line in rejected(name, template, file.stat().st_size)]
    lines += used_twice((name, environments.get(file, ""), template) for file, name, template in named)
    if lines:
        raise CliError("\n".join(["AWS would reject this app:", *lines]))


def _make_local(assembly: Path, servers: Sequence[Server]) -> Iterator[str]:
    """Edit the templates for the local AWS, and yield the differences."""
    known, wanting_sdk = known_types(), assemblies.wanting_sdk(assembly)
    gone: Counter[str] = Counter()
    edited, lines = {}, []
    for file, template in assemblies.templates(assembly).items():
        rest, missing = left_out(with_own_values(template), known, wanting_sdk)
        rest, without_server = redirected(rest, servers)
        gone += missing
        lines += without_server
        if rest != template:
            edited[file] = rest
    assemblies.write(edited)
    if gone:
        counted = ", ".join(f"{count} x {type}" for type, count in sorted(gone.items()))
        yield f"left out, since the local AWS does not support or need it: {counted}"
    yield from lines


@dataclass(frozen=True)
class _Stack:
    """A stack of a cloud assembly.

    ``path`` is that in the app, and ``version`` the SSM parameter of a bootstrapped region.
    """

    name: str
    account: str
    region: str
    path: str
    version: str = cdk.BOOTSTRAPPED


def _stacks_of(assembly: Path, emulator: Emulator) -> Iterator[_Stack]:
    """Yield the stacks of an assembly, including those of stages."""
    for _, id, artifact in assemblies.artifacts(assembly):
        properties = artifact.get("properties", {})
        if artifact["type"] == "aws:cloudformation:stack":
            name = properties.get("stackName", id)
            account, region = artifact["environment"].removeprefix("aws://").split("/")
            here = emulator.region if region == "unknown-region" else region
            version = properties.get("bootstrapStackVersionSsmParameter", cdk.BOOTSTRAPPED)
            path = artifact.get("displayName", id).partition(" (")[0]
            yield _Stack(name, account, here, path, version)


def _named(stacks: Sequence[_Stack], names: Sequence[str], emulator: Emulator) -> list[_Stack]:
    """Return the stacks of these names, which may have wildcards. Without names return all.

    Raises:
        CliError: There is none of a name, or one is for an account.
    """
    for name in names:
        if not any(fnmatchcase(stack.path, name) for stack in stacks):
            raise CliError(f"the app has no stack {name}, only {', '.join(stack.path for stack in stacks)}")
    found = [stack for stack in stacks if not names or any(fnmatchcase(stack.path, name) for name in names)]
    for stack in found:
        if stack.account not in ("unknown-account", emulator.account):
            raise CliError(
                f"stack {stack.name} is for account {stack.account}, and the local AWS is account {emulator.account}; "
                'take the account from os.environ["CDK_DEFAULT_ACCOUNT"]'
            )
    return found


def _is_bootstrapped(emulator: Emulator, stack: _Stack) -> bool:
    ssm = emulator.within(stack.region).client("ssm")
    try:
        return bool(ssm.get_parameter(Name=stack.version))
    except ssm.exceptions.ParameterNotFound:
        return False


def require_app(app_dir: Path) -> None:
    """
    Raises:
        CliError: The folder holds no CDK app.
    """
    if not (app_dir / "cdk.json").is_file():
        raise CliError(f"a CDK app has a cdk.json, and {app_dir} has none; name the folder of an app")


def _cdk(emulator: Emulator, app_dir: Path, arguments: list[str], *, verbose: bool) -> None:
    """Run the CDK CLI against the local AWS."""

    def with_urls(line: str) -> str:
        # An output has AWS's own URL, at which nothing answers.
        return with_local_urls(emulator.endpoint, line)

    cdk.run(app_dir, arguments, _environment(emulator), verbose=verbose, edited=with_urls)


def _environment(emulator: Emulator) -> dict[str, str]:
    of_the_user = [name for name in os.environ if name.startswith("AWS_")]
    return cdk.environment(emulator.environment(), without=of_the_user)
