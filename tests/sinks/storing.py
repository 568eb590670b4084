"""Store a batch in a sink, without a queue."""

import time
from collections.abc import Callable

import pytest

from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Kind, Outcome, SinkDown
from webhook_runtime.sinks import Sink

from .queue_harness import Invocation


def store(sink: Sink, *webhooks: Webhook, seconds: float = 30) -> list[Outcome]:
    """Return the outcome of each webhook."""
    outcomes = list(sink.store(webhooks, Deadline(Invocation(seconds))))
    assert len(outcomes) == len(webhooks)
    return outcomes


def kinds(sink: Sink, *webhooks: Webhook) -> list[Kind]:
    """Return the kind of each outcome, as :func:`store` does."""
    return [outcome.kind for outcome in store(sink, *webhooks)]


def down(sink: Sink, *webhooks: Webhook) -> SinkDown:
    """Return the error of a sink that stores none of the webhooks."""
    return down_after(sink, [], *webhooks)


def down_after(sink: Sink, done: list[Kind], *webhooks: Webhook) -> SinkDown:
    """Return the error of a sink that stores only the first of the webhooks."""
    seen: list[Kind] = []
    with pytest.raises(SinkDown) as raised:
        seen.extend(outcome.kind for outcome in sink.store(webhooks, Deadline(Invocation())))
    assert seen == done
    return raised.value


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)
