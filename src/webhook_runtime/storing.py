"""Give messages to the sink: each key once, and each payload from S3 in memory only while it is stored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from webhook_runtime import logs
from webhook_runtime.batch import Message, Pending, Unread
from webhook_runtime.deadline import Deadline
from webhook_runtime.intake import Intake
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, Kind, Outcome, SinkDown, of_sink_down
from webhook_runtime.sinks import Sink

if TYPE_CHECKING:  # only for types: most functions have no large payloads
    from webhook_runtime.payloads import Payloads


class Storing:
    """``payloads`` is None unless large payloads are enabled.

    If the sink is down, each method returns the outcome that the rest of the batch gets.
    """

    def __init__(self, sink: Sink, intake: Intake, payloads: "Payloads | None") -> None:
        self._sink = sink
        self._intake = intake
        self._payloads = payloads

    def store(self, messages: Sequence[Message], deadline: Deadline) -> Outcome | None:
        """Store messages together. Of several with one key, the first is stored for all."""
        by_key: dict[str, list[Message]] = {}
        webhooks: dict[str, Webhook] = {}
        for message in messages:
            if isinstance(message.state, Pending):
                webhook = message.state.webhook
                by_key.setdefault(webhook.key, []).append(message)
                webhooks.setdefault(webhook.key, webhook)
        same = iter(by_key.values())
        try:
            for outcome in self._sink.store(list(webhooks.values()), deadline) if webhooks else ():
                if outcome.kind is Kind.RETRY:
                    deadline.struggles()
                _decide(next(same), outcome)
        except SinkDown as error:
            down = of_sink_down(error)
        except Exception as error:
            # Unexpected error: stop calling the sink for this batch. Stored webhooks stay stored.
            logs.logger.exception("the sink failed")
            down = Outcome(Kind.RETRY, type(error).__name__, "the sink raised an unexpected error")
        else:
            return None
        for rest in same:
            _decide(rest, down)
        return down

    def store_alone(self, message: Message, deadline: Deadline) -> Outcome | None:
        """Store one message, whose payload may be in S3."""
        pending = message.state
        assert isinstance(pending, Pending)
        if pending.payload_key is None:
            return self.store([message], deadline)
        try:
            with deadline.step(webhooks=0):
                self._load(message, pending)
                return self.store([message], deadline)
        except SinkDown as error:
            down = of_sink_down(error)
            message.ends(down)
            return down
        finally:
            state = message.state
            assert not isinstance(state, Unread)
            assert state.webhook
            state.webhook = state.webhook._replace(body=b"")

    def _load(self, message: Message, pending: Pending) -> None:
        """Load the payload from S3, or decide the message if it is not there. Raise SinkDown."""
        webhook, key = pending.webhook, pending.payload_key
        assert self._payloads
        assert key
        body = self._payloads.get(key)
        if body is not None:
            message.state = self._intake.verified(webhook._replace(body=body), message.queued_at)
            message.state.payload_key = key
        elif self._payloads.has_expired(webhook.received_at):
            uri = self._payloads.uri(key)
            reason = f"the payload is no longer in S3, at {uri}: the lifecycle of the bucket has deleted it"
            message.ends(Outcome(Kind.PERMANENT, "PayloadExpired", reason))
        else:
            # Payloads of stored webhooks are deleted, so this is most likely a second delivery. Log it, since someone
            # may have deleted the object.
            logs.logger.warning(
                "payload gone, so stored before", extra=message.names() | {"payload": self._payloads.uri(key)}
            )
            message.ends(DUPLICATE)


def _decide(messages: Sequence[Message], outcome: Outcome) -> None:
    """Give the outcome of a webhook to every message of the batch that has its key."""
    for message in messages:
        message.ends(outcome)
        if outcome.kind is Kind.STORED:
            outcome = DUPLICATE
