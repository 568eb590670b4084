"""Simulations of the throttle: sinks on a simulated clock, and the runs of which tests and benchmarks take figures."""

import math
import random as jitter
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from random import Random
from typing import Any

from webhook_runtime import deadline, pace
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind, Outcome, SinkDown
from webhook_runtime.pace import Pace
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks.bisect import BadWebhook, insert_each
from webhook_runtime.testing import webhook

from .doubles import Sqs
from .world import Clock, FifoMapping, Invoked, Mapping, records


@contextmanager
def simulated() -> Iterator[Clock]:
    """Let the consumer's time pass by a simulated clock in the block."""
    clock, modules = Clock(), (deadline, pace)
    real = [vars(module)["time"] for module in modules]
    for module in modules:
        vars(module)["time"] = clock
    try:
        yield clock
    finally:
        for module, time in zip(modules, real, strict=True):
            vars(module)["time"] = time


class Together:
    """A sink that takes a batch in one call, as a database does. It records the time of each webhook that it is asked
    for. ``seconds`` is the time of a call."""

    def __init__(self, clock: Clock, seconds: Callable[[], float], *, bad: float = 0, random: Random) -> None:
        self.asked: list[float] = []
        self.stored: list[str] = []
        self._clock = clock
        self._seconds = seconds
        self._bad = bad
        self._random = random

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        return insert_each(webhooks, self._insert, deadline)

    def _insert(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        self.asked += [self._clock.now] * len(webhooks)
        self._clock.sleep(self._seconds())
        if self._random.random() < self._bad:
            raise BadWebhook("Bad", "a bad row")
        self.stored += [each.id for each in webhooks]
        return [STORED] * len(webhooks)


def one_by_one(
    webhooks: Sequence[Webhook], store: Callable[[Webhook], Outcome], deadline: Deadline
) -> Iterator[Outcome]:
    for each in webhooks:
        with deadline.step():
            outcome = store(each)
        yield outcome


class Alone(Together):
    """A sink that takes one webhook after the other, as an HTTP service does."""

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        return one_by_one(webhooks, lambda each: self._insert([each])[0], deadline)


class Loaded(Alone):
    """A service whose latency rises with its load, and doubles at the knee: 40 webhooks a second."""

    KNEE, UNLOADED = 40.0, 0.025

    def __init__(self, clock: Clock, **arguments: Any) -> None:
        super().__init__(clock, self._latency, **arguments)
        self.latencies: list[float] = []

    def _latency(self) -> float:
        load = sum(at > self._clock.now - 1 for at in self.asked[-1000:]) / self.KNEE
        self.latencies.append(self.UNLOADED * (1 + min(load, 3) ** 12) * self._random.uniform(0.9, 1.1))
        return self.latencies[-1]


def deliver(
    clock: Clock,
    sink: Any,
    rate: float,
    *,
    concurrency: int,
    count: int,
    batch_size: int = 10,
    timeout: float = 30,
    make: Callable[[], Pace] | None = None,
    **world: Any,
) -> Mapping:
    def consumer(_: Mapping) -> Consumer:
        pace = make() if make else Pace(concurrency / rate)
        # At once: another double than the mapping, which would hide a message until its retry.
        return Consumer(sink, Redelivery(Sqs(), "queue", Backoff(1, 1)), pace=pace)

    mapping = Mapping(clock, consumer, concurrency=concurrency, batch_size=batch_size, timeout=timeout, **world)
    mapping.send(*records(*(webhook(id=str(number)) for number in range(count))))
    mapping.run()
    return mapping


def most(rate: float, concurrency: int) -> float:
    """Return the webhooks that the sink may be asked for in any second."""
    return rate + concurrency * math.ceil(rate / concurrency)


class Ledger:
    """A sink that stores each id once, and fails as the seed decides. Ids are ``group-number``."""

    def __init__(self, clock: Clock, random: Random, *, retry: float, permanent: float, down: float) -> None:
        self.stored: dict[str, float] = {}
        self.rejected: set[str] = set()
        # The ids that failed by themselves, and the times at which the sink was down.
        self.failed: list[tuple[float, str]] = []
        self.down: list[float] = []
        self._clock = clock
        self._random = random
        self._chances = (retry, permanent, down)

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        return one_by_one(webhooks, lambda each: self._store(each.id), deadline)

    def _store(self, id: str) -> Outcome:
        retry, permanent, down = self._chances
        self._clock.sleep(self._random.choice([0, 0.01, 0.2]))
        chance = self._random.random()
        if chance < down:
            self.down.append(self._clock.now)
            raise SinkDown("down")
        # A webhook that can never be stored stays so, also if it is delivered again after a kill.
        if id in self.rejected or (chance < down + permanent and id not in self.stored):
            self.rejected.add(id)
            return Outcome(Kind.PERMANENT, "Bad", "bad")
        if chance < down + permanent + retry:
            self.failed.append((self._clock.now, id))
            return Outcome(Kind.RETRY, "Busy", "busy")
        if id in self.stored:
            return DUPLICATE
        self.stored[id] = self._clock.now
        return STORED


def ordered(
    clock: Clock,
    *,
    seed: int,
    groups: int,
    webhooks: int,
    retry: float = 0,
    permanent: float = 0,
    down: float = 0,
    kills: int = 0,
    concurrency: int = 5,
) -> tuple[Ledger, FifoMapping]:
    """Send webhooks of some groups, and deliver them all."""
    random = Random(seed)
    jitter.seed(seed)
    ledger = Ledger(clock, random, retry=retry, permanent=permanent, down=down)

    def make(mapping: Mapping) -> Consumer:
        return Consumer(ledger, Redelivery(mapping, "queue.fifo", Backoff(2, 30)), DeadLetters(Sqs(), "dead.fifo"))

    moments = [random.uniform(0, 0.02 * webhooks) for _ in range(kills)]
    mapping = FifoMapping(clock, make, concurrency=concurrency, batch_size=10, kills=moments, random=random)
    for number in range(webhooks):
        group = f"g{random.randrange(groups)}"
        mapping.send(*records(webhook(id=f"{group}-{number}"), group=group))
    mapping.run()
    return ledger, mapping


def violations(ledger: Ledger) -> int:
    """Count the webhooks that were stored before an earlier one of their group, or never."""
    by_group: dict[str, list[int]] = defaultdict(list)
    for id in ledger.stored:  # in the order in which they were stored
        group, _, number = id.partition("-")
        by_group[group].append(int(number))
    return sum(one > other for numbers in by_group.values() for one, other in pairwise(numbers))


def others_held(ledger: Ledger, mapping: FifoMapping) -> int:
    """Count the webhooks that were given back although none of their group failed and the sink was not down."""
    return sum(_held(each, ledger) for each in mapping.batches if each.ended not in mapping.killed_at)


def _held(invoked: Invoked, ledger: Ledger) -> int:
    if any(invoked.began <= at <= invoked.ended for at in ledger.down):
        return 0
    failed = {id.partition("-")[0] for at, id in ledger.failed if invoked.began <= at <= invoked.ended}
    return sum(record["attributes"]["MessageGroupId"] not in failed for record in invoked.failed)


def overlaps(mapping: Mapping) -> int:
    """Count the batches that began while another was in progress."""
    ended, count = 0.0, 0
    for each in sorted(mapping.batches, key=lambda invoked: invoked.began):
        count += each.began < ended
        ended = max(ended, each.ended)
    return count
