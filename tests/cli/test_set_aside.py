"""Messages that are set aside: how they are read, looked at, redriven and deleted, however SQS behaves and whenever the
process is killed.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from threading import Event
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scalable_webhook_cli.dead_letters import look as looks
from scalable_webhook_cli.dead_letters import redrive
from scalable_webhook_cli.dead_letters.look import look
from scalable_webhook_cli.dead_letters.message import MOVED_BY_SQS, NO_ERROR, Message
from scalable_webhook_cli.dead_letters.queue import Queue
from scalable_webhook_cli.dead_letters.redrive import Sorting, Wanted
from scalable_webhook_cli.errors import CliError
from webhook_runtime import message
from webhook_runtime.contract.messages import size_of
from webhook_runtime.message import MalformedMessage, Webhook
from webhook_runtime.testing import webhook

from .sqs import Killed, Sqs, Stored, arn, error, is_fifo, set_aside

ERRORS = ["HTTP 404", "Permanent", "SQLSTATE 23505", "OutOfTime", ""]
WANTED = "Permanent"


class Aws:
    """A target whose only service is this SQS."""

    def __init__(self, sqs: Sqs) -> None:
        self._sqs = sqs

    def client(self, service: str) -> Sqs:
        assert service == "sqs"
        return self._sqs


def queue(sqs: Sqs, url: str) -> Queue:
    return Queue(Aws(sqs), url)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No one else hides messages here, however SQS counts."""
    monkeypatch.setattr(looks, "_PATIENCE_SECONDS", 0.02)


# Reading.

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
webhooks = st.builds(
    webhook,
    st.binary(max_size=50) | texts,
    id=texts,
    mount=texts,
    path=texts,
    headers=st.lists(st.tuples(st.text("abcXYZ-", min_size=1, max_size=8), texts), max_size=5),
    source_ip=texts,
)


def received(body: str, attributes: dict[str, str], **system: str) -> Message:
    named = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    attributes_of_sqs = {"SentTimestamp": "1795000000000", "ApproximateReceiveCount": "1"} | system
    known = {"MessageId": "m", "ReceiptHandle": "r", "Body": body, "Attributes": attributes_of_sqs}
    return Message(known | {"MessageAttributes": named})


def record(read: Message) -> dict[str, Any]:
    """Return the record of an event source mapping with the same message."""
    attributes = {
        name: {"stringValue": each["StringValue"], "dataType": "String"}
        for name, each in read.received["MessageAttributes"].items()
    }
    system = dict(read.received["Attributes"])
    return {"messageId": read.id, "body": read.body, "attributes": system, "messageAttributes": attributes}


def agree(read: Message, consumed: Webhook) -> None:
    told = read.told()
    assert told["id"] == consumed.id
    assert told["endpoint"] == consumed.mount
    assert told["request_id"] == consumed.request_id
    assert told["method"] == consumed.method
    assert told["path"] == consumed.path
    assert told["source_ip"] == consumed.source_ip
    assert told["headers"] == list(consumed.headers)
    assert told["received_at"] == consumed.received_at
    assert read.payload == consumed.body


@given(webhooks)
def test_a_message_is_read_as_the_consumer_reads_it(sent: Webhook) -> None:
    body, attribute = message.write(sent)
    read = received(body, {"webhook": attribute, "error": "Permanent", "reason": "no"})
    agree(read, message.read(record(read)))
    assert read.size == message.size(body, attribute) + len("errorStringPermanent" + "reasonStringno")
    assert set(filter(None, (sent.id, sent.request_id, "m"))) == set(read.ids)


FORMS = st.dictionaries(
    st.sampled_from(["v", "encoding", "id", "request", "time", "ip", "method", "mount", "path", "url", "query", "h.A"]),
    st.sampled_from(["1", "text", "base64", "empty", "s3", "x", "-1", "9" * 30, "é%"]) | texts,
).map(urlencode)


