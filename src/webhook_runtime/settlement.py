"""Tell SQS the outcomes of messages: each is done, or it is retried later."""

from collections.abc import Mapping, Sequence

from webhook_runtime import logs
from webhook_runtime.batch import Batch, Message
from webhook_runtime.clients import AwsRejected, AwsUnreachable
from webhook_runtime.dead_letters import DeadLetters, Entry
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
        # In the order in which a message tries them, each with the name of its error in a log line.
        self._queues = (
            (Kind.UNVERIFIED, unverified, "unverified_queue_error"),
            (Kind.PERMANENT, dead_letters, "dead_letter_queue_error"),
        )
        self._has_unverified = unverified is not None
        self._max_receive_count = max_receive_count

    def settle(self, messages: Sequence[Message], batch: Batch) -> list[Message]:
        """Return the messages to retry. SQS may delete the others: they are stored, dropped, or safe in another queue.
        Log which.
        """
        ways = {message: self._ways_out(message) for message in messages}
        aside: dict[Message, Kind] = {}
        errors: dict[Message, dict[str, str]] = {message: {} for message in messages}
        for kind, queue, name in self._queues:
            if queue is None:
                continue
            tried = [message for message, kinds in ways.items() if kind in kinds and message not in aside]
            failed = self._put_aside(tried, queue, batch)
            aside |= {message: kind for message in tried if message not in failed}
            for message, why_not in failed.items():
                errors[message][name] = why_not
        return [message for message in messages if not self._ends(message, aside.get(message), errors[message])]

    def _ways_out(self, message: Message) -> list[Kind]:
        """Return the kinds of queue to try for a message that is not retried.

        A message that is certainly not from its provider needs no person's attention. Nor does one that could not be
        judged, since no signature of it fits.
        """
        kind = message.outcome.kind
        if kind in ENDED_WELL:
            return []
        is_last = self._max_receive_count is not None and message.attempt >= self._max_receive_count
        if self._has_unverified and (kind is Kind.UNVERIFIED or (is_last and message.is_unsure)):
            return [Kind.UNVERIFIED, Kind.PERMANENT] if is_last else [Kind.UNVERIFIED]
        return [Kind.PERMANENT] if is_last or kind is not Kind.RETRY else []

    def _put_aside(self, messages: Sequence[Message], queue: DeadLetters, batch: Batch) -> dict[Message, str]:
        """Send messages to another queue, in as few calls as it takes. Return the errors of those that stay.

        These stay in their queue until the redrive policy moves them: without the reason, but not lost.
        """
        failed: dict[Message, str] = {}
        for entries in queue.calls(messages):
            failed |= self._send(entries, queue, batch)
        return failed

    def _send(self, entries: Mapping[Message, Entry], queue: DeadLetters, batch: Batch) -> dict[Message, str]:
        if not batch.sqs_answers:
            return dict.fromkeys(entries, "not asked again in this batch")
        if batch.deadline.is_over():
            return dict.fromkeys(entries, "the function had no time left for it")
        failed: Mapping[Message, Exception]
        try:
            with batch.deadline.told():
                failed = queue.send(entries)
        except AwsRejected as error:
            if len(entries) > 1:
                # One of them may be to blame, or all are too large for one call where SQS takes less.
                each = ({message: entry} for message, entry in entries.items())
                return {message: why for alone in each for message, why in self._send(alone, queue, batch).items()}
            failed = dict.fromkeys(entries, error)
        except (AwsUnreachable, TimeoutError) as error:
            # Each call without an answer costs time needed to report what is stored.
            batch.sqs_answers = False
            failed = dict.fromkeys(entries, error)
        again = queue.shortened(failed)
        why_not = {message: f"{queue.url}: {error}" for message, error in failed.items() if message not in again}
        return why_not | (self._send(again, queue, batch) if again else {})

    def _ends(self, message: Message, aside: Kind | None, errors: Mapping[str, str]) -> bool:
        """Log the outcome of a message, and tell whether it is not retried. ``aside`` is the kind of queue it is in."""
        outcome, line = message.outcome, message.names()
        if outcome.kind in ENDED_WELL:
            logs.logger.info(outcome.kind.value, extra=line)
            return True
        line |= {"error": outcome.error, "reason": outcome.reason, **errors}
        if outcome.secret:  # counted by metric_mismatched()
            line["secret"] = outcome.secret
        if aside is not None:
            message.ends(outcome._replace(kind=aside))
            logs.logger.warning(aside.value, extra=line)
            return True
        message.delay = self._redelivery.delay(message.attempt, outcome.retry_after)
        logs.logger.warning("failed", extra=line | {"retry_in": message.delay})
        return False
