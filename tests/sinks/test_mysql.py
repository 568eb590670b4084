"""The promises of MySQL's sink, tested against a real MariaDB."""

import gc
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pymysql
import pytest
import trustme

from webhook_runtime.contract import limits
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind
from webhook_runtime.sinks import database, mysql
from webhook_runtime.sinks.database import DatabaseSink
from webhook_runtime.testing import webhook

from .certificates import UNTRUSTED, presented
from .harnesses import MySqlHarness, Secrets, login
from .mariadb_server import DATABASE, USER, MariaDbServer, missing
from .queue_harness import Queue
from .storing import down, kinds, store, wait_until

S, P = Kind.STORED, Kind.PERMANENT

MIB = 1_048_576


@pytest.fixture(name="server")
def _server(mariadb: MariaDbServer) -> MariaDbServer:
    mariadb.terminate_connections()
    wait_until(lambda: mariadb.connections() == 0)
    return mariadb


@pytest.fixture
def harness(server: MariaDbServer) -> Iterator[MySqlHarness]:
    harness = MySqlHarness(server)
    yield harness
    harness.close()


def create(
    harness: MySqlHarness,
    *,
    path: str = "mediumtext",
    more: str = "",
    like: str = "utf8mb4",
    key: str = "PRIMARY KEY (id, mount)",
) -> None:
    """Create the table as its user may have done."""
    harness.server.query(
        f"CREATE TABLE {DATABASE}.{harness.table} (id varbinary(1024), mount varchar(64), request_id varchar(64), "
        f"received_at datetime(3), method varchar(64), path {path}, query mediumtext, headers json, payload longblob, "
        f"source_ip varchar(64){more}, {key}) ENGINE = InnoDB DEFAULT CHARACTER SET = {like}"
    )


