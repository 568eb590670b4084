"""Lambda's event filters, matched here if no event source mapping can.

They match as AWS documents it, and else as Event Ruler does, the library behind it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from webhook_runtime.message import Webhook, has_too_many_values, parse_json

Pattern = Mapping[str, Any]


class EventFilters:
    """The filters of each endpoint by its path, checked at synth.

    An endpoint without filters here wants every webhook, or its ingress drops the others.
    """

    def __init__(self, by_mount: Mapping[str, Sequence[Pattern]]) -> None:
        self._by_mount = {mount: _Filters(patterns) for mount, patterns in by_mount.items()}

    def want(self, webhook: Webhook) -> bool:
        """Tell whether a filter of the webhook's endpoint matches. Never raises, whatever the payload."""
        filters = self._by_mount.get(webhook.mount)
        return filters is None or filters.want(webhook)


# A limit of the search, since any client may have sent the payload. A webhook above it, or with too many values, is
# kept. At most so many values and objects of arrays, counted for each filter that reads them.
_MAX_LOOKS = 100_000


class _TooMuch(Exception):
    """The payload is above a limit."""


class _Filters:
    """The filters of one endpoint. Each is a pattern of ``headers``, whose names are in lower case, and of ``body``."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns

    @cached_property
    def _looks_at_headers(self) -> bool:
        return any("headers" in pattern for pattern in self._patterns)

    @cached_property
    def _depth(self) -> int:
        return max((_depth(pattern["body"]) for pattern in self._patterns if "body" in pattern), default=0)

    @cached_property
    def _compiled(self) -> Sequence[Mapping[str, "_Compiled"]]:
        return [{key: _compiled(fields) for key, fields in pattern.items()} for pattern in self._patterns]

    def want(self, webhook: Webhook) -> bool:
        """See ``EventFilters.want``."""
        headers = {name: webhook.headers.get_all(name) for name in webhook.headers} if self._looks_at_headers else {}
        search = _Search()
        try:
            left = [each for each in self._compiled if "headers" not in each or search.finds(each["headers"], headers)]
            if not left or any("body" not in each for each in left):
                return bool(left)
            if has_too_many_values(webhook.body):
                return True
            body = _parse(webhook.body, self._depth)
            # A payload that is not JSON has no fields. It matches no filter on them, not even that a field is absent.
            return isinstance(body, dict | list) and any(search.finds(each["body"], body) for each in left)
        except _TooMuch:
            return True


# Up to the first dot only: else a text of many sentences would be read once for each of them.
_NAME_WITH_A_DOT = re.compile(r'"[^".]*\.[^"]*"\s*:|\\u002[eE]')


def _depth(fields: Pattern) -> int:
    """Return the number of steps down to the deepest field of a pattern."""
    return max(
        max(map(_depth, wanted)) if name == "$or" else 1 + (_depth(wanted) if isinstance(wanted, dict) else 0)
        for name, wanted in fields.items()
    )


def _parse(payload: bytes, depth: int) -> Any:
    """Parse a payload, or return None if it is not JSON.

    The last value of a repeated key counts. Raise _TooMuch if JSON is too deep, or a number too long.
    """
    try:
        text = payload.decode(json.detect_encoding(payload), "surrogatepass")  # as parse_json reads bytes
        options = {"object_pairs_hook": partial(_undotted, depth)} if _NAME_WITH_A_DOT.search(text) else {}
        return parse_json(text, **options)
    except (json.JSONDecodeError, UnicodeError):
        return None
    except ValueError:
        raise _TooMuch from None


def _undotted(depth: int, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Turn each dot in a name into a step, as Event Ruler does: ``{"a.b": 1}`` is ``{"a": {"b": 1}}``.

    Keep names with more steps than the pattern has. Otherwise a few bytes could make many objects.
    """
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if "." not in name or name.count(".") >= depth:
            # Next to steps of the same name, both are kept.
            fields[name] = _merged(fields[name], value) if isinstance(fields.get(name), _Steps) else value
            continue
        first, *others = name.split(".")
        for step in reversed(others):
            value = _Steps({step: value})
        fields[first] = _merged(fields[first], value) if first in fields else value
    return fields


class _Steps(dict[str, Any]):
    """An object made from names with dots."""


class _Either(list[Any]):
    """An array made from names with dots."""


def _merged(one: Any, other: Any) -> Any:
    """Merge two values of one path that come from names with dots.

    If they are not both objects, either may match. Such a value is changed in place: a copy for each name would cost
    the square of the payload's size.
    """
    if not (isinstance(one, dict) and isinstance(other, dict)):
        either = one if isinstance(one, _Either) else _Either(_elements(one))
        either.extend(_elements(other))
        return either
    both = one if isinstance(one, _Steps) else _Steps(one)
    for name, value in other.items():
        both[name] = _merged(both[name], value) if name in both else value
    return both


