"""The outcome of a webhook at its sink, and the exceptions by which a handler decides it."""

from enum import Enum
from typing import NamedTuple


class Permanent(Exception):
    """No retry can help this webhook: it goes to the dead-letter queue now.

    Args:
        reason: The reason, for the person who reads the dead-letter queue. It is logged, so keep the payload out of it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        # It may be of any type in code that nothing checks, such as the error that was the cause.
        self.reason: str = str(reason)


class RetryAfter(Exception):
    """This webhook is retried, after at least so many seconds.

    Args:
        seconds: The wait, 0 to 11 hours. A longer one is cut to 11 hours.
        reason: The reason. It is logged, so keep the payload out of it. Default: a text with the seconds.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        # A value that is not a number fails here in the handler, and not later for the whole batch.
        self.seconds: float = float(seconds)
        super().__init__(reason or f"asked for a retry in {self.seconds:g} seconds")
        self.reason: str = str(self)


class SinkDown(Exception):
    """The sink is down. The rest of the batch is retried later, and the sink is not called until then.

    Args:
        reason: The reason. It is logged, so keep the payload out of it.
        retry_after: The wait in seconds that the sink asked for, 0 to 11 hours. A longer one is cut to 11 hours.
            Default: the delay of ``Retry``.
        error: The class of the error. Default: ``SinkDown``.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, error: str = "SinkDown") -> None:
        super().__init__(reason)
        self.reason: str = str(reason)
        self.retry_after: float | None = None if retry_after is None else float(retry_after)
        self.error: str = str(error)


class Kind(Enum):
    STORED = "stored"
    DUPLICATE = "duplicate"  # stored before, so nothing is left to do
    DROPPED = "dropped"  # no event filter matches it
    UNVERIFIED = "unverified"  # certainly not from its provider
    RETRY = "retry"  # the sink could not take it now
    PERMANENT = "dead-lettered"  # no retry can help


class Outcome(NamedTuple):
    """The outcome of one webhook.

    If it is not stored: the class of the error, the reason, the seconds until its retry if a time was asked for, and
    the secret that no signature fits. ``is_trouble`` tells that the sink may be to blame.
    """

    kind: Kind
    error: str = ""
    reason: str = ""
    retry_after: float | None = None
    secret: str | None = None
    is_trouble: bool = False


STORED = Outcome(Kind.STORED)
DUPLICATE = Outcome(Kind.DUPLICATE)
DROPPED = Outcome(Kind.DROPPED)

# Nothing is left to do for these.
ENDED_WELL = (Kind.STORED, Kind.DUPLICATE, Kind.DROPPED)


def of_sink_down(error: SinkDown) -> Outcome:
    """Return the outcome of the webhooks that a sink did not take because it is down."""
    return Outcome(Kind.RETRY, error.error, error.reason, error.retry_after)
