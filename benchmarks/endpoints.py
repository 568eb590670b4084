"""The time of an answer, one request after the other, the cost of a million webhooks, and the time until one is stored.

The queues deliver nothing during the first requests, so the time is that of the endpoint alone.
"""

import hmac
import time
import uuid
from collections.abc import Callable, Iterator
from statistics import median

import httpx

import cost
import latency
from figure import Figure, figure, interleaved, print_figures, ratio
from scalable_webhook_cli.local.emulator import Emulator, running
from side import OURS, PEERS, Side, side

REQUESTS = 100
_BODY = b'{"action":"opened","number":1}'
_SIGNATURE = "sha256=" + hmac.new(b"shh", _BODY, "sha256").hexdigest()


def measure(emulator: Emulator, rounds: int = 5, requests: int = REQUESTS) -> Iterator[Figure]:
    """Measure the time of an answer, then the cost of the webhooks, and the time until one is stored."""
    sides = {
        "direct": side(emulator, OURS / "direct"),
        "lambda": side(emulator, OURS / "signed"),
        "original": side(emulator, PEERS / "original"),
        "solutions_constructs": side(emulator, PEERS / "solutions_constructs"),
        "handwritten": side(emulator, PEERS / "handwritten"),
    }
    for each in sides.values():
        each.pause()
    timed = {name: _timing(each, requests) for name, each in sides.items()}
    for warm_up in timed.values():
        warm_up()
    p50 = interleaved(timed, rounds)

    yield ratio("door.direct_p50_over_original", p50["direct"], p50["original"], goal="<= 0.5")
    yield ratio("door.lambda_p50_over_original", p50["lambda"], p50["original"], goal="<= 1.05")
    for name, values in p50.items():
        yield figure(f"door.{name}_p50_ms", values, unit="ms")
    for each in sides.values():
        each.drain()
    yield from cost.measure(direct=sides["direct"], with_publisher=sides["lambda"], original=sides["original"])
    yield from latency.measure(sides["lambda"], rounds)


def _timing(each: Side, requests: int) -> Callable[[], float]:
    """Return the milliseconds of the median request, over one connection."""

    def p50() -> float:
        seconds = []
        with httpx.Client(timeout=30, trust_env=False) as http:
            for _ in range(requests):
                headers = {
                    "Content-Type": "application/json",
                    "X-GitHub-Delivery": str(uuid.uuid4()),
                    "X-Hub-Signature-256": _SIGNATURE,
                }
                began = time.perf_counter()
                answer = http.post(each.url, content=_BODY, headers=headers)
                seconds.append(time.perf_counter() - began)
                if not answer.is_success:
                    raise RuntimeError(f"{each.stack} answered {answer.status_code}: {answer.text}")
        return median(seconds) * 1000

    return p50


if __name__ == "__main__":
    with running() as local_aws:
        print_figures(lambda: measure(local_aws))
