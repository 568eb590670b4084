"""How well a plan predicts the time in which a queue drains: on the local AWS, into a Postgres whose time for a batch
is known.

The time of a batch is fitted to the logs of some settings, as by ``--from-logs``. The plan then predicts the others,
some of them with an outage of the database.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import postgres_server
from postgres_server import PostgresServer

from figure import Figure, highest, print_figures
from protection import requests
from scalable_webhook_cli.burst import send
from scalable_webhook_cli.deployed import webhooks
from scalable_webhook_cli.local.deploy import deploy, endpoints
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.log_lines import consumer_texts
from scalable_webhook_cli.observe import ObservedWebhook
from scalable_webhook_cli.plan import BatchTime, Load, Outage, plan
from scalable_webhook_cli.plan.fit import batches, fit
from scalable_webhook_cli.plan.template import of_template
from scalable_webhook_cli.throttle import Throttle, of
from side import OURS
from webhook_runtime.contract.table import create_table

# The time of the database for a batch, and for each row, in seconds.
_BATCH, _ROW = 0.3, 0.01
_SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_sleep(TG_ARGV[0]::float); RETURN NULL; END $$",
    f"CREATE TRIGGER slow AFTER INSERT ON webhooks FOR EACH STATEMENT EXECUTE FUNCTION slow({_BATCH})",
    f"CREATE TRIGGER slow_row AFTER INSERT ON webhooks FOR EACH ROW EXECUTE FUNCTION slow({_ROW})",
)
_SECONDS, _OUTAGE_SECONDS = 4.0, 4.0


@dataclass(frozen=True)
class Setting:
    """Batches at a time, and their size; with an outage of the database, or without one."""

    concurrency: int
    size: int
    outage: bool = False

    @property
    def count(self) -> int:
        """The webhooks that take some seconds, and more batches than are in progress at a time."""
        rate = self.concurrency * self.size / (_BATCH + _ROW * self.size)
        return max(round(rate * _SECONDS / self.size), 2 * self.concurrency) * self.size

    def __str__(self) -> str:
        return f"{self.concurrency} x {self.size}{' with an outage' if self.outage else ''}"


FITTED = (Setting(2, 1), Setting(10, 1), Setting(5, 10), Setting(2, 100))
PREDICTED = (Setting(5, 1), Setting(10, 10), Setting(2, 10, outage=True), Setting(5, 10, outage=True))


@dataclass(frozen=True)
class Run:
    """A measured drain, the outage in it, and the lines of its batches."""

    seconds: float
    down: float
    lines: list[Mapping[str, Any]]


def measure(emulator: Emulator, rounds: int = 5) -> Iterator[Figure]:
    """Measure each setting in up to three rounds, and predict half of them by the others."""
    # The quick bench shows only that it can be measured.
    fitted, predicted = (FITTED, PREDICTED) if rounds > 1 else (FITTED[:1] + FITTED[2:3], PREDICTED[:1])
    with ExitStack() as servers:
        server = servers.enter_context(postgres_server.running(max_connections=100))
        bench = _Bench(emulator, server, {*fitted, *predicted})
        runs: dict[Setting, list[Run]] = {each: [] for each in (*fitted, *predicted)}
        for number in range(min(rounds, 3)):
            order = list(runs)
            for setting in order if number % 2 == 0 else reversed(order):
                runs[setting].append(bench.drain(setting))
    lines = [line for setting in fitted for run in runs[setting] for line in run.lines]
    found = fit(lines)
    errors, told = [], []
    for setting in predicted:
        ratios = [bench.predicted(setting, found.time, run) / run.seconds for run in runs[setting]]
        errors.append(abs(median(ratios) - 1))
        seconds = [run.seconds for run in runs[setting]]
        told.append(
            f"{setting}: {median(ratios):.2f} of {median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
        )
    time = found.time
    note = (
        f"fitted {time.milliseconds:.0f} ms + {time.each:.1f} ms a webhook, {time.between:.0f} ms between, by "
        f"{found.batches} batches; predicted of measured: {'; '.join(told)}"
    )
    yield highest("plan.drain_error", errors, goal="<= 0.15", note=note)


class _Bench:
    """The webhooks, one for each size and concurrency."""

    def __init__(self, emulator: Emulator, server: PostgresServer, settings: set[Setting]) -> None:
        self._emulator, self._server = emulator, server
        server.query(create_table("postgres", "webhooks"))
        server.query(f"ALTER TABLE webhooks OWNER TO {postgres_server.USER}")
        kinds = sorted({(each.concurrency, each.size) for each in settings})
        names = " ".join(f"{concurrency}x{size}" for concurrency, size in kinds)
        deploy(emulator, OURS / "planned", context=[*server.context(), f"settings={names}"])
        self._urls = {each.name: each.url for each in endpoints(emulator)}
        self._webhooks = {each.name: each for each in webhooks(emulator)}
        for concurrency, size in kinds:  # start the environments
            self.drain(Setting(concurrency, size), count=2 * concurrency * size, seconds_of_outage=0)
        for statement in _SLOW:
            server.query(statement)

    def drain(self, setting: Setting, *, count: int | None = None, seconds_of_outage: float = _OUTAGE_SECONDS) -> Run:
        """Fill the queue while it is paused, and measure until it is empty."""
        throttle = self._throttle(setting)
        throttle.pause()
        began = time.time()
        sent = requests(uuid.uuid4().hex[:8], count or setting.count)
        send(self._urls[throttle.name], sent, concurrency=32)
        is_down = setting.outage and seconds_of_outage > 0
        if is_down:
            self._server.stop()
        throttle.resume()
        if is_down:
            time.sleep(seconds_of_outage)
            self._server.start()
        up = time.time()
        ObservedWebhook(self._emulator, throttle.stack, throttle.name.rpartition("/")[2]).wait_until_drained(60)
        lines = [
            line
            for line in batches(consumer_texts(self._webhooks[throttle.name], began, "batch"))
            if line["started"] >= began * 1000
        ]
        first, last = min(line["started"] for line in lines), max(line["ended"] for line in lines)
        return Run((last - first) / 1000, max(0.0, up - first / 1000) if is_down else 0.0, lines)

    def predicted(self, setting: Setting, time: BatchTime, run: Run) -> float:
        """Return the seconds in which the plan drains the same."""
        failed = [line["ended"] - line["started"] for line in run.lines if line["failed"]]
        outage = Outage(seconds=run.down) if run.down else None
        down = median(failed) if failed else None
        throttle = self._throttle(setting)
        result = plan(
            of_template(throttle.template, throttle.name),
            Load(burst=setting.count),
            outage=outage,
            time=replace(time, down=down),
        )
        return result.drained_at

    def _throttle(self, setting: Setting) -> Throttle:
        return of(self._webhooks[f"OursPlanned/At{setting.concurrency}Of{setting.size}"])


if __name__ == "__main__":
    with running() as local_aws:
        print_figures(lambda: measure(local_aws, 3))