@given(st.sampled_from(["", "-", "eHg=", "queued/x", "é"]) | texts, FORMS | texts)
def test_a_malformed_message_is_read_as_far_as_it_can_be(body: str, form: str) -> None:
    read = received(body, {"webhook": form} if form else {})
    read.told()
    assert read.ids[-1] == "m"
    with suppress(CliError):
        read.payload  # noqa: B018
    try:
        consumed, key = message.read_message(record(read))
    except MalformedMessage:
        return
    assert read.payload_key == key
    if key is None:
        agree(read, consumed)


@given(body=texts, attributes=st.dictionaries(texts.filter(bool), texts | st.binary(), max_size=4))
def test_a_size_is_that_of_sqs(body: str, attributes: dict[str, str | bytes]) -> None:
    named = {
        name: {"DataType": "String", "StringValue": value}
        if isinstance(value, str)
        else {"DataType": "Binary", "BinaryValue": value}
        for name, value in attributes.items()
    }
    values = [each.encode() if isinstance(each, str) else each for each in attributes.values()]
    types = ["String" if isinstance(each, str) else "Binary" for each in attributes.values()]
    assert size_of(body, named) == len("".join([body, *attributes, *types]).encode()) + sum(map(len, values))


def test_sqs_itself_keeps_an_error_of_an_earlier_time() -> None:
    earlier = {"error": "Permanent", "reason": "no order in it"}
    assert received("x", earlier).error == "Permanent"
    moved = received("x", earlier, DeadLetterQueueSourceArn="arn:queue")
    assert (moved.error, moved.source) == (MOVED_BY_SQS, "arn:queue")
    assert "crashed" in moved.reason
    assert received("x", {}).error == NO_ERROR


# Looking.


def filled(sqs: Sqs, url: str, errors: Sequence[str], groups: int = 3) -> list[Stored]:
    """Fill the dead-letter queue with a webhook of each error, and return its messages."""
    stored = [
        set_aside(
            webhook(f"payload {number}", id=f"id-{number}"),
            error,
            f"it is {error}",
            group=f"group {number % groups}" if is_fifo(url) else None,
            source=None if error else arn(url.replace("dead-letters", "queue")),
            sent_at=time.time() - 60,
        )
        for number, error in enumerate(errors)
    ]
    sqs.put(url, *stored)
    return stored


def ids(stored: Sequence[Stored]) -> Counter[str]:
    return Counter(Message({"Body": each.body, "MessageAttributes": each.attributes}).webhook_id for each in stored)


def test_a_look_sees_each_message_once_and_leaves_it() -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters"
    stored = filled(sqs, url, ERRORS * 50)
    seen: list[str] = []

    def take(messages: Sequence[Message]) -> tuple[str, ...]:
        seen.extend(each.id for each in messages)
        return ()

    looked = look(queue(sqs, url), take)
    assert sorted(seen) == sorted(each.id for each in stored)
    assert (looked.seen, looked.unseen) == (250, 0)
    assert sqs.visible(url) == 250
    assert {each.receives for each in stored} == {1}


def test_a_look_renews_what_it_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "HIDDEN_SECONDS", 1)
    monkeypatch.setattr(looks, "_RENEWS_SECONDS", 0.05)
    sqs, url = Sqs(), "https://sqs/dead-letters"
    stored = filled(sqs, url, ["x"] * 30)
    look(queue(sqs, url), lambda _: time.sleep(2) or ())  # type: ignore[func-returns-value]
    assert {each.receives for each in stored} == {1}
    assert sqs.visible(url) == 30


def test_a_queue_whose_messages_move_on_after_some_receives_is_not_looked_at() -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters"
    filled(sqs, url, ["x"])
    sqs.attributes[url]["RedrivePolicy"] = '{"deadLetterTargetArn": "arn:next", "maxReceiveCount": 2}'
    with pytest.raises(CliError, match="must have no redrive policy of its own"):
        look(queue(sqs, url), lambda _: ())
    assert "ReceiveMessage" not in sqs.calls


def test_a_look_tells_what_another_one_hides() -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters"
    stored = filled(sqs, url, ["x"] * 5)
    stored[0].visible_at = stored[1].visible_at = time.time() + 600
    assert look(queue(sqs, url), lambda _: ()).unseen == 2


