"""The answer to an accepted webhook."""

import re
from dataclasses import dataclass

from aws_cdk import Token

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import once_looked_up, require_number


@typed
@dataclass(frozen=True)
class Acknowledgement:
    """The answer to an accepted webhook, for a provider that expects another than 202 and ``{"id": …}``.

    Attributes:
        status: The status: 200 to 299; 204 and 205 have no body. Default: 200.
        body: The body: up to 1 KiB of text, the same for every webhook. Default: empty.
        content_type: The media type of the body, with parameters such as ``; charset=utf-8`` or without. Default:
            ``text/plain``.

    Raises:
        ValueError: A value is out of its limits.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
    """

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"

    def __post_init__(self) -> None:
        """Check the values."""
        _require_answer(self.status, self.body, self.content_type)


_MAX_ACKNOWLEDGEMENT = 1024


@once_looked_up
def _require_answer(status: int, body: str, content_type: str) -> None:
    """Reject an answer that one of the ingresses cannot give."""
    if Token.is_unresolved(status) or Token.is_unresolved(body):
        raise ValueError(
            "status and body of an acknowledgement must be known at synth, got a value that only deployment knows; "
            "write them out"
        )
    require_number("status of an acknowledgement", status, 200, 299)
    if status in (204, 205) and body:
        raise ValueError(
            f"body of an acknowledgement must be empty with status {status}, got {body!r}; leave it out, or take 200"
        )
    if len(body.encode()) > _MAX_ACKNOWLEDGEMENT:
        raise ValueError(
            f"body of an acknowledgement must be {_MAX_ACKNOWLEDGEMENT:,} bytes at most, got {len(body.encode()):,}; "
            "shorten it"
        )
    # Without quotes: it is a literal in a parameter mapping. Without line breaks: it is a header.
    name = r"[A-Za-z0-9!#$&^_.+-]+"
    if not re.fullmatch(rf"{name}/{name}(; ?{name}={name})*", content_type):
        raise ValueError(
            f"content_type of an acknowledgement must be a media type, got {content_type!r}; "
            "for example 'application/json' or 'text/plain; charset=utf-8'"
        )
