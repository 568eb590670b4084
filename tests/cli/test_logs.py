"""``scalable-webhook logs``: every line once, in the order in which things happened, and none that is forged."""

import io
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scalable_webhook_cli import cloudwatch, log_lines, terminal
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.events import LOGGER, event, message_of
from scalable_webhook_cli.log_lines import LEVELS, STAGES, Line, lines
from scalable_webhook_cli.rows import Rows
from scalable_webhook_cli.shown import shown
from scalable_webhook_cli.target import Target
from webhook_runtime import logs

from ..suite.patience import SECONDS
from .aws import END, NOON, REPORT, START, Aws, Commands, access, batch, said, text
from .test_commands import SENT

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def run(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    return Commands(aws, monkeypatch, tmp_path)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Set the clock to some minutes after noon. Sleeping moves it."""
    now = [NOON + 300]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def all_of(*webhooks: DeployedWebhook, since: float = 0, id: str | None = None) -> list[Line]:
    return list(lines(webhooks, since, id))


def deployed(name: str = "Orders/Webhook") -> DeployedWebhook:
    stack, _, prefix = name.partition("/")
    return DeployedWebhook(Target(region="eu-west-1"), name, stack, prefix, name)


# An event a line.


def test_a_stored_webhook_is_three_lines_behind_a_publisher_and_two_without(run: Commands, aws: Aws) -> None:
    aws.stored(NOON, "evt_1")
    aws.stored(NOON + 60, "evt_2", direct=True)
    assert run.lines("logs") == [
        "12:00:00  POST /orders  evt_1  202 in 100 ms",
        "12:00:00  queued        evt_1  12 B",
        "12:00:00  stored        evt_1  attempt 1",
        "12:01:00  POST /…       evt_2  202 in 100 ms",
        "12:01:00  stored        evt_2  attempt 1",
    ]
    assert [line.get("message") for line in run.json_lines("logs")] == [None, "queued", "stored", None, "stored"]
    rows = [line for line in run.lines("logs", "--verbose") if line.startswith("12:")]
    assert len(rows) == 10 + 6


def test_many_webhooks_are_three_lines_each(run: Commands, aws: Aws) -> None:
    for number in range(201):
        aws.stored(NOON + number / 10, f"evt_{number}")
    assert len(run.lines("logs")) == 603


def test_a_line_of_a_function_is_as_it_was_with_its_stage_and_its_webhook(run: Commands, aws: Aws) -> None:
    aws.stored(NOON, "evt_1")
    requested, _, stored = run.lines("logs", terminal=False)
    assert stored.startswith(said(NOON + 0.9, "stored", "evt_1", attempt=1)[:-1] + ", ")
    assert stored.endswith(', "stage": "consumer", "webhook": "Orders/Webhook"}')
    assert '"message": "stored", "id": "evt_1"' in stored
    assert requested.startswith(f'{{"timestamp": "{text(NOON)}", "request_id": "request-evt_1", ')


def test_a_json_line_is_printed_on_a_terminal_too_if_asked_for(run: Commands, aws: Aws) -> None:
    aws.stored(NOON, "evt_1")
    assert run.lines("logs", "--json") == run.lines("logs", terminal=False)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (said(NOON, "failed", attempt=2, error="SinkDown", reason="it is down", retry_in=30),
         "failed        evt_1  attempt 2; SinkDown: it is down; next try in 30 s"),
        (said(NOON, "dead-lettered", attempt=8, error="Permanent", reason="no items"),
         "dead-lettered evt_1  Permanent: no items"),
        (said(NOON, "waits", retry_in=30), "waits         evt_1  for an earlier one of its group; next try in 30 s"),
        (said(NOON, "rejected", "", status=401, reason="It is not signed."), "rejected      401 It is not signed."),
        (said(NOON, "sink down", "", batches=5, error="HTTP 503", reason="busy"),
         "sink down     5 batches in a row; HTTP 503: busy"),
        (said(NOON, "dropped"), "dropped       evt_1  it matches no event filter"),
    ],
)  # fmt: skip
def test_an_event_tells_how_and_why(line: str, shown: str, run: Commands, aws: Aws) -> None:
    aws.log("Consumer", NOON, line)
    assert run.lines("logs") == [f"12:00:00  {shown}"]


def test_every_message_of_the_functions_has_a_meaning() -> None:
    code = "\n".join(path.read_text() for path in (SRC / "webhook_runtime").rglob("*.py"))
    messages = set(re.findall(r'logger\.\w+\(\s*"([^"]+)"', code))
    assert len(messages) > 20
    for message in messages | {"stored", "duplicate", "dropped", "dead-lettered", "unverified", "paused", "sink down"}:
        line = Line("w", "consumer", NOON, "INFO", "", json.loads(said(NOON, message)))
        assert event(line).what == message


# Lines of Lambda, of the user, and of ours.


def test_lines_of_lambda_are_noise_and_a_users_text_and_any_error_are_not(run: Commands, aws: Aws) -> None:
    init = "INIT_REPORT Init Duration: 10010.30 ms\tPhase: init\tStatus: timeout"
    texts = [START, "INIT_START Runtime Version: python:3.13.v1", "printed", batch(NOON), END, REPORT]
    texts += [f"{NOON} Task timed out after 3.00 seconds", init, f"{REPORT}\tStatus: timeout"]
    for line in texts:
        aws.log("Consumer", NOON, line)
    shown = [line.removeprefix("12:00:00  consumer      ") for line in run.lines("logs", columns=300)]
    assert shown == ["printed", texts[-3], init.expandtabs(4), f"{REPORT}\tStatus: timeout".expandtabs(4)]
    assert [line["text"] for line in run.json_lines("logs")] == ["printed", *texts[-3:]]
    assert len(run.json_lines("logs", "--level", "error")) == 3
    assert len(run.json_lines("logs", "-v")) == len(texts)


def test_lambdas_own_lines_may_be_json(run: Commands, aws: Aws) -> None:
    for type, status in (("start", None), ("report", "success"), ("report", "timeout")):
        record = {"requestId": "r"} | ({"status": status} if status else {})
        aws.log("Consumer", NOON, json.dumps({"time": "t", "type": f"platform.{type}", "record": record}))
    failure = {"timestamp": text(NOON), "log_level": "ERROR", "errorType": "KeyError", "errorMessage": "'a'"}
    aws.log("Consumer", NOON + 1, json.dumps(failure | {"stackTrace": ["  File a\n", "  File b\n"]}))
    assert [line[10:] for line in run.lines("logs", columns=200)] == [
        'consumer      platform.report: {"requestId": "r", "status": "timeout"}',
        "consumer      KeyError: 'a'",
        " " * 14 + "  File a",
        " " * 14 + "  File b",
    ]


@pytest.mark.parametrize("logger", ["orders", "", None, 5])
def test_a_log_of_the_users_own_code_is_no_outcome(logger: Any, run: Commands, aws: Aws) -> None:
    """On AWS the line of any logger is JSON, and names its logger."""
    own = json.loads(said(NOON, "stored", "evt_9"))
    aws.log("Consumer", NOON, json.dumps(own | {"logger": logger, "total": 3}))
    del own["logger"]
    aws.log("Consumer", NOON + 1, json.dumps(own))
    assert run.lines("logs") == [
        "12:00:00  consumer      evt_9  stored  total=3",
        "12:00:00  consumer      evt_9  stored",
    ]


def test_our_own_lines_are_known_by_their_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", LOGGER)
    logs.logger.info("stored", extra={"id": "evt_1"})
    written = logs._JsonLines().format(caplog.records[0])
    assert '"message": "stored", "id": "evt_1"' in written
    assert message_of(Line("w", "consumer", NOON, "INFO", written, json.loads(written))) == "stored"


def test_a_traceback_has_one_level(run: Commands, aws: Aws) -> None:
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1', "    boom()", "ValueError: boom", "printed"]
    for line in trace:
        aws.log("Consumer", NOON, line)
    assert [line["text"] for line in run.json_lines("logs", "--level", "ERROR")] == trace[:-1]


def test_the_traceback_of_a_handler_is_shown(run: Commands, aws: Aws) -> None:
    line = said(NOON, "the handler raised", level="ERROR", stackTrace="Traceback\n  File a\nKeyError: 'b'")
    aws.log("Consumer", NOON, line)
    indent = " " * 24
    assert run.lines("logs") == [
        "12:00:00  the handler raised evt_1",
        f"{indent}Traceback",
        f"{indent}  File a",
        f"{indent}KeyError: 'b'",
    ]


@pytest.mark.parametrize(("level", "count"), [("debug", 5), ("INFO", 4), ("warning", 3), ("error", 2)])
def test_a_level_is_the_lowest(level: str, count: int, run: Commands, aws: Aws) -> None:
    for name in ("DEBUG", "INFO", "WARN", "ERROR"):
        aws.log("Consumer", NOON, said(NOON, "stored", level=name))
    aws.log("Access", NOON, access(NOON, "r", status=504))
    assert len(run.lines("logs", "--level", level)) == count


def test_a_wrong_level_or_time_is_an_error(run: Commands) -> None:
    assert "--level must be one of debug, info, warning, error, got 'loud'" in run.error("logs", "--level", "loud")
    assert "--since must be a number with ms, s, m, h or d" in run.error("logs", "--since", "noon")


# The order.


def test_lines_are_in_the_order_of_their_own_times(run: Commands, aws: Aws) -> None:
    """The publisher's lines arrive after the consumer's, and those of API Gateway last."""
    aws.log("Consumer", NOON + 1, said(NOON + 0.4, "stored"))
    aws.log("Publisher", NOON + 2, said(NOON + 0.2, "queued"))
    aws.log("Access", NOON + 0.9, access(NOON + 0.1, "request-evt_1", latency=800))
    assert [line.get("message", "POST") for line in run.json_lines("logs")] == ["POST", "queued", "stored"]


def test_a_text_without_a_time_is_where_it_was_written(run: Commands, aws: Aws) -> None:
    """The local AWS has all lines of an invocation at the time of its end."""
    for line in (START, "before", said(NOON, "stored", "a"), "between", said(NOON + 2, "stored", "b"), "after", END):
        aws.log("Consumer", NOON + 3, line, stream="one")
    aws.log("Consumer", NOON + 3, said(NOON + 1, "stored", "of another invocation"), stream="two")
    shown = [line.get("text") or line["id"] for line in run.json_lines("logs")]
    assert shown == ["before", "a", "between", "of another invocation", "b", "after"]


@pytest.mark.parametrize(
    "stamp", ["1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "0001-01-01", "soon", 5, None]
)
def test_a_time_that_no_clock_tells_is_not_believed(stamp: Any, run: Commands, aws: Aws) -> None:
    aws.log("Consumer", NOON, json.dumps(json.loads(said(NOON, "stored")) | {"timestamp": stamp}))
    (line,) = run.lines("logs")
    assert line.startswith("12:00:00")


def test_a_time_in_whole_seconds_is_made_exact_by_that_of_the_event(aws: Aws, run: Commands) -> None:
    for milliseconds in (300, 100, 200):
        own = json.loads(said(NOON, "stored", str(milliseconds))) | {"timestamp": text(NOON)[:19] + "Z"}
        aws.log("Consumer", NOON + milliseconds / 1000, json.dumps(own), stream=str(milliseconds))
    assert [line["id"] for line in run.json_lines("logs")] == ["100", "200", "300"]


MOMENTS = st.integers(0, 50).map(lambda tenths: NOON + tenths / 10)
LINES = st.one_of(
    st.builds(lambda at, name: ("Consumer", said(at, "stored", name)), MOMENTS, st.sampled_from("abc")),
    st.builds(lambda at, name: ("Publisher", said(at, "queued", name)), MOMENTS, st.sampled_from("abc")),
    st.builds(lambda at, name: ("Access", access(at, f"request-{name}")), MOMENTS, st.sampled_from("abc")),
    st.sampled_from([("Consumer", "printed"), ("Consumer", START), ("Publisher", "{"), ("Access", "x")]),
)
EVENTS = st.lists(st.tuples(LINES, MOMENTS, st.sampled_from("st")), max_size=30)


@given(EVENTS, st.integers(1, 5), st.booleans())
def test_any_lines_in_any_order_are_all_told_once_in_the_order_of_time(
    events: list[tuple[tuple[str, str], float, str]], page: int, is_ministack: bool
) -> None:
    aws = Aws()
    aws.page, aws.is_ministack = page, is_ministack
    for (stage, message), at, stream in events:
        aws.log(stage, at, message, stream=stream)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Target, "client", lambda self, service: aws)
        patch.setattr(cloudwatch, "_MOST_EVENTS", page)
        found = all_of(deployed())
    assert Counter((line.stage, line.text) for line in found) == Counter(
        (stage.lower(), message) for (stage, message), _, _ in events
    )
    assert [line.order for line in found] == sorted(line.order for line in found)
    assert len({line.order for line in found}) == len(found)


@given(st.lists(st.lists(st.tuples(MOMENTS, st.sampled_from(STAGES)), max_size=8), max_size=6), st.booleans())
def test_lines_that_are_held_back_are_all_told_once(rounds: list[list[tuple[float, str]]], by_id: bool) -> None:
    fields = json.loads(said(NOON, "stored")) if by_id else {}
    held, told, count = log_lines._Held(log_lines._Wanted("evt_1") if by_id else None), list[Line](), 0
    for arriving in rounds:
        new = [Line("w", stage, at, "INFO", "", fields, count + n) for n, (at, stage) in enumerate(arriving)]
        count += len(new)
        held.add(new)
        due = held.due(0)
        assert [line.order for line in due] == sorted(line.order for line in due)
        told += due
    told += held.rest()
    assert Counter(line.number for line in told) == Counter(range(count))


# However many lines there are.


def test_more_lines_than_one_answer_has_are_all_read(aws: Aws, run: Commands) -> None:
    for number in range(25):
        aws.log("Consumer", NOON + number, said(NOON + number, "stored", str(number)))
    aws.page = 7
    assert [line["id"] for line in run.json_lines("logs")] == [str(number) for number in range(25)]


def test_ministack_ends_after_ten_thousand_events_and_the_reader_goes_on(aws: Aws, run: Commands) -> None:
    aws.is_ministack = True
    for number in range(12_000):
        at = NOON + number // 3 / 1000
        aws.log("Consumer", at, said(at, "stored", str(number)), stream=str(number % 2))
    began = time.process_time()
    found = run.json_lines("logs")
    assert Counter(line["id"] for line in found) == Counter(map(str, range(12_000)))
    assert time.process_time() - began < SECONDS


def test_more_lines_of_one_millisecond_than_one_answer_has_are_all_read(aws: Aws, run: Commands) -> None:
    aws.is_ministack, aws.page = True, 10_000
    for number in range(11_000):
        aws.log("Consumer", NOON, f"printed {number // 2}", stream=str(number % 2))
    aws.log("Consumer", NOON + 1, "later")
    assert Counter(line["text"] for line in run.json_lines("logs")) == Counter(
        [f"printed {number // 2}" for number in range(11_000)] + ["later"]
    )


def test_a_busy_cloudwatch_is_asked_again(aws: Aws, run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    aws.stored(NOON, "evt_1")
    aws.busy = 3
    assert len(run.lines("logs")) == 3
    assert len(waits) == 3
    aws.busy = 1000
    assert "Rate exceeded" in run.error("logs")


def test_a_missing_permission_is_named(aws: Aws, run: Commands) -> None:
    aws.forbidden = {"logs:FilterLogEvents"}
    assert "cannot be read: allow logs:FilterLogEvents on it" in run.error("logs")


def test_a_function_that_has_not_run_has_no_lines(run: Commands) -> None:
    assert run.lines("logs") == []


def test_only_lines_of_the_time_are_asked_for(run: Commands, aws: Aws) -> None:
    aws.stored(NOON, "evt_1")
    aws.stored(NOON + 200, "evt_2")
    assert len(run.lines("logs", "--since", "2m")) == 3
    assert len(run.lines("logs", "--since", "999999999d")) == 6


# Several webhooks.


def test_several_webhooks_are_named_in_a_column(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    aws = Aws("Orders/Webhook", "Shop/TheWebhookOfAllRefundsAndReturns")
    run = Commands(aws, monkeypatch, tmp_path)
    aws.stored(NOON, "evt_1", direct=True)
    aws.stored(NOON + 1, "evt_2", direct=True, webhook=aws.names[1])
    assert run.lines("logs") == [
        "12:00:00  Orders/Webhook            POST /…       evt_1  202 in 100 ms",
        "12:00:00  Orders/Webhook            stored        evt_1  attempt 1",
        "12:00:01  Shop/TheWeb…dsAndReturns  POST /…       evt_2  202 in 100 ms",
        "12:00:01  Shop/TheWeb…dsAndReturns  stored        evt_2  attempt 1",
    ]
    assert [line["webhook"] for line in run.json_lines("logs")] == [aws.names[0]] * 2 + [aws.names[1]] * 2
    assert len(run.lines("logs", "Webhook")) == 2
    assert "which webhook? name one of Orders/Webhook, Shop/" in run.error("logs", "--region", "eu-west-1")
    assert len(run.lines("logs", "Webhook", "--region", "eu-west-1")) == 2


def test_an_account_needs_no_name_for_its_only_webhook(run: Commands, aws: Aws) -> None:
    aws.stored(NOON, "evt_1")
    assert len(run.lines("logs", "--profile", "production")) == 3


def test_a_consumer_of_two_webhooks_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    aws = Aws("Orders/One", "Orders/Two")
    run = Commands(aws, monkeypatch, tmp_path)
    aws.without |= {"Consumer"}
    aws.logging = {"LogGroup": "of-a-team"}
    aws.events["of-a-team"] = [{"timestamp": round(NOON * 1000), "message": "its own line", "logStreamName": "s"}]
    (line,) = run.json_lines("logs")
    assert (line["text"], line["webhook"]) == ("its own line", "Orders/One, Orders/Two")


# One webhook.


@pytest.mark.parametrize("id", ["evt_1", "request-evt_1", "message-of-request-evt_1"])
@pytest.mark.parametrize("account", [[], ["--region", "eu-west-1"]])
def test_one_webhook_is_found_by_each_of_its_ids(id: str, account: list[str], run: Commands, aws: Aws) -> None:
    for number in (1, 2, 11):
        aws.stored(NOON + number, f"evt_{number}")
    assert run.lines("logs", "--id", id, *account) == [
        "12:00:01  POST /orders  evt_1  202 in 100 ms",
        "12:00:01  queued        evt_1  12 B",
        "12:00:01  stored        evt_1  attempt 1",
    ]


IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30) | st.sampled_from(
    ['"', "\\", "a b", "%regex%", "{ $.id = 1 }", "-evt", "?evt", "[a, b]", "*", "日本", "a\nb", "'", "$.id"]
)


@given(IDS, st.booleans())
def test_any_id_is_found_and_no_other(id: str, in_ascii: bool) -> None:
    """Lambda writes Unicode as it is, and the local AWS in escapes."""
    aws = Aws()
    for each in (id, f"{id}x", "other"):
        aws.log("Consumer", NOON, json.dumps(json.loads(said(NOON, "stored", each)), ensure_ascii=in_ascii))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Target, "client", lambda self, service: aws)
        found = all_of(deployed(), id=id)
    assert [line.name("id") for line in found] == [id] * (1 + (id == "other"))


def test_a_webhook_that_is_called_like_the_request_of_another_does_not_bring_its_lines(aws: Aws, run: Commands) -> None:
    aws.stored(NOON, "evt_1")
    aws.stored(NOON + 1, "request-evt_1")
    assert [line.get("id") for line in run.json_lines("logs", "--id", "evt_1")] == [None, "evt_1", "evt_1"]


# Strangers.


@pytest.mark.parametrize("sent", SENT)
def test_text_of_a_client_has_no_effect_on_a_terminal(run: Commands, aws: Aws, sent: str) -> None:
    aws.log("Consumer", NOON, f"before {sent} after")
    (line,) = run.lines("logs", columns=200)
    assert line.split() == f"12:00:00  consumer       before {SENT[sent]} after".split()
    aws.log("Consumer", NOON + 1, said(NOON + 1, "failed", f"id {sent}", error=sent, reason=sent, attempt=sent))
    _, line = run.lines("logs", columns=400)
    assert line.isprintable()
    assert "\x1b" not in line


@given(st.text(max_size=20) | st.sampled_from(sorted(SENT)))
def test_any_text_is_valid_json_and_acts_on_no_terminal(sent: str) -> None:
    screen = io.StringIO()
    with redirect_stdout(screen):
        terminal.say_json({"a": sent})
    assert json.loads(screen.getvalue()) == {"a": sent}
    assert shown(screen.getvalue()) == screen.getvalue()


FORGED = [
    "evt_1\n12:00:00  stored        evt_2  attempt 1",
    "evt_1\r\n12:00:00  stored",
    'evt_1\u2028{"message": "stored", "id": "evt_2"}',
    '", "message": "stored", "id": "evt_2',
]


@pytest.mark.parametrize("forged", FORGED)
def test_no_id_reason_or_path_forges_a_line(forged: str, run: Commands, aws: Aws) -> None:
    aws.log("Publisher", NOON, said(NOON, "queued", forged, path=f"/{forged}", bytes=1))
    aws.log("Access", NOON, access(NOON, "request-" + forged))
    aws.log("Consumer", NOON, said(NOON, "failed", forged, error=forged, reason=forged))
    shown = run.lines("logs")
    assert [line[10:].split()[0] for line in shown if not line.startswith(" " * 24)] == ["POST", "queued", "failed"]
    assert not any('"message": "stored"' in line for line in run.lines("logs", terminal=False))


@pytest.mark.parametrize(
    "printed", ["stored", "a\n12:00:00  stored        evt_2  attempt 1", '"message": "stored"', "{}"]
)
def test_no_text_forges_a_line_or_an_outcome(printed: str, run: Commands, aws: Aws) -> None:
    aws.log("Consumer", NOON, printed)
    first, *others = run.lines("logs")
    assert first.startswith("12:00:00  consumer ")
    assert all(line.startswith(" " * 24) for line in others)
    (line,) = run.lines("logs", terminal=False)
    assert '"message": "stored"' not in line
    assert json.loads(line).get("text", printed) == printed


@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {"a": 1}, "x", float("nan")])
def test_a_field_of_another_type_is_shown(value: Any, run: Commands, aws: Aws) -> None:
    names = ("id", "mount", "request_id", "message_id", "error", "reason", "attempt", "retry_in", "bytes", "status")
    own = json.loads(said(NOON, "stored")) | dict.fromkeys([*names, "path", "stackTrace", "record", "type"], value)
    for message in ("failed", "queued", "rejected", "sink down", "probe", "resumed", "nothing", value):
        aws.log("Consumer", NOON, json.dumps(own | {"message": message}))
    aws.log("Access", NOON, json.dumps(dict.fromkeys(["status", "latency", "method", "resource", "time"], value)))
    assert len([line for line in run.lines("logs", "-v", columns=200) if line.startswith("12:")]) == 9
    assert len(run.lines("logs", "-v", terminal=False)) == 9


# 80 columns.

WORDS = st.text(st.sampled_from("ab 日é🎉"), max_size=400)


@given(WORDS, st.integers(40, 120))
def test_a_row_is_as_wide_as_the_terminal_and_loses_nothing(reason: str, width: int) -> None:
    line = Line("w", "consumer", NOON, "INFO", "", json.loads(said(NOON, "dead-lettered", error="E", reason=reason)))
    rows = ["".join(segment.text for segment in row) for row in Rows(width).of(line)]
    assert all(cell_len(row) <= max(width, 48) for row in rows)
    assert all(row.startswith(" " * 24) for row in rows[1:])
    told = f"12:00:00 dead-lettered E{': ' if reason else ''}{reason}"
    assert "".join("".join(rows).split()) == "".join(told.split())


def test_an_id_is_never_cut(run: Commands, aws: Aws) -> None:
    id = "evt_" + "x" * 100
    aws.log("Consumer", NOON, said(NOON, "failed", id, error="Down", reason="it is down", attempt=1))
    assert run.lines("logs") == [
        f"12:00:00  failed        {id}",
        " " * 24 + "attempt 1; Down: it is down",
    ]


def test_a_text_that_is_too_long_is_cut(run: Commands, aws: Aws) -> None:
    aws.log("Consumer", NOON, "x" * 200_000)
    shown = run.lines("logs")
    assert len(shown) < 50
    assert shown[-1].endswith("--json has them")


def test_a_line_of_another_day_comes_under_its_date(run: Commands, aws: Aws) -> None:
    aws.stored(NOON - 86_400, "evt_1", direct=True)
    aws.stored(NOON, "evt_2", direct=True)
    dates = [f"{datetime.fromtimestamp(at):%Y-%m-%d}" for at in (NOON - 86_400, NOON)]
    assert [line for line in run.lines("logs", "--since", "3d") if len(line) == 10] == dates


def test_the_outcome_is_coloured() -> None:
    tones = {"stored": "green", "failed": "yellow", "dead-lettered": "red"}
    for message, colour in tones.items():
        line = Line("w", "consumer", NOON, "INFO", "", json.loads(said(NOON, message, error="E")))
        (what,) = [segment for row in Rows(80).of(line) for segment in row if segment.text.strip() == message]
        assert what.style is not None
        assert what.style.color is not None
        assert what.style.color.name == colour


# Following.


class Following:
    """Lets lines arrive while the command sleeps, and ends it like Ctrl-C."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, now: list[float], *rounds: list[tuple[str, float, str]]
    ) -> None:
        self.rounds = list(rounds)
        self._now = now
        self.aws: Aws
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def sleep(self, seconds: float) -> None:
        self._now[0] += seconds
        if not self.rounds:
            raise KeyboardInterrupt
        for stage, at, line in self.rounds.pop(0):
            self.aws.log(stage, at, line)


