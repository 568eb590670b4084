"""A function ends before Lambda ends it, whatever takes its time, so that no outcome is lost."""

import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from webhook_runtime import Webhook
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import HttpSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.outcome import STORED, Outcome, SinkDown
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks.http import HttpSink
from webhook_runtime.sinks.python import PythonSink
from webhook_runtime.sources.schemes import Custom
from webhook_runtime.sources.source import Source, Sources
from webhook_runtime.testing import webhook

from ..attacks import lambda_time
from .http_service import HttpService
from .queue_harness import Countdown, Queue


def busy(*_: object) -> None:
    while True:
        pass


def asleep(*_: object, **__: object) -> None:
    time.sleep(60)


def handled(*_: object) -> None:
    while True:
        try:
            time.sleep(60)
        except Exception:  # many loops handle unexpected errors so
            continue


def locked(*_: object) -> None:
    lock = threading.Lock()
    with lock:
        lock.acquire()


def tidied(*_: object) -> None:
    try:
        time.sleep(60)
    finally:  # like a handler that waits for its threads
        time.sleep(60)


FOR_EVER = {each.__name__: each for each in (busy, asleep, handled, locked, tidied)}


@pytest.mark.parametrize("for_ever", FOR_EVER)
@pytest.mark.parametrize("batch", [False, True])
def test_a_handler_without_end_is_interrupted_and_earlier_outcomes_stay(for_ever: str, batch: bool) -> None:
    done: list[str] = []

    def one(each: Webhook) -> None:
        if each.id == "b":
            FOR_EVER[for_ever]()
        done.append(each.id)

    def several(webhooks: Sequence[Webhook]) -> None:
        for each in webhooks:
            one(each)

    queue = Queue()
    consumer = queue.consumer(PythonSink(several if batch else one, batch=batch))
    queue.send(*(webhook(id=id) for id in "abc"))
    countdown = Countdown(1)
    failed = queue.deliver(consumer.handle, context=countdown)
    assert countdown.is_kept()
    assert done == ["a"]
    # A batch is stored as a whole: no one can tell which part a handler has done.
    assert len(failed) == (3 if batch else 2)


class Memory:
    def __init__(self) -> None:
        self.stored: list[str] = []

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        for each in webhooks:
            with deadline.step():
                self.stored.append(each.id)
            yield STORED


def checked(queue: Queue, sink: Memory, check: Callable[[Webhook, list[str]], object]) -> Consumer:
    module = types.ModuleType("of_the_user")
    module.check = check  # type: ignore[attr-defined]
    sys.modules["of_the_user"] = module
    source = Source(Custom(handler="of_the_user.check"), None)
    dead_letters = DeadLetters(queue, "dead_letters")
    return Consumer(sink, Redelivery(queue, "queue", Backoff(10, 900)), dead_letters, sources=Sources({"/": source}))


@pytest.mark.parametrize("for_ever", FOR_EVER)
def test_a_check_without_end_takes_no_time_of_its_neighbours(for_ever: str) -> None:
    def check(each: Webhook, _: list[str]) -> None:
        if each.body == b"hostile":
            FOR_EVER[for_ever]()

    queue, sink = Queue(), Memory()
    consumer = checked(queue, sink, check)
    queue.send(webhook(b"hostile", id="a"), webhook(id="b"), webhook(id="c"))
    countdown = Countdown(1)
    assert len(queue.deliver(consumer.handle, context=countdown)) == 1
    assert countdown.is_kept()
    assert sink.stored == ["b", "c"]


def test_a_flood_of_slow_webhooks_is_cut_when_the_time_ends() -> None:
    """The clock counts processor time. At first each webhook has 75 milliseconds, and the last ones have more."""

    def check(_: Webhook, __: list[str]) -> None:
        done = lambda_time.now() + 0.15
        while lambda_time.now() < done:
            pass

    queue, sink = Queue(), Memory()
    consumer = checked(queue, sink, check)
    queue.send(*(webhook(id=str(number)) for number in range(60)))
    with lambda_time.used():
        invocation = lambda_time.Invocation(10)
        failed = queue.deliver(consumer.handle, 60, context=invocation)
    assert invocation.get_remaining_time_in_millis() > 0
    # Verified webhooks are stored as well, and the others say so.
    assert 0 < len(sink.stored) < 60
    assert len(failed) == 60 - len(sink.stored)


def drip(handler: BaseHTTPRequestHandler, text: str) -> None:
    for character in text:
        handler.wfile.write(character.encode())
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("at_once", "drop_by_drop", "is_stored"),
    [
        ("", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        ("HTTP/1.1 200 OK\r\n", "X: " + "y" * 100, False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "x" * 100, True),
    ],
    ids=["status", "headers", "body"],
)
def test_an_answer_that_comes_drop_by_drop_is_given_up(at_once: str, drop_by_drop: str, is_stored: bool) -> None:
    service = HttpService()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(at_once.encode())
        drip(handler, drop_by_drop)

    service.answers = [answer] * 5
    queue = Queue()
    sink = HttpSink(HttpSettings(f"http://127.0.0.1:{service.port}/", 30, None, None), None)
    queue.send(webhook())
    countdown = Countdown(1.2)
    try:
        failed = queue.deliver(queue.consumer(sink).handle, context=countdown)
    finally:
        service.close()
    assert countdown.is_kept()
    assert (failed == []) is is_stored


class Silent:
    """An SQS that does not answer."""

    def __getattr__(self, _: str) -> Any:
        return asleep


def test_an_sqs_that_does_not_answer_does_not_delay_the_report_of_failures() -> None:
    queue, down = Queue(), SinkDown("no one is there")

    def reject(_: Webhook) -> None:
        raise down

    sqs = Silent()
    consumer = Consumer(
        PythonSink(reject), Redelivery(sqs, "queue", Backoff(1, 1)), DeadLetters(sqs, "dead_letters"), 1
    )
    queue.send(*(webhook() for _ in range(30)))
    countdown = Countdown(1)
    assert len(queue.deliver(consumer.handle, 30, context=countdown)) == 30
    assert countdown.is_kept()
