"""Several execution environments on one simulated clock, which call the consumer as an event source mapping does."""

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from webhook_runtime.consumer import Consumer
from webhook_runtime.message import Webhook
from webhook_runtime.testing import sqs_event


class Killed(BaseException):
    """Ends an invocation, as the end of an environment does."""


class Clock:
    """Time for several threads, of which one runs at a time: it passes when all of them sleep.

    It stands for the module ``time``.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._asleep: list[tuple[float, int, threading.Semaphore]] = []
        self._order = itertools.count()
        self._one_sleeps = threading.Semaphore(0)
        self.before_waking: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        turn = threading.Semaphore(0)
        heapq.heappush(self._asleep, (self.now + max(0.0, seconds), next(self._order), turn))
        self._one_sleeps.release()
        turn.acquire()
        self.before_waking()

    def run(self, *workers: Callable[[], object]) -> None:
        """Run the workers until all have ended, and raise the error of one that failed."""
        errors: list[BaseException] = []

        def work(worker: Callable[[], object]) -> None:
            try:
                self.sleep(0)
                worker()
            except BaseException as error:
                errors.append(error)
            finally:
                self._one_sleeps.release()

        for worker in workers:
            threading.Thread(target=work, args=[worker]).start()
            self._one_sleeps.acquire()
        while self._asleep:
            self.now, _, turn = heapq.heappop(self._asleep)
            turn.release()
            self._one_sleeps.acquire()
        if errors:
            raise errors[0]


class Context:
    """Lambda's context: the time that is left by the simulated clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.now + seconds

    def get_remaining_time_in_millis(self) -> int:
        return round((self._end - self._clock.now) * 1000)


class Mapping:
    """An event source mapping: up to ``concurrency`` batches at a time, each in any of the environments.

    ``make`` creates a consumer, as a new environment does. ``kills`` are the times at which an invocation ends without
    an answer; its environment is lost, and its messages return after the visibility timeout. ``new`` is the share of
    batches that get a new environment although one is idle.
    """

    def __init__(
        self,
        clock: Clock,
        make: Callable[[], Consumer],
        *,
        concurrency: int,
        batch_size: int,
        timeout: float = 30,
        visibility: float = 180,
        kills: Sequence[float] = (),
        new: float = 0.05,
        random: Random,
    ) -> None:
        self._clock = clock
        self._make = make
        self._concurrency = concurrency
        self._batch_size = batch_size
        self._timeout = timeout
        self._visibility = visibility
        self._new = new
        self._kills = sorted(kills, reverse=True)
        self._random = random
        self._idle: list[Consumer] = []
        # Messages by the time from which they are visible.
        self._messages: list[tuple[float, int, dict[str, Any]]] = []
        self._order = itertools.count()
        self._at_work: set[int] = set()  # threads
        self.killed_at: list[float] = []
        clock.before_waking = self._strike

    def send(self, webhooks: Sequence[Webhook]) -> None:
        for webhook in webhooks:
            (record,) = sqs_event(webhook)["Records"]
            self._return(record, 0)

    def run(self, until: float | None = None) -> None:
        """Deliver until the queue is empty, or until this time."""
        self._clock.run(*[lambda: self._poll(until)] * self._concurrency)

    def _poll(self, until: float | None) -> None:
        while until is None or self._clock.now < until:
            batch = self._receive()
            if batch:
                self._invoke(batch)
            elif self._messages:
                self._clock.sleep(max(self._messages[0][0] - self._clock.now, 0.001))
            elif self._at_work:  # its messages may return
                self._clock.sleep(0.1)
            else:
                return

    def _receive(self) -> list[dict[str, Any]]:
        batch = []
        while self._messages and self._messages[0][0] <= self._clock.now and len(batch) < self._batch_size:
            record = heapq.heappop(self._messages)[2]
            attributes = record["attributes"]
            count = int(attributes["ApproximateReceiveCount"])
            batch.append(record | {"attributes": attributes | {"ApproximateReceiveCount": str(count + 1)}})
        return batch

    def _invoke(self, batch: list[dict[str, Any]]) -> None:
        is_new = not self._idle or self._random.random() < self._new
        consumer = self._make() if is_new else self._idle.pop(self._random.randrange(len(self._idle)))
        self._at_work.add(threading.get_ident())
        began = self._clock.now
        try:
            answer = consumer.handle({"Records": batch}, Context(self._clock, self._timeout))
        except Killed:
            for record in batch:
                self._return(record, began + self._visibility)
            return
        finally:
            self._at_work.remove(threading.get_ident())
        self._idle.append(consumer)
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        for record in batch:
            if record["messageId"] in failed:
                self._return(record, self._clock.now)

    def _return(self, record: dict[str, Any], visible: float) -> None:
        heapq.heappush(self._messages, (visible, next(self._order), record))

    def _strike(self) -> None:
        """End the invocation that wakes, if one has to end by now."""
        if self._kills and self._kills[-1] <= self._clock.now and threading.get_ident() in self._at_work:
            self._kills.pop()
            self.killed_at.append(self._clock.now)
            raise Killed


def peak(times: Sequence[float], seconds: float = 1.0) -> int:
    """Return the most events of any window of so many seconds, which does not include its end."""
    times, first, most = sorted(times), 0, 0
    for position, at in enumerate(times):
        while times[first] <= at - seconds + 1e-9:
            first += 1
        most = max(most, position - first + 1)
    return most
