"""The promises of the Data API's sink, tested against a stub of the API on a real database."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pymysql
import pytest
from botocore.config import Config
from postgres_server import PostgresServer

from webhook_runtime.contract.settings import DataApiSettings
from webhook_runtime.contract.table import create_table
from webhook_runtime.outcome import STORED, Kind
from webhook_runtime.sinks.data_api import DataApiSink
from webhook_runtime.testing import webhook

from ..runtime.doubles import of_botocore
from .harnesses import CREDENTIALS, DataApiHarness
from .mariadb_server import DATABASE, MariaDbServer
from .queue_harness import Queue
from .storing import down, kinds, store

S, P = Kind.STORED, Kind.PERMANENT
BATCH, EXECUTE = "BatchExecuteStatement", "ExecuteStatement"

MIB = 1_048_576


@pytest.fixture
def harness(postgres: PostgresServer) -> Iterator[DataApiHarness]:
    harness = DataApiHarness(postgres)
    yield harness
    harness.close()


@pytest.fixture
def ready(harness: DataApiHarness) -> DataApiSink:
    """Return a sink whose table exists."""
    sink = harness.sink()
    store(sink, webhook())
    harness.stub.calls.clear()
    harness.stub.sizes.clear()
    return sink


def test_a_batch_is_one_call(harness: DataApiHarness, ready: DataApiSink) -> None:
    assert store(ready, *(webhook("x" * 1000) for _ in range(100))) == [STORED] * 100
    assert harness.stub.calls == [BATCH]


def test_a_row_has_all_of_the_webhook(harness: DataApiHarness) -> None:
    one = webhook(
        b"\x00\xff",
        id="order-7",
        mount="/orders",
        method="PUT",
        path="/orders/Zoë",
        query={"a": "1"},
        headers={"X-One": "é", "x-two": '"\\'},
        received_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
    )
    store(harness.sink(), one)
    ((id, mount, _, received_at, method, path, query, headers, payload, source_ip),) = harness.server.query(
        f"SELECT * FROM {harness.table}"
    )
    assert (id, mount, received_at) == ("order-7", "/orders", one.received_at)
    assert (method, path) == ("PUT", "/orders/Zoë")
    assert (query, headers, payload) == ("a=1", {"x-one": "é", "x-two": '"\\'}, b"\x00\xff")
    assert source_ip == "203.0.113.7"


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (400, "DatabaseResumingException", "The Aurora DB instance is resuming after being auto-paused."),
        (400, "ThrottlingException", "Rate exceeded"),
        (400, "StatementTimeoutException", "Request timed out"),
        (400, "DatabaseUnavailableException", "too many connections"),
        (400, "DatabaseNotFoundException", "no database"),
        (400, "SecretsErrorException", "no secret"),
        (400, "HttpEndpointNotEnabledException", "not enabled"),
        (400, "BadRequestException", "Request is larger than 4 MiB"),
        (403, "AccessDeniedException", "is not authorized to perform: rds-data:BatchExecuteStatement"),
        (403, "ForbiddenException", "forbidden"),
        (404, "NotFoundException", "no cluster"),
        (500, "InternalServerErrorException", ""),
        (503, "ServiceUnavailableError", ""),
        (400, "DatabaseErrorException", "FATAL: password authentication failed; SQLState: 28P01"),
        (400, "DatabaseErrorException", "FATAL: sorry, too many clients already; SQLState: 53300"),
        (400, "DatabaseErrorException", "ERROR: canceling statement due to timeout; SQLState: 57014"),
        (400, "DatabaseErrorException", "ERROR: permission denied for table webhooks; SQLState: 42501"),
        (400, "DatabaseErrorException", "Field 'x' doesn't have a default value; SQLState: HY000"),
        (400, "DatabaseErrorException", "The connection is closed"),
    ],
)
def test_an_error_that_no_webhook_caused_stops_the_batch_after_one_call(
    harness: DataApiHarness, ready: DataApiSink, status: int, error: str, message: str
) -> None:
    tries = 2 if error in CLIENT_TRIES_AGAIN else 1
    harness.stub.errors = [(status, error, message)] * tries
    fault = down(ready, *(webhook() for _ in range(5)))
    state = re.search(r"SQLState: (\w+)", message)
    assert fault.error == (f"SQLSTATE {state[1]}" if state else error)
    cluster, _, reason = fault.reason.partition(": ")
    assert cluster == "arn:aws:rds:us-east-1:123456789012:cluster:orders"
    assert message.startswith(reason.partition(", with the secret arn:")[0])
    assert harness.stub.calls == [BATCH] * tries
    assert kinds(ready, webhook()) == [S]


CLIENT_TRIES_AGAIN = ("ThrottlingException", "InternalServerErrorException", "ServiceUnavailableError")


def test_a_database_that_resumes_costs_no_webhook(harness: DataApiHarness, ready: DataApiSink) -> None:
    queue = Queue()
    queue.send(*(webhook(str(n)) for n in range(10)))
    harness.stub.errors = [(400, "DatabaseResumingException", "resuming")] * 2
    queue.drain(queue.consumer(ready))
    assert len(harness.rows()) == 11
    assert queue.dead_letters == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("ERROR: value too long for type character varying(10); SQLState: 22001", "value too long"),
        ('ERROR: duplicate key\n  Detail: Key (path)=("secret") already exists.; SQLState: 23505', "duplicate key"),
        ("ERROR: index row size 5016 exceeds maximum 2704; SQLState: 54000", "index row size"),
        ('ERROR: invalid input syntax for type json: "secret\nsecret"\n  Where: secret; SQLState: 22P02', "json: …"),
        ("ERROR: no such order; SQLState: P0001", "no such order"),
        (
            "Incorrect string value: '\\xF0secret\n' for column 'path' at row 1; SQLState: HY000",
            "Incorrect string value: …",
        ),
        ("Data too long for column 'id' at row 1; SQLState: 22001", "Data too long for column 'id'"),
        ("Data truncated for column 'path' at row 1; SQLState: HY000", "Data truncated"),
        ("Out of range value for column 'path' at row 1; SQLState: HY000", "Out of range"),
        ("Column 'id' cannot be null; SQLState: 23000", "Column 'id' cannot be null"),
        ("Column 'id' cannot be null; SQLState: 23000", "one of id alone must be of id and mount"),
    ],
)
@pytest.mark.parametrize("error", ["DatabaseErrorException", "BadRequestException"])
def test_an_error_of_a_webhook_halves_the_batch_until_it_is_alone_and_its_values_stay_secret(
    harness: DataApiHarness, ready: DataApiSink, error: str, message: str, reason: str
) -> None:
    harness.stub.errors = [(400, error, message)] * 3
    outcomes = store(ready, *(webhook() for _ in range(4)))
    assert [outcome.kind for outcome in outcomes] == [P, S, S, S]
    assert outcomes[0].error.startswith("SQLSTATE ")
    assert reason in outcomes[0].reason
    assert "secret" not in outcomes[0].reason
    assert harness.stub.calls == [BATCH] * 5  # four, two, the bad one, the one next to it, the other two


def test_a_deadlock_is_tried_again_at_once(harness: DataApiHarness, ready: DataApiSink) -> None:
    deadlock = (400, "DatabaseErrorException", "ERROR: deadlock detected; SQLState: 40P01")
    harness.stub.errors = [deadlock] * 2
    assert kinds(ready, webhook(), webhook()) == [S, S]
    assert harness.stub.calls == [BATCH] * 3

    harness.stub.calls.clear()
    harness.stub.errors = [deadlock] * 3
    assert down(ready, webhook()).error == "SQLSTATE 40P01"
    assert harness.stub.calls == [BATCH] * 3


def test_without_a_table_nothing_is_dead_lettered(harness: DataApiHarness) -> None:
    assert down(harness.sink(create_table=False), webhook()).error == "SQLSTATE 42P01"
    assert harness.stub.calls == [BATCH]


def test_a_missing_table_is_created(harness: DataApiHarness) -> None:
    assert kinds(harness.sink(), webhook(), webhook()) == [S, S]
    assert harness.stub.calls == [BATCH, EXECUTE, BATCH]


def test_a_table_that_was_created_meanwhile_is_used(
    harness: DataApiHarness, ready: DataApiSink, caplog: pytest.LogCaptureFixture
) -> None:
    harness.stub.errors = [
        (400, "DatabaseErrorException", "ERROR: relation does not exist; SQLState: 42P01"),
        (400, "DatabaseErrorException", "ERROR: relation already exists; SQLState: 42P07"),
    ]
    assert kinds(ready, webhook()) == [S]
    assert harness.stub.calls == [BATCH, EXECUTE, BATCH]
    (line,) = [line for line in caplog.records if line.message == "table not created"]
    assert vars(line)["error"] == "SQLSTATE 42P07"


def test_a_table_that_may_not_be_created_stops_the_batch(harness: DataApiHarness) -> None:
    absent = (400, "DatabaseErrorException", "ERROR: relation does not exist; SQLState: 42P01")
    rejected = (400, "DatabaseErrorException", "ERROR: permission denied for schema public; SQLState: 42501")
    harness.stub.errors = [absent, rejected] * 3
    assert down(harness.sink(), webhook()).error == "SQLSTATE 42P01"
    assert harness.stub.calls == [BATCH, EXECUTE, BATCH, EXECUTE, BATCH]


def test_a_batch_that_is_larger_than_a_request_may_be_is_split(harness: DataApiHarness, ready: DataApiSink) -> None:
    webhooks = [webhook(bytes(range(256)) * 4096) for _ in range(5)]
    assert kinds(ready, *webhooks) == [S] * 5
    assert len(harness.rows()) == 6
    assert len(harness.stub.calls) == 3
    assert max(harness.stub.sizes) <= 4 * MIB


@pytest.mark.parametrize("character", ["x", '"', "\x7f", "é", "😀", "\\"])
def test_a_request_is_never_larger_than_the_limit(harness: DataApiHarness, ready: DataApiSink, character: str) -> None:
    """The size depends on how much of a text has to be escaped."""
    for length in (150_000, 640_000, 680_000, 720_000):
        outcome = store(ready, webhook(path="/" + character * length))[0]
        assert outcome.kind is S or outcome.error == "TooLarge"
    assert max(harness.stub.sizes, default=0) <= 4 * MIB


def test_a_violation_of_a_users_unique_constraint_is_no_duplicate(harness: DataApiHarness, ready: DataApiSink) -> None:
    harness.server.query(f"ALTER TABLE {harness.table} ADD UNIQUE (path)")
    webhooks = [webhook(path=path) for path in ("/secret", "/b", "/secret", "/c")]
    outcomes = store(ready, *webhooks)
    # Rows are stored in the order of their keys, so either may come first.
    assert sorted(outcome.kind.value for outcome in outcomes) == ["dead-lettered", "stored", "stored", "stored"]
    (bad,) = [outcome for outcome in outcomes if outcome.kind is P]
    assert bad.error == "SQLSTATE 23505"
    assert "secret" not in bad.reason
    assert len(harness.rows()) == 4


def test_an_api_that_does_not_answer_is_given_up(harness: DataApiHarness, ready: DataApiSink) -> None:
    config = Config(connect_timeout=2, read_timeout=0.4, retries={"total_max_attempts": 1})
    endpoint = f"http://127.0.0.1:{harness.link.port}"
    made = boto3.client("rds-data", endpoint_url=endpoint, config=config, **CREDENTIALS)
    sink = DataApiSink(ready._settings, of_botocore(made))
    harness.link.hold()
    before = time.monotonic()
    assert down(sink, webhook(), webhook()).error == "ReadTimeoutError"
    assert time.monotonic() - before < 30  # botocore's own limit is 60
    assert harness.stub.calls == [BATCH]


class Recorder:
    """A double of boto3's client."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def batch_execute_statement(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        return {}


