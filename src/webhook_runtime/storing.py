"""How messages come into the sink: each key once, and a payload from S3 in memory only for as long."""

from collections.abc import Sequence
from dataclasses import replace

from webhook_runtime import logs
from webhook_runtime.batch import Message, Pending
from webhook_runtime.deadline import Deadline
from webhook_runtime.intake import Intake
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, Kind, Outcome, SinkDown, of_sink_down
from webhook_runtime.payloads import Payloads
from webhook_runtime.sinks import Sink


class Storing:
    """``payloads`` is None where large payloads are not enabled. Where the sink is down, each method returns what the
    others of the batch have to expect."""

    def __init__(self, sink: Sink, intake: Intake, payloads: Payloads | None) -> None:
        self._sink = sink
        self._intake = intake
        self._payloads = payloads

    def store(self, messages: Sequence[Message], deadline: Deadline) -> Outcome | None:
        """Together. Each key once: the first message that has it speaks for the others."""
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
                _tell(next(same), outcome)
        except SinkDown as error:
            down = of_sink_down(error)
        except Exception as error:
            # Not foreseen, so nobody knows whether the next call would fare better. What is stored stays stored.
            logs.logger.exception("the sink failed")
            down = Outcome(Kind.RETRY, type(error).__name__, "the sink failed in a way that was not foreseen")
        else:
            return None
        for rest in same:
            _tell(rest, down)
        return down

    def store_alone(self, message: Message, deadline: Deadline) -> Outcome | None:
        """One message, whose payload may be in S3."""
        pending = message.state
        assert isinstance(pending, Pending)
        if pending.payload_key is None:
            return self.store([message], deadline)
        try:
            with deadline.step():
                self._fetch(message, pending)
                return self.store([message], deadline)
        except SinkDown as error:
            down = of_sink_down(error)
            message.ends(down)
            return down
        finally:
            assert message.state.webhook
            message.state = message.state._replace(webhook=replace(message.state.webhook, body=b""))

    def _fetch(self, message: Message, pending: Pending) -> None:
        """The payload from S3, or the outcome of a webhook whose payload is not there. Raises SinkDown."""
        webhook, key = pending.webhook, pending.payload_key
        assert self._payloads
        assert key
        body = self._payloads.get(key)
        if body is not None:
            message.state = self._intake.verified(replace(webhook, body=body), message.queued_at)._replace(
                payload_key=key
            )
        elif self._payloads.has_expired(webhook.received_at):
            reason = f"the payload is no longer in S3, at {key}: it has outlived the life cycle of the bucket"
            message.ends(Outcome(Kind.PERMANENT, "PayloadExpired", reason))
        else:
            # Only what is stored is deleted, so SQS has delivered it once more. That somebody else has deleted it
            # cannot be told from that, so it is said.
            logs.logger.warning("payload gone, so stored before", extra=message.names() | {"payload_key": key})
            message.ends(DUPLICATE)


def _tell(messages: Sequence[Message], outcome: Outcome) -> None:
    """The outcome of a webhook, to every message of the batch that carries it."""
    for message in messages:
        message.ends(outcome)
        if outcome.kind is Kind.STORED:
            outcome = DUPLICATE
