"""Checks of how a provider signs: headers, and what is signed."""

import re
from collections.abc import Sequence

from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import once_looked_up, require_header_of_provider
from webhook_runtime.contract.signed import OF_URLS, around

# Each has to be tried.
_MAX_HEADERS = 5


@once_looked_up
def require_header_names(*, header: Sequence[str], **others: str | None) -> None:
    """Names of headers, each of which holds something of its own."""
    if not 1 <= len(header) <= _MAX_HEADERS:
        raise ValueError(
            f"header must be 1 to {_MAX_HEADERS} names of headers, got {len(header)}; name those with a signature"
        )
    names = [*(("header", name) for name in header), *others.items()]
    seen: dict[str, str] = {}
    for argument, name in names:
        require_header_of_provider(argument, name)
        if name is not None and (other := seen.setdefault(name.lower(), argument)) is not argument:
            raise ValueError(
                f"{argument} must be another header than {other}, got {brief(name)} for both; "
                f"name the header that the sender has for {argument}, or leave {argument} out"
            )


@once_looked_up
def require_parts(*, prefix: str, separator: str | None, timestamp_prefix: str | None) -> None:
    """A header that has several parts is told how they are kept apart."""
    if timestamp_prefix is not None and separator is None:
        raise ValueError(
            "separator must be given together with timestamp_prefix, got none; "
            "say what stands between the parts of the header, for example ','"
        )
    if timestamp_prefix is not None and timestamp_prefix == prefix:
        raise ValueError(
            f"timestamp_prefix must not be the prefix of the signature, got {brief(prefix)} for both; "
            "take what stands before the time, for example 't='"
        )


@once_looked_up
def require_signed_content(value: str, *, is_timed: bool, id_header: str | None) -> None:
    """What is signed must hold the payload, and what it names must have a header."""
    rest = re.sub(r"{(body|timestamp|id|url|method)}", "", value)
    if value.count("{body}") != 1 or "{" in rest or "}" in rest:
        raise ValueError(
            "signed_content must hold {body} once, and {timestamp}, {id}, {url} and {method} or not, "
            f"got {brief(value)}; for example '{{timestamp}}.{{body}}'"
        )
    for name, header, given in (
        ("timestamp", "timestamp_header or timestamp_prefix", is_timed),
        ("id", "id_header", id_header is not None),
    ):
        if f"{{{name}}}" in value and not given:
            raise ValueError(
                f"{header} must be given for a signed_content with {{{name}}}, got none; pass {header}, or leave "
                f"{{{name}}} out of signed_content"
            )
    if is_timed and "{timestamp}" not in value:
        raise ValueError(
            "signed_content must hold {timestamp} where there is a timestamp_header or a timestamp_prefix, "
            f"got {brief(value)}; "
            "put {timestamp} where the sender signs it, or leave that time out: one that is not signed proves nothing"
        )
    _one_reading(value)


def _one_reading(signed_content: str) -> None:
    """What is signed is one text: where an id ends in it, or a URL, must show. A time and a method show it by
    themselves, and of a URL beside the payload the function that verifies looks for it."""
    for side in around(signed_content):
        if ("id", "") in side.apart:
            raise ValueError(
                "signed_content must have a text between {id} and what else is signed towards {body}, or one signature "
                f"is good for several ids, got {brief(signed_content)}; write what the sender has there, for example "
                "'{id}.{timestamp}.{body}'"
            )
        if any(name == "url" and OF_URLS.fullmatch(text) for name, text in side.apart[1:]):
            raise ValueError(
                "signed_content must have {url} beside {body}, or a character that no URL holds between {url} and what "
                f"else is signed towards {{body}}, got {brief(signed_content)}; write what the sender has there, for "
                "example '{url}|{timestamp}|{body}'"
            )
