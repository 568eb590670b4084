"""What becomes of a webhook at its sink, and what a handler raises to say so."""

from enum import Enum
from typing import NamedTuple


class Permanent(Exception):
    """No retry will ever help this webhook: it goes to the dead-letter queue now.

    Args:
        reason: Why, for the person who looks into the dead-letter queue. It is logged, so no payload in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        # It may be anything where nobody checks types, such as the error that was the cause.
        self.reason: str = str(reason)


class RetryAfter(Exception):
    """This webhook comes back, not before so many seconds.

    Args:
        seconds: How long to wait: 0 to 11 hours; a longer wait is cut to that.
        reason: Why. It is logged, so no payload in it. Default: that it asked to come back.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        # What is no number is an error here, in the handler, and not later, where it would be the whole batch's.
        self.seconds: float = float(seconds)
        super().__init__(reason or f"asked to come back in {self.seconds:g} seconds")
        self.reason: str = str(self)


class SinkDown(Exception):
    """The sink takes nothing at present: every webhook of the batch that has not ended comes back, and the sink is
    left alone until then.

    Args:
        reason: Why. It is logged, so no payload in it.
        retry_after: How many seconds the sink asked for: 0 to 11 hours; a longer wait is cut to that. Default: the
            delay of ``Retry``.
        error: The class of the error. Default: ``SinkDown``.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, error: str = "SinkDown") -> None:
        super().__init__(reason)
        self.reason: str = str(reason)
        self.retry_after: float | None = None if retry_after is None else float(retry_after)
        self.error: str = str(error)


class Kind(Enum):
    STORED = "stored"
    DUPLICATE = "duplicate"  # it was there already, which is just as good
    DROPPED = "dropped"  # no event filter wants it
    UNVERIFIED = "unverified"  # it is surely not of its sender
    RETRY = "retry"  # the sink could not take it now
    PERMANENT = "dead-lettered"  # no retry will ever help this message


class Outcome(NamedTuple):
    """What became of one webhook. Where it was not stored: the class of the error, the reason for a person, after how
    many seconds it may come back if somebody asked for a time, and the secret that no signature of it fits."""

    kind: Kind
    error: str = ""
    reason: str = ""
    retry_after: float | None = None
    secret: str | None = None


STORED = Outcome(Kind.STORED)
DUPLICATE = Outcome(Kind.DUPLICATE)
DROPPED = Outcome(Kind.DROPPED)

# Of what ends so nothing is left to do.
ENDED_WELL = (Kind.STORED, Kind.DUPLICATE, Kind.DROPPED)


def of_sink_down(error: SinkDown) -> Outcome:
    """What becomes of the webhooks that a sink did not take because it is down."""
    return Outcome(Kind.RETRY, error.error, error.reason, error.retry_after)
