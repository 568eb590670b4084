"""The promises of Postgres' sink, tested against a real server."""

import gc
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pg8000.native
import pytest
import trustme
from postgres_server import DATABASE, USER, PostgresServer

from webhook_runtime.contract import authorities, limits
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind
from webhook_runtime.sinks import database, postgres
from webhook_runtime.sinks.database import Credentials, DatabaseSink
from webhook_runtime.sinks.postgres import PostgresDriver
from webhook_runtime.testing import webhook

from .certificates import UNTRUSTED, presented
from .harnesses import PostgresHarness, Secrets, login
from .link import Link, postgres_tls
from .queue_harness import Queue
from .storing import down, kinds, store, wait_until

S, P = Kind.STORED, Kind.PERMANENT

SECRET_NUMBER = "31415926535"


@pytest.fixture(name="server")
def _server(request: pytest.FixtureRequest) -> PostgresServer:
    server: PostgresServer = request.getfixturevalue("postgres")
    wait_until(lambda: server.connections() == 0)
    return server


@pytest.fixture
def harness(server: PostgresServer) -> Iterator[PostgresHarness]:
    harness = PostgresHarness(server)
    yield harness
    harness.close()


def create(
    harness: PostgresHarness, *, path: str = "text NOT NULL", more: str = "", key: str = "PRIMARY KEY (id, mount)"
) -> None:
    """Create the table as its user may have done."""
    harness.server.query(
        f"CREATE TABLE {harness.table} (id text, mount text, request_id text, received_at timestamptz, method text, "
        f"path {path}, query text, headers jsonb, payload bytea, source_ip text{more}, {key})"
    )
    harness.server.query(f"GRANT ALL ON {harness.table} TO {USER}")


