"""A harness for each sink: its real server behind a link, and the faults that a test can cause."""

import json
import secrets
import sqlite3
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from postgres_server import DATABASE, USER, PostgresServer

from scalable_webhook_cli.local.emulator import Emulator
from webhook_runtime.aws import Credentials as Keys
from webhook_runtime.aws import JsonClient, Signer
from webhook_runtime.contract.settings import DataApiSettings, DatabaseSettings, DynamoDBSettings, HttpSettings
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Permanent, SinkDown
from webhook_runtime.sinks import Sink
from webhook_runtime.sinks.data_api import DataApiSink
from webhook_runtime.sinks.database import Credentials, DatabaseSink, Driver
from webhook_runtime.sinks.dynamodb import DynamoDBSink
from webhook_runtime.sinks.http import HttpSink
from webhook_runtime.sinks.mysql import MySqlDriver
from webhook_runtime.sinks.postgres import PostgresDriver
from webhook_runtime.sinks.python import PythonSink
from webhook_runtime.testing import webhook

from ..faults import pgbouncer
from ..faults.pgbouncer import PgBouncer
from ..runtime.doubles import of_botocore
from .data_api_stub import DataApiStub
from .http_service import HttpService
from .link import Link
from .mariadb_server import DATABASE as MARIADB_DATABASE
from .mariadb_server import USER as MARIADB_USER
from .mariadb_server import MariaDbServer


class Harness(ABC):
    """The harness of a sink. ``holds_bytes`` is its largest payload, ``encoding`` that of its texts."""

    holds_bytes = 6 * 1024 * 1024
    encoding = "utf-8"
    attempts_when_down = 2
    link: Link

    @abstractmethod
    def sink(self) -> Sink:
        """Create a sink, as in a new execution environment."""

    @abstractmethod
    def rows(self) -> list[tuple[str, bytes]]:
        """Return key and payload of each stored row, duplicates included."""

    @abstractmethod
    def poison(self) -> Webhook:
        """Return a webhook that the sink never takes."""

    def can_write(self, text: str) -> bool:
        """Tell whether the encoding has all these characters."""
        return text.encode(self.encoding, "ignore").decode(self.encoding) == text

    def drop_connections(self) -> None:
        """End the open connections, as servers do."""
        self.link.drop()

    def restart(self) -> None:
        """Stop the server, call a function, and start it again."""
        self.link.cut()
        self.link.fix()

    def close(self) -> None:
        self.link.close()


class Secrets:
    """A double of Secrets Manager, which does not answer while it ``is_down``."""

    def __init__(self, *values: str) -> None:
        self.values = list(values)
        self.asked = 0
        self.is_down = False

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:
        assert SecretId == "arn"
        if self.is_down:
            raise TimeoutError
        self.asked += 1
        return {"SecretString": self.values.pop(0) if len(self.values) > 1 else self.values[0]}


def login(user: str, password: str) -> str:
    return json.dumps({"username": user, "password": password, "engine": "any"})


class DatabaseHarness(Harness):
    driver: Callable[[DatabaseSettings], Driver]
    user: str
    database: str
    server: PostgresServer | MariaDbServer

    def __init__(self) -> None:
        self.table = f"t{uuid.uuid4().hex}"
        self.link = Link(self.server.port)

    def settings(self, **changes: Any) -> DatabaseSettings:
        settings: dict[str, Any] = {
            "database_host": "127.0.0.1",
            "database_port": self.link.port,
            "database_name": self.database,
            "table_name": self.table,
            "create_table": True,
            "secret_arn": "arn",
            "database_user": None,
            "database_tls": False,
            "ca_certificates": None,
        }
        return DatabaseSettings(**settings | changes)

    def sink(self, secrets: Secrets | None = None, **changes: Any) -> DatabaseSink:
        settings = self.settings(**changes)
        known = secrets or Secrets(login(self.user, self.server.password))
        return DatabaseSink(settings, type(self).driver(settings), Credentials(settings, known, None))

    def drop_connections(self) -> None:
        assert self.server.terminate_connections() > 0

    def restart(self) -> None:
        self.server.stop()
        self.server.start()

    def poison(self) -> Webhook:
        return webhook(b"poison", id=secrets.token_hex(5000))  # longer than a key may be