def test_following_tells_each_line_once_in_order_and_a_late_one_too(
    run: Commands, aws: Aws, monkeypatch: pytest.MonkeyPatch, noon: list[float]
) -> None:
    following = Following(
        monkeypatch,
        noon,
        [("Consumer", NOON + 301, said(NOON + 301, "stored", "b"))],
        [("Publisher", NOON + 301, said(NOON + 300.5, "queued", "b"))],
        [("Access", NOON + 300.4, access(NOON + 300.3, "request-b"))],
        *[[] for _ in range(6)],
        [("Consumer", NOON + 290, said(NOON + 290, "stored", "late"))],
        *[[] for _ in range(6)],
    )
    following.aws = aws
    aws.log("Consumer", NOON, said(NOON, "stored", "a"))
    shown = run.json_lines("logs", "--follow")
    told = [(line.get("message", "POST"), line.get("id")) for line in shown]
    assert told == [("stored", "a"), ("POST", None), ("queued", "b"), ("stored", "b"), ("stored", "late")]
    assert max(asked["startTime"] for asked in aws.asked) >= (NOON + 270) * 1000


def test_a_followed_webhook_has_the_line_of_api_gateway_as_well(
    run: Commands, aws: Aws, monkeypatch: pytest.MonkeyPatch, noon: list[float]
) -> None:
    """It arrives before the line that tells its id."""
    following = Following(
        monkeypatch,
        noon,
        [
            ("Access", NOON + 301, access(NOON + 300.5, "request-b")),
            ("Access", NOON + 301, access(NOON + 300.5, "request-c")),
        ],
        [],
        [("Consumer", NOON + 302, said(NOON + 301.5, "stored", "b"))],
        *[[] for _ in range(8)],
    )
    following.aws = aws
    aws.log("Consumer", NOON, said(NOON, "stored", "a"))
    assert [line["request_id"] for line in run.json_lines("logs", "-f", "--id", "b")] == ["request-b"] * 2