class TestConnection:
    def test_one_connection_serves_every_batch_and_opens_with_the_first(self, harness: PostgresHarness) -> None:
        sink = harness.sink()
        assert harness.link.attempts == 0
        for _ in range(10):
            assert kinds(sink, webhook(), webhook()) == [S, S]
        assert harness.link.attempts == 1
        assert harness.server.connections() == 1
        sink.close()
        wait_until(lambda: harness.server.connections() == 0)

    def test_a_connection_names_this_library_to_the_server(self, harness: PostgresHarness) -> None:
        sink = harness.sink()
        store(sink, webhook())
        names = harness.server.query("SELECT application_name FROM pg_stat_activity WHERE usename = :user", user=USER)
        assert names == [["cdk-scalable-webhook"]]
        sink.close()

    def test_the_last_piece_of_a_batch_does_not_wait_for_an_acknowledgement(self, harness: PostgresHarness) -> None:
        sink = harness.sink()
        store(sink, webhook(b"{}"))
        wire = sink._connection._wire  # type: ignore[union-attr]
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sink.close()

    @pytest.mark.parametrize("size", [1, 10, 300])
    def test_a_batch_of_any_size_is_one_round_trip(self, harness: PostgresHarness, size: int) -> None:
        sink = harness.sink()
        store(sink, webhook())
        for _ in range(3):
            before = harness.link.round_trips
            webhooks = [webhook("x" * 5000) for _ in range(size)]
            assert kinds(sink, *webhooks) == [S] * size
            assert harness.link.round_trips - before == 1

    @pytest.mark.parametrize("how", ["stop", "crash"])
    def test_a_server_that_restarts_costs_no_webhook(self, harness: PostgresHarness, how: str) -> None:
        queue, webhooks = Queue(), [webhook(str(n)) for n in range(30)]
        consumer = queue.consumer(harness.sink())
        queue.send(*webhooks[:10])
        assert queue.deliver(consumer.handle) == []
        queue.send(*webhooks[10:20])
        getattr(harness.server, how)()
        try:
            assert len(queue.deliver(consumer.handle)) == 10
        finally:
            harness.server.start()
        queue.drain(consumer)
        getattr(harness.server, how)()
        harness.server.start()
        queue.send(*webhooks[20:])
        assert queue.deliver(consumer.handle) == []
        assert sorted(harness.rows()) == sorted((each.key, each.body) for each in webhooks)
        assert queue.dead_letters == []

    def test_a_server_without_a_free_connection_is_called_once_and_the_batch_is_retried(
        self, harness: PostgresHarness
    ) -> None:
        queue, webhooks = Queue(), [webhook() for _ in range(10)]
        sink = harness.sink()
        consumer = queue.consumer(sink)
        with exhausted(harness.server):
            assert down(sink, *webhooks).error == "SQLSTATE 53300"
            assert harness.link.attempts == 1
            queue.send(*webhooks)
            assert len(queue.deliver(consumer.handle)) == 10
            assert harness.link.attempts == 2
        wait_until(lambda: harness.server.connections() == 0)
        queue.drain(consumer)
        assert len(harness.rows()) == 10
        assert queue.dead_letters == []

    def test_sinks_never_hold_more_connections_than_there_are_sinks(self, harness: PostgresHarness) -> None:
        """Other threads end their connections again and again."""
        threads, stored = 4, list[Webhook]()
        failed: list[object] = []
        enough = threading.Event()

        def deliver() -> None:
            queue = Queue(max_receive_count=1000)
            consumer = queue.consumer(harness.sink())
            try:
                while not enough.is_set():
                    webhooks = [webhook(), webhook()]
                    queue.send(*webhooks)
                    queue.drain(consumer)
                    stored.extend(webhooks)
                failed.extend(queue.dead_letters)
            except BaseException as error:
                failed.append(error)

        running = [threading.Thread(target=deliver) for _ in range(threads)]
        for thread in running:
            thread.start()
        killed: set[int] = set()
        most = 0
        administrator = harness.server.connect()
        while len(killed) < 40 and any(thread.is_alive() for thread in running):
            pids = {pid for (pid,) in administrator.run(f"SELECT pid FROM pg_stat_activity WHERE usename = '{USER}'")}
            # A killed connection may take a while to end, and its sink has noticed already.
            alive = pids - killed
            most = max(most, len(alive))
            for pid in alive:
                administrator.run("SELECT pg_terminate_backend(:pid)", pid=pid)
            killed |= alive
        administrator.close()
        enough.set()
        for thread in running:
            thread.join()
        assert failed == []
        assert 1 <= most <= threads
        assert sorted(key for key, _ in harness.rows()) == sorted(each.key for each in stored)

    def test_a_connection_that_was_idle_for_too_long_is_opened_again(
        self, harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 0.0
        monkeypatch.setattr(database, "time", SimpleNamespace(time=lambda: now))
        sink = harness.sink()
        for passed, attempts in [(0, 1), (300, 1), (300, 1), (301, 2), (300, 2), (86_400, 3)]:
            now += passed
            assert kinds(sink, webhook()) == [S]
            assert harness.link.attempts == attempts
        wait_until(lambda: harness.server.connections() == 1)

    def test_the_server_ends_an_idle_connection(
        self, harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert {"idle_session_timeout": f"{database.IDLE_SECONDS}s"} == postgres._OF_THE_CONNECTION
        monkeypatch.setattr(postgres, "_OF_THE_CONNECTION", {"idle_session_timeout": "200ms"})
        sink = harness.sink()
        assert kinds(sink, webhook()) == [S]
        wait_until(lambda: harness.server.connections() == 0)
        assert kinds(sink, webhook()) == [S]
        assert database.IDLE_SECONDS > database._TRUSTED_SECONDS

    def test_a_server_that_does_not_answer_is_given_up_and_no_second_statement_begun(
        self, harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "SOCKET_SECONDS", 0.3)
        sink, one = harness.sink(), webhook()
        assert kinds(sink, webhook()) == [S]
        harness.link.hold()
        before = time.monotonic()
        assert down(sink, one).error == "TimeoutError"
        assert time.monotonic() - before < 10
        assert harness.link.attempts == 1

        assert down(sink, one).error == "TimeoutError"  # nor while it connects
        assert harness.link.attempts == 2
        harness.link.fix()
        assert kinds(sink, one) == [Kind.DUPLICATE]  # it had arrived

    def test_a_server_that_stops_reading_a_large_batch_is_given_up_in_time(
        self, harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "SOCKET_SECONDS", 1)
        sink, large = harness.sink(), [webhook("x" * 1_000_000) for _ in range(15)]
        assert kinds(sink, webhook()) == [S]
        harness.link.stall()
        before = time.monotonic()
        assert down(sink, *large).error == "TimeoutError"
        assert time.monotonic() - before < 10
        assert harness.link.attempts == 1
        harness.link.fix()
        monkeypatch.undo()
        assert kinds(sink, *large) == [S] * 15

    def test_a_statement_that_has_to_wait_ends_before_the_function_and_no_second_is_begun(
        self, harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patched = postgres._OF_THE_TRANSACTION.replace(f"{limits.STATEMENT_SECONDS}s", "300ms")
        assert patched != postgres._OF_THE_TRANSACTION
        monkeypatch.setattr(postgres, "_OF_THE_TRANSACTION", patched)
        sink, one = harness.sink(), webhook()
        store(sink, webhook())
        with locked(harness), without_garbage_collection():
            trips = harness.link.round_trips
            before = time.monotonic()
            fault = down(sink, one)
            assert 0.3 <= time.monotonic() - before < limits.STATEMENT_SECONDS
            assert fault.error == "SQLSTATE 57014"
            assert harness.link.round_trips - trips <= 2  # the statement, and the message that it was the last
            assert harness.link.attempts == 1
            wait_until(lambda: harness.server.connections() == 0)
        assert kinds(sink, one) == [S]
        assert limits.STATEMENT_SECONDS < limits.SOCKET_SECONDS

    @pytest.mark.parametrize("hangs", [True, False])
    def test_a_connection_that_fails_before_its_first_statement_is_closed(
        self, harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch, hangs: bool
    ) -> None:
        monkeypatch.setattr(postgres, "SOCKET_SECONDS", 0.3)
        sink = harness.sink(database_name=DATABASE if hangs else "no_such")
        if hangs:
            harness.link.hold()
        with without_garbage_collection():
            assert down(sink, webhook()).error == ("TimeoutError" if hangs else "SQLSTATE 3D000")
            wait_until(lambda: harness.link.open == 0)

    def test_a_server_without_a_limit_for_idle_connections_is_asked_for_it_once(
        self, harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "_OF_THE_CONNECTION", {"no_such_setting": "6min"})
        sink = harness.sink()
        assert kinds(sink, webhook()) == [S]
        assert harness.link.attempts == 2
        sink.close()
        assert kinds(sink, webhook()) == [S]
        assert harness.link.attempts == 3
        # Ended connections do not disappear at once.
        wait_until(lambda: harness.server.connections() == 1)

    def test_nothing_of_a_batch_outlives_its_transaction(self, harness: PostgresHarness) -> None:
        sink = harness.sink()
        assert kinds(sink, webhook()) == [S]
        connection = sink._connection._connection  # type: ignore[union-attr]
        assert connection.run("SELECT name FROM pg_prepared_statements") == []
        changed = "SELECT name FROM pg_settings WHERE source = 'session' AND name <> 'client_encoding'"
        assert connection.run(changed) == []
        sink.close()

    @pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_JP"])
    def test_a_role_that_has_another_encoding_stores_any_text(self, harness: PostgresHarness, encoding: str) -> None:
        harness.server.query(f"ALTER ROLE {USER} SET client_encoding = '{encoding}'")
        try:
            assert kinds(harness.sink(), webhook(path="/😀 Zoë 世界", headers={"X-Name": "😀"})) == [S]
        finally:
            harness.server.query(f"ALTER ROLE {USER} RESET client_encoding")
        assert harness.server.query(f"SELECT path, headers->>'x-name' FROM {harness.table}") == [["/😀 Zoë 世界", "😀"]]


class TestRoom:
    """The connections of the server, which each environment logs once."""

    def test_an_environment_logs_them_once(self, harness: PostgresHarness, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        sink = harness.sink()
        for _ in range(3):
            store(sink, webhook())
            sink.close()
        (line,) = room_lines(caplog)
        # Those of the administrator are open for a moment.
        assert (line.usable, 1 <= line.in_use <= 2) == (harness.server.max_connections - 3, True)

    def test_usable_is_the_number_that_this_user_can_open(self, harness: PostgresHarness) -> None:
        with exhausted(harness.server):
            opened = harness.server.connections()
        wait_until(lambda: harness.server.connections() == 0)
        connection = connection_of(harness)
        assert connection.room()[0] == opened
        connection.close()

    @pytest.mark.parametrize(
        ("limit", "usable"),
        [
            (f"ROLE {USER} CONNECTION LIMIT 4", 4),
            (f"DATABASE {DATABASE} CONNECTION LIMIT 5", 5),
            (f"ROLE {USER} CONNECTION LIMIT 19", 17),
        ],
    )
    def test_a_limit_of_the_user_or_the_database_counts(
        self, harness: PostgresHarness, limit: str, usable: int
    ) -> None:
        harness.server.query(f"ALTER {limit}")
        try:
            connection = connection_of(harness)
            assert connection.room()[0] == usable
            connection.close()
        finally:
            harness.server.query(f"ALTER {limit.rpartition(' ')[0]} -1")

    @pytest.mark.parametrize(
        "statement", ["SELECT none()", "SELECT 'many'", "SELECT pg_terminate_backend(pg_backend_pid())::text", ""]
    )
    def test_a_server_that_cannot_tell_costs_no_webhook(
        self,
        harness: PostgresHarness,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        statement: str,
    ) -> None:
        caplog.set_level(logging.INFO)
        monkeypatch.setattr(postgres, "_ROOM", statement)
        sink = harness.sink()
        for _ in range(3):
            assert kinds(sink, webhook()) == [S]
        assert harness.link.attempts == 2
        assert room_lines(caplog) == []
        assert [record.error for record in caplog.records if record.message == "connections not known"]  # type: ignore[attr-defined]
        sink.close()


def room_lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.message == "connections"]


def connection_of(harness: PostgresHarness) -> Any:
    settings = harness.settings()
    return PostgresDriver(settings).connect(settings, USER, harness.server.password, None)


class TestCredentials:
    def test_a_secret_is_read_once(self, harness: PostgresHarness) -> None:
        secrets = Secrets(login(USER, harness.server.password))
        sink = harness.sink(secrets)
        assert secrets.asked == 0
        store(sink, webhook())
        harness.server.terminate_connections()
        store(sink, webhook())
        assert harness.link.attempts == 2
        assert secrets.asked == 1

    def test_a_password_that_was_rotated_is_read_again_and_the_batch_goes_through(
        self, harness: PostgresHarness
    ) -> None:
        secrets = Secrets(login(USER, "old"), login(USER, harness.server.password))
        assert kinds(harness.sink(secrets), webhook()) == [S]
        assert secrets.asked == 2
        assert harness.link.attempts == 2

    def test_a_password_that_is_wrong_is_tried_once_a_batch(self, harness: PostgresHarness) -> None:
        secrets = Secrets(login(USER, "wrong-password"))
        sink = harness.sink(secrets)
        for batch in (1, 2, 3):
            fault = down(sink, webhook(), webhook())
            assert fault.error == "SQLSTATE 28P01"
            assert "wrong-password" not in fault.reason
            assert harness.link.attempts == batch
            assert secrets.asked == batch + 1
        secrets.values = [login(USER, harness.server.password)]
        assert kinds(sink, webhook()) == [S]

    @pytest.mark.parametrize(
        "secret",
        ["s3cr3t", '{"username": "s3cr3t"}', '["s3cr3t"]', '{"password": "s3cr3t', '"s3cr3t"', "null"],
    )
    def test_an_invalid_secret_stops_the_batch_and_is_not_shown(
        self, harness: PostgresHarness, secret: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        secrets = Secrets(secret)
        queue = Queue()
        queue.send(webhook(), webhook())
        assert len(queue.deliver(queue.consumer(harness.sink(secrets)).handle)) == 2
        fault = down(harness.sink(secrets), webhook())
        assert fault.reason.startswith("username and password could not be read from the secret arn: ")
        assert secrets.asked == 2
        assert harness.link.attempts == 0
        assert not any("s3cr3t" in str(vars(line)) + str(line.exc_text) for line in caplog.records)

    def test_a_secrets_manager_that_fails_stops_the_batch(self, harness: PostgresHarness) -> None:
        class Unreachable(Secrets):
            def get_secret_value(self, *, SecretId: str) -> dict[str, str]:
                raise TimeoutError("no answer from 10.0.0.1")

        assert down(harness.sink(Unreachable()), webhook()).error == "TimeoutError"

    def test_with_iam_each_connection_has_a_token_of_its_own(self, harness: PostgresHarness) -> None:
        class Rds:
            def __init__(self) -> None:
                self.asked: list[tuple[str, int, str]] = []
                self.token = harness.server.password

            def generate_db_auth_token(self, host: str, port: int, user: str) -> str:
                self.asked.append((host, port, user))
                return self.token

        rds = Rds()
        settings = harness.settings(secret_arn=None, database_user=USER)
        sink = DatabaseSink(settings, PostgresDriver(settings), Credentials(settings, None, rds))
        for _ in range(2):
            assert kinds(sink, webhook()) == [S]
            sink.close()
        assert rds.asked == [("127.0.0.1", harness.link.port, USER)] * 2
        rds.token = "rejected"
        assert down(sink, webhook()).error == "SQLSTATE 28P01"
        assert harness.link.attempts == 3

    def test_an_error_of_a_login_trigger_dead_letters_no_webhook(self, harness: PostgresHarness) -> None:
        """A login trigger raises the same error as a trigger of the table for a bad row."""
        harness.server.query(
            "CREATE FUNCTION closed() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF session_user = '{USER}' THEN RAISE EXCEPTION 'closed for maintenance'; END IF; END $$"
        )
        harness.server.query("CREATE EVENT TRIGGER closed ON login EXECUTE FUNCTION closed()")
        sink = harness.sink()
        try:
            fault = down(sink, webhook(), webhook())
            assert fault.error == "SQLSTATE P0001"
            assert fault.reason.endswith(": closed for maintenance")
            assert harness.link.attempts == 1
        finally:
            harness.server.query("DROP EVENT TRIGGER closed")
            harness.server.query("DROP FUNCTION closed")
        assert kinds(sink, webhook()) == [S]


class TestTable:
    def test_without_a_table_nothing_is_dead_lettered(self, harness: PostgresHarness) -> None:
        sink = harness.sink(create_table=False)
        queue = Queue()
        consumer = queue.consumer(sink)
        assert down(sink, webhook()).error == "SQLSTATE 42P01"
        queue.send(*(webhook() for _ in range(5)))
        assert len(queue.deliver(consumer.handle)) == 5
        assert harness.server.query("SELECT to_regclass(:table)", table=harness.table) == [[None]]
        create(harness)
        queue.drain(consumer)
        assert len(harness.rows()) == 5
        assert queue.dead_letters == []

    @pytest.mark.parametrize("time", range(5))
    def test_sinks_that_find_no_table_at_the_same_time_create_one(self, harness: PostgresHarness, time: int) -> None:
        sinks = [harness.sink() for _ in range(6)]
        together = threading.Barrier(len(sinks))
        outcomes: list[object] = []

        def deliver(sink: DatabaseSink) -> None:
            sink._open()
            together.wait()
            try:
                outcomes.extend(store(sink, webhook(), webhook()))
            except Exception as error:
                outcomes.append(error)

        threads = [threading.Thread(target=deliver, args=(sink,)) for sink in sinks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [STORED] * 12
        assert len(harness.rows()) == 12

    def test_a_table_that_may_not_be_created_is_logged(
        self, harness: PostgresHarness, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink = harness.sink(table_name="absent.webhooks")
        assert down(sink, webhook()).error == "SQLSTATE 42P01"
        told = [vars(line)["error"] for line in caplog.records if line.message == "table not created"]
        assert set(told) == {"SQLSTATE 3F000"}

    def test_a_table_may_be_in_a_schema_and_have_any_name(self, harness: PostgresHarness) -> None:
        schema = f"s{harness.table}"
        harness.server.query(f"CREATE SCHEMA {schema} AUTHORIZATION {USER}")
        sink = harness.sink(table_name=f"{schema}.Select")
        assert kinds(sink, webhook(), webhook()) == [S, S]
        assert harness.server.query(f'SELECT count(*) FROM {schema}."Select"') == [[2]]

    def test_a_row_has_all_of_the_webhook(self, harness: PostgresHarness) -> None:
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
        assert harness.server.query(f"SELECT * FROM {harness.table}") == [
            [
                "order-7",
                "/orders",
                one.request_id,
                one.received_at,
                "PUT",
                "/orders/Zoë",
                "a=1",
                {"x-one": "é", "x-two": '"\\'},
                b"\x00\xff",
                "203.0.113.7",
            ]
        ]

    def test_new_rows_and_duplicates_are_distinguished(self, harness: PostgresHarness) -> None:
        sink, webhooks = harness.sink(), [webhook() for _ in range(4)]
        assert store(sink, webhooks[2], webhooks[0]) == [STORED, STORED]
        assert store(sink, *webhooks) == [DUPLICATE, STORED, DUPLICATE, STORED]

    @pytest.mark.parametrize(
        ("key", "error", "remedy"),
        [
            ("PRIMARY KEY (id)", "SQLSTATE 42P10", "PRIMARY KEY (id, mount), in place of any unique key of id alone"),
            ("UNIQUE (mount)", "SQLSTATE 42P10", "PRIMARY KEY (id, mount)"),
            ("PRIMARY KEY (id); ALTER TABLE {table} DROP mount", "SQLSTATE 42703", "create_table_statement"),
        ],
    )
    def test_a_table_whose_key_is_not_of_id_and_mount_stores_nothing_and_names_the_fix(
        self, harness: PostgresHarness, key: str, error: str, remedy: str
    ) -> None:
        key, *statements = key.split("; ")
        create(harness, key=key)
        for statement in statements:
            harness.server.query(statement.format(table=harness.table))
        sink, queue = harness.sink(create_table=False), Queue()
        fault = down(sink, webhook(mount="/a"), webhook(mount="/b"))
        assert fault.error == error
        assert remedy in fault.reason
        queue.send(webhooks := webhook(id="1", mount="/a"), other := webhook(id="1", mount="/b"))
        consumer = queue.consumer(sink)
        assert len(queue.deliver(consumer.handle)) == 2
        assert queue.dead_letters == []
        harness.server.query(f"DROP TABLE {harness.table}")
        create(harness)
        queue.drain(consumer)
        assert {key for key, _ in harness.rows()} == {webhooks.key, other.key}

    @pytest.mark.parametrize("key", ["UNIQUE (id, mount)", "UNIQUE (mount, id)"])
    def test_any_unique_key_of_id_and_mount_is_accepted(self, harness: PostgresHarness, key: str) -> None:
        create(harness, key=key)
        sink, webhooks = harness.sink(create_table=False), [webhook(id="1", mount=mount) for mount in ("/a", "/b")]
        assert store(sink, *webhooks) == [STORED, STORED]
        assert store(sink, *webhooks) == [DUPLICATE, DUPLICATE]

    def test_with_a_key_of_id_alone_the_same_id_of_another_provider_is_no_duplicate(
        self, harness: PostgresHarness
    ) -> None:
        create(harness, key="PRIMARY KEY (id), UNIQUE (id, mount)")
        sink, first, second = harness.sink(create_table=False), webhook(id="1", mount="/a"), webhook(id="1", mount="/b")
        assert store(sink, first) == [STORED]
        duplicate, rejected, other = store(sink, first, second, webhook())
        assert (duplicate, rejected.kind, other) == (DUPLICATE, P, STORED)
        assert rejected.error == "SQLSTATE 23505"

    def test_a_violation_of_a_users_unique_constraint_is_no_duplicate(self, harness: PostgresHarness) -> None:
        create(harness, path="text UNIQUE")
        sink = harness.sink(create_table=False)
        webhooks = [webhook(path=path) for path in ("/a", "/b", "/a", "/c")]
        outcomes = store(sink, *webhooks)
        assert [outcome.kind for outcome in outcomes] == [S, S, P, S]
        assert outcomes[2].error == "SQLSTATE 23505"
        assert "/a" not in outcomes[2].reason
        assert store(sink, webhooks[0], webhooks[3]) == [DUPLICATE, DUPLICATE]

    @pytest.mark.parametrize(
        ("table", "error"),
        [
            ({"path": "varchar(10)"}, "SQLSTATE 22001"),
            ({"more": ", CHECK (path NOT LIKE '%secret%')"}, "SQLSTATE 23514"),
            (
                {"more": ", more int NOT NULL GENERATED ALWAYS AS (length(path) / (length(path) - 20)) STORED"},
                "SQLSTATE 22012",
            ),
            (
                {"more": ", more int GENERATED ALWAYS AS (('0' || (headers->>'x-amount'))::int) STORED"},
                "SQLSTATE 22003",
            ),
            (
                {"more": ", more real GENERATED ALWAYS AS (('0' || (headers->>'x-ratio'))::real) STORED"},
                "SQLSTATE 22003",
            ),
        ],
        ids=["too long", "check", "computed", "a number that is too large", "a ratio that is too large"],
    )
    def test_a_row_that_the_users_table_rejects_fails_alone_and_its_values_stay_secret(
        self, harness: PostgresHarness, table: dict[str, str], error: str
    ) -> None:
        create(harness, **table)
        webhooks = [webhook(path="/a") for _ in range(9)]
        large = {"X-Amount": SECRET_NUMBER, "X-Ratio": f"1e{SECRET_NUMBER}"}
        webhooks[4] = webhook("payload-secret", path="/path-secret-1234567", headers=large)
        outcomes = store(harness.sink(create_table=False), *webhooks)
        assert [outcome.kind for outcome in outcomes] == [S] * 4 + [P] + [S] * 4
        assert outcomes[4].error == error
        assert not any(part in outcomes[4].reason for part in ("secret", SECRET_NUMBER))
        assert outcomes[4].reason

    @pytest.mark.parametrize(
        ("rejection", "error"),
        [
            ("IF NEW.path = '/bad' THEN RAISE EXCEPTION 'no such order'; END IF", "SQLSTATE P0001"),
            ("ASSERT NEW.path <> '/bad', 'no such order'", "SQLSTATE P0004"),
        ],
    )
    def test_a_row_that_a_trigger_rejects_fails_alone(
        self, harness: PostgresHarness, rejection: str, error: str
    ) -> None:
        create(harness)
        harness.server.query(
            f"CREATE FUNCTION reject_{harness.table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"{rejection}; RETURN NEW; END $$"
        )
        harness.server.query(
            f"CREATE TRIGGER reject BEFORE INSERT ON {harness.table} "
            f"FOR EACH ROW EXECUTE FUNCTION reject_{harness.table}()"
        )
        outcomes = store(harness.sink(), webhook(), webhook(path="/bad"), webhook())
        assert [outcome.kind for outcome in outcomes] == [S, P, S]
        assert (outcomes[1].error, outcomes[1].reason) == (error, "no such order")

    @pytest.mark.parametrize("bad", [{"path": "/a\x00b"}, {"headers": {"X-A": "a\x00b"}}, {"id": "a\x00b"}])
    def test_a_text_with_nul_fails_alone(self, harness: PostgresHarness, bad: dict[str, Any]) -> None:
        outcomes = store(harness.sink(), webhook(), webhook(**bad), webhook())
        assert [outcome.kind for outcome in outcomes] == [S, P, S]
        assert outcomes[1].error in ("SQLSTATE 22021", "SQLSTATE 22P05")

    def test_a_character_that_the_encoding_of_the_database_lacks_fails_alone(self, harness: PostgresHarness) -> None:
        name = f"latin_{harness.table}"
        harness.server.query(
            f"CREATE DATABASE {name} OWNER {USER} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        sink = harness.sink(database_name=name)
        webhooks = [webhook("Zoë 😀", path=path) for path in ("/a", "/Zoë", "/😀", "/b", "/c")]
        try:
            outcomes = store(sink, *webhooks)
            assert [outcome.kind for outcome in outcomes] == [S, S, P, S, S]
            assert "😀" not in outcomes[2].reason
            assert kinds(sink, webhooks[1], webhook()) == [Kind.DUPLICATE, S]
        finally:
            sink.close()
            wait_until(lambda: harness.server.connections() == 0)
            harness.server.query(f"DROP DATABASE {name}")


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def trusted(self, authority: trustme.CA, tmp_path: Path) -> str:
        file = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(file))
        return str(file)

    def test_certificate_and_host_name_are_verified(
        self, server: PostgresServer, authority: trustme.CA, trusted: str
    ) -> None:
        for host in ("localhost", "127.0.0.1"):
            with behind_tls(server, authority.issue_cert(host)) as harness:
                sink = harness.sink(database_host=host, database_tls=True, ca_certificates=trusted)
                assert kinds(sink, webhook(), webhook()) == [S, S]
                assert len(harness.rows()) == 2
                sink.close()

    @pytest.mark.parametrize("case", [*UNTRUSTED, "no TLS"])
    def test_a_certificate_that_cannot_be_verified_is_rejected(
        self, server: PostgresServer, authority: trustme.CA, trusted: str, case: str
    ) -> None:
        certificate, ca_certificates = presented(case, authority, trusted)
        with behind_tls(server, None if case == "no TLS" else certificate) as harness:
            sink = harness.sink(database_host="localhost", database_tls=True, ca_certificates=ca_certificates)
            queue = Queue()
            queue.send(webhook(), webhook())
            fault = down(sink, webhook())
            assert len(queue.deliver(queue.consumer(sink).handle)) == 2
            expected = "InterfaceError" if case == "no TLS" else "SSLCertVerificationError"
            assert fault.error == expected
            assert harness.link.attempts == 2
            assert server.connections() == 0
            assert queue.dead_letters == []

    def test_an_endpoint_of_rds_is_trusted_by_its_own_authorities_alone(
        self,
        server: PostgresServer,
        authority: trustme.CA,
        trusted: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        public = trustme.CA()
        public.cert_pem.write_to_path(str(tmp_path / "public.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
        (tmp_path / "rds.pem").write_text(f"# Amazon RDS eu-west-1 Root CA G1\n{Path(trusted).read_text()}")
        monkeypatch.setattr(authorities, "BUNDLE", tmp_path / "rds.pem")
        resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest: resolve("127.0.0.1", *rest))
        endpoint, proxy = (f"orders.{part}eu-west-1.rds.amazonaws.com" for part in ("abc1.", "proxy-abc1."))
        for host, signed, rejected in [(endpoint, authority, public), (proxy, public, authority)]:
            with behind_tls(server, signed.issue_cert(host)) as harness:
                sink = harness.sink(database_host=host, database_tls=True)
                assert kinds(sink, webhook()) == [S]
                sink.close()
            with behind_tls(server, rejected.issue_cert(host)) as harness:
                assert (
                    down(harness.sink(database_host=host, database_tls=True), webhook()).error
                    == "SSLCertVerificationError"
                )

    def test_a_connection_that_fails_behind_tls_is_closed(
        self, server: PostgresServer, authority: trustme.CA, trusted: str
    ) -> None:
        with behind_tls(server, authority.issue_cert("localhost")) as harness, without_garbage_collection():
            sink = harness.sink(
                database_host="localhost", database_tls=True, ca_certificates=trusted, database_name="no_such"
            )
            fault = down(sink, webhook())
            assert fault.error == "SQLSTATE 3D000"
            wait_until(lambda: server.connections() == 0)


@contextmanager
def behind_tls(server: PostgresServer, certificate: trustme.LeafCert | None) -> Iterator[PostgresHarness]:
    """Yield a harness whose link speaks TLS with this certificate, or no TLS without one."""
    harness = PostgresHarness(server)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        harness.link.close()
        harness.link = Link(server.port, postgres_tls(context))
    try:
        yield harness
    finally:
        harness.close()


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Disable garbage collection, so that only code that opens a connection closes it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def exhausted(server: PostgresServer) -> Iterator[None]:
    """Occupy every connection in the block."""
    with ExitStack() as held:
        for _ in range(server.max_connections + 1):
            try:
                connection = pg8000.native.Connection(
                    USER, "127.0.0.1", DATABASE, server.port, server.password, ssl_context=False
                )
            except pg8000.native.DatabaseError as rejection:
                error = rejection.args[0]["C"]
                break
            held.callback(connection.close)
        else:
            raise AssertionError("there was no end of connections")
        assert error == "53300"
        yield


@contextmanager
def locked(harness: PostgresHarness) -> Iterator[None]:
    """Lock the table by another session in the block."""
    connection = harness.server.connect()
    connection.run("BEGIN")
    connection.run(f"LOCK TABLE {harness.table} IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        connection.close()
