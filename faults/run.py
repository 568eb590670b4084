"""One run: the local AWS, Postgres, the app between them; webhooks, faults, and in the end the count."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import database as databases
from database import SLOW_COMMIT, Database
from effects import ConsumerLog, Effect, of_errors
from late_link import LateLink
from plan import Plan
from rich.markup import escape
from rich.table import Table
from sender import Sender
from strikes import SQS_PATIENCE, Strikes
from verdict import Letter, Row, Verdict

from cdk_scalable_webhook.local import emulator as emulators
from cdk_scalable_webhook.local.commands import console, progress, say
from cdk_scalable_webhook.local.deploy import deploy
from cdk_scalable_webhook.local.emulator import Emulator
from cdk_scalable_webhook.local.observe import ObservedWebhook
from webhook_runtime.sinks.table import create_table

APP = Path(__file__).parent / "app"
DRAIN_SECONDS = 600


@dataclass(frozen=True)
class Run:
    """What a run came to. ``untold`` are webhooks that were stored by a consumer that could not say so any more."""

    plan: Plan
    verdict: Verdict
    effects: list[Effect]
    requests: int
    seconds: float
    sending_seconds: float
    untold: int

    @property
    def without_effect(self) -> list[str]:
        """The faults that did nothing."""
        return [effect.fault for effect in self.effects if not effect.ok]

    @property
    def ok(self) -> bool:
        return not self.verdict.problems and not self.without_effect

    def figures(self) -> dict[str, float]:
        """For a machine."""
        verdict = self.verdict
        figures: dict[str, float] = {
            "ok": self.ok,
            "seed": self.plan.seed,
            "webhooks": len(self.plan.webhooks),
            "requests": self.requests,
            "accepted": verdict.accepted,
            "stored": verdict.stored,
            "dead_lettered": verdict.dead_lettered,
            "letters": verdict.letters,
            "lost": verdict.lost,
            "stored_twice": verdict.stored_twice,
            "problems": sum(map(len, verdict.problems.values())),
            "unaccepted_but_there": verdict.unaccepted,
            "stored_untold": self.untold,
            "seconds": round(self.seconds, 1),
            "sending_seconds": round(self.sending_seconds, 1),
        }
        for effect in self.effects:
            figures[_key(effect.fault)] = effect.times
            figures |= {_key(f"{effect.fault} {name}"): round(value, 1) for name, value in effect.figures.items()}
        return figures


def run(seed: int, webhooks: int) -> Run:
    """Everything that was started ends with it, however it ends."""
    started = time.monotonic()
    plan = Plan(seed, webhooks)
    say(f"faults: seed {seed}, {webhooks} webhooks")
    with _world() as (emulator, database, link):
        say("deploying faults/app with the CDK CLI")
        (deployed,) = deploy(emulator, APP, context=[*database.context(), f"sqs=http://127.0.0.1:{link.port}"])
        webhook = ObservedWebhook(emulator, *deployed.name.split("/"))
        sender = Sender(deployed.url, plan)
        strikes = Strikes(plan, sender, emulator, webhook, database, link)
        with progress("sending", len(plan.deliveries)) as advance, strikes.under_way():
            sender.run(advance)
        say("waiting until the queue is empty")
        webhook.wait_until_drained(DRAIN_SECONDS)
        verdict = Verdict(plan, sender.accepted, _rows(database), map(Letter.read, webhook.take_dead_letters()))
        seconds = time.monotonic() - started
        say("reading the records of those whom the faults struck")
        log = ConsumerLog(list(webhook.invocations("ConsumerLogs")))
        effects = _effects(plan, sender, strikes, database, link, log, verdict)
        return Run(plan, verdict, effects, sender.requests, seconds, sender.seconds, log.stored_untold())


@contextmanager
def _world() -> Iterator[tuple[Emulator, Database, LateLink]]:
    with ExitStack() as stack:
        say("starting a local AWS and a Postgres")
        emulator = stack.enter_context(emulators.running())
        database = stack.enter_context(databases.running())
        database.create_table(create_table("postgres", "webhooks"))
        port = urlsplit(emulator.endpoint).port
        assert port
        yield emulator, database, stack.enter_context(closing(LateLink(port)))


def _rows(database: Database) -> list[Row]:
    rows = database.query("SELECT id, headers->>'x-number', path, query, payload FROM webhooks")
    return [Row(*row) for row in rows]


def _effects(
    plan: Plan,
    sender: Sender,
    strikes: Strikes,
    database: Database,
    link: LateLink,
    log: ConsumerLog,
    verdict: Verdict,
) -> list[Effect]:
    struck, failed, server_log = strikes.struck, log.lines("failed"), database.log()
    ids = {webhook.id: webhook.number for webhook in plan.webhooks}
    extra = sum(max(0, count - sender.accepted[ids[id]]) for id, count in log.messages_of_each().items() if id in ids)
    refused_burials = sum("dead_letter_queue_error" in line for line in failed)
    return [
        Effect(
            "consumer killed",
            struck.times["consumer killed"],
            "batches lost",
            {
                "processes": struck.consumers_killed,
                "batches lost": strikes.batches_lost(),
                "deliveries that nobody reported on": log.came_back_untold(),
            },
        ),
        Effect(
            "publisher killed",
            struck.times["publisher killed"],
            "answers 502",
            {"processes": struck.publishers_killed, "answers 502": sender.refused[502]},
        ),
        Effect(
            "database killed",
            struck.times["database killed"],
            "recoveries",
            {
                "recoveries": server_log.count("automatic recovery in progress"),
                "webhooks sent back": of_errors(failed, "Connection", "BrokenPipe", "SQLSTATE 57"),
            },
        ),
        Effect(
            "connections terminated",
            struck.times["connections terminated"],
            "connections",
            {"connections": server_log.count("terminating connection due to administrator command")},
        ),
        Effect(
            "disk slow",
            struck.times["disk slow"],
            "slow commits",
            {
                "ms a commit before": median(struck.commits_before),
                "ms a commit meanwhile": median(struck.commits_meanwhile),
                "slow commits": sum(each >= SLOW_COMMIT / 1000 for each in struck.commits_meanwhile),
            },
        ),
        Effect(
            "disk hangs",
            struck.times["disk hangs"],
            "webhooks given up on",
            {"webhooks given up on": of_errors(failed, "TimeoutError", "SQLSTATE 57014")},
        ),
        Effect(
            "redelivered early",
            struck.times["redelivered early"],
            "messages at two consumers at once",
            {"messages at two consumers at once": log.two_at_once()},
        ),
        Effect(
            "SQS slow",
            struck.times["SQS slow"],
            "answers nobody waited for",
            {
                "answers late": len(link.delays),
                "answers nobody waited for": sum(delay > SQS_PATIENCE for delay in link.delays),
                "answers 503": sender.refused[503],
                "tries without an answer": sum(sender.unanswered.values()),
                "messages that SQS had taken all the same": extra,
                "batches not postponed": len(log.lines("not postponed")),
                "dead letters not taken": refused_burials,
            },
        ),
        Effect(
            "sent twice",
            len(plan.twice),
            "accepted twice",
            {"accepted twice": sum(count > 1 for count in sender.accepted.values())},
        ),
        Effect("poison", len(plan.poison), "dead-lettered", {"dead-lettered": verdict.dead_lettered}),
    ]


def show(outcome: Run) -> None:
    """Both tables, and what is wrong."""
    verdict = outcome.verdict
    table = Table("", "", title=f"{len(outcome.plan.webhooks)} webhooks, seed {outcome.plan.seed}")
    for name, cell in {
        "requests": outcome.requests,
        "accepted": verdict.accepted,
        "stored once": verdict.stored - verdict.stored_twice,
        "… by a consumer that could not say so any more": outcome.untold,
        "in the dead-letter queue, with the reason": _lines(verdict.reasons),
        "… in so many messages": verdict.letters,
        "not accepted, and there all the same": verdict.unaccepted,
        "lost": f"[bold]{verdict.lost}[/bold]",
        "stored twice": f"[bold]{verdict.stored_twice}[/bold]",
        "seconds": f"{outcome.seconds:.0f}, of which sending {outcome.sending_seconds:.0f}",
    }.items():
        table.add_row(name, str(cell))
    console.print(table)
    faults = Table("fault", "struck", "effect", title="what happened meanwhile")
    for effect in outcome.effects:
        figures = ", ".join(f"{value:.4g} {name}" for name, value in effect.figures.items())
        faults.add_row(effect.fault, str(effect.times), figures)
    console.print(faults)
    for problem, ids in verdict.problems.items():
        say(f"{problem}: {', '.join(ids)}")
    if outcome.without_effect:
        say(f"without effect: {', '.join(outcome.without_effect)}")


def _lines(counts: Counter[str]) -> str:
    return escape("\n".join(f"{count} x {what}" for what, count in sorted(counts.items()))) or "0"


def write(outcome: Run, path: Path) -> None:
    """The figures, for a machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(outcome.figures(), indent=2) + "\n")


def _key(words: str) -> str:
    return words.lower().replace(" ", "_").replace("-", "_")
