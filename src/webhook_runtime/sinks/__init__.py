"""Where webhooks end: what every sink promises, and each kind in a module."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Outcome


class Sink(Protocol):
    """What the consumer asks of a sink."""

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterable[Outcome]:
        """Store them, each once and on its own; one outcome for each, in their order. Their keys differ.

        Raises SinkDown where the sink takes nothing at present: what has no outcome yet comes back.
        """
        ...
