"""Set the time of a failed message's retry."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from webhook_runtime import logs
from webhook_runtime.clients import AWS_FAILED
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_DELAY_SECONDS
from webhook_runtime.contract.messages import ENTRIES
from webhook_runtime.deadline import Deadline


class Redelivery:
    """Sets the time at which messages become visible again."""

    def __init__(self, sqs: Any, queue_url: str, backoff: Backoff) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._backoff = backoff

    def delay(self, attempt: int, retry_after: float | None) -> int:
        """Return the seconds until the retry: as asked for, else by the backoff."""
        if retry_after is None:
            return self._backoff.delay(attempt)
        return math.ceil(min(max(0, retry_after), MAX_DELAY_SECONDS))  # max before min, so that NaN becomes 0

    def postpone(self, delays: Sequence[tuple[Mapping[str, Any], int]], deadline: Deadline) -> None:
        """Hide each record for so many seconds from now.

        If that fails, the message is retried after the visibility timeout instead.
        """
        for start in range(0, len(delays), ENTRIES):
            if deadline.is_over():
                self._not_postponed("OutOfTime", len(delays) - start)
                return
            entries = [
                {"Id": str(position), "ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": seconds}
                for position, (record, seconds) in enumerate(delays[start : start + ENTRIES])
            ]
            try:
                with deadline.told():
                    answer = self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
                failed = [failure["Code"] for failure in answer.get("Failed", ())]
            except (*AWS_FAILED, TimeoutError) as error:
                # Without an answer, the next calls would also cost the function its time.
                self._not_postponed(str(error), len(delays) - start)
                return
            if failed:
                self._not_postponed(", ".join(sorted(set(failed))), len(failed))

    def _not_postponed(self, error: str, messages: int) -> None:
        logs.logger.warning("not postponed", extra={"queue": self._queue_url, "error": error, "messages": messages})
