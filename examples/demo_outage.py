"""The third part of the demo: Postgres is stopped for two minutes under load, without the circuit breaker and with it.

Both sides store into the same server at the same time, each into a table of its own.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pg8000.native
import postgres_server
from demo_postgres import deleted
from postgres_server import PostgresServer
from rich import box
from rich.table import Table

from scalable_webhook_cli.burst import ID_HEADER, Report, Request, send
from scalable_webhook_cli.deployed import webhooks
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, Point, sampled, wait_for
from scalable_webhook_cli.terminal import progress, say
from scalable_webhook_cli.throttle import Throttle, of

APP = Path(__file__).parents[1] / "benchmarks" / "ours" / "outage"
STACK = "Outage"
# Webhooks a second to each side, and the seconds with the database, before it is stopped and after.
RATE = 10
BEFORE, AFTER = 10, 20
# The circuit breaker may wait two minutes for its next probe.
_DRAIN_SECONDS = 400


@dataclass(frozen=True)
class Outage:
    """The times at which the database was stopped, and accepted connections again."""

    began: float
    ended: float


@dataclass(frozen=True)
class Side:
    """The outcome of one side, measured at the endpoint, in the queues and in the database.

    The points are the webhooks in the table, in the queue and in the dead-letter queue over time, and 1 while the
    webhook is paused. ``batches`` found the database stopped.
    """

    report: Report
    stored: int
    dead_lettered: int
    batches: int
    in_table: list[Point]
    in_queue: list[Point]
    in_dead_letter_queue: list[Point]
    paused: list[Point]

    @property
    def lost(self) -> int:
        """The number of webhooks that are nowhere."""
        return self.report.sent - self.stored - self.dead_lettered

    @property
    def pauses(self) -> list[tuple[float, float]]:
        """The beginning and the end of each pause."""
        found: list[tuple[float, float]] = []
        began: float | None = None
        for moment, is_paused in [*self.paused, (self.paused[-1][0], 0)] if self.paused else []:
            if is_paused and began is None:
                began = moment
            elif not is_paused and began is not None:
                found.append((began, moment))
                began = None
        return found

    def first_stored_after(self, moment: float) -> float | None:
        """Return the seconds from then until the first webhook was stored, or None."""
        later = [(at, count) for at, count in self.in_table if at >= moment]
        return next((at - moment for at, count in later if count > later[0][1]), None)


@dataclass(frozen=True)
class Act:
    """Both sides of the same outage."""

    without_breaker: Side
    with_breaker: Side
    outage: Outage

    @property
    def ok(self) -> bool:
        """Whether the circuit breaker kept all webhooks in an outage that uses up their tries without it."""
        sides = [self.without_breaker, self.with_breaker]
        return (
            all(side.report.accepted == side.report.sent and side.lost == 0 for side in sides)
            and self.without_breaker.dead_lettered > 0
            and self.with_breaker.dead_lettered == 0
            and len(self.with_breaker.pauses) == 1
        )


@dataclass(frozen=True)
class Deployed:
    """A side: its webhook, its server, and the event source mapping."""

    observed: ObservedWebhook
    url: str
    server: PostgresServer
    throttle: Throttle

    def stored(self) -> int:
        """Return the number of rows in its table, 0 before there is one."""
        table = f"orders_{self.observed.id.lower()}"
        if self.server.query("SELECT to_regclass(:table)", table=table) == [[None]]:
            return 0
        ((count,),) = self.server.query(f"SELECT count(*) FROM {table}")  # noqa: S608
        return int(count)

    def is_paused(self) -> bool:
        return bool(self.throttle.describe()["State"] == "Disabled")

    def batches(self) -> list[dict[str, Any]]:
        """Return the lines of its consumer about batches."""
        return [line for line in self.observed.log("ConsumerLogs") if line["message"] == "batch"]

    @contextmanager
    def watched(self) -> Iterator[Callable[[Report, Outage], Side]]:
        """Watch it. Yield a function that returns the side after the outage."""
        looks = (self.stored, self.observed.backlog, self.observed.dead_letters, self.is_paused)

        def side(report: Report, outage: Outage) -> Side:
            batches = [line for line in self.batches() if outage.began * 1000 <= line["started"] < outage.ended * 1000]
            return Side(
                report,
                self.stored(),
                self.observed.dead_letters(),
                sum(line["failed"] > 0 for line in batches),
                *(samples.points for samples in watching),
            )

        # While the server is stopped, it has no samples.
        without_answer = (pg8000.native.Error, OSError)
        with ExitStack() as stack:
            watching = [stack.enter_context(sampled(look, every=0.5, unanswered=without_answer)) for look in looks]
            yield side


def deployed(
    emulator: Emulator, servers: Mapping[str, PostgresServer], arguments: Mapping[str, Mapping[str, Any]]
) -> dict[str, Deployed]:
    """Deploy a webhook for each server and arguments of the app, by its id."""
    sides = {id: {**dict(pair.split("=", 1) for pair in servers[id].context()), **arguments[id]} for id in servers}
    endpoints = deploy(emulator, APP, context=[f"sides={json.dumps(sides)}"])
    urls = {endpoint.name: endpoint.url for endpoint in endpoints}
    mappings = {throttle.name: throttle for throttle in map(of, webhooks(emulator))}
    return {
        id: Deployed(
            ObservedWebhook(emulator, STACK, id), urls[f"{STACK}/{id}"], servers[id], mappings[f"{STACK}/{id}"]
        )
        for id in servers
    }


def play(emulator: Emulator, stopped: int) -> Act:
    """Send to both sides while the database is stopped for so many seconds, and count."""
    webhooks = RATE * (BEFORE + stopped + AFTER)
    say("deploying the same twice: without the circuit breaker, and with it")
    with postgres_server.running(max_connections=40) as server, deleted(emulator, STACK), ExitStack() as watching:
        arguments = {"Without": {"breaker": False}, "With": {"breaker": True}}
        sides = deployed(emulator, dict.fromkeys(arguments, server), arguments)
        measured = {id: watching.enter_context(side.watched()) for id, side in sides.items()}
        label = f"sending, while the database is stopped for {stopped} seconds"
        with progress(label, 2 * webhooks) as advance, ThreadPoolExecutor(len(sides)) as threads:
            over = Event()
            bursts = {
                id: threads.submit(send, side.url, paced(RATE, webhooks, over), concurrency=1, on_answer=advance)
                for id, side in sides.items()
            }
            try:
                outage = _outage(server, list(sides.values()), stopped)
                reports = {id: burst.result() for id, burst in bursts.items()}
            finally:
                over.set()
        say("waiting until the circuit breaker resumes, and the queues are empty")
        for side in sides.values():
            side.observed.wait_until_drained(_DRAIN_SECONDS)
        without_breaker, with_breaker = (measured[id](reports[id], outage) for id in arguments)
        return Act(without_breaker, with_breaker, outage)


def _outage(server: PostgresServer, sides: list[Deployed], stopped: int) -> Outage:
    """Stop the server for so many seconds, once webhooks are stored on both sides."""
    if not wait_for(lambda: all(side.stored() >= RATE * BEFORE for side in sides), _DRAIN_SECONDS):
        raise CliError("the webhooks before the outage were not stored")
    server.stop()
    began = time.time()
    time.sleep(stopped)
    server.start()
    return Outage(began, time.time())


def paced(rate: float, count: int, over: Event) -> Iterator[Request]:
    """Yield webhooks, so many a second, for one worker, until it is over."""
    run, began = uuid.uuid4().hex[:8], time.monotonic()
    for n in range(count):
        if over.wait(began + n / rate - time.monotonic()):
            return
        yield Request("POST", "/order", {ID_HEADER: f"{run}-{n}"}, b'{"order": 1}')


def tabled(act: Act) -> Table:
    """Return both sides as one table."""
    sides = [act.without_breaker, act.with_breaker]
    seconds = act.outage.ended - act.outage.began
    title = f"{RATE} webhooks a second, while Postgres is stopped for {seconds:.0f} seconds"
    table = Table("", "no circuit breaker", "with it, the default", box=box.HORIZONTALS, title=title)
    for name, cells in {
        "accepted": [f"{side.report.accepted} of {side.report.sent}" for side in sides],
        "stored": [str(side.stored) for side in sides],
        "in the dead-letter queue": [f"[bold]{side.dead_lettered}[/bold]" for side in sides],
        "lost": [str(side.lost) for side in sides],
        "paused": [_paused(side, act.outage) for side in sides],
        "batches without Postgres": [str(side.batches) for side in sides],
        "stores again after": [_seconds(side.first_stored_after(act.outage.ended)) for side in sides],
    }.items():
        table.add_row(name, *cells)
    return table


def _paused(side: Side, outage: Outage) -> str:
    pauses = [f"after {began - outage.began:.0f} s, for {ended - began:.0f} s" for began, ended in side.pauses]
    return ", ".join(pauses) or "never"


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s"
