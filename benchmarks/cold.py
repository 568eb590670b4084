"""A cold start of our functions against that of one call by boto3, and by the standard library alone.

python benchmarks/cold.py
"""

import compileall
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from postgres_server import USER, running

from events import requests, signed
from figure import Figure, figure, interleaved, print_figures, ratio
from functions import PEERS, Function, deployed, secret
from processes import serving
from webhook_runtime.contract.settings import DynamoDBSettings, PublisherSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.publisher import Publisher
from webhook_runtime.sinks.dynamodb import DynamoDBSink
from webhook_runtime.testing import sqs_event
from worker import Context

Start = tuple[Function, dict[str, Any]]

_GOAL_OVER_BOTO3, _GOAL_OVER_BARE = "<= 0.35", "<= 1.25"
_FIRST_CALL = Path(__file__).with_name("first_call.py")

# The fastest of so many starts counts, since a disturbance only makes a start slower.
STARTS = 3


def measure(rounds: int = 5) -> Iterable[Figure]:
    """Measure our two functions; and for information those with a second client or a connection, and the cost of
    missing bytecode in Lambda.

    Args:
        rounds: A third of the starts of each.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        running() as postgres,
        serving("stub.py", secret(USER, postgres.password)) as port,
    ):
        starts = _starts(Path(folder), postgres.port)
        one_each = {name: partial(first_call, *start, port) for name, start in starts.items()}
        interleaved(one_each, 1)  # it fills the cache of the file system
        took = {name: fastest(values) for name, values in interleaved(one_each, rounds * STARTS).items()}
    for name, service in (("consumer", "dynamodb"), ("publisher", "sqs")):
        yield ratio(f"cold.{name}_over_boto3", took[name], took[f"boto3_{service}"], goal=_GOAL_OVER_BOTO3)
        yield ratio(f"cold.{name}_over_bare", took[name], took[f"bare_{service}"], goal=_GOAL_OVER_BARE)
    for name, values in took.items():
        yield figure(f"cold.{name}_ms", values, unit="ms")


def fastest(values: Sequence[float]) -> list[float]:
    """Return the fastest start of each round.

    Args:
        values: The starts of all rounds, in their order.
    """
    return [min(values[start : start + STARTS]) for start in range(0, len(values), STARTS)]


def _starts(folder: Path, postgres: int) -> dict[str, Start]:
    """Return functions with their first event: one webhook, for which both sides make the same call."""
    ours = deployed(folder, port=postgres)
    (posted,), webhook = requests(1), signed()
    queued = sqs_event(webhook)
    compileall.compile_dir(PEERS, quiet=1)
    sink = DynamoDBSink(DynamoDBSettings("Webhooks"), _Recorder())
    publisher = Publisher(PublisherSettings("Queue", None), _Recorder())
    put, send = (
        _call(lambda: [*sink.store([webhook], Deadline(Context()))]),
        _call(lambda: publisher.handle(posted, None)),
    )
    return {
        "consumer": (ours["OpenConsumer"].compiled(), queued),
        "boto3_dynamodb": (Function(PEERS / "bare", "bare_dynamodb.handler"), put),
        "bare_dynamodb": (Function(PEERS / "bare", "stdlib.dynamodb"), put),
        "publisher": (ours["OpenPublisher"].compiled(), posted),
        "boto3_sqs": (Function(PEERS / "bare", "bare_sqs.handler"), send),
        "bare_sqs": (Function(PEERS / "bare", "stdlib.sqs"), send),
        "consumer_without_bytecode": (ours["OpenConsumer"], queued),
        "publisher_without_bytecode": (ours["OpenPublisher"], posted),
        "consumer_verifying": (ours["BehindConsumer"].compiled(), queued),
        "publisher_verifying": (ours["SignedPublisher"].compiled(), posted),
        "consumer_postgres": (ours["PostgresConsumer"].compiled(), queued),
    }


class _Recorded(Exception):
    """The arguments of a call of a client."""


class _Recorder:
    """A client that records its first call."""

    def __getattr__(self, _operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> None:
            raise _Recorded(arguments)

        return call


def _call(work: Callable[[], object]) -> dict[str, Any]:
    """Return the arguments of the first call in some work."""
    try:
        work()
    except _Recorded as recorded:
        return dict(recorded.args[0])
    raise AssertionError("it made no call")


def first_call(function: Function, event: dict[str, Any], port: int) -> float:
    """Measure a cold start, in milliseconds.

    Args:
        function: The function to start.
        event: Its first event.
        port: The port of the services.
    """
    environment = {**function.variables(f"http://127.0.0.1:{port}"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(_FIRST_CALL), function.handler]
    run = subprocess.run(
        command, input=json.dumps(event), stdout=subprocess.PIPE, env=environment, text=True, check=True
    )
    return float(run.stdout)


if __name__ == "__main__":
    print_figures(measure)
