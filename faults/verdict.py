"""What became of each webhook, by the plan, the rows of the table and the letters of the dead-letter queue alone: what
the code under test says of itself is not asked."""

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from operator import add
from typing import Any, TypeVar
from urllib.parse import parse_qs

from plan import INGRESSES, POISONS, Plan, Planned


@dataclass(frozen=True)
class Row:
    """A row of the table. ``number`` is what the sender gave it, whatever the id is by which it was stored."""

    id: str
    number: str | None
    path: str
    query: str
    body: bytes

    def is_exactly(self, webhook: Planned) -> bool:
        """Whether this is what was sent."""
        told = (self.id, self.path, self.query, self.body)
        return told == (webhook.id, webhook.path, webhook.query, webhook.body)


@dataclass(frozen=True)
class Letter:
    """A message of the dead-letter queue. ``error`` and ``reason`` are empty where there are none."""

    id: str
    number: str | None
    body: bytes
    error: str
    reason: str

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> "Letter":
        """From what ReceiveMessage gives."""
        attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        webhook = {name: values[0] for name, values in parse_qs(attributes["webhook"]).items()}
        number = next((value for name, value in webhook.items() if name.lower() == "h.x-number"), None)
        text = message["Body"]
        read = {"text": text.encode, "base64": lambda: base64.b64decode(text), "empty": bytes}[webhook["encoding"]]
        return cls(webhook["id"], number, read(), attributes.get("error", ""), attributes.get("reason", ""))


@dataclass(frozen=True)
class Tally:
    """How many webhooks were accepted, and became what.

    ``letters`` are the messages of those that are in the dead-letter queue: a consumer that is killed between a dead
    letter and its answer writes another. ``unaccepted`` are somewhere although their sender was never told so.
    """

    accepted: int = 0
    stored: int = 0
    dead_lettered: int = 0
    letters: int = 0
    unaccepted: int = 0
    lost: int = 0
    stored_twice: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*map(add, astuple(self), astuple(other)))


T = TypeVar("T", Row, Letter)


class Verdict:
    """``problems`` names what is wrong, and each webhook that it is true of. ``tallies`` are the numbers of each
    ingress, ``total`` those of all. ``reasons`` counts the webhooks in the dead-letter queue."""

    def __init__(self, plan: Plan, accepted: Counter[int], rows: Iterable[Row], letters: Iterable[Letter]) -> None:
        self.problems: dict[str, list[str]] = defaultdict(list)
        self.reasons: Counter[str] = Counter()
        self.tallies = {ingress: Tally() for ingress in INGRESSES}
        known = {str(webhook.number) for webhook in plan.webhooks}
        stored: defaultdict[str, list[Row]] = defaultdict(list)
        dead: defaultdict[str, list[Letter]] = defaultdict(list)
        for row in rows:
            self._file(row, row.number, known, stored)
        for letter in letters:
            self._file(letter, letter.number, known, dead)
        for webhook in plan.webhooks:
            number = str(webhook.number)
            self._look_at(webhook, accepted[webhook.number] > 0, stored[number], dead[number])

    @property
    def total(self) -> "Tally":
        return sum(self.tallies.values(), Tally())

    def _file(self, one: T, number: str | None, known: set[str], found: defaultdict[str, list[T]]) -> None:
        if number in known:
            found[number].append(one)
        else:
            self.problems["never sent"].append(one.id)

    def _look_at(self, webhook: Planned, accepted: bool, rows: list[Row], letters: list[Letter]) -> None:
        self.tallies[webhook.ingress] += Tally(
            accepted=accepted,
            stored=bool(rows),
            dead_lettered=bool(letters),
            letters=len(letters),
            unaccepted=not accepted and bool(rows or letters),
            lost=accepted and not rows and not letters,
            stored_twice=len(rows) > 1,
        )
        self.reasons.update({f"{letter.error}: {letter.reason}" for letter in letters})
        wrong = {
            "lost": accepted and not rows and not letters,
            "stored twice": len(rows) > 1,
            "stored and in the dead-letter queue": rows and letters,
            "stored otherwise than it was sent": not all(row.is_exactly(webhook) for row in rows),
            "poison, and stored": webhook.poison and rows,
            "in the dead-letter queue with another payload": any(letter.body != webhook.body for letter in letters),
            "in the dead-letter queue without a reason": not all(letter.error and letter.reason for letter in letters),
            "in the dead-letter queue for another reason than its poison": webhook.poison
            and any(letter.error != f"SQLSTATE {POISONS[webhook.poison]}" for letter in letters),
        }
        for problem, is_so in wrong.items():
            if is_so:
                self.problems[problem].append(webhook.id)
