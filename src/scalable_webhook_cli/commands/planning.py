"""``scalable-webhook plan``."""

import time as clock
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from scalable_webhook_cli import log_lines
from scalable_webhook_cli import plan as plans
from scalable_webhook_cli import throttle as throttles
from scalable_webhook_cli.cloudwatch import NoLog
from scalable_webhook_cli.commands import options
from scalable_webhook_cli.commands.options import Json, Name, Profile, Region
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.plan import fit as fits
from scalable_webhook_cli.plan import quantities
from scalable_webhook_cli.plan import template as templates
from scalable_webhook_cli.terminal import console, in_one_sentence, say, say_json, status_line

# More lines do not make the time of a batch more exact.
_MOST_LINES = 50_000


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
    as_json: Json = False,
) -> None:
    """Simulate a burst or an outage with what is deployed.

    It only reads, and sends nothing.
    """
    if from_logs and (batch_milliseconds is not None or webhook_milliseconds is not None):
        raise CliError(
            "pass --from-logs, or --batch-milliseconds with --webhook-milliseconds, and not both: the log tells both"
        )
    load = plans.Load(burst=burst, over=quantities.seconds(over, "--over"), then=quantities.per_second(then, "--then"))
    down = quantities.outage(outage, "--outage") if outage is not None else None
    kept = None if retention is None else quantities.seconds(retention, "--retention")
    ago = quantities.seconds(since, "--since")
    webhook = None
    if template is not None:
        what = templates.of_file(template, name)
    else:
        webhook = options.webhook(name, profile, region)
        what = templates.of_template(throttles.of(webhook).template, webhook.name)
    told = ""
    if from_logs:
        webhook = webhook or options.webhook(what.name, profile, region)
        with status_line(f"reading the log of {webhook.name}"):
            fit = _fit(webhook, ago)
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
    if as_json:
        say_json(result.told())
        return
    for line in result.table():
        say(line)
    if told:
        say(told)
    say("")
    for line in result.chart(ascii_only=not console.encoding.lower().startswith("utf")):
        say(line)


def _fit(webhook: DeployedWebhook, seconds: float) -> fits.Fit:
    """Fit the time of a batch to the log of these seconds."""
    texts = log_lines.consumer_texts(webhook, clock.time() - seconds, "batch")
    try:
        return fits.fit(fits.batches(islice(texts, _MOST_LINES)))
    except NoLog:
        raise CliError(
            f"the consumer of {webhook.name} has no log yet; send it webhooks first, or pass --batch-milliseconds "
            "instead of --from-logs"
        ) from None
