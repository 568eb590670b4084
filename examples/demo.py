"""Deploy the examples to a local AWS, send each a burst of mixed webhooks, and count the outcomes. Then send a burst
into Postgres, without a queue and with one. At last stop Postgres for two minutes, without the circuit breaker and with
it.

Run it with `make demo`. Everything in the last line is measured: at the endpoints, in the tables, in the dead-letter
queues, in the logs of the consumers, and in Postgres. The tables are saved as a picture, and so are the load of
Postgres over time, and its outage.
"""

import argparse
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import demo_outage
import demo_postgres
import pictures
from rich import box
from rich.table import Table

from scalable_webhook_cli.burst import ID_HEADER, Report, Request, send
from scalable_webhook_cli.deployed import DeployedEndpoint
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook
from scalable_webhook_cli.signals import interrupt_on_termination
from scalable_webhook_cli.terminal import console, progress, say

EXAMPLES = Path(__file__).parent
# Each example, and the logical id of its table.
APPS = {"hello": "WebhookTable", "direct": "Orders"}
WEBHOOKS = 500  # to each ingress, and twice as many into Postgres
CONCURRENCY = 16
DRAIN_SECONDS = 120

JSON, FORM, TEXT = "application/json", "application/x-www-form-urlencoded", "text/plain; charset=utf-8"
MIXED = [
    Request("POST", "/json", {"Content-Type": JSON}, '{"customer": "Zoë", "items": [1, 2, 3]}'.encode()),
    Request("POST", "/form", {"Content-Type": FORM}, b"customer=Zo%C3%AB&total=12.50&note=a%26b"),
    Request("PUT", f"/{quote('grüße')}", {"Content-Type": TEXT}, "Grüße, 世界 😀\r\n".encode()),
    Request("POST", "/empty"),
    Request("GET", "/query?customer=Zo%C3%AB&flag="),
]
# 1 %: more than the 400 KB of a DynamoDB item, less than the 1 MiB of an SQS message.
POISON = Request("POST", "/poison", {"Content-Type": JSON}, b'{"padding": "' + b"x" * 450_000 + b'"}')


@dataclass(frozen=True)
class Outcome:
    """The outcome of the burst of one example."""

    ingress: str
    report: Report
    delivered: int
    stored: int
    lost: int
    duplicates: int
    dead_lettered: int
    peak: int
    limit: int

    @property
    def ok(self) -> bool:
        everything_taken = self.report.accepted == self.report.sent
        return everything_taken and not self.lost and not self.duplicates and 0 < self.peak <= self.limit


def deliveries(run: str, webhooks: int) -> Iterator[Request]:
    """Yield the burst. Each tenth delivery is sent twice, as if the provider had missed the answer; each 100th is
    poison."""
    for n in range(webhooks):
        kind = POISON if n % 100 == 99 else MIXED[n % len(MIXED)]
        delivery = Request(kind.method, kind.path, {**kind.headers, ID_HEADER: f"{run}-{n}"}, kind.content)
        yield delivery
        if n % 10 == 5:
            yield delivery


def run_burst(emulator: Emulator, webhook: DeployedEndpoint, table: str, webhooks: int) -> Outcome:
    """Send the burst to one webhook, wait until its queue is empty, and count."""
    run = uuid.uuid4().hex[:8]
    observed = ObservedWebhook(emulator, *webhook.name.split("/"))
    observed.take_dead_letters()
    lines_before = len(observed.log("ConsumerLogs"))
    requests = list(deliveries(run, webhooks))
    with progress(f"sending to {webhook.name}", len(requests)) as advance:
        report = send(webhook.url, requests, concurrency=CONCURRENCY, on_answer=advance)
    observed.wait_until_drained(DRAIN_SECONDS)

    items = Counter(item["headers"][ID_HEADER.lower()] for item in observed.items(table) if _is_of(run, item))
    lines = observed.log("ConsumerLogs")[lines_before:]
    logged = {line["id"] for line in lines if line["message"] == "dead-lettered"}
    # By id: a message may be sent twice, if SQS was slow to answer.
    dead_lettered = {_id_in(message) for message in observed.take_dead_letters()}
    if logged != dead_lettered:
        raise CliError(f"{webhook.name} logged {len(logged)} dead-lettered webhooks, and its dead-letter queue differs")
    delivered = set(report.accepted_ids)
    return Outcome(
        ingress="API Gateway, Lambda, SQS" if webhook.stack == "Hello" else "API Gateway, SQS",
        report=report,
        delivered=len(delivered),
        stored=len(items),
        lost=len(delivered - set(items) - dead_lettered),
        duplicates=sum(items.values()) - len(items),
        dead_lettered=len(dead_lettered),
        peak=observed.peak_concurrency(lines),
        limit=observed.max_concurrency(),
    )


def _id_in(message: dict[str, Any]) -> str:
    return str(parse_qs(message["MessageAttributes"]["webhook"]["StringValue"])["id"][0])


def _is_of(run: str, item: dict[str, dict[str, str]]) -> bool:
    return item["headers"].get(ID_HEADER.lower(), "").startswith(f"{run}-")


