"""Mapping templates, rendered as API Gateway renders them: airspeed for Velocity, and here the variables and the Java
that templates call. The tests hold it against Apache Velocity itself.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import airspeed

# Velocity's string literals know no escapes: a backslash in a regular expression is just that.
airspeed.StringLiteral.STRING = re.compile(r"'([^']*)'")
airspeed.InterpolatedStringLiteral.STRING = re.compile(r'"([^"]*)"')
airspeed.StringLiteral.ESCAPED_CHAR = airspeed.InterpolatedStringLiteral.ESCAPED_CHAR = re.compile(r"(?!)")


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

    def contains(self, part: str) -> bool:
        return part in self

    def equals(self, other: object) -> bool:
        return self == other

    def equalsIgnoreCase(self, other: str) -> bool:  # noqa: N802
        return self.lower() == other.lower()

    def isEmpty(self) -> bool:  # noqa: N802
        return not self

    def length(self) -> int:
        return len(self.encode("utf-16-le")) // 2

    def matches(self, pattern: str) -> bool:
        return _java_pattern(pattern).fullmatch(self) is not None

    def replace(self, old: str, new: str) -> "_String":  # type: ignore[override]
        return _String(str.replace(self, old, new))

    def replaceAll(self, pattern: str, replacement: str) -> "_String":  # noqa: N802
        return _String(_java_pattern(pattern).sub(_java_replacement(replacement), self))

    def startsWith(self, prefix: str) -> bool:  # noqa: N802
        return self.startswith(prefix)

    def endsWith(self, suffix: str) -> bool:  # noqa: N802
        return self.endswith(suffix)

    def substring(self, start: int, end: int | None = None) -> "_String":
        return _String(self[start:end])

    def toLowerCase(self) -> "_String":  # noqa: N802
        return _String(self.lower())

    def toUpperCase(self) -> "_String":  # noqa: N802
        return _String(self.upper())

    def trim(self) -> "_String":
        return _String(self.strip("".join(map(chr, range(33)))))


# A string that a template itself puts together is a plain str to airspeed, which looks such methods up here.
airspeed.__additional_methods__[str] = {
    name: (lambda text, *arguments, method=method: method(_String(text), *arguments))
    for name, method in vars(_String).items()
    if callable(method) and not name.startswith("_")
}


class _Map:
    """java.util.Map<String, String>. A key is never taken for a method, as it would be were this a dict."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {_String(name): _String(value) for name, value in values.items()}

    def get(self, name: str) -> "_String | None":
        return self._values.get(_String(name))

    def keySet(self) -> list[_String]:  # noqa: N802
        return list(self._values)

    def containsKey(self, name: str) -> bool:  # noqa: N802
        return name in self._values

    def isEmpty(self) -> bool:  # noqa: N802
        return not self._values

    def size(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> "_String | None":
        return self.get(name)


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


class _Util:
    """``$util``: what Java's library makes of the same strings."""

    @staticmethod
    def urlEncode(text: object) -> _String:  # noqa: N802
        return _String(quote_plus(str(text), safe="*").replace("~", "%7E"))

    @staticmethod
    def urlDecode(text: str) -> _String:  # noqa: N802
        return _String(unquote_plus(text))

    @staticmethod
    def base64Encode(text: str) -> _String:  # noqa: N802
        return _String(base64.b64encode(text.encode()).decode())

    @staticmethod
    def base64Decode(text: str) -> _String:  # noqa: N802
        return _String(base64.b64decode(text).decode())

    @staticmethod
    def escapeJavaScript(text: str) -> _String:  # noqa: N802
        return _String("".join(map(_escape, _utf16(text))))

    @staticmethod
    def parseJson(text: str) -> Any:  # noqa: N802
        return _java(json.loads(text))


def _java(value: Any) -> Any:
    match value:
        case str():
            return _String(value)
        case Mapping():
            return {name: _java(inner) for name, inner in value.items()}
        case list():
            return [_java(inner) for inner in value]
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
    """The characters as Java has them: two for one beyond the basic plane."""
    data = text.encode("utf-16-be", "surrogatepass")
    return (chr(int.from_bytes(data[at : at + 2])) for at in range(0, len(data), 2))


@lru_cache(maxsize=64)
def _java_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", pattern))


def _java_replacement(replacement: str) -> Callable[[re.Match[str]], str]:
    """Java's ``$1`` and ``\\x`` for a literal x."""

    def replace(found: re.Match[str]) -> str:
        return re.sub(r"\\(.)|\$(\d)", lambda part: part[1] or found[int(part[2])], replacement)

    return replace
