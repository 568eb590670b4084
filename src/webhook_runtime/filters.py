"""Which webhooks are wanted: Lambda's event filters, matched here where no event source mapping can.

What matches is what AWS documents; what it leaves open is as in Event Ruler, the library behind it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from webhook_runtime.message import Webhook, parse_json
from webhook_runtime.settings import FilterSettings

Pattern = Mapping[str, Any]


class EventFilters:
    """The filters of each endpoint by its mount, checked at synth. An endpoint that has none here wants every webhook,
    or its ingress has dropped the others: what is not known to be unwanted is kept."""

    def __init__(self, by_mount: Mapping[str, Sequence[Pattern]]) -> None:
        self._by_mount = {mount: _Filters(patterns) for mount, patterns in by_mount.items()}

    @classmethod
    def from_settings(cls, settings: FilterSettings | None) -> "EventFilters | None":
        """Those of a deployed function. None where every webhook is wanted."""
        return None if settings is None else cls(json.loads(settings.event_filters))

    def want(self, webhook: Webhook) -> bool:
        """Whether any filter of the webhook's endpoint matches. Never raises, whatever the payload."""
        filters = self._by_mount.get(webhook.mount)
        return filters is None or filters.want(webhook)


class _Filters:
    """The filters of one endpoint: each a pattern over ``headers``, whose names are in lower case, and ``body``."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns

    @cached_property
    def _depth(self) -> int:
        return max((_depth(pattern["body"]) for pattern in self._patterns if "body" in pattern), default=0)

    def want(self, webhook: Webhook) -> bool:
        """See ``EventFilters.want``."""
        event: dict[str, Any] = {"headers": {name: webhook.headers.get_all(name) for name in webhook.headers}}
        if any("body" in pattern for pattern in self._patterns):
            event["body"] = _parse(webhook.body, self._depth)
        # A payload that is not JSON has no fields: it matches no filter on them, not even that one is absent.
        return any(
            all(isinstance(event[key], dict | list) and _matches(fields, event[key]) for key, fields in pattern.items())
            for pattern in self._patterns
        )


# Up to the first dot and no further, or a long text of many sentences would be read once for each of them.
_NAME_WITH_A_DOT = re.compile(r'"[^".]*\.[^"]*"\s*:|\\u002[eE]')


def _depth(fields: Pattern) -> int:
    """How many steps it is down to the deepest field of a pattern."""
    return max(
        max(map(_depth, wanted)) if name == "$or" else 1 + (_depth(wanted) if isinstance(wanted, dict) else 0)
        for name, wanted in fields.items()
    )


def _parse(payload: bytes, depth: int) -> Any:
    """None where it is not JSON that can be read. Of a key that is there twice the last value counts."""
    try:
        text = payload.decode(json.detect_encoding(payload), "surrogatepass")  # as parse_json reads bytes
        options = {"object_pairs_hook": partial(_undotted, depth)} if _NAME_WITH_A_DOT.search(text) else {}
        return parse_json(text, **options)
    except ValueError:
        return None


def _undotted(depth: int, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which a dot in a name is a step, as to Event Ruler: ``{"a.b": 1}`` is ``{"a": {"b": 1}}``. Names of
    more steps than a pattern has are left alone, or a sender could make many objects of few bytes."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if "." not in name or name.count(".") >= depth:
            # Beside steps of the same name, both are there.
            fields[name] = _merged(fields[name], value) if isinstance(fields.get(name), _Steps) else value
            continue
        first, *others = name.split(".")
        for step in reversed(others):
            value = _Steps({step: value})
        fields[first] = _merged(fields[first], value) if first in fields else value
    return fields


class _Steps(dict[str, Any]):
    """An object that dots have made."""


class _Either(list[Any]):
    """An array that dots have made."""


def _merged(one: Any, other: Any) -> Any:
    """Both, where dots have made two of one path. Of two that are no objects, either may match. What dots have made is
    changed in place: copied for each name, it would cost the square of a payload."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        either = one if isinstance(one, _Either) else _Either(_elements(one))
        either.extend(_elements(other))
        return either
    both = one if isinstance(one, _Steps) else _Steps(one)
    for name, value in other.items():
        both[name] = _merged(both[name], value) if name in both else value
    return both


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
    """Numbers by their value, as AWS was seen to compare them: 300.0 is 300. But true is no 1."""
    if isinstance(leaf, int | float) and isinstance(value, int | float):
        return isinstance(leaf, bool) is isinstance(value, bool) and leaf == value
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
