"""The rate at which the sink is asked: by any number of environments, on a simulated clock."""

import math
from collections.abc import Iterator, Sequence
from random import Random

import pytest

from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Kind, Outcome, SinkDown
from webhook_runtime.pace import AdaptivePace, Pace
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks.python import PythonSink
from webhook_runtime.testing import webhook

from .doubles import Sqs
from .simulations import Alone, Loaded, Together, deliver, most
from .world import Clock, Context, Mapping, peak, records

# Each batch in progress of the simulation is a thread.
pytestmark = pytest.mark.processes


@pytest.mark.parametrize("kind", [Together, Alone])
@pytest.mark.parametrize("concurrency", [1, 2, 5])
@pytest.mark.parametrize("rate", [5, 7.5, 50, 500])
def test_no_second_has_more_than_the_rate_and_what_batches_begin_with(
    clock: Clock, kind: type[Together], rate: float, concurrency: int
) -> None:
    random = Random(f"{rate} {concurrency}")
    sink = kind(clock, lambda: random.choice([0, 0, 0.001, 0.02, 3]) if rate < 100 else 0.001, random=random)
    count = round(max(60, rate * 12))
    deliver(clock, sink, rate, concurrency=concurrency, count=count, random=random)
    assert sorted(sink.stored, key=int) == [str(number) for number in range(count)]
    assert peak(sink.asked) <= most(rate, concurrency)


@pytest.mark.parametrize("concurrency", [1, 2, 5])
@pytest.mark.parametrize("rate", [5, 50, 500])
def test_a_backlog_is_delivered_at_the_rate(clock: Clock, rate: float, concurrency: int) -> None:
    random = Random(1)
    sink = Together(clock, lambda: random.uniform(0.001, 0.015), random=random)
    count = round(rate * 40)
    deliver(clock, sink, rate, concurrency=concurrency, count=count, random=random)
    assert 0.97 * rate <= count / sink.asked[-1] <= 1.1 * rate


@pytest.mark.parametrize("rate", [5, 50])
def test_a_kill_frees_its_place_early_and_adds_no_more_than_one_batch_of_it(clock: Clock, rate: float) -> None:
    random = Random(2)
    sink = Together(clock, lambda: 0.01, random=random)
    count, concurrency = round(rate * 60), 2
    kills = [random.uniform(0, 60) for _ in range(25)]
    world = deliver(clock, sink, rate, concurrency=concurrency, count=count, visibility=40, kills=kills, random=random)
    assert len(world.killed_at) == 25
    assert set(sink.stored) == {str(number) for number in range(count)}
    part = math.ceil(rate / concurrency)
    for at in sink.asked:
        asked = sum(at - 1 < other <= at for other in sink.asked)
        freed = sum(at - 1 - part / rate * concurrency < kill <= at for kill in world.killed_at)
        assert asked <= most(rate, concurrency) + freed * part


def test_the_tries_by_which_a_bad_webhook_is_found_count(clock: Clock) -> None:
    random = Random(3)
    sink = Together(clock, lambda: 0.001, bad=0.3, random=random)
    deliver(clock, sink, 20, concurrency=2, count=400, random=random)
    assert len(sink.asked) > 450
    assert peak(sink.asked) <= most(20, 2)


def test_a_lone_webhook_does_not_wait(clock: Clock) -> None:
    sink = Together(clock, lambda: 0.01, random=Random(4))
    deliver(clock, sink, 0.5, concurrency=2, count=1, random=Random(4))
    assert sink.asked == [0]


