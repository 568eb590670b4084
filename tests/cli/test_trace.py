"""``scalable-webhook trace``: the whole story of one webhook, and what is known of it now."""

import base64
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scalable_webhook_cli.commands import app, payloads
from scalable_webhook_cli.log_lines import Line
from scalable_webhook_cli.story import Delivery, Route, known, stories

from .aws import NOON, Aws, Commands, access, said
from .test_commands import SENT

NOW = NOON + 300


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def run(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    monkeypatch.setattr(time, "time", lambda: NOW)
    return Commands(aws, monkeypatch, tmp_path)


def redriven(aws: Aws) -> None:
    """Log a webhook that failed, was dead-lettered, redriven and stored, and its second delivery."""
    aws.log("Access", NOON + 0.1, access(NOON, "r1"))
    aws.log("Publisher", NOON + 1, said(NOON + 0.1, "queued", "evt_1", "r1", path="/orders", bytes=12))
    aws.log("Consumer", NOON + 1, said(NOON + 1, "failed", "evt_1", "r1", error="Down", reason="it is", retry_in=30))
    aws.log("Consumer", NOON + 31, said(NOON + 31, "dead-lettered", "evt_1", "r1", error="Bad", reason="it is bad"))
    aws.log("Consumer", NOON + 60, said(NOON + 60, "stored", "evt_1", "r1", attempt=1))
    aws.log("Access", NOON + 90.1, access(NOON + 90, "r2"))
    aws.log("Publisher", NOON + 91, said(NOON + 90.1, "queued", "evt_1", "r2", path="/orders", bytes=12))
    aws.log("Consumer", NOON + 92, said(NOON + 92, "duplicate", "evt_1", "r2", attempt=1))
    aws.stored(NOON + 10, "evt_2")


def test_every_delivery_is_told_over_all_stages_retries_and_redrives(run: Commands, aws: Aws) -> None:
    redriven(aws)
    assert run.lines("trace", "evt_1") == [
        "Orders/Webhook, delivery 1 of 2, request r1",
        "12:00:00  POST /orders  evt_1  202 in 100 ms",
        "12:00:00  queued        evt_1  12 B",
        "12:00:01  failed        evt_1  Down: it is; next try in 30 s",
        "12:00:31  dead-lettered evt_1  Bad: it is bad",
        "12:01:00  stored        evt_1  attempt 1",
        "stored at 12:01:00, on attempt 1",
        "Orders/Webhook, delivery 2 of 2, request r2",
        "12:01:30  POST /orders  evt_1  202 in 100 ms",
        "12:01:30  queued        evt_1  12 B",
        "12:01:32  duplicate     evt_1  attempt 1",
        "a duplicate at 12:01:32: a webhook with this id was stored before",
    ]


def test_a_request_is_one_delivery(run: Commands, aws: Aws) -> None:
    redriven(aws)
    for account in ([], ["--region", "eu-west-1"]):
        (story,) = run.json_lines("trace", "r2", "--json", *account)[0]
        (delivery,) = story["deliveries"]
        assert (story["id"], story["mount"], delivery["request_id"]) == ("evt_1", "/", "r2")
        assert (delivery["state"], len(delivery["lines"])) == ("duplicate", 3)


def test_one_id_at_two_endpoints_is_two_webhooks(run: Commands, aws: Aws) -> None:
    for mount in ("/a", "/b"):
        aws.log("Consumer", NOON, said(NOON, "stored", "1", f"r{mount}", attempt=1).replace('"/"', f'"{mount}"'))
    shown = run.lines("trace", "1")
    assert shown[0] == "Orders/Webhook at /a, request r/a"
    assert shown[4] == "Orders/Webhook at /b, request r/b"


FAILED: dict[str, Any] = {"error": "SinkDown", "reason": "it is down", "retry_in": 600, "attempt": 1}


@pytest.mark.parametrize(
    ("messages", "state", "told"),
    [
        (["queued"], "waiting", "waiting for its first try since 12:00:00"),
        (["queued", "failed"], "retrying", "waiting for the next try at 12:10:00, in 300 s"),
        (["failed", "stored"], "stored", "stored at 12:00:00, on attempt 1"),
        (["stored", "duplicate"], "stored", "stored at 12:00:00, on attempt 1"),
        (["dropped"], "dropped", "dropped at 12:00:00: it matches no event filter"),
        (["failed", "dead-lettered"], "dead-lettered",
         "in the dead-letter queue since 12:00:00, because SinkDown: it is down"),
        (["unverified"], "unverified", "in the unverified queue since 12:00:00, because SinkDown: it is down"),
        (["unverified", "queued"], "waiting", "waiting for its first try since 12:00:00"),
        (["batch"], "unknown", "no line tells what became of it"),
    ],
)  # fmt: skip
def test_the_last_line_tells_the_state(messages: list[str], state: str, told: str, run: Commands, aws: Aws) -> None:
    for message in messages:
        aws.log("Consumer", NOON, said(NOON, message, **FAILED))
    (story,) = run.json_lines("trace", "evt_1", "--json")[0]
    assert (story["deliveries"][0]["state"], story["deliveries"][0]["known"]) == (state, told)


def test_a_retry_that_is_overdue_is_not_promised(run: Commands, aws: Aws) -> None:
    aws.log("Consumer", NOON, said(NOON, "failed", **(FAILED | {"retry_in": 30})))
    assert run.lines("trace", "evt_1")[-1] == (
        "waiting: the next try was due at 12:00:30; the consumer is behind, or has crashed with it: see "
        "scalable-webhook logs --level error"
    )
    aws.mapping["State"], aws.tags = "Disabled", {"scalable-webhook:paused-by": "anna"}
    aws.tags["scalable-webhook:paused-at"] = "noon"
    assert run.lines("trace", "evt_1")[-1] == (
        "waiting: the next try was due at 12:00:30; the webhook is paused, by anna at noon"
    )


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (202, "accepted at 12:00:00; waiting for its first try"),
        (401, "not accepted at 12:00:00: 401"),
        (504, "not accepted at 12:00:00: 504"),
    ],
)
def test_a_direct_integration_knows_the_request_alone(status: int, told: str, run: Commands, aws: Aws) -> None:
    aws.log("Access", NOON, access(NOON, "r1", status=status))
    assert run.lines("trace", "r1")[-1] == told
    aws.mapping["FilterCriteria"] = {"Filters": [{"Pattern": "{}"}]}
    filtered = ", or dropped by an event filter of the event source mapping"
    assert run.lines("trace", "r1")[-1] == told + (filtered if status == 202 else "")


