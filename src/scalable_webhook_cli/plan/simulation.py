"""Discrete events over batches: an endpoint, a queue, an event source mapping and a sink on a simulated clock."""

import math
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.plan.load import BatchTime, Load, Outage
from scalable_webhook_cli.plan.series import Series
from scalable_webhook_cli.plan.template import Deployed
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_IN_FLIGHT
from webhook_runtime.contract.pace import most_a_call
from webhook_runtime.contract.pausing import SLOW_SECONDS, SLOW_START, STOPS_SECONDS

# An event source mapping begins with 5 batches at a time, and adds up to 300 a minute.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_BEGINS, _ADDS_A_SECOND = 5, 300 / 60

# No document tells how long a mapping takes to stop or to start.
_SWITCH_SECONDS = 5.0

# A plan of a steady load alone is of so many seconds.
_STEADY_SECONDS = 300.0
# More takes minutes.
_MOST = {"webhooks": 5_000_000, "batches": 2_000_000, "tries": 20_000_000}

_WAITING, _HIDDEN, _IN_PROGRESS, _ENDED = range(4)

_Batch = tuple[float, int, int, Sequence[int], bool]


@dataclass(kw_only=True)
class Counts:
    """The outcomes of webhooks, and what they took.

    ``rejected`` are answered with 429, and ``expired`` were deleted by SQS. ``postponed`` are the deliveries that
    failed, and ``seconds`` the time of all batches together.
    """

    sent: int = 0
    rejected: int = 0
    stored: int = 0
    dead_lettered: int = 0
    expired: int = 0
    batches: int = 0
    tries: int = 0
    postponed: int = 0
    seconds: float = 0.0
    pauses: int = 0
    paused_seconds: float = 0.0
    peak_backlog: int = 0
    peak_at: float = 0.0
    peak_in_flight: int = 0
    oldest: float = 0.0
    drained_at: float = 0.0
    ended_at: float = 0.0


