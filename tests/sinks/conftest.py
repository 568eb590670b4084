"""The servers, one of each for all tests, and a world of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pgbouncer
import postgres_server
import pytest
from mariadb_server import MariaDbServer, missing
from pgbouncer import PgBouncer
from postgres_server import PostgresServer
from worlds import (
    DataApiWorld,
    DynamoDBWorld,
    EncodedWorld,
    HttpWorld,
    MySqlWorld,
    PooledWorld,
    PostgresWorld,
    PythonWorld,
    World,
)

from scalable_webhook_cli.local.emulator import Emulator, running


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
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = make(request, request.param, tmp_path)
    yield made
    made.close()


def pooled(server: PostgresServer, folder: Path, mode: str, *, size: int = 2) -> PooledWorld:
    if why := pgbouncer.missing():
        pytest.skip(why)
    return PooledWorld(server, PgBouncer(folder, server, mode, size=size))


def make(request: pytest.FixtureRequest, kind: str, folder: Path) -> World:
    match kind:
        case "postgres":
            return PostgresWorld(request.getfixturevalue("postgres"))
        case "postgres behind a pooler of sessions":
            return pooled(request.getfixturevalue("postgres"), folder, "session", size=10)
        case "postgres behind a pooler of transactions":
            return pooled(request.getfixturevalue("postgres"), folder, "transaction")
        case "postgres in LATIN1" | "postgres in SQL_ASCII":
            return EncodedWorld(request.getfixturevalue("postgres"), kind.rpartition(" ")[2])
        case "mysql":
            return MySqlWorld(request.getfixturevalue("mariadb"))
        case "data_api":
            return DataApiWorld(request.getfixturevalue("postgres"))
        case "dynamodb":
            return DynamoDBWorld(request.getfixturevalue("local_aws"))
        case "http":
            return HttpWorld()
        case "http that informs before it answers":
            return HttpWorld(informs=True)
        case "python":
            return PythonWorld(folder)
        case "python_batch":
            return PythonWorld(folder, batch=True)
    raise ValueError(kind)
