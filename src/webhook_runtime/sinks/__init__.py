"""The destinations of webhooks: the protocol of a sink, and a module for each kind."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Outcome


class Sink(Protocol):
    """A destination that the consumer stores webhooks in."""

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterable[Outcome]:
        """Store webhooks, each once and by itself, and return one outcome for each, in their order.

        No two have the same key. Raise SinkDown if the sink takes nothing at present: webhooks without an outcome are
        retried.
        """
        ...


class Pinged(Protocol):
    """A sink that the circuit breaker can ask how it is."""

    def ping(self, deadline: Deadline) -> None:
        """Ask the sink in the way in which it stores, and store nothing. Raise SinkDown if it would take nothing."""
        ...