def test_a_request_that_was_rejected_has_its_reason(run: Commands, aws: Aws) -> None:
    aws.log("Access", NOON, access(NOON, "r1", status=401))
    aws.log("Publisher", NOON, said(NOON, "rejected", "", "r1", status=401, reason="It is not signed."))
    assert run.lines("trace", "r1")[-1] == "not accepted at 12:00:00: 401 It is not signed."


def test_an_own_consumer_or_a_high_log_level_is_the_reason_for_silence(run: Commands, aws: Aws) -> None:
    aws.log("Publisher", NOON, said(NOON, "queued", bytes=1))
    aws.logging = {"ApplicationLogLevel": "ERROR"}
    assert run.lines("trace", "evt_1")[-1].endswith(
        "; the log level of its consumer is ERROR, which hides what is stored"
    )
    aws.variables = {}
    assert run.lines("trace", "evt_1")[-1].endswith("a function of your own, whose log is your own too")


def test_an_id_in_no_log_is_an_error_that_says_what_that_means(run: Commands) -> None:
    said = run.error("trace", "evt_1", "--since", "2h")
    assert "no log of the last 2h has the id evt_1: it was not accepted" in said


@pytest.mark.parametrize("sent", SENT)
def test_no_text_of_a_stranger_acts_on_a_terminal(sent: str, run: Commands, aws: Aws) -> None:
    id = f"evt {sent}"
    assert sent.isprintable() or sent not in run.error("trace", id)
    for stage, message in (("Publisher", "queued"), ("Consumer", "dead-lettered")):
        aws.log(stage, NOON, said(NOON, message, id, sent, error=sent, reason=sent, path=sent, bytes=1))
    shown = run.lines("trace", id, columns=500)
    assert len(shown) == 4
    assert all(line.isprintable() for line in shown)


def test_a_webhook_is_searched_in_every_log_or_in_those_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    aws = Aws("Orders/Webhook", "Refunds/Webhook")
    run = Commands(aws, monkeypatch, tmp_path)
    aws.stored(NOON, "evt_1", webhook="Refunds/Webhook")
    for account in ([], ["--profile", "production"]):
        assert run.lines("trace", "evt_1", *account)[0].startswith("Refunds/Webhook")
        assert run.lines("trace", "evt_1", "--webhook", "Refunds/Webhook", *account)[0].startswith("Refunds/Webhook")
        assert "has the id evt_1" in run.error("trace", "evt_1", "-w", "Orders/Webhook", *account)


MESSAGES = st.sampled_from(["queued", "failed", "stored", "duplicate", "dead-lettered", "batch", "waits", "rejected"])


