"""One server of each kind for all tests, and a harness for each test."""

from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest
from postgres_server import PostgresServer

from scalable_webhook_cli.local.emulator import Emulator, running

from ..faults import pgbouncer
from ..faults.pgbouncer import PgBouncer
from .harnesses import (
    DataApiHarness,
    DynamoDBHarness,
    EncodedHarness,
    Harness,
    HttpHarness,
    MySqlHarness,
    PooledHarness,
    PostgresHarness,
    PythonHarness,
)
from .mariadb_server import MariaDbServer, missing


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server.running(max_connections=20) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbServer]:
    if why := missing():
        pytest.skip(why)
    server = MariaDbServer(tmp_path_factory.mktemp("mariadb"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def local_aws() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


WORLDS = [
    "postgres",
    "postgres behind a pooler of sessions",
    "postgres behind a pooler of transactions",
    "postgres in LATIN1",
    "postgres in SQL_ASCII",
    "mysql",
    "data_api",
    "dynamodb",
    "http",
    "http that informs before it answers",
    "python",
    "python_batch",
]


@pytest.fixture(params=WORLDS)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = make(request, request.param, tmp_path)
    yield made
    made.close()


def pooled(server: PostgresServer, folder: Path, mode: str, *, size: int = 2) -> PooledHarness:
    if why := pgbouncer.missing():
        pytest.skip(why)
    return PooledHarness(server, PgBouncer(folder, server, mode, size=size))


def make(request: pytest.FixtureRequest, kind: str, folder: Path) -> Harness:
    match kind:
        case "postgres":
            return PostgresHarness(request.getfixturevalue("postgres"))
        case "postgres behind a pooler of sessions":
            return pooled(request.getfixturevalue("postgres"), folder, "session", size=10)
        case "postgres behind a pooler of transactions":
            return pooled(request.getfixturevalue("postgres"), folder, "transaction")
        case "postgres in LATIN1" | "postgres in SQL_ASCII":
            return EncodedHarness(request.getfixturevalue("postgres"), kind.rpartition(" ")[2])
        case "mysql":
            return MySqlHarness(request.getfixturevalue("mariadb"))
        case "data_api":
            return DataApiHarness(request.getfixturevalue("postgres"))
        case "dynamodb":
            return DynamoDBHarness(request.getfixturevalue("local_aws"))
        case "http":
            return HttpHarness()
        case "http that informs before it answers":
            return HttpHarness(informs=True)
        case "python":
            return PythonHarness(folder)
        case "python_batch":
            return PythonHarness(folder, batch=True)
    raise ValueError(kind)
