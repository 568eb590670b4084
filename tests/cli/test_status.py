"""``scalable-webhook status``: numbers, from calls that only read, and no guess."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scalable_webhook_cli import status as statuses
from scalable_webhook_cli.status import Status, details, table
from webhook_runtime.contract.pausing import BREAKER

from ..runtime.serving import Quiet, Serving
from .aws import NOON, Aws, Commands, batch, said

NOW = NOON + 300
ACCOUNT = ("--region", "eu-west-1")


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def run(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(statuses, "_oldest_local", lambda _: 90.0)
    return Commands(aws, monkeypatch, tmp_path)


def told(run: Commands, *arguments: str) -> dict[str, Any]:
    (status,) = run.json_lines("status", "Webhook", "--json", *arguments)
    assert isinstance(status, dict)
    return status


def test_a_webhook_has_its_numbers_url_and_state(run: Commands, aws: Aws) -> None:
    aws.depths = {"queue": (40, 2, 10), "letters": (3, 0, 1)}
    for stage, line in (("Consumer", batch(NOON, 10, 2)), ("Consumer", batch(NOON + 1, 5)), ("Consumer", "batch")):
        aws.log(stage, NOON, line)
    aws.log("Consumer", NOON - 7200, batch(NOON - 7200, 100))
    assert run.lines("status") == [
        "Orders/Webhook",
        "  url           https://Orders/Webhook",
        "  waiting              42  in the queue",
        "  in flight            10  being worked on, or waiting for a retry",
        "  dead letters          4  in the dead-letter queue",
        "  unverified            0  in the unverified queue",
        "  stored               13  in the last hour, by the batches in the log",
        "  failed                2  tries in the last hour, in the same way",
        "  oldest         1 m 30 s  in the queue",
        "  consumer      running, at most 5 batches at a time",
        "  breaker       none",
    ]
    status = told(run)
    assert (status["waiting"], status["in_flight"], status["dead_lettered"]) == (42, 10, 4)
    assert (status["stored"], status["failed"], status["oldest_seconds"]) == (13, 2, 90.0)


def test_it_only_reads(run: Commands, aws: Aws) -> None:
    """The double has no call that receives a message or changes anything."""
    aws.depths = {"queue": (1, 0, 0)}
    assert told(run)["unknown"] == {}
    assert not [name for name in dir(Aws) if name.startswith(("receive", "send", "put", "update", "tag", "delete"))]


def test_all_webhooks_are_a_table_of_a_line_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    aws = Aws("Orders/Webhook", "Refunds/TheWebhookOfAllRefunds")
    run = Commands(aws, monkeypatch, tmp_path)
    aws.log("Consumer", NOON, batch(NOON, 10_000, 2))
    aws.mapping["State"] = "Disabled"
    assert run.lines("status") == [
        "webhook          waiting  flight  dead  unverif.  stored  failed  oldest  state",
        "Orders/Webhook         0       0     0         0   9,998       2       -  paused",
        "Refund…lRefunds        0       0     0         0       0       0       -  paused",
        "stored and failed in the last hour; flight: being worked on, or waiting for a retry",
    ]
    assert [each["webhook"] for each in run.json_lines("status", "--json")[0]] == list(aws.names)
    assert run.lines("status", "Orders/Webhook", *ACCOUNT)[0] == "Orders/Webhook"


def test_a_number_that_may_not_be_read_is_unknown_and_says_which_permission_is_missing(run: Commands, aws: Aws) -> None:
    for action, names in {
        "logs:FilterLogEvents": {"stored", "failed"},
        "sqs:GetQueueAttributes": {"waiting", "in_flight", "oldest_seconds", "dead_lettered"},
        "lambda:ListTags": {"paused_by", "breaker"},
        "cloudwatch:GetMetricStatistics": {"oldest_seconds"},
    }.items():
        aws.forbidden, aws.depths = {action}, {"queue": (1, 0, 0)}
        aws.points = [{"Timestamp": datetime.now(UTC), "Maximum": 5.0}]
        status = told(run, *ACCOUNT)
        assert set(status["unknown"]) == names
        assert all(action in why for why in status["unknown"].values())
        assert all(status[name] is None for name in names)
        assert any(action in line for line in run.lines("status", *ACCOUNT, columns=300))


def test_the_age_in_an_account_is_that_of_cloudwatch_or_not_known(run: Commands, aws: Aws) -> None:
    assert told(run, *ACCOUNT)["oldest_seconds"] == 0
    aws.depths = {"queue": (0, 0, 1)}
    status = told(run, *ACCOUNT)
    assert status["oldest_seconds"] is None
    assert "has no ApproximateAgeOfOldestMessage" in status["unknown"]["oldest_seconds"]
    minutes = [datetime(2026, 1, 1, 0, minute, tzinfo=UTC) for minute in (1, 3, 2)]
    aws.points = [{"Timestamp": at, "Maximum": float(at.minute)} for at in minutes]
    assert told(run, *ACCOUNT)["oldest_seconds"] == 3


def test_a_webhook_that_is_tried_again_counts_though_the_metric_of_sqs_is_blind_for_it(run: Commands, aws: Aws) -> None:
    aws.depths = {"queue": (0, 0, 1)}
    for at, failed, oldest in ((NOON, 1, 700), (NOON + 100, 1, 650), (NOON + 200, 0, 900)):
        aws.log("Consumer", at, batch(at, 2, failed, oldest=oldest))
    assert told(run, *ACCOUNT)["oldest_seconds"] == 700
    aws.points = [{"Timestamp": datetime(2026, 1, 1, tzinfo=UTC), "Maximum": 30.0}]
    assert told(run, *ACCOUNT)["oldest_seconds"] == 700
    aws.depths = {"queue": (0, 0, 0)}
    assert told(run, *ACCOUNT)["oldest_seconds"] == 0


@pytest.mark.parametrize(
    ("tags", "state", "breaker", "line"),
    [
        ({}, "Enabled", "closed", "running, at most 5 batches at a time"),
        ({"paused-by": "anna", "paused-at": "noon"}, "Disabled", "closed", "paused, by anna at noon"),
        ({}, "Disabled", "closed", "paused, by someone who left no tag"),
        ({"paused-by": BREAKER, "paused-at": "noon", "breaker": "wait=60 next=1795780800 full=5 resumes=0"},
         "Disabled", "open", "paused, by the circuit breaker at noon"),
        ({"paused-by": BREAKER, "breaker": "wait=60 next=1795780800 full=5 resumes=1"},
         "Enabled", "resuming", "running, at most 5 batches at a time"),
        ({"paused-by": BREAKER, "breaker": "someone has changed it"},
         "Disabled", "open", "paused, by the circuit breaker at"),
    ],
)  # fmt: skip
def test_it_says_who_has_paused_it_and_how_the_breaker_is(
    tags: dict[str, str], state: str, breaker: str, line: str, run: Commands, aws: Aws
) -> None:
    aws.tags = {f"scalable-webhook:{name}": value for name, value in tags.items()}
    aws.mapping["State"] = state
    aws.variables["WEBHOOK_BREAKER_FAILURES"] = "5"
    assert told(run)["breaker"] == breaker
    shown = run.lines("status")
    assert any(each.startswith(f"  consumer      {line}") for each in shown)
    assert any("next probe at 2026-11-27T12:00:00+00:00" in each for each in shown) == (
        "next=" in str(tags) and breaker == "open"
    )


def test_an_own_consumer_tells_nothing_of_what_is_stored(run: Commands, aws: Aws) -> None:
    aws.variables = {}
    aws.mapping = {"State": "Enabled"}
    status = told(run)
    assert status["stored"] is None
    assert "a function of your own" in status["unknown"]["stored"]
    assert "has no dead-letter queue" in status["unknown"]["dead_lettered"]
    assert "running, at most one batch at a time" in run.lines("status")[-2]


def test_more_batches_than_are_counted_are_not_known(run: Commands, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuses, "_MOST_BATCHES", 2)
    for number in range(3):
        aws.log("Consumer", NOON + number, batch(NOON + number))
    assert told(run)["unknown"]["stored"] == "more than 2 batches ended in the last hour"


def test_a_line_that_a_webhook_forges_counts_for_nothing(run: Commands, aws: Aws) -> None:
    aws.log("Consumer", NOON, said(NOON, "stored", "batch", size=5, failed=0, stored=9, started=1, ended=2))
    aws.log("Consumer", NOON, json.dumps({"message": "batch", "stored": "many", "size": 1}))
    aws.log("Consumer", NOON, batch(NOON, 5, stored=True))
    assert told(run)["stored"] == 0


@pytest.fixture
def ministack(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Serve what MiniStack shows of its queues, on loopback."""
    answer: dict[str, Any] = {"messages": {}}

    class Handler(Quiet):
        def do_GET(self) -> None:
            answer["asked"], answer["authorization"] = self.path, self.headers["Authorization"]
            body = json.dumps({"messages": answer["messages"]}).encode()
            self.send_response(answer.get("status", 200))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    serving = Serving(Handler)
    answer["url"] = serving.url
    yield answer
    serving.close()


