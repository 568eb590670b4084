"""Several execution environments on one simulated clock, which call the consumer as an event source mapping does."""

import copy
import heapq
import itertools
import math
import threading
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

from webhook_runtime.consumer import Consumer
from webhook_runtime.message import Webhook
from webhook_runtime.testing import sqs_event

Record: TypeAlias = dict[str, Any]


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
    """A queue with an event source mapping: up to ``concurrency`` batches at a time, each in any of the environments.

    ``make`` creates a consumer, as a new environment does; the mapping is its client of SQS. ``kills`` are the times at
    which an invocation ends without an answer: its environment is lost, and its messages return after the visibility
    timeout. ``new`` is the share of batches that get a new environment although one is idle.
    """

    def __init__(
        self,
        clock: Clock,
        make: Callable[["Mapping"], Consumer],
        *,
        concurrency: int,
        batch_size: int,
        timeout: float = 30,
        visibility: float = 180,
        kills: Sequence[float] = (),
        new: float = 0.05,
        random: Random,
    ) -> None:
        self.clock = clock
        self.random = random
        self.visibility = visibility
        self.batch_size = batch_size
        self.killed_at: list[float] = []
        self.batches: list[Invoked] = []
        self._make = make
        self._concurrency = concurrency
        self._timeout = timeout
        self._kills = sorted(kills, reverse=True)
        self._new = new
        self._idle: list[Consumer] = []
        self._at_work: set[int] = set()  # threads
        # Messages by the time from which they are visible.
        self._messages: list[tuple[float, int, Record]] = []
        self._order = itertools.count()
        self._delays: dict[str, float] = {}
        clock.before_waking = self._strike

    def send(self, *records: Record) -> None:
        for record in records:
            heapq.heappush(self._messages, (0, next(self._order), record))

    def run(self, until: float = math.inf) -> None:
        """Deliver until the queue is empty, or until this time."""
        self.clock.run(*[lambda: self._poll(until)] * self._concurrency)

    def _poll(self, until: float) -> None:
        while self.clock.now < until:
            if batch := self.receive():
                self._invoke(batch)
            elif (at := self.visible_at()) < math.inf:
                self.clock.sleep(max(at - self.clock.now, 0.001))
            elif self._at_work:  # its messages may return
                self.clock.sleep(0.1)
            else:
                return

    def _invoke(self, batch: list[Record]) -> None:
        is_new = not self._idle or self.random.random() < self._new
        consumer = self._make(self) if is_new else self._idle.pop(self.random.randrange(len(self._idle)))
        for record in batch:
            attributes = record["attributes"]
            attributes["ApproximateReceiveCount"] = str(int(attributes["ApproximateReceiveCount"]) + 1)
        invoked = Invoked(batch, self.clock.now)
        self.batches.append(invoked)
        self._at_work.add(threading.get_ident())
        try:
            answer = consumer.handle({"Records": copy.deepcopy(batch)}, Context(self.clock, self._timeout))
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            invoked.failed = [record for record in batch if record["messageId"] in failed]
            self._idle.append(consumer)
        except Killed:
            invoked.failed = batch
            self._delays.update({record["receiptHandle"]: self.visibility for record in batch})
        finally:
            self._at_work.remove(threading.get_ident())
            invoked.ended = self.clock.now
        until = {record["messageId"]: self._delays.pop(record["receiptHandle"], 0) for record in batch}
        self.give_back(invoked, {id: self.clock.now + delay for id, delay in until.items()})

    def receive(self) -> list[Record]:
        """Return the messages of a batch, if any are visible."""
        batch: list[Record] = []
        while self._messages and self._messages[0][0] <= self.clock.now and len(batch) < self.batch_size:
            batch.append(heapq.heappop(self._messages)[2])
        return batch

    def visible_at(self) -> float:
        """Return the time at which a message can be received next."""
        return self._messages[0][0] if self._messages else math.inf

    def give_back(self, invoked: "Invoked", visible: Mapping_[str, float]) -> None:
        """Put the messages that failed back, each with its time. The others are deleted."""
        for record in invoked.failed:
            heapq.heappush(self._messages, (visible[record["messageId"]], next(self._order), record))

    def _strike(self) -> None:
        """End the invocation that wakes, if one has to end by now."""
        if self._kills and self._kills[-1] <= self.clock.now and threading.get_ident() in self._at_work:
            self._kills.pop()
            self.killed_at.append(self.clock.now)
            raise Killed

    # The consumer calls this as a method of its boto3 client.

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:
        self._delays.update({entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries})
        return {}


@dataclass
class Invoked:
    """A batch: its messages, the time of its invocation, and those that it gave back."""

    batch: list[Record]
    began: float
    ended: float = math.inf
    failed: list[Record] = field(default_factory=list)


class FifoMapping(Mapping):
    """The mapping of a FIFO queue. It runs groups side by side, as SQS does, and a batch may have several of them.

    A group with a message in flight, or with one that is hidden, gives none.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._groups: dict[str, list[Record]] = {}
        self._from: dict[str, float] = {}

    def send(self, *records: Record) -> None:
        for record in records:
            self._groups.setdefault(record["attributes"]["MessageGroupId"], []).append(record)

    def receive(self) -> list[Record]:
        groups = [group for group, left in self._groups.items() if left and self._visible(group) <= self.clock.now]
        self.random.shuffle(groups)
        batch: list[Record] = []
        for group in groups:
            taken = self._groups[group][: self.random.randint(1, self.batch_size - len(batch))]
            batch += taken
            self._from[group] = math.inf
            if len(batch) == self.batch_size:
                break
        # Those of different groups come in any order, those of one group in theirs.
        order = [record["attributes"]["MessageGroupId"] for record in batch]
        self.random.shuffle(order)
        left = {group: iter(self._groups[group]) for group in order}
        return [next(left[group]) for group in order]

    def visible_at(self) -> float:
        return min((self._visible(group) for group, left in self._groups.items() if left), default=math.inf)

    def give_back(self, invoked: Invoked, visible: Mapping_[str, float]) -> None:
        failed = {record["messageId"] for record in invoked.failed}
        done = {record["messageId"] for record in invoked.batch} - failed
        for group in {record["attributes"]["MessageGroupId"] for record in invoked.batch}:
            self._groups[group] = [each for each in self._groups[group] if each["messageId"] not in done]
            of_group = [each for each in invoked.failed if each["attributes"]["MessageGroupId"] == group]
            self._from[group] = max((visible[each["messageId"]] for each in of_group), default=self.clock.now)

    def _visible(self, group: str) -> float:
        return self._from.get(group, 0)


def records(*webhooks: Webhook, group: str | None = None) -> list[Record]:
    """Return the messages of webhooks, in a FIFO queue if they have a group."""
    made: list[Record] = sqs_event(*webhooks)["Records"]
    for record in made:
        record["attributes"]["ApproximateReceiveCount"] = "0"
        if group is not None:
            record["eventSourceARN"] += ".fifo"
            record["attributes"]["MessageGroupId"] = group
    return made


def peak(times: Sequence[float], seconds: float = 1.0) -> int:
    """Return the most events of any window of so many seconds, which does not include its end."""
    times, first, most = sorted(times), 0, 0
    for position, at in enumerate(times):
        while times[first] <= at - seconds + 1e-9:
            first += 1
        most = max(most, position - first + 1)
    return most
