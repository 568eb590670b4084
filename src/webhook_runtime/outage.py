"""Notice that the sink is down, and log it: the circuit breaker reads that line, and pauses the webhook."""

from collections.abc import Sequence

from webhook_runtime import logs
from webhook_runtime.batch import Batch, Message
from webhook_runtime.contract.limits import MAX_DELAY_SECONDS
from webhook_runtime.contract.pausing import FAILURES, PERHAPS_DOWN, SINK_DOWN, STOPS_SECONDS
from webhook_runtime.deadline import OUT_OF_TIME
from webhook_runtime.outcome import Kind


class Outage:
    """Counts the batches in a row that found the sink down, in this environment.

    ``failures`` is None without a circuit breaker, and ``max_receive_count`` None if the queue does not tell.
    """

    def __init__(self, failures: int | None = None, max_receive_count: int | None = None) -> None:
        self._failures = failures or FAILURES
        self._last = max_receive_count if failures is not None else None
        self._batches = 0

    def look_at(self, batch: Batch, failed: Sequence[Message]) -> None:
        """Count a batch, and log an outage: after so many of them, and before the last try of any webhook.

        Other environments count by themselves, and a webhook may be alone in the queue. Then nothing tells whether the
        sink is down or chokes on this webhook: the circuit breaker asks the sink.
        """
        stores = any(message.outcome.kind in (Kind.STORED, Kind.DUPLICATE) for message in batch.messages)
        if stores:
            self._batches = 0
        # A sink that is slow has stored something before the time was up.
        if batch.down is not None and not (stores and batch.down.error == OUT_OF_TIME):
            line, outcome, affected = SINK_DOWN, batch.down, failed
        elif not stores and (troubled := [message for message in batch.messages if message.outcome.is_trouble]):
            line, outcome, affected = PERHAPS_DOWN, troubled[0].outcome, troubled
        else:
            return
        self._batches += 1
        before_last = [message for message in affected if self._last is not None and message.attempt == self._last - 1]
        for message in before_last:
            message.delay = min(message.delay + STOPS_SECONDS, MAX_DELAY_SECONDS)
        if before_last or self._batches % self._failures == 0:
            # An error, so that no log level hides it.
            told = {"batches": self._batches, "error": outcome.error, "reason": outcome.reason}
            logs.logger.error(line, extra=told)