def test_the_local_aws_shows_the_oldest_message_without_receiving_it(ministack: dict[str, Any]) -> None:
    from scalable_webhook_cli.deployed import DeployedWebhook
    from scalable_webhook_cli.target import Target

    webhook = DeployedWebhook(Target(endpoint=ministack["url"], region="eu-west-1", key="key"), "a/b", "a", "b", "id")
    vars(webhook)["queue_url"] = "https://sqs/queue"
    assert statuses._oldest_local(webhook) == 0
    ministack["messages"] = {"0": {"eu-west-1": {"url": [{"SentTimestamp": time.time() - age} for age in (5, 60, 7)]}}}
    assert statuses._oldest_local(webhook) == pytest.approx(60, abs=30)
    assert "QueueUrl=https%3A%2F%2Fsqs%2Fqueue" in ministack["asked"]
    assert "Credential=key/" in ministack["authorization"]
    ministack["status"] = 500
    with pytest.raises(statuses._Unknown, match="the local AWS does not show its messages"):
        statuses._oldest_local(webhook)


NUMBERS = st.none() | st.integers(0, 9_999_999)


@given(st.lists(st.tuples(st.text("ab/é\x1b", min_size=1, max_size=90), NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_a_table_of_any_numbers_has_a_line_for_each(rows: list[tuple[str, int | None, int | None]]) -> None:
    found = [
        Status(
            webhook=name,
            urls={},
            waiting=number,
            in_flight=0,
            dead_lettered=other,
            unverified=0,
            stored=number,
            failed=0,
            oldest_seconds=number,
            paused=None if number is None else bool(number % 2),
            paused_by=None,
            paused_at=None,
            concurrency=number,
            breaker=None,
            next_probe_at=None,
        )
        for name, number, other in rows
    ]
    lines = list(table(found, 80))
    assert len(lines) >= len(rows) + 2
    assert all(cell_len(line) <= 90 and line.isprintable() for line in lines)
    assert all(line.isprintable() for status in found for line in details(status))
