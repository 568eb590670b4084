"""When a message that failed comes back: later each time, and not all at once."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from webhook_runtime import logs
from webhook_runtime.clients import AWS_FAILED
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_DELAY_SECONDS
from webhook_runtime.deadline import Deadline

_ENTRIES = 10


class Redelivery:
    """Sets when messages become visible again."""

    def __init__(self, sqs: Any, queue_url: str, backoff: Backoff) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._backoff = backoff

    def delay(self, attempt: int, retry_after: float | None) -> int:
        """How many seconds a message waits: what was asked for, else the backoff."""
        if retry_after is None:
            return self._backoff.delay(attempt)
        return math.ceil(min(max(0, retry_after), MAX_DELAY_SECONDS))  # in this order, what is no number is 0

    def postpone(self, delays: Sequence[tuple[Mapping[str, Any], int]], deadline: Deadline) -> None:
        """Hide each record for so many seconds from now.

        Where SQS does not take that, the message comes back after the visibility timeout instead: later, but it comes.
        """
        for start in range(0, len(delays), _ENTRIES):
            if deadline.is_over():
                logs.logger.warning("not postponed", extra={"error": "OutOfTime", "messages": len(delays) - start})
                return
            entries = [
                {"Id": str(position), "ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": seconds}
                for position, (record, seconds) in enumerate(delays[start : start + _ENTRIES])
            ]
            try:
                with deadline.told():
                    answer = self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
                refused = sorted({failure["Code"] for failure in answer.get("Failed", ())})
            except (*AWS_FAILED, TimeoutError) as error:
                # Nor will it take the others: each call that times out costs the function its time.
                logs.logger.warning("not postponed", extra={"error": str(error), "messages": len(delays) - start})
                return
            if refused:
                logs.logger.warning("not postponed", extra={"error": ", ".join(refused)})
