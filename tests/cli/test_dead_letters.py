"""``scalable-webhook dead-letters`` and ``unverified``, in an account and locally."""

import io
import json
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest
from rich.cells import set_cell_size
from rich.console import Console
from typer.testing import CliRunner

from scalable_webhook_cli.commands import app, options, payloads
from scalable_webhook_cli.commands import redriving as commands
from scalable_webhook_cli.dead_letters import look as looks
from scalable_webhook_cli.target import Target
from webhook_runtime import message
from webhook_runtime.testing import webhook

from .sqs import Sqs, Stored, arn, error, set_aside

SLEEP = "scalable_webhook_cli.dead_letters.task.time.sleep"
NAME = "Orders/Webhook"
QUEUE, DEAD_LETTERS, UNVERIFIED = (f"https://sqs/{name}" for name in ("queue", "dead-letters", "unverified"))
MAPPING = {
    "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:Consumer",
    "EventSourceArn": arn(QUEUE),
    "State": "Enabled",
    "BatchSize": 10,
    "ScalingConfig": {"MaximumConcurrency": 5},
}


class Account:
    """The services of an account with one webhook. It answers for every service but SQS: each method is one call."""

    def __init__(self) -> None:
        self.sqs = Sqs()
        self.variables = {"WEBHOOK_DEAD_LETTER_QUEUE_URL": DEAD_LETTERS, "WEBHOOK_UNVERIFIED_QUEUE_URL": UNVERIFIED}
        self.mapping: dict[str, Any] = dict(MAPPING)
        self.objects: dict[str, bytes | Exception] = {}
        self.meta = self
        self.region_name = "eu-west-1"
        self.serve(QUEUE)

    def serve(self, *queues: str) -> None:
        """Make the dead-letter queue that of these queues."""
        for url in queues:
            self.sqs.attributes[url]["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn(DEAD_LETTERS)})

    def get_paginator(self, _: str) -> "Account":
        return self

    def paginate(self) -> list[dict[str, Any]]:
        output = {"OutputValue": "uuid", "Description": f"Event source mapping of {NAME}"}
        return [{"Stacks": [{"StackName": "Orders", "Outputs": [output]}]}]

    def get_event_source_mapping(self, UUID: str) -> dict[str, Any]:
        assert UUID == "uuid"
        return self.mapping

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        return {"Environment": {"Variables": self.variables}}

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == "payloads"
        found = self.objects.get(Key) or error("NoSuchKey", "GetObject")
        if isinstance(found, Exception):
            raise found
        return {"Body": io.BytesIO(found)}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    there = Account()
    asked: Callable[..., Any] = lambda self, service: there.sqs if service == "sqs" else there  # noqa: E731
    monkeypatch.setattr(Target, "client", asked)
    monkeypatch.setattr(
        Sqs, "get_queue_url", lambda self, QueueName, **_: {"QueueUrl": f"https://sqs/{QueueName}"}, raising=False
    )
    monkeypatch.setattr(looks, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(SLEEP, lambda _: None)
    return there


@pytest.fixture
def local(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The same on the local AWS."""
    monkeypatch.setattr(options, "targets", lambda *_: [Target(endpoint="http://127.0.0.1:9", region="us-east-1")])
    return account


def run(*arguments: str, code: int = 0, answer: str | None = None, here: bool = False) -> list[str]:
    where = [] if here else ["--region", "eu-west-1"]
    result = CliRunner().invoke(app, [*arguments, *where], catch_exceptions=False, input=answer)
    assert result.exit_code == code, result.output
    return result.output.splitlines()


def fill(account: Account, url: str = DEAD_LETTERS, **errors: int) -> list[Stored]:
    stored = [
        set_aside(
            webhook(f"{name} {n}", id=f"{name}-{n}", mount="/hook"), name, f"it is {name}", sent_at=time.time() - 7300
        )
        for name, number in errors.items()
        for n in range(number)
    ]
    account.sqs.put(url, *stored)
    return stored


@pytest.mark.parametrize(("command", "url"), [("dead-letters", DEAD_LETTERS), ("unverified", UNVERIFIED)])
def test_list_groups_by_error_and_reason(command: str, url: str, account: Account) -> None:
    fill(account, url, Permanent=12, Busy=3)
    account.sqs.put(url, set_aside(webhook(), source=arn(QUEUE), sent_at=time.time() - 60))
    title = "dead-letter queue" if command == "dead-letters" else "unverified queue"
    first, second, head, *rows = run(command, "list")
    assert first.startswith(f"16 in the {title} of {NAME}, ")
    assert second == "SQS deletes the oldest in 13 d"
    assert head.split() == ["count", "oldest", "newest", "bytes", "error:", "reason"]
    assert [row.split()[:5] for row in rows] == [
        ["12", "2", "h", "2", "h"],
        ["3", "2", "h", "2", "h"],
        ["1", "1", "min", "1", "min"],
    ]
    assert [row.split("B  ")[1] for row in rows] == [
        "Permanent: it is Permanent",
        "Busy: it is Busy",
        "MovedBySQS: SQS itself moved it: the consumer crashed with it, or was not called for it",
    ]
    assert account.sqs.visible(url) == 16
    assert not {"SendMessageBatch", "DeleteMessageBatch"} & set(account.sqs.calls)


def test_list_has_everything_as_json(account: Account) -> None:
    fill(account, Permanent=12, Busy=3)
    (line,) = run("dead-letters", "list", NAME, "--json")
    told = json.loads(line)
    assert (told["webhook"], told["messages"], told["unseen"]) == (NAME, 15, 0)
    assert [(group["error"], group["reason"], group["count"]) for group in told["groups"]] == [
        ("Permanent", "it is Permanent", 12),
        ("Busy", "it is Busy", 3),
    ]
    assert told["bytes"] == sum(group["bytes"] for group in told["groups"]) > 0


def test_an_empty_queue_is_told(account: Account) -> None:
    assert run("dead-letters", "list") == [f"nothing in the dead-letter queue of {NAME}"]
    assert run("dead-letters", "redrive", "--error", "x", "--yes") == [
        f"redriven 0 from the dead-letter queue of {NAME}"
    ]


def test_many_reasons_fit_a_terminal(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr(commands, "console", screen)
    for number in range(200):
        hostile = f"\x1b[2J row {number}\n9,999  forged \u202e " + "日本" * 100
        account.sqs.put(DEAD_LETTERS, set_aside(webhook(), "Permanent", message.sqs_text(hostile), sent_at=1))
    _, _, _, *rows = run("dead-letters", "list")
    assert len(rows) == 21
    assert rows[-1] == "    180  of 180 other errors and reasons: --json has them all"
    for row in rows:
        assert set_cell_size(row, 80).rstrip() == row
        assert row.isprintable()


def test_messages_that_others_hide_are_told(account: Account) -> None:
    stored = fill(account, Permanent=4)
    stored[0].visible_at = time.time() + 600
    assert run("dead-letters", "list")[-1] == "not seen: about 1; another look hides them for a minute at most"


def test_a_fifo_queue_tells_what_is_behind_the_first_ten(account: Account) -> None:
    fifo = f"{DEAD_LETTERS}.fifo"
    account.variables["WEBHOOK_DEAD_LETTER_QUEUE_URL"] = fifo
    for stored in fill(account, fifo, Permanent=25):
        stored.group = "one"
    lines = run("dead-letters", "list")
    assert lines[0].startswith("10 in")
    assert lines[-1].startswith("not seen: about 15; SQS returns the first ten of each group")


def test_show_has_what_is_known(account: Account) -> None:
    fill(account, Permanent=2)
    received = webhook("é", id="evt_1", mount="/stripe", headers={"Stripe-Signature": "secret", "X-Id": "1"})
    account.sqs.put(DEAD_LETTERS, stored := set_aside(received, "Busy", "a\nb", sent_at=time.time() - 60))
    lines = run("dead-letters", "show", "evt")
    told = {line[:14].strip(): line[14:] for line in lines}
    assert told["id"] == "evt_1"
    assert told["endpoint"] == "/stripe"
    assert told["request id"] == received.request_id
    assert told["message id"] == stored.id
    assert told["receives"] == "1"
    assert told["set aside at"].endswith(" UTC, 1 min ago")
    assert (told["error"], told["reason"]) == ("Busy", "a b")
    assert told["headers"] == "stripe-signature, x-id"
    assert "secret" not in str(lines)
    for id in (received.request_id, stored.id, "evt_1"):
        (line,) = run("dead-letters", "show", id, "--json")
        assert json.loads(line)["message_id"] == stored.id
    assert account.sqs.visible(DEAD_LETTERS) == 3


def output(*arguments: str) -> bytes:
    result = CliRunner().invoke(app, ["dead-letters", "show", *arguments, "--region", "x"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


@pytest.mark.parametrize("payload", [b"", b"\0\xff\x1b[2J", "é\n".encode(), b'{"a": 1}'])
def test_a_payload_in_a_pipe_is_exact(payload: bytes, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.sqs.put(DEAD_LETTERS, set_aside(webhook(payload, id="evt_1"), "Busy", sent_at=1))
    assert output("evt_1", "--payload") == payload
    assert output("evt_1", "--raw") == payload
    told = json.loads(output("evt_1", "--payload", "--json"))
    assert told.get("payload", "").encode() == payload or told["payload_base64"]


def test_a_payload_on_a_terminal_is_escaped(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "is_alone", lambda *, raw: raw)
    account.sqs.put(DEAD_LETTERS, set_aside(webhook(b"\xff\x1b[2J\nsecond", id="evt_1"), "Busy", sent_at=1))
    lines = output("evt_1", "--payload").decode().splitlines()
    assert lines[0].startswith("id ")
    assert lines[-3:] == ["", r"\xff\x1b[2J", "second"]
    assert output("evt_1", "--raw") == b"\xff\x1b[2J\nsecond"


def in_s3(account: Account, key: str = "queued/2026/x") -> None:
    body, attribute = message.write(webhook(id="evt_1"), key)
    attributes = {"webhook": {"DataType": "String", "StringValue": attribute}}
    account.sqs.put(DEAD_LETTERS, Stored(body, attributes, sent_at=1))


def test_a_large_payload_is_read_from_s3(account: Account) -> None:
    account.variables["WEBHOOK_PAYLOAD_BUCKET"] = "payloads"
    account.objects["queued/2026/x"] = b"large"
    in_s3(account)
    assert output("evt_1", "--payload") == b"large"
    assert run("dead-letters", "show", "evt_1")[-1] == "payload       in S3, at queued/2026/x"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("NoSuchKey", "no longer in S3, at s3://payloads/queued/2026/x: the lifecycle of the bucket has deleted it"),
        ("AccessDenied", "reading it needs s3:GetObject there, s3:ListBucket on the bucket"),
    ],
)
def test_a_large_payload_that_cannot_be_read_is_told(code: str, told: str, account: Account) -> None:
    account.variables["WEBHOOK_PAYLOAD_BUCKET"] = "payloads"
    account.objects["queued/2026/x"] = error(code, "GetObject")
    in_s3(account)
    assert told in run("dead-letters", "show", "evt_1", "--payload", code=1)[0]


def test_a_large_payload_of_a_webhook_without_a_bucket_is_told(account: Account) -> None:
    in_s3(account)
    assert f"{NAME} has no large_payloads" in run("dead-letters", "show", "evt_1", "--payload", code=1)[0]


def test_no_other_object_of_the_bucket_is_read(account: Account) -> None:
    account.variables["WEBHOOK_PAYLOAD_BUCKET"] = "payloads"
    account.objects["stored/secret"] = b"secret"
    in_s3(account, "stored/secret")
    assert "has the encoding 's3'" in run("dead-letters", "show", "evt_1", "--payload", code=1)[0]


@pytest.mark.parametrize(
    ("id", "told"),
    [
        ("evt", "evt begins 2 ids; add a character, they are evt_1, evt_2"),
        ("nix", "no id of the 3 messages in dead-letters starts with nix"),
        ("evt_1", "evt_1 is the id of 2 messages; name one by "),
        ("", "an id must have a character, got an empty text"),
        ("\x1b[2J", r"no id of the 3 messages in dead-letters starts with \x1b[2J"),
    ],
)
def test_an_id_that_is_not_one_message_is_told(id: str, told: str, account: Account) -> None:
    for each in ("evt_1", "evt_1", "evt_2"):
        account.sqs.put(DEAD_LETTERS, set_aside(webhook(id=each), "Busy", sent_at=1))
    assert told in run("dead-letters", "show", id, code=1)[0]


# Redriving.


def test_all_messages_are_moved_by_sqs_itself(account: Account) -> None:
    fill(account, Permanent=12)
    account.sqs.moves.append({"Status": "COMPLETED", "StartedTimestamp": 1, "SourceArn": arn(DEAD_LETTERS)})
    account.sqs.late_moves = 2
    assert run("dead-letters", "redrive", "--yes") == [f"redriven 12 from the dead-letter queue of {NAME}"]
    assert len(account.sqs.queues[QUEUE]) == 12
    assert account.sqs.moves[-1]["DestinationArn"] == arn(QUEUE)
    assert account.sqs.moves[-1]["MaxNumberOfMessagesPerSecond"] == 50
    assert "ReceiveMessage" not in account.sqs.calls


@pytest.mark.parametrize(
    ("scaling", "size", "variables", "rate"),
    [
        ({"MaximumConcurrency": 5}, 10, {}, 50),
        ({"MaximumConcurrency": 2}, 1, {}, 2),
        ({"MaximumConcurrency": 1000}, 10, {}, 500),
        (None, 10, {}, 10),
        ({"MaximumConcurrency": 5}, 10, {"WEBHOOK_SECONDS_EACH": "0.5"}, 10),
        ({"MaximumConcurrency": 2}, 10, {"WEBHOOK_SECONDS_EACH": "4"}, 1),
    ],
)
def test_the_default_rate_is_what_the_throttle_lets_through(
    scaling: dict[str, int] | None, size: int, variables: dict[str, str], rate: int, account: Account
) -> None:
    account.mapping = MAPPING | {"BatchSize": size}
    account.mapping.pop("ScalingConfig")
    if scaling:
        account.mapping["ScalingConfig"] = scaling
    account.variables |= variables
    fill(account, Permanent=1)
    run("dead-letters", "redrive", "--yes")
    run("dead-letters", "redrive", "--yes", "--rate", "7")
    assert [task["MaxNumberOfMessagesPerSecond"] for task in account.sqs.moves] == [rate, 7]


def test_a_redrive_in_an_account_asks(account: Account) -> None:
    fill(account, Permanent=3, Busy=2)
    asked = run("dead-letters", "redrive", answer="n\n", code=1)
    assert asked[0].startswith(
        f"redrive about 5 messages of the dead-letter queue of {NAME} at 50 a second in eu-west-1"
    )
    *table, asked_last = run("dead-letters", "redrive", "--error", "Busy", answer="n\n", code=1)[:3]
    assert table[1].split() == ["2", "2", "h", "2", "h", *table[1].split()[5:7], "Busy:", "it", "is", "Busy"]
    assert asked_last.startswith(
        f"redrive these 2 messages of the dead-letter queue of {NAME} at 50 a second in eu-west-1"
    )
    assert account.sqs.queues[QUEUE] == []
    assert account.sqs.moves == []
    run("dead-letters", "redrive", "--error", "Busy", answer="y\n")
    assert len(account.sqs.queues[QUEUE]) == 2


def test_a_redrive_on_the_local_aws_does_not_ask(local: Account) -> None:
    fill(local, Permanent=3, Busy=2)
    assert run("dead-letters", "redrive", "--error", "Busy", here=True) == [
        f"redriven 2 from the dead-letter queue of {NAME}"
    ]
    assert run("dead-letters", "redrive", here=True) == [f"redriven 3 from the dead-letter queue of {NAME}"]


def test_a_redrive_that_runs_already_is_followed(account: Account) -> None:
    fill(account, Permanent=3)
    account.sqs.start_message_move_task(arn(DEAD_LETTERS), arn(QUEUE), 50)
    lines = run("dead-letters", "redrive")
    assert lines[0] == "a redrive of dead-letters is in progress already; Ctrl-C cancels it"
    assert lines[1] == f"redriven 3 from the dead-letter queue of {NAME}"
    assert len(account.sqs.moves) == 1


def test_a_redrive_to_another_queue_is_waited_for(account: Account) -> None:
    fill(account, Permanent=3)
    account.sqs.start_message_move_task(arn(DEAD_LETTERS), arn(UNVERIFIED), 50)
    (line,) = run("dead-letters", "redrive", code=1)
    assert f"a redrive of dead-letters to {arn(UNVERIFIED)} is in progress; wait for it" in line


def test_a_redrive_that_fails_is_told(account: Account) -> None:
    fill(account, Permanent=3)
    account.sqs.ends = "FAILED"
    lines = run("dead-letters", "redrive", "--yes", code=1)
    assert lines[0] == f"redriven 3 from the dead-letter queue of {NAME}"
    assert "is failed: AWS.SimpleQueueService.NonExistentQueue" in lines[1]


def test_ctrl_c_cancels_a_redrive(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(account, Permanent=9)
    pauses = iter([None, None, KeyboardInterrupt()])

    def sleep(_: float) -> None:
        if interrupt := next(pauses, None):
            raise interrupt

    monkeypatch.setattr(SLEEP, sleep)
    lines = run("dead-letters", "redrive", "--yes", code=130)
    moved = len(account.sqs.queues[QUEUE])
    assert 0 < moved < 9
    assert lines[0] == f"redriven {moved} from the dead-letter queue of {NAME}"
    assert account.sqs.moves[-1]["Status"] == "CANCELLED"


def test_ctrl_c_leaves_what_was_not_moved(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(account, Permanent=200, Busy=20)
    wait = futures.wait
    waits = iter([KeyboardInterrupt()])

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if interrupt := next(waits, None):
            raise interrupt
        return wait(*arguments, **options)

    monkeypatch.setattr("scalable_webhook_cli.dead_letters.look.wait", interrupted)
    lines = run("dead-letters", "redrive", "--error", "Permanent", "--yes", "--rate", "500", code=130)
    moved = len(account.sqs.queues[QUEUE])
    assert lines[0] == f"redriven {moved} from the dead-letter queue of {NAME}"
    assert len(account.sqs.queues[DEAD_LETTERS]) == 220 - moved == account.sqs.visible(DEAD_LETTERS)


def test_a_shared_dead_letter_queue_is_not_moved_as_a_whole(account: Account) -> None:
    account.serve("https://sqs/invoices")
    fill(account, Permanent=1, Busy=1)
    (line,) = run("dead-letters", "redrive", "--yes", code=1)
    assert f"the dead-letter queue of {NAME} is also that of invoices" in line
    assert account.sqs.moves == []
    run("dead-letters", "redrive", "--yes", "--error", "Busy")
    assert len(account.sqs.queues[QUEUE]) == 1


def test_a_dead_letter_queue_that_serves_no_queue_any_more_is_moved_all_the_same(account: Account) -> None:
    del account.sqs.attributes[QUEUE]["RedrivePolicy"]
    fill(account, Permanent=3)
    assert run("dead-letters", "redrive", "--yes") == [f"redriven 3 from the dead-letter queue of {NAME}"]
    assert account.sqs.moves == []


def test_unverified_webhooks_are_moved_one_by_one(account: Account) -> None:
    fill(account, UNVERIFIED, Unverified=12)
    assert run("unverified", "redrive", "--yes") == [f"redriven 12 from the unverified queue of {NAME}"]
    assert account.sqs.moves == []
    assert [sorted(each.attributes) for each in account.sqs.queues[QUEUE]] == [["webhook"]] * 12


def test_named_messages_alone_are_moved(account: Account) -> None:
    fill(account, Permanent=30)
    lines = run("dead-letters", "redrive", "--yes", "--id", "Permanent-7", "--id", "Permanent-12", "--json")
    assert json.loads(lines[0]) == {
        "webhook": NAME,
        "redriven": 2,
        "arrived": 0,
        "failed": {},
        "twice": 0,
        "unseen": 0,
    }
    assert len(account.sqs.queues[DEAD_LETTERS]) == 28 == account.sqs.visible(DEAD_LETTERS)
    assert "no id of the 28 messages" in run("dead-letters", "redrive", "--yes", "--id", "Permanent-7", code=1)[0]


def test_what_sqs_does_not_take_is_told_and_fails(account: Account) -> None:
    fill(account, Permanent=30)
    account.sqs.faults = 0.5
    lines = run("dead-letters", "redrive", "--yes", "--error", "Permanent", code=1)
    assert any(line.endswith(": InternalError: try again") for line in lines)


def test_a_paused_webhook_is_told(account: Account) -> None:
    account.mapping |= {"State": "Disabled"}
    fill(account, Permanent=1)
    assert run("dead-letters", "redrive", "--yes")[-1] == (f"{NAME} is paused; next: scalable-webhook resume {NAME}")


@pytest.mark.parametrize(
    ("denied", "command", "action"),
    [
        ("ReceiveMessage", ("dead-letters", "list"), "sqs:ReceiveMessage on dead-letters"),
        ("ListDeadLetterSourceQueues", ("dead-letters", "redrive"), "sqs:ListDeadLetterSourceQueues on dead-letters"),
        ("StartMessageMoveTask", ("dead-letters", "redrive"), "sqs:StartMessageMoveTask on dead-letters"),
        ("ListMessageMoveTasks", ("dead-letters", "redrive"), "sqs:ListMessageMoveTasks on dead-letters"),
        ("SendMessageBatch", ("unverified", "redrive"), "sqs:SendMessage on queue"),
        ("DeleteMessageBatch", ("unverified", "delete", "--all"), "sqs:DeleteMessage on unverified"),
    ],
)
def test_a_permission_that_is_missing_is_named(
    denied: str, command: tuple[str, ...], action: str, account: Account
) -> None:
    fill(account, Permanent=3)
    fill(account, UNVERIFIED, Unverified=3)
    account.sqs.denied.add(denied)
    yes = () if command[1] == "list" else ("--yes",)
    lines = run(*command, *yes, code=1)
    assert f"scalable-webhook: it needs the permission {action}: " in lines[-1]


# Deleting.


def test_delete_shows_what_it_deletes_and_asks(account: Account) -> None:
    fill(account, Permanent=3, Busy=2)
    lines = run("dead-letters", "delete", "--error", "Busy", answer="n\n", code=1)
    assert lines[1].split()[0] == "2"
    assert lines[2].startswith(
        f"delete these 2 messages of the dead-letter queue of {NAME} for good in eu-west-1 of account"
    )
    assert len(account.sqs.queues[DEAD_LETTERS]) == 5 == account.sqs.visible(DEAD_LETTERS)
    assert run("dead-letters", "delete", "--error", "Busy", answer="y\n")[-1] == (
        f"deleted 2 from the dead-letter queue of {NAME}"
    )
    assert run("dead-letters", "delete", "--all", "--yes") == [f"deleted 3 from the dead-letter queue of {NAME}"]
    assert account.sqs.queues[QUEUE] == []


def test_delete_asks_on_a_terminal_of_the_local_aws_as_well(local: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(local, Permanent=3)
    monkeypatch.setattr(commands, "_is_asked", lambda: True)
    lines = run("dead-letters", "delete", "--all", answer="n\n", code=1, here=True)
    assert lines[-2].startswith(f"delete these 3 messages of the dead-letter queue of {NAME} for good?")
    assert len(local.sqs.queues[DEAD_LETTERS]) == 3
    run("dead-letters", "delete", "--all", "--yes", here=True)
    assert local.sqs.queues[DEAD_LETTERS] == []


def test_delete_in_a_script_of_the_local_aws_does_not_ask(local: Account) -> None:
    fill(local, Permanent=3)
    assert run("dead-letters", "delete", "--all", here=True) == [f"deleted 3 from the dead-letter queue of {NAME}"]


def test_a_question_tells_what_it_could_not_see(account: Account) -> None:
    stored = fill(account, Permanent=3)
    stored[0].visible_at = time.time() + 600
    lines = run("dead-letters", "delete", "--all", answer="n\n", code=1)
    assert "and those of about 1 more that it cannot see," in lines[-2]


def test_what_to_delete_has_to_be_named(account: Account) -> None:
    assert "--error, --id, or --all" in run("dead-letters", "delete", "--yes", code=1)[0]
    for other in (("--error", "x"), ("--id", "x")):
        (line,) = run("dead-letters", "delete", "--all", *other, "--yes", code=1)
        assert "--all must not be set together with" in line


# Queues that are not there.


def test_a_webhook_without_the_queue_is_told(account: Account) -> None:
    account.variables.clear()
    account.sqs.attributes[QUEUE].clear()
    assert "has no dead-letter queue; set one in the app" in run("dead-letters", "list", code=1)[0]
    assert "has no unverified queue" in run("unverified", "list", code=1)[0]


def test_a_consumer_of_the_users_own_has_the_dead_letter_queue_of_its_queue(account: Account) -> None:
    account.variables.clear()
    fill(account, Permanent=1)
    assert run("dead-letters", "list")[0].startswith("1 in the dead-letter queue of")


def test_a_text_of_a_client_has_no_effect_in_json(account: Account, tmp_path: Path) -> None:
    hostile = "\x9b31m \u202e \U000e0041 \u2028 \ufeff \x85 é 🎉"
    account.sqs.put(DEAD_LETTERS, set_aside(webhook(hostile, id=hostile), "Busy", hostile, sent_at=1))
    (line,) = run("dead-letters", "list", "--json")
    assert line.isprintable()
    assert json.loads(line)["groups"][0]["reason"] == hostile
    assert json.loads(output(hostile, "--payload", "--json"))["payload"] == hostile
