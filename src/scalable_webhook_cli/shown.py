"""Text of a stranger's on a terminal: whatever would do something there is shown, and does nothing."""

import logging
import re
import unicodedata

from webhook_runtime.contract.characters import NOT_SEEN

# Controls, as those by which a terminal is told to do something; what has no width or changes the direction of writing;
# ends of lines; and halves of characters, which no terminal takes.
_SHOWN_AS_ESCAPES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_NOT_SEEN = re.compile(f"[{NOT_SEEN}]")


class Formatter(logging.Formatter):
    """For a log: what a sender wrote is in errors, too."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def shown(text: str) -> str:
    """Text as it can be printed, with the escapes of Python for what is none. Only a line feed ends a line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_character, text))


def _character(character: str) -> str:
    is_shown = unicodedata.category(character) not in _SHOWN_AS_ESCAPES and not _NOT_SEEN.match(character)
    if is_shown or character in "\t\n":
        return character
    return character.encode("unicode_escape").decode()
