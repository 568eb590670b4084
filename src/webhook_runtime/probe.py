"""Ask the sink how it is, for the circuit breaker: from the consumer, which reaches it, and without a webhook."""

import time
from typing import Any, cast

from webhook_runtime import logs
from webhook_runtime.deadline import Context, Deadline
from webhook_runtime.outcome import SinkDown
from webhook_runtime.sinks import Pinged, Sink

UP, DOWN = "up", "down"

# A sink that takes longer is not well enough for webhooks.
_SECONDS = 10


class _Brief:
    """Lambda's context, for so many seconds at most."""

    def __init__(self, context: Context, seconds: float) -> None:
        self._context = context
        self._until = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        left = round((self._until - time.monotonic()) * 1000)
        return min(left, self._context.get_remaining_time_in_millis())


def probe(sink: Sink, context: Context) -> dict[str, Any]:
    """Return whether the sink is up. An error that does not say that it is down is raised: no one knows then."""
    deadline = Deadline(_Brief(context, _SECONDS))
    try:
        with deadline.step(webhooks=0):
            cast(Pinged, sink).ping(deadline)
    except SinkDown as down:
        logs.logger.info("probe", extra={"sink": DOWN, "error": down.error, "reason": down.reason})
        return {"sink": DOWN}
    logs.logger.info("probe", extra={"sink": UP})
    return {"sink": UP}
