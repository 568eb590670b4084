"""Send every payload of Octokit, GitHub's own library, through both kinds of ingress into two sinks.

Each one is written in two ways, and signed. The stored payload is the same, byte for byte. A way of writing meets both
kinds of ingress and both sinks, though not each pair of them.
"""

import json
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from postgres_server import PostgresServer

from scalable_webhook_cli.burst import Request, send
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook

from ..signers import SECRET, SIGNERS
from ..suite.patience import SECONDS

APP = Path(__file__).parent / "github"
EXAMPLES = Path(sys.prefix) / "npm" / "node_modules" / "@octokit" / "webhooks-examples"
# Compact and indented. Non-ASCII characters are raw in the one, and escaped in the other.
WRITTEN: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"indent": 2, "ensure_ascii": True},
]
# An item holds 400 KB, and all but the payload takes less than 50 KB.
DYNAMODB_HOLDS = 350_000
# The way of writing for each ingress and sink.
PAIRS = [("Lambda", "Postgres", 0), ("Direct", "DynamoDB", 0), ("Lambda", "DynamoDB", 1), ("Direct", "Postgres", 1)]

# The name of an event, and a payload.
Event = tuple[str, bytes]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Return each example in each way of writing."""
    path = EXAMPLES / "api.github.com" / "index.json"
    if not path.exists():
        pytest.skip("GitHub's payloads are not installed; `make environment` does so")
    kinds = json.loads(path.read_text())
    examples = [(kind["name"], example) for kind in kinds for example in kind["examples"]]
    return [(name, json.dumps(example, **how).encode()) for name, example in examples for how in WRITTEN]


@pytest.fixture(scope="module")
def postgres(events: list[Event]) -> Iterator[PostgresServer]:
    with postgres_server.running() as server:
        yield server


@pytest.fixture(scope="module")
def endpoints(emulator: Emulator, postgres: PostgresServer) -> dict[str, str]:
    """Deploy the app, and return the URL of each endpoint by its id."""
    deployed = deploy(emulator, APP, context=[*postgres.context(), f"key={SECRET}"])
    return {each.name.removeprefix("GitHub/"): each.url for each in deployed}


def request(delivery: str, event: Event) -> Request:
    name, payload = event
    signed = SIGNERS["github"].sign(payload, 0, "")
    of_github = {"X-GitHub-Event": name, "X-GitHub-Delivery": delivery, "Content-Type": "application/json"}
    return Request(headers=signed | of_github, content=payload)


def in_postgres(server: PostgresServer, table: str) -> list[tuple[str, Event]]:
    """Return id and event of each row."""
    rows = server.query(f"""SELECT id, headers->>'x-github-event', payload FROM "{table}" """)
    return [(id, (name, payload)) for id, name, payload in rows]


def in_dynamodb(webhook: ObservedWebhook) -> list[tuple[str, Event]]:
    """Return id and event of each item."""
    return [
        (item["delivery_id"], (item["headers"]["x-github-event"], item["payload"].encode())) for item in webhook.items()
    ]


def test_the_examples_cover_every_kind_of_payload(events: list[Event]) -> None:
    """Another version of the package may have other examples. Then check their needs."""
    payloads = [payload for _, payload in events]
    assert len(payloads) == 329 * len(WRITTEN)
    for character in ("📦".encode(), rb"\ud83d\udce6"):
        assert any(character in payload for payload in payloads)
    assert max(map(len, payloads)) < DYNAMODB_HOLDS


@pytest.mark.parametrize(("ingress", "sink", "way"), PAIRS)
@pytest.mark.slow(5)
def test_each_example_is_stored_once_as_it_was_sent(
    ingress: str,
    sink: str,
    way: int,
    events: list[Event],
    endpoints: dict[str, str],
    emulator: Emulator,
    postgres: PostgresServer,
) -> None:
    webhook = ObservedWebhook(emulator, "GitHub", ingress + sink)
    sent = {str(uuid.uuid4()): event for event in events[way :: len(WRITTEN)]}
    report = send(endpoints[webhook.id], (request(*each) for each in sent.items()), concurrency=8)
    assert (report.rejected, report.unanswered) == ({}, {})
    assert sorted(report.accepted_ids) == sorted(sent)

    webhook.wait_until_drained(SECONDS)
    assert [dead_letter["MessageAttributes"] for dead_letter in webhook.take_dead_letters()] == []
    stored = in_postgres(postgres, ingress) if sink == "Postgres" else in_dynamodb(webhook)
    assert sorted(id for id, _ in stored) == sorted(sent)
    assert [name for id, (name, payload) in stored if (name, payload) != sent[id]] == []
    times = Counter(line["id"] for line in webhook.log("ConsumerLogs") if line["message"] == "stored")
    assert times == dict.fromkeys(sent, 1)
