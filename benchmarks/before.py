"""The effect of a change of the run time: the functions of this checkout against those of another, in turns.

Create the other one by `git worktree add ../before COMMIT`.

    PYTHONPATH=examples python benchmarks/before.py ../before
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from cold import STARTS, fastest, first_call
from cpu import Side
from events import requests, signed
from figure import Figure, interleaved, print_figures, ratio
from functions import Function, deployed, secret
from processes import serving
from webhook_runtime.testing import sqs_event

_WEBHOOKS = 500


def measure(checkout: Path, rounds: int = 5) -> Iterable[Figure]:
    """Measure the processor time of a webhook and the length of a cold start: now, over before.

    Args:
        checkout: The folder of the other checkout.
        rounds: The number of turns of each.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(serving("stub.py", secret()))
        code = folder / "before"
        shutil.copytree(checkout / "src" / "webhook_runtime", code / "webhook_runtime")
        functions = deployed(folder / "now")
        for name, event in {"OpenConsumer": sqs_event(signed()), "OpenPublisher": requests(1)[0]}.items():
            now = functions[name].compiled()
            sides = {"now": now, "before": Function(code, now.handler, now.environment).compiled()}
            starts = {side: partial(first_call, function, event, port) for side, function in sides.items()}
            interleaved(starts, 1)
            took = {side: fastest(values) for side, values in interleaved(starts, rounds * STARTS).items()}
            yield ratio(f"cold.{name}_over_before", took["now"], took["before"])
            with ExitStack() as workers:
                endpoint = f"http://127.0.0.1:{port}"
                warm = {side: workers.enter_context(Side(each, endpoint, _WEBHOOKS)) for side, each in sides.items()}
                for side in warm.values():
                    side.turn()
                used = interleaved({side: each.microseconds for side, each in warm.items()}, rounds)
            yield ratio(f"cpu.{name}_over_before", used["now"], used["before"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print_figures(lambda: measure(arguments.checkout, arguments.rounds))
