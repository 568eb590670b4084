"""Read, verify and filter the messages of a batch before any is stored."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from webhook_runtime.batch import Batch, Done, Message, Pending
from webhook_runtime.deadline import PAUSE, Deadline
from webhook_runtime.message import MalformedMessage, Webhook, read_message
from webhook_runtime.outcome import DROPPED, Kind, Outcome, SinkDown, of_sink_down
from webhook_runtime.sources.verification import Answer, Mismatched, Unverifiable, Unverified

if TYPE_CHECKING:  # only for types: a function that verifies or filters nothing does not load them
    from webhook_runtime.filters import EventFilters
    from webhook_runtime.sources.source import Sources


class Intake:
    """``sources`` and ``event_filters`` are None if nothing is verified or dropped here.

    ``takes_payloads`` says whether a payload may be in S3.
    """

    def __init__(
        self, sources: "Sources | None", event_filters: "EventFilters | None", *, takes_payloads: bool
    ) -> None:
        self._sources = sources
        self._event_filters = event_filters
        self._takes_payloads = takes_payloads

    def look_at(self, messages: Sequence[Message], deadline: Deadline) -> None:
        """Read, verify and filter each message, the smallest first.

        A message that takes long is large, so its own client waits for it. The order in which they are stored does not
        depend on this. In a large batch the part of each message is short. A message that is late because of a pause of
        the machine gets another part, from the time that the others did not need.
        """
        smallest_first = sorted(messages, key=lambda message: len(message.record["body"]))
        part = deadline.part(len(messages) or 1)
        late = self._late(smallest_first, deadline)
        if late and part < min(PAUSE, deadline.part(len(late))):
            self._late(late, deadline)

    def _late(self, messages: Sequence[Message], deadline: Deadline) -> list[Message]:
        """Look at each, and return those that took longer than they had."""
        late = []
        for position, message in enumerate(messages, 1):
            behind = len(messages) - position
            webhook = None
            try:
                with deadline.look(behind):
                    state = self._read(message)
                    webhook = state.webhook
                    if self._sources is None:
                        message.state = self._judged(state, message.queued_at)
                        continue
                if isinstance(state, Pending):
                    # Reading the secret takes no message's own time.
                    with deadline.look():
                        self._sources.prepare(state.webhook.mount)
                with deadline.look(behind):
                    message.state = self._judged(state, message.queued_at)
            except SinkDown as down:
                message.state = Done(of_sink_down(down), webhook)
                late.append(message)
        return late

    def look_again(self, batch: Batch) -> None:
        """Wait once until all messages can be judged, and verify these again.

        In a FIFO queue, a message that cannot be judged yet would hold all others, and each would use up a receive. The
        wait is never longer than until the secret may be read again.
        """
        unsure = [message for message in batch.messages if message.is_unsure]
        if not unsure:
            return
        try:
            with batch.deadline.look():
                time.sleep(max(message.outcome.retry_after or 0 for message in unsure))
        except SinkDown:
            return
        self.look_at(unsure, batch.deadline)

    def verified(self, webhook: Webhook, queued_at: float) -> Pending | Done:
        """Verify and filter a webhook that has its payload."""
        if self._sources is None:
            return self._filtered(webhook)
        try:
            admitted = _admitted(self._sources, webhook, queued_at)
        except Mismatched as error:
            kind = Kind.UNVERIFIED if error.sure else Kind.RETRY
            reason = f"{error.reason} The secret is {error.secret}."
            return Done(Outcome(kind, "Unverified", reason, error.retry_after, error.secret), webhook)
        except Unverified as error:
            kind = Kind.UNVERIFIED if error.sure else Kind.RETRY
            return Done(Outcome(kind, "Unverified", error.reason), webhook)
        except Unverifiable as error:
            return Done(Outcome(Kind.RETRY, type(error).__name__, str(error), error.retry_after), webhook)
        if isinstance(admitted, Answer):
            # Any client may send one, so it is not for the dead-letter queue.
            late = "a direct integration cannot answer a handshake of Source.custom(): take the Lambda integration"
            return Done(Outcome(Kind.UNVERIFIED, "Handshake", late), webhook)
        return self._filtered(admitted)

    def _read(self, message: Message) -> Pending | Done:
        try:
            webhook, payload_key = read_message(message.record)
        except MalformedMessage as error:
            return Done(Outcome(Kind.PERMANENT, "MalformedMessage", str(error)))
        if payload_key is not None and not self._takes_payloads:
            reason = f"the payload is in S3, at {payload_key}, and large_payloads is off"
            return Done(Outcome(Kind.PERMANENT, "LargePayload", reason), webhook)
        return Pending(webhook, payload_key)

    def _judged(self, state: Pending | Done, queued_at: float) -> Pending | Done:
        """Verify and filter a webhook, unless its payload is still in S3."""
        if isinstance(state, Pending) and state.payload_key is None:
            return self.verified(state.webhook, queued_at)
        return state

    def _filtered(self, webhook: Webhook) -> Pending | Done:
        """Filter a webhook that is verified."""
        wanted = self._event_filters is None or self._event_filters.want(webhook)
        return Pending(webhook) if wanted else Done(DROPPED, webhook)


def _admitted(sources: "Sources", webhook: Webhook, queued_at: float) -> Webhook | Answer:
    """Admit a webhook. A mapping template cannot tell an absent payload from ``{}``, so try both."""
    try:
        return sources.admit(webhook, queued_at)
    except Unverified as rejection:
        other = {b"": b"{}", b"{}": b""}.get(webhook.body)
        if other is None:
            raise
        try:
            return sources.admit(webhook._replace(body=other), queued_at)
        except Unverified:
            raise rejection from None