class PostgresHarness(DatabaseHarness):
    server: PostgresServer
    driver = PostgresDriver
    user = USER
    database = DATABASE

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        super().__init__()

    def rows(self) -> list[tuple[str, bytes]]:
        return [(key, payload) for key, payload in self.server.query(self.keys_and_payloads())]

    def keys_and_payloads(self) -> str:
        return f"SELECT mount || '#' || id, payload FROM {self.table}"


class EncodedHarness(PostgresHarness):
    """A database that is not UTF-8, as on old servers."""

    def __init__(self, server: PostgresServer, encoding: str) -> None:
        super().__init__(server)
        if encoding != "SQL_ASCII":  # it takes any bytes of a client
            self.encoding = encoding
        self.database = f"encoded_{self.table}"
        server.query(
            f"CREATE DATABASE {self.database} OWNER {USER} ENCODING '{encoding}' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )

    def rows(self) -> list[tuple[str, bytes]]:
        with closing(self.server.connect(self.database)) as connection:
            connection.run("SET client_encoding = 'UTF8'")
            return [(key, payload) for key, payload in connection.run(self.keys_and_payloads()) or []]

    def close(self) -> None:
        super().close()
        self.server.query(f"DROP DATABASE {self.database} WITH (FORCE)")


class PooledHarness(PostgresHarness):
    """A Postgres behind a pooler."""

    def __init__(self, server: PostgresServer, pooler: PgBouncer) -> None:
        super().__init__(server)
        self.link.close()
        self.link = Link(pooler.port)
        self.pooler = pooler

    def close(self) -> None:
        super().close()
        self.pooler.close()


class MySqlHarness(DatabaseHarness):
    server: MariaDbServer
    driver = MySqlDriver
    user = MARIADB_USER
    database = MARIADB_DATABASE

    def __init__(self, server: MariaDbServer) -> None:
        self.server = server
        super().__init__()

    def rows(self) -> list[tuple[str, bytes]]:
        rows = self.server.query(f"SELECT mount, id, payload FROM {self.database}.{self.table}")
        return [(f"{mount}#{id.decode()}", payload) for mount, id, payload in rows]


class DataApiHarness(Harness):
    holds_bytes = 3_000_000  # a request of 4 MiB, in base64

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.stub = DataApiStub(server)
        self.link = Link(self.stub.port)
        self.table = f"t{uuid.uuid4().hex}"

    def sink(self, **changes: Any) -> DataApiSink:
        settings: dict[str, Any] = {
            "cluster_arn": "arn:aws:rds:us-east-1:123456789012:cluster:orders",
            "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders",
            "database_engine": "postgres",
            "database_name": DATABASE,
            "table_name": self.table,
            "create_table": True,
        }
        return DataApiSink(DataApiSettings(**settings | changes), aws("rds-data", self.link.port))

    def rows(self) -> list[tuple[str, bytes]]:
        rows = self.server.query(f"SELECT mount || '#' || id, payload FROM {self.table}")
        return [(key, payload) for key, payload in rows]

    def poison(self) -> Webhook:
        return webhook(b"poison", id=secrets.token_hex(5000))

    def close(self) -> None:
        super().close()
        self.stub.close()


class DynamoDBHarness(Harness):
    """By our own client, or by that of ``client``, which gets a port and a key."""

    holds_bytes = 390_000

    def __init__(self, emulator: Emulator, client: Callable[[int, str], Any] | None = None) -> None:
        self._client = client or own_dynamodb
        self.link = Link(int(emulator.endpoint.rpartition(":")[2]))
        self.table = f"t{uuid.uuid4().hex}"
        self._key = emulator.key
        self._dynamodb = emulator.client("dynamodb")
        self._dynamodb.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def sink(self) -> DynamoDBSink:
        return DynamoDBSink(DynamoDBSettings(self.table), self._client(self.link.port, self._key))

    def rows(self) -> list[tuple[str, bytes]]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.table)
        return [(item["id"]["S"], _bytes(item["payload"])) for page in pages for item in page["Items"]]

    def poison(self) -> Webhook:
        return webhook(b"x" * 450_000)


class HttpHarness(Harness):
    # A single failed webhook does not mean that the service is down.
    attempts_when_down = 4

    def __init__(self, *, informs: bool = False) -> None:
        self.service = HttpService(informs=informs)
        self.link = Link(self.service.port)

    def sink(self) -> HttpSink:
        return HttpSink(HttpSettings(f"http://127.0.0.1:{self.link.port}/in", 5, None, None), None)

    def rows(self) -> list[tuple[str, bytes]]:
        return list(self.service.stored.items())

    def poison(self) -> Webhook:
        return webhook(b"poison")

    def close(self) -> None:
        super().close()
        self.service.close()


