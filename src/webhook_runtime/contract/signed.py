"""What a signature is of, as a template: ``{body}``, and around it ``{timestamp}``, ``{id}``, ``{url}`` and
``{method}``."""

import re
from typing import NamedTuple

# What a URL may hold by RFC 3986, but the brackets of an address of IPv6.
OF_URLS = re.compile(r"[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*")
_NAME = re.compile(r"{(\w+)}")


class Around(NamedTuple):
    """What stands on one side of the payload. ``apart`` has each name and the text that keeps it from what is nearer to
    the payload; the name that is nearest comes first."""

    text: str
    apart: list[tuple[str, str]]


def around(signed: str) -> tuple[Around, Around]:
    """Before and behind the payload."""
    before, _, after = signed.partition("{body}")
    heads, tails = _NAME.split(before), _NAME.split(after)
    return (
        Around(before, list(zip(heads[1::2], heads[2::2], strict=True))[::-1]),
        Around(after, list(zip(tails[1::2], tails[:-1:2], strict=True))),
    )
