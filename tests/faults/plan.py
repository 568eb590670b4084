"""The decisions of one seed: each webhook with payload and ingress, poison, duplicates, and the times of the faults.

The same seed makes the same plan, by which the end is checked.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args
from urllib.parse import urlencode

POISON_PERCENT = 1
TWICE_PERCENT = 5

# The reasons for which Postgres rejects a poison webhook, and their SQLSTATE.
POISONS = {"a constraint": "23514", "a trigger": "P0001", "no text": "22021"}

# The ingress of a webhook, by the id of the construct.
Ingress = Literal["Lambda", "Direct"]
INGRESSES: tuple[Ingress, ...] = get_args(Ingress)

Fault = Literal[
    "consumer killed",
    "publisher killed",
    "database killed",
    "connections terminated",
    "disk slow",
    "disk hangs",
    "redelivered early",
    "pooler killed",
    "pool exhausted",
    "pooler paused",
    "SQS slow",
    "SQS rejects",
    "providers cut off",
]

_Kind = tuple[Fault, float, float]
_CONSUMER: _Kind = ("consumer killed", 0, 0)
_PUBLISHER: _Kind = ("publisher killed", 0, 0)
# Faults of one lane strike one after the other, in an order that is shuffled each round. Those of different lanes
# overlap. Each has its minimum and maximum duration in seconds.
_LANES: Mapping[str, list[_Kind]] = {
    "database": [
        ("database killed", 2, 6),
        ("connections terminated", 0, 0),
        ("disk slow", 4, 8),
        # Longer than the 20 seconds that the sink waits for an answer.
        ("disk hangs", 24, 27),
        ("redelivered early", 6, 10),
    ],
    "functions": [*[_CONSUMER] * 5, *[_PUBLISHER] * 2],
    # PgBouncer rejects a client after 5 seconds without a connection of the pool.
    "pooler": [("pooler killed", 1, 3), ("pool exhausted", 6, 9), ("pooler paused", 6, 9)],
    "ingress": [("SQS rejects", 2, 4), ("providers cut off", 2, 4)],
}
_SLOW_SECONDS = (12, 18)
_SENT_WHILE_SLOW = 60
_WEBHOOKS_PER_ROUND = 2000


@dataclass(frozen=True)
class Planned:
    """A webhook of the plan. ``poison`` is one of ``POISONS``, or None."""

    number: int
    id: str
    ingress: Ingress
    poison: str | None
    path: str
    query: str
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Strike:
    """A fault that strikes after so many webhooks, for so many seconds."""

    fault: Fault
    at: int
    seconds: float


class Plan:
    """The plan of a run.

    ``deliveries`` are the numbers of the webhooks in the order in which they are sent, some of them twice. Without a
    ``pooler``, no fault strikes one.
    """

    def __init__(self, seed: int, webhooks: int, *, pooler: bool = True) -> None:
        self.seed = seed
        chance = Random(f"plan {seed}")
        self.twice = set(chance.sample(range(webhooks), webhooks * TWICE_PERCENT // 100))
        # At once or a little later, so that both are in one batch, in two concurrent batches, or far apart.
        again = [(number + chance.choice([0.5, chance.uniform(1, 200)]), number) for number in self.twice]
        self.deliveries = [number for _, number in sorted([*((n, n) for n in range(webhooks)), *again])]
        rounds = max(1, webhooks // _WEBHOOKS_PER_ROUND)
        self.lanes = {name: list(_lane(chance, kinds, rounds, webhooks)) for name, kinds in _LANES.items()}
        # While the database is down, when consumers have to postpone messages.
        away = [strike.at for strike in self.lanes["database"] if strike.fault == "database killed"]
        self.lanes["queue"] = [Strike("SQS slow", at, round(chance.uniform(*_SLOW_SECONDS), 1)) for at in away]
        meanwhile = {number for at in away for number in self.deliveries[at : at + _SENT_WHILE_SLOW]}
        if not pooler:
            del self.lanes["pooler"]
        poisons = _poisons(chance, webhooks, meanwhile)
        self.poison = {number: list(POISONS)[position % len(POISONS)] for position, number in enumerate(poisons)}
        self.webhooks = [self._webhook(number) for number in range(webhooks)]

    def _webhook(self, number: int) -> Planned:
        poison = self.poison.get(number)
        chance = Random(f"{self.seed} {number}")
        kind, body = _payload(chance, number, poison)
        return Planned(
            number=number,
            id=f"{self.seed}-{number}",
            ingress=chance.choice(INGRESSES),
            poison=poison,
            path=f"/orders/{number}" + ("/as-text" if poison == "no text" else ""),
            query=urlencode({"number": number, "name": chance.choice(["Zoë", "a&b=c", "", "100 %"])}),
            content_type=kind,
            body=body,
        )


def _poisons(chance: Random, webhooks: int, meanwhile: set[int]) -> list[int]:
    """Choose the poison webhooks: a third of them while SQS is slow, so that it has to take messages for the
    dead-letter queue.
    """
    count = max(len(POISONS), webhooks * POISON_PERCENT // 100)
    some = chance.sample(sorted(meanwhile), count // 3)
    return some + chance.sample(sorted(set(range(webhooks)) - meanwhile), count - len(some))


def _payload(chance: Random, number: int, poison: str | None) -> tuple[str, bytes]:
    """Return content type and bytes of a payload: one that SQS carries as text or not, an empty one, or a large one."""
    order = {"order": number, "customer": chance.choice(["Zoë", "世界", "O'Neil", "😀"]), "rejected": poison}
    if poison == "a constraint":
        return "text/plain", b"REJECTED " + chance.randbytes(chance.randrange(100)).hex().encode()
    if poison == "no text":
        return "application/octet-stream", b"\xff\xfe" + json.dumps(order).encode()
    kinds = {"json": 50, "form": 20, "binary": 20, "empty": 5, "large": 5}
    match "json" if poison else chance.choices(list(kinds), list(kinds.values()))[0]:
        case "form":
            return "application/x-www-form-urlencoded", urlencode(order).encode()
        case "binary":
            return "application/octet-stream", chance.randbytes(chance.randrange(1, 2000))
        case "empty":
            return "text/plain", b""
        case "large":
            order["padding"] = chance.randbytes(chance.randrange(5_000, 25_000)).hex()
    return "application/json", json.dumps(order, ensure_ascii=False).encode()


def _lane(chance: Random, kinds: list[_Kind], rounds: int, webhooks: int) -> Iterator[Strike]:
    faults = [fault for _ in range(rounds) for fault in chance.sample(kinds, len(kinds))]
    for position, (fault, least, most) in enumerate(faults):
        # Only between the first webhook and the last.
        at = webhooks * (position + chance.uniform(0.3, 0.9)) / (len(faults) + 0.5)
        yield Strike(fault, int(at), round(chance.uniform(least, most), 1))
