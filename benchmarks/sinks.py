"""The webhooks a second that our consumer stores, against a consumer that stores one record after the other. Both have
the same number of workers, the same server, and 5 milliseconds a round trip.

And against the limit of the server, over one connection: `COPY` of the same rows, and the same requests to DynamoDB by
the standard library alone. These have no such delay, which would hide the difference.

    PYTHONPATH=examples python benchmarks/sinks.py
"""

import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pg8000.native
import psutil
from postgres_server import USER, PostgresServer
from postgres_server import running as running_postgres

from events import BATCH_SIZE, Recorder, batches, messages, recorded, rows, signed
from figure import Figure, figure, interleaved, print_figures, ratio
from functions import DATABASE_NAME, PEERS, Function, deployed, secret
from processes import Worker, serving
from scalable_webhook_cli.local.emulator import running as running_emulator
from slow_link import round_trips
from webhook_runtime.contract.settings import DynamoDBSettings
from webhook_runtime.contract.table import create_table
from webhook_runtime.deadline import Deadline
from webhook_runtime.sinks.dynamodb import DynamoDBSink
from worker import Context

ROUND_TRIP_MS = 5
WORKERS = 2

_GOAL = ">= 5"
_ANY_KEY = "test"


class _Side:
    """The workers of one function. ``make`` makes a number of events for it; ``server`` is the process of the sink's
    server, if it is known."""

    def __init__(
        self,
        function: Function,
        endpoint: str,
        make: Callable[[int], Sequence[Any]],
        server: psutil.Process | None = None,
        workers: int = WORKERS,
    ) -> None:
        self._workers = [Worker(function, endpoint) for _ in range(workers)]
        self._make = make
        self._server = server
        self.sent = 0
        self.server_ms: list[float] = []

    def rate(self, events: int) -> float:
        """Return the webhooks a second, until the last worker has processed its events."""
        work = [self._make(events) for _ in self._workers]
        server = self._server_ms()
        for worker, share in zip(self._workers, work, strict=True):
            worker.send(share)
        runs = [worker.receive() for worker in self._workers]
        if any(answer and answer["batchItemFailures"] for run in runs for answer in run.answers):
            raise RuntimeError("a webhook was not stored")
        self.server_ms.append((self._server_ms() - server) / events / len(runs))
        webhooks = events * len(runs) * BATCH_SIZE
        self.sent += webhooks
        return webhooks / (max(run.ended for run in runs) - min(run.began for run in runs))

    def _server_ms(self) -> float:
        if self._server is None:
            return 0.0
        used = self._server.cpu_times()
        return float(used.user + used.system) * 1000

    def __enter__(self) -> "_Side":
        return self

    def __exit__(self, *error: Any) -> None:
        for worker in self._workers:
            worker.__exit__(*error)


def measure(rounds: int = 5, webhooks: int = 400) -> Iterable[Figure]:
    """Measure DynamoDB against the original pattern's consumer, and Postgres against a statement a record.

    Args:
        rounds: The number of turns of each side.
        webhooks: The number of webhooks in a turn.
    """
    events = webhooks // BATCH_SIZE // WORKERS
    yield _round_trip()
    with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres, _slow(postgres.port) as port:
        functions = deployed(Path(folder), port=port)
        yield from _postgres(functions["PostgresConsumer"], postgres, port, rounds, events)
        yield from _beside_copy(functions["PostgresConsumer"], postgres, rounds, events * WORKERS)
        yield from _dynamodb(functions["OpenConsumer"], rounds, events)
        yield from _beside_bare(functions["OpenConsumer"], rounds, events * WORKERS)


def _round_trip() -> Figure:
    """Measure the delay of the link."""
    with _echo() as port, _slow(port) as slow:
        took = interleaved({"link": lambda: round_trips(slow), "none": lambda: round_trips(port)}, 3)
    added = [link - none for link, none in zip(took["link"], took["none"], strict=True)]
    return figure("sink.round_trip_ms", added, unit="ms", note="what the link adds to a round trip, measured")


