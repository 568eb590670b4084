"""`make faults` in its short form, and the conditions under which it fails."""

import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

import pg8000.native
import pytest
from postgres_server import DATABASE, USER

from scalable_webhook_cli.processes import processes_in

from ..faults.database import Database
from ..faults.effects import ConsumerLog, Effect
from ..faults.plan import INGRESSES, POISONS, Fault, Plan
from ..faults.run import Run, run, show
from ..faults.verdict import DeadLetter, Row, Tally, Verdict
from ..faults.weak_link import NEVER, WeakLink
from ..suite.patience import SECONDS

# Every fault strikes at least once. FAULTS_SEED=… repeats a run of `make faults`.
SEED, WEBHOOKS = int(os.environ.get("FAULTS_SEED", "1")), 600


@pytest.mark.slow(75)
def test_during_all_faults_each_webhook_is_stored_once_or_dead_lettered_with_its_reason() -> None:
    outcome = run(SEED, WEBHOOKS)
    show(outcome)
    assert dict(outcome.verdict.problems) == {}
    assert outcome.without_effect == []
    assert outcome.verdict.total.dead_lettered == len(outcome.plan.poison)
    for ingress, tally in outcome.verdict.tallies.items():
        assert tally.accepted > 0.9 * sum(webhook.ingress == ingress for webhook in outcome.plan.webhooks)
        assert tally.stored + tally.dead_lettered == tally.accepted + tally.unaccepted
    assert outcome.figures()["ok"] is True


@pytest.mark.slow(10)
def test_ctrl_c_in_the_middle_of_the_faults_leaves_no_process() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.faults", "--seed", str(SEED), "--webhooks", str(WEBHOOKS)],
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert run.stdout
        said = list(takewhile(lambda line: "killed" not in line, run.stdout))
        assert len(processes_in(Path(folder))) > 5, said
        run.send_signal(signal.SIGINT)
        run.communicate()
        assert run.returncode != 0
        assert processes_in(Path(folder)) == []


SMALL = Plan(7, 400)
GOOD = next(webhook for webhook in SMALL.webhooks if not webhook.poison)
BAD = next(webhook for webhook in SMALL.webhooks if webhook.poison)
EVERYONE = Counter({webhook.number: 1 for webhook in SMALL.webhooks})


def row(**differences: Any) -> Row:
    return replace(Row(GOOD.id, str(GOOD.number), GOOD.path, GOOD.query, GOOD.body), **differences)


def dead_letter(**differences: Any) -> DeadLetter:
    good = DeadLetter(BAD.id, str(BAD.number), BAD.body, f"SQLSTATE {POISONS[BAD.poison or '']}", "rejected")
    return replace(good, **differences)


def all_but(*absent: int) -> tuple[list[Row], list[DeadLetter]]:
    """Return the expected rows and messages, without these webhooks."""
    present = [webhook for webhook in SMALL.webhooks if webhook.number not in absent]
    rows = [Row(w.id, str(w.number), w.path, w.query, w.body) for w in present if not w.poison]
    dead_letters = [
        DeadLetter(w.id, str(w.number), w.body, f"SQLSTATE {POISONS[w.poison]}", "rejected")
        for w in present
        if w.poison
    ]
    return rows, dead_letters


def judged(rows: list[Row], dead_letters: list[DeadLetter], accepted: Counter[int] = EVERYONE) -> dict[str, list[str]]:
    others, other_dead_letters = all_but(GOOD.number, BAD.number)
    return dict(Verdict(SMALL, accepted, [*others, *rows], [*other_dead_letters, *dead_letters]).problems)


def test_the_expected_outcomes_are_no_problem_and_are_counted() -> None:
    verdict = Verdict(SMALL, EVERYONE, *all_but())
    assert dict(verdict.problems) == {}
    poison = len(SMALL.poison)
    assert verdict.total == Tally(accepted=400, stored=400 - poison, dead_lettered=poison, messages=poison)
    assert sum(verdict.reasons.values()) == poison
    for ingress in INGRESSES:
        assert verdict.tallies[ingress].accepted == sum(webhook.ingress == ingress for webhook in SMALL.webhooks)


def test_lost_and_duplicate_webhooks_are_counted_at_their_ingress() -> None:
    others, dead_letters = all_but(GOOD.number, BAD.number)
    assert Verdict(SMALL, EVERYONE, [*others, row(), row()], dead_letters).tallies[GOOD.ingress].stored_twice == 1
    assert Verdict(SMALL, EVERYONE, [*others, row(), row()], dead_letters).tallies[BAD.ingress].lost == 1


