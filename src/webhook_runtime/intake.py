"""What is done with a message before anything is stored: it is read, verified and filtered, in its own time."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from webhook_runtime.batch import Batch, Done, Message, Pending
from webhook_runtime.deadline import PAUSE, Deadline
from webhook_runtime.message import MalformedMessage, Webhook, read_message
from webhook_runtime.outcome import DROPPED, Kind, Outcome, SinkDown, of_sink_down
from webhook_runtime.sources.verification import Answer, Mismatched, Unverifiable, Unverified

if TYPE_CHECKING:  # a function that verifies or filters nothing need not load them
    from webhook_runtime.filters import EventFilters
    from webhook_runtime.sources.source import Sources


class Intake:
    """``sources`` is None where nothing is verified here, ``event_filters`` where everything is wanted.
    ``takes_payloads`` is whether a payload may be in S3."""

    def __init__(
        self, sources: "Sources | None", event_filters: "EventFilters | None", *, takes_payloads: bool
    ) -> None:
        self._sources = sources
        self._event_filters = event_filters
        self._takes_payloads = takes_payloads

    def look_at(self, messages: Sequence[Message], deadline: Deadline) -> None:
        """The smallest first, since what takes long is large: whoever sends that waits for the others. In which order
        they are stored does not depend on it. In a large batch the part of each is short, and a message that a pause of
        the machine made late has another part of what the others did not need."""
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
                if isinstance(state, Pending) and self._sources is not None:
                    # What the secret takes is no message's own time.
                    with deadline.look():
                        self._sources.prepare(state.webhook.mount)
                with deadline.look(behind):
                    message.state = self._judged(state, message.queued_at)
            except SinkDown as down:
                message.state = Done(of_sink_down(down), webhook)
                late.append(message)
        return late

    def look_again(self, batch: Batch) -> None:
        """What cannot be judged yet would hold everybody behind it in a FIFO queue, and use up a receive of each. So
        it is waited for here, once for all of the batch: never longer than until the secret may be asked for again."""
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
        """What comes of a webhook that has its payload, by who sent it."""
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
            # Anybody may ask for one, so it is no dead letter.
            late = "a handshake is answered at the door, and this door cannot"
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
        """What comes of what was read. A payload that is in S3 is judged once it is here."""
        if isinstance(state, Pending) and state.payload_key is None:
            return self.verified(state.webhook, queued_at)
        return state

    def _filtered(self, webhook: Webhook) -> Pending | Done:
        """What comes of a webhook that is known to be of its sender."""
        wanted = self._event_filters is None or self._event_filters.want(webhook)
        return Pending(webhook) if wanted else Done(DROPPED, webhook)


def _admitted(sources: "Sources", webhook: Webhook, queued_at: float) -> Webhook | Answer:
    """To a mapping template an absent payload and ``{}`` are one: its sender has signed either."""
    try:
        return sources.admit(webhook, queued_at)
    except Unverified as refusal:
        other = {b"": b"{}", b"{}": b""}.get(webhook.body)
        if other is None:
            raise
        try:
            return sources.admit(replace(webhook, body=other), queued_at)
        except Unverified:
            raise refusal from None
