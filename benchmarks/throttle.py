"""The throttle: what it knows of a database, the rate that it keeps, exactly one batch at a time, and order.

The machine's noise decides nothing here: time passes by the clock of a simulation. Two figures are of real time: the
connections of a Postgres, and the rates that the local AWS delivers.
"""

import json
import logging
import math
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pg8000.native
import postgres_server
from postgres_server import DATABASE, USER

from figure import Figure, figure, highest, print_figures
from protection import requests
from scalable_webhook_cli.burst import send
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import ObservedWebhook
from side import OURS, side
from tests.runtime.doubles import Invocation, Sqs
from tests.runtime.simulations import (
    Loaded,
    Together,
    deliver,
    most,
    ordered,
    others_held,
    overlaps,
    simulated,
    violations,
)
from tests.runtime.world import peak, records
from webhook_runtime import logs
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract import connections
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import DatabaseSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Outcome
from webhook_runtime.pace import AdaptivePace, Pace
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks.postgres import PostgresDriver
from webhook_runtime.testing import webhook

DOCUMENTED = Path(__file__).parents[1] / "tests" / "recorded" / "max-connections.json"
_RATES, _AT_A_TIME = (5, 50, 500), (2, 5)
_SETTINGS = (10, 20, 40, 80, 120)


def measure(emulator: Emulator, rounds: int = 5) -> Iterator[Figure]:
    """Measure each figure."""
    logs.logger.setLevel(logging.CRITICAL)  # of thousands of webhooks that fail on purpose
    yield from sizing()
    yield from peaks(rounds)
    yield from means(emulator, rounds)
    yield from adaptive(rounds)
    yield from order(rounds)


def sizing() -> Iterator[Figure]:
    """Compare the estimates with AWS's documents, and the number that a server tells with what it accepts."""
    rows = json.loads(DOCUMENTED.read_text())
    exceeded = sum(_estimate(row) > row["max_connections"] for row in rows)
    yield figure("sizing.documented_rows_exceeded", [exceeded], goal="== 0", note=f"of {len(rows)} documented values")
    errors = [abs(told - opened) for told, opened in map(_usable, _SETTINGS)]
    note = f"of max_connections {', '.join(map(str, _SETTINGS))}"
    yield figure("sizing.postgres_usable_error", [max(errors)], unit="connections", goal="== 0", note=note)


def _estimate(row: dict[str, Any]) -> int:
    limit = (
        connections.of_serverless(row["engine"], *row["units"])
        if "units" in row
        else connections.of_class(row["engine"], row["instance_class"])
    )
    assert limit is not None, row
    return limit.expected


def _usable(max_connections: int) -> tuple[int, int]:
    """Return the connections that a server tells to a consumer, and those that it then accepts."""
    with postgres_server.running(max_connections=max_connections) as server, ExitStack() as held:
        settings = DatabaseSettings("127.0.0.1", server.port, DATABASE, False, "webhooks", True)
        driver = PostgresDriver(settings)
        first = driver.connect(settings, USER, server.password, None)
        held.callback(first.close)
        told, _ = first.room()
        opened = 1
        try:
            while opened <= max_connections:
                held.callback(driver.connect(settings, USER, server.password, None).close)
                opened += 1
        except pg8000.native.DatabaseError:
            pass
        return told, opened


def peaks(rounds: int) -> Iterator[Figure]:
    """Deliver a backlog at each rate, some batches at a time, to a sink that is fast, slow or stalls."""
    found = {
        (rate, number): [_peak(rate, number, seed) / rate for seed in range(rounds)]
        for rate in _RATES
        for number in _AT_A_TIME
    }
    bounds = {(rate, number): most(rate, number) / rate for rate, number in found}
    worst = max(found, key=lambda each: max(found[each]) / bounds[each])
    where = "of any second, at {} a second and {} at a time; the bound is 1 + n x ceil(rate / n) / rate"
    yield highest("rate.peak_over_limit", found[worst], goal=f"<= {bounds[worst]:g}", note=where.format(*worst))
    for (rate, number), values in found.items():
        key = f"rate.peak_over_limit_{rate}_a_second_{number}_at_a_time"
        yield highest(key, values, goal=f"<= {bounds[rate, number]:g}")
    random = _random(1)
    with simulated() as clock:
        sink = Together(clock, lambda: 0.01, random=random)
        kills = [random.uniform(0, 60) for _ in range(25)]
        world = deliver(clock, sink, 50, concurrency=2, count=3000, kills=kills, visibility=40, random=random)
    note = f"{len(world.killed_at)} kills, each of which frees the place of its batch early"
    yield figure("rate.peak_over_limit_with_kills", [peak(sink.asked) / 50], note=note)


def _peak(rate: float, number: int, seed: int) -> int:
    random = _random(seed)
    seconds = [0.001, 0.005, 0.015, *([2.0] if rate < 100 else [])]
    with simulated() as clock:
        sink = Together(clock, lambda: random.choice(seconds), random=random)
        deliver(clock, sink, rate, concurrency=number, count=round(rate * 30), random=random)
    return peak(sink.asked)


