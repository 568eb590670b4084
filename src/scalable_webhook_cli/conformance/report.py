"""A run as a table for a person, and as JSON for an issue. Neither has a secret, an account or an address."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from textwrap import wrap
from typing import Any

from scalable_webhook_cli.conformance.case import Facts
from scalable_webhook_cli.conformance.cases import NOT_TRIED
from scalable_webhook_cli.conformance.run import AS_EXPECTED, DIFFERS, FAILED, KNOWN, RECORDED, Outcome, Row

_CASE, _INGRESS, _VALUE = 24, 14, 20
_LONGEST, _COLUMNS = 400, 80
# Numbers of accounts, keys of AWS and names of APIs that no other rule has found.
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)|\*{8}\d{4}")
_KEY = re.compile(r"(AKIA|ASIA)[A-Z0-9]{12,}")
_API = re.compile(r"\b[a-z0-9]{10}(?=\.execute-api\.)")


def told(outcome: Outcome, *, local: bool, region: str) -> dict[str, Any]:
    """Return the run for a program."""
    counted = Counter(row.status for row in outcome.rows)
    told = {
        "aws": "local" if local else "account",
        "region": region,
        "version": version("cdk-scalable-webhook"),
        "counted": dict(counted),
        "rows": [
            {
                "case": row.case.id,
                "ingress": row.ingress,
                "shows": row.case.shows,
                "source": row.case.source,
                "status": row.status,
                "expected": row.expected,
                "seen": row.seen,
                **({"error": row.error} if row.error else {}),
                **({"locally": row.case.locally[row.ingress].why} if row.status == KNOWN else {}),
            }
            for row in outcome.rows
        ],
        "not_tried": {each.id: each.why for each in NOT_TRIED},
    }
    without: dict[str, Any] = _without(told, outcome.secrets)
    return without


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the lines of the table, the differences below each case, and the count."""
    yield _line("case", "ingress", "expected", "seen")
    for row in outcome.rows:
        for line in _row(row):
            yield _redacted(line, outcome.secrets)
    yield ""
    for each in NOT_TRIED:
        yield from wrap(f"not tried: {each.id}, since {each.why}", _COLUMNS, subsequent_indent="  ")
    counted = Counter(row.status for row in outcome.rows)
    yield ""
    if counted[RECORDED]:
        yield f"{counted[RECORDED]} recorded: no one knew what AWS does there; please report them with --json"
    if counted[KNOWN]:
        yield f"{counted[KNOWN]} known: the local AWS does something else, and AWS what is expected"
    compared = sum(counted[status] for status in (AS_EXPECTED, KNOWN, DIFFERS, FAILED))
    yield f"{counted[AS_EXPECTED] + counted[KNOWN]} of {compared} as expected"


def is_as_expected(outcome: Outcome) -> bool:
    return all(row.status not in (DIFFERS, FAILED) for row in outcome.rows)


def _row(row: Row) -> Iterator[str]:
    case, ingress = row.case.id, row.ingress
    match row.status:
        case "as expected":
            yield _line(case, ingress, _brief(row.expected), "the same")
        case "recorded":
            yield _line(case, ingress, "?", _brief({"status": row.seen.get("status", RECORDED)}))
            for name in row.case.fields:
                yield from _more(f"{name}: {_text(_field(row.seen, name))}")
        case "failed":
            yield _line(case, ingress, _brief(row.expected), "failed")
            yield from _more(row.error or "nothing was seen")
        case _:
            yield _line(case, ingress, _brief(row.expected), row.status)
            for name, (expected, seen) in row.differs.items():
                yield from _more(f"{name}: {_text(seen)}, not {_text(expected)}")
            if row.status == KNOWN:
                yield from _more(row.case.locally[ingress].why)


def _brief(facts: Facts | None) -> str:
    """Return facts in a few letters: the status, and what comes after it."""
    return ", ".join(
        _text(value) if name == "status" else f"{name} {_text(value)}" for name, value in (facts or {}).items()
    )


def _more(text: str) -> Iterator[str]:
    """Yield a line below a row, wrapped for a terminal of 80 columns."""
    yield from wrap(_cut(text, _LONGEST), _COLUMNS, initial_indent="  ", subsequent_indent="    ")


def _field(facts: Facts, name: str) -> object:
    """Return a field, or a field of a field, such as a header."""
    outer, _, inner = name.partition(".")
    value = facts.get(outer)
    return value.get(inner) if inner and isinstance(value, Mapping) else value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _line(*cells: str) -> str:
    case, ingress, expected, seen = (cell.replace("\n", " ") for cell in cells)
    left = f"{_cut(case, _CASE):<{_CASE}} {_cut(ingress, _INGRESS):<{_INGRESS}}"
    return f"{left} {_cut(expected, _VALUE):<{_VALUE}} {_cut(seen, _VALUE)}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _without(value: Any, secrets: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _redacted(value, secrets)
        case Mapping():
            return {_redacted(str(name), secrets): _without(each, secrets) for name, each in value.items()}
        case Sequence():
            return [_without(each, secrets) for each in value]
    return value


def _redacted(text: str, secrets: Mapping[str, str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, secrets[secret])
    return _API.sub("(api)", _KEY.sub("(key)", _ACCOUNT.sub("(account)", text)))
