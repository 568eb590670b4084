"""Store a batch in one round trip. Only a batch with a bad webhook takes more, so that the others are still stored."""

from collections.abc import Callable, Iterator, Sequence

from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Kind, Outcome


class BadWebhook(Exception):
    """The sink rejects a webhook of this call for its content, and has stored none of the call."""

    def __init__(self, error: str, reason: str) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason


Insert = Callable[[Sequence[Webhook]], Sequence[Outcome]]


def insert_each(webhooks: Sequence[Webhook], insert: Insert, deadline: Deadline) -> Iterator[Outcome]:
    """Return one outcome for each webhook, in their order. Halve a rejected batch until the bad webhook is alone."""
    for part in deadline.parts(webhooks):
        yield from _insert_part(part, insert, deadline)


def _insert_part(webhooks: Sequence[Webhook], insert: Insert, deadline: Deadline) -> Iterator[Outcome]:
    try:
        with deadline.step(len(webhooks)):
            outcomes = insert(webhooks)
        yield from outcomes
    except BadWebhook as bad:
        if len(webhooks) == 1:
            yield Outcome(Kind.PERMANENT, bad.error, bad.reason)
            return
        half = len(webhooks) // 2
        yield from _insert_part(webhooks[:half], insert, deadline)
        yield from _insert_part(webhooks[half:], insert, deadline)