def test_a_patient_look_waits_for_what_another_one_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_PATIENCE_SECONDS", 600)
    sqs, url = Sqs(), "https://sqs/dead-letters"
    stored = filled(sqs, url, ["x"] * 5)
    stored[0].visible_at = time.time() + 1
    assert look(queue(sqs, url), lambda _: (), patient=True).seen == 5


def test_a_look_ends_if_the_same_messages_come_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "HIDDEN_SECONDS", 0)  # as if SQS did not hide them
    sqs, url = Sqs(), "https://sqs/dead-letters"
    filled(sqs, url, ["x"] * 5)
    assert look(queue(sqs, url), lambda _: ()).seen == 5


@pytest.mark.parametrize("dies_after", [1, 2, 5, 10])
def test_an_error_in_the_middle_leaves_nothing_hidden(dies_after: int) -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters"
    filled(sqs, url, ["x"] * 100)
    taken = 0

    def take(messages: Sequence[Message]) -> tuple[str, ...]:
        nonlocal taken
        taken += 1
        if taken >= dies_after:
            raise error("RequestThrottled", "SendMessageBatch")
        return ()

    with pytest.raises(Exception, match="RequestThrottled"):
        look(queue(sqs, url), take)
    assert sqs.visible(url) == 100


def test_a_fifo_queue_shows_the_next_of_a_group_once_the_first_are_gone() -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters.fifo"
    filled(sqs, url, ["x"] * 35, groups=1)
    assert look(queue(sqs, url), lambda _: ()) == looks.Looked(seen=10, unseen=25)
    there = queue(sqs, url)

    def delete(messages: Sequence[Message]) -> list[str]:
        assert not there.delete(messages)
        return [each.id for each in messages]

    assert look(there, delete) == looks.Looked(seen=35, unseen=0)
    assert sqs.queues[url] == []


