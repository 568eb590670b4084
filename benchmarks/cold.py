"""A cold start of our functions against that of one call by boto3, by the standard library alone, and against what they
did before: they imported botocore first. And the memory that each takes.

python benchmarks/cold.py
"""

import base64
import compileall
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from postgres_server import USER, running

from events import Recorder, recorded, requests, signed
from figure import Figure, figure, interleaved, print_figures, ratio
from functions import PEERS, Function, deployed, secret
from processes import serving
from webhook_runtime.contract.pausing import SINK_DOWN
from webhook_runtime.contract.settings import DynamoDBSettings, PublisherSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.publisher import Publisher
from webhook_runtime.sinks.dynamodb import DynamoDBSink
from webhook_runtime.testing import sqs_event
from worker import Context


class Start(NamedTuple):
    """A function with its first event, and what it imports before anything else."""

    function: Function
    event: dict[str, Any]
    first: tuple[str, ...] = ()


class Took(NamedTuple):
    """A cold start: its milliseconds, those of processor time, the peak of memory in MiB, and whether it failed."""

    ms: float
    cpu: float
    mib: float
    failed: bool


# Each comparison, and its goal.
_COMPARED = (
    ("consumer_over_boto3", "consumer", "boto3_dynamodb", "<= 0.35"),
    ("consumer_over_bare", "consumer", "bare_dynamodb", "<= 1.25"),
    ("publisher_over_boto3", "publisher", "boto3_sqs", "<= 0.35"),
    ("publisher_over_bare", "publisher", "bare_sqs", "<= 1.25"),
    ("python_over_before", "python", "python_before", "<= 0.35"),
    ("http_over_before", "http", "http_before", "<= 0.70"),
)
# Without its server, the first answer of this one is that there is no connection.
_WITHOUT_SERVER = {"mysql"}
# The line of the consumer's log that calls the function of the circuit breaker.
_LINE = json.dumps({"level": "ERROR", "message": SINK_DOWN})
_LINES = gzip.compress(json.dumps({"logEvents": [{"message": _LINE}]}).encode())
_OUTAGE = {"awslogs": {"data": base64.b64encode(_LINES).decode()}}
_FIRST_CALL = Path(__file__).with_name("first_call.py")

# The fastest of so many starts counts, since a disturbance only makes a start slower.
STARTS = 3


def measure(rounds: int = 5) -> Iterable[Figure]:
    """Measure the comparisons; and for information every function as it is packed, those with a second client or a
    connection, and the cost of missing bytecode in Lambda.

    Args:
        rounds: A third of the starts of each.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        running() as postgres,
        serving("stub.py", secret(USER, postgres.password)) as port,
    ):
        starts = _starts(Path(folder), postgres.port, f"http://127.0.0.1:{port}")
        one_each = {name: partial(first_call, start, port) for name, start in starts.items()}
        interleaved(one_each, 1)  # it fills the cache of the file system
        took = interleaved(one_each, rounds * STARTS)
    if failed := {name for name, values in took.items() if any(each.failed for each in values)} - _WITHOUT_SERVER:
        raise RuntimeError(f"the first webhook must be stored, was not by {failed}")
    for key, over, under, goal in _COMPARED:
        yield ratio(f"cold.{key}", fastest(took[over]), fastest(took[under]), goal=goal)
        yield ratio(f"cold.{key}_cpu", fastest(took[over], "cpu"), fastest(took[under], "cpu"))
    for name, values in took.items():
        yield figure(f"cold.{name}_ms", fastest(values), unit="ms")
    for name, values in took.items():
        yield figure(f"memory.{name}_mib", fastest(values, "mib"), unit="MiB")


def fastest(values: Sequence[Took], what: str = "ms") -> list[float]:
    """Return the fastest start of each round, or the least of another value.

    Args:
        values: The starts of all rounds, in their order.
        what: A field of ``Took``. Default: the milliseconds.
    """
    found = [float(getattr(each, what)) for each in values]
    return [min(found[start : start + STARTS]) for start in range(0, len(found), STARTS)]


def _starts(folder: Path, postgres: int, service: str) -> dict[str, Start]:
    """Return functions with their first event: one webhook, for which both sides make the same call."""
    ours = deployed(folder, port=postgres, every_sink=True)
    (posted,), webhook = requests(1), signed()
    queued = sqs_event(webhook)
    http = ours["HttpConsumer"].compiled()
    http = replace(http, environment={**http.environment, "WEBHOOK_URL": service})
    python, botocore = ours["PythonConsumer"].compiled(), ("botocore.session",)
    compileall.compile_dir(PEERS, quiet=1)
    sink = DynamoDBSink(DynamoDBSettings("Webhooks"), Recorder())
    publisher = Publisher(PublisherSettings("Queue", None), Recorder())
    put, send = (
        recorded(lambda: [*sink.store([webhook], Deadline(Context()))]),
        recorded(lambda: publisher.handle(posted, None)),
    )
    return {
        "consumer": Start(ours["OpenConsumer"].compiled(), queued),
        "boto3_dynamodb": Start(Function(PEERS / "bare", "bare_dynamodb.handler"), put),
        "bare_dynamodb": Start(Function(PEERS / "bare", "stdlib.dynamodb"), put),
        "publisher": Start(ours["OpenPublisher"].compiled(), posted),
        "boto3_sqs": Start(Function(PEERS / "bare", "bare_sqs.handler"), send),
        "bare_sqs": Start(Function(PEERS / "bare", "stdlib.sqs"), send),
        "python": Start(python, queued),
        "python_before": Start(python, queued, botocore),
        "http": Start(http, queued),
        "http_before": Start(http, queued, botocore),
        "consumer_without_bytecode": Start(ours["OpenConsumer"], queued),
        "publisher_without_bytecode": Start(ours["OpenPublisher"], posted),
        "consumer_verifying": Start(ours["BehindConsumer"].compiled(), queued),
        "publisher_verifying": Start(ours["SignedPublisher"].compiled(), posted),
        "postgres": Start(ours["PostgresConsumer"].compiled(), queued),
        "mysql": Start(ours["MysqlConsumer"].compiled(), queued),
        "data_api": Start(ours["DataApiConsumer"].compiled(), queued),
        "breaker": Start(ours["PostgresBreaker"].compiled(), _OUTAGE),
    }


def first_call(start: Start, port: int) -> Took:
    """Measure a cold start.

    Args:
        start: The function to start, and its first event.
        port: The port of the services.
    """
    function, event, first = start
    environment = {**function.variables(f"http://127.0.0.1:{port}"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(_FIRST_CALL), function.handler, *first]
    run = subprocess.run(
        command, input=json.dumps(event), stdout=subprocess.PIPE, env=environment, text=True, check=True
    )
    return Took(*json.loads(run.stdout))


if __name__ == "__main__":
    print_figures(measure)
