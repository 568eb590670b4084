"""The commands of ``scalable-webhook local``."""

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from scalable_webhook_cli.commands import options
from scalable_webhook_cli.commands.options import Json
from scalable_webhook_cli.deployed import DeployedEndpoint
from scalable_webhook_cli.local import databases
from scalable_webhook_cli.local import deploy as deployments
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.terminal import errors, in_one_sentence, say, say_json, status_line

local: typer.Typer = typer.Typer(
    help="A local AWS, without an account and without Docker.", no_args_is_help=True, rich_markup_mode=None
)


# Names that a shell takes too.
_AWS_VARIABLE = re.compile("AWS_[A-Za-z0-9_]+", re.ASCII)

AppDir = Annotated[Path, typer.Argument(help="Folder of a CDK app, with its cdk.json.", metavar="APP_DIR")]
Context = Annotated[
    list[str] | None, typer.Option("--context", "-c", help="Context for the app, as with cdk.", metavar="KEY=VALUE")
]
Stacks = Annotated[
    list[str] | None, typer.Argument(help="Stacks, as cdk names them. Default: every one.", metavar="[STACK]...")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the output of the CDK CLI.")]


@local.command()
@in_one_sentence
def up(as_json: Json = False) -> None:
    """Start the local AWS (no-op if it is running).

    It runs in the background until `down`.
    """
    emulator = emulators.find()
    if emulator is None:
        with status_line("starting the local AWS"):
            emulator = emulators.up()
    if as_json:
        say_json({"endpoint": emulator.endpoint})
        return
    say(f"local AWS at {emulator.endpoint}")
    say("next: scalable-webhook local deploy APP_DIR")


@local.command()
@in_one_sentence
def down(as_json: Json = False) -> None:
    """Stop the local AWS, and delete all that is deployed to it."""
    stopped = emulators.down()
    if as_json:
        say_json({"stopped": stopped})
    else:
        say("local AWS stopped" if stopped else "no local AWS was running")


@local.command()
@in_one_sentence
def status(as_json: Json = False) -> None:
    """Show the local AWS: its endpoint, and what is deployed in it.

    Exits with 1 unless the local AWS is running.
    """
    emulator = options.emulator()
    endpoints = deployments.endpoints(emulator)
    if as_json:
        say_json({"endpoint": emulator.endpoint, "logs": emulator.home, "webhooks": _told(endpoints)})
        return
    say(f"local AWS at {emulator.endpoint}, logs in {emulator.home}")
    _show_webhooks(endpoints)


@local.command()
@in_one_sentence
def env(as_json: Json = False) -> None:
    """Print environment variables for boto3, the CDK and the AWS CLI.

    In this shell: eval "$(scalable-webhook local env)"
    """
    environment = options.emulator().environment()
    if as_json:
        say_json(environment)
        return
    # A profile, a session token or the endpoint of one service would override the printed variables.
    for name in sorted(os.environ):
        if _AWS_VARIABLE.fullmatch(name) and name not in environment:
            say(f"unset {name}")
    for name, value in environment.items():
        say(f"export {name}={shlex.quote(value)}")


@local.command()
@in_one_sentence
def deploy(
    app_dir: AppDir,
    stacks: Stacks = None,
    context: Context = None,
    verbose: Verbose = False,
    postgres: Annotated[
        str | None,
        typer.Option(
            help="Postgres on this machine, for sinks whose database is on RDS or elsewhere: "
            "[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]. Default: from PGHOST, PGPORT, PGUSER, PGPASSWORD and "
            "PGDATABASE.",
            metavar="HOST:PORT",
        ),
    ] = None,
    mysql: Annotated[
        str | None,
        typer.Option(
            help="MySQL on this machine, in the same form. The password may be in MYSQL_PWD.", metavar="HOST:PORT"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Deploy a CDK app, and print the URLs of its webhooks.

    Uses the real CDK CLI. Starts the local AWS if it is not running.
    """
    deployments.require_app(app_dir)
    named = {"postgres": postgres, "mysql": mysql}
    servers = [found for engine, name in named.items() if (found := databases.server(engine, name, os.environ))]
    with ExitStack() as started:
        with status_line("starting the local AWS"):
            emulator = started.enter_context(emulators.found_or_started())
        with status_line(f"deploying {app_dir}", show=not verbose):
            webhooks = deployments.deploy(
                emulator,
                app_dir,
                stacks or (),
                context=context or (),
                verbose=verbose,
                servers=servers,
                tell=lambda line: say(line, errors),
            )
    if as_json:
        say_json(_told(webhooks))
    else:
        _show_webhooks(webhooks, none=f"deployed {app_dir}, which has no webhook")


@local.command()
@in_one_sentence
def destroy(
    app_dir: AppDir,
    stacks: Stacks = None,
    context: Context = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Destroy the stacks of a CDK app."""
    emulator = options.emulator()
    with status_line(f"destroying {app_dir}", show=not verbose):
        deployments.destroy(emulator, app_dir, stacks or (), context=context or (), verbose=verbose)
    if as_json:
        say_json({"destroyed": str(app_dir)})
    else:
        say(f"destroyed {app_dir}")


def _told(endpoints: Sequence[DeployedEndpoint]) -> list[dict[str, str]]:
    return [asdict(endpoint) for endpoint in endpoints]


def _show_webhooks(webhooks: list[DeployedEndpoint], *, none: str = "no webhook is deployed") -> None:
    if not webhooks:
        say(none)
    for webhook in webhooks:
        say(f"{webhook.name}  {webhook.url}")
