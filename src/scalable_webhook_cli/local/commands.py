"""The commands of ``scalable-webhook``."""

import functools
import os
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment, Segments
from rich.text import Text

from scalable_webhook_cli import burst as bursts
from scalable_webhook_cli.local import databases
from scalable_webhook_cli.local import deploy as deployments
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.emulator import Emulator, LocalError
from scalable_webhook_cli.shown import shown

app: typer.Typer = typer.Typer(
    help="Webhooks in front of something that does not scale: try them on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
local: typer.Typer = typer.Typer(
    help="An AWS on loopback: no account, no Docker.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(local, name="local")


class _Output(Console):
    """What a command prints. Whoever reads it may have seen enough, as in ``… logs | head``: that is no error, and the
    command goes on without a word."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console: Console = _Output()
# What is for the person alone, and not for a pipe: how far it is, and what went wrong.
errors: Console = Console(stderr=True)

# What a shell takes for a name, too.
_AWS_VARIABLE = re.compile("AWS_[A-Za-z0-9_]+", re.ASCII)
# How long after it was written a log line may still come.
_LATE_MILLISECONDS = 10_000

P = ParamSpec("P")
R = TypeVar("R")

AppDir = Annotated[Path, typer.Argument(help="The folder of a CDK app, with its cdk.json.", metavar="APP_DIR")]
Context = Annotated[
    list[str] | None, typer.Option("--context", "-c", help="Context for the app, as for cdk.", metavar="KEY=VALUE")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what the CDK CLI prints.")]


def _in_one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """A mistake is told in a sentence, not in a traceback."""

    @functools.wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return command(*arguments, **options)
        except (LocalError, BotoCoreError, ClientError, OSError) as error:
            say(f"scalable-webhook: {error}", errors, style="red")
            raise typer.Exit(1) from None

    return run


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        console.print(version("cdk-scalable-webhook"), highlight=False)
        raise typer.Exit


@local.command()
@_in_one_sentence
def up() -> None:
    """Start the local AWS, or find the one that runs.

    In the background: it runs until `down`.
    """
    emulator = emulators.find()
    if emulator is None:
        with _status("starting the local AWS"):
            emulator = emulators.up()
    say(f"local AWS at {emulator.endpoint}")
    say("next: scalable-webhook local deploy APP_DIR")


@local.command()
@_in_one_sentence
def down() -> None:
    """Stop it with every process that it started.

    What was deployed is gone with it.
    """
    say("local AWS stopped" if emulators.down() else "no local AWS was running")


@local.command()
@_in_one_sentence
def status() -> None:
    """Show where it is, and the webhooks in it.

    Exits with 1 where it does not run.
    """
    emulator = _running()
    say(f"local AWS at {emulator.endpoint}, logs in {emulator.home}")
    _show_webhooks(deployments.webhooks(emulator))


@local.command()
@_in_one_sentence
def url(
    name: Annotated[
        str | None, typer.Argument(help="Which, by its name in `status`. Default: the only one.", metavar="NAME")
    ] = None,
) -> None:
    """Print the URL of a webhook, and nothing else.

    url=$(scalable-webhook local url)
    """
    say(_only(name).url)


@local.command()
@_in_one_sentence
def env() -> None:
    """Print what points boto3 and cdk at it.

    And the AWS CLI, in this shell: eval "$(scalable-webhook local env)"
    """
    environment = _running().environment()
    # A profile, a session's token or the endpoint of one service would come before what is printed.
    for name in sorted(os.environ):
        if _AWS_VARIABLE.fullmatch(name) and name not in environment:
            say(f"unset {name}")
    for name, value in environment.items():
        say(f"export {name}={shlex.quote(value)}")


@local.command()
@_in_one_sentence
def deploy(
    app_dir: AppDir,
    context: Context = None,
    verbose: Verbose = False,
    postgres: Annotated[
        str | None,
        typer.Option(
            help="A Postgres on this machine for sinks whose database is of RDS or elsewhere: "
            "[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]. Default: the one of PGHOST, PGPORT, PGUSER, PGPASSWORD and "
            "PGDATABASE.",
            metavar="HOST:PORT",
        ),
    ] = None,
    mysql: Annotated[
        str | None, typer.Option(help="The same for MySQL; its password may be in MYSQL_PWD.", metavar="HOST:PORT")
    ] = None,
) -> None:
    """Deploy a CDK app, and print its webhooks' URLs.

    By the real CDK CLI. Starts the local AWS where it does not run.
    """
    deployments.require_app(app_dir)
    named = {"postgres": postgres, "mysql": mysql}
    servers = [found for engine, name in named.items() if (found := databases.server(engine, name, os.environ))]
    with ExitStack() as started:
        with _status("starting the local AWS"):
            emulator = started.enter_context(emulators.found_or_started())
        with _status(f"deploying {app_dir}", show=not verbose):
            webhooks = deployments.deploy(
                emulator,
                app_dir,
                context=context or (),
                verbose=verbose,
                servers=servers,
                tell=lambda line: say(line, errors),
            )
    _show_webhooks(webhooks, none=f"deployed {app_dir}, which has no webhook")


@local.command()
@_in_one_sentence
def destroy(app_dir: AppDir, context: Context = None, verbose: Verbose = False) -> None:
    """Destroy the stacks of a CDK app."""
    emulator = _running()
    with _status(f"destroying {app_dir}", show=not verbose):
        deployments.destroy(emulator, app_dir, context=context or (), verbose=verbose)
    say(f"destroyed {app_dir}")


@local.command()
@_in_one_sentence
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    stack: Annotated[str | None, typer.Option(help="Of this stack alone.", metavar="NAME")] = None,
) -> None:
    """Print the logs of every stage, oldest first.

    Those of API Gateway, and those of the functions.
    """
    emulator = _running()
    groups = deployments.log_groups(emulator, stack) if stack else None
    printed: set[tuple[Any, ...]] = set()
    since = 0
    try:
        while True:
            for event in _log_events(emulator, since, groups):
                if event["key"] not in printed:
                    printed.add(event["key"])
                    at = datetime.fromtimestamp(event["timestamp"] / 1000).strftime("%H:%M:%S.%f")[:-3]
                    # By what a program ends a line with, and not at each character that Unicode counts as an end.
                    for line in event["message"].strip().replace("\r\n", "\n").split("\n"):
                        say(f"{at} {event['source']}: {line}")
                    # A line may arrive later than one that was written after it.
                    since = max(since, event["timestamp"] - _LATE_MILLISECONDS)
            if not follow or console.quiet:
                return
            time.sleep(1)
    except KeyboardInterrupt:
        return


@app.command()
@_in_one_sentence
def burst(
    url: Annotated[
        str | None,
        typer.Argument(help="The webhook's URL. Default: that of the only one in the local AWS.", metavar="URL"),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many requests to send.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="How many at the same time.")] = 16,
    body: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the payload.")] = None,
    duplicates: Annotated[float, typer.Option(min=0, max=100, help="Percent that repeat an id.")] = 0,
    id_header: Annotated[str, typer.Option(help="The header with the delivery id.")] = bursts.ID_HEADER,
) -> None:
    """Send many webhooks at once.

    Exits with 1 where not all were accepted.
    """
    target = url or _only().url
    payload = body.read_bytes() if body else bursts.DEFAULT_BODY
    requests = bursts.uniform(count, body=payload, duplicates=duplicates, id_header=id_header)
    with progress("sending", count) as advance:
        report = bursts.send(target, requests, concurrency=concurrency, on_answer=advance)
    show_report(report)
    if report.accepted < report.sent:
        raise typer.Exit(1)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal, a line each tenth elsewhere. Yields what to call after each step."""
    done = 0
    if errors.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=errors) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
        return

    def step() -> None:
        nonlocal done
        done += 1
        if done * 10 // total > (done - 1) * 10 // total:
            say(f"{what}: {done} of {total}", errors)

    yield step


def show_report(report: bursts.Report) -> None:
    """What became of a burst, in lines that no terminal is too narrow for."""
    say(f"{report.accepted} of {report.sent} accepted, {report.rate:.0f} requests a second")
    for what, counts in (("refused", report.refused), ("no answer", report.unanswered)):
        if counts:
            say(f"{what}: {counted(counts)}")
    if report.milliseconds:
        times = " / ".join(f"{report.percentile(percent):.0f}" for percent in (50, 95, 99))
        say(f"answered within {times} ms: half, 95 %, 99 % of them")


def counted(counts: Mapping[Any, int]) -> str:
    """How often what was met with."""
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items()))