def means(emulator: Emulator, rounds: int) -> Iterator[Figure]:
    """Deliver a backlog at a rate: on the local AWS; and at a rate that it does not reach, by the consumer alone."""
    by_rate = {rate: _on_the_local_aws(emulator, rate, rounds) for rate in (5, 50)}
    by_rate[500] = [_by_the_consumer_alone(500, 5, 10) / 500 for _ in range(rounds)]
    slowest = min(by_rate, key=lambda rate: min(by_rate[rate]))
    values = by_rate[slowest]
    note = f"at {slowest} a second, while there is a backlog"
    yield replace(figure("rate.mean_over_limit", values, goal=">= 0.95", note=note), value=min(values))
    for rate, found in by_rate.items():
        yield figure(f"rate.mean_over_limit_{rate}_a_second", found, goal=">= 0.95")


def _on_the_local_aws(emulator: Emulator, rate: int, rounds: int) -> list[float]:
    paced = side(emulator, OURS / "paced", [f"rate={rate}"])
    observed = ObservedWebhook(emulator, paced.stack, "Webhook")
    found = []
    for _ in range(min(rounds, 2)):
        paced.pause()
        began, count = time.time(), 20 * rate
        send(paced.url, requests(uuid.uuid4().hex[:8], count), concurrency=16)
        paced.pause(False)
        paced.wait_until_drained()
        batches = [line for line in observed.log("ConsumerLogs") if line["message"] == "batch"]
        batches = [line for line in batches if line["started"] >= began * 1000]
        first, last = (choose(line["started"] for line in batches) for choose in (min, max))
        # Without the last batch, which waits after its line.
        asked = sum(line["size"] for line in batches if line["started"] < last)
        found.append(asked / (last - first) * 1000 / rate)
    return found


def _by_the_consumer_alone(rate: float, number: int, seconds: float) -> float:
    """Call consumers in threads, each with one batch after the other, and return the webhooks a second."""
    began = time.monotonic()
    stored: list[int] = []

    class Stub:
        def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
            with deadline.step(len(webhooks)):
                time.sleep(0.005)
            stored.append(len(webhooks))
            yield from [STORED] * len(webhooks)

    def environment() -> None:
        consumer = Consumer(Stub(), Redelivery(Sqs(), "queue", Backoff(1, 1)), pace=Pace(number / rate))
        while time.monotonic() < began + seconds:
            consumer.handle({"Records": records(*(webhook() for _ in range(10)))}, Invocation())

    threads = [threading.Thread(target=environment) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(stored) / (time.monotonic() - began)


def adaptive(rounds: int) -> Iterator[Figure]:
    """Let an adaptive rate find the knee of a service whose latency rises with its load."""
    throughputs, latencies, fixed = [], [], []
    for seed in range(rounds):
        with simulated() as clock:
            sink = Loaded(clock, random=_random(seed))

            def pace(sink: Loaded = sink) -> Pace:
                return AdaptivePace(5 / 400, 1.5 * sink.UNLOADED, 2.5)

            deliver(clock, sink, 400, concurrency=5, count=8000, make=pace, new=0, random=_random(seed))
        times = sink.asked[2000:]
        throughputs.append(len(times) / (times[-1] - times[0]) / sink.KNEE)
        latencies.append(_percentile(sink.latencies[2000:], 0.95) / sink.UNLOADED)
        with simulated() as clock:
            sink = Loaded(clock, random=_random(seed))
            deliver(clock, sink, 400, concurrency=20, count=4000, random=_random(seed))
        fixed.append(_percentile(sink.latencies, 0.95) / sink.UNLOADED)
    yield figure("adaptive.throughput_over_knee", throughputs, goal=">= 0.85")
    yield figure("adaptive.p95_over_unloaded", latencies, goal="<= 2")
    yield figure("adaptive.p95_over_unloaded_of_a_fixed_rate", fixed, note="of 400 a second, 20 at a time")


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[math.floor(part * (len(values) - 1))]


def order(rounds: int) -> Iterator[Figure]:
    """Deliver the groups of a FIFO queue side by side, with failures and kills."""
    at_once, beside = [], []
    broken, held = [], []
    for seed in range(rounds):
        with simulated() as clock:
            _, mapping = ordered(clock, seed=seed, groups=1, webhooks=1000, retry=0.01, kills=25)
        at_once.append(overlaps(mapping))
        with simulated() as clock:
            _, mapping = ordered(clock, seed=seed, groups=2, webhooks=1000, retry=0.01, kills=25)
        beside.append(overlaps(mapping))
        with simulated() as clock:
            ledger, mapping = ordered(
                clock, seed=seed, groups=1 + 5 * seed, webhooks=1000, retry=0.05, permanent=0.02, down=0.005, kills=25
            )
        broken.append(violations(ledger))
        held.append(others_held(ledger, mapping))
    yield highest("one.overlaps", at_once, goal="== 0", note="batches; 1,000 webhooks and 25 kills a round")
    yield figure("one.overlaps_of_two_groups", beside, goal="> 0", note="the driver can run batches side by side")
    yield highest("order.violations", broken, goal="== 0", note="1,000 webhooks of 1 to 21 groups and 25 kills a round")
    yield highest("order.other_groups_held", held, goal="== 0")


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 (no secret)


if __name__ == "__main__":
    with running() as local_aws:
        print_figures(lambda: measure(local_aws))
