"""The tags of an event source mapping that tell who paused it, and the line by which the consumer tells an outage."""

from collections.abc import Mapping
from datetime import UTC, datetime

PAUSED_BY = "scalable-webhook:paused-by"
PAUSED_AT = "scalable-webhook:paused-at"

# The value of PAUSED_BY if no person did it, and the state of that pause: a text of "name=number" pairs.
BREAKER = "the circuit breaker"
BREAKER_STATE = "scalable-webhook:breaker"

SINK_DOWN = "sink down"
# Single webhooks failed, and the sink may be to blame. A filter of the log finds both lines by the words of the first.
PERHAPS_DOWN = f"perhaps {SINK_DOWN}"
PAUSED = "paused"

# Without a circuit breaker, this many batches in a row are an outage as well.
FAILURES = 3

# An event source mapping takes a while to stop. Before its last try, a webhook waits so many seconds for that.
STOPS_SECONDS = 120

# The concurrency with which the circuit breaker resumes, the least that a mapping can have, and for how many seconds.
SLOW_START = 2
SLOW_SECONDS = 60

# The errors of a change to a mapping that is changing otherwise.
IS_CHANGING = ("ResourceInUseException", "ResourceConflictException")


def time_text(seconds: float) -> str:
    """Return a time, in seconds since 1970, as the value of a tag."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def state_in(tags: Mapping[str, str]) -> dict[str, int]:
    """Return the state of a pause of the circuit breaker; empty if there is none, or someone has changed it."""
    try:
        pairs = (pair.partition("=") for pair in tags[BREAKER_STATE].split())
        return {name: int(value) for name, _, value in pairs}
    except (KeyError, ValueError):
        return {}
