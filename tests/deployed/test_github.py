"""Every example of a payload that Octokit, GitHub's own library, has. Each is written in two ways, signed, and sent
through either ingress into either sink. What is stored is what was sent, byte for byte."""

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
from signers import SECRET, SIGNERS

APP = Path(__file__).parent / "github"
EXAMPLES = Path(sys.prefix) / "npm" / "node_modules" / "@octokit" / "webhooks-examples"
# Compact and indented; what is not ASCII is raw in the one, and escaped in the other.
WRITTEN: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"indent": 2, "ensure_ascii": True},
]
# An item holds 400 KB; what is not payload takes less than 50.
DYNAMODB_HOLDS = 350_000
SECONDS = 180

# The name of an event, and a payload.
Event = tuple[str, bytes]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Each example, as often as there are ways to write it."""
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
    """The URL of each endpoint of the app, by its id."""
    deployed = deploy(emulator, APP, context=[*postgres.context(), f"key={SECRET}"])
    return {each.name.removeprefix("GitHub/"): each.url for each in deployed}


def request(delivery: str, event: Event) -> Request:
    name, payload = event
    signed = SIGNERS["github"].sign(payload, 0, "")
    of_github = {"X-GitHub-Event": name, "X-GitHub-Delivery": delivery, "Content-Type": "application/json"}
    return Request(headers=signed | of_github, content=payload)


def in_postgres(server: PostgresServer, table: str) -> list[tuple[str, Event]]:
    """The id of each row, and what it has."""
    rows = server.query(f"""SELECT id, headers->>'x-github-event', payload FROM "{table}" """)
    return [(id, (name, payload)) for id, name, payload in rows]


def in_dynamodb(webhook: ObservedWebhook) -> list[tuple[str, Event]]:
    """The id of each item, and what it has."""
    return [
        (item["delivery_id"], (item["headers"]["x-github-event"], item["payload"].encode())) for item in webhook.items()
    ]


def test_they_are_what_there_is_to_try(events: list[Event]) -> None:
    """Another version of the package may have others: then look at what they ask for."""
    payloads = [payload for _, payload in events]
    assert len(payloads) == 329 * len(WRITTEN)
    for character in ("📦".encode(), rb"\ud83d\udce6"):
        assert any(character in payload for payload in payloads)
    assert max(map(len, payloads)) < DYNAMODB_HOLDS


@pytest.mark.parametrize("sink", ["Postgres", "DynamoDB"])
@pytest.mark.parametrize("ingress", ["Lambda", "Direct"])
@pytest.mark.slow(8)
def test_each_is_stored_once_as_it_was_sent(
    ingress: str,
    sink: str,
    events: list[Event],
    endpoints: dict[str, str],
    emulator: Emulator,
    postgres: PostgresServer,
) -> None:
    webhook = ObservedWebhook(emulator, "GitHub", ingress + sink)
    sent = {str(uuid.uuid4()): event for event in events}
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
