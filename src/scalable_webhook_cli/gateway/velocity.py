"""Render mapping templates as API Gateway does: airspeed for Velocity, here the variables, and in java.py the Java.

Tests compare it with Apache Velocity itself, and with recordings from API Gateway where that differs. There, null
prints as nothing and equals an empty text, and a list of JSON prints as JSON.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import airspeed

from scalable_webhook_cli.gateway.java import JsonList, Map, String, as_java, as_json, printed

# Velocity's strings have one escape, a doubled quote. A backslash in a regular expression has no special meaning.
airspeed.StringLiteral.STRING = re.compile(r"'((?:''|[^'])*)'")
airspeed.StringLiteral.ESCAPED_CHAR = re.compile(r"'(')")
airspeed.InterpolatedStringLiteral.STRING = re.compile(r'"((?:""|[^"])*)"')
airspeed.InterpolatedStringLiteral.ESCAPED_CHAR = re.compile(r'"(")')
# Velocity removes blanks that stand alone before a #set, and the line end after a #foreach.
airspeed.Text.PLAIN = re.compile(r"(?![ \t]+#set\b)" + airspeed.Text.PLAIN.pattern, airspeed.Text.PLAIN.flags)
airspeed.SetDirective.START = re.compile(r"[ \t]*#set\s*\(")
# A name in Velocity may have hyphens: $context.responseOverride.header.Content-Type.
airspeed.SetDirective.PLACE = re.compile(r"\s*\$([a-z_][a-z0-9_-]*(?:\.[a-z_][a-z0-9_-]*)*)", re.IGNORECASE)
airspeed.ForeachDirective.CLOSE_PAREN = airspeed.SetDirective.END


def render(
    template: str,
    *,
    body: str,
    header: Mapping[str, str],
    querystring: Mapping[str, str],
    path: Mapping[str, str],
    context: dict[str, Any],
    stage_variables: Mapping[str, str] | None = None,
) -> str:
    """Render a mapping template.

    Args:
        template: The text of the template.
        body: The value of ``$input.body``.
        header: The headers, one value each.
        querystring: The query parameters, decoded, one value each.
        path: The path parameters.
        context: ``$context``. Afterwards it has the template's assignments to ``$context.responseOverride``.
        stage_variables: ``$stageVariables``.

    Returns:
        The rendered text.
    """
    context.setdefault("requestOverride", {"header": {}, "path": {}, "querystring": {}})
    context.setdefault("responseOverride", {"header": {}})
    namespace = {
        "input": _Input(body, header=header, querystring=querystring, path=path),
        "util": _Util,
        "context": as_java(context),
        "stageVariables": Map(stage_variables or {}),
    }
    text: str = _compiled(template).merge(namespace)
    for override in ("requestOverride", "responseOverride"):
        context[override] = namespace["context"][override]
    return text


@lru_cache(maxsize=64)
def _compiled(template: str) -> airspeed.Template:
    compiled = airspeed.Template(template)
    compiled.ensure_compiled()
    return compiled


def _make_java(literal: type[airspeed.StringLiteral]) -> None:
    """Turn string literals of a template into Java strings."""
    calculate = literal.calculate
    literal.calculate = lambda self, namespace, loader: String(calculate(self, namespace, loader))


_make_java(airspeed.StringLiteral)
_make_java(airspeed.InterpolatedStringLiteral)


def _set(namespace: Any, name: str, value: Any) -> None:
    """Keep a variable when it is set to null, and keep variables of a loop after it."""
    scope = namespace.find_outermost(name)
    while scope is None:
        inner, namespace = namespace, namespace.parent
        scope = None if isinstance(namespace, airspeed.LocalNamespace) else inner
    if value is not None:
        scope[name] = value


airspeed.LocalNamespace.set_inherited = _set


def _write(reference: Any, stream: Any, namespace: Any, loader: Any) -> None:
    """Print a value as Java does. API Gateway, like Velocity, prints nothing for null."""
    if not reference.expression:
        stream.write(reference.my_text())
        return
    value = reference.expression.calculate(namespace, loader)
    stream.write("" if value is None else printed(value))


airspeed.FormalReference.evaluate_raw = _write


def _equal(one: object, other: object) -> bool:
    """Compare as API Gateway does: null equals an empty text, unlike in Velocity."""
    return one == other or (one in (None, "") and other in (None, ""))


def _unequal(one: object, other: object) -> bool:
    return not _equal(one, other)


airspeed.BinaryOperator.OPERATORS.update({"==": _equal, "eq": _equal, "!=": _unequal, "ne": _unequal})


airspeed.__additional_methods__[JsonList] = airspeed.__additional_methods__[list]


class _Input:
    """``$input``."""

    def __init__(self, body: str, **parameters: Mapping[str, str]) -> None:
        self.body = String(body)
        # The order in which API Gateway searches.
        self._maps = {place: Map(parameters[place]) for place in ("path", "querystring", "header")}

    def params(self, name: str | None = None) -> Any:
        if name is None:
            return self._maps
        found = (values.get(name) for values in self._maps.values() if values.containsKey(name))
        return next(found, String(""))

    def path(self, json_path: str) -> Any:
        return as_java(_at(json.loads(self.body), json_path))

    def json(self, json_path: str) -> String:
        return String(as_json(_at(json.loads(self.body), json_path)))


class _Util:
    """``$util``: the same results as Java's library."""

    @staticmethod
    def urlEncode(text: object) -> String:  # noqa: N802
        return String("" if text is None else quote_plus(str(text), safe="*").replace("~", "%7E"))

    @staticmethod
    def urlDecode(text: str) -> String:  # noqa: N802
        return String(unquote_plus(text))

    @staticmethod
    def base64Encode(text: str) -> String:  # noqa: N802
        return String(base64.b64encode(text.encode()).decode())

    @staticmethod
    def base64Decode(text: str) -> String:  # noqa: N802
        return String(base64.b64decode(text).decode(errors="replace"))

    @staticmethod
    def escapeJavaScript(text: str) -> String:  # noqa: N802
        return String("".join(map(_escape, _utf16(text))))

    @staticmethod
    def parseJson(text: str) -> Any:  # noqa: N802
        return as_java(json.loads(text))


_STEP = re.compile(r"""\.(?P<name>[\w-]+)|\[(?P<index>\d+)\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]""")


def _at(value: Any, json_path: str) -> Any:
    """Return the value at a JSONPath, or an empty string if there is none."""
    steps = list(_STEP.finditer(json_path, 1))
    if not json_path.startswith("$") or "".join(step[0] for step in steps) != json_path[1:]:
        raise ValueError(f"the local AWS knows JSONPaths of names and numbers, as in $.items[0].id, got {json_path}")
    for step in steps:
        try:
            value = value[int(step["index"]) if step["index"] else step["name"] or step["key"]]
        except (LookupError, TypeError):
            return ""
    return value


_NAMED = {
    "\b": "\\b",
    "\n": "\\n",
    "\t": "\\t",
    "\f": "\\f",
    "\r": "\\r",
    "'": "\\'",
    '"': '\\"',
    "\\": "\\\\",
    "/": "\\/",
}


def _escape(unit: str) -> str:
    return _NAMED.get(unit) or (unit if " " <= unit <= "~" or unit == "\x7f" else f"\\u{ord(unit):04X}")


def _utf16(text: str) -> Iterable[str]:
    """Return the characters as Java counts them: two for one outside the basic plane."""
    data = text.encode("utf-16-be", "surrogatepass")
    return (chr(int.from_bytes(data[at : at + 2])) for at in range(0, len(data), 2))
