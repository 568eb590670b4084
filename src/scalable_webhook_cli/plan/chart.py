"""A chart of blocks for a terminal of 80 columns, readable without colors."""

from collections.abc import Callable, Iterator, Sequence

from scalable_webhook_cli.plan.quantities import shown
from scalable_webhook_cli.plan.series import Step

_COLUMNS, _MARGIN = 64, 11
_BLOCKS, _ASCII = " ▁▂▃▄▅▆▇█", " .:#"
_FRAME = {True: ("|", "+", "-"), False: ("│", "└", "─")}


def chart(
    steps: Sequence[Step], end: float, *, down: tuple[float, float] | None = None, ascii_only: bool = False
) -> Iterator[str]:
    """Yield the lines of both charts, with one axis of time. ``down`` is the time in which the sink is down."""
    end = max(end, 1.0)
    yield from _area("webhooks in the queue", _columns(steps, end, lambda step: step.backlog), 6, _count, ascii_only)
    yield ""
    yield from _area("age of the oldest one", _columns(steps, end, lambda step: step.age), 4, shown, ascii_only)
    middle, last = shown(end / 2), shown(end)
    axis = " " * (_MARGIN + 1) + "0"
    axis = axis.ljust(_MARGIN + 1 + _COLUMNS // 2 - len(middle) // 2) + middle
    yield axis.ljust(_MARGIN + 1 + _COLUMNS - len(last)) + last
    if down:
        first, past = (min(round(at / end * _COLUMNS), _COLUMNS) for at in down)
        yield f"{'sink down':>{_MARGIN - 1}}  {' ' * min(first, _COLUMNS - 1)}{'x' * max(past - first, 1)}"


def _columns(steps: Sequence[Step], end: float, value: Callable[[Step], float]) -> list[float]:
    """Return the highest value of each column."""
    columns = [0.0] * _COLUMNS
    width = end / _COLUMNS
    for step in steps:
        first = int(step.start / width)
        last = int((step.start + step.seconds) / width - 1e-9)
        for column in range(first, min(max(first, last), _COLUMNS - 1) + 1):
            columns[column] = max(columns[column], value(step))
    return columns


def _area(
    title: str, values: Sequence[float], rows: int, label: Callable[[float], str], ascii_only: bool
) -> Iterator[str]:
    blocks = _ASCII if ascii_only else _BLOCKS
    side, corner, floor = _FRAME[ascii_only]
    most, parts = max(values), len(blocks) - 1
    # A value above zero is always seen.
    heights = (
        [max(round(value / most * rows * parts), 1) if value else 0 for value in values] if most else [0] * _COLUMNS
    )
    yield title
    for row in reversed(range(rows)):
        name = label(most) if row == rows - 1 else ""
        line = "".join(blocks[min(max(height - row * parts, 0), parts)] for height in heights)
        yield f"{name:>{_MARGIN - 1}} {side}{line}".rstrip()
    yield f"{'0':>{_MARGIN - 1}} {corner}{floor * _COLUMNS}"


def _count(value: float) -> str:
    return f"{value:,.0f}"
