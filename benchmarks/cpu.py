"""The processor time of a webhook in the publisher and in the consumer, with a profile. And over that of
minimal handlers by boto3, which store as much.

python benchmarks/cpu.py
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from events import BATCH_SIZE, batches, minimal_batches, requests
from figure import Figure, figure, interleaved, print_figures, ratio
from functions import PEERS, Function, deployed, secret
from processes import Worker, serving
from worker import Run

_TOP = 5
_GOAL = "<= 0.55"
_EVENTS: dict[str, Callable[[int], Sequence[Any]]] = {
    "publisher": requests,
    "consumer": lambda webhooks: batches(webhooks // BATCH_SIZE),
    "minimal_consumer": lambda webhooks: minimal_batches(webhooks // BATCH_SIZE),
}
_MINIMAL = {
    "minimal_consumer": Function(PEERS / "minimal", "store.consumer", {"TABLE_NAME": "minimal"}),
    "minimal_publisher": Function(PEERS / "minimal", "publish.publisher", {"QUEUE_URL": "http://127.0.0.1/queue"}),
}


class Side(Worker):
    """One function, with a number of webhooks for each turn, and its kind of events."""

    def __init__(self, function: Function, endpoint: str, webhooks: int, events: str = "") -> None:
        super().__init__(function, endpoint)
        kind = "publisher" if "publisher" in function.handler else "consumer"
        self._events = _EVENTS[events or kind]
        self._webhooks = webhooks

    def turn(self, *, profile: bool = False) -> Run:
        """Process the webhooks of a turn."""
        run = self.run(self._events(self._webhooks), profile=profile)
        if any(answer.get("batchItemFailures") or answer.get("statusCode", 202) != 202 for answer in run.answers):
            raise RuntimeError("a webhook was rejected")
        return run

    def microseconds(self) -> float:
        """Return the processor time of a webhook."""
        return self.turn().cpu / self._webhooks * 1e6


def measure(rounds: int = 5, webhooks: int = 500) -> Iterable[Figure]:
    """Measure our functions, with real clients, against a stub in a process of its own.

    Args:
        rounds: The number of turns of each function.
        webhooks: The number of webhooks in a turn.
    """
    names = {
        "consumer": "OpenConsumer",
        "consumer_verifying": "BehindConsumer",
        "publisher": "OpenPublisher",
        "publisher_verifying": "SignedPublisher",
    }
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        endpoint = f"http://127.0.0.1:{stack.enter_context(serving('stub.py', secret()))}"
        functions = deployed(Path(folder))
        sides = {key: Side(functions[name], endpoint, webhooks) for key, name in names.items()}
        sides |= {key: Side(each, endpoint, webhooks, key if key in _EVENTS else "") for key, each in _MINIMAL.items()}
        for side in sides.values():
            stack.enter_context(side).turn()  # the first turn of an environment is not measured
        used = interleaved({key: side.microseconds for key, side in sides.items()}, rounds)
        for key in ("publisher", "consumer"):
            yield ratio(f"cpu.{key}_over_boto3", used[key], used[f"minimal_{key}"], goal=_GOAL)
        for key, side in sides.items():
            top = side.turn(profile=True).profile[:_TOP]
            note = ", ".join(f"{name} {share:.0%}" for name, share in top)
            yield figure(f"cpu.{key}_us_per_webhook", used[key], unit="us", note=note)


if __name__ == "__main__":
    print_figures(measure)