def test_lines_can_be_followed_for_a_while(aws: Aws, monkeypatch: pytest.MonkeyPatch, noon: list[float]) -> None:
    """As a command does that waits for the outcome of what it has sent."""
    following = Following(monkeypatch, noon, [("Consumer", NOON + 301, said(NOON + 301, "stored", "b"))], *[[]] * 100)
    following.aws = aws
    monkeypatch.setattr(Target, "client", lambda self, service: aws)
    (line,) = lines(deployed(), NOON + 290, "b", follow=10)
    assert (line.id, line.name("message")) == ("b", "stored")
    assert noon[0] == pytest.approx(NOON + 310)


@pytest.mark.parametrize("arguments", [["logs"], ["logs", "--follow"]])
def test_a_reader_that_stops_early_is_no_error(arguments: list[str]) -> None:
    """In a process whose stdout has no reader any more."""
    program = f"""
from scalable_webhook_cli import log_lines
from scalable_webhook_cli.commands import app, options
line = log_lines.Line("w", "consumer", 0, "INFO", "line")
options.webhooks = lambda *_: [None]
log_lines.lines = lambda *_, **__: (line for _ in range(10_000))
app({arguments})
"""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(SRC)},
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert (run.returncode, run.stderr) == (0, "")


def test_levels_and_stages_are_told_in_the_help(run: Commands) -> None:
    assert all(level.lower() in run.result("logs", "--help").stdout for level in LEVELS)
