"""Compare run time and local AWS with recordings of SQS and its event source mappings.

If MiniStack differs, the fact has ``local_aws``, and a test on MiniStack proves nothing for AWS. If a test finds
MiniStack fixed, remove that entry.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError

from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import wait_for
from webhook_runtime import message
from webhook_runtime.batch import Message
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.outcome import STORED, Kind, Outcome
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.testing import sqs_event, webhook

from ..runtime.doubles import Invocation, Sqs
from ..runtime.events import record, request
from ..suite.patience import SECONDS
from .facts import FACTS

GROUP = ["foo", "bar", "baz"]


def local(id: str) -> dict[str, Any]:
    """Return the expected behaviour of the local AWS, which is that of AWS unless noted."""
    expected: dict[str, Any] = FACTS[id].get("local_aws", FACTS[id]["recorded"])
    return expected


# Run time.


@dataclass
class Fails:
    """A sink in which some webhooks fail."""

    ids: set[str]

    def store(self, webhooks: Any, _deadline: object) -> Iterator[Outcome]:
        for each in webhooks:
            yield Outcome(Kind.RETRY, "Busy", "try again") if each.id in self.ids else STORED


def consume(sqs: Sqs, records: list[dict[str, Any]], *failing: str, fifo: bool = False) -> Any:
    """Return the response of our consumer to a batch."""
    if fifo:
        records = [each | {"eventSourceARN": each["eventSourceARN"] + ".fifo"} for each in records]
    redelivery = Redelivery(sqs, "https://sqs/queue", Backoff(60, 60))
    consumer = Consumer(Fails(set(failing)), redelivery, DeadLetters(sqs, "https://sqs/dead_letters"))
    return consumer.handle({"Records": records}, Invocation())


def records(*ids: str) -> list[dict[str, Any]]:
    return [sqs_event(webhook(id=id)._replace(message_id=id))["Records"][0] for id in ids]


def test_a_record_of_our_tests_has_the_form_of_lambdas() -> None:
    recorded = FACTS["esm-record"]["recorded"]
    for made in (record("body", None), records("a")[0]):
        assert sorted(made) == recorded["keys"]
        assert sorted(made["attributes"]) == recorded["attributes"]
    assert record("body", None)["messageAttributes"] == recorded["messageAttributes"]
    assert {
        *record("body", None, group="1")["attributes"],
        *("MessageDeduplicationId", "SequenceNumber"),
    } == set(FACTS["esm-record-fifo"]["recorded"]["attributes"])


def test_a_dead_letter_has_the_attributes_of_its_record() -> None:
    fact, dead_letters = FACTS["esm-record-attributes"], Sqs()
    foreign = record("x", None) | {"messageAttributes": fact["recorded"]["messageAttributes"]}
    assert consume(dead_letters, [foreign]) == {"batchItemFailures": []}
    (sent,) = dead_letters.sent
    assert sent["MessageAttributes"].items() >= fact["request"]["MessageAttributes"].items()


def test_a_group_is_retried_from_its_first_failed_message() -> None:
    """Compare with the response by which AWS was recorded to retry messages 2, 3 and 4 in order."""
    fact = FACTS["esm-batch-item-failures-fifo"]
    answer = consume(Sqs(), records(*fact["request"]["messages"]), "2", fifo=True)
    assert answer == {"batchItemFailures": [{"itemIdentifier": id} for id in fact["request"]["reported"][0]]}


def test_nothing_is_delivered_before_a_postponed_message() -> None:
    """SQS holds back the messages behind a hidden one, but not those before it, which are stored."""
    fact = FACTS["fifo-visibility-extended"]
    for failed, meanwhile in zip(fact["request"]["extended"], fact["recorded"]["received"], strict=True):
        sqs = Sqs()
        answer = consume(sqs, records(*GROUP), failed, fifo=True)
        postponed = [receipt.removeprefix("receipt of ") for receipt in sqs.delays()]
        assert [id for id in GROUP if id not in postponed] == meanwhile
        assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == postponed
        assert len(set(sqs.delays().values())) == 1


def test_a_malformed_message_fails_no_other_message_of_its_batch() -> None:
    """A function that raises would fail the whole batch."""
    bad, _ = FACTS["esm-function-raises"]["request"]["messages"]
    dead_letters = Sqs()
    assert consume(dead_letters, [record(bad, None), *records("good")]) == {"batchItemFailures": []}
    assert [sent["MessageBody"] for sent in dead_letters.sent] == [bad]


# "can only include alphanumeric and punctuation characters. 1 to 128 in length"
VALID = re.compile("[!-~]{1,128}")


def test_ids_for_a_fifo_queue_have_only_characters_that_it_accepts() -> None:
    for id, name in (
        ("group-standard-rejected", "MessageGroupId"),
        ("deduplication-rejected", "MessageDeduplicationId"),
    ):
        assert [call[name] for call in FACTS[id]["request"]["calls"] if VALID.fullmatch(call[name])] == []
    sqs = Sqs()
    Publisher(PublisherSettings("https://sqs/queue.fifo", None), sqs).handle(request(b"x"), None)
    consume(sqs, [record("no webhook", None, group="tenant")], fifo=True)
    assert len(sqs.sent) == 2
    for sent in sqs.sent:
        assert VALID.fullmatch(sent["MessageGroupId"])
        assert VALID.fullmatch(sent["MessageDeduplicationId"])


@pytest.mark.parametrize("id", ["send-empty-attribute", "send-attribute-invalid-characters"])
def test_a_reason_that_sqs_would_reject_is_not_sent(id: str) -> None:
    (call,) = FACTS[id]["request"]["calls"]
    rejected = call["MessageAttributes"]["reason"]["StringValue"]
    dead_letters, bad = Sqs(), Message(record("x", None))
    bad.ends(Outcome(Kind.PERMANENT, "Bad", rejected))
    queue = DeadLetters(dead_letters, "https://sqs/dead_letters")
    assert [queue.send(entries) for entries in queue.calls([bad])] == [{}]
    (sent,) = dead_letters.sent
    reason = sent["MessageAttributes"]["reason"]["StringValue"]
    assert reason
    assert message.sqs_text(reason) == reason


def test_a_payload_that_sqs_would_reject_travels_as_base64() -> None:
    (call,) = FACTS["send-invalid-characters"]["request"]["calls"]
    body, attribute = message.write(webhook(call["MessageBody"]))
    assert parse_qs(attribute)["encoding"] == ["base64"]
    assert message.sqs_text(body) == body


# The local AWS.


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running() as started:
        yield started


class Queues:
    """Queues of SQS, with dead-letter queues on request."""

    _number = count()

    def __init__(self, emulator: Emulator) -> None:
        self.sqs = emulator.client("sqs")

    def make(self, fifo: bool = False, **attributes: str) -> str:
        name = f"queue-{next(self._number)}" + (".fifo" if fifo else "")
        made = self.sqs.create_queue(QueueName=name, Attributes=attributes | ({"FifoQueue": "true"} if fifo else {}))
        return str(made["QueueUrl"])

    def with_dead_letters(self, max_receive_count: int, fifo: bool = False, visibility: int = 0) -> tuple[str, str]:
        dead_letters = self.make(fifo)
        policy = {"deadLetterTargetArn": self.arn(dead_letters), "maxReceiveCount": max_receive_count}
        return self.make(fifo, RedrivePolicy=json.dumps(policy), VisibilityTimeout=str(visibility)), dead_letters

    def arn(self, url: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def send(self, url: str, body: str, group: str = "", id: str = "") -> str:
        ids = {"MessageGroupId": group, "MessageDeduplicationId": id or body} if group else {}
        return str(self.sqs.send_message(QueueUrl=url, MessageBody=body, **ids)["MessageId"])

    def receive(self, url: str, most: int = 10) -> list[dict[str, Any]]:
        every = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, **every).get("Messages", [])
        return list(found)

    def bodies(self, url: str, most: int = 10) -> list[str]:
        return [each["Body"] for each in self.receive(url, most)]


@pytest.fixture(scope="module")
def queues(emulator: Emulator) -> Queues:
    return Queues(emulator)


def error_of(call: Any, **arguments: Any) -> list[Any] | None:
    """Return status and code of the error of a call, or None."""
    try:
        call(**arguments)
    except ClientError as error:
        return [error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]]
    return None


REJECTED = [id for id, fact in FACTS.items() if "errors" in fact["recorded"]]


@pytest.mark.parametrize("id", REJECTED)
def test_sqs_rejects_the_recorded_calls(id: str, queues: Queues) -> None:
    asked = FACTS[id]["request"]
    url = queues.make(asked["fifo"]) + ("-absent" if asked.get("absent") else "")
    found = [error_of(queues.sqs.send_message, QueueUrl=url, **call) for call in asked["calls"]]
    assert found == local(id)["errors"]


def test_the_trace_of_a_call_becomes_that_of_its_message(queues: Queues) -> None:
    """API Gateway and the publisher send the header, so no template has to write the attribute."""
    id, url = "send-trace-by-http-header", queues.make()

    def trace(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = FACTS[id]["request"]["trace"]

    queues.sqs.meta.events.register("before-send.sqs.SendMessage", trace)
    try:
        queues.send(url, "x")
    finally:
        queues.sqs.meta.events.unregister("before-send.sqs.SendMessage", trace)
    (received,) = queues.receive(url)
    assert received["Attributes"].get("AWSTraceHeader") == local(id)["AWSTraceHeader"]


def test_a_standard_queue_returns_the_group_of_a_message(queues: Queues) -> None:
    fact, url = FACTS["group-standard"], queues.make()
    queues.sqs.send_message(QueueUrl=url, MessageBody="x", **fact["request"])
    (received,) = queues.receive(url)
    assert sorted(received["Attributes"]) == local("group-standard")["attributes"]


@pytest.mark.parametrize("id", ["fifo-deduplication-after-delete", "fifo-deduplication-across-groups"])
def test_a_fifo_queue_accepts_an_id_once(id: str, queues: Queues) -> None:
    url, received = queues.make(fifo=True), []
    for body, group, deduplication in FACTS[id]["request"]["sent"]:
        queues.send(url, body, group, deduplication)
        found = queues.receive(url)
        received.append([each["Body"] for each in found])
        for each in found:
            queues.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    assert received == local(id)["received"]


def test_one_receive_holds_several_groups(queues: Queues) -> None:
    id, url = "fifo-batch-of-groups", queues.make(fifo=True)
    for body in FACTS[id]["request"]["sent"]:
        queues.send(url, body, group=body.partition("-")[0])
    assert queues.bodies(url) == local(id)["received"]


def test_messages_behind_a_postponed_message_wait_with_it(queues: Queues) -> None:
    id = "fifo-visibility-extended"
    for extended, expected in zip(FACTS[id]["request"]["extended"], local(id)["received"], strict=True):
        url = queues.make(fifo=True, VisibilityTimeout="1")
        for body in GROUP:
            queues.send(url, body, group="g")
        queues.send(url, "of another group", group="other")
        receipts = {each["Body"]: each["ReceiptHandle"] for each in queues.receive(url)}
        queues.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipts[extended], VisibilityTimeout=60)
        found: list[str] = []

        def came(url: str = url, found: list[str] = found) -> bool:
            found += queues.bodies(url)
            return "of another group" in found

        assert wait_for(came, SECONDS)
        assert [body for body in found if body in GROUP] == expected


def test_a_delete_after_the_visibility_timeout_has_the_recorded_result(queues: Queues) -> None:
    late, clock = (queues.make(fifo=True, VisibilityTimeout="1") for _ in range(2))
    for url in (late, clock):
        queues.send(url, "x", group="g")
    (received,) = queues.receive(late)
    queues.receive(clock)
    assert wait_for(lambda: queues.bodies(clock) == ["x"], SECONDS)
    found = error_of(queues.sqs.delete_message, QueueUrl=late, ReceiptHandle=received["ReceiptHandle"])
    assert found == local("fifo-delete-too-late")["error"]


def test_a_group_continues_after_its_first_message_is_dead_lettered(queues: Queues) -> None:
    id = "dlq-fifo-goes-on"
    asked = FACTS[id]["request"]
    url, dead_letters = queues.with_dead_letters(asked["max_receive_count"], fifo=True)
    for body in asked["group"]:
        queues.send(url, body, group="g")
    received = [queues.bodies(url, most=1) for _ in local(id)["received"]]
    assert received == [[body] for body in local(id)["received"]]
    assert queues.bodies(dead_letters) == local(id)["dead_letters"]


def test_a_message_that_sqs_moves_keeps_its_attributes(queues: Queues) -> None:
    id = "dlq-moved-by-sqs"
    asked = FACTS[id]["request"]
    url, dead_letters = queues.with_dead_letters(max_receive_count=1)
    sent = queues.sqs.send_message(QueueUrl=url, MessageBody="x", **asked)
    (received,) = queues.receive(url)
    assert queues.receive(url) == []
    (dead_letter,) = queues.receive(dead_letters)
    assert (dead_letter["MessageId"] == sent["MessageId"]) == (local(id)["MessageId"] == "unchanged")
    assert dead_letter["MessageAttributes"] == asked["MessageAttributes"]
    assert sorted(dead_letter["Attributes"].keys() - received["Attributes"].keys()) == local(id)["added"]
    assert dead_letter["Attributes"]["ApproximateReceiveCount"] == local(id)["ApproximateReceiveCount"]


FUNCTION = """
import json, os

