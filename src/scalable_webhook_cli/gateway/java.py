"""Java for templates: the methods of strings and maps that they call, and the conversion of values."""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple


class String(str):
    """A java.lang.String with the methods that templates call. A regular expression matches the whole string."""

    __slots__ = ()

    def __add__(self, other: str) -> "String":
        return String(str.__add__(self, other))

    def charAt(self, index: int) -> "String":  # noqa: N802
        return self.substring(index, index + 1)

    def concat(self, other: str) -> "String":
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

    def replace(self, old: str, new: str) -> "String":  # type: ignore[override]
        return String(str.replace(self, old, new))

    def replaceAll(self, pattern: str, replacement: str) -> "String":  # noqa: N802
        return String(_java_pattern(pattern).sub(_java_replacement(replacement), self))

    def replaceFirst(self, pattern: str, replacement: str) -> "String":  # noqa: N802
        return String(_java_pattern(pattern).sub(_java_replacement(replacement), self, count=1))

    def split(self, pattern: str) -> "list[String]":  # type: ignore[override]
        """Split as Java does: no empty parts at the end, and none before an empty match at the start."""
        parts, at = [], 0
        for found in _java_pattern(pattern).finditer(self):
            if found.end():
                parts.append(String(self[at : found.start()]))
                at = found.end()
        if not parts:
            return [self]
        parts.append(String(self[at:]))
        while parts and not parts[-1]:
            parts.pop()
        return parts

    def startsWith(self, prefix: str) -> bool:  # noqa: N802
        return self.startswith(prefix)

    def endsWith(self, suffix: str) -> bool:  # noqa: N802
        return self.endswith(suffix)

    def substring(self, start: int, end: int | None = None) -> "String":
        stop = _java_length(self) if end is None else end
        if not 0 <= start <= stop <= _java_length(self):
            raise IndexError(f"substring({start}, {stop}) of {_java_length(self)} characters")
        units = self.encode("utf-16-le", "surrogatepass")[start * 2 : stop * 2]
        return String(units.decode("utf-16-le", "surrogatepass"))

    def toLowerCase(self) -> "String":  # noqa: N802
        return String(self.lower())

    def toUpperCase(self) -> "String":  # noqa: N802
        return String(self.upper())

    def trim(self) -> "String":
        return String(self.strip("".join(map(chr, range(33)))))


class Map:
    """A java.util.Map<String, String>. Unlike with a dict, a key never hides a method."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {String(name): String(value) for name, value in values.items()}

    def get(self, name: str) -> "String | None":
        return self._values.get(String(name))

    def keySet(self) -> list[String]:  # noqa: N802
        return list(self._values)

    def entrySet(self) -> "list[Entry]":  # noqa: N802
        return [Entry(name, value) for name, value in self._values.items()]

    def values(self) -> list[String]:
        return list(self._values.values())

    def containsKey(self, name: str) -> bool:  # noqa: N802
        return name in self._values

    def isEmpty(self) -> bool:  # noqa: N802
        return not self._values

    def size(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> "String | None":
        return self.get(name)

    def __str__(self) -> str:
        return printed(self._values)


class Entry(NamedTuple):
    """java.util.Map.Entry."""

    key: String
    value: String

    def getKey(self) -> String:  # noqa: N802
        return self.key

    def getValue(self) -> String:  # noqa: N802
        return self.value


class JsonList(list[Any]):
    """A list of a JSON text. API Gateway prints it as JSON, but prints a list of the template as Java does."""


def as_java(value: Any) -> Any:
    match value:
        case str():
            return String(value)
        case Mapping():
            return {name: as_java(inner) for name, inner in value.items()}
        case list():
            return JsonList(map(as_java, value))
    return value


def printed(value: Any) -> str:
    match value:
        case JsonList():
            return as_json(value)
        case None | True | False:
            return json.dumps(value)
        case dict():
            return "{" + ", ".join(f"{name}={printed(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(printed, value)) + "]"
    return str(value)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _java_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# Classes and escapes are the same in both languages. A code point is not, nor a dot, which in Java matches no line end.
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
    """Convert Java's ``$1``, and ``\\x`` for a literal x."""

    def replace(found: re.Match[str]) -> str:
        return re.sub(r"\\(.)|\$(\d)", lambda part: part[1] or found[int(part[2])], replacement)

    return replace
