"""The processor time and memory of publisher and consumer for unsigned requests of the largest size. The time is that
of a function of 256 MiB, and must stay below half of the timeouts.

PYTHONPATH=. python benchmarks/hostile.py
"""

import gc
import json
import logging
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.attacks.hostile import ALL, BATCH, MOUNT, REQUEST, Hostile, hostile, queued, sources
from tests.attacks.lambda_time import VCPU, Invocation
from tests.runtime.doubles import SecretsManager, Sqs
from tests.signers import Signer
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.filters import EventFilters
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Outcome
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sources.source import Sources

# Seconds: half of each default timeout.
HALF = {"publisher": 10.0, "consumer": 15.0}
_BATCH_SIZE = 10
# The maximum of filters, each with several rules, over fields that a client may repeat.
FILTERS = EventFilters(
    {
        MOUNT: [
            {"body": {"value": ["a", {"prefix": f"p{number}"}, {"suffix": "s"}, {"numeric": [">", 10 + number]}]}}
            for number in range(5)
        ]
    }
)


class Sink:
    """A sink that accepts everything."""

    def store(self, webhooks: list[Webhook], _deadline: Deadline) -> Iterable[Outcome]:
        """Accept each webhook."""
        return [STORED for _ in webhooks]


def publishing(checked: Sources | None, filters: EventFilters | None, each: Hostile, at: float) -> Callable[[], Any]:
    """Return the work of one request, from the text that Lambda passes on."""
    text = json.dumps(each.event(at))
    settings = PublisherSettings("https://sqs/queue", None)

    def work() -> Any:
        return Publisher(settings, Sqs(), checked, filters).handle(json.loads(text), Invocation(1e6))

    return work


def consuming(checked: Sources | None, filters: EventFilters | None, each: Hostile, at: float) -> Callable[[], Any]:
    """Return the work of one batch, as full as possible."""
    fitting = each.fitting(at)
    one = json.dumps(queued(fitting.webhook(at, "0")))
    number = max(1, min(_BATCH_SIZE, BATCH // len(one)))
    text = json.dumps({"Records": [queued(fitting.webhook(at, str(n))) for n in range(number)]})

    def work() -> Any:
        sqs = Sqs()
        consumer = Consumer(
            Sink(),  # type: ignore[arg-type]
            Redelivery(sqs, "queue", Backoff(30, 900)),
            DeadLetters(sqs, "dead_letters"),
            5,
            checked,
            filters,
            unverified=DeadLetters(sqs, "unverified", in_order=False),
        )
        return consumer.handle(json.loads(text), Invocation(1e6))

    return work


def seconds_of(work: Callable[[], Any]) -> float:
    """Return the processor time, the minimum of two turns."""
    turns = []
    for _ in range(2):
        began = time.process_time()
        work()
        turns.append(time.process_time() - began)
    return min(turns)


def memory_of(work: Callable[[], Any]) -> float:
    """Return the MiB at the peak, above those before the event."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def cases() -> Iterator[tuple[str, Signer | None]]:
    """Yield each scheme; and the filters of an endpoint without a source."""
    yield from ALL.items()
    yield "event_filters", None


def main(only: list[str]) -> None:
    """Print the worst of each scheme."""
    logging.disable()
    at = float(int(time.time()) - 1)
    someone = next(iter(ALL.values()))
    above = []
    print(f"{'seconds at 256 MiB, MiB':42} {'publisher':>9} {'MiB':>4} {'consumer':>9} {'MiB':>4}  by what")
    for name, signer in cases():
        if only and name not in only:
            continue
        checked = None if signer is None else sources(signer, SecretsManager(AWSCURRENT=signer.secret))
        filters = FILTERS if signer is None else None
        # The function does not have the CDK in its memory, which would slow each garbage collection.
        gc.freeze()
        worst = {}
        for function, made in (("publisher", publishing), ("consumer", consuming)):
            works = [(made(checked, filters, each, at), each.what) for each in hostile(signer or someone, at, REQUEST)]
            cpu, what, work = max(((seconds_of(work), what, work) for work, what in works), key=lambda each: each[0])
            dense = [work for work, what in works if what in ("objects", "arrays")]
            worst[function] = (cpu / VCPU, max(map(memory_of, [work, *dense])), what)
            if cpu / VCPU > HALF[function]:
                above.append(f"{function}, {name}, {what}")
        (p, p_memory, p_what), (c, c_memory, c_what) = worst["publisher"], worst["consumer"]
        print(f"{name:42} {p:9.2f} {p_memory:4.0f} {c:9.2f} {c_memory:4.0f}  {p_what} | {c_what}", flush=True)
    print(f"{'half of the timeout':42} {HALF['publisher']:9.2f}      {HALF['consumer']:9.2f}")
    if above:
        sys.exit("above half of the timeout: " + "; ".join(above))


if __name__ == "__main__":
    main(sys.argv[1:])