@pytest.mark.parametrize("wanted_in", [range(100), [99]])
def test_a_group_of_a_fifo_queue_goes_on_once_its_first_are_gone(wanted_in: Sequence[int]) -> None:
    """In some groups the first and the last of eleven are wanted. The last is seen once the first is gone."""
    sqs, url, to = Sqs(), "https://sqs/dead-letters.fifo", "https://sqs/queue.fifo"
    places = [(number % 100, number // 100) for number in range(1100)]
    is_wanted = [group in wanted_in and place in (0, 10) for group, place in places]
    filled(sqs, url, [WANTED if each else "other" for each in is_wanted], groups=100)
    sorter = sorting(sqs, url)
    run(sorter)
    assert sorter.done.done == len(sqs.queues[to]) == 2 * len(wanted_in)
    assert sqs.visible(url) == 1100 - 2 * len(wanted_in)


# Redriving and deleting.


def sorting(sqs: Sqs, url: str, *, deletes: bool = False, **wanted: Any) -> Sorting:
    to = url.replace("dead-letters", "queue")
    known: dict[str, Any] = {"before": time.time(), "source": arn(to), "error": WANTED} | wanted
    return Sorting(queue(sqs, url), Wanted(**known), to=None if deletes else queue(sqs, to))


def run(sorter: Sorting) -> None:
    sorter.run(lambda _: None)


def heads(stored: list[Stored]) -> Iterator[Stored]:
    """Yield the first ten of each group, which are all that a FIFO queue returns."""
    count: Counter[str | None] = Counter()
    for each in stored:
        count[each.group] += 1
        if count[each.group] <= 10:
            yield each


@given(
    errors=st.lists(st.sampled_from(ERRORS), max_size=60),
    kills=st.lists(st.integers(0, 40), max_size=5),
    faults=st.sampled_from([0, 0.1, 0.4]),
    seed=st.integers(0, 1000),
    fifo=st.booleans(),
    deletes=st.booleans(),
    threads=st.sampled_from([1, 1, 3]),
)
@example(errors=[WANTED] * 30, kills=[1, 3, 4, 5], faults=0, seed=1, fifo=True, deletes=False, threads=1)
@settings(max_examples=150)
def test_no_kill_and_no_fault_of_sqs_loses_a_webhook(
    errors: list[str], kills: list[int], faults: float, seed: int, fifo: bool, deletes: bool, threads: int
) -> None:
    ending = ".fifo" if fifo else ""
    url, to = f"https://sqs/dead-letters{ending}", f"https://sqs/queue{ending}"
    sqs = Sqs(random=Random(seed), faults=faults)
    stored = filled(sqs, url, errors)
    everything = ids(stored)
    wanted = ids([each for each, error in zip(stored, errors, strict=True) if error == WANTED])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looks, "_THREADS", threads)
        patch.setattr(looks, "_PATIENCE_SECONDS", 0.002)
        for kill in kills:
            sqs.dies_after = len(sqs.calls) + kill
            with suppress(Killed):
                run(sorting(sqs, url, deletes=deletes))
            sqs.dies_after = None
            sqs.show_all()
            if not deletes:
                assert (ids(sqs.queues[url]) | ids(sqs.queues[to])).keys() == everything.keys()
        sqs.faults = 0
        last = sorting(sqs, url, deletes=deletes)
        run(last)
    left = sqs.queues[url]
    assert ids([each for each in left if "error" not in each.attributes]) <= everything
    # The others are still there, once, and visible.
    unwanted = everything - wanted
    assert {id: number for id, number in ids(left).items() if id in unwanted} == dict(unwanted)
    assert sqs.visible(url) == len(left)
    # None of those is left, except in a FIFO queue behind the first ten of its group.
    assert not [each for each in (heads(left) if fifo else left) if ids([each]) <= wanted]
    assert not last.done.failures
    moved = sqs.queues[to]
    assert set(ids(moved)) <= set(wanted)
    if not deletes:
        assert set(ids(moved)) | set(ids(left)) == set(everything)
    for each in moved:
        original = next(one for one in stored if ids([one]) == ids([each]))
        assert each.body == original.body
        assert each.group == original.group
        assert each.attributes == {"webhook": original.attributes["webhook"]}


def test_without_a_fault_each_webhook_is_moved_once_and_in_order() -> None:
    for ending in ("", ".fifo"):
        sqs = Sqs()
        url, to = f"https://sqs/dead-letters{ending}", f"https://sqs/queue{ending}"
        filled(sqs, url, [WANTED] * 200)
        sorter = sorting(sqs, url)
        run(sorter)
        assert (sorter.done.done, sorter.done.unseen, sqs.queues[url]) == (200, 0, [])
        assert set(ids(sqs.queues[to]).values()) == {1}
        if ending:
            numbers = [(each.group, int(next(iter(ids([each]))).removeprefix("id-"))) for each in sqs.queues[to]]
            for group in {group for group, _ in numbers}:
                of_group = [number for each, number in numbers if each == group]
                assert of_group == sorted(of_group)


def test_a_second_try_within_five_minutes_is_one_message_in_a_fifo_queue() -> None:
    sqs, url, to = Sqs(), "https://sqs/dead-letters.fifo", "https://sqs/queue.fifo"
    filled(sqs, url, [WANTED] * 10)
    there = queue(sqs, url)
    messages = there.receive(30)
    queue(sqs, to).send(messages)  # and killed
    sqs.show_all()
    run(sorting(sqs, url))
    assert set(ids(sqs.queues[to]).values()) == {1}


def test_messages_that_return_are_left_alone() -> None:
    sqs, url, to = Sqs(), "https://sqs/dead-letters", "https://sqs/queue"
    filled(sqs, url, [WANTED] * 50)
    sqs.on_send = lambda sent: sqs.put(url, Stored(sent.body, sent.attributes | attributes_of(WANTED)))
    sorter = sorting(sqs, url)
    time.sleep(0.002)
    run(sorter)
    assert sorter.done.done == 50
    assert ids(sqs.queues[url]) == ids(sqs.queues[to])
    assert sqs.visible(url) == 50
    assert 0 < sorter.done.arrived <= 50


def attributes_of(error: str) -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": error} for name in ("error", "reason")}


def test_messages_of_another_queue_are_left_alone() -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters"
    sqs.put(url, set_aside(webhook(), source=arn("https://sqs/another"), sent_at=1))
    sqs.put(url, set_aside(webhook(), source=arn("https://sqs/queue"), sent_at=1))
    sorter = sorting(sqs, url, error=None)
    run(sorter)
    assert sorter.done.done == 1
    assert [each.source for each in sqs.queues[url]] == [arn("https://sqs/another")]


def test_messages_that_sqs_does_not_take_are_told_and_stay() -> None:
    sqs, url, to = Sqs(faults=0.5), "https://sqs/dead-letters", "https://sqs/queue"
    filled(sqs, url, [WANTED] * 40)
    sorter = sorting(sqs, url)
    run(sorter)
    assert sorter.done.failures.keys() == {"InternalError: try again"}
    assert ids(sqs.queues[url]) | ids(sqs.queues[to]) == Counter(f"id-{number}" for number in range(40))


def test_large_messages_share_no_call_that_is_too_long() -> None:
    sqs, url, to = Sqs(), "https://sqs/dead-letters", "https://sqs/queue"
    for size in (700_000, 700_000, 300_000, 1_040_000, 10, 10):
        sqs.put(url, set_aside(webhook("x" * size), WANTED, sent_at=1))
    run(sorting(sqs, url))
    assert len(sqs.queues[to]) == 6
    assert sqs.queues[url] == []


def test_attributes_of_another_program_are_kept() -> None:
    sqs, url, to = Sqs(), "https://sqs/dead-letters", "https://sqs/queue"
    own: dict[str, dict[str, Any]] = {
        "kind": {"DataType": "Number.int", "StringValue": "1"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\0\xff"},
    }
    sqs.put(url, Stored("hello", own | attributes_of(WANTED), group="tenant", sent_at=1))
    run(sorting(sqs, url))
    (moved,) = sqs.queues[to]
    assert (moved.body, moved.attributes, moved.group) == ("hello", own, "tenant")


def test_a_message_without_a_group_gets_the_one_of_its_fifo_queue() -> None:
    sqs = Sqs()
    sqs.put("https://sqs/unverified", set_aside(webhook(), WANTED, sent_at=1))
    wanted = Wanted(before=time.time(), source="arn:queue", error=WANTED)
    run(Sorting(queue(sqs, "https://sqs/unverified"), wanted, to=queue(sqs, "https://sqs/queue.fifo")))
    assert [each.group for each in sqs.queues["https://sqs/queue.fifo"]] == ["webhook"]


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("GetQueueAttributes", "sqs:GetQueueAttributes on dead-letters"),
        ("ReceiveMessage", "sqs:ReceiveMessage on dead-letters"),
        ("SendMessageBatch", "sqs:SendMessage on queue"),
        ("DeleteMessageBatch", "sqs:DeleteMessage on dead-letters"),
        ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility on dead-letters"),
    ],
)
def test_a_permission_that_is_missing_is_named(operation: str, action: str) -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters"
    filled(sqs, url, [WANTED] * 10 + ["other"] * 10)
    sqs.denied.add(operation)
    with pytest.raises(CliError, match=f"needs the permission {action}: User"):
        run(sorting(sqs, url))
    assert len(sqs.queues[url]) >= 10


def test_the_rate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scalable_webhook_cli.dead_letters.redrive.time.monotonic", lambda: 100.0)

    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(round(timeout or 0, 6))
            return False

    waited: list[float] = []
    pace = redrive.Pace(50, Stop())
    assert [pace.wait(count) for count in (10, 10, 5, 10)] == [True] * 4
    assert waited == [0, 0.2, 0.4, 0.5]


def test_a_low_rate_sends_less_than_ten_at_a_time() -> None:
    sqs, url = Sqs(), "https://sqs/dead-letters"
    filled(sqs, url, [WANTED] * 6)
    sizes = []
    send = sqs.send_message_batch
    sqs.send_message_batch = lambda **call: (sizes.append(len(call["Entries"])), send(**call))[1]  # type: ignore
    Sorting(queue(sqs, url), sorting(sqs, url)._wanted, to=queue(sqs, "https://sqs/queue"), rate=3).run(lambda _: None)
    assert sizes == [3, 3]