def _postgres(function: Function, server: PostgresServer, port: int, rounds: int, events: int) -> Iterable[Figure]:
    """Measure real Postgres. The other side has the same columns, a kept connection and a prepared statement too."""
    rates = _against_postgres(function, "sequential_postgres.handler", batches, server, port, rounds, events, WORKERS)
    yield ratio("sink.postgres_rate_over_sequential", *rates, goal=_GOAL)
    yield from _rates("postgres", "sequential", *rates)


def _beside_copy(function: Function, server: PostgresServer, rounds: int, events: int) -> Iterable[Figure]:
    """Measure a batch next to ``COPY`` of the same rows, over one connection: by a consumer that reads the same
    messages, and by one that gets rendered rows."""
    rates = _against_postgres(function, "copy_postgres.handler", batches, server, server.port, rounds, events, 1)
    yield ratio("sink.postgres_rate_over_copy", *rates, goal=">= 0.6")
    yield from _rates("postgres_alone", "copy", *rates)
    rates = _against_postgres(function, "copy_postgres.rendered", rows, server, server.port, rounds, events, 1)
    yield ratio("sink.postgres_rate_over_rendered_copy", *rates)


def _against_postgres(
    function: Function,
    peer: str,
    make: Callable[[int], Sequence[Any]],
    server: PostgresServer,
    port: int,
    rounds: int,
    events: int,
    workers: int,
) -> tuple[list[float], list[float]]:
    """Return the rates of our consumer and of a peer with its own events, each into a table of its own."""
    table = peer.replace(".", "_")
    tables = (f"beside_{table}", table)
    variables = {"WEBHOOK_TABLE_NAME": tables[0], "WEBHOOK_DATABASE_PORT": str(port)}
    function = replace(function, environment={**function.environment, **variables})
    peer_environment = {
        "DATABASE_USER": USER,
        "DATABASE_PASSWORD": server.password,
        "DATABASE_NAME": DATABASE_NAME,
        "DATABASE_PORT": str(port),
        "TABLE_NAME": tables[1],
    }
    other = Function(PEERS / "sequential", peer, peer_environment)
    owner = pg8000.native.Connection(USER, "127.0.0.1", DATABASE_NAME, server.port, server.password)
    for table in tables:
        owner.run(create_table("postgres", table))
    with serving("stub.py", secret(USER, server.password)) as services:
        endpoint = f"http://127.0.0.1:{services}"
        ours = _Side(function, endpoint, batches, workers=workers)
        theirs = _Side(other, endpoint, make, workers=workers)
        rates = _compare(ours, theirs, rounds, events)
    stored = [owner.run(f"SELECT count(*) FROM {table}")[0][0] for table in tables]  # noqa: S608
    owner.close()
    _require_all(ours, theirs, stored)
    return rates


def _dynamodb(function: Function, rounds: int, events: int) -> Iterable[Figure]:
    """Measure a stub, whose calls take the time of the link; and for information the local AWS, whose one process takes
    longer for a batch than the link."""
    with serving("stub.py", secret()) as port:
        rates, _, _ = _against(f"http://127.0.0.1:{port}", function, rounds, events)
    yield ratio("sink.dynamodb_rate_over_original", *rates, goal=_GOAL)
    yield from _rates("dynamodb", "original", *rates)
    with running_emulator() as emulator:
        server = psutil.Process(emulator.processes[0].pid)
        # Directly to the backend, as the functions of the local AWS do.
        rates, ours, theirs = _against(server.environ()["AWS_ENDPOINT_URL"], function, rounds, events, server)
    yield ratio("sink.local_aws_rate_over_original", *rates, note="for information: see benchmarks/README.md")
    for name, side in {"ours": ours, "original": theirs}.items():
        note = "processor time of the local AWS, for 10 webhooks"
        yield figure(f"sink.local_aws_{name}_ms_per_batch", side.server_ms[1:], unit="ms", note=note)


