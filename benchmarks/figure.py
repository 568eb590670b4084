"""A figure of the benchmarks: a value, its spread over the rounds, and its goal."""

import operator
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeVar

from scalable_webhook_cli.signals import interrupt_on_termination

T = TypeVar("T")

_COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}


@dataclass(frozen=True)
class Figure:
    """One line of the table, and one key of ``build/bench.json``.

    Attributes:
        key: The name, such as ``sink.dynamodb_rate_over_original``.
        value: The median over the rounds.
        low: The minimum of the rounds.
        high: The maximum of the rounds.
        unit: The unit of the value. Default: a ratio.
        goal: The goal of the value, such as ``>= 5``. Default: it is reported only.
        note: A note for the reader. Default: none.
    """

    key: str
    value: float
    low: float
    high: float
    unit: str = ""
    goal: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if not self.goal:
            return None
        sign, _, bound = self.goal.partition(" ")
        return bool(_COMPARISONS[sign](self.value, float(bound)))

    def __str__(self) -> str:
        verdict = {None: "", True: "met", False: "NOT MET"}[self.met]
        parts = [
            f"{self.key:40} {self.value:>8.4g} {self.unit:4}",
            f"({self.low:.4g} to {self.high:.4g})",
            f"{self.goal} {verdict}".strip(),
            self.note,
        ]
        return "  ".join(part for part in parts if part)


def interleaved(sides: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure every side in every round: A B, B A, A B …

    So a disturbance of the machine affects all sides alike, and no side is always the first.

    Args:
        sides: The measurement of each side, by its name.
        rounds: The number of rounds.
    """
    values: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides.items())
        for name, measure in order if number % 2 == 0 else reversed(order):
            values[name].append(measure())
    return values


def figure(key: str, values: Sequence[float], *, unit: str = "", goal: str = "", note: str = "") -> Figure:
    """Return the figure of one side's rounds.

    Args:
        key: Its name.
        values: One for each round.
        unit: Their unit. Default: ratios.
        goal: The goal of the median. Default: none.
        note: A note for the reader. Default: none.
    """
    return Figure(key, median(values), min(values), max(values), unit, goal, note)


def highest(key: str, values: Sequence[float], *, unit: str = "", goal: str, note: str = "") -> Figure:
    """Return a figure of which the highest value counts, and not the median."""
    return replace(figure(key, values, unit=unit, goal=goal, note=note), value=max(values))


def ratio(key: str, over: Sequence[float], under: Sequence[float], *, goal: str = "", note: str = "") -> Figure:
    """Return the figure of one side against another: the median of the ratios of each round.

    Args:
        key: Its name.
        over: One side, a value for each round.
        under: The other, of the same rounds.
        goal: The goal of the median. Default: none.
        note: A note for the reader. Default: none.
    """
    return figure(key, [a / b for a, b in zip(over, under, strict=True)], goal=goal, note=note)


def print_figures(measure: Callable[[], Iterable[Figure]]) -> None:
    """Run the measurement of a single module.

    Args:
        measure: The measurement.
    """
    interrupt_on_termination()
    started = time.perf_counter()
    for each in measure():
        print(each, flush=True)
    print(f"{time.perf_counter() - started:.0f} seconds", file=sys.stderr)
