"""Postgres behind a pooler that hands each transaction to any free connection."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PostgresServer

from webhook_runtime.outcome import Kind
from webhook_runtime.sinks import postgres
from webhook_runtime.testing import webhook

from ..faults import pgbouncer
from ..faults.pgbouncer import PgBouncer
from ..suite.patience import SECONDS
from .harnesses import PooledHarness
from .storing import down, kinds

S = Kind.STORED


@pytest.fixture(params=["transaction", "session", "statement"])
def harness(request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path: Path) -> Iterator[PooledHarness]:
    if why := pgbouncer.missing():
        pytest.skip(why)
    size = 15 if request.param == "session" else 2
    made = PooledHarness(postgres, PgBouncer(tmp_path, postgres, request.param, size=size))
    yield made
    made.close()


def stored(harness: PooledHarness, table: str) -> list[str]:
    return [id for (id,) in harness.server.query(f"SELECT id FROM {table} ORDER BY id")]


def test_two_webhooks_never_store_into_each_others_table(harness: PooledHarness) -> None:
    """In the order that was seen: the other gets the server connection on which one has run a statement."""
    orders, payments = f"{harness.table}_orders", f"{harness.table}_payments"
    to_orders, to_payments = harness.sink(table_name=orders), harness.sink(table_name=payments)
    assert kinds(to_orders, webhook(id="order-1")) == [S]
    with harness.pooler.occupied():
        assert kinds(to_payments, webhook(id="payment-1")) == [S]
        assert kinds(to_orders, webhook(id="order-2")) == [S]
    assert kinds(to_payments, webhook(id="payment-2")) == [S]
    assert stored(harness, orders) == ["order-1", "order-2"]
    assert stored(harness, payments) == ["payment-1", "payment-2"]


def test_any_number_of_environments_share_the_pool(harness: PooledHarness) -> None:
    tables = [f"{harness.table}_{number}" for number in range(2)]
    outcomes: Counter[Any] = Counter()
    lock = threading.Lock()

    def environment(number: int) -> None:
        table = tables[number % 2]
        sink = harness.sink(table_name=table)
        for batch in range(10):
            webhooks = [webhook(id=f"{table}-{number}-{batch}-{position}") for position in range(5)]
            found = kinds(sink, *webhooks)
            with lock:
                outcomes.update(found)

    threads = [threading.Thread(target=environment, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert outcomes == {S: 300}
    for table in tables:
        ids = stored(harness, table)
        assert len(ids) == 150
        assert all(id.startswith(f"{table}-") for id in ids)


def test_the_pools_connection_is_left_unchanged(harness: PooledHarness) -> None:
    # PgBouncer names the connection of each of its clients.
    settings = "SELECT name, setting FROM pg_settings WHERE name <> 'application_name' AND context = 'user'"
    others = [harness.pooler.connect() for _ in range(2)]
    try:
        before = [other.run(settings) for other in others]
        sink = harness.sink()
        for _ in range(4):
            assert kinds(sink, webhook(), webhook()) == [S, S]
        sink.close()
        assert [other.run(settings) for other in others] == before
        assert [other.run("SELECT name FROM pg_prepared_statements") for other in others] == [[], []]
    finally:
        for other in others:
            other.close()


LEFT_BEHIND = {
    "a search path": "SET search_path TO elsewhere",
    "no search path": "SET search_path TO ''",
    "a temporary table": "CREATE TEMP TABLE IF NOT EXISTS {table} (LIKE public.{table} INCLUDING ALL)",
    "formats": "SELECT set_config('DateStyle', 'German, DMY', false), set_config('TimeZone', 'Asia/Tokyo', false)",
}


@pytest.mark.parametrize("left", LEFT_BEHIND)
def test_settings_of_another_client_on_the_connection_have_no_effect(harness: PooledHarness, left: str) -> None:
    sink = harness.sink()
    assert kinds(sink, webhook(id="one")) == [S]
    harness.server.query("CREATE SCHEMA IF NOT EXISTS elsewhere")
    harness.server.query(f"CREATE TABLE elsewhere.{harness.table} (LIKE public.{harness.table} INCLUDING ALL)")
    others = [harness.pooler.connect() for _ in range(2)]
    try:
        for other in others * 3:
            other.run(LEFT_BEHIND[left].format(table=harness.table))
        assert kinds(sink, webhook(id="two")) == [S]
        assert stored(harness, f"public.{harness.table}") == ["one", "two"]
        # The table is created where the others find it.
        new = f"{harness.table}_new"
        assert kinds(harness.sink(table_name=new), webhook(id="three")) == [S]
        assert stored(harness, f"public.{new}") == ["three"]
    finally:
        for other in others:
            other.close()


@pytest.mark.parametrize("size", [1, 50])
def test_a_batch_is_one_round_trip_behind_a_pooler(harness: PooledHarness, size: int) -> None:
    sink = harness.sink()
    assert kinds(sink, webhook()) == [S]
    for _ in range(3):
        before = harness.link.round_trips
        assert kinds(sink, *(webhook() for _ in range(size))) == [S] * size
        assert harness.link.round_trips - before == 1


def test_a_statement_that_has_to_wait_is_given_up_by_the_server(
    harness: PooledHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = postgres._OF_THE_TRANSACTION
    monkeypatch.setattr(postgres, "_OF_THE_TRANSACTION", statement.replace("15s", "300ms"))
    sink = harness.sink()
    assert kinds(sink, webhook()) == [S]
    connection = harness.server.connect()
    connection.run("BEGIN")
    connection.run(f"LOCK TABLE {harness.table} IN ACCESS EXCLUSIVE MODE")
    try:
        assert down(sink, webhook()).error == "SQLSTATE 57014"
    finally:
        connection.close()
    assert kinds(sink, webhook()) == [S]


def test_the_reason_why_a_pooler_ends_a_connection_is_reported(postgres: PostgresServer, tmp_path: Path) -> None:
    """PgBouncer sends the reason and closes the connection. The driver alone would report a network error."""
    if why := pgbouncer.missing():
        pytest.skip(why)
    harness = PooledHarness(
        postgres, PgBouncer(tmp_path, postgres, "transaction", size=1, more="query_wait_timeout = 1")
    )
    try:
        sink = harness.sink()
        assert kinds(sink, webhook()) == [S]
        with closing(harness.pooler.connect()) as other:
            other.run("BEGIN")
            told = down(sink, webhook())
        assert told.error == "SQLSTATE 08P01"
        assert re.fullmatch(r"127\.0\.0\.1:\d+: query_wait_timeout", str(told))
        assert kinds(sink, webhook()) == [S]
    finally:
        harness.close()