def _beside_bare(function: Function, rounds: int, events: int) -> Iterable[Figure]:
    """Measure a batch next to the request alone, which a client of the standard library sends to the same stub."""
    with serving("stub.py", secret()) as port:
        endpoint = f"http://127.0.0.1:{port}"
        bare = Function(PEERS / "bare", "stdlib.dynamodb")
        ours, theirs = _Side(function, endpoint, batches, workers=1), _Side(bare, endpoint, _statements, workers=1)
        rates = _compare(ours, theirs, rounds, events)
    yield ratio("sink.dynamodb_rate_over_bare", *rates)
    yield from _rates("dynamodb_alone", "bare", *rates)


def _statements(count: int) -> list[dict[str, Any]]:
    """Return the requests by which our consumer stores as many batches."""
    sink = DynamoDBSink(DynamoDBSettings("Bare"), Recorder())

    def store() -> None:
        list(sink.store([signed() for _ in range(BATCH_SIZE)], Deadline(Context())))

    return [recorded(store) for _ in range(count)]


def _against(
    direct: str, function: Function, rounds: int, events: int, server: psutil.Process | None = None
) -> tuple[tuple[list[float], list[float]], _Side, _Side]:
    """Return the rates of both there, and the sides."""
    peer = Function(PEERS / "original" / "handler", "subscribe.handler", {"TABLE_NAME": "original"})
    tables = (function.environment["WEBHOOK_TABLE_NAME"], "original")
    # The local AWS requires its key, which is in its environment.
    key = _ANY_KEY if server is None else server.environ()["AWS_ACCESS_KEY_ID"]
    signer = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key}
    function, peer = (replace(each, environment={**each.environment, **signer}) for each in (function, peer))
    dynamodb = boto3.client(
        "dynamodb", "us-east-1", endpoint_url=direct, aws_access_key_id=key, aws_secret_access_key=key
    )
    if server is not None:
        for table in tables:
            dynamodb.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
    with _slow(int(direct.rpartition(":")[2])) as port:
        endpoint = f"http://127.0.0.1:{port}"
        ours, theirs = _Side(function, endpoint, batches, server), _Side(peer, endpoint, messages, server)
        rates = _compare(ours, theirs, rounds, events)
    _require_all(ours, theirs, [_count(dynamodb, table) for table in tables])
    return rates, ours, theirs


def _compare(ours: _Side, theirs: _Side, rounds: int, events: int) -> tuple[list[float], list[float]]:
    """Return the rates of both sides."""
    with ours, theirs:
        for side in (ours, theirs):
            side.rate(1)  # the first events of an environment are not measured
        rates = interleaved({"ours": lambda: ours.rate(events), "theirs": lambda: theirs.rate(events)}, rounds)
    return rates["ours"], rates["theirs"]


def _rates(sink: str, peer: str, ours: Sequence[float], theirs: Sequence[float]) -> Iterable[Figure]:
    yield figure(f"sink.{sink}_rate", ours, unit="/s")
    yield figure(f"sink.{peer}_rate", theirs, unit="/s")


def _require_all(ours: _Side, theirs: _Side, stored: Sequence[int]) -> None:
    if [ours.sent, theirs.sent] != list(stored):
        raise RuntimeError(f"{ours.sent} and {theirs.sent} webhooks were sent, and {stored} are stored")


def _count(dynamodb: Any, table: str) -> int:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(int(page["Count"]) for page in pages)


def _slow(port: int) -> AbstractContextManager[int]:
    """Start a link to a port, and yield its own port."""
    return serving("slow_link.py", port, ROUND_TRIP_MS)


@contextmanager
def _echo() -> Iterator[int]:
    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(16):
                self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


if __name__ == "__main__":
    print_figures(measure)
