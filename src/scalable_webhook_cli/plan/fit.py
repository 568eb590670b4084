"""The time of a batch, by the lines that the consumer logs: least squares over ``milliseconds`` + ``each`` x size."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import mean, quantiles
from typing import Any, TypeAlias

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.plan.load import BatchTime

# A longer time between two batches is the time until there was another webhook.
_BETWEEN_MILLISECONDS = 1000.0
_FEWEST_GAPS = 5

# A time, a start (1) or an end (-1), and whether a full batch starts.
_Step: TypeAlias = tuple[int, int, bool]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted time.

    Attributes:
        time: The time of a batch.
        batches: The batches that it rests on.
        left_out: Those in which a webhook failed.
        sizes: The different sizes. With one of them, only the time of a batch of this size is known.
    """

    time: BatchTime
    batches: int
    left_out: int
    sizes: tuple[int, ...]

    def told(self) -> str:
        """Return a sentence for a person."""
        time = self.time
        rests = f"by {self.batches:,} batches of the log"
        if self.left_out:
            rests += f", without {self.left_out:,} that failed"
        between = f", and {time.between:.3g} ms from one to the next" if time.between else ""
        if len(self.sizes) == 1:
            return (
                f"A batch takes {time.milliseconds:.3g} ms{between}, {rests}. All have {self.sizes[0]:,} webhooks, so "
                "another size may take another time."
            )
        return f"A batch takes {time.milliseconds:.3g} ms, and {time.each:.3g} ms a webhook{between}, {rests}."


def batches(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the ``batch`` lines of a log, whatever else is in it."""
    for text in lines:
        for line in text.splitlines():
            try:
                read = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(read, dict) and read.get("message") == "batch" and _is_whole(read):
                yield read


def fit(lines: Iterable[Mapping[str, Any]]) -> Fit:
    """Fit the time to ``batch`` lines.

    Raises:
        CliError: There is none without a failure.
    """
    every = sorted(lines, key=lambda line: (line["started"], line["ended"]))
    good = [line for line in every if not line["failed"]]
    if not good:
        raise CliError(
            f"the consumer's log has no batch without a failure, and {len(every):,} with one; send it webhooks first, "
            "or pass --batch-milliseconds instead of --from-logs"
        )
    sizes = [line["size"] for line in good]
    milliseconds, each = line_through(sizes, [line["ended"] - line["started"] for line in good])
    return Fit(
        # The log has whole milliseconds, so that a fast sink may seem to take none.
        time=BatchTime(milliseconds=max(milliseconds, 0.1), each=each, between=_between(every)),
        batches=len(good),
        left_out=len(every) - len(good),
        sizes=tuple(sorted(set(sizes))),
    )


def line_through(sizes: Sequence[float], times: Sequence[float]) -> tuple[float, float]:
    """Return the intercept and the slope of the line with the least squares, neither of them negative."""
    size, time = mean(sizes), mean(times)
    spread = sum((each - size) ** 2 for each in sizes)
    if spread == 0:
        return time, 0.0
    slope = sum((a - size) * (b - time) for a, b in zip(sizes, times, strict=True)) / spread
    if slope <= 0:
        return time, 0.0
    if time - slope * size >= 0:
        return time - slope * size, slope
    # Through the origin, the best slope is another one.
    return 0.0, sum(a * b for a, b in zip(sizes, times, strict=True)) / sum(each**2 for each in sizes)


def _between(lines: Sequence[Mapping[str, Any]]) -> float:
    """Return the time from a batch to the next one, while as many as ever are in progress.

    Only a full batch shows that there is a backlog. Before another one, the gap is the time until a webhook arrived.
    """
    largest = max(line["size"] for line in lines)
    ends = [(line["ended"], -1, False) for line in lines]
    steps = sorted([*ends, *((line["started"], 1, line["size"] == largest > 1) for line in lines)])
    peak = max(accumulate(change for _, change, _ in steps))
    gaps = [
        float(started - ended)
        for (ended, end, _), (started, start, is_full) in pairwise(_at_peak(steps, peak))
        if end == -1 and start == 1 and is_full and started - ended < _BETWEEN_MILLISECONDS
    ]
    return quantiles(gaps, n=4)[0] if len(gaps) >= _FEWEST_GAPS else 0.0


def _at_peak(steps: Sequence[_Step], peak: int) -> Iterator[_Step]:
    """Yield the ends from the peak, and the starts that lead back to it."""
    running = 0
    for step in steps:
        change = step[1]
        if (change == -1 and running == peak) or (change == 1 and running == peak - 1):
            yield step
        running += change


def _is_whole(line: Mapping[str, Any]) -> bool:
    values = [line.get(name) for name in ("size", "failed", "started", "ended")]
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value >= 0]
    return len(numbers) == 4 and numbers[0] > 0 and numbers[3] >= numbers[2]
