"""Event filters in Lambda's syntax: their checks, their environment, and the count of dropped webhooks."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from aws_cdk import Duration, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from cdk_scalable_webhook.checks.types import MAX_NUMBER, brief, is_text
from cdk_scalable_webhook.checks.values import require_header_name, require_number
from cdk_scalable_webhook.monitoring import count, counted, total
from webhook_runtime.contract.settings import FilterSettings, to_environment

if TYPE_CHECKING:  # importing it slows each synth
    from aws_cdk import aws_cloudwatch as cloudwatch

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
_MAX_FILTERS = 5
_MAX_PATTERN_LENGTH = 4096
# All environment variables of a function together have up to 4 KB, and it needs others too.
_MAX_ENVIRONMENT_LENGTH = 3000
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
_MAX_NUMERIC = 5_000_000_000

_TEXT_OPERATORS = ("prefix", "suffix", "equals-ignore-case")
_OPERATORS = (*_TEXT_OPERATORS, "anything-but", "numeric", "exists")


class EventFilters:
    """The filters of one endpoint, valid and with the names of headers in lower case."""

    def __init__(self, filters: Sequence[Mapping[str, object]]) -> None:
        """Check the filters.

        Raises:
            ValueError: They are not filters, or more than Lambda accepts.
        """
        if not 1 <= len(filters) <= _MAX_FILTERS:
            remedy = "join some by $or" if filters else "name one"
            _reject(f"be a list of 1 to {_MAX_FILTERS} filters", f"{len(filters)}", f"{remedy}, or leave it out")
        try:
            if _holds_token(filters):
                _reject("be known at synth", "a value that only deployment knows", "write the value itself")
            self._patterns = [_pattern(each, f"event_filters[{number}]") for number, each in enumerate(filters)]
        except RecursionError:
            _reject("be less deep", "one without end", "write out the fields that count")
        texts = [_dumps(pattern) for pattern in self._patterns]
        if len(set(texts)) < len(texts):
            _reject("be different filters", "one of them twice", "leave it out")

    @property
    def need_headers(self) -> bool:
        """Whether one of the filters looks at a header."""
        return any("headers" in pattern for pattern in self._patterns)

    @property
    def header_names(self) -> set[str]:
        """The headers that they look at, in lower case."""
        return {name for pattern in self._patterns for name in _names(pattern.get("headers", {}))}

    @property
    def patterns(self) -> Sequence[Mapping[str, Any]]:
        """Each filter, as the function that drops gets it."""
        return self._patterns

    def is_same(self, other: "EventFilters") -> bool:
        """Check whether both surely keep the same webhooks. Not by ``==``, for which True is 1."""
        one, another = ({json.dumps(each, sort_keys=True) for each in filters.patterns} for filters in (self, other))
        return one == another

    def criteria(self) -> list[dict[str, str]]:
        """Return the filters for an event source mapping."""
        texts = [_dumps(pattern) for pattern in self._patterns]
        for number, text in enumerate(texts):
            if len(text) > _MAX_PATTERN_LENGTH:
                where = f"event_filters[{number}]"
                _reject(
                    f"be at most {_MAX_PATTERN_LENGTH:,} characters as JSON", f"{len(text):,}", "split it in two", where
                )
        return [{"pattern": text} for text in texts]


def _names(fields: Mapping[str, Any]) -> set[str]:
    """Return the names of fields, those of alternatives included."""
    alternatives = fields.get("$or", [])
    return {name for name in fields if name != "$or"}.union(*map(_names, alternatives))


def _holds_token(value: object) -> bool:
    """Check whether a part of a filter is known at deployment only: a text, a number, or a list with such a text."""
    if isinstance(value, Mapping):
        return any(map(_holds_token, [*value.keys(), *value.values()]))
    if isinstance(value, list | tuple):
        return any(map(_holds_token, value))
    if isinstance(value, str):
        return re.search(r"[#$]\{Token\[", value) is not None
    return isinstance(value, float) and math.isfinite(value) and Token.is_unresolved(value)


def filter_environment(filters: Mapping[str, EventFilters]) -> dict[str, str]:
    """Return the environment of a function that drops for these paths: empty if there are none.

    Raises:
        ValueError: It is more than an environment can hold.
    """
    if not filters:
        return {}
    written = to_environment(FilterSettings({mount: each.patterns for mount, each in filters.items()}))
    if (length := sum(map(len, written.values()))) > _MAX_ENVIRONMENT_LENGTH:
        limit = (
            f"be at most {_MAX_ENVIRONMENT_LENGTH:,} characters as JSON, since a function has them in its environment"
        )
        remedy, where = "filter by fewer values, or by a prefix", "event_filters"
        if len(filters) > 1:
            remedy += ", or take Ingress.lambda_integration(), where each endpoint has a function of its own"
            where = f"event_filters of {' and '.join(filters)} together"
        _reject(limit, f"{length:,}", remedy, where)
    return written


def count_dropped(function: lambda_.Function, queue: sqs.IQueue) -> None:
    """Count the lines that a function logs for dropped webhooks, in one metric for all endpoints of a queue."""
    lines = logs.FilterPattern.string_value("$.message", "=", "dropped")
    count("Dropped", function, queue, lines, default_value=0)


def metric_dropped(
    queue: sqs.IQueue, mapping: lambda_.EventSourceMapping | None, period: Duration | None
) -> "cloudwatch.Metric":
    """Return Lambda's own count if the event source mapping drops, else that of the functions of the queue."""
    if mapping is None:
        return counted("Dropped", queue, period)
    dimensions = {"EventSourceMappingUUID": mapping.event_source_mapping_id}
    return total("AWS/Lambda", "FilteredOutEventCount", period, dimensions)


