"""``scalable-webhook burst``."""

from pathlib import Path
from typing import Annotated

import typer

from scalable_webhook_cli import burst as bursts
from scalable_webhook_cli.commands import options
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.terminal import counted, in_one_sentence, progress, say


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
    target = url or options.endpoint(None, None, None).url
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