class Simulation:
    """One run. Webhooks have numbers, in the order in which they are accepted."""

    def __init__(self, deployed: Deployed, load: Load, outage: Outage | None, time: BatchTime, seed: int) -> None:
        assert deployed.max_concurrency is not None
        assert deployed.batch_size is not None
        self.counts = Counts()
        self.ages = array("d")  # of the stored ones
        self.series = Series()
        self._deployed, self._load, self._time = deployed, load, time
        self._concurrency, self._size = deployed.max_concurrency, deployed.batch_size
        self._outage = outage or Outage(seconds=0)
        self._uniform = Random(seed).uniform  # noqa: S311 (no secret)
        self._backoff = (
            Backoff(deployed.retry_initial, deployed.retry_maximum) if deployed.retry_initial is not None else None
        )
        self._tries = math.inf if deployed.max_receive_count is None else deployed.max_receive_count
        self._now = 0.0
        self._settles_at = load.settles_at(outage)
        if self._settles_at == 0 and not load.burst:
            self._settles_at = _STEADY_SECONDS
        self._is_drained = False
        # The endpoint.
        self._next_arrival: float = 0.0
        self._tokens, self._filled_at = float(deployed.burst_limit), 0.0
        self._arrive()
        # The queue. Each webhook: its time, its tries, its state, and the time from which it waits.
        self._accepted_at, self._since = array("d"), array("d")
        self._received, self._state = array("I"), bytearray()
        self._waiting: deque[int] = deque()
        self._hidden: list[tuple[float, int]] = []
        self._number = [0] * 4  # of webhooks by state
        self._oldest = self._kept = 0  # the oldest one in the queue, and the oldest that SQS keeps
        # The mapping, and its environments.
        self._batches: list[_Batch] = []
        self._idle: list[int] = []
        self._failures: list[int] = []
        self._busy_since = 0.0
        # The circuit breaker.
        self._is_enabled = True
        self._stops_at = self._probes_at = self._starts_at = math.inf
        self._wait = self._slow_until = self._paused_at = 0.0

    def run(self) -> None:
        """Run until the queue is empty again.

        Raises:
            CliError: It takes too many webhooks or tries.
        """
        at: float | None = 0.0
        while at is not None:
            self._now = at
            self._admit()
            self._expire()
            self._show()
            self._sample()
            while self._batches and self._batches[0][0] <= at:
                self._finish(heappop(self._batches))
            if self._deployed.breaker:
                self._switch()
            self._fetch()
            self._settle()
            self._require_few()
            at = self._next()
        self.counts.ended_at = self._now

    def _next(self) -> float | None:
        """Return the time of the next event, or None if nothing is left."""
        if self._is_drained and not self._batches:
            return None
        times = [self.series.next(self._now), self._stops_at, self._probes_at, self._starts_at]
        if self._now < self._settles_at:
            times.append(self._settles_at)
        if self._batches:
            times.append(self._batches[0][0])
        limit = self._limit()
        if self._is_enabled and len(self._batches) < limit:
            times += [self._next_arrival, self._hidden[0][0] if self._hidden else math.inf]
            if self._number[_WAITING] and not (self._hidden and self._deployed.in_order) and self._has_room():
                times.append(self._since[self._first()] + self._deployed.window)
        elif self._is_enabled and self._number[_WAITING] and limit < self._concurrency:
            times.append(max(self._now, self._slow_until) + 1 / _ADDS_A_SECOND)
        return max(self._now, min(times))

    def _require_few(self) -> None:
        counts = self.counts
        for what, number in (("webhooks", counts.sent), ("batches", counts.batches), ("tries", counts.tries)):
            if number > _MOST[what]:
                raise CliError(
                    f"a plan takes at most {_MOST[what]:,} {what}, got more before the queue is empty again; shorten "
                    "--outage or --over, or lower --burst or --then"
                )

    # The endpoint.

    def _arrive(self) -> None:
        """Set the time of the next arrival."""
        number, load = self.counts.sent, self._load
        if number < load.burst:
            self._next_arrival = number * load.over / load.burst
        elif load.then and not self._is_drained:
            self._next_arrival = load.burst_ends + (number - load.burst + 1) / load.then
        else:
            self._next_arrival = math.inf

    def _admit(self) -> None:
        """Accept what has arrived, as far as the endpoint does: a bucket of tokens, which fills with time."""
        rate, most = self._deployed.rate_limit, self._deployed.burst_limit
        while (at := self._next_arrival) <= self._now:
            self._tokens = min(most, self._tokens + (at - self._filled_at) * rate)
            self._filled_at = at
            self.counts.sent += 1
            if self._tokens >= 1 - 1e-9:
                self._tokens -= 1
                self._waiting.append(len(self._state))
                self._accepted_at.append(at)
                self._since.append(at)
                self._received.append(0)
                self._state.append(_WAITING)
                self._number[_WAITING] += 1
            else:
                self.counts.rejected += 1
            self._arrive()

    # The queue.

    def _expire(self) -> None:
        """Delete what is older than the retention period. A webhook in progress is looked at when it fails."""
        until = self._now - self._deployed.retention
        while self._kept < len(self._state) and self._accepted_at[self._kept] <= until:
            if self._state[self._kept] in (_WAITING, _HIDDEN):
                self._become(self._kept, _ENDED)
                self.counts.expired += 1
            self._kept += 1
        while self._oldest < len(self._state) and self._state[self._oldest] == _ENDED:
            self._oldest += 1

    def _show(self) -> None:
        """Let webhooks wait whose delay is over: at the end, or in their order."""
        shown = []
        while self._hidden and (self._hidden[0][0] <= self._now or self._state[self._hidden[0][1]] == _ENDED):
            at, webhook = heappop(self._hidden)
            if self._state[webhook] == _HIDDEN:
                self._become(webhook, _WAITING)
                self._since[webhook] = at
                shown.append(webhook)
        if self._deployed.in_order:
            self._waiting.extendleft(sorted(shown, reverse=True))
        else:
            self._waiting.extend(shown)

    def _become(self, webhook: int, state: int) -> None:
        self._number[self._state[webhook]] -= 1
        self._state[webhook] = state
        self._number[state] += 1

    def _first(self) -> int:
        """Return the first webhook that waits."""
        while self._state[self._waiting[0]] != _WAITING:
            self._waiting.popleft()
        return self._waiting[0]

    def _sample(self) -> None:
        counts = self.counts
        backlog = len(self._state) - self._number[_ENDED]
        if backlog > counts.peak_backlog:
            counts.peak_backlog, counts.peak_at = backlog, self._now
        age = self._now - self._accepted_at[self._oldest] if self._oldest < len(self._state) else 0.0
        counts.oldest = max(counts.oldest, age)
        self.series.add(self._now, backlog, age)

    # The mapping.

    def _limit(self) -> int:
        """Return the batches that may be in progress now."""
        if self._now < self._slow_until:
            return min(self._concurrency, SLOW_START)
        if self._concurrency <= _BEGINS:
            return self._concurrency
        return min(self._concurrency, int(_BEGINS + _ADDS_A_SECOND * (self._now - self._busy_since) + 1e-6))

    def _has_room(self) -> bool:
        return self._number[_HIDDEN] + self._number[_IN_PROGRESS] < MAX_IN_FLIGHT

    def _fetch(self) -> None:
        """Start batches while there are webhooks, and room for more."""
        while (
            self._is_enabled
            and self._number[_WAITING]
            and len(self._batches) < self._limit()
            and self._has_room()
            and not (self._deployed.in_order and self._number[_HIDDEN])
            and (
                self._number[_WAITING] >= self._size
                or self._now >= self._since[self._first()] + self._deployed.window - 1e-9
            )
        ):
            self._start()
        if not self._number[_WAITING]:
            self._busy_since = self._now

    def _start(self) -> None:
        room = MAX_IN_FLIGHT - self._number[_HIDDEN] - self._number[_IN_PROGRESS]
        webhooks = []
        for _ in range(min(self._size, self._number[_WAITING], room)):
            webhook = self._first()
            self._waiting.popleft()
            if self._received[webhook] >= self._tries:  # by the redrive policy
                self._become(webhook, _ENDED)
                self.counts.dead_lettered += 1
                continue
            self._received[webhook] += 1
            self._become(webhook, _IN_PROGRESS)
            webhooks.append(webhook)
        if not webhooks:
            return
        if not self._idle:
            self._idle.append(len(self._failures))
            self._failures.append(0)
        environment = self._idle.pop()
        is_down = self._outage.is_at(self._now)
        seconds = seconds_of(self._deployed, self._time, len(webhooks), is_down=is_down)
        counts = self.counts
        counts.batches += 1
        counts.tries += len(webhooks)
        counts.seconds += seconds
        counts.peak_in_flight = max(counts.peak_in_flight, self._number[_HIDDEN] + self._number[_IN_PROGRESS])
        heappush(
            self._batches,
            (self._now + seconds + self._time.between / 1000, counts.batches, environment, webhooks, is_down),
        )

    def _finish(self, batch: _Batch) -> None:
        _, _, environment, webhooks, is_down = batch
        self._idle.append(environment)
        if is_down:
            self._failures[environment] += 1
            self._fail(webhooks)
            breaker = self._deployed.breaker
            if breaker and (
                self._failures[environment] % breaker.failures == 0
                or any(self._received[webhook] == self._tries - 1 for webhook in webhooks)
            ):
                self._open()
            return
        self._failures[environment] = 0
        self.counts.stored += len(webhooks)
        done = self._now - self._time.between / 1000
        for webhook in webhooks:
            self._become(webhook, _ENDED)
            self.ages.append(done - self._accepted_at[webhook])

    def _fail(self, webhooks: Sequence[int]) -> None:
        """Retry each webhook later, unless it was its last try. In order, those behind one wait as long as it."""
        held: float | None = None
        for webhook in webhooks:
            tries = self._received[webhook]
            if self._accepted_at[webhook] <= self._now - self._deployed.retention:
                self._become(webhook, _ENDED)
                self.counts.expired += 1
            elif tries >= self._tries and held is None:
                self._become(webhook, _ENDED)
                self.counts.dead_lettered += 1
            else:
                self.counts.postponed += 1
                delay = self._delay(tries) if held is None else held
                if self._deployed.in_order:
                    held = delay
                self._become(webhook, _HIDDEN)
                heappush(self._hidden, (self._now + delay, webhook))

    def _delay(self, tries: int) -> float:
        if self._backoff is None:  # an existing consumer leaves the message to the queue
            return self._deployed.visibility
        more = STOPS_SECONDS if self._deployed.breaker and tries == self._tries - 1 else 0.0
        return self._backoff.delay(tries, self._uniform) + more

    # The circuit breaker.

    def _open(self) -> None:
        breaker = self._deployed.breaker
        if breaker and self._is_enabled and self._stops_at == math.inf and self._outage.is_at(self._now):
            self._stops_at = self._now + _SWITCH_SECONDS
            # A sink that goes down while the webhook resumes has not been up for long.
            longer = self._wait * 2 if self._now < self._slow_until else breaker.initial
            self._wait = min(longer, breaker.maximum)
            self._probes_at = self._now + self._wait

    def _switch(self) -> None:
        """Stop the mapping, probe the sink, or start the mapping."""
        breaker, counts = self._deployed.breaker, self.counts
        assert breaker is not None
        if self._now >= self._stops_at:
            self._is_enabled, self._stops_at, self._paused_at = False, math.inf, self._now
            counts.pauses += 1
        if self._now >= self._probes_at:
            self._probes_at = math.inf
            if self._outage.is_at(self._now):
                self._wait = min(2 * self._wait, breaker.maximum)
                self._probes_at = self._now + self._wait
            else:
                self._starts_at = (self._now if self._stops_at == math.inf else self._stops_at) + _SWITCH_SECONDS
        if self._now >= self._starts_at:
            self._is_enabled, self._starts_at = True, math.inf
            self._slow_until = self._now + SLOW_SECONDS
            counts.paused_seconds += self._now - self._paused_at

    def _settle(self) -> None:
        """Notice that nothing waits any more. Batches in progress then end, and nothing else arrives."""
        is_empty = not (self._number[_WAITING] or self._number[_HIDDEN])
        if self._load.then == 0:
            is_empty = is_empty and not self._batches
        if self._is_drained or not (is_empty and self._now >= self._settles_at and self._is_enabled):
            return
        self._is_drained = True
        self.counts.drained_at = self._now
        self._next_arrival = math.inf


def seconds_of(deployed: Deployed, time: BatchTime, size: int, *, is_down: bool = False) -> float:
    """Return the seconds of a batch: what the sink takes, and at least what the rate gives its webhooks."""
    each = deployed.seconds_each
    # A call to the sink has the webhooks of a second at most.
    most = size if each is None else most_a_call(each)
    if is_down:  # the first call fails, and there is no other
        down = time.milliseconds if time.down is None else time.down
        return max(down / 1000, min(size, most) * (each or 0.0))
    return max(time.seconds(size, math.ceil(size / most)), size * (each or 0.0))