def _running() -> Emulator:
    emulator = emulators.find()
    if emulator is None:
        raise LocalError("the local AWS does not run; start it with: scalable-webhook local up")
    return emulator


def _only(name: str | None = None) -> deployments.DeployedWebhook:
    """The webhook of that name, or the only one that there is."""
    every = deployments.webhooks(_running())
    found = [webhook for webhook in every if name in (None, webhook.name)]
    if len(found) == 1:
        return found[0]
    if not every:
        raise LocalError("no webhook is deployed; deploy one with: scalable-webhook local deploy APP_DIR")
    there = ", ".join(webhook.name for webhook in every)
    raise LocalError(f"no webhook is called {name}; there is {there}" if name else f"which webhook? there is {there}")


def _show_webhooks(webhooks: list[deployments.DeployedWebhook], *, none: str = "no webhook is deployed") -> None:
    if not webhooks:
        say(none)
    for webhook in webhooks:
        say(f"{webhook.name}  {webhook.url}")


def _log_events(emulator: Emulator, since: int, only: set[str] | None) -> list[dict[str, Any]]:
    events = [
        event | {"source": _source(group["logGroupName"])}
        for region in deployments.regions(emulator)
        for cloudwatch in [emulator.client("logs", region)]
        for groups in cloudwatch.get_paginator("describe_log_groups").paginate()
        for group in groups["logGroups"]
        if only is None or group["logGroupName"] in only
        for page in cloudwatch.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"], startTime=since
        )
        for event in page["events"]
    ]
    # Not every line has an id, and equal lines may be different ones: each is told by how many there were before it.
    equal: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        what = (event["source"], event["logStreamName"], event["timestamp"], event["message"])
        equal[what] += 1
        event["key"] = (*what, equal[what])
    return sorted(events, key=lambda event: event["timestamp"])


def _source(log_group: str) -> str:
    """Stack and construct, without the hash that CloudFormation's name has at its end."""
    return re.sub(r"[0-9A-F]{8}(-[0-9A-Za-z]+)?$", "", "/".join(log_group.split("/")[-2:]))


@contextmanager
def _status(what: str, *, show: bool = True) -> Iterator[None]:
    if show and errors.is_terminal:
        with errors.status(Text(f"{shown(what)} …")):
            yield
        return
    yield


def say(line: str, to: Console = console, *, style: str | None = None) -> None:
    """One line: for a person and for a pipe alike. Of a text rich would make more: ``:key:`` an emoji, a tab blanks."""
    to.print(Segments([Segment(f"{shown(line)}\n")]), soft_wrap=True, style=style)
