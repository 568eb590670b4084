"""The options that the commands share: they name an AWS and a webhook in it. And the question before a change."""

from collections import Counter
from typing import Annotated

import typer

from scalable_webhook_cli import deployed, names, recipients
from scalable_webhook_cli.deployed import DeployedEndpoint, DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import deploy as deployments
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.recipients import Recipient
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.providers import Provider


def complete_name(incomplete: str) -> list[str]:
    """Complete the name of a webhook of the local AWS, or its last part. A shell shows no error."""
    try:
        found = [each.name for target in targets(None, None) for each in deployed.webhooks(target)]
    except Exception:
        return []
    last_parts = Counter(name.rpartition("/")[2] for name in found)
    unique = [part for part, number in last_parts.items() if number == 1 and incomplete]
    return sorted(name for name in {*found, *unique} if name.startswith(incomplete))


_ONE = "Name of a webhook, or its last part. Default: the only one."
_EVERY = "Name of a webhook, or its last part. Default: every one."
Name = Annotated[str | None, typer.Argument(help=_ONE, metavar="WEBHOOK", autocompletion=complete_name)]
Webhook = Annotated[
    str | None, typer.Option("--webhook", "-w", help=_ONE, metavar="NAME", autocompletion=complete_name)
]
AnyName = Annotated[str | None, typer.Argument(help=_EVERY, metavar="[WEBHOOK]", autocompletion=complete_name)]
AnyWebhook = Annotated[
    str | None, typer.Option("--webhook", "-w", help=_EVERY, metavar="NAME", autocompletion=complete_name)
]
Profile = Annotated[str | None, typer.Option(help="Profile of an account. Default: the local AWS.")]
Region = Annotated[str | None, typer.Option(help="Region of an account. Default: the local AWS.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a change in an account.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_NONE_LOCAL = "no webhook is deployed; deploy one with: scalable-webhook local deploy APP_DIR"
_NONE_THERE = "no stack in this region has a ScalableWebhook; name another --region, or deploy one"


def emulator() -> Emulator:
    """Return the local AWS.

    Raises:
        CliError: It is not running.
    """
    found = emulators.find()
    if found is None:
        raise CliError("the local AWS is not running; start it with: scalable-webhook local up")
    return found


def targets(profile: str | None, region: str | None) -> list[Target]:
    """Return the region of an account, if one is named, or every region of the local AWS that has a deployment."""
    if profile is not None or region is not None:
        return [Target(profile=profile, region=region)]
    here = emulator()
    return [here.within(each) for each in deployments.regions(here)]


def webhook(name: str | None, profile: str | None, region: str | None) -> DeployedWebhook:
    """Return the webhook of that name, or the only one.

    Raises:
        CliError: There is none, or there are several.
    """
    found = [each for target in targets(profile, region) for each in deployed.webhooks(target)]
    return names.named(found, name, none=_none(profile, region))


def webhooks(name: str | None, profile: str | None, region: str | None) -> list[DeployedWebhook]:
    """Return the webhook of that name, or every one.

    Raises:
        CliError: There is none.
    """
    if name is not None:
        return [webhook(name, profile, region)]
    found = [each for target in targets(profile, region) for each in deployed.webhooks(target)]
    if not found:
        raise CliError(_none(profile, region))
    return found


def endpoint(name: str | None, profile: str | None, region: str | None) -> DeployedEndpoint:
    """Return the endpoint of that name, or the only one. It has the name of its webhook, and of a path added to it.

    Raises:
        CliError: There is none, or there are several.
    """
    found = [each for target in targets(profile, region) for each in deployed.endpoints(target)]
    return names.named(found, name, none=_none(profile, region))


def recipient(name: str | None, profile: str | None, region: str | None, provider: Provider | None = None) -> Recipient:
    """Return the endpoint of that name, or the only one, with its source.

    Without a name, of several endpoints it is the one that verifies this provider.

    Raises:
        CliError: There is none, or there are several.
    """
    found = [each for target in targets(profile, region) for each in recipients.recipients(target)]
    if name is None and provider is not None and len(found) > 1:
        found = [each for each in found if each.provider is provider] or found
    return names.named(found, name, none=_none(profile, region))


def confirm(what: str, target: Target, *, yes: bool) -> None:
    """Ask before a change in an account."""
    if yes or target.endpoint is not None:
        return
    identity = target.client("sts").get_caller_identity()
    where = target.client("lambda").meta.region_name
    typer.confirm(f"{what} in {where} of account {identity['Account']}?", abort=True, err=True)


def _none(profile: str | None, region: str | None) -> str:
    return _NONE_LOCAL if profile is None and region is None else _NONE_THERE
