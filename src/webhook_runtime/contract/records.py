"""Named values. A cold start creates their classes, so these are plain: a named tuple takes ten times as long, and a
dataclass a hundred times, without its module.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, get_origin


class Record:
    """The annotations of a subclass are its fields, inherited ones first. A field without a default is required.

    For type checkers, a subclass that ``dataclass_transform`` decorates makes frozen dataclasses of its own.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = fields_of(type(self))
        given = dict(zip(fields, values, strict=False), **named)
        unknown = given.keys() - fields
        missing = [name for name in fields if name not in given and not hasattr(type(self), name)]
        if unknown or missing:
            raise TypeError(f"{type(self).__name__} has {', '.join(fields)}, got {', '.join(given) or 'nothing'}")
        self.__dict__.update(given)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and values_of(self) == values_of(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values_of(self).items())})"


def fields_of(kind: type[Record]) -> Mapping[str, Any]:
    """Return the types of the fields by their names."""
    hints = (getattr(each, "__annotations__", {}) for each in reversed(kind.__mro__))
    return {name: of for each in hints for name, of in each.items() if get_origin(of) is not ClassVar}


def values_of(record: Record) -> dict[str, Any]:
    """Return the values of the fields by their names."""
    return {name: getattr(record, name) for name in fields_of(type(record))}


def given_in(record: Record) -> dict[str, Any]:
    """Return the values that differ from the defaults, and those of required fields."""
    kind = type(record)
    return {
        name: value
        for name, value in values_of(record).items()
        if not hasattr(kind, name) or value != getattr(kind, name)
    }
