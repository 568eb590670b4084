"""``scalable-webhook pause``, ``resume`` and ``concurrency``."""

from typing import Annotated

import typer

from scalable_webhook_cli import throttle as throttles
from scalable_webhook_cli.commands import options
from scalable_webhook_cli.commands.options import Json, Name, Profile, Region, Yes
from scalable_webhook_cli.terminal import in_one_sentence, say, say_json, status_line
from scalable_webhook_cli.throttle import Throttle


@in_one_sentence
def pause(
    name: Name = None, profile: Profile = None, region: Region = None, yes: Yes = False, as_json: Json = False
) -> None:
    """Pause a webhook: its requests wait in the queue.

    No try is used up. Batches in progress end first.
    """
    throttle = throttles.of(options.webhook(name, profile, region))
    is_paused = throttle.describe()["State"] == "Disabled"
    if is_paused and not throttle.is_paused_by_breaker():
        _tell(throttle, as_json, f"{throttle.name} is paused already, {_by(throttle)}")
        return
    if is_paused:
        by = _by(throttle)
        options.confirm(f"keep {throttle.name} paused, also when its sink is up", throttle.target, yes=yes)
        throttle.take_over()
        _tell(throttle, as_json, f"{throttle.name} stays paused until you resume it; it was paused {by}")
        return
    options.confirm(f"pause {throttle.name}", throttle.target, yes=yes)
    with status_line(f"pausing {throttle.name}"):
        seconds = throttle.pause()
    _tell(
        throttle,
        as_json,
        f"paused {throttle.name} in {seconds:.0f} s; its webhooks wait in the queue",
        f"next: scalable-webhook resume {throttle.name}",
    )


@in_one_sentence
def resume(
    name: Name = None, profile: Profile = None, region: Region = None, yes: Yes = False, as_json: Json = False
) -> None:
    """Resume a paused webhook.

    It runs at the concurrency that it had.
    """
    throttle = throttles.of(options.webhook(name, profile, region))
    if throttle.describe()["State"] == "Enabled":
        _tell(throttle, as_json, f"{throttle.name} is not paused")
        return
    by = _by(throttle)
    options.confirm(f"resume {throttle.name}, paused {by}", throttle.target, yes=yes)
    with status_line(f"resuming {throttle.name}"):
        seconds = throttle.resume()
    _tell(throttle, as_json, f"resumed {throttle.name} in {seconds:.0f} s; it was paused {by}")


@in_one_sentence
def concurrency(
    number: Annotated[int, typer.Argument(help="Number of batches at a time.", metavar="N")],
    name: Name = None,
    profile: Profile = None,
    region: Region = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Change the number of batches at a time."""
    throttle = throttles.of(options.webhook(name, profile, region))
    throttle.require_concurrency(number)
    before = throttles.concurrency(throttle.describe())
    if before == number:
        _tell(throttle, as_json, f"{throttle.name} has {number} batches at a time already")
        return
    options.confirm(f"change {throttle.name} from {before} to {number} batches at a time", throttle.target, yes=yes)
    with status_line(f"changing {throttle.name}"):
        seconds = throttle.set_concurrency(number)
    lines = [f"changed {throttle.name} from {before} to {number} batches at a time in {seconds:.0f} s"]
    if throttle.deployed_concurrency != number:
        lines.append(f"next: put max_concurrency={number} into the app, since a deployment may set it back")
    _tell(throttle, as_json, *lines)


def _tell(throttle: Throttle, as_json: bool, *lines: str) -> None:
    """Print these lines, or as JSON how the throttle is now."""
    if as_json:
        say_json(throttle.told())
    else:
        for line in lines:
            say(line)


def _by(throttle: Throttle) -> str:
    by = throttle.paused_by()
    return f"by {by}" if by else "by someone who left no tag"
