"""The outcome of each webhook, by the plan, the table and the dead-letter queue, without asking the code under test."""

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from operator import add
from typing import Any, TypeVar
from urllib.parse import parse_qs

from .plan import INGRESSES, POISONS, Plan, Planned


@dataclass(frozen=True)
class Row:
    """A row of the table. ``number`` is the one that the client gave it, whatever its id."""

    id: str
    number: str | None
    path: str
    query: str
    body: bytes

    def is_exactly(self, webhook: Planned) -> bool:
        """Tell whether this is exactly what was sent."""
        told = (self.id, self.path, self.query, self.body)
        return told == (webhook.id, webhook.path, webhook.query, webhook.body)


@dataclass(frozen=True)
class DeadLetter:
    """A message of the dead-letter queue. ``error`` and ``reason`` may be empty."""

    id: str
    number: str | None
    body: bytes
    error: str
    reason: str

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> "DeadLetter":
        """Parse a message of ReceiveMessage."""
        attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        webhook = {name: values[0] for name, values in parse_qs(attributes["webhook"]).items()}
        number = next((value for name, value in webhook.items() if name.lower() == "h.x-number"), None)
        text = message["Body"]
        read = {"text": text.encode, "base64": lambda: base64.b64decode(text), "empty": bytes}[webhook["encoding"]]
        return cls(webhook["id"], number, read(), attributes.get("error", ""), attributes.get("reason", ""))


@dataclass(frozen=True)
class Tally:
    """The number of webhooks by outcome.

    ``messages`` counts the messages in the dead-letter queue: a consumer that is killed before its answer sends one
    twice. ``unaccepted`` are stored or dead-lettered although their provider got no acceptance.
    """

    accepted: int = 0
    stored: int = 0
    dead_lettered: int = 0
    messages: int = 0
    unaccepted: int = 0
    lost: int = 0
    stored_twice: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*map(add, astuple(self), astuple(other)))


T = TypeVar("T", Row, DeadLetter)


class Verdict:
    """The verdict on a run.

    ``problems`` has the webhooks with each problem. ``tallies`` has the numbers of each ingress, and ``total`` the sum.
    ``reasons`` counts the webhooks in the dead-letter queue.
    """

    def __init__(
        self, plan: Plan, accepted: Counter[int], rows: Iterable[Row], dead_letters: Iterable[DeadLetter]
    ) -> None:
        self.problems: dict[str, list[str]] = defaultdict(list)
        self.reasons: Counter[str] = Counter()
        self.tallies = {ingress: Tally() for ingress in INGRESSES}
        known = {str(webhook.number) for webhook in plan.webhooks}
        stored: defaultdict[str, list[Row]] = defaultdict(list)
        dead: defaultdict[str, list[DeadLetter]] = defaultdict(list)
        for row in rows:
            self._file(row, row.number, known, stored)
        for dead_letter in dead_letters:
            self._file(dead_letter, dead_letter.number, known, dead)
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

    def _look_at(self, webhook: Planned, accepted: bool, rows: list[Row], messages: list[DeadLetter]) -> None:
        self.tallies[webhook.ingress] += Tally(
            accepted=accepted,
            stored=bool(rows),
            dead_lettered=bool(messages),
            messages=len(messages),
            unaccepted=not accepted and bool(rows or messages),
            lost=accepted and not rows and not messages,
            stored_twice=len(rows) > 1,
        )
        self.reasons.update({f"{message.error}: {message.reason}" for message in messages})
        wrong = {
            "lost": accepted and not rows and not messages,
            "stored twice": len(rows) > 1,
            "stored and in the dead-letter queue": rows and messages,
            "stored otherwise than it was sent": not all(row.is_exactly(webhook) for row in rows),
            "poison, and stored": webhook.poison and rows,
            "in the dead-letter queue with another payload": any(message.body != webhook.body for message in messages),
            "in the dead-letter queue without a reason": not all(
                message.error and message.reason for message in messages
            ),
            "in the dead-letter queue for another reason than its poison": webhook.poison
            and any(message.error != f"SQLSTATE {POISONS[webhook.poison]}" for message in messages),
        }
        for problem, is_so in wrong.items():
            if is_so:
                self.problems[problem].append(webhook.id)
