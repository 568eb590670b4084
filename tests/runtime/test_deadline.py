import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from webhook_runtime import deadline as deadlines
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Outcome, SinkDown
from webhook_runtime.sinks.bisect import BadWebhook, insert_each
from webhook_runtime.testing import webhook

from .doubles import Invocation


class Time:
    """Time that passes only when a test advances it."""

    def __init__(self, left: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self._left = left
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def get_remaining_time_in_millis(self) -> int:
        return round((self._left - self.now) * 1000)


def test_no_step_begins_if_one_like_the_longest_would_end_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passing = Time(30, monkeypatch)
    deadline = Deadline(passing)
    for seconds in (2, 9, 3):
        with deadline.step():
            passing.now += seconds
    assert deadline.remaining() == 15
    with deadline.step():
        passing.now += 7

    with pytest.raises(SinkDown) as down, deadline.step():
        raise AssertionError("it was begun")

    assert down.value.retry_after == 0
    assert down.value.error == "OutOfTime"


def test_a_step_that_failed_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    passing = Time(30, monkeypatch)
    deadline = Deadline(passing)
    with suppress(KeyError), deadline.step():
        passing.now += 20
        raise KeyError
    with pytest.raises(SinkDown), deadline.step():
        raise AssertionError("it was begun")


@pytest.mark.parametrize("left", [30, 1, 0.5, 0, -3])
def test_the_first_step_is_always_begun(left: float) -> None:
    begun = False
    with Deadline(Invocation(left)).step():
        begun = True
    assert begun


@pytest.mark.parametrize(("left", "remaining"), [(30, 29), (4, 3), (2, 1.5), (1, 0.75), (0, 0), (-3, 0)])
def test_the_steps_leave_time_for_a_report_to_sqs(left: float, remaining: float) -> None:
    assert Deadline(Invocation(left)).remaining() == remaining


@pytest.mark.parametrize(("needed", "left"), [(0, 29), (1, 5)], ids=["none of it", "all of it"])
def test_each_look_gets_its_part_of_half_of_the_time(
    needed: float, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = Time(30, monkeypatch)
    deadline = Deadline(passing)
    parts = []

    @contextmanager
    def ended_after(seconds: float) -> Iterator[None]:
        parts.append(seconds)
        yield
        passing.now += needed * seconds

    monkeypatch.setattr(deadlines, "_ended_after", ended_after)
    for behind in reversed(range(10)):
        with deadline.look(behind):
            pass
    assert parts[0] == 29 / 2 / 10
    assert sorted(parts) == parts  # unused time is for the next ones
    assert deadline.remaining() >= left  # for the sink


def test_a_function_of_a_second_has_time_for_more_than_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    passing = Time(1, monkeypatch)
    deadline = Deadline(passing)
    for _ in range(7):
        with deadline.step():
            passing.now += 0.1
    with pytest.raises(SinkDown), deadline.step():
        raise AssertionError("it was begun")


def test_a_batch_of_bad_webhooks_is_halved_only_while_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passing = Time(30, monkeypatch)
    outcomes: list[Outcome] = []

    def insert(webhooks: Sequence[Webhook]) -> list[Outcome]:
        passing.now += 0.1
        raise BadWebhook("TooLong", "the id is too long")

    with pytest.raises(SinkDown) as down:
        outcomes.extend(insert_each([webhook() for _ in range(1000)], insert, Deadline(passing)))

    assert down.value.error == "OutOfTime"
    assert passing.now < 29.1


@pytest.mark.processes  # WebAssembly has no timers either
@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_an_alarm_that_another_thread_takes_after_the_block_finds_a_handler(handler: signal.Handlers) -> None:
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with Deadline(Invocation(1)).look():
            pass
        assert callable(signal.getsignal(signal.SIGALRM))
        signal.raise_signal(signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.processes
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_time_that_ends_with_its_block_is_reported_and_leaves_no_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = 50e-6
    monkeypatch.setattr(deadlines, "_LEAST", seconds)
    monkeypatch.setattr(deadlines, "_AGAIN", seconds)
    told = []
    for number in range(4000):
        done = time.perf_counter() + 3 * seconds * number / 4000
        try:
            with Deadline(Invocation(0.002)).look(1_000_000):
                while time.perf_counter() < done:
                    pass
        except SinkDown as late:
            told.append(late.error)
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert set(told) == {"OutOfTime"}
