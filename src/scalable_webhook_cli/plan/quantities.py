"""Durations and rates as a person writes them: ``60s``, ``30m@2m``, ``20/s``."""

import re

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.plan.load import Outage

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_NUMBER = r"(\d{1,12}(?:\.\d{1,6})?)"
_DURATION = re.compile(rf"{_NUMBER}(ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(rf"{_NUMBER}/(s|m|h|d)", re.ASCII)


def seconds(text: str, option: str) -> float:
    """Return the seconds of a duration, such as ``90s`` or ``15m``.

    Raises:
        CliError: It is none.
    """
    number, unit = _read(_DURATION, text, f"{option} must be a number with ms, s, m, h or d, such as 90s or 15m")
    return number * unit


def per_second(text: str, option: str) -> float:
    """Return a rate, such as ``20/s`` or ``1200/m``, in webhooks a second.

    Raises:
        CliError: It is none.
    """
    number, unit = _read(_RATE, text, f"{option} must be a number for each s, m, h or d, such as 20/s or 1200/m")
    return number / unit


def _read(pattern: re.Pattern[str], text: str, otherwise: str) -> tuple[float, float]:
    """Return the number of a text, and the seconds of its unit. 0 needs no unit."""
    if text == "0":
        return 0.0, 1.0
    found = pattern.fullmatch(text)
    if not found:
        raise CliError(f"{otherwise}, got {text!r}")
    return float(found[1]), _SECONDS[found[2]]


def outage(text: str, option: str) -> Outage:
    """Return an outage, such as ``30m`` from the start on, or ``30m@2m`` from minute 2 on.

    Raises:
        CliError: It is none.
    """
    length, at, start = text.partition("@")
    if at and not start:
        raise CliError(f"{option} must have its start after @, such as 30m@2m, got {text!r}; or leave out the @")
    return Outage(seconds=seconds(length, option), start=seconds(start or "0", option))


def shown(number: float) -> str:
    """Return seconds for a person: in two units at most, such as ``1 h 20 m``."""
    if number < 0.9995:
        return f"{number * 1000:.0f} ms" if number else "0 s"
    if number < 9.95:
        return f"{number:.1f} s"
    whole = round(number)
    for name, size, smaller, part in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        # Rounded to the smaller unit, which may fill the larger one.
        parts = round(whole / part)
        if parts * part >= size:
            units, rest = divmod(parts, size // part)
            return f"{units} {name} {rest} {smaller}" if rest else f"{units} {name}"
    return f"{whole} s"
