"""Send webhooks to deployed stacks with sinks other than DynamoDB."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import postgres_server
import pytest
from postgres_server import PostgresServer

from scalable_webhook_cli.burst import ID_HEADER, Report, Request, send
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for

from ..suite.patience import SECONDS, http
from .dead_letters import each_once

EXAMPLES = Path(__file__).parents[2] / "examples"
WEBHOOKS, CONCURRENCY, LIMIT, OUTAGE_SECONDS = 800, 64, 5, 8


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server.running(max_connections=20) as server:
        yield server


@pytest.fixture(scope="module")
def orders(emulator: Emulator, postgres: PostgresServer) -> tuple[str, ObservedWebhook]:
    """Deploy examples/postgres in front of a real server, and return its URL."""
    (webhook,) = deploy(emulator, EXAMPLES / "postgres", context=postgres.context())
    return webhook.url, ObservedWebhook(emulator, *webhook.name.split("/"))


def burst(url: str, run: str) -> Report:
    requests = (Request("POST", "/order", {ID_HEADER: f"{run}-{n}"}, f"order {n}".encode()) for n in range(WEBHOOKS))
    return send(url, requests, concurrency=CONCURRENCY)


def stored(server: PostgresServer, run: str) -> tuple[int, int]:
    """Return the numbers of rows and ids of a run."""
    ((rows, ids),) = server.query("SELECT count(*), count(DISTINCT id) FROM orders WHERE id LIKE :run", run=f"{run}-%")
    return rows, ids


@pytest.mark.slow(6)
@pytest.mark.smoke
def test_a_burst_is_stored_once_over_no_more_connections_than_max_concurrency(
    orders: tuple[str, ObservedWebhook], postgres: PostgresServer
) -> None:
    url, observed = orders
    with postgres.watched() as peak:
        report = burst(url, "calm")
        observed.wait_until_drained(SECONDS)
    assert report.accepted == WEBHOOKS
    assert stored(postgres, "calm") == (WEBHOOKS, WEBHOOKS)
    assert len(peak.points) > 10
    assert 1 <= peak.highest <= LIMIT
    assert observed.dead_letters() == 0


@pytest.mark.slow(20)
def test_a_database_that_is_down_for_a_while_costs_no_webhook(
    orders: tuple[str, ObservedWebhook], postgres: PostgresServer
) -> None:
    url, observed = orders

    def outage() -> None:
        wait_for(lambda: stored(postgres, "storm")[0] > 0, SECONDS)
        postgres.stop()
        time.sleep(OUTAGE_SECONDS)
        postgres.start()

    failing = threading.Thread(target=outage)
    failing.start()
    with postgres.watched() as peak:
        report = burst(url, "storm")
        failing.join()
        observed.wait_until_drained(SECONDS)
    assert report.accepted == WEBHOOKS
    assert stored(postgres, "storm") == (WEBHOOKS, WEBHOOKS)
    assert observed.peak_concurrency() <= LIMIT
    # A ping of the circuit breaker takes one environment more, which keeps its connection.
    assert peak.highest <= LIMIT + 1
    assert observed.dead_letters() == 0
    failures = [line for line in observed.log("ConsumerLogs") if line["message"] == "failed"]
    assert failures
    assert "ConnectionRefusedError" in {line["error"] for line in failures}
    assert all(1 <= line["retry_in"] <= 10 for line in failures)


@pytest.mark.slow(12)
def test_the_example_of_a_handler_stores_totals_and_dead_letters_invalid_orders(emulator: Emulator) -> None:
    (webhook,) = deploy(emulator, EXAMPLES / "python_handler")
    observed = ObservedWebhook(emulator, *webhook.name.split("/"))
    items = [{"price": "12.50", "quantity": 2}, {"price": 3, "quantity": 1}]
    id = str(uuid.uuid4())
    for _ in range(2):
        answer = http.post(webhook.url, json={"items": items}, headers={ID_HEADER: id})
        assert answer.json() == {"id": id}
    http.post(webhook.url, json={"no": "items"})
    observed.wait_until_drained(SECONDS)

    assert [(item["id"], item["total"]) for item in observed.items("Totals")] == [(f"/#{id}", "28")]
    (dead_letter,) = each_once(observed.take_dead_letters())
    assert dead_letter["MessageAttributes"]["error"]["StringValue"] == "Permanent"
    assert (
        dead_letter["MessageAttributes"]["reason"]["StringValue"] == "an order has items, each with price and quantity"
    )


def test_an_existing_consumer_reads_webhooks_with_the_layer(
    urls: dict[str, str], observe: Callable[[str], ObservedWebhook]
) -> None:
    answer = http.post(f"{urls['Layered/Webhook']}/in", json={"total": 7})
    observed = observe("Layered/Webhook")
    assert wait_for(lambda: len(observed.items("Totals")) == 1, SECONDS)
    (item,) = observed.items("Totals")
    assert (item["id"], item["path"], str(item["total"])) == (f"/#{answer.json()['id']}", "/in", "7")
