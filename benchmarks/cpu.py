"""The processor time that a webhook takes in the publisher and in the consumer, with a profile.

python benchmarks/cpu.py
"""

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from events import BATCH_SIZE, batches, requests
from figure import Figure, figure, interleaved, print_figures
from functions import Function, deployed, secret
from processes import Worker, serving
from worker import Run

_TOP = 5


class Side(Worker):
    """One function, with a number of webhooks for each turn."""

    def __init__(self, function: Function, endpoint: str, webhooks: int) -> None:
        super().__init__(function, endpoint)
        self._is_publisher = "publisher" in function.handler
        self._webhooks = webhooks

    def turn(self, *, profile: bool = False) -> Run:
        """Process the webhooks of a turn."""
        events: Sequence[Any] = (
            requests(self._webhooks) if self._is_publisher else batches(self._webhooks // BATCH_SIZE)
        )
        run = self.run(events, profile=profile)
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
        sides = {key: stack.enter_context(Side(functions[name], endpoint, webhooks)) for key, name in names.items()}
        for side in sides.values():
            side.turn()  # the first turn of an environment is not measured
        used = interleaved({key: side.microseconds for key, side in sides.items()}, rounds)
        for key, side in sides.items():
            top = side.turn(profile=True).profile[:_TOP]
            note = ", ".join(f"{name} {share:.0%}" for name, share in top)
            yield figure(f"cpu.{key}_us_per_webhook", used[key], unit="us", note=note)


if __name__ == "__main__":
    print_figures(measure)
