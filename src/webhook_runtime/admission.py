"""Why a request is not admitted as a webhook, and what its sender is told."""

from dataclasses import dataclass


class Unverified(Exception):
    """The request is not known to be of its sender.

    Args:
        reason: Why. It is for the sender too, and is logged, so no secret and no payload in it.
        sure: Whether no other secret could make a difference. Default: yes; with False the secret is read again where
            it may have been rotated.
    """

    def __init__(self, reason: str, *, sure: bool = True) -> None:
        super().__init__(reason)
        self.reason: str = str(reason)
        self.sure = sure


class Unverifiable(Exception):
    """Whether the request is of its sender cannot be told at present, so nobody is let in."""


@dataclass(frozen=True)
class Answer:
    """What a sender is answered that only wants to know whether somebody is there: nothing is stored.

    Attributes:
        body: The answer's body, for the sender.
        content_type: Its content type. Default: ``text/plain``.
        status: The HTTP status, 200 to 599. Default: 200.
    """

    body: str
    content_type: str = "text/plain"
    status: int = 200