@given(st.lists(st.tuples(MESSAGES, st.sampled_from("ab"), st.sampled_from("rs")), min_size=1, max_size=12))
def test_each_line_is_in_one_story_whatever_happened(told: list[tuple[str, str, str]]) -> None:
    lines = []
    for number, (message, id, request) in enumerate(told):
        fields = {"timestamp": "", "logger": "webhook", "message": message, "id": id, "request_id": id + request}
        lines.append(Line("w", "consumer", NOON + number, "INFO", "", fields, number, id))
    found = stories(lines)
    deliveries = [delivery for story in found for delivery in story.deliveries]
    assert sorted(line.number for delivery in deliveries for line in delivery.lines) == list(range(len(told)))
    for story in found:
        assert {line.id for delivery in story.deliveries for line in delivery.lines} == {story.id}
    for delivery in deliveries:
        assert known(delivery, Route(), NOW)
        assert "stored" not in [line.fields["message"] for line in delivery.lines] or delivery.state == "stored"


OF_OTHER_TYPES: list[Any] = [None, [], "x", {"a": 1}]


def test_a_delivery_of_fields_of_other_types_is_told() -> None:
    for message in ("failed", "stored", "dead-lettered", "rejected"):
        names = ("retry_in", "attempt", "error", "reason", "status")
        for value in OF_OTHER_TYPES:
            fields = {"timestamp": "", "logger": "webhook", "message": message} | dict.fromkeys(names, value)
            assert known(Delivery("r", [Line("w", "consumer", NOON, "INFO", "", fields)]), Route(), NOW)


# The payload in the sink.


def raw(*arguments: str) -> bytes:
    result = CliRunner().invoke(app, ["trace", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


@pytest.fixture
def table(aws: Aws) -> None:
    aws.handler = "webhook_runtime.handlers.dynamodb"
    aws.variables["WEBHOOK_TABLE_NAME"] = "orders"
    aws.stored(NOON, "evt_1")


@pytest.mark.parametrize("payload", [b"", b"\0\xff\x1b[2J", "é\n".encode(), b'{"a": 1}'])
@pytest.mark.usefixtures("table")
def test_a_stored_payload_is_read_from_the_table_byte_for_byte(payload: bytes, run: Commands, aws: Aws) -> None:
    aws.items["/#evt_1"] = {"payload": dynamodb(payload)}
    assert raw("evt_1", "--payload") == raw("evt_1", "--raw") == payload
    (told,) = run.json_lines("trace", "evt_1", "--payload", "--json")[0]
    assert told.get("payload", "").encode() == payload or base64.b64decode(told["payload_base64"]) == payload


@pytest.mark.usefixtures("table")
def test_a_stored_payload_on_a_terminal_is_below_the_story(
    run: Commands, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "is_alone", lambda *, raw: raw)
    aws.items["/#evt_1"] = {"payload": dynamodb(b"\x1b[2J")}
    lines = run.lines("trace", "evt_1", "--payload")
    assert lines[0].startswith("Orders/Webhook")
    assert lines[-2:] == ["", r"\x1b[2J"]


@pytest.mark.usefixtures("table")
def test_a_large_payload_is_read_from_the_bucket(run: Commands, aws: Aws) -> None:
    aws.items["/#evt_1"] = {"payload_object": {"S": "s3://payloads/stored/x"}}
    aws.objects["payloads", "stored/x"] = b"large"
    assert run
    assert raw("evt_1", "--raw") == b"large"


@pytest.mark.usefixtures("table")
def test_a_payload_that_is_not_there_is_an_error_that_says_why(run: Commands, aws: Aws) -> None:
    assert "the table orders does not have evt_1: it is not stored" in run.error("trace", "evt_1", "--payload")
    aws.forbidden = {"dynamodb:GetItem"}
    assert "allow dynamodb:GetItem on it" in run.error("trace", "evt_1", "--payload")
    aws.handler = "webhook_runtime.handlers.postgres"
    assert "the sink of Orders/Webhook is no DynamoDB table" in run.error("trace", "evt_1", "--payload")


@pytest.mark.usefixtures("table")
def test_of_several_webhooks_with_one_id_no_payload_is_written_alone(run: Commands, aws: Aws) -> None:
    aws.log("Consumer", NOON + 5, said(NOON + 5, "stored", "evt_1", "r9", attempt=1).replace('"/"', '"/other"'))
    said_why = run.error("trace", "evt_1", "--raw")
    assert "evt_1 is the id of 2 webhooks: Orders/Webhook at /, Orders/Webhook at /other" in said_why


def dynamodb(payload: bytes) -> dict[str, Any]:
    try:
        return {"S": payload.decode()}
    except UnicodeDecodeError:
        return {"B": payload}
