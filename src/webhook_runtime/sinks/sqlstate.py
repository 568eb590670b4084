"""The meaning of an SQLSTATE for a batch: neither Postgres nor the Data API says more."""

from webhook_runtime.sinks.faults import Meaning
from webhook_runtime.sinks.rows import NO_COLUMN, NO_KEY

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_MEANINGS = {
    ("22", "23", "54", "P0"): Meaning.BAD_ROW,  # data, constraint, limit of an index; raised by a trigger
    ("45000",): Meaning.BAD_ROW,  # raised by a trigger of MySQL
    ("40",): Meaning.CONFLICT,
    ("28",): Meaning.LOGIN,
    ("42P01", "3F000", "42S02"): Meaning.NO_TABLE,
    ("57014",): Meaning.SLOW,
}
# The database does not say what to do.
_HINTS = {"42P10": NO_KEY, "42703": NO_COLUMN, "42S22": NO_COLUMN}


def meaning(code: str) -> Meaning:
    """Return the meaning of a code, by its class if that is enough."""
    return next((meaning for codes, meaning in _MEANINGS.items() if code.startswith(codes)), Meaning.OTHER)


def hint(code: str) -> str:
    """Return the text to append to the database's message, mostly an empty one."""
    return _HINTS.get(code, "")
