"""The effect of a burst on a database with 20 connections, with the queue and without one; and whether the queue drains
as fast as the database allows."""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import postgres_server
from demo_postgres import TABLE_WITHOUT_QUEUE, WITHOUT_QUEUE, create_table
from postgres_server import PostgresServer

from figure import Figure, figure, highest, interleaved, print_figures
from scalable_webhook_cli.burst import ID_HEADER, Request, send
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import ObservedWebhook
from side import Side, side

EXAMPLE = Path(__file__).parents[1] / "examples" / "postgres"
MAX_CONNECTIONS = 20
WEBHOOKS, CONCURRENCY = 400, 64
# For the drain: the time that the database takes for any batch.
BACKLOG, BATCH_SECONDS = 500, 0.25
_SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN PERFORM pg_sleep({BATCH_SECONDS}); RETURN NULL; END $$",
    "CREATE TRIGGER slow AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION slow()",
)
_INSERT = """
INSERT INTO orders SELECT 'probe-' || clock_timestamp() || n, '/', '', now(), '', '', '', '{}', '', ''
FROM generate_series(1, 10) AS n
"""


@dataclass
class Burst:
    """A side with a server of its own. ``peak`` is the maximum of observed connections."""

    side: Side
    server: PostgresServer
    table: str
    peak: int = 0

    def lost(self, webhooks: int) -> int:
        """Return the number of sent webhooks that are not in the database once none is in flight."""
        run = uuid.uuid4().hex[:8]
        with self.server.watched() as peak:
            send(self.side.url, requests(run, webhooks), concurrency=CONCURRENCY)
            self.side.wait_until_drained()
        self.peak = max(self.peak, peak.highest)
        ((stored,),) = self.server.query(f"SELECT count(*) FROM {self.table} WHERE id LIKE '{run}-%'")  # noqa: S608
        return webhooks - int(stored)


def measure(emulator: Emulator, rounds: int = 5, webhooks: int = WEBHOOKS, backlog: int = BACKLOG) -> Iterator[Figure]:
    """Measure the bursts, and then the drain."""
    with ExitStack() as servers:
        ours, without = (
            servers.enter_context(postgres_server.running(max_connections=MAX_CONNECTIONS)) for _ in range(2)
        )
        create_table(without)
        peer = Burst(side(emulator, WITHOUT_QUEUE, without.context()), without, TABLE_WITHOUT_QUEUE)
        queue = Burst(side(emulator, EXAMPLE, ours.context()), ours, "orders")

        # Without retries, since some providers have none.
        lost = interleaved({"ours": lambda: queue.lost(webhooks), "peer": lambda: peer.lost(webhooks)}, rounds)
        told = f"of {webhooks} webhooks, {CONCURRENCY} at a time"
        # The worst of each and not the median, since no webhook may be lost.
        yield highest("protection.lost", lost["ours"], goal="== 0", note=told)
        yield replace(figure("protection.lost_without", lost["peer"], goal="> 0", note=told), value=min(lost["peer"]))
        observed = ObservedWebhook(emulator, queue.side.stack, "Webhook")
        limit = observed.max_concurrency()
        note = f"{queue.peak} connections of {limit}; without a queue {peer.peak} of {MAX_CONNECTIONS}"
        yield figure("protection.peak_connections_over_limit", [queue.peak / limit], goal="<= 1.0", note=note)
        yield _drain(queue, observed, limit, rounds, backlog)


def _drain(queue: Burst, observed: ObservedWebhook, limit: int, rounds: int, backlog: int) -> Figure:
    for statement in _SLOW:
        queue.server.query(statement)
    batch_seconds = median(_timed(queue.server, _INSERT) for _ in range(3))
    ideal = backlog / (10 * limit) * batch_seconds
    values = []
    for _ in range(rounds):
        queue.side.pause()
        began = time.time()
        send(queue.side.url, requests(uuid.uuid4().hex[:8], backlog), concurrency=CONCURRENCY)
        queue.side.drain()
        lines = observed.log("ConsumerLogs")
        batches = [line for line in lines if line["message"] == "batch" and line["started"] >= began * 1000]
        seconds = (max(line["ended"] for line in batches) - min(line["started"] for line in batches)) / 1000
        values.append(seconds / ideal)
    note = f"{backlog} webhooks, {limit} batches of 10 at a time, {batch_seconds * 1000:.0f} ms each at the sink"
    return figure("protection.drain_over_ideal", values, goal="<= 1.25", note=note)


def requests(run: str, count: int) -> Iterator[Request]:
    """Yield webhooks with this prefix of their ids."""
    return (Request("POST", "/order", {ID_HEADER: f"{run}-{n}"}, b'{"order": 1}') for n in range(count))


def _timed(server: PostgresServer, statement: str) -> float:
    connection = server.connect()
    try:
        began = time.perf_counter()
        connection.run(statement)
        return time.perf_counter() - began
    finally:
        connection.close()


if __name__ == "__main__":
    with running() as local_aws:
        print_figures(lambda: measure(local_aws))
