"""One server of each kind for all tests, and a harness for each test."""

from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest
from postgres_server import PostgresServer

from scalable_webhook_cli.local.emulator import Emulator, running

from .harnesses import HARNESSES, Harness
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


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = HARNESSES[request.param](request, tmp_path)
    yield made
    made.close()
