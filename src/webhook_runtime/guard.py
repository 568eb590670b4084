"""Read exceptions of the user's code, here and nowhere else.

An exception may be anything: a subclass that never called ``super().__init__``, attributes of another type, a
``__str__`` that raises. It decides about its own webhook, and never about another one of the batch.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from webhook_runtime import logs
from webhook_runtime.interrupts import INTERRUPTS
from webhook_runtime.outcome import Kind, Outcome, Permanent, RetryAfter, SinkDown


class Raised(NamedTuple):
    """An exception: its class name, reason, seconds until the retry, and whether an ``Unverified`` is certain."""

    error: str
    reason: str
    seconds: float | None
    is_sure: bool


def read(error: BaseException) -> Raised:
    """Read any exception."""
    name = logs.name_of(type(error))
    reason = _text(lambda: error.reason) or logs.text_of(error) or name  # type: ignore[attr-defined]
    seconds = _number(lambda: error.seconds)  # type: ignore[attr-defined]
    if is_a(error, SinkDown):
        name = _text(lambda: error.error) or name  # type: ignore[attr-defined]
        seconds = _number(lambda: error.retry_after)  # type: ignore[attr-defined]
    return Raised(name, reason, seconds, _value(lambda: error.sure) is not False)  # type: ignore[attr-defined]


def is_a(error: BaseException, kind: type[BaseException]) -> bool:
    """Do not use ``isinstance``, which asks the error as well."""
    return issubclass(type(error), kind)


def outcome(error: BaseException) -> Outcome:
    """Return the outcome of a webhook whose handler raised this error. Raise SinkDown as a new one of our own."""
    said = read(error)
    if is_a(error, SinkDown):
        raise SinkDown(said.reason, retry_after=said.seconds, error=said.error) from None
    if is_a(error, Permanent):
        return Outcome(Kind.PERMANENT, said.error, said.reason)
    if is_a(error, RetryAfter):
        return Outcome(Kind.RETRY, said.error, said.reason, said.seconds)
    logs.logger.error("the handler raised", exc_info=logs.raised(error))
    return Outcome(Kind.RETRY, said.error, logs.text_of(error) or said.error, is_trouble=True)


def _value(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except INTERRUPTS:
        raise
    except BaseException:  # a missing attribute, or a property that fails
        return None


def _text(get: Callable[[], Any]) -> str:
    value = _value(get)
    # Not a subclass of str, whose methods may do anything.
    return "".join([value]) if isinstance(value, str) else ""


def _number(get: Callable[[], Any]) -> float | None:
    seconds = _value(lambda: float(get()))
    return seconds if seconds is not None and math.isfinite(seconds) else None
