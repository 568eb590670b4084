"""Checks of single values, and durations as numbers and texts."""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from aws_cdk import Duration, Token

from cdk_scalable_webhook.checks.types import brief
from webhook_runtime.contract.headers import ADDED, NEVER_ARRIVE

_Check = TypeVar("_Check", bound=Callable[..., None])
# In seconds. Limits and defaults are numbers: each Duration is a call of the CDK.
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600

# The CDK's text for an SSM parameter that it has not looked up yet.
_DUMMY = "dummy-value-for-"


def once_looked_up(check: _Check) -> _Check:
    """Skip a check for a text that is still being looked up: the CDK synthesises with a dummy, looks the value up, and
    synthesises again.

    https://docs.aws.amazon.com/cdk/v2/guide/get-context-var.html
    """

    @functools.wraps(check)
    def checked(*args: Any, **kwargs: Any) -> None:
        if not any(is_dummy(value) for value in [*args, *kwargs.values()]):
            check(*args, **kwargs)

    return cast(_Check, checked)


def is_dummy(value: object) -> bool:
    """Check whether a value is, or has, a text that the CDK is still looking up."""
    values = [value] if isinstance(value, str) else value if isinstance(value, Sequence) else []
    return any(isinstance(each, str) and _DUMMY in each for each in values)


def require_number(argument: str, value: float | None, low: float, high: float, remedy: str = "") -> None:
    """Reject a number outside its limits. ``remedy`` replaces "raise it" for a number that is too low."""
    if value is None or Token.is_unresolved(value) or low <= value <= high:
        return
    remedy = "lower it" if value > high else remedy or "raise it"
    raise ValueError(f"{argument} must be between {low:,} and {high:,}, got {value:,}; {remedy}")


def require_duration(argument: str, value: Duration | None, low: float, high: float) -> None:
    """Reject a duration outside its limits in seconds, or not in whole ones, which SQS and Lambda require."""
    if value is not None and value.is_unresolved() and not _is_in_seconds(value):
        raise ValueError(
            f"{argument} must be in seconds if only deployment knows it, got another unit; take Duration.seconds(…)"
        )
    seconds = known_seconds(value)
    if seconds is None:
        return
    if not low <= seconds <= high:
        limits = f"between {show(low)} and {show(high)}"
        remedy = "lower it" if seconds > high else "raise it"
        raise ValueError(f"{argument} must be {limits}, got {show(value)}; {remedy}")
    if seconds % 1:
        raise ValueError(f"{argument} must be in whole seconds, got {seconds:g} seconds; round it")


def _is_in_seconds(value: Duration) -> bool:
    """Check whether a token's unit is seconds: CloudFormation cannot convert units."""
    try:
        return bool(value.to_seconds())
    except RuntimeError:  # the CDK's
        return False


def require_unset(existing: str, remedy: str = "", /, **settings: object) -> None:
    """Reject settings that do not apply to an existing resource. ``remedy`` is for settings that the resource itself
    does not have either; ``{them}`` in it becomes "it" or "them"."""
    given = [name for name, value in settings.items() if value is not None]
    if given:
        them = "it" if len(given) == 1 else "them"
        if not remedy and existing.startswith("no "):
            remedy = f"pass {existing.removeprefix('no ')} as well, or leave {{them}} out"
        remedy = remedy or f"set {{them}} on what you pass as {existing}, or leave {existing} out"
        raise ValueError(
            f"{' and '.join(given)} must not be set together with {existing}, got {', '.join(given)}; "
            f"{remedy.replace('{them}', them)}"
        )


@once_looked_up
def require_header_name(argument: str, value: str | None) -> None:
    """Reject a header name that cannot be in a mapping template or an environment variable."""
    if value is not None and value.lower() in NEVER_ARRIVE:
        raise ValueError(
            f"{argument} must be a header that API Gateway passes on, got {brief(value)}, which it drops; "
            "name another header of the provider"
        )
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        raise ValueError(
            f"{argument} must be 1 to 128 letters, digits, hyphens or underscores, got {brief(value)}; "
            "name one header, for example 'Idempotency-Key'"
        )


@once_looked_up
def require_header_of_provider(argument: str, value: str | None) -> None:
    """Reject a header that is not the provider's: its value may be the same in many requests, and webhooks with one id
    are stored once."""
    require_header_name(argument, value)
    if value is not None and value.lower() in ADDED:
        raise ValueError(
            f"{argument} must be a header of the provider, got {brief(value)}, which API Gateway writes; "
            "name another header"
        )


def require_at_most_one(**settings: object) -> None:
    """Reject two settings of which only one can apply."""
    given = [name for name, value in settings.items() if value is not None]
    if len(given) > 1:
        raise ValueError(
            f"{' and '.join(given)} must not be set together, got both; leave out {given[0]}, or leave out {given[1]}"
        )


def require_one_of(**things: object) -> None:
    """Require exactly one of several arguments."""
    given = [name for name, value in things.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"one of {' and '.join(things)} must be given, got {' and '.join(given) or 'neither'}; "
            f"{'leave out' if given else 'pass'} {', or '.join(things)}"
        )


@once_looked_up
def require_text(argument: str, value: str | None, high: int, example: str) -> None:
    """Reject a text that is empty, too long or not printable."""
    if value is None or Token.is_unresolved(value):
        return
    if not (1 <= len(value) <= high and value.isprintable()):
        raise ValueError(
            f"{argument} must be 1 to {high} printable characters, got {brief(value)}; for example {example!r}"
        )


def is_there(look: Callable[[], bool]) -> bool:
    """Check whether a path exists. A name that is too long for the file system does not."""
    try:
        return look()
    except OSError:
        return False


@once_looked_up
def require_choice(argument: str, value: str, among: tuple[str, ...]) -> None:
    """Require one of a few words."""
    if value not in among:
        raise ValueError(
            f"{argument} must be one of {', '.join(among)}, got {brief(value)}; take the one that the provider uses"
        )


def require_file(argument: str, value: str | Path | None) -> Path | None:
    """Require an existing file, and return its path."""
    if value is not None and not is_there(Path(value).is_file):
        raise ValueError(
            f"{argument} must be a file, got {brief(str(value))}, which is none: a path is relative to where cdk runs; "
            "take Path(__file__).parent / …, which is relative to your own file"
        )
    return None if value is None else Path(value)


def require_known(argument: str, value: Duration | None) -> Duration | None:
    """Require a duration that is known at synth."""
    if value is not None and value.is_unresolved():
        raise ValueError(
            f"{argument} must be known at synth, got a value that only deployment knows; write it out, for example "
            "Duration.minutes(1)"
        )
    return value


@functools.cache  # each time is two calls of the CDK, and a duration never changes
def known_seconds(value: Duration | None) -> float | None:
    """Return the seconds of a duration, or None if it is absent or a token."""
    return None if value is None or value.is_unresolved() else in_seconds(value)


@functools.cache
def in_seconds(value: Duration) -> float:
    """Return the seconds of a duration that is no token."""
    return value.to_seconds(integral=False)


def show(value: Duration | float | None) -> str:
    """Return a duration for a message. A number is in seconds."""
    if value is None:
        return "no duration"
    return (value if isinstance(value, Duration) else Duration.seconds(value)).to_human_string()
