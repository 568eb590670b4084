"""A batch in one round trip, and in more only where a webhook in it is bad: then the others must not suffer for it."""

from collections.abc import Callable, Iterator, Sequence

from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Kind, Outcome


class BadWebhook(Exception):
    """The sink refuses a webhook of this call for what it holds, and has stored none of the call."""

    def __init__(self, error: str, reason: str) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason


Insert = Callable[[Sequence[Webhook]], Sequence[Outcome]]


def insert_each(webhooks: Sequence[Webhook], insert: Insert, deadline: Deadline) -> Iterator[Outcome]:
    """One outcome for each, in their order. What is refused is halved until the bad one stands alone."""
    try:
        with deadline.step():
            outcomes = insert(webhooks)
        yield from outcomes
    except BadWebhook as bad:
        if len(webhooks) == 1:
            yield Outcome(Kind.PERMANENT, bad.error, bad.reason)
            return
        half = len(webhooks) // 2
        yield from insert_each(webhooks[:half], insert, deadline)
        yield from insert_each(webhooks[half:], insert, deadline)
