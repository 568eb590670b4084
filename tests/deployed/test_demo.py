"""`make demo` as a newcomer runs it, and the conditions under which it fails."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import demo
import demo_outage
import demo_postgres
import pytest

from scalable_webhook_cli.burst import Report
from scalable_webhook_cli.local import emulator as emulators

# Limits for pictures in a README that is read on a phone.
PICTURE_BYTES = 100_000  # no measurement takes more: tests/cli/test_pictures.py
DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    emulators.down(tmp_path)


@pytest.mark.slow(130)
def test_the_demo_succeeds_and_prints_its_measurements(home: Path) -> None:
    environment = {**os.environ, "SCALABLE_WEBHOOK_HOME": str(home), "COLUMNS": "200"}
    folder = home / "pictures"
    run = subprocess.run(
        [sys.executable, str(DEMO), "--pictures", str(folder), "--webhooks", "100", "--stopped", "45"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert re.fullmatch(
        r"demo: ok accepted=1170 stored=1148 lost=0 duplicates=0 dead_lettered=2 "
        r"peak_concurrency=[1-4] max_concurrency=[24] peak_connections=[1-5] lost_without_queue=[1-9]\d* "
        r"dead_lettered_without_breaker=[1-9]\d*",
        lines[-1],
    )
    assert sorted(path.name for path in folder.iterdir()) == ["demo.svg", "outage.svg", "protection.svg"]
    for name in ("outage", "protection"):
        assert (folder / f"{name}.svg").stat().st_size < PICTURE_BYTES
    demo_svg = (folder / "demo.svg").read_text()
    assert "in&#160;the&#160;dead-letter&#160;queue" in demo_svg
    assert "too&#160;many&#160;connections" in demo_svg
    assert len(demo_svg) < PICTURE_BYTES
    # The next command works as it is printed.
    curl = next(line for line in lines if line.startswith("  curl "))
    answer = subprocess.run(["sh", "-c", f"{curl} --silent"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r'\{"id":"[\w=-]{16}"\}', answer.stdout)


def outcome(**differences: Any) -> Any:
    good = demo.Outcome(
        ingress="an ingress",
        report=Report(sent=2, accepted_ids=["a", "b"]),
        delivered=2,
        stored=2,
        lost=0,
        duplicates=0,
        dead_lettered=0,
        peak=2,
        limit=2,
    )
    return replace(good, **differences)


@pytest.mark.parametrize(
    ("differences", "ok"),
    [
        ({}, True),
        ({"lost": 1}, False),
        ({"duplicates": 1}, False),
        ({"peak": 3}, False),
        ({"peak": 0}, False),
        ({"report": Report(sent=3, accepted_ids=["a", "b"])}, False),
    ],
)
def test_a_lost_duplicate_or_rejected_webhook_or_an_overrun_fails_the_demo(
    differences: dict[str, Any], ok: bool
) -> None:
    assert outcome(**differences).ok is ok


def act(**differences: Any) -> Any:
    side = demo_postgres.Side(
        Report(sent=2, accepted_ids=["a", "b"]),
        stored=2,
        duplicates=0,
        turned_away=0,
        connections=[(0.0, 1), (1.0, 5)],
        functions=[(0.0, 5)],
        backlog=[(0.0, 2)],
    )
    without = replace(side, stored=1)
    return demo_postgres.Act(without, replace(side, **differences), limit=5, dead_lettered=0)


@pytest.mark.parametrize(
    ("differences", "ok"),
    [
        ({}, True),
        ({"stored": 1}, False),
        ({"duplicates": 1}, False),
        ({"connections": [(0.0, 6), (1.0, 5)]}, False),
        ({"connections": []}, False),
    ],
)
def test_the_second_act_fails_if_our_side_loses_or_overruns(differences: dict[str, Any], ok: bool) -> None:
    assert act(**differences).ok is ok
    assert replace(act(), dead_lettered=1).ok is False
    assert replace(act(), without_queue=replace(act().without_queue, stored=0)).ok is False


def outage_act(*, without: dict[str, Any] | None = None, **differences: Any) -> Any:
    with_breaker = demo_outage.Side(
        Report(sent=3, accepted_ids=["a", "b", "c"]),
        stored=3,
        dead_lettered=0,
        batches=6,
        in_table=[(0.0, 1), (9.0, 3)],
        in_queue=[(1.0, 2), (9.0, 0)],
        in_dead_letter_queue=[(0.0, 0)],
        paused=[(0.0, 0), (2.0, 1), (8.0, 0)],
    )
    without_breaker = replace(
        with_breaker, **{"stored": 1, "dead_lettered": 2, "paused": [(0.0, 0)], **(without or {})}
    )
    return demo_outage.Act(without_breaker, replace(with_breaker, **differences), demo_outage.Outage(1.0, 5.0))


@pytest.mark.parametrize(
    ("act", "ok"),
    [
        (outage_act(), True),
        (outage_act(stored=2), False),
        (outage_act(stored=2, dead_lettered=1), False),
        (outage_act(paused=[(0.0, 0)]), False),
        (outage_act(report=Report(sent=4, accepted_ids=["a", "b", "c"]), stored=4), False),
        (outage_act(without={"stored": 3, "dead_lettered": 0}), False),
        (outage_act(without={"stored": 0}), False),
    ],
)
def test_the_third_act_fails_unless_the_circuit_breaker_makes_the_difference(act: demo_outage.Act, ok: bool) -> None:
    assert act.ok is ok


def test_a_pause_ends_when_it_is_resumed_or_not_measured_any_more() -> None:
    side = outage_act().with_breaker
    assert side.pauses == [(2.0, 8.0)]
    assert replace(side, paused=[(0.0, 1), (1.0, 0), (2.0, 1), (3.0, 1)]).pauses == [(0.0, 1.0), (2.0, 3.0)]
    assert replace(side, paused=[]).pauses == []


def test_the_first_webhook_after_an_outage_is_one_more_row_than_at_its_end() -> None:
    side = replace(outage_act().with_breaker, in_table=[(0.0, 1), (4.9, 1), (5.1, 2), (5.6, 2), (9.0, 3)])
    assert side.first_stored_after(5.0) == 4.0
    assert side.first_stored_after(9.0) is None
