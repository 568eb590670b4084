"""What the faults did, by the records of those whom they struck. A fault that did nothing was none."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Invocation = list[dict[str, Any]]

_ENDS = ("stored", "duplicate", "dead-lettered", "failed")


@dataclass(frozen=True)
class Effect:
    """``times`` is how often a fault struck, ``figures`` what it did. The one with ``proof`` as its key shows that it
    had an effect."""

    fault: str
    times: int
    proof: str
    figures: Mapping[str, float]

    @property
    def ok(self) -> bool:
        return self.times > 0 and self.figures[self.proof] > 0


@dataclass(frozen=True)
class ConsumerLog:
    """What the consumer says of its batches, an invocation a list."""

    invocations: list[Invocation]

    def lines(self, message: str, **fields: object) -> list[dict[str, Any]]:
        return [
            line
            for invocation in self.invocations
            for line in invocation
            if line["message"] == message and all(line.get(name) == value for name, value in fields.items())
        ]

    def came_back_untold(self) -> int:
        """Deliveries after which nobody said what had become of the message: whoever had it was killed, or too late."""
        told: defaultdict[str, set[int]] = defaultdict(set)
        for invocation in self.invocations:
            for line in invocation:
                if line["message"] in _ENDS:
                    told[line["message_id"]].add(line["attempt"])
        return sum(max(attempts) - len(attempts) for attempts in told.values())

    def two_at_once(self) -> int:
        """Messages that two consumers had at the same time."""
        spans: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for invocation in self.invocations:
            for batch in (line for line in invocation if line["message"] == "batch"):
                for message_id in {line["message_id"] for line in invocation if line["message"] in _ENDS}:
                    spans[message_id].append((batch["started"], batch["ended"]))
        return sum(any(first[1] > second[0] for first, second in pairwise(sorted(each))) for each in spans.values())

    def stored_untold(self) -> int:
        """Webhooks that were found stored, and that nobody says to have stored: whoever did was killed, or had given up
        on an answer that was yes."""
        ids = {end: {line["id"] for line in self.lines(end)} for end in ("stored", "duplicate")}
        return len(ids["duplicate"] - ids["stored"])

    def messages_of_each(self) -> Counter[str]:
        """How many messages each webhook came in, by its id."""
        pairs = {
            (line["id"], line["message_id"]) for one in self.invocations for line in one if line["message"] in _ENDS
        }
        return Counter(id for id, _ in pairs)


def of_errors(lines: Iterable[Mapping[str, Any]], *errors: str) -> int:
    """How many lines tell of one of these errors."""
    return sum(str(line.get("error", "")).startswith(errors) for line in lines)