def _pattern(filter: Mapping[str, object], where: str) -> dict[str, Any]:
    if not filter or not set(filter) <= {"body", "headers"}:
        got = ", ".join(filter) or "nothing"
        _reject("be a dict with the keys body, headers or both", got, "put fields of the payload below body", where)
    return {key: _fields(fields, f"{where}[{key!r}]", text_only=key == "headers") for key, fields in filter.items()}


def _fields(fields: object, where: str, *, text_only: bool) -> dict[str, Any]:
    """Check fields. ``text_only`` is for headers, whose values are text and whose names are in any case."""
    if not isinstance(fields, Mapping) or not fields or not all(_is(name, str) for name in fields):
        _reject("be a dict with one field or more", brief(fields), "for example {'type': ['order.paid']}", where)
    known: dict[str, Any] = {}
    for name, wanted in fields.items():
        below = f"{where}[{name!r}]"
        if name == "$or":
            known[name] = _alternatives(wanted, below, text_only=text_only)
            continue
        if text_only:
            require_header_name(f"a header of {where}", name)
            name = name.lower()
        is_object = isinstance(wanted, Mapping) and not text_only
        rules = _fields(wanted, below, text_only=text_only) if is_object else _rules(wanted, below, text_only=text_only)
        # AWS reads a dot in the name of a field as a step, so the functions have to do the same.
        *above, last = [name] if text_only else name.split(".")
        place = known
        for step in above:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                break
        if not isinstance(place, dict) or last in place:
            kind = "header" if text_only else "field"
            _reject(f"name each {kind} once", f"{name} twice", "put all its values into one list", where)
        place[last] = rules
    return known


def _alternatives(wanted: object, where: str, *, text_only: bool) -> list[dict[str, Any]]:
    if not isinstance(wanted, list | tuple) or len(wanted) < 2:
        _reject("be a list of two dicts or more", brief(wanted), "for example [{'a': [1]}, {'b': [2]}]", where)
    for each in wanted:
        reserved = sorted(set(_OPERATORS) & set(each)) if isinstance(each, Mapping) else []
        if reserved:
            # With an operator inside, AWS reads $or as the name of a field.
            _reject("have no operator for the name of a field", reserved[0], "put the field's name before it", where)
    return [_fields(each, f"{where}[{number}]", text_only=text_only) for number, each in enumerate(wanted)]


