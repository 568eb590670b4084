"""Mapping templates, rendered as API Gateway renders them: airspeed for Velocity, and here the variables and the Java
that templates call. The tests hold it against Apache Velocity itself, and where API Gateway was recorded to differ,
against what was recorded: nothing prints as nothing, equals an empty text, and a list of JSON prints as JSON.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote_plus, unquote_plus

import airspeed

# Velocity's string literals know one escape, a quote twice: a backslash in a regular expression is just that.
airspeed.StringLiteral.STRING = re.compile(r"'((?:''|[^'])*)'")
airspeed.StringLiteral.ESCAPED_CHAR = re.compile(r"'(')")
airspeed.InterpolatedStringLiteral.STRING = re.compile(r'"((?:""|[^"])*)"')
airspeed.InterpolatedStringLiteral.ESCAPED_CHAR = re.compile(r'"(")')
# Around directives, it takes the blanks that stand alone before a #set, and the end of the line after a #foreach.
airspeed.Text.PLAIN = re.compile(r"(?![ \t]+#set\b)" + airspeed.Text.PLAIN.pattern, airspeed.Text.PLAIN.flags)
airspeed.SetDirective.START = re.compile(r"[ \t]*#set\s*\(")
# A name of Velocity's may have hyphens: $context.responseOverride.header.Content-Type.
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
        body: What ``$input.body`` is.
        header: The headers, one value each.
        querystring: The query parameters, decoded, one value each.
        path: The path parameters.
        context: ``$context``. What the template assigns to ``$context.responseOverride`` is in it afterwards.
        stage_variables: ``$stageVariables``.

    Returns:
        The rendered text.
    """
    context.setdefault("requestOverride", {"header": {}, "path": {}, "querystring": {}})
    context.setdefault("responseOverride", {"header": {}})
    namespace = {
        "input": _Input(body, header=header, querystring=querystring, path=path),
        "util": _Util,
        "context": _java(context),
        "stageVariables": _Map(stage_variables or {}),
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


class _String(str):
    """java.lang.String, as far as templates call it. A regular expression in Java matches the whole of a string."""

    __slots__ = ()

    def __add__(self, other: str) -> "_String":
        return _String(str.__add__(self, other))

    def charAt(self, index: int) -> "_String":  # noqa: N802
        return self.substring(index, index + 1)

    def concat(self, other: str) -> "_String":
        return self + other

    def contains(self, part: str) -> bool:
        return part in self

    def equals(self, other: object) -> bool:
        return self == other

    def equalsIgnoreCase(self, other: str) -> bool:  # noqa: N802
        return self.lower() == other.lower()

    def indexOf(self, part: str) -> int:  # noqa: N802
        at = self.find(part)
        return at if at < 0 else _java_length(self[:at])

    def isEmpty(self) -> bool:  # noqa: N802
        return not self

    def lastIndexOf(self, part: str) -> int:  # noqa: N802
        at = self.rfind(part)
        return at if at < 0 else _java_length(self[:at])

    def length(self) -> int:
        return _java_length(self)

    def matches(self, pattern: str) -> bool:
        return _java_pattern(pattern).fullmatch(self) is not None

    def replace(self, old: str, new: str) -> "_String":  # type: ignore[override]
        return _String(str.replace(self, old, new))

    def replaceAll(self, pattern: str, replacement: str) -> "_String":  # noqa: N802
        return _String(_java_pattern(pattern).sub(_java_replacement(replacement), self))

    def replaceFirst(self, pattern: str, replacement: str) -> "_String":  # noqa: N802
        return _String(_java_pattern(pattern).sub(_java_replacement(replacement), self, count=1))

    def split(self, pattern: str) -> "list[_String]":  # type: ignore[override]
        """Java's: nothing empty at the end, and nothing before a match of nothing at the beginning."""
        parts, at = [], 0
        for found in _java_pattern(pattern).finditer(self):
            if found.end():
                parts.append(_String(self[at : found.start()]))
                at = found.end()
        if not parts:
            return [self]
        parts.append(_String(self[at:]))
        while parts and not parts[-1]:
            parts.pop()
        return parts

    def startsWith(self, prefix: str) -> bool:  # noqa: N802
        return self.startswith(prefix)

    def endsWith(self, suffix: str) -> bool:  # noqa: N802
        return self.endswith(suffix)

    def substring(self, start: int, end: int | None = None) -> "_String":
        stop = _java_length(self) if end is None else end
        if not 0 <= start <= stop <= _java_length(self):
            raise IndexError(f"substring({start}, {stop}) of {_java_length(self)} characters")
        units = self.encode("utf-16-le", "surrogatepass")[start * 2 : stop * 2]
        return _String(units.decode("utf-16-le", "surrogatepass"))

    def toLowerCase(self) -> "_String":  # noqa: N802
        return _String(self.lower())

    def toUpperCase(self) -> "_String":  # noqa: N802
        return _String(self.upper())

    def trim(self) -> "_String":
        return _String(self.strip("".join(map(chr, range(33)))))


def _as_java(literal: type[airspeed.StringLiteral]) -> None:
    """Make a string that is written in a template a Java string too."""
    calculate = literal.calculate
    literal.calculate = lambda self, namespace, loader: _String(calculate(self, namespace, loader))


_as_java(airspeed.StringLiteral)
_as_java(airspeed.InterpolatedStringLiteral)


def _set(namespace: Any, name: str, value: Any) -> None:
    """Setting a variable to nothing leaves it as it was, and one that is set in a loop is there after it."""
    scope = namespace.find_outermost(name)
    while scope is None:
        inner, namespace = namespace, namespace.parent
        scope = None if isinstance(namespace, airspeed.LocalNamespace) else inner
    if value is not None:
        scope[name] = value


airspeed.LocalNamespace.set_inherited = _set


def _write(reference: Any, stream: Any, namespace: Any, loader: Any) -> None:
    """Print a reference as Java prints its value; one without a value API Gateway does not print, as Velocity does."""
    if not reference.expression:
        stream.write(reference.my_text())
        return
    value = reference.expression.calculate(namespace, loader)
    stream.write("" if value is None else _printed(value))


airspeed.FormalReference.evaluate_raw = _write


def _equal(one: object, other: object) -> bool:
    """To API Gateway nothing and an empty text are the same; to Velocity they are not."""
    return one == other or (one in (None, "") and other in (None, ""))


def _unequal(one: object, other: object) -> bool:
    return not _equal(one, other)


airspeed.BinaryOperator.OPERATORS.update({"==": _equal, "eq": _equal, "!=": _unequal, "ne": _unequal})


class _JsonList(list[Any]):
    """A list of a JSON text. API Gateway prints it as JSON, and one that a template made as Java does."""


airspeed.__additional_methods__[_JsonList] = airspeed.__additional_methods__[list]


def _printed(value: Any) -> str:
    match value:
        case _JsonList():
            return _json(value)
        case None | True | False:
            return json.dumps(value)
        case dict():
            return "{" + ", ".join(f"{name}={_printed(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_printed, value)) + "]"
    return str(value)


def _java_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class _Map:
    """java.util.Map<String, String>. A key is never taken for a method, as it would be were this a dict."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {_String(name): _String(value) for name, value in values.items()}

    def get(self, name: str) -> "_String | None":
        return self._values.get(_String(name))

    def keySet(self) -> list[_String]:  # noqa: N802
        return list(self._values)

    def entrySet(self) -> "list[_Entry]":  # noqa: N802
        return [_Entry(name, value) for name, value in self._values.items()]

    def values(self) -> list[_String]:
        return list(self._values.values())

    def containsKey(self, name: str) -> bool:  # noqa: N802
        return name in self._values

    def isEmpty(self) -> bool:  # noqa: N802
        return not self._values

    def size(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> "_String | None":
        return self.get(name)

    def __str__(self) -> str:
        return _printed(self._values)


class _Entry(NamedTuple):
    """java.util.Map.Entry."""

    key: _String
    value: _String

    def getKey(self) -> _String:  # noqa: N802
        return self.key

    def getValue(self) -> _String:  # noqa: N802
        return self.value


class _Input:
    """``$input``."""

    def __init__(self, body: str, **parameters: Mapping[str, str]) -> None:
        self.body = _String(body)
        # API Gateway's own order of look-up.
        self._maps = {place: _Map(parameters[place]) for place in ("path", "querystring", "header")}

    def params(self, name: str | None = None) -> Any:
        if name is None:
            return self._maps
        found = (values.get(name) for values in self._maps.values() if values.containsKey(name))
        return next(found, _String(""))

    def path(self, json_path: str) -> Any:
        return _java(_at(json.loads(self.body), json_path))

    def json(self, json_path: str) -> _String:
        return _String(_json(_at(json.loads(self.body), json_path)))


class _Util:
    """``$util``: what Java's library makes of the same strings."""

    @staticmethod
    def urlEncode(text: object) -> _String:  # noqa: N802
        return _String("" if text is None else quote_plus(str(text), safe="*").replace("~", "%7E"))

    @staticmethod
    def urlDecode(text: str) -> _String:  # noqa: N802
        return _String(unquote_plus(text))

    @staticmethod
    def base64Encode(text: str) -> _String:  # noqa: N802
        return _String(base64.b64encode(text.encode()).decode())

    @staticmethod
    def base64Decode(text: str) -> _String:  # noqa: N802
        return _String(base64.b64decode(text).decode(errors="replace"))

    @staticmethod
    def escapeJavaScript(text: str) -> _String:  # noqa: N802
        return _String("".join(map(_escape, _utf16(text))))

    @staticmethod
    def parseJson(text: str) -> Any:  # noqa: N802
        return _java(json.loads(text))


_STEP = re.compile(r"""\.(?P<name>[\w-]+)|\[(?P<index>\d+)\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]""")


def _at(value: Any, json_path: str) -> Any:
    """What a JSONPath that names one place finds there: an empty string where there is nothing."""
    steps = list(_STEP.finditer(json_path, 1))
    if not json_path.startswith("$") or "".join(step[0] for step in steps) != json_path[1:]:
        raise ValueError(f"the local AWS knows JSONPaths of names and indexes, as in $.items[0].id, got {json_path}")
    for step in steps:
        try:
            value = value[int(step["index"]) if step["index"] else step["name"] or step["key"]]
        except (LookupError, TypeError):
            return ""
    return value


def _java(value: Any) -> Any:
    match value:
        case str():
            return _String(value)
        case Mapping():
            return {name: _java(inner) for name, inner in value.items()}
        case list():
            return _JsonList(map(_java, value))
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
    """The characters as Java has them: two for one beyond the basic plane."""
    data = text.encode("utf-16-be", "surrogatepass")
    return (chr(int.from_bytes(data[at : at + 2])) for at in range(0, len(data), 2))


# What is alike in both languages, a class or an escape; a code point; and a dot, which in Java is no end of a line.
_JAVA = re.compile(r"\\x\{(?P<code>[0-9A-Fa-f]+)\}|\\.|(?P<class>\[(?:\\.|[^\]\\])*\])|(?P<dot>\.)", re.DOTALL)


@lru_cache(maxsize=64)
def _java_pattern(pattern: str) -> re.Pattern[str]:
    def python(found: re.Match[str]) -> str:
        if found["code"]:
            return f"\\U{int(found['code'], 16):08x}"
        if found["class"]:
            return "[" + _JAVA.sub(lambda part: python(part) if part["code"] else part[0], found["class"][1:-1]) + "]"
        return r"[^\n\r\x85\u2028\u2029]" if found["dot"] and not pattern.startswith("(?s") else found[0]

    return re.compile(_JAVA.sub(python, pattern))


def _java_replacement(replacement: str) -> Callable[[re.Match[str]], str]:
    """Java's ``$1`` and ``\\x`` for a literal x."""

    def replace(found: re.Match[str]) -> str:
        return re.sub(r"\\(.)|\$(\d)", lambda part: part[1] or found[int(part[2])], replacement)

    return replace
