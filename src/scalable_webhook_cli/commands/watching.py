"""``scalable-webhook url``, ``logs``, ``trace`` and ``status``: look at what is deployed."""

import math
import time
from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer
from rich.segment import Segment
from rich.style import Style

from scalable_webhook_cli import log_lines, stored
from scalable_webhook_cli import status as statuses
from scalable_webhook_cli import story as stories
from scalable_webhook_cli.commands import options, payloads
from scalable_webhook_cli.commands.options import AnyName, AnyWebhook, Json, Name, Profile, Region, complete_name
from scalable_webhook_cli.commands.payloads import Payload, Raw
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.events import event, text_of
from scalable_webhook_cli.log_lines import LEVELS, Line
from scalable_webhook_cli.plan import quantities
from scalable_webhook_cli.rows import Rows
from scalable_webhook_cli.story import Route, Story
from scalable_webhook_cli.terminal import console, in_one_sentence, say, say_json, say_row, status_line

Since = Annotated[str, typer.Option(help="Age of the oldest line, such as 90s, 2h or 3d.", metavar="TIME")]


@in_one_sentence
def url(name: Name = None, profile: Profile = None, region: Region = None, as_json: Json = False) -> None:
    """Print the URL of a webhook, to give to its provider.

    It only reads. In a script: `$(scalable-webhook url)`
    """
    endpoint = options.endpoint(name, profile, region)
    if as_json:
        say_json({"name": endpoint.name, "url": endpoint.url})
    else:
        say(endpoint.url)


@in_one_sentence
def logs(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name of a webhook, or its last part. Default: every one locally, the only one of an account.",
            metavar="[WEBHOOK]",
            autocompletion=complete_name,
        ),
    ] = None,
    id: Annotated[
        str | None, typer.Option("--id", help="Only the webhook with this id, request id or message id.", metavar="ID")
    ] = None,
    level: Annotated[str, typer.Option(help="Lowest level: debug, info, warning or error.", metavar="LEVEL")] = "debug",
    since: Since = "1h",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines until Ctrl-C.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also print lines about batches, and Lambda's.")
    ] = False,
    profile: Profile = None,
    region: Region = None,
    as_json: Json = False,
) -> None:
    """Print the logs, an event a line, in the order of time.

    It only reads. In a pipe, and with --json, each line is one of JSON.
    """
    if level.upper() not in LEVELS:
        raise CliError(f"--level must be one of {', '.join(LEVELS).lower()}, got {level!r}")
    levels = LEVELS[LEVELS.index(level.upper()) :]
    begin = time.time() - quantities.seconds(since, "--since")
    is_local = profile is None and region is None
    webhooks = options.webhooks(name, profile, region) if name or is_local else [options.webhook(None, profile, region)]
    rows = Rows(console.width, with_webhook=len(webhooks) > 1)
    found = log_lines.lines(webhooks, begin, id, follow=math.inf if follow else 0)
    tell = _say_json if as_json or not console.is_terminal else _sayer(rows)
    try:
        if not follow:
            with status_line("reading the logs"):
                read = list(found)
            rows.fit(read)
            found = iter(read)
        for line in found:
            if line.level in levels and (verbose or not event(line).is_noise):
                tell(line)
            if console.quiet:  # no one reads it any more
                return
    except KeyboardInterrupt:
        return


@in_one_sentence
def trace(
    id: Annotated[str, typer.Argument(help="Id of a webhook, of its request or of its message.", metavar="ID")],
    webhook: AnyWebhook = None,
    since: Since = "1d",
    payload: Payload = False,
    raw: Raw = False,
    profile: Profile = None,
    region: Region = None,
    as_json: Json = False,
) -> None:
    """Tell the story of one webhook, over each retry and redrive.

    It only reads. Exits with 1 if no log has the id. The payload is read from the sink, which must be a DynamoDB table.
    """
    begin = time.time() - quantities.seconds(since, "--since")
    webhooks = options.webhooks(webhook, profile, region)
    with status_line(f"searching for {id}"):
        found = stories.stories(log_lines.lines(webhooks, begin, id))
    if not found:
        raise CliError(_not_found(id, since))
    by_name = {each.name: each for each in webhooks}

    @cache
    def route(name: str) -> Route:
        # Several webhooks may share the function that wrote a line.
        return Route.of(by_name[name]) if name in by_name else Route()

    def kept(story: Story) -> bytes:
        if story.webhook not in by_name:
            raise CliError(f"the log is that of {story.webhook}; name one with --webhook to see its payload")
        return stored.payload_of(by_name[story.webhook], story.mount, story.id)

    with_payload = payload or raw
    if as_json:
        more = [payloads.told(kept(story)) if with_payload else {} for story in found]
        told = [stories.told(story, route(story.webhook)) for story in found]
        say_json([one | other for one, other in zip(told, more, strict=True)])
        return
    if with_payload and payloads.is_alone(raw=raw):
        if len(found) > 1:
            names = ", ".join(f"{text_of(story.webhook)} at {text_of(story.mount)}" for story in found)
            raise CliError(f"{text_of(id)} is the id of {len(found)} webhooks: {names}; name one with --webhook")
        payloads.write(kept(found[0]))
        return
    for number, story in enumerate(found):
        if number:
            say("")
        _say_story(story, route)
        if with_payload:
            payloads.show(kept(story))


@in_one_sentence
def status(name: AnyName = None, profile: Profile = None, region: Region = None, as_json: Json = False) -> None:
    """Print how many webhooks wait, fail and are stored.

    It only reads, and receives no message. A table if there are several webhooks.
    """
    webhooks = options.webhooks(name, profile, region)
    with status_line("asking"):
        found = statuses.statuses(webhooks)
    if as_json:
        told = [each.told() for each in found]
        say_json(told if name is None else told[0])
        return
    for line in statuses.details(found[0]) if len(found) == 1 else statuses.table(found, console.width):
        say(line)


def _say_json(line: Line) -> None:
    say_json(line.as_json())


def _sayer(rows: Rows) -> Callable[[Line], None]:
    def tell(line: Line) -> None:
        for row in rows.of(line):
            say_row(row)

    return tell


def _say_story(story: Story, route: Callable[[str], Route]) -> None:
    """Print each delivery of a webhook, and what is known of it."""
    several = len(story.deliveries) > 1
    mount = f" at {text_of(story.mount)}" if story.mount not in ("", "/") else ""
    for number, delivery in enumerate(story.deliveries, 1):
        title = f"{text_of(story.webhook)}{mount}" + (
            f", delivery {number} of {len(story.deliveries)}" if several else ""
        )
        say_row([Segment(title, Style(bold=True)), Segment(f", request {text_of(delivery.request_id or 'unknown')}")])
        rows = Rows(console.width)
        rows.fit(delivery.lines)
        for line in delivery.lines:
            for row in rows.of(line):
                say_row(row)
        say(stories.known(delivery, route(story.webhook)))


def _not_found(id: str, since: str) -> str:
    return (
        f"no log of the last {since} has the id {text_of(id)}: it was not accepted, an event filter of the event "
        "source mapping dropped it, or it waits behind a direct integration, which logs request ids alone; or it is "
        "older, then raise --since, up to the retention of the logs"
    )
