"""The commands of ``scalable-webhook``: a module each, or one for those that belong together."""

from importlib.metadata import version
from typing import Annotated

import typer

from scalable_webhook_cli.commands.conforming import conformance
from scalable_webhook_cli.commands.local_aws import local
from scalable_webhook_cli.commands.planning import plan
from scalable_webhook_cli.commands.redriving import dead_letters, unverified
from scalable_webhook_cli.commands.sending import burst, send
from scalable_webhook_cli.commands.sizing import size
from scalable_webhook_cli.commands.starting import init
from scalable_webhook_cli.commands.throttling import concurrency, pause, resume
from scalable_webhook_cli.commands.watching import logs, status, trace, url
from scalable_webhook_cli.terminal import console

app: typer.Typer = typer.Typer(
    help="Try, watch and repair webhooks, on your own machine or in an account.",
    epilog=(
        "Each command talks to the local AWS. With --profile or --region it talks to an account, and asks before it "
        "changes something there. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(local, name="local")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(unverified, name="unverified")
for _command in (init, url, status, logs, trace, send, burst, pause, resume, concurrency, plan, size, conformance):
    app.command()(_command)


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        console.print(version("cdk-scalable-webhook"), highlight=False)
        raise typer.Exit
