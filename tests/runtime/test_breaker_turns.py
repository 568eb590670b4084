"""Several calls of the circuit breaker at once, of which each may end at any time: one at a time asks the sink.

The time is simulated. Each call is a thread, of which one at a time goes on, so that each example runs the same again.
"""

import heapq
import threading
from collections.abc import Callable
from itertools import cycle, pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from webhook_runtime.breaker import Breaker

from .events import log_lines
from .test_breaker import PING, STATE, World

pytestmark = pytest.mark.processes

LINE = log_lines('{"level": "ERROR", "message": "sink down"}')
RULE = {"source": "aws.events"}
# Lambda calls a function again whose call has failed.
RETRY_SECONDS = 60


class Killed(BaseException):
    """The environment of a call ends."""


class Call(threading.Thread):
    """A call of the function, which is killed at its wait number ``waits``, if it gets there."""

    def __init__(self, event: Any, waits: int | None) -> None:
        super().__init__(daemon=True)
        self.event = event
        self.waits = waits
        self.ended = False
        self.goes_on = threading.Semaphore(0)


class Simulation:
    """A webhook, the clock, and the calls of its circuit breaker."""

    def __init__(self, latencies: list[float] | None = None, pings: list[float] | None = None) -> None:
        self.world = World()
        self.aws = self.world.aws
        self.latencies, self.seconds_of_pings = cycle(latencies or [0.05]), cycle(pings or [0.1])
        self.pings: list[tuple[float, float]] = []
        self.most = 0
        self.paused_at: float | None = None
        self._began = self.aws.now
        self._next: list[tuple[float, int, Any]] = []
        self._number = 0
        self._handed_back = threading.Semaphore(0)
        self._running: Call | None = None
        self._in_progress = 0

    @property
    def now(self) -> float:
        return self.aws.now - self._began

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._next, (self._began + seconds, self._number, what))

    def call(self, seconds: float, event: Any = LINE, killed_at: int | None = None) -> None:
        """Call the function then. If it is killed or fails, Lambda calls it again."""
        call = Call(event, killed_at)
        call.run = lambda: self._handle(call)  # type: ignore[method-assign]

        def begins() -> None:
            self._in_progress += 1
            self.most = max(self.most, self._in_progress)
            call.start()
            self._go_on(call)

        self.at(seconds, begins)

    def rule(self, seconds: float) -> None:
        self.at(seconds, lambda: self.call(self.now, RULE) if self.aws.rule else None)

    def run(self) -> None:
        while self._next:
            self.aws.now, _, what = heapq.heappop(self._next)
            what()
            if self.paused_at is None and not self.aws.on:
                self.paused_at = self.now

    def overlapping(self) -> list[tuple[float, float]]:
        """Return the pings that began before another one had ended."""
        return [later for (_, ended), later in pairwise(sorted(self.pings)) if later[0] < ended]

    def _go_on(self, call: Call) -> None:
        self._running = call
        call.goes_on.release()
        self._handed_back.acquire()

    def _handle(self, call: Call) -> None:
        call.goes_on.acquire()
        breaker = Breaker(self.world.settings, Slow(self), Slow(self), sleep=self.wait, now=lambda: self.aws.now)
        try:
            breaker.handle(call.event, None)
        except Killed:
            self.call(self.now + RETRY_SECONDS, call.event)
        finally:
            self._in_progress -= 1
            self._handed_back.release()

    def wait(self, seconds: float) -> None:
        """Let the others go on for so long."""
        call = self._running
        assert call is not None
        if call.waits == 0:  # for all that it still tries to do
            raise Killed
        call.waits = None if call.waits is None else call.waits - 1
        self.at(self.now + seconds, lambda: self._go_on(call))
        self._handed_back.release()
        call.goes_on.acquire()


