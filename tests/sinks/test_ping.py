"""The circuit breaker asks each sink how it is: in the way in which it stores, and with nothing to store."""

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.sinks.mariadb_server import DATABASE as MARIADB
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import HttpSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.outage import Outage
from webhook_runtime.outcome import RetryAfter, SinkDown
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks import Pinged, Sink
from webhook_runtime.sinks.http import HttpSink
from webhook_runtime.sinks.python import PythonSink
from webhook_runtime.testing import sqs_event, webhook

from ..runtime.doubles import Sqs
from .harnesses import EncodedHarness, Harness, MySqlHarness, PostgresHarness
from .http_service import HttpService
from .queue_harness import Invocation
from .storing import store


def ping(sink: Sink) -> None:
    cast(Pinged, sink).ping(Deadline(Invocation(30)))


def down(sink: Sink) -> SinkDown:
    with pytest.raises(SinkDown) as raised:
        ping(sink)
    return raised.value


def test_a_sink_that_is_up_answers_and_stores_nothing(harness: Harness) -> None:
    sink = harness.sink()
    store(sink, first := webhook("first"))
    for _ in range(3):
        ping(sink)
        ping(harness.sink())
    assert [key for key, _ in harness.rows()] == [first.key]


def test_a_sink_that_is_down_does_not(harness: Harness) -> None:
    kept = harness.sink()
    store(kept, webhook("first"))
    harness.link.cut()
    down(kept)
    down(harness.sink())
    harness.link.fix()
    ping(kept)
    ping(harness.sink())


def test_a_connection_that_has_ended_is_no_outage(harness: Harness) -> None:
    sink = harness.sink()
    store(sink, webhook("first"))
    harness.drop_connections()
    ping(sink)
    store(sink, webhook("second"))


@pytest.fixture
def own_database(request: pytest.FixtureRequest) -> Iterator[EncodedHarness]:
    made = EncodedHarness(request.getfixturevalue("postgres"), "UTF8")
    yield made
    made.close()


def test_a_postgres_that_is_read_only_is_down(own_database: EncodedHarness) -> None:
    """As the old writer after a failover."""
    store(own_database.sink(), webhook("first"))
    own_database.server.query(f"ALTER DATABASE {own_database.database} SET default_transaction_read_only = on")
    error = down(own_database.sink())
    assert error.error == "SQLSTATE 25006"
    assert error.reason.endswith(": cannot execute INSERT in a read-only transaction")


@pytest.fixture
def mysql(request: pytest.FixtureRequest) -> Iterator[MySqlHarness]:
    made = MySqlHarness(request.getfixturevalue("mariadb"))
    yield made
    made.close()


def test_a_mysql_that_is_read_only_is_down(mysql: MySqlHarness) -> None:
    sink = mysql.sink()
    store(sink, webhook("first"))
    mysql.server.query("SET GLOBAL read_only = 1")
    try:
        assert down(sink).error == "MySQL error 1290"
    finally:
        mysql.server.query("SET GLOBAL read_only = 0")
    ping(sink)


@pytest.fixture(params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[PostgresHarness | MySqlHarness]:
    made: Any = (
        PostgresHarness(request.getfixturevalue("postgres"))
        if request.param == "postgres"
        else MySqlHarness(request.getfixturevalue("mariadb"))
    )
    yield made
    made.close()


def test_a_database_without_the_table_is_down_unless_it_may_be_created(
    server: PostgresHarness | MySqlHarness,
) -> None:
    down(server.sink(create_table=False))
    ping(server.sink())
    ping(server.sink(create_table=False))
    assert server.rows() == []


def test_a_table_that_lacks_a_column_is_down(server: PostgresHarness | MySqlHarness) -> None:
    store(server.sink(), webhook("first"))
    table = f"{MARIADB}.{server.table}" if isinstance(server, MySqlHarness) else server.table
    server.server.query(f"ALTER TABLE {table} DROP COLUMN headers")
    assert "headers" in down(server.sink()).reason


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 404, 405, 500, 501])
def test_any_answer_of_an_http_service_is_that_of_one_that_is_up(status: int) -> None:
    ping_answered(status)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_some_answers_come_from_a_proxy_whose_service_is_down(status: int) -> None:
    with pytest.raises(SinkDown, match=rf"127\.0\.0\.1:\d+ answered {status}"):
        ping_answered(status)


def ping_answered(status: int) -> None:
    service = HttpService(heads=status)
    try:
        sink = HttpSink(HttpSettings(f"http://127.0.0.1:{service.port}/in", 5, None, None), None)
        ping(sink)
        sink.close()
    finally:
        service.close()
    assert service.stored == {}


def lines_of(sink: Sink, caplog: pytest.LogCaptureFixture, **outage: int) -> list[str]:
    """Return the lines about an outage after each try of a webhook that is alone in the queue."""
    consumer = Consumer(
        sink,
        Redelivery(Sqs(), "http://sqs/Queue", Backoff(1, 1)),
        None,
        5,
        outage=Outage(outage.get("failures", 3), 5),
    )
    for attempt in (1, 2, 3, 4):
        consumer.handle(sqs_event(webhook("alone", id="alone", attempt=attempt)), Invocation(30))
    return [each.message for each in caplog.records if each.message.endswith("sink down")]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_webhook_that_is_alone_notices_an_http_service_that_is_down(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A service counts as down after two of them. The circuit breaker is asked before the last try of this one."""
    service = HttpService()
    service.answers += [(status, {})] * 8
    sink = HttpSink(HttpSettings(f"http://127.0.0.1:{service.port}/in", 5, None, None), None)
    assert lines_of(sink, caplog) == ["perhaps sink down"] * 2
    sink.close()
    service.close()


def test_any_error_of_a_users_handler_is_perhaps_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    def handle(_: object) -> None:
        raise ConnectionError("the connection is closed")

    assert lines_of(PythonSink(handle), caplog) == ["perhaps sink down"] * 2


def test_a_time_that_a_users_handler_asks_for_is_none(caplog: pytest.LogCaptureFixture) -> None:
    def handle(_: object) -> None:
        raise RetryAfter(600)

    assert lines_of(PythonSink(handle), caplog) == []


def test_any_error_of_a_users_ping_tells_that_the_sink_is_down() -> None:
    class Odd(BaseException):
        def __str__(self) -> str:
            raise KeyError

    def raising(error: BaseException) -> Any:
        def fails() -> None:
            raise error

        return fails

    for error in (ConnectionError("closed"), SinkDown("closed", error="Closed"), SystemExit(), Odd()):
        down(PythonSink(print, ping=raising(error)))
    with pytest.raises(NotImplementedError):
        ping(PythonSink(print))


def test_a_ping_that_hangs_ends_well_before_the_circuit_breaker_gives_up() -> None:
    def probe(sink: Any) -> dict[str, Any]:
        consumer = Consumer(sink, Redelivery(None, "", Backoff(1, 1)))
        return consumer.handle({"probe": True}, Invocation(1.5))

    assert probe(PythonSink(print, ping=lambda: None)) == {"sink": "up"}
    began = time.monotonic()
    assert probe(PythonSink(print, ping=lambda: time.sleep(60))) == {"sink": "down"}
    assert time.monotonic() - began < 30


def test_a_server_that_accepts_and_never_answers_is_down(server: PostgresHarness | MySqlHarness) -> None:
    sink = server.sink()
    store(sink, webhook("first"))
    server.link.stall()
    consumer = Consumer(sink, Redelivery(None, "", Backoff(1, 1)))
    assert consumer.handle({"probe": True}, Invocation(2)) == {"sink": "down"}
