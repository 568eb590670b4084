"""`make bench`: ours next to the alternatives, on one local AWS, in one run.

It prints a table and writes ``build/bench.json``, which is flat: the value of each key, and ``key.low`` and
``key.high``, the minimum and maximum of the rounds. The goals that hold on any machine decide the exit status. Goals of
time are shown only.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

import breaker
import cold
import cpu
import endpoints
import planner
import protection
import sinks
import synths
import throttle
from figure import Figure
from scalable_webhook_cli.local.emulator import running
from scalable_webhook_cli.signals import interrupt_on_termination

BESIDE = (
    "The local AWS does not model that an event source mapping fetches more than a small reserved concurrency lets "
    "through, which sends valid messages of the original pattern to a dead-letter queue: it looks better here than it "
    "is. Nothing was measured on AWS. What is behind each figure: benchmarks/README.md."
)
OUTPUT = Path(__file__).parents[1] / "build" / "bench.json"
# The goals that hold on any machine. The others are times.
HOLDS_ANYWHERE = (
    *("protection.lost", "protection.lost_without", "protection.peak_connections_over_limit"),
    *("sizing.documented_rows_exceeded", "sizing.postgres_usable_error", "rate.peak_over_limit"),
    *("adaptive.throughput_over_knee", "adaptive.p95_over_unloaded"),
    *("one.overlaps", "order.violations", "order.other_groups_held"),
    *("breaker.dead_letters", "breaker.dead_letters_without", "breaker.connections_per_minute_while_down"),
    *("breaker.first_stored_seconds_beyond_wait", "breaker.receives_over_max"),
)


def figures(rounds: int) -> Iterator[Figure]:
    """Yield all figures, in the order of the table."""
    # The local AWS ends before the processes are timed.
    with running() as emulator:
        yield from endpoints.measure(emulator, rounds)
        yield from protection.measure(emulator, rounds)
        yield from throttle.measure(emulator, rounds)
        yield from planner.measure(emulator, rounds)
        if rounds > 1:  # an outage takes seven minutes
            yield from breaker.measure(emulator)
    yield from synths.measure(rounds)
    for module in (sinks, cold, cpu):
        yield from module.measure(rounds)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured (default: 5)")
    rounds = parser.parse_args().rounds
    interrupt_on_termination()
    console, began = Console(), time.monotonic()
    found = []
    with console.status("measuring") as status:
        for each in figures(rounds):
            found.append(each)
            status.update(f"measuring: {len(found)} figures by now, the last {each.key}")
    console.print(_table(found, rounds))
    for each in found:
        if each.note:
            console.print(f"[bold]{each.key}[/bold]: {each.note}", highlight=False)
    console.print(BESIDE)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(_flat(found), indent=2) + "\n")
    console.print(f"{time.monotonic() - began:.0f} seconds; written to {OUTPUT.relative_to(Path.cwd())}")
    if broken := [each.key for each in found if each.key in HOLDS_ANYWHERE and not each.met]:
        sys.exit(f"bench: broken: {', '.join(broken)}")


def _table(found: list[Figure], rounds: int) -> Table:
    """Return a table with a section for each prefix of a key, so that it fits 80 columns."""
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    title = f"Median of {rounds}, and their spread ({where})"
    table = Table(title=title, title_justify="left", box=box.HORIZONTALS, padding=(0, 1, 0, 0))
    table.add_column("")
    for heading in ("median", "spread", "goal"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("met")
    for section, figures in groupby(found, lambda each: each.key.partition(".")[0]):
        table.add_row(f"[bold]{section}[/bold]")
        for each in figures:
            met = {None: "", True: "[green]yes[/green]", False: "[red]no[/red]"}[each.met]
            spread = f"{each.low:.4g} to {each.high:.4g}" if each.low != each.high else ""
            name = each.key.partition(".")[2]
            table.add_row(f"  {name}", f"{each.value:.4g} {each.unit}".strip(), spread, each.goal, met)
    return table


def _flat(found: list[Figure]) -> dict[str, float]:
    return {
        name: value
        for each in found
        for name, value in {each.key: each.value, f"{each.key}.low": each.low, f"{each.key}.high": each.high}.items()
    }


if __name__ == "__main__":
    main()
