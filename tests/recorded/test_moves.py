"""Replay the moves out of a dead-letter queue that were recorded from AWS: StartMessageMoveTask and its kin."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError

from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import wait_for

from .. import signed
from ..suite.patience import SECONDS
from .facts import FACTS
from .test_queues import Queues


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def queues(emulator: Emulator) -> Queues:
    return Queues(emulator)


class Moves:
    """A dead-letter queue, and a queue to move its messages to."""

    def __init__(self, queues: Queues, fifo: bool = False) -> None:
        self.queues, self.sqs = queues, queues.sqs
        self.queue, self.dead_letters = queues.with_dead_letters(max_receive_count=1, fifo=fifo)
        self.source, self.destination = queues.arn(self.dead_letters), queues.arn(self.queue)
        self.policy = json.dumps({"deadLetterTargetArn": self.source, "maxReceiveCount": 1})

    def fill(self, number: int) -> list[str]:
        bodies = [f"letter {n}" for n in range(number)]
        for body in bodies:
            self.queues.send(self.dead_letters, body)
        return bodies

    def start(self, **more: Any) -> str:
        arguments = {"SourceArn": self.source, "DestinationArn": self.destination} | more
        return str(self.sqs.start_message_move_task(**arguments)["TaskHandle"])

    def latest(self) -> dict[str, Any]:
        (task,) = self.sqs.list_message_move_tasks(SourceArn=self.source)["Results"]
        return dict(task)

    def ended(self) -> dict[str, Any]:
        assert wait_for(lambda: self.latest()["Status"] not in ("RUNNING", "CANCELLING"), SECONDS)
        return self.latest()

    def left(self) -> int:
        return self._count(self.dead_letters)

    def moved(self) -> int:
        return self._count(self.queue)

    def _count(self, url: str) -> int:
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


@pytest.fixture
def moves(queues: Queues) -> Moves:
    return Moves(queues)


def as_recorded(task: dict[str, Any], id: str) -> bool:
    """Compare a task with a recording. How much was moved by then depends on the clock."""
    recorded = FACTS[id]["recorded"]
    told = {
        "keys": sorted(task),
        "Status": task["Status"],
        "moved": task["ApproximateNumberOfMessagesMoved"],
        "to_move": task["ApproximateNumberOfMessagesToMove"],
        "rate": task.get("MaxNumberOfMessagesPerSecond"),
        "reason": task.get("FailureReason"),
    }
    return {name: told[name] for name in recorded} == dict(recorded)


def rejected(call: Any, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response
    return {
        "error": [answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]],
        "message": answer["Error"]["Message"],
        "query_error_code": answer["Error"]["QueryErrorCode"],
    }


def test_messages_move_to_a_destination(moves: Moves) -> None:
    bodies = moves.fill(FACTS["move-to-destination"]["request"]["letters"])
    moves.start()
    assert as_recorded(moves.ended(), "move-to-destination")
    assert sorted(moves.queues.bodies(moves.queue)) == bodies
    assert moves.left() == 0


def test_without_a_destination_messages_return_to_their_own_queues(queues: Queues, moves: Moves) -> None:
    other = queues.make(VisibilityTimeout="0", RedrivePolicy=moves.policy)
    for url in (moves.queue, other):
        queues.send(url, f"of {url}")
        assert queues.bodies(url)
        assert queues.bodies(url) == []  # moved
    moves.sqs.start_message_move_task(SourceArn=moves.source)
    assert as_recorded(moves.ended(), "move-to-sources")
    assert [queues.bodies(url) for url in (moves.queue, other)] == [[f"of {moves.queue}"], [f"of {other}"]]


def test_a_queue_that_serves_no_other_is_rejected(queues: Queues, moves: Moves) -> None:
    source = queues.arn(queues.make())
    assert rejected(moves.sqs.start_message_move_task, SourceArn=source) == FACTS["move-source-not-a-dlq"]["recorded"]


def test_an_absent_destination_is_rejected(moves: Moves) -> None:
    absent = moves.destination + "-absent"
    found = rejected(moves.sqs.start_message_move_task, SourceArn=moves.source, DestinationArn=absent)
    assert found == FACTS["move-destination-absent"]["recorded"]


def test_a_second_move_is_rejected_while_one_runs(moves: Moves) -> None:
    moves.fill(3)
    handle = moves.start(MaxNumberOfMessagesPerSecond=1)
    assert rejected(moves.sqs.start_message_move_task, SourceArn=moves.source) == FACTS["move-twice"]["recorded"]
    moves.sqs.cancel_message_move_task(TaskHandle=handle)
    moves.ended()
    moves.start()
    assert moves.ended()["Status"] == "COMPLETED"


def test_a_move_that_runs_is_listed_and_can_be_cancelled(moves: Moves) -> None:
    asked = FACTS["move-running"]["request"]
    moves.fill(asked["letters"])
    handle = moves.start(MaxNumberOfMessagesPerSecond=asked["rate"])
    running = moves.latest()
    assert as_recorded(running, "move-running")
    assert running["TaskHandle"] == handle
    assert moves.sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] < asked["letters"]
    ended = moves.ended()
    assert as_recorded(ended, "move-cancelled")
    assert moves.moved() == ended["ApproximateNumberOfMessagesMoved"]
    assert moves.moved() + moves.left() == asked["letters"]
    cancelled = rejected(moves.sqs.cancel_message_move_task, TaskHandle=handle)
    assert cancelled["error"] == [404, "ResourceNotFoundException"]


def test_a_move_fails_with_its_destination(moves: Moves) -> None:
    asked = FACTS["move-failed"]["request"]
    moves.fill(asked["letters"])
    destination = moves.queues.make()
    moves.start(DestinationArn=moves.queues.arn(destination), MaxNumberOfMessagesPerSecond=asked["rate"])
    moves.sqs.delete_queue(QueueUrl=destination)
    ended = moves.ended()
    assert as_recorded(ended, "move-failed")
    assert moves.left() == asked["letters"] - ended["ApproximateNumberOfMessagesMoved"]


# AWS documents these, and no recording has them.


def test_a_message_that_was_sent_there_has_no_source(moves: Moves) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-dlq-redrive.html"""
    moves.fill(1)
    moves.sqs.start_message_move_task(SourceArn=moves.source)
    ended = moves.ended()
    assert (ended["Status"], ended["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert moves.left() == 1


def test_a_moved_message_is_a_new_one_with_its_attributes(queues: Queues, moves: Moves) -> None:
    attributes = {"webhook": {"DataType": "String", "StringValue": "v=1"}}
    sent = moves.sqs.send_message(QueueUrl=moves.queue, MessageBody="x", MessageAttributes=attributes)
    queues.receive(moves.queue)
    assert queues.receive(moves.queue) == []
    moves.start()
    moves.ended()
    (received,) = queues.receive(moves.queue)
    assert received["MessageAttributes"] == attributes
    assert received["MessageId"] != sent["MessageId"]
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "DeadLetterQueueSourceArn" not in received["Attributes"]


def test_a_fifo_queue_keeps_order_and_groups(queues: Queues) -> None:
    moves = Moves(queues, fifo=True)
    sent = [(f"{group}{n}", group) for n in range(7) for group in "ab"]
    for body, group in sent:
        # One deduplication id in two groups: a move must not lose the second.
        queues.send(moves.dead_letters, body, group, body)
        queues.send(moves.queue, f"earlier {body}", group, body)
    moves.start()
    assert moves.ended()["ApproximateNumberOfMessagesMoved"] == len(sent)
    found = []
    while received := queues.receive(moves.queue):
        found += [(each["Body"], each["Attributes"]["MessageGroupId"]) for each in received]
        for each in received:
            moves.sqs.delete_message(QueueUrl=moves.queue, ReceiptHandle=each["ReceiptHandle"])
    for group in "ab":
        moved = [body for body, of in found if of == group and not body.startswith("earlier")]
        assert moved == [body for body, of in sent if of == group]


def test_hidden_and_later_messages_stay(queues: Queues, moves: Moves) -> None:
    moves.fill(4)
    (hidden,) = queues.receive(moves.dead_letters, most=1)
    moves.sqs.change_message_visibility(
        QueueUrl=moves.dead_letters, ReceiptHandle=hidden["ReceiptHandle"], VisibilityTimeout=600
    )
    handle = moves.start(MaxNumberOfMessagesPerSecond=2)
    queues.send(moves.dead_letters, "later")
    ended = moves.ended()
    assert (ended["ApproximateNumberOfMessagesMoved"], ended["ApproximateNumberOfMessagesToMove"]) == (3, 3)
    assert handle
    assert queues.bodies(moves.dead_letters) == ["later"]


@pytest.mark.parametrize("rate", [0, -1, 501])
def test_a_rate_out_of_its_limits_is_rejected(rate: int, moves: Moves) -> None:
    found = rejected(moves.start, MaxNumberOfMessagesPerSecond=rate)
    assert found["error"] == [400, "InvalidParameterValue"]
    assert "MaxNumberOfMessagesPerSecond" in found["message"]


@pytest.mark.parametrize(
    "arn", ["orders", "arn:aws:sqs:us-east-1:000000000000", "arn:aws:sqs:us-east-1:000000000000:x:y"]
)
def test_what_is_no_arn_is_rejected(arn: str, moves: Moves) -> None:
    for call in (moves.sqs.start_message_move_task, moves.sqs.list_message_move_tasks):
        assert rejected(call, SourceArn=arn)["error"][1] in ("InvalidParameterValue", "ResourceNotFoundException")


@pytest.mark.parametrize("handle", ["x", "e30=", "bnVsbA==", ""])
def test_what_is_no_handle_is_rejected(handle: str, moves: Moves) -> None:
    assert rejected(moves.sqs.cancel_message_move_task, TaskHandle=handle)["error"] == [400, "InvalidParameterValue"]


def test_queues_of_another_kind_do_not_move(queues: Queues, moves: Moves) -> None:
    fifo = queues.arn(queues.make(fifo=True))
    assert rejected(moves.start, DestinationArn=fifo)["error"] == [400, "InvalidParameterValue"]


def test_the_latest_ten_moves_are_listed(moves: Moves) -> None:
    for _ in range(12):
        moves.start()
        moves.ended()
    assert len(moves.sqs.list_message_move_tasks(SourceArn=moves.source)["Results"]) == 1
    found = moves.sqs.list_message_move_tasks(SourceArn=moves.source, MaxResults=10)["Results"]
    started = [task["StartedTimestamp"] for task in found]
    assert len(started) == 10
    assert started == sorted(started, reverse=True)
    found = rejected(moves.sqs.list_message_move_tasks, SourceArn=moves.source, MaxResults=11)
    assert found["error"] == [400, "InvalidParameterValue"]


def test_the_queues_that_a_dead_letter_queue_serves_are_listed(queues: Queues, moves: Moves) -> None:
    assert moves.sqs.list_dead_letter_source_queues(QueueUrl=moves.queue)["queueUrls"] == []
    urls = [moves.queue, *(queues.make(RedrivePolicy=moves.policy) for _ in range(2))]
    pages = moves.sqs.get_paginator("list_dead_letter_source_queues").paginate(
        QueueUrl=moves.dead_letters, PaginationConfig={"PageSize": 2}
    )
    assert [sorted(page["queueUrls"]) for page in pages] == [sorted(urls[:2]), urls[2:]]


def test_the_query_protocol_has_the_same_actions(emulator: Emulator, moves: Moves) -> None:
    """The protocol of older SDKs, which API Gateway speaks too."""

    def query(action: str, **parameters: str) -> tuple[int, ElementTree.Element]:
        form = urlencode({"Action": action, **parameters}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = signed.call(emulator.key, "POST", f"{emulator.endpoint}/", form, "sqs", **kind)
        return answer.status_code, ElementTree.fromstring(answer.content)

    space = {"sqs": "http://queue.amazonaws.com/doc/2012-11-05/"}
    moves.fill(2)
    status, started = query("StartMessageMoveTask", SourceArn=moves.source, DestinationArn=moves.destination)
    assert status == 200
    assert started.find("sqs:StartMessageMoveTaskResult/sqs:TaskHandle", space) is not None
    moves.ended()
    _, listed = query("ListMessageMoveTasks", SourceArn=moves.source, MaxResults="10")
    (task,) = listed.findall("sqs:ListMessageMoveTasksResult/sqs:ListMessageMoveTasksResultEntry", space)
    assert task.findtext("sqs:Status", namespaces=space) == "COMPLETED"
    _, sources = query("ListDeadLetterSourceQueues", QueueUrl=moves.dead_letters)
    assert sources.findtext("sqs:ListDeadLetterSourceQueuesResult/sqs:QueueUrl", namespaces=space) == moves.queue
    status, failed = query("CancelMessageMoveTask", TaskHandle="x")
    assert (status, failed.findtext("sqs:Error/sqs:Code", namespaces=space)) == (400, "InvalidParameterValue")


def test_a_move_is_of_its_region(emulator: Emulator, moves: Moves) -> None:
    elsewhere = emulator.within("eu-central-1").client("sqs")
    found = rejected(elsewhere.list_message_move_tasks, SourceArn=moves.source.replace("us-east-1", "eu-central-1"))
    assert found["error"] == [404, "ResourceNotFoundException"]