def handler(event, _context):
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(json.dumps(event["Records"]) + "\\n")
    answer = json.loads(os.environ["ANSWER"])
    if answer == "raises":
        raise ValueError(event["Records"][0]["body"])
    if isinstance(answer, list):  # what fails at which receive
        now = int(event["Records"][0]["attributes"]["ApproximateReceiveCount"]) - 1
        failed = [each["messageId"] for each in event["Records"] if each["body"] in answer[now]]
        answer = {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}
    return answer
"""


@dataclass
class Mapped:
    """A queue with a function that records its calls."""

    queues: Queues
    url: str
    dead_letters: str
    seen: Path

    def calls(self) -> list[list[dict[str, Any]]]:
        return [json.loads(line) for line in self.seen.read_text().splitlines()] if self.seen.exists() else []

    def is_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.queues.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return [found[name] for name in names] == ["0", "0"]


class Mappings:
    """All recorded event source mappings at once, since each waits for retries."""

    def __init__(self, emulator: Emulator, queues: Queues, folder: Path) -> None:
        self._lambda = emulator.client("lambda")
        self._queues = queues
        self._folder = folder
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("function.py", FUNCTION)
        self._code = code.getvalue()

    def make(self, id: str, sent: list[dict[str, Any]], answer: Any, fifo: bool = False, **more: Any) -> Mapped:
        # Long enough for a function to start on a busy machine.
        url, dead_letters = self._queues.with_dead_letters(max_receive_count=2, fifo=fifo, visibility=6)
        seen = self._folder / id
        for each in sent:
            self._queues.sqs.send_message(QueueUrl=url, **each)
        self._lambda.create_function(
            FunctionName=id,
            Runtime="python3.14",
            Handler="function.handler",
            Role="arn:aws:iam::000000000000:role/any",
            Code={"ZipFile": self._code},
            Timeout=6,
            Environment={"Variables": {"SEEN": str(seen), "ANSWER": json.dumps(answer)}},
        )
        self._lambda.create_event_source_mapping(
            EventSourceArn=self._queues.arn(url),
            FunctionName=id,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            **more,
        )
        return Mapped(self._queues, url, dead_letters, seen)


@pytest.fixture(scope="module")
def mapped(emulator: Emulator, queues: Queues, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapped]:
    mappings = Mappings(emulator, queues, tmp_path_factory.mktemp("seen"))
    made = {
        id: mappings.make(
            id, [{"MessageBody": body} for body in FACTS[id]["request"]["messages"]], FACTS[id]["request"]["answer"]
        )
        for id in ("esm-batch-item-failures-invalid", "esm-batch-item-failures-empty", "esm-function-raises")
    }
    made["esm-record"] = mappings.make("esm-record", [FACTS["esm-record"]["request"]], {})
    attributed = [{"MessageBody": "x", **FACTS["esm-record-attributes"]["request"]}]
    made["esm-record-attributes"] = mappings.make("esm-record-attributes", attributed, {})
    ids = FACTS["esm-record-fifo"]["request"]
    made["esm-record-fifo"] = mappings.make("esm-record-fifo", [{"MessageBody": "x", **ids}], {}, fifo=True)
    fifo = FACTS["esm-batch-item-failures-fifo"]["request"]
    group = [{"MessageBody": body, "MessageGroupId": "1", "MessageDeduplicationId": body} for body in fifo["messages"]]
    made["esm-batch-item-failures-fifo"] = mappings.make("esm-fifo", group, fifo["reported"], fifo=True)
    filtered = FACTS["esm-filter-no-json"]["request"]
    made["esm-filter-no-json"] = mappings.make(
        "esm-filter-no-json",
        [{"MessageBody": body} for body in filtered["messages"]],
        {},
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": filtered["pattern"]})}]},
    )
    return made


@pytest.mark.parametrize(
    "id",
    [
        *("esm-batch-item-failures-invalid", "esm-batch-item-failures-empty", "esm-batch-item-failures-fifo"),
        "esm-function-raises",
    ],
)
@pytest.mark.slow(10)
def test_a_mapping_retries_the_recorded_messages(id: str, mapped: Mapping[str, Mapped]) -> None:
    expected = local(id)
    dead_letters: list[str] = []

    def over() -> bool:
        dead_letters.extend(mapped[id].queues.bodies(mapped[id].dead_letters))
        return bool(mapped[id].calls()) and mapped[id].is_empty() and len(dead_letters) >= len(expected["dead_letters"])

    assert wait_for(over, SECONDS), (mapped[id].calls(), dead_letters)
    assert sorted(dead_letters) == sorted(expected["dead_letters"])
    if "calls" in expected:
        calls = [
            [[each["body"], each["attributes"]["ApproximateReceiveCount"]] for each in call]
            for call in mapped[id].calls()
        ]
        assert calls == expected["calls"]


def first_record(mapped: Mapped) -> dict[str, Any]:
    assert wait_for(lambda: bool(mapped.calls()), SECONDS)
    found: dict[str, Any] = mapped.calls()[0][0]
    return found


def test_a_record_has_the_recorded_form(mapped: Mapping[str, Mapped]) -> None:
    plain, recorded = first_record(mapped["esm-record"]), local("esm-record")
    assert sorted(plain) == recorded["keys"]
    assert sorted(plain["attributes"]) == recorded["attributes"]
    assert plain["messageAttributes"] == recorded["messageAttributes"]
    attributed = first_record(mapped["esm-record-attributes"])
    assert attributed["messageAttributes"] == local("esm-record-attributes")["messageAttributes"]
    fifo = first_record(mapped["esm-record-fifo"])
    assert sorted(fifo["attributes"]) == local("esm-record-fifo")["attributes"]


def test_a_body_that_is_no_json_matches_no_filter_and_is_deleted(mapped: Mapping[str, Mapped]) -> None:
    filtered = mapped["esm-filter-no-json"]
    assert wait_for(lambda: bool(filtered.calls()) and filtered.is_empty(), SECONDS)
    assert [each["body"] for call in filtered.calls() for each in call] == local("esm-filter-no-json")["invoked_with"]


@pytest.mark.parametrize("fifo", [True, False])
@pytest.mark.parametrize("group", ["a b", "é", "x" * 129, "日本"])
def test_a_group_that_sqs_does_not_take_is_rejected(group: str, fifo: bool, queues: Queues) -> None:
    """AWS is recorded to do so, and users report this text."""
    url = queues.make(fifo)
    unique = {"MessageDeduplicationId": "1"} if fifo else {}
    with pytest.raises(ClientError, match="1 to 128 in length") as error:
        queues.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId=group, **unique)
    assert error.value.response["Error"]["Code"] == "InvalidParameterValue"
    batch = queues.sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "MessageBody": "x", "MessageGroupId": "!~a-Z0", **unique},
            {"Id": "bad", "MessageBody": "x", "MessageGroupId": group, **unique},
        ],
    )
    assert [each["Id"] for each in batch["Successful"]] == ["good"]
    assert [each["Id"] for each in batch["Failed"]] == ["bad"]
