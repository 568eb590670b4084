"""Print text of strangers on a terminal: escape all characters that would act there."""

import logging
import re
import unicodedata

from webhook_runtime.contract.characters import NOT_SEEN

# Control characters, characters without a width or of another direction, line ends, and halves of surrogate pairs.
_SHOWN_AS_ESCAPES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_NOT_SEEN = re.compile(f"[{NOT_SEEN}]")


class Formatter(logging.Formatter):
    """Escapes log lines, since errors quote text of clients."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def shown(text: str) -> str:
    """Escape characters that are not printable. Only a line feed ends a line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_character, text))


def _character(character: str) -> str:
    is_shown = unicodedata.category(character) not in _SHOWN_AS_ESCAPES and not _NOT_SEEN.match(character)
    if is_shown or character in "\t\n":
        return character
    return character.encode("unicode_escape").decode()