@pytest.mark.parametrize(
    ("change", "error", "remedy"),
    [
        ("DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY (id)", "SQLSTATE 42P10", "PRIMARY KEY (id, mount)"),
        ("DROP COLUMN mount", "SQLSTATE 42703", "create_table_statement"),
    ],
)
def test_a_table_whose_key_is_not_of_id_and_mount_stores_nothing_and_names_the_fix(
    harness: DataApiHarness, ready: DataApiSink, change: str, error: str, remedy: str
) -> None:
    harness.server.query(f"ALTER TABLE {harness.table} {change.format(table=harness.table)}")
    fault = down(ready, webhook(id="1", mount="/a"), webhook(id="1", mount="/b"))
    assert fault.error == error
    assert remedy in fault.reason


def test_a_table_of_mysql_without_a_mount_names_the_fix(harness: DataApiHarness, ready: DataApiSink) -> None:
    unknown = "Unknown column 'mount' in 'field list'; SQLState: 42S22"
    harness.stub.errors = [(400, "DatabaseErrorException", unknown)]
    assert down(ready, webhook()).reason.endswith("the table needs the columns of create_table_statement")


def test_rows_are_in_one_order_everywhere() -> None:
    """Otherwise two batches that share rows might deadlock."""
    client = Recorder()
    settings = DataApiSettings("cluster", "secret", "postgres", DATABASE, "webhooks", create_table=False)
    store(DataApiSink(settings, client), *(webhook(id=id) for id in "cab"))
    ids = [each["value"]["stringValue"] for row in client.calls[0]["parameterSets"] for each in row[:1]]
    assert ids == ["a", "b", "c"]


