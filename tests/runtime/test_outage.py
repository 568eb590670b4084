"""The consumer notices that the sink is down, and tells it in a line that the circuit breaker reads."""

import logging
from typing import Any

import pytest

from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_DELAY_SECONDS
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.outage import Outage
from webhook_runtime.outcome import Kind, Outcome, SinkDown
from webhook_runtime.redelivery import Redelivery

from .doubles import Invocation, Sqs
from .test_consumer import BUSY, DOWN, FIFO, POISON, Memory, sqs_record

FORBIDDEN = RuntimeError("a bug")
TROUBLE = Outcome(Kind.RETRY, "HTTP 500", "the service answered 500", is_trouble=True)


class Environment:
    """One execution environment of the consumer, with a circuit breaker unless ``failures`` is None."""

    def __init__(self, sink: Any, failures: int | None = 3, max_receive_count: int | None = 5) -> None:
        self.sqs, self.dead_letters = Sqs(), Sqs()
        self._consumer = Consumer(
            sink,
            Redelivery(self.sqs, "http://sqs/Queue", Backoff(1, 1)),
            DeadLetters(self.dead_letters, "http://sqs/DeadLetters"),
            max_receive_count,
            outage=Outage(failures, max_receive_count),
        )

    def handle(self, *records: dict[str, Any]) -> None:
        self._consumer.handle({"Records": list(records)}, Invocation())


def told(caplog: pytest.LogCaptureFixture, line: str = "sink down") -> list[int]:
    """Return the count of batches in each line about an outage since the last call."""
    lines = [each for each in caplog.records if each.message == line]
    assert all(each.levelno == logging.ERROR for each in lines)
    caplog.clear()
    return [vars(each)["batches"] for each in lines]


@pytest.mark.parametrize("failures", [1, 2, 3, 4])
def test_it_is_told_after_so_many_batches_in_a_row(failures: int, caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(Memory(a=DOWN), failures)
    for batch in range(1, 9):
        environment.handle(sqs_record("a"), sqs_record("b"))
        assert told(caplog) == ([batch] if batch % failures == 0 else [])


def test_a_webhook_that_is_stored_ends_the_row(caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(Memory(a=DOWN))
    for _ in range(5):
        environment.handle(sqs_record("a"))
        environment.handle(sqs_record("a"))
        environment.handle(sqs_record("b"))
    assert told(caplog) == []
    environment.handle(sqs_record("c"), sqs_record("a"))  # both in one batch: down again after it
    environment.handle(sqs_record("a"))
    environment.handle(sqs_record("a"))
    assert told(caplog) == [3]


@pytest.mark.parametrize("outcome", [BUSY, POISON, Outcome(Kind.RETRY, "RetryAfter", "", 5)])
def test_a_webhook_that_fails_alone_is_no_outage(outcome: Outcome, caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(Memory(a=outcome))
    for attempt in (1, 2, 3, 4, 4, 4):
        environment.handle(sqs_record("a", attempt=attempt))
    assert told(caplog) == []


@pytest.mark.parametrize(
    ("trouble", "line"), [(DOWN, "sink down"), (FORBIDDEN, "sink down"), (TROUBLE, "perhaps sink down")]
)
@pytest.mark.parametrize("more", [{}, FIFO])
@pytest.mark.parametrize("tries", [2, 3, 5, 1000])
def test_it_is_told_before_the_last_try_of_a_webhook_that_is_alone(
    trouble: Any, line: str, more: Any, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Each environment sees it once."""
    lines = []
    for attempt in (1, tries - 1, tries):
        environment = Environment(Memory(a=trouble), 100, tries)
        environment.handle(sqs_record("a", attempt=attempt, **more))
        lines.append(told(caplog, line))
        delays = list(environment.sqs.delays().values())
        if attempt == tries - 1:
            # Its last try waits until the mapping has stopped.
            assert [120 <= delay <= 121 for delay in delays] == [True]
        elif attempt < tries - 1:
            assert [delay <= 1 for delay in delays] == [True]
        else:
            assert len(environment.dead_letters.sent) == 1
    assert lines == [[1] if tries == 2 else [], [1], []]


def test_single_webhooks_that_fail_by_the_sink_are_perhaps_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(Memory(a=TROUBLE, b=POISON))
    for batch in range(1, 7):
        environment.handle(sqs_record("a"), sqs_record("b"))
        assert told(caplog, "perhaps sink down") == ([batch] if batch % 3 == 0 else [])
    assert told(caplog) == []


def test_a_sink_that_stores_others_has_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """One webhook on which it chokes, between others, in their batch or in the next one."""
    environment = Environment(Memory(a=TROUBLE))
    for attempt in (1, 2, 3, 4):
        environment.handle(sqs_record("a", attempt=attempt), sqs_record(f"b{attempt}"))
    for _ in range(3):
        environment.handle(sqs_record("a"))
        environment.handle(sqs_record("b"))
    assert (told(caplog, "perhaps sink down"), told(caplog)) == ([], [])
    assert max(environment.sqs.delays().values()) <= 1


def test_a_sink_that_is_slow_has_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    slow = SinkDown("the function had no time left for it", retry_after=0, error="OutOfTime")
    environment = Environment(Memory(b=slow))
    for attempt in (1, 2, 3, 4):
        environment.handle(sqs_record(f"a{attempt}"), sqs_record("b", attempt=attempt))
    assert told(caplog) == []
    environment = Environment(Memory(b=slow), 1)
    environment.handle(sqs_record("b"))
    assert told(caplog) == [1]  # nothing at all in this time


def test_only_the_webhooks_before_their_last_try_wait_longer() -> None:
    environment = Environment(Memory(a=DOWN))
    environment.handle(*(sqs_record(f"{'a' if n == 1 else n}", attempt=n) for n in (1, 2, 3, 4)))
    waits = sorted(environment.sqs.delays().values())
    assert [wait >= 120 for wait in waits] == [False, False, False, True]


def test_a_wait_is_never_longer_than_sqs_takes(caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(Memory(a=SinkDown("closed", retry_after=10**6)))
    environment.handle(sqs_record("a", attempt=4))
    assert list(environment.sqs.delays().values()) == [MAX_DELAY_SECONDS]


def test_without_a_circuit_breaker_no_webhook_waits_longer(caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(Memory(a=DOWN), None)
    for attempt in (1, 4, 4):
        environment.handle(sqs_record("a", attempt=attempt))
    assert told(caplog) == [3]  # for metric_sink_down()
    assert max(environment.sqs.delays().values()) <= 1


def test_a_queue_that_does_not_tell_its_tries_counts_batches(caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(Memory(a=DOWN), 3, None)
    for attempt in (3, 4, 5):
        environment.handle(sqs_record("a", attempt=attempt))
    assert told(caplog) == [3]
