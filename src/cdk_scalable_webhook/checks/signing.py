"""Checks of a provider's signature: its headers, and the signed content."""

import re
from collections.abc import Sequence

from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import once_looked_up, require_header_of_provider
from webhook_runtime.contract.signed import OF_URLS, around

# The signature in each has to be computed.
_MAX_HEADERS = 5


@once_looked_up
def require_header_names(*, header: Sequence[str], **others: str | None) -> None:
    """Check names of headers, of which no two may be the same."""
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
                f"name the header that the provider has for {argument}, or leave {argument} out"
            )


@once_looked_up
def require_parts(*, prefix: str, separator: str | None, timestamp_prefix: str | None) -> None:
    """Require a separator for a header that has several parts."""
    if timestamp_prefix is not None and separator is None:
        raise ValueError(
            "separator must be given together with timestamp_prefix, got none; "
            "pass the text between the parts of the header, for example ','"
        )
    if timestamp_prefix is not None and timestamp_prefix == prefix:
        raise ValueError(
            f"timestamp_prefix must not be the prefix of the signature, got {brief(prefix)} for both; "
            "take the text before the time, for example 't='"
        )


@once_looked_up
def require_signed_content(value: str, *, is_timed: bool, id_header: str | None) -> None:
    """Require the payload in the signed content, and a header for each other part of it."""
    rest = re.sub(r"{(body|timestamp|id|url|method)}", "", value)
    if value.count("{body}") != 1 or "{" in rest or "}" in rest:
        raise ValueError(
            "signed_content must have {body} once, and may have {timestamp}, {id}, {url} and {method}, "
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
            "signed_content must have {timestamp} if there is a timestamp_header or a timestamp_prefix, "
            f"got {brief(value)}; "
            "put {timestamp} where the provider signs it, or leave that time out: an unsigned time proves nothing"
        )
    _one_reading(value)


def _one_reading(signed_content: str) -> None:
    """Require that the ends of an id and of a URL show in the signed text. A time and a method have a fixed form. For a
    URL next to the payload, the verifying function finds the end."""
    for side in around(signed_content):
        if ("id", "") in side.apart:
            raise ValueError(
                "signed_content must have a text between {id} and the next part towards {body}, or one signature fits "
                f"several ids, got {brief(signed_content)}; write the provider's text between them, for example "
                "'{id}.{timestamp}.{body}'"
            )
        if any(name == "url" and OF_URLS.fullmatch(text) for name, text in side.apart[1:]):
            raise ValueError(
                "signed_content must have {url} next to {body}, or a character that no URL has between {url} and the "
                f"next part towards {{body}}, got {brief(signed_content)}; write the provider's text between them, for "
                "example '{url}|{timestamp}|{body}'"
            )