class _Rules:
    """The rules of one field: one of them has to hold for one of its values. Each kind of rule is checked for all
    values at once.
    """

    def __init__(self, rules: Sequence[Any]) -> None:
        literals = [rule for rule in rules if not isinstance(rule, dict)]
        operands: dict[str, list[Any]] = {}
        for rule in rules:
            if isinstance(rule, dict):
                ((name, operand),) = rule.items()
                operands.setdefault(name, []).append(operand)
        self._exists = operands.get("exists", [])
        self._literals = _Values(literals)
        self._prefixes = tuple(operands.get("prefix", ()))
        self._suffixes = tuple(operands.get("suffix", ()))
        self._in_any_case = frozenset(text.lower() for text in operands.get("equals-ignore-case", ()))
        self._anything_but = [_Values(operand) for operand in operands.get("anything-but", ())]
        self._numeric = operands.get("numeric", [])

    def hold(self, leaves: "_Leaves") -> bool:
        """Tell whether a rule holds."""
        if any(leaves.are_there is operand for operand in self._exists):
            return True
        texts, numbers = leaves.texts, leaves.numbers
        return (
            self._literals.have_any_of(leaves)
            or bool(self._prefixes and any(text.startswith(self._prefixes) for text in texts))
            or bool(self._suffixes and any(text.endswith(self._suffixes) for text in texts))
            or bool(self._in_any_case and any(text.lower() in self._in_any_case for text in texts))
            or any(not values.have_all_of(leaves) for values in self._anything_but)
            or any(_is_in(number, terms) for terms in self._numeric for number in numbers)
        )


class _Values:
    """Values of a pattern. Numbers are equal by value, as recorded from AWS: 300.0 is 300. But true is not 1."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._booleans = frozenset(value for value in values if isinstance(value, bool))
        # Values of the payload are looked up in these sets, and never put into one: a client could choose numbers of
        # one hash.
        self._others = frozenset(value for value in values if not isinstance(value, bool))

    def have_any_of(self, leaves: "_Leaves") -> bool:
        return not (self._others.isdisjoint(leaves.others) and self._booleans.isdisjoint(leaves.booleans))

    def have_all_of(self, leaves: "_Leaves") -> bool:
        return all(leaf in self._others for leaf in leaves.others) and self._booleans.issuperset(leaves.booleans)


class _Leaves:
    """The values of one field by type."""

    def __init__(self, leaves: Sequence[Any]) -> None:
        self.are_there = bool(leaves)
        self.booleans = {leaf for leaf in leaves if leaf is True or leaf is False}
        self.others = [leaf for leaf in leaves if leaf is not True and leaf is not False]

    @cached_property
    def texts(self) -> Sequence[str]:
        return [leaf for leaf in self.others if isinstance(leaf, str)]

    @cached_property
    def numbers(self) -> Sequence[float]:
        return [leaf for leaf in self.others if isinstance(leaf, int | float)]


_Compiled = Mapping[str, Any]
_NOTHING: list[Any] = []


def _compiled(fields: Pattern) -> _Compiled:
    """Read the rules of each field of a pattern."""
    return {
        name: [_compiled(each) for each in wanted]
        if name == "$or"
        else _compiled(wanted)
        if isinstance(wanted, dict)
        else _Rules(wanted)
        for name, wanted in fields.items()
    }


class _Search:
    """The search for patterns in one event."""

    def __init__(self) -> None:
        self._left = _MAX_LOOKS
        # By the identity of the array, which the event keeps alive, since several filters may ask for the same field.
        self._arrays: dict[int, tuple[list[dict[str, Any]], _Leaves]] = {}

    def finds(self, fields: _Compiled, value: Any) -> bool:
        """Tell whether an object has all fields, or in an array any one of its objects. Raise _TooMuch.

        A value that is not an object has no fields.
        """
        if isinstance(value, dict):
            return self._has_all(fields, value)
        objects = self._elements(value)[0]
        return any(self._has_all(fields, each) for each in objects or [{}])

    def _has_all(self, fields: _Compiled, event: Mapping[str, Any]) -> bool:
        self._look(1)
        return all(self._has(event, name, wanted) for name, wanted in fields.items())

    def _has(self, event: Mapping[str, Any], name: str, wanted: Any) -> bool:
        if name == "$or":
            return any(self._has_all(fields, event) for fields in wanted)
        value = event.get(name, _NOTHING)
        if isinstance(wanted, _Rules):
            return wanted.hold(self._elements(value)[1])
        return self.finds(wanted, value)

    def _elements(self, value: Any) -> tuple[list[dict[str, Any]], _Leaves]:
        """Return the objects and the other values of an array. Any other value counts as an array of one."""
        if not isinstance(value, list):
            return ([value], _Leaves([])) if isinstance(value, dict) else ([], _Leaves([value]))
        if id(value) not in self._arrays:
            elements = list(_elements(value, self._look))
            objects = [each for each in elements if isinstance(each, dict)]
            self._arrays[id(value)] = objects, _Leaves([each for each in elements if not isinstance(each, dict)])
        return self._arrays[id(value)]

    def _look(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise _TooMuch


def _elements(value: list[Any], look: Callable[[int], None] = lambda _: None) -> Iterator[Any]:
    """Return the values of an array and of the arrays in it. No recursion: the client decides the depth."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, list):
            look(len(each))
            left.extend(each)
        else:
            yield each


def _is_in(number: float, terms: Sequence[Any]) -> bool:
    """Tell whether a number satisfies all comparisons."""
    pairs = zip(terms[::2], terms[1::2], strict=True)
    return all(_COMPARISONS[sign](number, limit) for sign, limit in pairs)


_COMPARISONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