class PythonHarness(Harness):
    """A handler that stores each webhook once in SQLite, over a link like all others."""

    def __init__(self, folder: Path, *, batch: bool = False) -> None:
        self._file = folder / "webhooks.sqlite"
        self._lock = threading.Lock()
        self._batch = batch
        self.service = HttpService()
        self.link = Link(self.service.port)
        with sqlite3.connect(self._file) as connection:
            connection.execute("CREATE TABLE webhooks (key TEXT PRIMARY KEY, payload BLOB)")

    def sink(self) -> PythonSink:
        return PythonSink(self._store_all if self._batch else self._store, batch=self._batch, ping=self._ping)

    def rows(self) -> list[tuple[str, bytes]]:
        with sqlite3.connect(self._file) as connection:
            return connection.execute("SELECT key, payload FROM webhooks").fetchall()

    def poison(self) -> Webhook:
        return webhook(b"poison")

    def close(self) -> None:
        super().close()
        self.service.close()

    def _store(self, webhook: Webhook) -> None:
        self._store_all([webhook])

    def _store_all(self, webhooks: list[Webhook]) -> None:
        if any(webhook.body == b"poison" for webhook in webhooks):
            raise Permanent("it is poison")
        try:
            self._ping()
        except (OSError, HTTPException) as error:
            raise SinkDown(str(error)) from error
        with self._lock, sqlite3.connect(self._file) as database:
            rows = [(webhook.key, webhook.body) for webhook in webhooks]
            database.executemany("INSERT INTO webhooks VALUES (?, ?) ON CONFLICT DO NOTHING", rows)

    def _ping(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.link.port, timeout=5)
        try:
            connection.request("POST", "/", b"", {"Idempotency-Key": "ping"})
            connection.getresponse().read()
        finally:
            connection.close()


CREDENTIALS: dict[str, Any] = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


def own_dynamodb(port: int, key: str) -> JsonClient:
    """Return our own client, with keys of its own: threads share the environment."""
    client = JsonClient("dynamodb", f"http://127.0.0.1:{port}", read_timeout=5, attempts=2)
    client._signer = Signer("dynamodb", "us-east-1", lambda: Keys(key, key, None))
    return client


def aws(service: str, port: int, key: str = "x") -> Any:
    """Return a client of botocore, as a function has it."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
    credentials = CREDENTIALS | {"aws_access_key_id": key, "aws_secret_access_key": key}
    return of_botocore(boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", config=config, **credentials))


def _bytes(value: dict[str, Any]) -> bytes:
    return value["S"].encode() if "S" in value else bytes(value["B"])


def _server(request: pytest.FixtureRequest) -> PostgresServer:
    server: PostgresServer = request.getfixturevalue("postgres")
    return server


def _pooled(request: pytest.FixtureRequest, folder: Path, mode: str, *, size: int = 2) -> PooledHarness:
    if why := pgbouncer.missing():
        pytest.skip(why)
    server = _server(request)
    return PooledHarness(server, PgBouncer(folder, server, mode, size=size))


# Each of them keeps the contract of a sink: see test_contract.py.
HARNESSES: dict[str, Callable[[pytest.FixtureRequest, Path], Harness]] = {
    "postgres": lambda request, _: PostgresHarness(_server(request)),
    "postgres behind a pooler of sessions": lambda request, folder: _pooled(request, folder, "session", size=10),
    "postgres behind a pooler of transactions": lambda request, folder: _pooled(request, folder, "transaction"),
    "postgres in LATIN1": lambda request, _: EncodedHarness(_server(request), "LATIN1"),
    "postgres in SQL_ASCII": lambda request, _: EncodedHarness(_server(request), "SQL_ASCII"),
    "mysql": lambda request, _: MySqlHarness(request.getfixturevalue("mariadb")),
    "data_api": lambda request, _: DataApiHarness(_server(request)),
    "dynamodb": lambda request, _: DynamoDBHarness(request.getfixturevalue("local_aws")),
    "dynamodb by botocore": lambda request, _: DynamoDBHarness(
        request.getfixturevalue("local_aws"), partial(aws, "dynamodb")
    ),
    "http": lambda *_: HttpHarness(),
    "http that informs before it answers": lambda *_: HttpHarness(informs=True),
    "python": lambda _, folder: PythonHarness(folder),
    "python_batch": lambda _, folder: PythonHarness(folder, batch=True),
}
