"""The time from the acceptance of a webhook until it is stored, at a steady rate, and where it goes.

A webhook is accepted once SQS has it, as the publisher logs: the answer is on its way then.

The local AWS delivers, and its DynamoDB stores. The product's own part is the processor time of `cpu.py`.
"""

import hmac
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from statistics import median, quantiles
from typing import NamedTuple

import httpx

from figure import Figure, figure
from side import Side

# The seconds of a round by the webhooks a second.
RATES = {1: 8.0, 10: 4.0, 50: 2.0}
_THREADS = 16
_BODY = b'{"action":"opened","number":1}'
_HEADERS = {
    "Content-Type": "application/json",
    "X-Hub-Signature-256": "sha256=" + hmac.new(b"shh", _BODY, "sha256").hexdigest(),
}


class Way(NamedTuple):
    """When a webhook was accepted, when its batch began in the consumer, and when it was stored, in seconds."""

    accepted: float
    began: float
    stored: float


def measure(each: Side, rounds: int = 5, rates: Mapping[int, float] = RATES) -> Iterator[Figure]:
    """Measure a deployed webhook that verifies GitHub's signature.

    Args:
        each: Its stack.
        rounds: How often each rate is kept for its seconds. All webhooks of a rate count together.
        rates: The seconds by the webhooks a second.
    """
    _send(each, 10, 1.0)  # starts the environments
    each.wait_until_drained()
    for rate, seconds in rates.items():
        sent = _send(each, rate, seconds * rounds)
        each.wait_until_drained()
        ways = _ways(each, sent)
        took = [(way.stored - way.accepted) * 1000 for way in ways]
        delivery = median((way.began - way.accepted) * 1000 for way in ways)
        inside = median((way.stored - way.began) * 1000 for way in ways)
        note = (
            f"{len(took)} webhooks; of the median {delivery:.1f} ms are the local AWS's delivery, and {inside:.1f} ms "
            "in the function, with the local AWS's DynamoDB"
        )
        yield figure(f"latency.accepted_to_stored_p50_ms_at_{rate}", [median(took)], unit="ms", note=note)
        p99 = quantiles(took, n=100, method="inclusive")[98]
        yield figure(f"latency.accepted_to_stored_p99_ms_at_{rate}", [p99], unit="ms")


def _send(each: Side, rate: int, seconds: float) -> list[str]:
    """Send at a steady rate, whatever the answers take. Return the ids."""
    began = time.time() + 0.1
    with httpx.Client(timeout=30, trust_env=False) as http, ThreadPoolExecutor(_THREADS) as threads:

        def send(number: int) -> str:
            time.sleep(max(0.0, began + number / rate - time.time()))
            id = str(uuid.uuid4())
            http.post(each.url, content=_BODY, headers=_HEADERS | {"X-GitHub-Delivery": id}).raise_for_status()
            return id

        return list(threads.map(send, range(round(rate * seconds))))


def _ways(each: Side, ids: Iterable[str]) -> list[Way]:
    """Return what the functions have logged. The line of a batch comes after those of its webhooks."""
    accepted, began, stored = dict[str, float](), dict[str, float](), dict[str, float]()
    for name, configuration in each.functions():
        for stream in each.log(name, configuration):
            batch: list[str] = []
            for line in (json.loads(text) for text in stream if text.startswith("{")):
                at = datetime.fromisoformat(line["timestamp"]).timestamp()
                match line.get("message"):
                    case "queued":
                        accepted[line["id"]] = at
                    case "stored":
                        stored[line["id"]] = at
                        batch.append(line["id"])
                    case "batch":
                        began |= dict.fromkeys(batch, line["started"] / 1000)
                        batch = []
    return [Way(accepted[id], began[id], stored[id]) for id in ids]
