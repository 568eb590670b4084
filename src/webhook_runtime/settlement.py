"""Tell SQS the outcome of a message: it is done, or it is retried later."""

from webhook_runtime import logs
from webhook_runtime.batch import Batch, Message
from webhook_runtime.clients import AWS_FAILED, AwsRejected
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.outcome import ENDED_WELL, Kind
from webhook_runtime.redelivery import Redelivery


class Settlement:
    """See ``Consumer``."""

    def __init__(
        self,
        redelivery: Redelivery,
        dead_letters: DeadLetters | None,
        unverified: DeadLetters | None,
        max_receive_count: int | None,
    ) -> None:
        self._redelivery = redelivery
        self._dead_letters = dead_letters
        self._unverified = unverified
        self._max_receive_count = max_receive_count

    def settle(self, message: Message, batch: Batch) -> bool:
        """Tell whether SQS may delete the message: it is stored, dropped, or safe in another queue. Log which."""
        outcome, line = message.outcome, message.names()
        if outcome.kind in ENDED_WELL:
            logs.logger.info(outcome.kind.value, extra=line)
            return True
        line |= {"error": outcome.error, "reason": outcome.reason}
        if outcome.secret:  # counted by metric_mismatched()
            line["secret"] = outcome.secret
        for kind in self._ways_out(message):
            queue = self._dead_letters if kind is Kind.PERMANENT else self._unverified
            if queue is not None and self._put_aside(message, queue, line, batch):
                message.ends(outcome._replace(kind=kind))
                logs.logger.warning(kind.value, extra=line)
                return True
        message.delay = self._redelivery.delay(message.attempt, outcome.retry_after)
        logs.logger.warning("failed", extra=line | {"retry_in": message.delay})
        return False

    def _ways_out(self, message: Message) -> list[Kind]:
        """Return the kinds of queue to try for a message that is not retried.

        A message that is certainly not from its provider needs no person's attention. Nor does one that could not be
        judged, since no signature of it fits.
        """
        kind = message.outcome.kind
        is_last = self._max_receive_count is not None and message.attempt >= self._max_receive_count
        if self._unverified is not None and (kind is Kind.UNVERIFIED or (is_last and message.is_unsure)):
            return [Kind.UNVERIFIED, Kind.PERMANENT] if is_last else [Kind.UNVERIFIED]
        return [Kind.PERMANENT] if is_last or kind is not Kind.RETRY else []

    def _put_aside(self, message: Message, queue: DeadLetters, line: dict[str, object], batch: Batch) -> bool:
        error = "unverified_queue_error" if queue is self._unverified else "dead_letter_queue_error"
        if not batch.sqs_answers:
            line[error] = "not asked again in this batch"
            return False
        if batch.deadline.is_over():
            line[error] = "the function had no time left for it"
            return False
        try:
            with batch.deadline.told():
                queue.send(message.record, message.outcome)
        except (*AWS_FAILED, TimeoutError) as failure:
            # It stays in the queue until the redrive policy moves it: without the reason, but not lost.
            line[error] = f"{queue.url}: {failure}"
            # SQS may reject one message and take the next. If it does not answer, each call costs time needed to report
            # what is stored.
            batch.sqs_answers = isinstance(failure, AwsRejected)
            return False
        return True
