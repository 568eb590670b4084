"""The second part of the demo: a burst into a Postgres with 20 connections, without a queue and with one."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import postgres_server
from postgres_server import PostgresServer
from rich import box
from rich.table import Table

from scalable_webhook_cli.addresses import local_url
from scalable_webhook_cli.burst import ID_HEADER, Report, Request, send
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import (
    ObservedWebhook,
    Point,
    Samples,
    depth,
    functions_at_work,
    physical,
    sampled,
)
from scalable_webhook_cli.terminal import counted, progress, say

EXAMPLES = Path(__file__).parent
WITHOUT_QUEUE = EXAMPLES.parent / "benchmarks" / "peers" / "no_queue"
TABLE_WITHOUT_QUEUE = "orders_without_queue"
CONCURRENCY = 64
MAX_CONNECTIONS = 20
DRAIN_SECONDS = 120


@dataclass(frozen=True)
class Side:
    """The outcome of a burst, measured at the endpoint and in the database. It has the connections of the database, the
    busy functions and the messages in the queue over time."""

    report: Report
    stored: int
    duplicates: int
    turned_away: int
    connections: list[Point]
    functions: list[Point]
    backlog: list[Point] | None

    @property
    def peak_connections(self) -> int:
        """The maximum of connections at a time."""
        return max((count for _, count in self.connections), default=0)

    @property
    def lost(self) -> int:
        return self.report.sent - self.stored


@dataclass(frozen=True)
class Act:
    """Both sides. With the queue, at most ``limit`` connections are allowed."""

    without_queue: Side
    with_queue: Side
    limit: int
    dead_lettered: int

    @property
    def ok(self) -> bool:
        ours = self.with_queue
        # A side that stores nothing is broken, and shows nothing.
        compares = self.without_queue.stored > 0
        kept = not (ours.lost or ours.duplicates or self.dead_lettered)
        return compares and kept and 0 < ours.peak_connections <= self.limit


def play(emulator: Emulator, webhooks: int) -> Act:
    """Send a burst of so many webhooks to both sides, one after the other, and count."""
    with postgres_server.running(max_connections=MAX_CONNECTIONS) as server:
        with deleted(emulator, "WithoutQueue"):
            without_queue = _without_queue(emulator, server, webhooks)
        # Its functions are deleted. Their connections must end too, or none would be left for the other side.
        server.terminate_connections()
        with deleted(emulator, "Postgres"):
            return _with_queue(emulator, server, webhooks, without_queue)


@contextmanager
def deleted(emulator: Emulator, stack: str) -> Iterator[None]:
    """Delete a stack at the end, since its server ends too."""
    try:
        yield
    finally:
        emulator.client("cloudformation").delete_stack(StackName=stack)


def _without_queue(emulator: Emulator, server: PostgresServer, webhooks: int) -> Side:
    say("deploying the simple way: API Gateway, Lambda, Postgres")
    deploy(emulator, WITHOUT_QUEUE, context=server.context())
    create_table(server)
    cloudformation = emulator.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="WithoutQueue")["Stacks"]
    (url,) = [output["OutputValue"] for output in stack["Outputs"] if "execute-api" in output["OutputValue"]]
    with _measured(server, TABLE_WITHOUT_QUEUE) as measured:
        report, run = _burst("sending to the function", local_url(emulator.endpoint, url), webhooks)
    group = physical(cloudformation, "WithoutQueue", "AWS::Logs::LogGroup", "Logs")
    logs = emulator.client("logs")
    return measured(report, run, functions_at_work(logs, group, report.began))


def create_table(server: PostgresServer) -> None:
    """Create the table for the function without a queue."""
    server.query(f"CREATE TABLE {TABLE_WITHOUT_QUEUE} (id text PRIMARY KEY, payload text)")
    server.query(f"GRANT SELECT, INSERT ON {TABLE_WITHOUT_QUEUE} TO {postgres_server.USER}")


def _with_queue(emulator: Emulator, server: PostgresServer, webhooks: int, without_queue: Side) -> Act:
    say("deploying examples/postgres: the same with a queue")
    (webhook,) = deploy(emulator, EXAMPLES / "postgres", context=server.context())
    observed = ObservedWebhook(emulator, *webhook.name.split("/"))
    backlog = partial(depth, emulator.client("sqs"), observed.queue_url)
    with _measured(server, "orders", sampled(backlog, every=0.1)) as measured:
        report, run = _burst("sending to the queue", webhook.url, webhooks)
        observed.wait_until_drained(DRAIN_SECONDS)
    with_queue = measured(report, run, observed.at_work("ConsumerLogs", report.began))
    return Act(without_queue, with_queue, observed.max_concurrency(), observed.dead_letters())


def _burst(label: str, url: str, webhooks: int) -> tuple[Report, str]:
    run = uuid.uuid4().hex[:8]
    requests = (Request("POST", "/order", {ID_HEADER: f"{run}-{n}"}, b'{"order": 1}') for n in range(webhooks))
    with progress(label, webhooks) as advance:
        return send(url, requests, concurrency=CONCURRENCY, on_answer=advance), run


@contextmanager
def _measured(
    server: PostgresServer, table: str, backlog: AbstractContextManager[Samples] | None = None
) -> Iterator[Callable[[Report, str, list[Point]], Side]]:
    """Watch the server, and the queue if there is one. Yield a function that returns the side after the burst."""
    turned_away_before = server.turned_away()

    def side(report: Report, run: str, functions: list[Point]) -> Side:
        rows = Counter(id for (id,) in server.query(f"SELECT id FROM {table} WHERE id LIKE '{run}-%'"))  # noqa: S608
        return Side(
            report,
            stored=len(rows),
            duplicates=sum(rows.values()) - len(rows),
            turned_away=server.turned_away() - turned_away_before,
            connections=connections.points,
            functions=functions,
            backlog=waiting.points if waiting else None,
        )

    with server.watched() as connections, backlog or nullcontext() as waiting:
        yield side


def tabled(act: Act) -> Table:
    """Return both sides as one table."""
    sides = [act.without_queue, act.with_queue]
    title = (
        f"{sides[0].report.sent} webhooks, {CONCURRENCY} at a time, into a Postgres with {MAX_CONNECTIONS} connections"
    )
    table = Table("", "API Gateway, Lambda, Postgres", "ScalableWebhook", box=box.HORIZONTALS, title=title)
    for name, cells in {
        "accepted": [f"{side.report.accepted} of {side.report.sent}" for side in sides],
        "rejected": [_rejected(side.report) for side in sides],
        "too many connections": [str(side.turned_away) for side in sides],
        "stored": [str(side.stored) for side in sides],
        "stored twice": [str(side.duplicates) for side in sides],
        "lost": [f"[bold]{side.lost}[/bold]" for side in sides],
        "connections at a time": [
            f"{act.without_queue.peak_connections} (3 are kept for administrators)",
            f"{act.with_queue.peak_connections}, limit {act.limit}",
        ],
    }.items():
        table.add_row(name, *cells)
    return table


def _rejected(report: Report) -> str:
    return ", ".join(filter(None, [counted(report.rejected), counted(report.unanswered)])) or "0"
