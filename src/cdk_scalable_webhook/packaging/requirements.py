"""The requirements of a package, and whether a function in Lambda needs them.

This is https://packaging.python.org/en/latest/specifications/dependency-specifiers/. Of the versions it knows only from
which one on, for what Lambda's Python has: of all others the installed version is packed. The library ``packaging`` can
do more, but it would be a further dependency.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_NAMED = re.compile(rf"({_NAME})(?:\s*\[([A-Za-z0-9._,\s-]*)\])?")
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(\.\*)?(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|post|dev)\d*)*", re.IGNORECASE)
_AT_LEAST = re.compile(r">=\s*(\d+(?:\.\d+)*)")
_OLD_NAMES = {"python_implementation": "platform_python_implementation"}
_OPERATORS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Requirement:
    """The name of a package, some of its extras, and a condition: ``httpx[http2]; python_version >= "3.9"``."""

    name: str
    extras: frozenset[str]
    versions: str = ""
    marker: str = ""

    def holds_from(self, version: str) -> bool:
        """Check whether it is met by this version and by all later ones. If it is not simple, it may not be."""
        limits = [limit.strip() for limit in self.versions.strip("() ").split(",") if limit.strip()]
        least = [_AT_LEAST.fullmatch(limit) for limit in limits]
        return all(each is not None and _compare(ast.GtE(), version, each[1]) for each in least)

    def holds(self, environment: Mapping[str, str], extras: frozenset[str]) -> bool:
        """Check whether it is required in an environment, by a package with these extras.

        Raises:
            ValueError: The marker cannot be read.
        """
        if not self.marker:
            return True
        marker = _tree(self.marker)
        return any(_holds(marker, {**environment, "extra": extra}) for extra in extras or ("",))


def read(text: str) -> Requirement:
    """Read a requirement in the metadata of a package.

    Raises:
        ValueError: It cannot be read.
    """
    named = _NAMED.match(text.strip())
    if named is None:
        raise ValueError("no name")
    rest = text.strip()[named.end() :]
    # A URL may have a semicolon too.
    at = re.match(r"\s*@\s*\S+", rest)
    versions, _, marker = rest[at.end() if at else 0 :].partition(";")
    return Requirement(normal(named[1]), _extras(named[2]), at[0].strip() if at else versions.strip(), marker.strip())


def read_name(text: str) -> Requirement | None:
    """Read a name with or without extras, and nothing else."""
    named = _NAMED.fullmatch(text)
    return Requirement(normal(named[1]), _extras(named[2])) if named else None


def normal(name: str) -> str:
    """Normalise a name: https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def _extras(listed: str | None) -> frozenset[str]:
    return frozenset(normal(extra.strip()) for extra in (listed or "").split(",") if extra.strip())


def _tree(marker: str) -> ast.expr:
    """Parse a marker: except for two operators, it is a Python expression."""
    try:
        return ast.parse(marker.replace("===", "==").replace("~=", "@"), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("no marker") from error


def _holds(node: ast.expr, environment: Mapping[str, str]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_holds(value, environment) for value in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_holds(value, environment) for value in values)
        case ast.BinOp(left=left, op=ast.MatMult(), right=right):
            return _is_compatible(_value(left, environment), _value(right, environment))
        case ast.Compare(left=left, ops=[compared], comparators=[right]):
            one, other = _value(left, environment), _value(right, environment)
            if "extra" in (ast.unparse(left), ast.unparse(right)):
                one, other = normal(one), normal(other)
            return _compare(compared, one, other)
        case _:
            raise ValueError("no marker")


def _value(node: ast.expr, environment: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    name = ast.unparse(node).replace(".", "_")  # os.name, as in old markers
    name = _OLD_NAMES.get(name, name)
    if name not in environment:
        raise ValueError(f"no variable {name}")
    return environment[name]


def _compare(compared: ast.cmpop, left: str, right: str) -> bool:
    if isinstance(compared, ast.In | ast.NotIn):
        return (left in right) is isinstance(compared, ast.In)
    if type(compared) not in _OPERATORS:
        raise ValueError("no marker")
    compare = _OPERATORS[type(compared)]
    one, other = _VERSION.fullmatch(left), _VERSION.fullmatch(right)
    if one is None or other is None:
        return compare(left, right)
    numbers, limits = _numbers(one), _numbers(other)
    if other[2]:  # == "3.*"
        numbers = numbers[: len(limits)]
    padded = list(zip_longest(numbers, limits, fillvalue=0))
    return compare([number for number, _ in padded], [limit for _, limit in padded])


def _is_compatible(left: str, right: str) -> bool:
    series, dot, _ = right.rpartition(".")
    if not dot:
        raise ValueError("no marker")
    return _compare(ast.GtE(), left, right) and _compare(ast.Eq(), left, f"{series}.*")


def _numbers(version: re.Match[str]) -> list[int]:
    return [int(number) for number in version[1].split(".")]
