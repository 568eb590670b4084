"""The effects of the faults, by the records of the programs that they struck. A fault needs an effect to count."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Invocation = list[dict[str, Any]]

_ENDS = ("stored", "duplicate", "dead-lettered", "failed")


@dataclass(frozen=True)
class Effect:
    """How often a fault struck, and its figures. The figure ``proof`` shows that it had an effect."""

    fault: str
    times: int
    proof: str
    figures: Mapping[str, float]

    @property
    def ok(self) -> bool:
        return self.times > 0 and self.figures[self.proof] > 0


@dataclass(frozen=True)
class ConsumerLog:
    """The log of a consumer, as one list for each invocation."""

    invocations: list[Invocation]

    def lines(self, message: str, **fields: object) -> list[dict[str, Any]]:
        return [
            line
            for invocation in self.invocations
            for line in invocation
            if line["message"] == message and all(line.get(name) == value for name, value in fields.items())
        ]

    def unreported_deliveries(self) -> int:
        """Count deliveries without an outcome in the log: their consumer was killed, or too late."""
        told: defaultdict[str, set[int]] = defaultdict(set)
        for invocation in self.invocations:
            for line in invocation:
                if line["message"] in _ENDS:
                    told[line["message_id"]].add(line["attempt"])
        return sum(max(attempts) - len(attempts) for attempts in told.values())

    def two_at_once(self) -> int:
        """Count messages that two consumers had at the same time."""
        spans: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for invocation in self.invocations:
            for batch in (line for line in invocation if line["message"] == "batch"):
                for message_id in {line["message_id"] for line in invocation if line["message"] in _ENDS}:
                    spans[message_id].append((batch["started"], batch["ended"]))
        return sum(any(first[1] > second[0] for first, second in pairwise(sorted(each))) for each in spans.values())

    def stored_unreported(self) -> int:
        """Count webhooks that were found stored, but that no log line calls stored: their consumer was killed, or had
        given up.
        """
        ids = {end: {line["id"] for line in self.lines(end)} for end in ("stored", "duplicate")}
        return len(ids["duplicate"] - ids["stored"])

    def messages_of_each(self) -> Counter[str]:
        """Count the messages of each webhook by its id."""
        pairs = {
            (line["id"], line["message_id"]) for one in self.invocations for line in one if line["message"] in _ENDS
        }
        return Counter(id for id, _ in pairs)


def of_errors(lines: Iterable[Mapping[str, Any]], *errors: str) -> int:
    """Count the lines with one of these errors."""
    return sum(str(line.get("error", "")).startswith(errors) for line in lines)


def given_up(lines: Iterable[Mapping[str, Any]]) -> int:
    """Count the webhooks whose statement had no answer in time."""
    return of_errors((line for line in lines if line["message"] == "failed"), "TimeoutError", "SQLSTATE 57014")
