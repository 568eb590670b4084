"""Redrive or delete the messages that are wanted, and leave the others as they were.

A message is first sent to its queue, and then deleted, so a kill in between loses none. A message that is in both
queues is stored once, since a webhook has an id.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

from scalable_webhook_cli.dead_letters.look import look
from scalable_webhook_cli.dead_letters.message import Message
from scalable_webhook_cli.dead_letters.queue import Failures, Queue
from scalable_webhook_cli.deployed import DeployedWebhook
from webhook_runtime.contract.messages import ENTRIES
from webhook_runtime.contract.settings import PaceSettings

# The most that SQS moves by itself in a second.
MOST_A_SECOND = 500


def safe_rate(webhook: DeployedWebhook) -> int:
    """Return the messages a second behind which new webhooks do not wait for long.

    A batch may take a second: it is the number that the consumer may have in progress. The sink is asked for no more.
    """
    seconds_each = webhook.settings(PaceSettings).seconds_each
    batches = webhook.batches_at_a_time
    rate = batches * webhook.batch_size
    if seconds_each:
        rate = min(rate, int(batches / seconds_each))
    return min(max(rate, 1), MOST_A_SECOND)


@dataclass(frozen=True)
class Wanted:
    """The messages that a person means.

    Attributes:
        before: Only those that are there since before this time, so that none is moved in a circle.
        source: The ARN of the queue that they are for. SQS may have moved messages of other queues there as well.
        error: Only those of this error.
        ids: Only those with one of these ids of SQS.
    """

    before: float
    source: str
    error: str | None = None
    ids: Collection[str] | None = None

    def has(self, message: Message) -> bool:
        return (
            message.sent_at <= self.before
            and message.source in (None, self.source)
            and self.error in (None, message.error)
            and (self.ids is None or message.id in self.ids)
        )


@dataclass
class Done:
    """The messages that are done so far.

    Attributes:
        done: The number that was moved or deleted.
        arrived: The number that arrived in the meantime, and was left alone.
        twice: The number that was sent, and is in both queues, since SQS did not delete them.
        failures: The number that SQS did not take or delete, by its reason.
        unseen: The number that was there and not seen, as far as SQS tells.
    """

    done: int = 0
    arrived: int = 0
    twice: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    unseen: int = 0

    def told(self) -> dict[str, Any]:
        return {"arrived": self.arrived, "failed": dict(self.failures), "twice": self.twice, "unseen": self.unseen}


class Pace:
    """Lets so many messages a second pass, in any thread."""

    def __init__(self, rate: int, stop: Event) -> None:
        self.batch = min(rate, ENTRIES)
        self._seconds_each = 1 / rate
        self._next = time.monotonic()
        self._stop = stop
        self._lock = Lock()

    def wait(self, count: int) -> bool:
        """Wait for the turn of so many messages. Return False if everything has to stop."""
        with self._lock:
            at = max(self._next, time.monotonic())
            self._next = at + count * self._seconds_each
        return not self._stop.wait(at - time.monotonic())


class Sorting:
    """Takes the messages that are wanted out of a queue: moves them if there is a queue to move them to."""

    def __init__(
        self,
        queue: Queue,
        wanted: Wanted,
        *,
        to: Queue | None = None,
        rate: int = MOST_A_SECOND,
    ) -> None:
        self.done = Done()
        self._tell: Callable[[int], None] = lambda _: None
        self._queue = queue
        self._wanted = wanted
        self._to = to
        self._stop = Event()
        self._pace = Pace(rate, self._stop) if to else None
        self._lock = Lock()

    def run(self, tell: Callable[[int], None]) -> None:
        """Do it. ``tell`` is called with the number so far."""
        self._tell = tell
        looked = look(self._queue, self._take, patient=True, stop=self._stop)
        self.done.unseen = 0 if self._has_all else looked.unseen

    @property
    def _has_all(self) -> bool:
        """Whether all the messages that were named are done."""
        return self._wanted.ids is not None and self.done.done >= len(self._wanted.ids)

    def _take(self, messages: Sequence[Message]) -> list[str]:
        wanted = [message for message in messages if self._wanted.has(message)]
        with self._lock:
            self.done.arrived += sum(message.sent_at > self._wanted.before for message in messages)
        size = self._pace.batch if self._pace else ENTRIES
        return [id for first in range(0, len(wanted), size) for id in self._settle(wanted[first : first + size])]

    def _settle(self, messages: Sequence[Message]) -> list[str]:
        """Return the ids of the messages that are no longer there."""
        unsent: Failures = {}
        if self._to and self._pace:
            if not self._pace.wait(len(messages)):
                return []
            unsent = self._to.send(messages)
        sent = [message for message in messages if message.id not in unsent]
        undeleted = self._queue.delete(sent)
        gone = [message.id for message in sent if message.id not in undeleted]
        with self._lock:
            self.done.done += len(gone)
            self.done.twice += len(undeleted) if self._to else 0
            self.done.failures.update([*unsent.values(), *undeleted.values()])
            self._tell(self.done.done)
            if self._has_all:
                self._stop.set()
        return gone