class TestMySql:
    INSERT = (
        "INSERT /*+ SET_VAR(sql_mode = 'STRICT_ALL_TABLES') */ INTO `{table}` "
        "(id, mount, request_id, received_at, method, path, query, headers, payload, source_ip) "
        "VALUES (:id, :mount, :request_id, :received_at, :method, :path, :query, :headers, :payload, :source_ip) "
        "ON DUPLICATE KEY UPDATE id = IF(CAST(id AS BINARY) = CAST(VALUES(id) AS BINARY) "
        "AND CAST(mount AS BINARY) = CAST(VALUES(mount) AS BINARY) OR NOT LOCATE('STRICT', @@sql_mode), id, NULL)"
    )

    @pytest.fixture
    def calls(self) -> list[dict[str, Any]]:
        """Return the calls for three webhooks: two have one path, two one id, and one is repeated."""
        client = Recorder()
        settings = DataApiSettings("cluster", "secret", "mysql", DATABASE, "orders.webhooks", create_table=False)
        sink = DataApiSink(settings, client)
        first, second = webhook("1", id="a", path="/x"), webhook("2", id="b", path="/x")
        for each in (first, second, first, webhook("3", id="a", mount="/y")):
            store(sink, each)
        return client.calls

    def test_the_statement_is_strict_and_skips_existing_rows(self, calls: list[dict[str, Any]]) -> None:
        assert {call["sql"] for call in calls} == {self.INSERT.format(table="orders`.`webhooks")}
        (parameters,) = calls[0]["parameterSets"]
        values = {each["name"]: each["value"] for each in parameters}
        assert values["payload"] == {"blobValue": b"1"}
        assert values["received_at"]["stringValue"].count(":") == 2
        assert (calls[0]["resourceArn"], calls[0]["secretArn"], calls[0]["database"]) == ("cluster", "secret", DATABASE)

    def test_mariadb_stores_one_id_of_several_providers_as_several_webhooks(self, mariadb: MariaDbServer) -> None:
        client = Recorder()
        settings = DataApiSettings("cluster", "secret", "mysql", DATABASE, f"{DATABASE}.of_several", create_table=False)
        mounts, ids = ["/", "/b", "/B", "/b/x"], ["x", "X", "x ", "/b#x", "b#x", "#x", "é", "e\u0301", "x\0"]
        webhooks = [webhook(f"{mount} {n}", id=id, mount=mount) for mount in mounts for n, id in enumerate(ids)]
        for _ in range(2):
            store(DataApiSink(settings, client), *webhooks)
        connection = mariadb.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(create_table("mysql", settings.table_name))
                for call in client.calls:
                    statement = re.sub(r":(\w+)", r"%(\1)s", call["sql"])
                    for parameters in call["parameterSets"]:
                        cursor.execute(statement, dict(map(_pair, parameters)))
                cursor.execute(f"SELECT id, mount, payload FROM {settings.table_name}")
                rows = {(id.decode(), mount): payload for id, mount, payload in cursor.fetchall()}
                cursor.execute(f"DROP TABLE {settings.table_name}")
        finally:
            connection.close()
        assert rows == {(each.id, each.mount): each.body for each in webhooks}

    @pytest.mark.parametrize(("sql_mode", "rejected"), [("STRICT_TRANS_TABLES", 1), ("", 0)])
    @pytest.mark.parametrize(
        ("unique", "in_the_way"),
        [("", []), (", ADD UNIQUE (path(64))", [b"2"]), (", ADD UNIQUE (id)", [b"3"])],
    )
    def test_mariadb_runs_the_statement_and_changes_no_existing_row(
        self,
        mariadb: MariaDbServer,
        calls: list[dict[str, Any]],
        sql_mode: str,
        rejected: int,
        unique: str,
        in_the_way: list[bytes],
    ) -> None:
        """MariaDB does not know the hint, so its session stays lenient."""
        mariadb.query("CREATE DATABASE orders")
        connection = mariadb.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(create_table("mysql", "orders.webhooks"))
                cursor.execute(f"ALTER TABLE orders.webhooks COMMENT ''{unique}")
                cursor.execute(f"SET sql_mode = '{sql_mode}'")
                errors = 0
                for call in calls:
                    statement = re.sub(r":(\w+)", r"%(\1)s", call["sql"])
                    (parameters,) = call["parameterSets"]
                    values = {name: value for each in parameters for name, value in [_pair(each)]}
                    try:
                        cursor.execute(statement, values)
                    except pymysql.IntegrityError:
                        errors += 1
                cursor.execute("SELECT payload FROM orders.webhooks ORDER BY payload")
                rows = list(cursor.fetchall())
        finally:
            connection.close()
            mariadb.query("DROP DATABASE orders")
        assert errors == (rejected if unique else 0)
        assert [payload for (payload,) in rows] == [each for each in (b"1", b"2", b"3") if each not in in_the_way]


def _pair(parameter: dict[str, Any]) -> tuple[str, Any]:
    (value,) = parameter["value"].values()
    return parameter["name"], value