class TestConnection:
    def test_one_connection_serves_every_batch_and_opens_with_the_first(self, harness: MySqlHarness) -> None:
        sink = harness.sink()
        assert harness.link.attempts == 0
        for _ in range(10):
            assert kinds(sink, webhook(), webhook()) == [S, S]
        assert harness.link.attempts == 1
        assert harness.server.connections() == 1
        sink.close()
        wait_until(lambda: harness.server.connections() == 0)

    @pytest.mark.parametrize("size", [1, 10, 300])
    def test_a_batch_of_any_size_is_one_round_trip(self, harness: MySqlHarness, size: int) -> None:
        sink = harness.sink()
        store(sink, webhook())
        for _ in range(3):
            before = harness.link.round_trips
            webhooks = [webhook("x" * 5000) for _ in range(size)]
            assert kinds(sink, *webhooks) == [S] * size
            assert harness.link.round_trips - before == 1

    @pytest.mark.parametrize("how", ["stop", "crash"])
    def test_a_server_that_restarts_costs_no_webhook(self, harness: MySqlHarness, how: str) -> None:
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
        harness.server.stop()
        harness.server.start()
        queue.send(*webhooks[20:])
        assert queue.deliver(consumer.handle) == []
        assert sorted(harness.rows()) == sorted((each.key, each.body) for each in webhooks)
        assert queue.dead_letters == []

    @pytest.mark.parametrize(
        ("statement", "undo", "error"),
        [
            ("SET GLOBAL max_connections = 10", "SET GLOBAL max_connections = 151", "MySQL error 1040"),
            (
                f"ALTER USER {USER}@'%' WITH MAX_USER_CONNECTIONS 4",
                f"ALTER USER {USER}@'%' WITH MAX_USER_CONNECTIONS 0",
                "MySQL error 1226",
            ),
        ],
        ids=["server", "user"],
    )
    def test_a_server_without_a_free_connection_is_called_once_and_the_batch_is_retried(
        self, harness: MySqlHarness, statement: str, undo: str, error: str
    ) -> None:
        queue, webhooks = Queue(), [webhook() for _ in range(10)]
        sink = harness.sink()
        consumer = queue.consumer(sink)
        harness.server.query(statement)
        try:
            with exhausted(harness.server):
                assert down(sink, *webhooks).error == error
                assert harness.link.attempts == 1
                queue.send(*webhooks)
                assert len(queue.deliver(consumer.handle)) == 10
                assert harness.link.attempts == 2
            wait_until(lambda: harness.server.connections() == 0)
            queue.drain(consumer)
        finally:
            harness.server.query(undo)
        assert len(harness.rows()) == 10
        assert queue.dead_letters == []

    def test_sinks_never_hold_more_connections_than_there_are_sinks(self, harness: MySqlHarness) -> None:
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
        while len(killed) < 40 and any(thread.is_alive() for thread in running):
            # A killed connection may take a while to end, and its sink has noticed already.
            alive = set(harness.server.threads()) - killed
            most = max(most, len(alive))
            for id in alive:
                harness.server.kill(id)
            killed |= alive
        enough.set()
        for thread in running:
            thread.join()
        assert failed == []
        assert 1 <= most <= threads
        assert sorted(key for key, _ in harness.rows()) == sorted(each.key for each in stored)

    def test_the_server_ends_an_idle_connection(self, harness: MySqlHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        patch_session(monkeypatch, f"wait_timeout = {database.IDLE_SECONDS}", "wait_timeout = 1")
        sink = harness.sink()
        assert kinds(sink, webhook()) == [S]
        wait_until(lambda: harness.server.connections() == 0)
        assert kinds(sink, webhook()) == [S]

    def test_a_server_that_does_not_answer_is_given_up_and_no_second_statement_begun(
        self, harness: MySqlHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mysql, "SOCKET_SECONDS", 0.3)
        sink, one = harness.sink(), webhook()
        assert kinds(sink, webhook()) == [S]
        harness.link.hold()
        before = time.monotonic()
        fault = down(sink, one)
        assert fault.error == "TimeoutError"
        assert fault.reason
        assert time.monotonic() - before < 10
        assert harness.link.attempts == 1

        assert down(sink, one).error == "TimeoutError"  # nor while it connects
        assert harness.link.attempts == 2
        harness.link.fix()
        assert kinds(sink, one) == [Kind.DUPLICATE]  # it had arrived

    def test_a_server_that_stops_reading_a_large_batch_is_given_up_in_time(
        self, harness: MySqlHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mysql, "SOCKET_SECONDS", 0.5)
        sink, large = harness.sink(), [webhook("x" * 1_000_000) for _ in range(7)]
        assert kinds(sink, webhook()) == [S]
        harness.link.stall()
        before = time.monotonic()
        assert down(sink, *large).error == "TimeoutError"
        assert time.monotonic() - before < 10
        assert harness.link.attempts == 1
        harness.link.fix()
        monkeypatch.undo()
        assert kinds(sink, *large) == [S] * 7

    @pytest.mark.parametrize("lock", ["LOCK TABLES {table} WRITE", "BEGIN; INSERT INTO {table} SELECT * FROM {row}"])
    def test_a_statement_that_has_to_wait_ends_before_the_function_and_no_second_is_begun(
        self, harness: MySqlHarness, monkeypatch: pytest.MonkeyPatch, lock: str
    ) -> None:
        patch_session(monkeypatch, f"lock_wait_timeout = {limits.STATEMENT_SECONDS}", "lock_wait_timeout = 1")
        sink, one = harness.sink(), webhook()
        store(sink, one)
        table = f"{DATABASE}.{harness.table}"
        row = f"{table}_row"
        harness.server.query(f"CREATE TABLE {row} AS SELECT * FROM {table}")
        harness.server.query(f"DELETE FROM {table}")
        other = harness.server.connect()
        with other.cursor() as cursor:
            for statement in lock.format(table=table, row=row).split("; "):
                cursor.execute(statement)
        try:
            trips, before = harness.link.round_trips, time.monotonic()
            fault = down(sink, one)
            assert 0.9 <= time.monotonic() - before < limits.STATEMENT_SECONDS
            assert fault.error == "MySQL error 1205"
            assert harness.link.round_trips - trips <= 2  # the statement, and the message that it was the last
            assert harness.link.attempts == 1
            wait_until(lambda: harness.server.connections() == 0)
        finally:
            other.close()
        assert kinds(sink, one) == [S]

    def test_a_connection_that_fails_before_its_first_statement_is_closed(
        self, harness: MySqlHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mysql, "_SESSION", "SELECT no_such.no_such_function()")
        sink = harness.sink()
        gc.disable()
        try:
            assert down(sink, webhook()).error == "MySQL error 1370"
            wait_until(lambda: harness.link.open == 0)
        finally:
            gc.enable()


class TestRoom:
    """The connections of the server, which each environment logs once."""

    def test_an_environment_logs_them_once(self, harness: MySqlHarness, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        with harness.server.variables(max_connections=33):
            sink = harness.sink()
            for _ in range(3):
                store(sink, webhook())
                sink.close()
        (line,) = [record for record in caplog.records if record.message == "connections"]
        assert line.usable == 33  # type: ignore[attr-defined]
        assert 1 <= line.in_use <= 2  # type: ignore[attr-defined] # an administrator's may be open

    def test_a_limit_of_the_user_counts(self, harness: MySqlHarness, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        alter = f"ALTER USER {USER} WITH MAX_USER_CONNECTIONS"
        harness.server.query(f"{alter} 4")
        try:
            store(harness.sink(), webhook())
        finally:
            harness.server.query(f"{alter} 0")
        (line,) = [record for record in caplog.records if record.message == "connections"]
        assert line.usable == 4  # type: ignore[attr-defined]

    def test_a_server_that_cannot_tell_costs_no_webhook(
        self, harness: MySqlHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        monkeypatch.setattr(mysql, "_ROOM", "SHOW GLOBAL STATUS LIKE 'none'")
        sink = harness.sink()
        for _ in range(3):
            assert kinds(sink, webhook()) == [S]
        assert [record.error for record in caplog.records if record.message == "connections not known"]  # type: ignore[attr-defined]
        sink.close()


class TestCredentials:
    def test_a_password_that_was_rotated_is_read_again_and_the_batch_goes_through(self, harness: MySqlHarness) -> None:
        secrets = Secrets(login(USER, "old"), login(USER, harness.server.password))
        assert kinds(harness.sink(secrets), webhook()) == [S]
        assert secrets.asked == 2
        assert harness.link.attempts == 2

    def test_a_password_that_is_wrong_is_tried_once_a_batch(self, harness: MySqlHarness) -> None:
        secrets = Secrets(login(USER, "wrong-password"))
        sink = harness.sink(secrets)
        for batch in (1, 2):
            fault = down(sink, webhook(), webhook())
            assert fault.error == "MySQL error 1045"
            assert "wrong-password" not in fault.reason
            assert harness.link.attempts == batch
        secrets.values = [login(USER, harness.server.password)]
        assert kinds(sink, webhook()) == [S]

    def test_a_user_without_permission_dead_letters_nothing(self, harness: MySqlHarness) -> None:
        harness.server.query("CREATE USER reader@'%' IDENTIFIED BY 'reader'")
        harness.server.query(f"GRANT SELECT ON {DATABASE}.* TO reader@'%'")
        try:
            create(harness)
            assert down(harness.sink(Secrets(login("reader", "reader"))), webhook()).error == "MySQL error 1142"
            strange = harness.sink(Secrets(login("reader", "reader")), database_name="mysql")
            assert down(strange, webhook()).error == "MySQL error 1044"
        finally:
            harness.server.query("DROP USER reader@'%'")


class TestTable:
    def test_without_a_table_nothing_is_dead_lettered(self, harness: MySqlHarness) -> None:
        sink = harness.sink(create_table=False)
        queue = Queue()
        consumer = queue.consumer(sink)
        assert down(sink, webhook()).error == "MySQL error 1146"
        queue.send(*(webhook() for _ in range(5)))
        assert len(queue.deliver(consumer.handle)) == 5
        assert harness.server.query(f"SHOW TABLES FROM {DATABASE} LIKE '{harness.table}'") == []
        create(harness)
        queue.drain(consumer)
        assert len(harness.rows()) == 5
        assert queue.dead_letters == []

    @pytest.mark.parametrize("time", range(3))
    def test_sinks_that_find_no_table_at_the_same_time_create_one(self, harness: MySqlHarness, time: int) -> None:
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

    @pytest.mark.parametrize(
        "variables",
        [{}, {"time_zone": "+05:00"}, {"sql_mode": "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"}, {"sql_mode": ""}],
        ids=["as it comes", "another time zone", "another way to quote", "lenient"],
    )
    def test_a_row_has_all_of_the_webhook_whatever_the_servers_settings(
        self, harness: MySqlHarness, variables: dict[str, str]
    ) -> None:
        odd = "Zoë 😀 \\' \" \\\\' OR 1=1; -- %s \x00\n\x1a"
        one = webhook(
            odd.encode() + b"\x00\xff",
            id=odd,
            mount="/orders",
            method="PUT",
            path=f"/{odd}",
            query={"a": odd},
            headers={"X-One": odd},
            received_at=datetime(2026, 1, 2, 23, 4, 5, 678_000, UTC),
        )
        with harness.server.variables(**variables):
            store(harness.sink(), one)
        ((id, mount, request_id, received_at, method, path, query, headers, payload, source_ip),) = (
            harness.server.query(f"SELECT * FROM {DATABASE}.{harness.table}")
        )
        assert (id.decode(), mount) == (odd, "/orders")
        assert (request_id, method, source_ip) == (one.request_id, "PUT", "203.0.113.7")
        assert received_at == datetime(2026, 1, 2, 23, 4, 5, 678_000)
        assert (path, query, payload) == (f"/{odd}", one.query_string, one.body)
        assert webhook(headers).json() == {"x-one": odd}

    def test_a_column_of_the_users_that_has_a_time_zone_gets_the_right_time(self, harness: MySqlHarness) -> None:
        create(harness)
        harness.server.query(f"ALTER TABLE {DATABASE}.{harness.table} MODIFY received_at timestamp(3) NOT NULL")
        at = datetime(2026, 1, 2, 23, 4, 5, 678_000, UTC)
        with harness.server.variables(time_zone="+05:00"):
            store(harness.sink(), webhook(received_at=at))
        ((seconds,),) = harness.server.query(f"SELECT UNIX_TIMESTAMP(received_at) FROM {DATABASE}.{harness.table}")
        assert float(seconds) == at.timestamp()

    def test_duplicates_are_recognized_if_nothing_is_new(self, harness: MySqlHarness) -> None:
        sink, webhooks = harness.sink(), [webhook() for _ in range(3)]
        assert store(sink, *webhooks) == [STORED] * 3
        assert store(sink, *webhooks) == [DUPLICATE] * 3

    def test_ids_that_look_alike_are_different_webhooks(self, harness: MySqlHarness) -> None:
        webhooks = [
            webhook(str(n), id=id) for n, id in enumerate(["order", "Order", "órder", "order ", "order\x00", "o"])
        ]
        assert kinds(harness.sink(), *webhooks) == [S] * len(webhooks)
        assert dict(harness.rows()) == {each.key: each.body for each in webhooks}

    @pytest.mark.parametrize("sql_mode", ["", "STRICT_TRANS_TABLES"])
    def test_an_id_that_does_not_fit_is_rejected_and_never_cut(self, harness: MySqlHarness, sql_mode: str) -> None:
        """The rest of it might be the id of another webhook."""
        fits = "x" * 1024
        with harness.server.variables(sql_mode=sql_mode):
            sink = harness.sink()
            webhooks = [webhook(), *(webhook(id=id) for id in (fits, fits + "y", "é" * 513))]
            outcomes = store(sink, *webhooks)
        assert [outcome.kind for outcome in outcomes] == [S, S, P, P]
        assert (outcomes[2].error, outcomes[2].reason) == ("MySQL error 1406", "Data too long for column 'id' at row 1")
        assert dict(harness.rows()) == {each.key: each.body for each in webhooks[:2]}

    def test_a_session_that_a_pooler_has_changed_changes_nothing(self, harness: MySqlHarness) -> None:
        create(harness, path="varchar(64) UNIQUE")
        harness.server.query(f"ALTER TABLE {DATABASE}.{harness.table} MODIFY received_at timestamp(3) NOT NULL")
        at = datetime(2026, 1, 2, 23, 4, 5, 678_000, UTC)
        sink = harness.sink(create_table=False)
        store(sink, first := webhook(path="/1", received_at=at))
        assert sink._connection
        sink._connection.execute("SET SESSION sql_mode = '', time_zone = '+05:00'")
        webhooks = [webhook(path="/2", received_at=at), webhook(path="/1"), webhook(id="x" * 1025)]
        assert kinds(sink, *webhooks) == [S, P, P]
        assert {key for key, _ in harness.rows()} == {first.key, webhooks[0].key}
        rows = harness.server.query(f"SELECT UNIX_TIMESTAMP(received_at) FROM {DATABASE}.{harness.table}")
        assert {float(seconds) for (seconds,) in rows} == {at.timestamp()}

    @pytest.mark.parametrize("other", ["Order-1", "order-1 ", "ordér-1"])
    def test_ids_that_the_users_table_treats_as_equal_are_no_duplicates(
        self, harness: MySqlHarness, other: str
    ) -> None:
        create(harness, like="utf8mb4 COLLATE utf8mb4_general_ci")
        harness.server.query(f"ALTER TABLE {DATABASE}.{harness.table} MODIFY id varchar(191)")
        sink = harness.sink(create_table=False)
        one, another = webhook(id="order-1"), webhook(id=other)
        assert store(sink, one) == [STORED]
        assert kinds(sink, webhook(), another, one) == [S, P, Kind.DUPLICATE]

    @pytest.mark.parametrize("sql_mode", ["", "STRICT_TRANS_TABLES"])
    @pytest.mark.parametrize("key", ["PRIMARY KEY (id)", "PRIMARY KEY (id, mount), UNIQUE (id)"])
    def test_with_a_key_of_id_alone_the_same_id_of_another_provider_is_no_duplicate(
        self, harness: MySqlHarness, key: str, sql_mode: str
    ) -> None:
        create(harness, key=key)
        first, second = webhook(id="1", mount="/a"), webhook(id="1", mount="/b")
        with harness.server.variables(sql_mode=sql_mode):
            sink = harness.sink(create_table=False)
            assert store(sink, first) == [STORED]
            outcomes = store(sink, first, second, webhook())
        assert [outcome.kind for outcome in outcomes] == [Kind.DUPLICATE, P, S]
        assert outcomes[1].reason.endswith("one of id alone must be of id and mount")
        assert store(sink, first) == [DUPLICATE]

    def test_a_table_without_a_mount_stores_nothing_and_names_the_fix(self, harness: MySqlHarness) -> None:
        create(harness, key="PRIMARY KEY (id)")
        harness.server.query(f"ALTER TABLE {DATABASE}.{harness.table} DROP mount")
        fault = down(harness.sink(create_table=False), webhook(), webhook())
        assert fault.error == "MySQL error 1054"
        assert fault.reason.endswith("the table needs the columns of create_table_statement")

    @pytest.mark.parametrize("type", ["varchar(64)", "varchar(64) COLLATE utf8mb4_bin"])
    def test_endpoints_that_the_users_table_treats_as_equal_are_no_duplicates(
        self, harness: MySqlHarness, type: str
    ) -> None:
        create(harness, like="utf8mb4 COLLATE utf8mb4_general_ci")
        harness.server.query(f"ALTER TABLE {DATABASE}.{harness.table} MODIFY mount {type}")
        sink, webhooks = harness.sink(create_table=False), [webhook(id="1", mount=mount) for mount in ("/a", "/A")]
        assert store(sink, webhooks[0]) == [STORED]
        assert kinds(sink, webhook(), webhooks[1]) == [S, S if "COLLATE" in type else P]

    def test_a_violation_of_a_users_unique_key_is_no_duplicate(self, harness: MySqlHarness) -> None:
        create(harness, path="varchar(64) UNIQUE")
        sink = harness.sink(create_table=False)
        webhooks = [webhook(path=path) for path in ("/a", "/b", "/a", "/c")]
        outcomes = store(sink, *webhooks)
        assert [outcome.kind for outcome in outcomes] == [S, S, P, S]
        assert "/a" not in outcomes[2].reason
        assert "unique" in outcomes[2].reason
        assert {key for key, _ in harness.rows()} == {each.key for each in webhooks} - {webhooks[2].key}
        assert store(sink, webhooks[0], webhooks[3]) == [DUPLICATE, DUPLICATE]

    @pytest.mark.parametrize(
        ("table", "error"),
        [
            ({"path": "varchar(10)"}, "MySQL error 1406"),
            ({"more": ", CHECK (path NOT LIKE '%secret%')"}, "MySQL error 4025"),
            ({"like": "latin1"}, "MySQL error 1366"),
            ({"more": ", more int GENERATED ALWAYS AS (substr(path, 2)) STORED"}, "MySQL error 1366"),
            ({"path": "enum('/', '/a')"}, "MySQL error 1265"),
            ({"more": ", more int GENERATED ALWAYS AS (1 DIV (length(path) - 19)) STORED"}, "MySQL error 1365"),
            ({"more": ", more bigint AS (9223372036854775807 + (length(path) DIV 19)) STORED"}, "MySQL error 1690"),
        ],
        ids=["too long", "check", "encoding", "computed", "enum", "division by zero", "out of range"],
    )
    def test_a_row_that_the_users_table_rejects_fails_alone_and_its_values_stay_secret(
        self, harness: MySqlHarness, table: dict[str, str], error: str
    ) -> None:
        create(harness, **table)
        good = "/1" if "more" in table else "/a"
        webhooks = [webhook(path=good) for _ in range(9)]
        webhooks[4] = webhook("payload-secret", path="/path-secret-'\"😀")
        outcomes = store(harness.sink(create_table=False), *webhooks)
        assert [outcome.kind for outcome in outcomes] == [S] * 4 + [P] + [S] * 4
        assert outcomes[4].error == error
        assert outcomes[4].reason
        assert not any(part in outcomes[4].reason for part in ("secret", "😀", "\\xF0"))

    def test_a_row_that_a_trigger_rejects_fails_alone(self, harness: MySqlHarness) -> None:
        create(harness)
        harness.server.query(
            f"CREATE TRIGGER {DATABASE}.{harness.table} BEFORE INSERT ON {DATABASE}.{harness.table} FOR EACH ROW "
            "IF NEW.path = '/bad' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such order'; END IF"
        )
        outcomes = store(harness.sink(), webhook(), webhook(path="/bad"), webhook())
        assert [outcome.kind for outcome in outcomes] == [S, P, S]
        assert (outcomes[1].error, outcomes[1].reason) == ("MySQL error 1644", "no such order")

    def test_a_statement_that_is_too_large_is_split_and_only_a_webhook_that_is_too_large_fails(
        self, harness: MySqlHarness
    ) -> None:
        with harness.server.variables(max_allowed_packet=MIB):
            sink = harness.sink()
            sizes = [200_000, 200_000, 600_000, 400_000, 10, 300_000]  # each byte is written as two characters
            webhooks = [webhook("x" * size) for size in sizes]
            outcomes = store(sink, *webhooks)
            assert [outcome.kind for outcome in outcomes] == [S, S, P, S, S, S]
            assert outcomes[2].error == "TooLarge"
            assert str(MIB) in outcomes[2].reason
            assert harness.link.attempts == 1
        assert dict(harness.rows()) == {each.key: each.body for n, each in enumerate(webhooks) if n != 2}

    def test_a_webhook_at_the_limit_is_stored(self, harness: MySqlHarness) -> None:
        with harness.server.variables(max_allowed_packet=MIB):
            sink = harness.sink()
            store(sink, webhook())

            def kind(length: int) -> Kind:
                """The payload takes the statement near the limit, and each character of the path adds a byte."""
                return kinds(sink, webhook("x" * (MIB // 2 - 500), path="/" * length))[0]

            too_long = next(length for length in range(100, 1000, 25) if kind(length) is P)
            found = [kind(length) for length in range(too_long - 30, too_long + 5)]
            edge = found.index(P)
            assert edge > 0
            assert set(found[:edge]) == {S}
            assert set(found[edge:]) == {P}
            assert harness.link.attempts == 1


class TestTls:
    @pytest.fixture(scope="class")
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture(scope="class")
    def secure(self, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Secure"]:
        if why := missing():
            pytest.skip(why)
        secure = Secure(tmp_path_factory.mktemp("secure"), authority)
        yield secure
        secure.server.stop()

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_certificate_and_host_name_are_verified(self, secure: "Secure", authority: trustme.CA, host: str) -> None:
        secure.present(authority.issue_cert(host))
        harness = MySqlHarness(secure.server)
        sink = harness.sink(database_host=host, database_tls=True, ca_certificates=secure.authority)
        assert kinds(sink, webhook(), webhook()) == [S, S]
        assert len(harness.rows()) == 2
        harness.close()

    @pytest.mark.parametrize("case", UNTRUSTED)
    def test_a_certificate_that_cannot_be_verified_is_rejected(
        self, secure: "Secure", authority: trustme.CA, case: str
    ) -> None:
        certificate, ca_certificates = presented(case, authority, secure.authority)
        secure.present(certificate)
        harness = MySqlHarness(secure.server)
        rejects(
            harness,
            harness.sink(database_host="localhost", database_tls=True, ca_certificates=ca_certificates),
            "MySQL error 2003",
        )
        harness.close()

    def test_a_server_without_tls_is_rejected(self, harness: MySqlHarness, secure: "Secure") -> None:
        rejects(
            harness,
            harness.sink(database_host="localhost", database_tls=True, ca_certificates=secure.authority),
            "MySQL error 2026",
        )


def rejects(harness: MySqlHarness, sink: DatabaseSink, error: str) -> None:
    """Assert that the login fails, and no webhook is dead-lettered."""
    queue = Queue()
    queue.send(webhook(), webhook())
    assert down(sink, webhook()).error == error
    assert len(queue.deliver(queue.consumer(sink).handle)) == 2
    assert harness.link.attempts == 2
    assert harness.server.connections() == 0
    assert queue.dead_letters == []


class Secure:
    """A server that requires TLS. ``authority`` is the file of the certificate authority that signs for it."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self._certificate = folder / "certificate.pem"
        trusted = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(trusted))
        self._write(authority.issue_cert("localhost"))
        self.server = MariaDbServer(folder, certificates=(trusted, self._certificate))
        self.server.query(f"ALTER USER {USER}@'%' REQUIRE SSL")
        self.authority = str(trusted)

    def present(self, certificate: trustme.LeafCert) -> None:
        """Use this certificate from now on."""
        self._write(certificate)
        self.server.query("FLUSH SSL")

    def _write(self, certificate: trustme.LeafCert) -> None:
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self._certificate))


@contextmanager
def exhausted(server: MariaDbServer) -> Iterator[None]:
    """Occupy every connection in the block."""
    with ExitStack() as held:
        for _ in range(200):
            try:
                connection = pymysql.connect(host="127.0.0.1", port=server.port, user=USER, password=server.password)
            except pymysql.Error:
                break
            held.callback(connection.close)
        else:
            raise AssertionError("there was no end of connections")
        yield


def patch_session(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    assert old in mysql._SESSION
    monkeypatch.setattr(mysql, "_SESSION", mysql._SESSION.replace(old, new))
