"""A cold start of our functions against that of the one client that each cannot do without.

python benchmarks/cold.py
"""

import compileall
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from events import request, signed
from figure import Figure, figure, interleaved, print_figures, ratio
from functions import PEERS, Function, deployed, secret
from processes import serving
from webhook_runtime.clock import Clock
from webhook_runtime.publisher import Publisher
from webhook_runtime.settings import DynamoDBSettings, PublisherSettings
from webhook_runtime.sinks.dynamodb import DynamoDBSink
from webhook_runtime.testing import sqs_event
from worker import Context

Start = tuple[Function, dict[str, Any]]

_GOAL = "<= 1.10"
_FIRST_CALL = Path(__file__).with_name("first_call.py")


def measure(rounds: int = 5) -> Iterable[Figure]:
    """Our two functions; and for information those that need a second client, and what it costs that Lambda has no
    bytecode of ours.

    Args:
        rounds: How often each is started.
    """
    with tempfile.TemporaryDirectory() as folder, serving("stub.py", secret()) as port:
        starts = _starts(Path(folder))
        took = interleaved({name: partial(_first_call, *start, port) for name, start in starts.items()}, rounds)
        yield ratio("cold.consumer_over_boto3", took["consumer"], took["boto3 dynamodb"], goal=_GOAL)
        yield ratio("cold.publisher_over_boto3", took["publisher"], took["boto3 sqs"], goal=_GOAL)
        for name, values in took.items():
            yield figure(f"cold.{name.replace(' ', '_')}_ms", values, unit="ms")


def _starts(folder: Path) -> dict[str, Start]:
    """Functions, and the event that each gets first: one webhook, which makes both sides do the same call."""
    ours = deployed(folder)
    posted, webhook = request(), signed()
    queued = sqs_event(webhook)
    compileall.compile_dir(PEERS, quiet=1)
    sink = DynamoDBSink(DynamoDBSettings("Webhooks"), _Recorder())
    publisher = Publisher(PublisherSettings("Queue", None), _Recorder())
    return {
        "consumer": (ours["OpenConsumer"].compiled(), queued),
        "boto3 dynamodb": (
            Function(PEERS / "bare", "bare_dynamodb.handler"),
            _call(lambda: [*sink.store([webhook], Clock(Context()))]),
        ),
        "publisher": (ours["OpenPublisher"].compiled(), posted),
        "boto3 sqs": (Function(PEERS / "bare", "bare_sqs.handler"), _call(lambda: publisher.handle(posted, None))),
        "consumer without bytecode": (ours["OpenConsumer"], queued),
        "publisher without bytecode": (ours["OpenPublisher"], posted),
        "consumer that verifies": (ours["BehindConsumer"].compiled(), queued),
        "publisher that verifies": (ours["SignedPublisher"].compiled(), posted),
    }


class _Recorded(Exception):
    """What a client was called with."""


class _Recorder:
    """A client that is never there."""

    def __getattr__(self, _operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> None:
            raise _Recorded(arguments)

        return call


def _call(work: Callable[[], object]) -> dict[str, Any]:
    """The arguments of the first call that some work does."""
    try:
        work()
    except _Recorded as recorded:
        return dict(recorded.args[0])
    raise AssertionError("it called nobody")


def _first_call(function: Function, event: dict[str, Any], port: int) -> float:
    """In milliseconds."""
    environment = {**function.variables(f"http://127.0.0.1:{port}"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(_FIRST_CALL), function.handler]
    run = subprocess.run(
        command, input=json.dumps(event), stdout=subprocess.PIPE, env=environment, text=True, check=True
    )
    return float(run.stdout)


if __name__ == "__main__":
    print_figures(measure)