@pytest.mark.parametrize(
    ("rows", "dead_letters", "problem", "id"),
    [
        ([], [dead_letter()], "lost", GOOD.id),
        ([row()], [], "lost", BAD.id),
        ([row(), row()], [dead_letter()], "stored twice", GOOD.id),
        ([row(), row(id="by another id")], [dead_letter()], "stored twice", GOOD.id),
        ([row(body=b"another")], [dead_letter()], "stored otherwise than it was sent", GOOD.id),
        ([row(path="/")], [dead_letter()], "stored otherwise than it was sent", GOOD.id),
        ([row(), row(number="400", id="x")], [dead_letter()], "never sent", "x"),
        ([row(), row(number=None, id="x")], [dead_letter()], "never sent", "x"),
        ([row()], [dead_letter(), dead_letter(number="-1", id="x")], "never sent", "x"),
        ([row(), row(number=str(BAD.number))], [dead_letter()], "poison, and stored", BAD.id),
        ([row()], [dead_letter(reason="")], "in the dead-letter queue without a reason", BAD.id),
        ([row()], [dead_letter(error="")], "in the dead-letter queue without a reason", BAD.id),
        ([row()], [dead_letter(body=b"another")], "in the dead-letter queue with another payload", BAD.id),
        ([row()], [dead_letter(error="T")], "in the dead-letter queue for another reason than its poison", BAD.id),
        (
            [row()],
            [dead_letter(), dead_letter(number=str(GOOD.number), body=GOOD.body)],
            "stored and in the dead-letter queue",
            GOOD.id,
        ),
    ],
)
def test_lost_duplicate_altered_foreign_and_unexplained_webhooks_are_named(
    rows: list[Row], dead_letters: list[DeadLetter], problem: str, id: str
) -> None:
    assert judged(rows, dead_letters)[problem] == [id]


def test_a_webhook_that_was_never_accepted_may_be_there_or_not_but_not_twice() -> None:
    accepted = EVERYONE - Counter({GOOD.number: 1})
    assert judged([], [dead_letter()], accepted) == {}
    assert judged([row()], [dead_letter()], accepted) == {}
    assert "stored twice" in judged([row(), row()], [dead_letter()], accepted)


def test_a_good_webhook_may_be_dead_lettered_with_a_reason_and_poison_more_than_once() -> None:
    other = dead_letter(number=str(GOOD.number), body=GOOD.body, error="SinkDown", reason="at the last try")
    assert judged([], [dead_letter(), dead_letter(), other]) == {}


def test_a_dead_letter_is_parsed_as_it_was_sent() -> None:
    def message(body: str, webhook: str, **more: str) -> dict[str, Any]:
        attributes = {"webhook": webhook, **more}
        return {"Body": body, "MessageAttributes": {name: {"StringValue": text} for name, text in attributes.items()}}

    text = message("Zoë", "v=1&encoding=text&id=7-1&h.X-Number=1", error="E", reason="R")
    assert DeadLetter.read(text) == DeadLetter("7-1", "1", "Zoë".encode(), "E", "R")
    assert DeadLetter.read(message("AAE=", "encoding=base64&id=7-2&h.x-number=2")) == DeadLetter(
        "7-2", "2", b"\0\1", "", ""
    )
    assert DeadLetter.read(message("-", "encoding=empty&id=7-3")) == DeadLetter("7-3", None, b"", "", "")


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    one, again, other = Plan(1, 300), Plan(1, 300), Plan(2, 300)
    for part in ("webhooks", "deliveries", "lanes"):
        assert getattr(one, part) == getattr(again, part)
        assert getattr(one, part) != getattr(other, part)


@pytest.mark.parametrize("webhooks", [WEBHOOKS, 10_000])
def test_a_plan_has_every_fault_poison_and_duplicates(webhooks: int) -> None:
    plan = Plan(SEED, webhooks)
    faults = {strike.fault for lane in plan.lanes.values() for strike in lane}
    assert faults == set(get_args(Fault))
    assert {webhook.ingress for webhook in plan.webhooks} == set(INGRESSES)
    assert all(0 <= strike.at < webhooks for lane in plan.lanes.values() for strike in lane)
    assert set(plan.poison.values()) == set(POISONS)
    assert len(plan.poison) == webhooks // 100
    assert len(plan.deliveries) == webhooks + len(plan.twice)
    assert len({webhook.body for webhook in plan.webhooks}) > webhooks * 0.9


def test_without_a_pooler_a_plan_lacks_only_the_faults_of_the_pooler() -> None:
    plan, other = Plan(SEED, WEBHOOKS), Plan(SEED, WEBHOOKS, pooler=False)
    assert other.webhooks == plan.webhooks
    assert other.lanes == {name: strikes for name, strikes in plan.lanes.items() if name != "pooler"}