class Slow:
    """Lambda and EventBridge: a call takes effect a while after it was sent, and its answer needs a while too."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def called(**call: Any) -> Any:
            simulation = self._simulation
            simulation.wait(next(simulation.latencies))
            if operation == "invoke":
                # It goes on if its caller is killed.
                took = next(simulation.seconds_of_pings)
                simulation.pings.append((simulation.now, simulation.now + took))
                simulation.wait(took)
            answer = getattr(simulation.aws, operation)(**call)
            simulation.wait(next(simulation.latencies))
            return answer

        return called


@pytest.mark.parametrize("count", [2, 5, 30])
@pytest.mark.parametrize("sink", ["up", "down"])
def test_lines_at_the_same_time_ask_once(sink: str, count: int) -> None:
    simulation = Simulation()
    simulation.aws.sink = sink
    for number in range(count):
        simulation.call(number * 0.9 / count)
    simulation.run()
    assert len(simulation.pings) == 1
    assert simulation.aws.on is (sink == "up")
    assert PING not in simulation.aws.tags


def test_a_line_while_the_sink_is_asked_asks_once_more_since_it_may_be_down_by_now() -> None:
    simulation = Simulation(pings=[3])
    simulation.call(0)
    simulation.at(2, lambda: setattr(simulation.aws, "sink", "up"))
    simulation.at(5, lambda: setattr(simulation.aws, "sink", "down"))
    for number in range(10):
        simulation.call(2 + number / 10)
    simulation.run()
    assert len(simulation.pings) == 2
    assert simulation.overlapping() == []
    assert not simulation.aws.on


def test_a_line_that_waits_for_its_turn_does_not_ask_if_the_webhook_is_paused_by_then() -> None:
    simulation = Simulation(pings=[3])
    simulation.aws.sink = "down"
    simulation.call(0)
    simulation.call(2)
    simulation.run()
    assert len(simulation.pings) == 1
    assert PING not in simulation.aws.tags


def test_more_lines_do_not_put_the_first_ping_off() -> None:
    simulation = Simulation([0.15])
    simulation.aws.sink = "down"
    for number in range(60):
        simulation.call(number / 20)
    simulation.run()
    assert len(simulation.pings) == 1
    assert simulation.paused_at is not None
    assert simulation.paused_at < 5


def test_lines_without_end_neither_pile_up_nor_hold_each_other_up() -> None:
    """A service may answer the ping, and fail at each webhook."""
    simulation = Simulation(pings=[5])
    for number in range(600):
        simulation.call(number / 10)
    simulation.run()
    assert simulation.most <= 12  # one asks, one waits, and the others look
    assert simulation.overlapping() == []
    assert len(simulation.pings) >= 4
    assert simulation.world.is_at_rest()


@pytest.mark.parametrize("waits", range(14))
def test_a_call_that_ends_in_between_holds_up_the_next_line_for_seconds_only(waits: int) -> None:
    simulation = Simulation()
    simulation.aws.sink = "down"
    simulation.call(0, killed_at=waits)
    simulation.call(2)
    simulation.run()
    assert simulation.paused_at is not None
    assert simulation.paused_at <= 19


@pytest.mark.parametrize("when", [0, 0.6])
@pytest.mark.parametrize("text", ["", "x", "nan", "inf a", "-inf a", "1e400 a", "0 a", "99999999999 a", "1 2 3"])
def test_a_tag_that_someone_has_changed_holds_up_nothing(text: str, when: float) -> None:
    simulation = Simulation()
    simulation.aws.sink = "down"
    simulation.at(when, lambda: simulation.aws.tags.update({PING: text}))
    simulation.call(0)
    simulation.run()
    assert not simulation.aws.on
    assert simulation.now < 4


TIMES = st.floats(0, 100).map(lambda seconds: round(seconds, 2))
BURSTS = st.lists(st.tuples(TIMES, st.lists(st.floats(0, 0.5), max_size=6)), min_size=1, max_size=6)


@given(
    BURSTS,
    # Either way: a call takes twice as long, and two of them less than a second.
    st.lists(st.floats(0, 0.15), min_size=1, max_size=20),
    st.lists(st.sampled_from([0.02, 1, 12]), min_size=1, max_size=5),
    st.lists(st.none() | st.integers(0, 20), min_size=1, max_size=6),
    TIMES,
    st.lists(st.sampled_from([90, 150, 210]), unique=True),
)
# A call that ends removes the plans of others with its own.
@example([(43.5, []), (47.5, [0])], [0.25], [1], [17], 0, [])
# A line and the rule, after a deployment has resumed the webhook.
@example([(50, []), (179.5, [])], [0.05], [12], [None], 0, [150])
@settings(max_examples=150, deadline=None)
def test_one_call_at_a_time_asks_and_no_line_about_a_sink_that_is_down_is_lost(
    bursts: list[tuple[float, list[float]]],
    latencies: list[float],
    pings: list[float],
    kills: list[int | None],
    down: float,
    deployments: list[float],
) -> None:
    simulation = Simulation(latencies, pings)
    aws, killing = simulation.aws, cycle(kills)
    lines = sorted(time + later for time, more in bursts for later in [0, *more])
    for line in lines:
        simulation.call(line, killed_at=next(killing))
    simulation.at(down, lambda: setattr(aws, "sink", "down"))
    for minute in range(1, 8):
        simulation.rule(minute * 60)
    for deployment in deployments:
        simulation.at(deployment, lambda: setattr(aws, "on", True))
    simulation.run()
    assert simulation.overlapping() == []
    assert aws.on is (STATE not in aws.tags)
    about_it = [line for line in lines if line >= down]
    if about_it:
        assert not aws.on
        assert aws.rule
        # One ping that is in progress, and its own.
        if set(kills) == {None}:
            assert simulation.paused_at is not None
            assert simulation.paused_at <= about_it[0] + 35
