"""The messages of a queue by error and reason, as `list` shows them, and a question before a change."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from rich.cells import set_cell_size

from scalable_webhook_cli.dead_letters.message import Message
from scalable_webhook_cli.shown import shown

# The rows that a terminal shows. JSON has all.
_ROWS = 20
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass
class Group:
    """The messages of one error and reason. ``oldest`` and ``newest`` are in seconds since 1970."""

    error: str
    reason: str
    count: int = 0
    bytes: int = 0
    oldest: float = float("inf")
    newest: float = 0

    def told(self) -> dict[str, Any]:
        times = {name: datetime.fromtimestamp(getattr(self, name), UTC) for name in ("oldest", "newest")}
        return asdict(self) | times


class Summary:
    """Counts messages, in any thread."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}
        self._lock = Lock()

    def add(self, messages: Sequence[Message]) -> tuple[str, ...]:
        """Count messages. Return the ids of those that it has deleted, which are none."""
        with self._lock:
            for message in messages:
                of = (message.error, message.reason)
                group = self._groups.setdefault(of, Group(*of))
                group.count += 1
                group.bytes += message.size
                group.oldest = min(group.oldest, message.sent_at)
                group.newest = max(group.newest, message.sent_at)
        return ()

    @property
    def groups(self) -> list[Group]:
        """The groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.error, group.reason))

    @property
    def count(self) -> int:
        return sum(group.count for group in self._groups.values())

    @property
    def bytes(self) -> int:
        return sum(group.bytes for group in self._groups.values())

    @property
    def oldest(self) -> float:
        return min(group.oldest for group in self._groups.values())

    def table(self, *, width: int | None) -> Iterator[str]:
        """Yield the lines of a table. ``width`` is that of the terminal, if it is one."""
        groups, now = self.groups, time.time()
        rows = groups if width is None else groups[:_ROWS]
        yield "  count  oldest  newest     bytes  error: reason"
        for group in rows:
            ages = (short(now - group.oldest), short(now - group.newest))
            numbers = f"{group.count:>7,}  {ages[0]:>6}  {ages[1]:>6}  {in_bytes(group.bytes):>8}  "
            why = one_line(f"{group.error}: {group.reason}" if group.reason else group.error)
            yield numbers + (why if width is None else fitting(why, width - len(numbers)))
        if rest := groups[len(rows) :]:
            count = sum(group.count for group in rest)
            yield f"{count:>7,}  of {len(rest):,} other errors and reasons: --json has them all"


def short(seconds: float) -> str:
    """Return a duration in its largest unit, such as ``3 h``."""
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name}"
    return "0 s"


def in_bytes(number: int) -> str:
    """Return a number of bytes, such as ``1.2 MB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number} B"


def one_line(text: str) -> str:
    """Return a text without line ends, and without an effect on a terminal."""
    return shown(" ".join(text.split()))


def fitting(text: str, cells: int) -> str:
    """Return the beginning of a text that fits into so many cells of a terminal."""
    cut = set_cell_size(text, cells).rstrip()
    return text if cut == text.rstrip() else set_cell_size(text, cells - 1).rstrip() + "…"
