"""An error of a database, and its meaning for the batch."""

import re
from enum import Enum, auto
from typing import NamedTuple

_QUOTED = re.compile(r"""(^|: *|\b(?:value|string) )(["']).*\2""", re.DOTALL)


class Meaning(Enum):
    """The meaning of a database error for the batch."""

    BAD_ROW = auto()  # a webhook of the batch is bad
    CONFLICT = auto()  # another transaction was in the way: retry at once
    NO_TABLE = auto()
    LOGIN = auto()
    SLOW = auto()  # no answer in time: the statement may still run, so do not send a second one
    OTHER = auto()  # not caused by a webhook


class Fault(NamedTuple):
    """An error of the database. ``reason`` is logged, so it has nothing of a payload."""

    meaning: Meaning
    error: str
    reason: str


def without_values(message: str) -> str:
    """Remove values of the payload from a database's message for the log.

    They are quoted at its start, after a colon, or after "value". Other quotes are around names.
    """
    return _QUOTED.sub(r"\1…", message)