def tabled(outcomes: list[Outcome], webhooks: int) -> Table:
    """Return the outcomes of the bursts as a table."""
    columns = [f"{outcome.ingress}" for outcome in outcomes]
    table = Table(
        "",
        *columns,
        box=box.HORIZONTALS,
        title=f"{webhooks} webhooks to each ingress, a tenth of them sent twice, 1 % unstorable",
    )
    for name, cells in {
        "requests accepted": [f"{o.report.accepted} of {o.report.sent}" for o in outcomes],
        "deliveries": [str(o.delivered) for o in outcomes],
        "stored": [str(o.stored) for o in outcomes],
        "stored twice": [str(o.duplicates) for o in outcomes],
        "in the dead-letter queue": [str(o.dead_lettered) for o in outcomes],
        "lost": [str(o.lost) for o in outcomes],
        "batches at a time": [f"{o.peak}, limit {o.limit}" for o in outcomes],
        "requests a second": [f"{o.report.rate:.0f}" for o in outcomes],
        "answer, p50 / p95 / p99": [
            " / ".join(f"{o.report.percentile(percent):.0f}" for percent in (50, 95, 99)) + " ms" for o in outcomes
        ],
    }.items():
        table.add_row(name, *cells)
    return table


def main(folder: Path, webhooks: int, stopped: int) -> int:
    """Run the demo, and save its pictures in the folder. Return the exit status: 0 if no webhook was lost or stored
    twice, no limit was exceeded, and the circuit breaker kept all webhooks."""
    say("starting the local AWS")
    with emulators.found_or_started() as emulator:
        say(f"local AWS at {emulator.endpoint}")
        return play(emulator, folder, webhooks, stopped)


def play(emulator: Emulator, folder: Path, webhooks: int, stopped: int) -> int:
    """Run the three parts, the last with Postgres stopped for so many seconds, and return the exit status."""
    outcomes, endpoints = [], []
    for name, table in APPS.items():
        say(f"deploying examples/{name} with the CDK CLI")
        (endpoint,) = deploy(emulator, EXAMPLES / name)
        endpoints.append(endpoint)
        outcomes.append(run_burst(emulator, endpoint, table, webhooks))
    tables = [tabled(outcomes, webhooks)]
    console.print(tables[0])
    act = demo_postgres.play(emulator, 2 * webhooks)
    tables.append(demo_postgres.tabled(act))
    console.print(tables[1])
    last = demo_outage.play(emulator, stopped)
    tables.append(demo_outage.tabled(last))
    console.print(tables[2])
    saved = [folder / f"{name}.svg" for name in ("demo", "protection", "outage")]
    pictures.save_terminal(saved[0], tables, title="make demo")
    pictures.save_protection(saved[1], act.without_queue, act.with_queue, max_connections=demo_postgres.MAX_CONNECTIONS)
    pictures.save_outage(saved[2], last)
    say(f"Pictures: {', '.join(str(_short(picture)) for picture in saved)}")
    command = Path(sys.executable).parent / "scalable-webhook"
    say("The local AWS is still running. Try next:")
    say(f'  curl -d \'{{"hello": "world"}}\' {endpoints[0].url.rstrip("/")}/hello')
    say(f"  {_short(command)} logs")
    say(f"  {_short(command)} local down")
    closest = max(outcomes, key=lambda outcome: outcome.peak / outcome.limit)
    ours, kept, ok = act.with_queue, last.with_breaker, act.ok and last.ok and all(outcome.ok for outcome in outcomes)
    everything: tuple[Any, ...] = (*outcomes, ours, kept)
    dead_lettered = act.dead_lettered + kept.dead_lettered + sum(outcome.dead_lettered for outcome in outcomes)
    say(
        f"demo: {'ok' if ok else 'FAILED'}"
        f" accepted={sum(each.report.accepted for each in everything)}"
        f" stored={sum(each.stored for each in everything)}"
        f" lost={sum(each.lost for each in everything)}"
        f" duplicates={ours.duplicates + sum(outcome.duplicates for outcome in outcomes)}"
        f" dead_lettered={dead_lettered}"
        f" peak_concurrency={closest.peak} max_concurrency={closest.limit}"
        f" peak_connections={ours.peak_connections} lost_without_queue={act.without_queue.lost}"
        f" dead_lettered_without_breaker={last.without_breaker.dead_lettered}"
    )
    return 0 if ok else 1


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Deploy the examples to a local AWS, and count the outcome of each webhook."
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        default=EXAMPLES.parent / "build",
        metavar="FOLDER",
        help="the folder of the pictures; default: build",
    )
    parser.add_argument(
        "--webhooks",
        type=int,
        default=WEBHOOKS,
        metavar="COUNT",
        help=f"how many are sent to each ingress, and twice as many into Postgres; default: {WEBHOOKS}",
    )
    parser.add_argument(
        "--stopped",
        type=int,
        default=120,
        metavar="SECONDS",
        help="how long Postgres is stopped; default: 120. The tries of a webhook last up to a minute",
    )
    arguments = parser.parse_args()
    interrupt_on_termination()
    try:
        sys.exit(main(arguments.pictures.resolve(), arguments.webhooks, arguments.stopped))
    except CliError as error:
        sys.exit(f"demo: FAILED {error}")
