"""Pictures of the demo's measurements, of the load of the database over time, of an outage of it, and of a terminal.

They are SVG and load nothing from the network, so they look the same everywhere. The same samples make the same file.
matplotlib is loaded only to draw, and opens no window.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.observe import Point

if TYPE_CHECKING:
    import demo_outage
    from demo_postgres import Side
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The columns of a new terminal, so that a picture of one fits, also on a phone.
COLUMNS = 80
# The width of a README, 830 pixels, in inches of 72 points.
_WIDTH, _HEIGHT, _FLAT = 8.64, 7.0, 4.4
_STEPS = 160
# The seconds that are shown after the last change.
_MARGIN = 10
# The palette of Okabe and Ito, which colour-blind people can distinguish; the red is darker, to be legible on white.
_BLUE, _SKY, _ORANGE, _RED = "#0072b2", "#56b4e9", "#e69f00", "#c4320a"
_BLACK, _GREY, _PALE = "#1b1b1b", "#6b6b6b", "#e4e4e4"
_TITLE: Any = {"loc": "left", "fontsize": 13.5, "pad": 8}
_LEGEND: Any = {"loc": "upper left", "ncols": 4, "fontsize": 11.5, "columnspacing": 1.3, "handlelength": 1.6}
_STYLE: Any = {
    "svg.hashsalt": "demo",  # otherwise the ids in the file are random
    "svg.fonttype": "path",  # the viewer's fonts may be wider or narrower
    "font.family": "DejaVu Sans",
    "font.size": 12.5,
    "text.color": _BLACK,
    "axes.labelcolor": _BLACK,
    "xtick.color": _BLACK,
    "ytick.color": _BLACK,
    "axes.edgecolor": _GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "legend.frameon": False,
}

_FONT_OF_THE_NETWORK = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)
# Invisible parts of matplotlib's output: half of the file.
_COMPACT = [
    (re.compile(pattern), replacement)
    for pattern, replacement in {
        r" *\n *": "\n",
        r" ?<!--.*?-->\n": "",
        r'<g id="[^"]*"': "<g",
        r'(?<=[MLQz "])(-?\d+\.\d)\d+(?=[ "\n])': r"\1",
        r'(href="#\S+") transform="translate\((\d+)[.\d]* 0\)"': r'\1 x="\2"',  # hundredths of a letter's size
        r"DejaVuSans-": "g",
    }.items()
]


def save_terminal(path: Path, parts: Sequence[RenderableType], *, title: str) -> None:
    """Save the parts as a terminal shows them, below each other."""
    terminal = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    terminal.print(*parts, sep="\n")
    svg = terminal.export_svg(title=title, unique_id=path.stem)
    _save(path, _FONT_OF_THE_NETWORK.sub("", svg).replace("Fira Code, monospace", "monospace"))


def save_protection(path: Path, without_queue: "Side", with_queue: "Side", *, max_connections: int) -> None:
    """Save a picture of both sides next to each other, over the same seconds, with the finding as its title.

    Raises:
        CliError: A side has no measurements.
    """
    _save_drawn(path, lambda: draw_protection(without_queue, with_queue, max_connections=max_connections))


def save_outage(path: Path, act: "demo_outage.Act") -> None:
    """Save a picture of both sides of an outage, over the same seconds, with the finding as its title.

    Raises:
        CliError: A side has no measurements.
    """
    _save_drawn(path, lambda: draw_outage(act))


def _save_drawn(path: Path, draw: Callable[[], "Figure"]) -> None:
    import matplotlib

    buffer = StringIO()
    with matplotlib.rc_context(_STYLE):
        draw().savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    for pattern, replacement in _COMPACT:
        svg = pattern.sub(replacement, svg)
    _save(path, svg)


def draw_protection(without_queue: "Side", with_queue: "Side", *, max_connections: int) -> "Figure":
    """Draw the picture."""
    from matplotlib.figure import Figure

    sides = {"Without a queue": without_queue, "ScalableWebhook": with_queue}
    for name, side in sides.items():
        if not side.connections or not side.functions or side.backlog == []:
            raise CliError(f"{name}: nothing was measured, so there is nothing to draw")
    figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="white")
    sent, lost, kept = without_queue.report.sent, without_queue.lost, with_queue.lost or "none"
    finding = f"Without a queue {lost:,} of {sent:,} webhooks are lost; with it {kept}"
    figure.suptitle(finding, x=0.015, y=0.975, ha="left", fontsize=15.5, fontweight="bold")
    loads, fates = figure.subplots(2, 2, sharex=True, sharey="row")
    for (name, side), load, fate in zip(sides.items(), loads, fates, strict=True):
        load.set_title(f"{name}: {side.peak_connections} of {max_connections} connections", **_TITLE)
        _draw_load(load, side, max_connections)
        stored = f"{side.stored:,}" if side.lost else "all"
        fate.set_title(f"{stored} stored after {_span(side)[1]:.0f} seconds", **_TITLE)
        _draw_fate(fate, side)
    firsts, lasts = zip(*(_span(side) for side in sides.values()), strict=True)
    for axes in figure.axes:
        axes.set_xlim(min(firsts), max(lasts))
        _tidy(axes)
    loads[0].set_ylabel("at the same time")
    fates[0].set_ylabel("webhooks")
    figure.align_ylabels()
    figure.supxlabel("seconds since the burst began", fontsize=12.5, y=0.01)
    for axes, top in ((loads[1], 0.935), (fates[1], 0.485)):
        figure.legend(*axes.get_legend_handles_labels(), bbox_to_anchor=(0.005, top), **_LEGEND)
    figure.subplots_adjust(left=0.085, right=0.985, top=0.82, bottom=0.085, hspace=0.5, wspace=0.08)
    return figure


def _draw_load(axes: "Axes", side: "Side", max_connections: int) -> None:
    """Draw the busy functions and the connections of the database."""
    began = side.report.began
    axes.step(*_highest(side.functions, began), where="post", color=_BLUE, linewidth=1.3, label="functions at work")
    connections = _highest(side.connections, began)
    axes.fill_between(*connections, step="post", color=_ORANGE, linewidth=0, label="connections")
    limit = "limit, 3 kept for administrators"  # Postgres's superuser_reserved_connections
    axes.axhline(max_connections, color=_BLACK, linewidth=1.5, linestyle=(0, (4, 2)), label=limit)
    size = 2 * _span(side)[1] / _STEPS  # of a mark: overlapping marks become one
    marks = {int((moment - began) / size): moment - began for moment in side.report.failed_at}
    axes.plot([*marks.values()], [max_connections] * len(marks), "x", color=_RED, markersize=7, label="rejected")


def _draw_fate(axes: "Axes", side: "Side") -> None:
    """Draw the webhooks that are not in the database: waiting or rejected."""
    began = side.report.began
    backlog = _highest(side.backlog, began) if side.backlog else ([], [])
    axes.fill_between(*backlog, step="post", color=_SKY, linewidth=0, label="wait in the queue")
    failed = [(moment, count) for count, moment in enumerate(sorted(side.report.failed_at), 1)]
    rejected = [(began, 0), *failed, (began + _span(side)[1], len(failed))]
    axes.step(*_highest(rejected, began), where="post", color=_RED, linewidth=2.2, label="rejected so far")


def draw_outage(act: "demo_outage.Act") -> "Figure":
    """Draw the picture."""
    from matplotlib.figure import Figure

    sides = {"Without it": act.without_breaker, "With it": act.with_breaker}
    for name, side in sides.items():
        if not all((side.in_table, side.in_queue, side.in_dead_letter_queue, side.paused)):
            raise CliError(f"{name}: nothing was measured, so there is nothing to draw")
    figure = Figure(figsize=(_WIDTH, _FLAT), facecolor="white")
    dead, kept = act.without_breaker.dead_lettered, act.with_breaker.dead_lettered or "none"
    finding = f"Database stopped: {dead:,} dead letters; with the circuit breaker {kept}"
    figure.suptitle(finding, x=0.015, y=0.965, ha="left", fontsize=14.5, fontweight="bold")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for (name, side), axes in zip(sides.items(), panels, strict=True):
        stored = f"{side.stored:,} of" if side.stored < side.report.sent else "all"
        axes.set_title(f"{name}: {stored} {side.report.sent:,} stored", **_TITLE)
        _draw_outage(axes, side, act.outage)
        axes.set_ylim(top=1.2 * side.report.sent)
    began = act.outage.began
    first = min(side.in_queue[0][0] for side in sides.values())
    last = max(_last_change(points) for side in sides.values() for points in (side.in_table, side.in_queue))
    panels[0].set_xlim(first - began, max(last, act.outage.ended) + _MARGIN - began)
    panels[0].set_ylabel("webhooks")
    figure.supxlabel("seconds since the database was stopped", fontsize=12.5, y=0.015)
    figure.legend(*panels[1].get_legend_handles_labels(), bbox_to_anchor=(0.005, 0.915), **_LEGEND)
    figure.subplots_adjust(left=0.085, right=0.985, top=0.74, bottom=0.135, wspace=0.08)
    return figure


def _draw_outage(axes: "Axes", side: "demo_outage.Side", outage: "demo_outage.Outage") -> None:
    """Draw the places of the webhooks, and above them the pause."""
    began = outage.began
    axes.axvspan(0, outage.ended - began, color=_PALE, linewidth=0, label="database stopped")
    waiting = _highest(side.in_queue, began)
    axes.fill_between(*waiting, step="post", color=_SKY, linewidth=0, label="wait in the queue")
    axes.step(*_highest(side.in_table, began), where="post", color=_BLUE, linewidth=2.2, label="stored")
    dead = _highest(side.in_dead_letter_queue, began)
    axes.step(*dead, where="post", color=_RED, linewidth=2.2, label="in the dead-letter queue")
    height = 1.09 * side.report.sent
    for start, end in side.pauses:
        axes.plot([start - began, end - began], [height, height], color=_ORANGE, linewidth=13, solid_capstyle="butt")
        axes.text((start + end) / 2 - began, height, "paused", ha="center", va="center_baseline", fontsize=11.5)
    _tidy(axes)


def _last_change(points: Sequence[Point]) -> float:
    return max((at for (_, before), (at, now) in pairwise(points) if before != now), default=points[0][0])


def _tidy(axes: "Axes") -> None:
    axes.set_ylim(bottom=0)
    axes.tick_params(length=0)
    axes.grid(axis="y", color=_PALE, linewidth=0.8)
    axes.set_axisbelow(True)


def _highest(points: Sequence[Point], began: float) -> tuple[list[float], list[int]]:
    """Return few steps, so that the file stays small: each moment with the maximum until the next."""
    first, last = points[0][0], points[-1][0]
    width = (last - first) / _STEPS or 1.0
    seconds: list[float] = []
    highest: list[int] = []
    rest, current = deque(points), 0
    for step in range(_STEPS + 1):
        most = current
        while rest and (step == _STEPS or rest[0][0] < first + (step + 1) * width):
            current = rest.popleft()[1]
            most = max(most, current)
        if step in (0, _STEPS) or most != highest[-1]:
            seconds.append(first + step * width - began)
            highest.append(most)
    return seconds, highest


def _span(side: "Side") -> tuple[float, float]:
    """Return the times of the first and the last measurement, in seconds since the burst began."""
    moments = [moment for points in (side.connections, side.functions, side.backlog or []) for moment, _ in points]
    moments += [side.report.began, *side.report.failed_at]
    return min(moments) - side.report.began, max(moments) - side.report.began


def _save(path: Path, svg: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg.rstrip() + "\n", encoding="utf-8")