def _rules(wanted: object, where: str, *, text_only: bool) -> list[Any]:
    if not isinstance(wanted, list | tuple) or not wanted:
        remedy = "name a value in it" if isinstance(wanted, list | tuple) else "put a single value into a list, too"
        _reject("be a list of one value or more", brief(wanted), remedy, where)
    return [_rule(rule, where, text_only=text_only) for rule in wanted]


def _rule(rule: object, where: str, *, text_only: bool) -> Any:
    if isinstance(rule, Mapping):
        return _operation(rule, where, text_only=text_only)
    if isinstance(rule, float):
        _reject(
            "have numbers with a fraction below numeric, since AWS compares others as they are written",
            brief(rule),
            f"write {{'numeric': ['=', {brief(rule)}]}}",
            where,
        )
    if not (_is(rule, str) or (not text_only and (rule is None or isinstance(rule, bool) or _is(rule, int)))):
        kinds = "texts and operators, since a header is text" if text_only else "texts, numbers, booleans and None"
        remedy = "write a text" if text_only else "write a text, a whole number, True, False or None"
        if isinstance(rule, str):
            remedy = "leave control characters and lone surrogates out"
        _reject(f"have {kinds}", brief(rule), remedy, where)
    return rule


def _operation(rule: Mapping[Any, Any], where: str, *, text_only: bool) -> dict[str, Any]:
    if len(rule) != 1 or not set(rule) <= set(_OPERATORS):
        got = ", ".join(map(str, rule)) or "none"
        _reject(f"have one operator a dict, of {', '.join(_OPERATORS)}", got, "take one of these in each dict", where)
    ((operator, operand),) = rule.items()
    if operator in _TEXT_OPERATORS and not _is(operand, str):
        _reject(f"have a text for {operator}", brief(operand), f"write a dict with {operator} for each text", where)
    if operator == "exists" and not isinstance(operand, bool):
        _reject("have True or False for exists", brief(operand), "write {'exists': True}", where)
    if operator == "anything-but":
        values = list(operand) if isinstance(operand, list | tuple) else [operand]
        kinds = (str,) if text_only else (str, int)
        if not values or not any(all(_is(value, kind) for value in values) for kind in kinds):
            allowed = "texts" if text_only else "texts alone or whole numbers alone"
            _reject(f"have {allowed} for anything-but", brief(operand), f"list {allowed}", where)
        return {operator: values}
    if operator == "numeric":
        if text_only:
            _reject("have no numeric, since a header is text", brief(operand), "list the texts", where)
        return {operator: _comparison(operand, where)}
    return {operator: operand}


def _comparison(operand: object, where: str) -> list[Any]:
    """Check one comparison, or a range with its lower limit first."""
    shape = "have ['=', 1], ['>', 1] or a range such as ['>', 1, '<=', 9] for numeric"
    terms = list(operand) if isinstance(operand, list | tuple) else []
    signs, limits = terms[::2], terms[1::2]
    is_one = len(signs) == 1 and signs[0] in ("=", "<", "<=", ">", ">=")
    is_range = len(signs) == 2 and signs[0] in (">", ">=") and signs[1] in ("<", "<=")
    if not (is_one or is_range) or len(signs) != len(limits) or not all(_is(each, int, float) for each in limits):
        _reject(shape, brief(operand), "write one of these, its numbers without quotes", where)
    for limit in limits:
        require_number(f"a number below numeric of {where}", limit, -_MAX_NUMERIC, _MAX_NUMERIC)
    if is_range and limits[0] >= limits[1]:
        _reject("have the lower limit of a range first", brief(operand), "swap them", where)
    return terms


def _is(value: object, *kinds: type) -> bool:
    """Check whether a value is a text or number of these types that both JSON and a template can hold."""
    if isinstance(value, bool) or not isinstance(value, kinds):
        return False
    return is_text(value) if isinstance(value, str) else isinstance(value, int | float) and abs(value) <= MAX_NUMBER


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _reject(limit: str, got: str, remedy: str, where: str = "event_filters") -> NoReturn:
    raise ValueError(f"{where} must {limit}, got {got}; {remedy}")
