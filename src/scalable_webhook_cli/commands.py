"""The commands of ``scalable-webhook``."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from scalable_webhook_cli import burst as bursts
from scalable_webhook_cli import consumer_log, deployed
from scalable_webhook_cli import plan as plans
from scalable_webhook_cli import size as sizes
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import deploy as deployments
from scalable_webhook_cli.local.commands import NONE_DEPLOYED, local, only_webhook, running
from scalable_webhook_cli.plan import fit as fits
from scalable_webhook_cli.plan import quantities
from scalable_webhook_cli.plan import template as templates
from scalable_webhook_cli.target import Target
from scalable_webhook_cli.terminal import console, counted, in_one_sentence, progress, say, status_line
from scalable_webhook_cli.throttle import Throttle, throttles
from scalable_webhook_cli.throttle import concurrency as concurrency_of
from webhook_runtime.contract.connections import Engine

app: typer.Typer = typer.Typer(
    help="Try webhooks on your own machine, send bursts to them, and size them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(local, name="local")


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        console.print(version("cdk-scalable-webhook"), highlight=False)
        raise typer.Exit


@app.command()
@in_one_sentence
def burst(
    url: Annotated[
        str | None,
        typer.Argument(help="The webhook's URL. Default: the only one in the local AWS.", metavar="URL"),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Number of requests in flight.")] = 16,
    body: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="File with the payload.")] = None,
    duplicates: Annotated[float, typer.Option(min=0, max=100, help="Percentage of duplicate deliveries.")] = 0,
    id_header: Annotated[str, typer.Option(help="Header with the delivery id.")] = bursts.ID_HEADER,
) -> None:
    """Send many webhooks at once.

    Exits with 1 unless all were accepted.
    """
    target = url or only_webhook().url
    payload = body.read_bytes() if body else bursts.DEFAULT_BODY
    requests = bursts.uniform(count, body=payload, duplicates=duplicates, id_header=id_header)
    with progress("sending", count) as advance:
        report = bursts.send(target, requests, concurrency=concurrency, on_answer=advance)
    show_report(report)
    if lost := report.sent - report.accepted:
        raise CliError(
            f"{lost} of {report.sent} were not accepted; a provider would send them again, and burst does not"
        )


def show_report(report: bursts.Report) -> None:
    """Print the result of a burst, in lines that fit any terminal."""
    say(f"{report.accepted} of {report.sent} accepted, {report.rate:.0f} requests a second")
    for what, counts in (("rejected", report.rejected), ("no answer", report.unanswered)):
        if counts:
            say(f"{what}: {counted(counts)}")
    if report.milliseconds:
        times = " / ".join(f"{report.percentile(percent):.0f}" for percent in (50, 95, 99))
        say(f"p50 / p95 / p99: {times} ms")


@app.command()
@in_one_sentence
def size(
    engine: Annotated[Engine, typer.Option(help="Engine of the database.")],
    instance_class: Annotated[
        str | None, typer.Option("--class", help="Class of its instance, such as db.t4g.micro.")
    ] = None,
    max_acu: Annotated[float | None, typer.Option(min=1, max=256, help="Maximum ACU of Aurora Serverless v2.")] = None,
    min_acu: Annotated[float, typer.Option(min=0, max=256, help="Minimum ACU of Aurora Serverless v2.")] = 0.5,
    max_connections: Annotated[int | None, typer.Option(min=1, help="Value of a parameter group.")] = None,
    others: Annotated[int, typer.Option(min=0, help="Connections that other applications need.")] = 0,
    webhooks_per_second: Annotated[
        float | None, typer.Option(min=0.001, max=1e6, help="Webhooks a second at a peak.")
    ] = None,
    batch_milliseconds: Annotated[
        float, typer.Option(min=0.1, max=900_000, help="Time that the sink takes for a batch.")
    ] = 40,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Webhooks of a batch.")] = 10,
    account: Annotated[bool, typer.Option("--account", help="Read the limits of your AWS account.")] = False,
    region: Annotated[str | None, typer.Option(help="Region of the account.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the account.")] = None,
) -> None:
    """Find the max_concurrency that a database of RDS or Aurora can handle.

    With --account it reads the limits of API Gateway and Lambda that are in force, and writes nothing.
    """
    units = None if max_acu is None else (min_acu, max_acu)
    if instance_class and units:
        raise CliError("pass --class or --max-acu, and not both: an instance has either")
    if not (instance_class or units or max_connections):
        raise CliError("pass --class, --max-acu or --max-connections, so that the connections are known")
    if units and min_acu > units[1]:
        raise CliError(f"--min-acu must be at most --max-acu, got {min_acu:g} and {max_acu:g}; lower it")
    sizing = sizes.of(
        engine, instance_class=instance_class, units=units, max_connections=max_connections, others=others
    )
    load = None
    if webhooks_per_second is not None:
        load = sizes.Load(
            webhooks_per_second=webhooks_per_second, batch_milliseconds=batch_milliseconds, batch_size=batch_size
        )
    lines = [*sizes.table(sizing), "", *sizes.advice(sizing, load)]
    if account:
        limits = sizes.Account.of(Target(region=region, profile=profile))
        lines += ["", "Webhooks a second, by the limits of the account:"]
        lines += sizes.met_first(sizes.bounds(limits, sizing, load), load)
    for line in lines:
        say(line)


Name = Annotated[
    str | None,
    typer.Argument(help="Name of a webhook, or its last part. Default: the only one.", metavar="[STACK/WEBHOOK]"),
]
Profile = Annotated[str | None, typer.Option(help="Profile of an account. Default: the local AWS.")]
Region = Annotated[str | None, typer.Option(help="Region of an account. Default: the local AWS.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a change in an account.")]


@app.command()
@in_one_sentence
def pause(name: Name = None, profile: Profile = None, region: Region = None, yes: Yes = False) -> None:
    """Pause a webhook: it accepts requests, and they wait in the queue.

    No try is used up. Batches in progress end first.
    """
    throttle = _throttle(name, profile, region)
    is_paused = throttle.describe()["State"] == "Disabled"
    if is_paused and not throttle.is_paused_by_breaker():
        say(f"{throttle.name} is paused already, {_by(throttle)}")
        return
    if is_paused:
        by = _by(throttle)
        _confirm(f"keep {throttle.name} paused, also when its sink is up", throttle, yes=yes)
        throttle.take_over()
        say(f"{throttle.name} stays paused until you resume it; it was paused {by}")
        return
    _confirm(f"pause {throttle.name}", throttle, yes=yes)
    with status_line(f"pausing {throttle.name}"):
        seconds = throttle.pause()
    say(f"paused {throttle.name} in {seconds:.0f} s; its webhooks wait in the queue")
    say(f"next: scalable-webhook resume {throttle.name}")


@app.command()
@in_one_sentence
def resume(name: Name = None, profile: Profile = None, region: Region = None, yes: Yes = False) -> None:
    """Resume a paused webhook, at the concurrency that it had."""
    throttle = _throttle(name, profile, region)
    if throttle.describe()["State"] == "Enabled":
        say(f"{throttle.name} is not paused")
        return
    by = _by(throttle)
    _confirm(f"resume {throttle.name}, paused {by}", throttle, yes=yes)
    with status_line(f"resuming {throttle.name}"):
        seconds = throttle.resume()
    say(f"resumed {throttle.name} in {seconds:.0f} s; it was paused {by}")


@app.command()
@in_one_sentence
def concurrency(
    number: Annotated[int, typer.Argument(help="Number of batches at a time.", metavar="N")],
    name: Name = None,
    profile: Profile = None,
    region: Region = None,
    yes: Yes = False,
) -> None:
    """Change the number of batches at a time that the consumer works on."""
    throttle = _throttle(name, profile, region)
    throttle.require_concurrency(number)
    before = concurrency_of(throttle.describe())
    if before == number:
        say(f"{throttle.name} has {number} batches at a time already")
        return
    _confirm(f"change {throttle.name} from {before} to {number} batches at a time", throttle, yes=yes)
    with status_line(f"changing {throttle.name}"):
        seconds = throttle.set_concurrency(number)
    say(f"changed {throttle.name} from {before} to {number} batches at a time in {seconds:.0f} s")
    if throttle.deployed_concurrency != number:
        say(f"next: put max_concurrency={number} into the app, since a deployment may set it back")


@app.command()
@in_one_sentence
def plan(
    name: Name = None,
    template: Annotated[
        Path | None,
        typer.Option(help="Synthesised template, or cdk.out. Default: that of the deployed stack.", metavar="FILE"),
    ] = None,
    burst: Annotated[int, typer.Option(min=0, max=2_000_000, help="Webhooks of a burst.")] = 0,
    over: Annotated[str, typer.Option(help="Time over which the burst is spread, such as 60s.", metavar="TIME")] = "0",
    then: Annotated[str, typer.Option(help="Webhooks that go on arriving, such as 20/s.", metavar="RATE")] = "0",
    outage: Annotated[
        str | None,
        typer.Option(help="Outage of the sink: 30m, or 30m@2m if it begins at minute 2.", metavar="TIME[@TIME]"),
    ] = None,
    batch_milliseconds: Annotated[
        float | None,
        typer.Option(min=0, max=900_000, help="Time that the sink takes for a batch.", show_default="40"),
    ] = None,
    webhook_milliseconds: Annotated[
        float | None,
        typer.Option(min=0, max=900_000, help="Time that each webhook of a batch adds.", show_default="0"),
    ] = None,
    down_milliseconds: Annotated[
        float | None,
        typer.Option(
            min=0, max=900_000, help="Time of a batch that finds the sink down. Default: as without webhooks."
        ),
    ] = None,
    from_logs: Annotated[bool, typer.Option("--from-logs", help="Read these times from the consumer's log.")] = False,
    since: Annotated[str, typer.Option(help="Age of the oldest line of the log.", metavar="TIME")] = "1h",
    max_concurrency: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Another number of batches at a time.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, max=10_000, help="Another size of a batch.")] = None,
    max_receive_count: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Another number of tries of a webhook.")
    ] = None,
    retention: Annotated[
        str | None, typer.Option(help="Another time for which the queue keeps a webhook.", metavar="TIME")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the delays of retries.")] = 0,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Simulate a burst, and an outage of the sink, with what is deployed.

    It reads the template, sends nothing, and writes nothing.
    """
    if from_logs and (batch_milliseconds is not None or webhook_milliseconds is not None):
        raise CliError(
            "pass --from-logs, or --batch-milliseconds with --webhook-milliseconds, and not both: the log tells both"
        )
    load = plans.Load(burst=burst, over=quantities.seconds(over, "--over"), then=quantities.per_second(then, "--then"))
    down = quantities.outage(outage, "--outage") if outage is not None else None
    kept = None if retention is None else quantities.seconds(retention, "--retention")
    ago = quantities.seconds(since, "--since")
    throttle = None
    if template is not None:
        what = templates.of_file(template, name)
    else:
        throttle = _throttle(name, profile, region)
        what = templates.of_template(throttle.template, throttle.name)
    told = ""
    if from_logs:
        throttle = throttle or _throttle(what.name, profile, region)
        with status_line(f"reading the log of {throttle.name}"):
            fit = fits.fit(fits.batches(consumer_log.batch_lines(throttle, ago)))
        time, told = replace(fit.time, down=down_milliseconds), fit.told()
    else:
        time = plans.BatchTime(
            milliseconds=40 if batch_milliseconds is None else batch_milliseconds,
            each=webhook_milliseconds or 0,
            down=down_milliseconds,
        )
    what = plans.changed(
        what,
        max_concurrency=max_concurrency,
        batch_size=batch_size,
        max_receive_count=max_receive_count,
        retention=kept,
    )
    with status_line("planning"):
        result = plans.plan(what, load, outage=down, time=time, seed=seed)
    for line in result.table():
        say(line)
    if told:
        say(told)
    say("")
    for line in result.chart(ascii_only=not console.encoding.lower().startswith("utf")):
        say(line)


def _throttle(name: str | None, profile: str | None, region: str | None) -> Throttle:
    """Return the throttle of a webhook: in the local AWS, unless an account is named."""
    if profile is not None or region is not None:
        target = Target(profile=profile, region=region)
        return deployed.named(throttles(target), name, none="no stack in this region has a ScalableWebhook")
    emulator = running()
    found = [each for region in deployments.regions(emulator) for each in throttles(emulator.within(region))]
    return deployed.named(found, name, none=NONE_DEPLOYED)


def _by(throttle: Throttle) -> str:
    by = throttle.paused_by()
    return f"by {by}" if by else "by someone who left no tag"


def _confirm(what: str, throttle: Throttle, *, yes: bool) -> None:
    """Ask before a change in an account."""
    if yes or throttle.target.endpoint is not None:
        return
    identity = throttle.target.client("sts").get_caller_identity()
    where = throttle.target.client("lambda").meta.region_name
    typer.confirm(f"{what} in {where} of account {identity['Account']}?", abort=True, err=True)
