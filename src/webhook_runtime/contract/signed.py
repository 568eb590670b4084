"""The template of a signed text: ``{body}``, and around it ``{timestamp}``, ``{id}``, ``{url}`` and ``{method}``."""

import re
from typing import NamedTuple

# The characters of a URL by RFC 3986, except the brackets of an IPv6 address.
OF_URLS = re.compile(r"[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*")
_NAME = re.compile(r"{(\w+)}")


class Around(NamedTuple):
    """The text on one side of the payload.

    ``apart`` has each name, and the text that separates it from the next one towards the payload. The nearest name
    comes first.
    """

    text: str
    apart: list[tuple[str, str]]


def around(signed: str) -> tuple[Around, Around]:
    """Return the texts before and behind the payload."""
    before, _, after = signed.partition("{body}")
    heads, tails = _NAME.split(before), _NAME.split(after)
    return (
        Around(before, list(zip(heads[1::2], heads[2::2], strict=True))[::-1]),
        Around(after, list(zip(tails[1::2], tails[:-1:2], strict=True))),
    )
