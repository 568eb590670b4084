"""One run: a local AWS, Postgres, an app between them, webhooks, faults, and the count in the end."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.table import Table

from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.observe import ObservedWebhook
from scalable_webhook_cli.terminal import console, progress, say

from . import system as systems
from .client import Client
from .database import SLOW_COMMIT, Database
from .effects import ConsumerLog, Effect, given_up, of_errors
from .plan import INGRESSES, Fault, Ingress, Plan
from .strikes import SQS_PATIENCE, Strikes
from .system import System
from .verdict import DeadLetter, Row, Verdict

APP = Path(__file__).parent / "app"
DRAIN_SECONDS = 600

# The faults in which a consumer waits in vain for a connection of the pooler.
_NO_CONNECTION: tuple[Fault, ...] = ("pool exhausted", "pooler paused")


@dataclass(frozen=True)
class Run:
    """The result of a run.

    ``unreported`` are webhooks whose consumer stored them but could not report it. ``taken_twice`` are messages that
    SQS took twice, since the first response did not arrive.
    """

    plan: Plan
    verdict: Verdict
    effects: list[Effect]
    requests: int
    seconds: float
    sending_seconds: float
    unreported: Mapping[Ingress, int]
    taken_twice: int

    @property
    def without_effect(self) -> list[str]:
        """The faults without an effect."""
        return [effect.fault for effect in self.effects if not effect.ok]

    @property
    def ok(self) -> bool:
        return not self.verdict.problems and not self.without_effect

    def figures(self) -> dict[str, float]:
        """The figures for a machine."""
        figures: dict[str, float] = {
            "ok": self.ok,
            "seed": self.plan.seed,
            "webhooks": len(self.plan.webhooks),
            "requests": self.requests,
            **asdict(self.verdict.total),
            "problems": sum(map(len, self.verdict.problems.values())),
            "stored_unreported": sum(self.unreported.values()),
            "taken_twice": self.taken_twice,
            "seconds": round(self.seconds, 1),
            "sending_seconds": round(self.sending_seconds, 1),
        }
        for ingress, tally in self.verdict.tallies.items():
            figures |= {_key(f"{ingress} {name}"): number for name, number in asdict(tally).items()}
        for effect in self.effects:
            figures[_key(effect.fault)] = effect.times
            figures |= {_key(f"{effect.fault} {name}"): round(value, 1) for name, value in effect.figures.items()}
        return figures


def run(seed: int, webhooks: int) -> Run:
    """Run once, and end every process in any case."""
    started = time.monotonic()
    say(f"faults: seed {seed}, {webhooks} webhooks")
    with systems.running() as system:
        plan = Plan(seed, webhooks, pooler=system.pooler is not None)
        say("deploying faults/app with the CDK CLI")
        urls = {
            each.name.rpartition("/")[2]: each.url for each in deploy(system.emulator, APP, context=system.context())
        }
        observed = {ingress: ObservedWebhook(system.emulator, "Faults", ingress) for ingress in INGRESSES}
        client = Client({ingress: system.url(urls[ingress]) for ingress in INGRESSES}, plan)
        strikes = Strikes(plan, client, system, observed)
        with progress("sending", len(plan.deliveries)) as advance, strikes.running():
            client.run(advance)
        say("waiting until the queues are empty")
        for webhook in observed.values():
            webhook.wait_until_drained(DRAIN_SECONDS)
        dead_letters = [DeadLetter.read(each) for webhook in observed.values() for each in webhook.take_dead_letters()]
        verdict = Verdict(plan, client.accepted, _rows(system.database), dead_letters)
        seconds = time.monotonic() - started
        say("reading the logs")
        logs = {
            ingress: ConsumerLog(list(webhook.invocations("ConsumerLogs"))) for ingress, webhook in observed.items()
        }
        return Run(
            plan,
            verdict,
            list(_effects(plan, client, strikes, system, logs, verdict)),
            requests=client.requests,
            seconds=seconds,
            sending_seconds=client.seconds,
            unreported={ingress: log.stored_unreported() for ingress, log in logs.items()},
            taken_twice=_taken_twice(plan, client, logs),
        )


def _rows(database: Database) -> list[Row]:
    rows = database.query("SELECT id, headers->>'x-number', path, query, payload FROM webhooks")
    return [Row(*row) for row in rows]


def _taken_twice(plan: Plan, client: Client, logs: Mapping[Ingress, ConsumerLog]) -> int:
    numbers = {webhook.id: webhook.number for webhook in plan.webhooks}
    messages = sum((log.messages_of_each() for log in logs.values()), Counter[str]())
    return sum(max(0, count - client.accepted[numbers[id]]) for id, count in messages.items() if id in numbers)


def _effects(
    plan: Plan,
    client: Client,
    strikes: Strikes,
    system: System,
    logs: Mapping[Ingress, ConsumerLog],
    verdict: Verdict,
) -> Iterator[Effect]:
    struck, server_log = strikes.struck, system.database.log()
    failed = {ingress: log.lines("failed") for ingress, log in logs.items()}
    of_all = [line for lines in failed.values() for line in lines]

    def effect(fault: Fault, proof: str, figures: Mapping[str, float]) -> Effect:
        return Effect(fault, struck.times[fault], proof, figures)

    yield effect(
        "consumer killed",
        "batches lost",
        {
            "processes": struck.consumers_killed,
            "batches lost": sum(map(strikes.batches_lost, INGRESSES)),
            "deliveries without a report": sum(log.unreported_deliveries() for log in logs.values()),
        },
    )
    yield effect(
        "publisher killed",
        "answers 502",
        {"processes": struck.publishers_killed, "answers 502": client.rejected[502]},
    )
    yield effect(
        "database killed",
        "recoveries",
        {
            "recoveries": server_log.count("automatic recovery in progress"),
            "webhooks retried": of_errors(failed["Lambda"], "Connection", "BrokenPipe", "SQLSTATE 57"),
        },
    )
    yield effect(
        "connections terminated",
        "connections",
        {"connections": server_log.count("terminating connection due to administrator command")},
    )
    yield effect(
        "disk slow",
        "slow commits",
        {
            "ms a commit before": median(struck.commits_before),
            "ms a commit meanwhile": median(struck.commits_meanwhile),
            "slow commits": sum(each >= SLOW_COMMIT / 1000 for each in struck.commits_meanwhile),
        },
    )
    yield effect(
        "disk hangs",
        "webhooks given up on",
        {"webhooks given up on": given_up(of_all)},
    )
    yield effect(
        "redelivered early",
        "messages at two consumers at once",
        {"messages at two consumers at once": sum(log.two_at_once() for log in logs.values())},
    )
    if system.pooler:
        # Postgres resets a connection when it ends, and never rejects it.
        retried = of_errors(failed["Direct"], "ConnectionRefusedError")
        yield effect("pooler killed", "webhooks retried", {"webhooks retried": retried})
        for fault in _NO_CONNECTION:
            yield effect(fault, "batches rejected", {"batches rejected": struck.rejected[fault]})
    yield effect(
        "SQS slow",
        "answers after the timeout",
        {
            "answers late": len(system.sqs.delays),
            "answers after the timeout": sum(delay > SQS_PATIENCE for delay in system.sqs.delays),
            "tries without an answer in time": client.unanswered["ReadTimeout"],
            "batches not postponed": sum(len(log.lines("not postponed")) for log in logs.values()),
            "dead-letter messages not taken": sum("dead_letter_queue_error" in line for line in of_all),
        },
    )
    yield effect(
        "SQS rejects",
        # API Gateway's own response, with nothing between it and SQS.
        "answers 500",
        {
            "calls rejected": system.sqs.rejected,
            "answers 500": client.rejected[500],
            "answers 503": client.rejected[503],
        },
    )
    yield effect("providers cut off", "acceptances lost", {"acceptances lost": system.providers.cut})
    twice = sum(count > 1 for count in client.accepted.values())
    yield Effect("sent twice", len(plan.twice), "accepted twice", {"accepted twice": twice})
    dead = verdict.total.dead_lettered
    yield Effect("poison", len(plan.poison), "dead-lettered", {"dead-lettered": dead})


def show(outcome: Run) -> None:
    """Print both tables and the problems."""
    tallies = outcome.verdict.tallies
    by = "by PgBouncer" if "pooler" in outcome.plan.lanes else "into Postgres"
    table = Table("", title=f"{len(outcome.plan.webhooks)} webhooks, seed {outcome.plan.seed}")
    for column in ("Lambda\ninto Postgres", f"direct\n{by}", "both"):
        table.add_column(column, justify="right")

    def row(name: str, numbers: Iterable[int], style: str = "") -> None:
        each = list(numbers)
        table.add_row(name, *map(str, [*each, sum(each)]), style=style)

    row("accepted", (tally.accepted for tally in tallies.values()))
    row("stored once", (tally.stored - tally.stored_twice for tally in tallies.values()))
    row("… by a consumer that could not report it", (outcome.unreported[ingress] for ingress in tallies))
    row("in the dead-letter queue, with the reason", (tally.dead_lettered for tally in tallies.values()))
    row("… number of messages", (tally.messages for tally in tallies.values()))
    row("not accepted, but stored or dead-lettered", (tally.unaccepted for tally in tallies.values()))
    row("lost", (tally.lost for tally in tallies.values()), "bold")
    row("stored twice", (tally.stored_twice for tally in tallies.values()), "bold")
    console.print(table)
    faults = Table("fault", "struck", "effect", title="what happened meanwhile")
    for effect in outcome.effects:
        figures = ", ".join(f"{value:.4g} {name}" for name, value in effect.figures.items())
        faults.add_row(effect.fault, str(effect.times), figures)
    console.print(faults)
    for reason, count in sorted(outcome.verdict.reasons.items()):
        say(f"dead-lettered: {count} x {reason}")
    say(f"{outcome.requests} requests; SQS got {outcome.taken_twice} messages twice")
    say(f"{outcome.seconds:.0f} seconds, of which sending {outcome.sending_seconds:.0f}")
    for problem, ids in outcome.verdict.problems.items():
        say(f"{problem}: {', '.join(ids)}")
    if outcome.without_effect:
        say(f"without effect: {', '.join(outcome.without_effect)}")


def write(outcome: Run, path: Path) -> None:
    """Write the figures for a machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(outcome.figures(), indent=2) + "\n")


def _key(words: str) -> str:
    return words.lower().replace(" ", "_").replace("-", "_")
