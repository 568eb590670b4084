"""The effect of a change: the functions and the synth of this checkout against those of another, in turns.

Create the other one by `git worktree add ../before COMMIT`.

    PYTHONPATH=examples python benchmarks/before.py ../before
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from cold import STARTS, Start, fastest, first_call
from cpu import Side
from events import requests, signed
from figure import Figure, interleaved, print_figures, ratio
from functions import Function, deployed, secret
from processes import serving
from synths import synth
from webhook_runtime.testing import sqs_event

_WEBHOOKS = 500


def measure(checkout: Path, rounds: int = 5) -> Iterable[Figure]:
    """Measure the processor time of a webhook, and the length of a cold start and of a synth: now, over before.

    Args:
        checkout: The folder of the other checkout.
        rounds: The number of turns of each.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(serving("stub.py", secret()))
        functions = {"now": deployed(folder / "now"), "before": deployed_by(checkout, folder / "before")}
        for name, event in {"OpenConsumer": sqs_event(signed()), "OpenPublisher": requests(1)[0]}.items():
            sides = {side: each[name].compiled() for side, each in functions.items()}
            starts = {side: partial(first_call, Start(function, event), port) for side, function in sides.items()}
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
        synths = {
            side: synth(each / "examples" / "hello", folder / f"{side}.out", sources=each / "src")
            for side, each in {"now": Path(__file__).parents[1], "before": checkout}.items()
        }
        interleaved(synths, 1)
        synthesised = interleaved(synths, rounds)
        now, before = ([each.cpu for each in synthesised[side]] for side in ("now", "before"))
        yield ratio("synth.hello_cpu_over_before", now, before)


def deployed_by(checkout: Path, folder: Path) -> dict[str, Function]:
    """Return the functions as another checkout deploys them: by its own construct, and with its own settings.

    Args:
        checkout: The folder of the other checkout.
        folder: The folder for their code.
    """
    program = f"""
import pickle, sys
from pathlib import Path
from functions import deployed
sys.stdout.buffer.write(pickle.dumps({{name: vars(each) for name, each in deployed(Path({str(folder)!r})).items()}}))
"""
    path = os.pathsep.join(str(checkout / name) for name in ("src", "benchmarks"))
    run = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, check=True
    )
    return {name: Function(**fields) for name, fields in pickle.loads(run.stdout).items()}  # noqa: S301 (our own)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print_figures(lambda: measure(arguments.checkout, arguments.rounds))
