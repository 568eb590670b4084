"""Which webhooks are wanted: Lambda's event filters, matched here where no event source mapping can.

What matches is what AWS documents; what it leaves open is as in Event Ruler, the library behind it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
"""

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from webhook_runtime.message import Webhook
from webhook_runtime.settings import FilterSettings

Pattern = Mapping[str, Any]


class EventFilters:
    """The filters of one webhook, checked at synth: each a pattern over ``headers``, whose names are in lower case, and
    ``body``."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns

    @classmethod
    def from_settings(cls, settings: FilterSettings | None) -> "EventFilters | None":
        """The filters of a deployed function. None where every webhook is wanted."""
        return None if settings is None else cls(json.loads(settings.event_filters))

    def want(self, webhook: Webhook) -> bool:
        """Whether any filter matches. Never raises, whatever the payload."""
        event: dict[str, Any] = {"headers": {name: webhook.headers.get_all(name) for name in webhook.headers}}
        if any("body" in pattern for pattern in self._patterns):
            event["body"] = _parse(webhook.body)
        # A payload that is not JSON has no fields: it matches no filter on them, not even that one is absent.
        return any(
            all(isinstance(event[key], dict | list) and _matches(fields, event[key]) for key, fields in pattern.items())
            for pattern in self._patterns
        )


def _parse(payload: bytes) -> Any:
    """None where it is not JSON that can be read. Of a key that is there twice the last value counts."""
    try:
        # As text, or Python would take UTF-16 for JSON too.
        return json.loads(payload.decode(), parse_constant=_no_json)
    except (ValueError, RecursionError):
        return None


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _matches(fields: Pattern, value: Any) -> bool:
    """Whether an object has all the fields. Of an array any of its objects may, but it has to have them all; what is
    no object has no fields."""
    objects = [each for each in _elements(value) if isinstance(each, dict)] or [{}]
    return any(all(_has(each, name, wanted) for name, wanted in fields.items()) for each in objects)


def _has(event: Mapping[str, Any], name: str, wanted: Any) -> bool:
    if name == "$or":
        return any(_matches(fields, event) for fields in wanted)
    value = event.get(name, [])
    if isinstance(wanted, dict):
        return _matches(wanted, value)
    leaves = [each for each in _elements(value) if not isinstance(each, dict)]
    return any(_holds(rule, leaves) for rule in wanted)


def _holds(rule: Any, leaves: list[Any]) -> bool:
    if not isinstance(rule, dict):
        return any(_equal(leaf, rule) for leaf in leaves)
    ((name, operand),) = rule.items()
    if name == "exists":
        return bool(leaves) is operand
    return any(_OPERATORS[name](leaf, operand) for leaf in leaves)


def _elements(value: Any) -> Iterator[Any]:
    """What is in an array, and in the arrays in it: as one. No recursion, since a sender decides how deep they are."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left.extend(each)
        else:
            yield each


def _equal(leaf: Any, value: Any) -> bool:
    """By type too: 1, 1.0 and true are three things."""
    return type(leaf) is type(value) and bool(leaf == value)


def _anything_but(leaf: Any, operand: Sequence[Any]) -> bool:
    return not any(_equal(leaf, value) for value in operand)


def _numeric(leaf: Any, operand: Sequence[Any]) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[sign](leaf, number) for sign, number in pairs)


_COMPARISONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "prefix": lambda leaf, text: isinstance(leaf, str) and leaf.startswith(text),
    "suffix": lambda leaf, text: isinstance(leaf, str) and leaf.endswith(text),
    "equals-ignore-case": lambda leaf, text: isinstance(leaf, str) and leaf.lower() == text.lower(),
    "anything-but": _anything_but,
    "numeric": _numeric,
}