def test_what_does_not_fit_into_the_time_of_a_batch_is_retried_at_once(clock: Clock) -> None:
    class Late(Together):
        def _insert(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
            if len(self.asked) == 0:
                clock.sleep(20)
            return super()._insert(webhooks)

    sink = Late(clock, lambda: 0, random=Random(5))
    deliver(clock, sink, 1, concurrency=1, batch_size=20, count=20, random=Random(5))
    assert len(sink.stored) == 20
    assert peak(sink.asked) <= 2
    assert sink.asked[-1] < 50


def test_a_batch_of_a_queue_that_is_quiet_ends_when_its_webhooks_have_had_their_time(clock: Clock) -> None:
    consumer = Consumer(
        Together(clock, lambda: 0.01, random=Random(6)), Redelivery(Sqs(), "queue", Backoff(1, 1)), pace=Pace(2 / 5)
    )
    mapping = Mapping(clock, lambda _: consumer, concurrency=1, batch_size=10, random=Random(6))
    mapping.send(*records(*(webhook() for _ in range(10))))
    mapping.run()
    assert clock.now == pytest.approx(4, abs=0.02)


def test_the_first_webhooks_of_a_batch_are_asked_for_although_their_time_does_not_fit(clock: Clock) -> None:
    """Else a batch whose verification takes long would never be stored."""
    sink = Together(clock, lambda: 0.01, random=Random(7))
    consumer = Consumer(sink, Redelivery(Sqs(), "queue", Backoff(1, 1)), pace=Pace(20))
    mapping = Mapping(clock, lambda _: consumer, concurrency=1, batch_size=1, timeout=10, random=Random(7))
    mapping.send(*records(webhook(), webhook()))
    mapping.run()
    assert len(sink.stored) == 2


class Throttled(Together):
    """A sink that answers at once, and takes every other webhook only later."""

    def _insert(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        self.asked += [self._clock.now] * len(webhooks)
        later = Outcome(Kind.RETRY, "ThrottlingError", "slow down")
        return [later if number % 2 else STORED for number, _ in enumerate(webhooks)]


def test_an_answer_that_a_webhook_has_to_come_later_slows_an_adaptive_pace_down(clock: Clock) -> None:
    pace = AdaptivePace(0.01, 1, 10)
    consumer = Consumer(
        Throttled(clock, lambda: 0, random=Random(8)), Redelivery(Sqs(), "queue", Backoff(1, 1)), pace=pace
    )
    mapping = Mapping(clock, lambda _: consumer, concurrency=1, batch_size=10, new=0, random=Random(8))
    mapping.send(*records(*(webhook() for _ in range(200))))
    mapping.run(until=20)
    assert pace.seconds(1) > 0.1


def test_the_wait_for_another_try_is_not_the_latency_of_the_sink(clock: Clock) -> None:
    pace = AdaptivePace(0.1, 0.5, 10)
    deadline, before = Deadline(Context(clock, 30), pace), pace.seconds(1)

    def call() -> None:
        with deadline.step():
            clock.sleep(0.1)
            deadline.turn()  # waits almost a second
            clock.sleep(0.1)
        clock.sleep(27)

    clock.run(call)
    after = pace.seconds(1)
    assert after < before
    # No time is left for another one, for which the sink is not to blame.
    clock.now += 2
    with pytest.raises(SinkDown), deadline.step():
        pytest.fail("it was asked")
    assert pace.seconds(1) == after


@pytest.mark.parametrize("size", [1, 3, 10, 25])
def test_a_handler_for_batches_gets_as_many_as_a_second_has(clock: Clock, size: int) -> None:
    got: list[int] = []
    consumer = Consumer(
        PythonSink(lambda webhooks: got.append(len(webhooks)), batch=True),
        Redelivery(Sqs(), "queue", Backoff(1, 1)),
        pace=Pace(1 / size),
    )
    mapping = Mapping(clock, lambda _: consumer, concurrency=1, batch_size=10, random=Random(9))
    mapping.send(*records(*(webhook() for _ in range(10))))
    mapping.run()
    assert max(got) == min(size, 10)
    assert sum(got) == 10


class TestAdaptive:
    @pytest.mark.parametrize("maximum", [50, 400])
    @pytest.mark.parametrize("concurrency", [2, 5, 20])
    def test_it_settles_just_below_what_the_sink_can_do(self, clock: Clock, concurrency: int, maximum: float) -> None:
        sink = Loaded(clock, random=Random(7))

        def pace() -> Pace:
            return AdaptivePace(concurrency / maximum, 1.5 * sink.UNLOADED, 2.5)

        deliver(clock, sink, maximum, concurrency=concurrency, count=8000, make=pace, new=0, random=Random(7))
        times, latencies = sink.asked[2000:], sorted(sink.latencies[2000:])
        assert len(times) / (times[-1] - times[0]) >= 0.85 * sink.KNEE
        assert latencies[int(0.95 * len(latencies))] <= 2 * sink.UNLOADED

    def test_a_fixed_rate_would_overload_it(self, clock: Clock) -> None:
        sink = Loaded(clock, random=Random(7))
        deliver(clock, sink, 400, concurrency=20, count=4000, random=Random(7))
        latencies = sorted(sink.latencies)
        assert latencies[int(0.95 * len(latencies))] > 10 * sink.UNLOADED

    def test_it_recovers_from_an_outage(self, clock: Clock) -> None:
        pace = AdaptivePace(0.01, 1, 10)
        for _ in range(1000):
            clock.now += 0.1
            pace.answered(0.5)
        for _ in range(100):
            clock.now += 1
            pace.answered(None)
        assert pace.seconds(1) == pytest.approx(10)
        began = clock.now
        while pace.seconds(1) > 0.0101:
            clock.now += 0.1
            pace.answered(0.5)
        assert clock.now - began < 120

    def test_it_never_exceeds_its_share_of_the_maximum(self, clock: Clock) -> None:
        pace = AdaptivePace(0.1, 1, 5)
        for _ in range(1000):
            clock.now += 1
            pace.answered(0.5)
        assert pace.seconds(1) == pytest.approx(0.1)

    def test_it_starts_at_a_tenth(self) -> None:
        assert AdaptivePace(0.1, 1, 5).seconds(1) == pytest.approx(1)
        assert AdaptivePace(1, 1, 5).seconds(1) == pytest.approx(5)

    @pytest.mark.parametrize("slow", [None, 1.001])
    def test_it_slows_down_to_the_pace_at_which_a_batch_still_ends(self, clock: Clock, slow: float | None) -> None:
        pace = AdaptivePace(0.1, 1, 2)
        before = pace.seconds(1)
        for _ in range(5):  # of one second
            pace.answered(slow)
        assert pace.seconds(1) == pytest.approx(before / 0.9)
        for _ in range(100):
            clock.now += 1
            pace.answered(slow)
        assert pace.seconds(1) == pytest.approx(2)

    def test_a_sink_that_is_down_slows_it_down(self, clock: Clock) -> None:
        pace = AdaptivePace(0.1, 1, 5)

        class Down:
            def store(self, _webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
                with deadline.step():
                    raise SinkDown("down")
                yield Outcome(Kind.RETRY)

        consumer = Consumer(Down(), Redelivery(Sqs(), "queue", Backoff(1, 1)), pace=pace)
        mapping = Mapping(clock, lambda _: consumer, concurrency=1, batch_size=1, random=Random(8))
        mapping.send(*records(webhook()))
        mapping.run(until=1)
        assert pace.seconds(1) > 1
