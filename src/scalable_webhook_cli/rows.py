"""Events in rows, for a terminal: time, what, id, and how. A row is a line, unless it is wider than the terminal."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeAlias

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style

from scalable_webhook_cli.events import Event, Tone, event, text_of
from scalable_webhook_cli.log_lines import Line

Row: TypeAlias = list[Segment]

_STYLES = {
    Tone.GOOD: Style(color="green"),
    Tone.PLAIN: Style(),
    Tone.QUIET: Style(dim=True),
    Tone.WAITS: Style(color="yellow"),
    Tone.BAD: Style(color="red"),
}
_DIM = _STYLES[Tone.QUIET]

_WHAT = 13
# Wider texts are cut, and wider ids stand out of their column.
_WIDEST_WHAT, _WIDEST_ID, _WIDEST_WEBHOOK = 34, 36, 24
# The rest of a row begins here in the next line, so that no text looks like a row.
_INDENT = 24
_LEAST = 24
_MOST_CHARACTERS = 2_000


class Rows:
    """Writes events in columns, which get wider as they have to.

    Args:
        width: The width of the terminal.
        with_webhook: Whether a column names the webhook, since there are several.
    """

    def __init__(self, width: int, *, with_webhook: bool = False) -> None:
        self._width = width
        self._with_webhook = with_webhook
        self._day = datetime.fromtimestamp(time.time()).date()
        self._id = self._webhook = 0

    def fit(self, lines: Iterable[Line]) -> None:
        """Make the columns wide enough for these lines."""
        for line in lines:
            self._id = max(self._id, min(cell_len(text_of(line.id)), _WIDEST_ID))
            self._webhook = max(self._webhook, min(cell_len(text_of(line.webhook)), _WIDEST_WEBHOOK))

    def of(self, line: Line) -> Iterator[Row]:
        """Yield the rows of a line."""
        happened = event(line)
        self.fit([line])
        at = datetime.fromtimestamp(line.at)
        if at.date() != self._day:
            self._day = at.date()
            yield [Segment(f"{self._day}", _DIM)]
        begin = f"{at:%H:%M:%S}  "
        if self._with_webhook:
            begin += _padded(_cut(text_of(line.webhook), _WIDEST_WEBHOOK), self._webhook) + "  "
        what = _padded(_cut(happened.what, _WIDEST_WHAT), _WHAT)
        id = f" {_padded(text_of(line.id), self._id)}" if line.id else ""
        row = [Segment(begin, _DIM), Segment(what, _STYLES[happened.tone]), Segment(id)]
        # Without an id, the rest begins in its column.
        yield from self._wrapped(row, happened, "  " if id else " ")

    def _wrapped(self, begin: Row, happened: Event, gap: str) -> Iterator[Row]:
        style = _DIM if happened.tone is Tone.QUIET else None
        taken = sum(cell_len(segment.text) for segment in begin) + len(gap)
        rest = max(self._width - _INDENT, _LEAST)
        detail, more = _shortened(happened.detail), [_shortened(text) for text in happened.more]
        first = self._width - taken
        if cell_len(detail) > first and first < _LEAST:
            yield begin
            more.insert(0, detail)
        else:
            piece, *others = list(_pieces(detail, first, rest)) or [""]
            yield [*begin, Segment(f"{gap}{piece}" if piece else "", style)]
            yield from _indented(others, style)
        for text in more:
            yield from _indented(_pieces(text, rest, rest), style)


def _indented(pieces: Iterable[str], style: Style | None) -> Iterator[Row]:
    for piece in pieces:
        yield [Segment(f"{'':{_INDENT}}{piece}", style)]


def _pieces(text: str, first: int, rest: int) -> Iterator[str]:
    """Break a text between its words into pieces of these widths, or within a word that is wider."""
    begin, room = 0, first
    while begin < len(text):
        end = width = 0
        for end in range(begin, len(text)):
            width += get_character_cell_size(text[end])
            if width > room:
                break
        else:
            yield text[begin:]
            return
        end = max(end, begin + 1)
        if (blank := text.rfind(" ", begin + 1, end + 1)) > 0 and text[begin:blank].strip():
            yield text[begin:blank].rstrip()
            begin = blank + 1
        else:
            yield text[begin:end]
            begin = end
        room = rest


def _shortened(text: str) -> str:
    left = len(text) - _MOST_CHARACTERS
    return f"{text[:_MOST_CHARACTERS]}… and {left:,} more characters: --json has them" if left > 0 else text


def _cut(text: str, width: int) -> str:
    """Return a text with its middle left out if it is wider."""
    if cell_len(text) <= width:
        return text
    half = width // 2
    return f"{text[: half - 1]}…{text[-(width - half) :]}"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