def invocation(started: int, ended: int | None, *lines: tuple[str, str, int]) -> list[dict[str, Any]]:
    said = [{"message": m, "id": id, "message_id": f"m{id}", "attempt": attempt} for m, id, attempt in lines]
    return said + ([{"message": "batch", "started": started, "ended": ended}] if ended else [])


def test_the_consumers_log_shows_the_effects_of_faults() -> None:
    log = ConsumerLog(
        [
            invocation(0, 10, ("stored", "a", 1), ("failed", "b", 1)),
            invocation(
                20, 30, ("duplicate", "b", 3)
            ),  # the second try has no outcome, and no line says that it stored it
            invocation(40, 90, ("stored", "c", 1)),
            invocation(50, 60, ("duplicate", "c", 2), ("stored", "d", 1)),  # while the other consumer still had it
            invocation(60, None, ("stored", "e", 1)),
        ]
    )
    assert log.unreported_deliveries() == 1
    assert log.stored_unreported() == 1
    assert log.two_at_once() == 1
    assert log.messages_of_each() == Counter("abcde")
    assert len(log.lines("stored", attempt=1)) == 4


@pytest.mark.parametrize(("times", "figure", "ok"), [(1, 1, True), (0, 1, False), (1, 0, False)])
def test_a_fault_that_never_struck_or_had_no_effect_fails_the_run(times: int, figure: int, ok: bool) -> None:
    verdict = Verdict(SMALL, EVERYONE, *all_but())
    effects = [Effect("disk slow", times, "commits", {"commits": figure})]
    outcome = Run(SMALL, verdict, effects, requests=400, seconds=1, sending_seconds=1, unreported={}, taken_twice=0)
    assert outcome.ok is ok
    assert outcome.figures()["disk_slow_commits"] == figure
    assert outcome.figures()["lambda_accepted"] == verdict.tallies["Lambda"].accepted
    assert replace(outcome, verdict=Verdict(SMALL, EVERYONE, [], [])).ok is False


def test_a_database_that_hangs_always_meets_a_statement(tmp_path: Path) -> None:
    database, over = Database(tmp_path), threading.Event()
    asked = answered = 0

    def ask() -> None:
        nonlocal asked, answered
        wire = socket.create_connection(("127.0.0.1", database.port))
        sink = pg8000.native.Connection(USER, database=DATABASE, password=database.password, sock=wire)
        while not over.wait(0.02):
            asked += 1
            sink.run("SELECT pg_sleep(0.02)")
            answered += 1

    asking = threading.Thread(target=ask)
    try:
        asking.start()
        for _ in range(10):
            with database.hung(SECONDS, over.wait):
                met = asked
                assert not over.wait(0.05)
                assert answered == met - 1
    finally:
        over.set()
        asking.join()
        database.kill()


@contextmanager
def weak_link() -> Iterator[WeakLink]:
    """Yield a link to a server that echoes."""

    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(1000):
                self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        link = WeakLink(server.server_address[1])
        try:
            yield link
        finally:
            link.close()
            server.shutdown()
            serving.join()


def asked(link: WeakLink, *questions: bytes) -> list[bytes]:
    """Return the responses. A lost one is empty, and so are all after it."""
    answers: list[bytes] = []
    with socket.create_connection(("127.0.0.1", link.port), 10) as client:
        for question in questions:
            try:
                client.sendall(question)
                answers.append(client.recv(1000))
            except ConnectionError:
                answers.append(b"")
    return answers


def test_a_weak_link_holds_each_answer_back_and_changes_nothing() -> None:
    with weak_link() as link:
        with link.holding_back(lambda answer: {b"one": 0.01, b"two": 0}.get(answer, 0.02)):
            assert asked(link, b"one", b"two", b"\0\xff") == [b"one", b"two", b"\0\xff"]
        assert asked(link, b"one") == [b"one"]
        assert (link.delays, link.rejected, link.cut) == ([0.01, 0.02], 0, 0)


def test_a_weak_link_ends_the_connection_instead_of_an_answer() -> None:
    with weak_link() as link:
        with link.holding_back(lambda answer: NEVER if answer == b"two" else 0):
            assert asked(link, b"one", b"two", b"three") == [b"one", b"", b""]
        assert asked(link, b"two") == [b"two"]
        assert (link.delays, link.rejected, link.cut) == ([], 0, 1)


@pytest.mark.parametrize("rejection", [b"no", b""])
def test_a_weak_link_answers_instead_of_the_server_and_hangs_up(rejection: bytes) -> None:
    with weak_link() as link:
        with link.rejecting(iter([None, rejection]).__next__):
            assert asked(link, b"one", b"two", b"three") == [b"one", rejection, b""]
        assert asked(link, b"two") == [b"two"]
        assert (link.delays, link.rejected, link.cut) == ([], 1, 0)
