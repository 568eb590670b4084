"""The promises of every sink, tested with real servers: stored once, nothing lost, and only bad webhooks fail."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Outcome
from webhook_runtime.sinks import Sink
from webhook_runtime.testing import webhook

from .harnesses import Harness
from .queue_harness import Countdown, Queue, reason

PAYLOADS = {
    "empty": b"",
    "text": b"hello",
    "NUL": b"a\x00b",
    "only NUL": b"\x00",
    "emoji": "Zoë 😀".encode(),
    "quotes": b"'\"\\%s {} :name $1 ;--",
    "invalid UTF-8": b"\xff\xfe\x00\xc3\x28",
    "every byte": bytes(range(256)),
    "line ends": b"\r\n\n\r\x1a",
    "1 MiB": b"x" * 1_048_576,
    "1 MiB of bytes": bytes(range(256)) * 4096,
    "3 MB of bytes": (bytes(range(256)) * 11_719)[:3_000_000],
    "5 MB of bytes": (bytes(range(256)) * 19_532)[:5_000_000],
}


def some(count: int) -> list[Webhook]:
    return [webhook(f"payload {n}", headers={"X-Number": str(n)}) for n in range(count)]


def assert_stored_once(harness: Harness, webhooks: Iterable[Webhook]) -> None:
    expected = {each.key: each.body for each in webhooks}
    rows = harness.rows()
    assert [key for key, count in Counter(key for key, _ in rows).items() if count > 1] == []
    assert dict(rows) == expected


def test_a_batch_is_stored(harness: Harness) -> None:
    queue, webhooks = Queue(), some(25)
    queue.send(*webhooks)
    queue.drain(queue.consumer(harness.sink()), 25)
    assert_stored_once(harness, webhooks)
    assert queue.receive_counts() == [1] * 25


def test_a_webhook_that_is_delivered_again_is_stored_once(harness: Harness) -> None:
    webhooks = some(10)
    consumer = Queue().consumer(harness.sink())
    for _ in range(3):
        again = Queue()
        again.send(*webhooks)
        assert again.deliver(consumer.handle) == []
    assert_stored_once(harness, webhooks)


def test_a_delivery_that_its_provider_repeats_is_stored_once(harness: Harness) -> None:
    """Another request is another message with the same delivery id: in one batch, and in the next."""
    first = webhook("first", id="order-1")
    repeated = [webhook("repeated", id="order-1") for _ in range(3)]
    queue = Queue()
    consumer = queue.consumer(harness.sink())
    queue.send(first, repeated[0], repeated[1])
    queue.drain(consumer)
    queue.send(repeated[2])
    queue.drain(consumer)
    assert_stored_once(harness, [first])


def test_an_id_that_several_providers_choose_is_a_webhook_of_each(harness: Harness) -> None:
    """In one batch, in several, and with each of them repeated."""
    mounts = ["/", "/a", "/A", "/a/b", "/a.b", "/a:b"]
    together = [webhook(f"{mount} 1", mount=mount, id="order-1") for mount in mounts]
    apart = [webhook(f"{mount} 2", mount=mount, id="order-2") for mount in mounts]
    repeated = [webhook("repeated", mount=mount, id="order-1") for mount in mounts]
    consumer = (queue := Queue()).consumer(harness.sink())
    for batch in (together, *([each] for each in apart), together[::-1], repeated, apart + together):
        queue.send(*batch)
        assert queue.deliver(consumer.handle, len(batch)) == []
    assert queue.dead_letters == []
    assert_stored_once(harness, together + apart)


# Ids that a provider may choose to be taken for "x" at /b. They use the separator of path and id, a cut, or texts that
# a database treats as equal.
LOOKALIKES = (
    *("x", "b#x", "/b#x", "#/b#x", "#x", "x#", "b/x", "/b x", "b x", "%23x", "/b%23x", "../b#x", "b\tx", "x/../b#x"),
    *(" x", "x ", "x  ", "x\t", "X", "ｘ", "x\u0301", "x\u200b", "x\xad", "\ufeffx", "\u202ex", "x\0", "\0x", "\0"),
    *(" ", "'x'", "x' OR '1'='1", "x'); --", "x\\", "é", "e\u0301", "ß", "ss", "ﬁ", "fi", "İ", "i", "x\r\ny: z"),
)


def test_an_id_that_looks_like_that_of_another_provider_is_another_webhook(harness: Harness) -> None:
    """It is stored next to the other, or rejected with the reason."""
    mounts = ["/", "/b", "/b/x", "/x", "/B"]
    webhooks = [
        webhook(f"{mount} {number}", mount=mount, id=id)
        for mount in reversed(mounts)
        for number, id in enumerate(reversed(LOOKALIKES))
    ]
    consumer = (queue := Queue()).consumer(harness.sink())
    for _ in range(2):
        queue.send(*webhooks)
        queue.drain(consumer)
    assert all(reason(dead_letter)[1] for dead_letter in queue.dead_letters)
    dead_letters = {dead_letter["MessageBody"] for dead_letter in queue.dead_letters}
    stored = [each for each in webhooks if each.text not in dead_letters]
    assert_stored_once(harness, stored)
    assert {each.mount for each in stored if each.id == "x"} == set(mounts)
    rejected = {each.id for each in webhooks if each.text in dead_letters}
    assert [id for id in rejected if "\0" not in id and "\n" not in id and harness.can_write(id)] == []


def test_duplicates_that_come_at_the_same_time_are_stored_once(harness: Harness) -> None:
    webhooks = some(40)
    harness.sink()  # the first sink creates the table
    failed: list[object] = []

    def deliver(order: Sequence[Webhook]) -> None:
        queue = Queue(max_receive_count=50)
        queue.send(*order)
        try:
            queue.drain(queue.consumer(harness.sink()))
            failed.extend(queue.dead_letters)
        except BaseException as error:
            failed.append(error)
            raise

    orders = [webhooks, webhooks[::-1], webhooks[20:] + webhooks[:20], webhooks[::2] + webhooks[1::2]]
    threads = [threading.Thread(target=deliver, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert_stored_once(harness, webhooks)


@pytest.mark.parametrize("places", [[0], [9], [4], [2, 3], [0, 9], list(range(10))])
def test_a_bad_webhook_fails_alone_and_at_once(harness: Harness, places: list[int]) -> None:
    webhooks = some(10)
    for place in places:
        webhooks[place] = harness.poison()._replace(attempt=1)
    queue = Queue()
    queue.send(*webhooks)
    assert queue.deliver(queue.consumer(harness.sink()).handle) == []

    good = [each for place, each in enumerate(webhooks) if place not in places]
    if good:
        assert_stored_once(harness, good)
    assert len(queue.dead_letters) == len(places)
    error, why = reason(queue.dead_letters[0])
    assert error
    assert why


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_any_payload_is_stored_unchanged(harness: Harness, payload: bytes) -> None:
    one = webhook(payload)
    queue = Queue()
    queue.send(one, *some(2))
    queue.drain(queue.consumer(harness.sink()))
    rows = dict(harness.rows())
    if len(payload) > harness.holds_bytes:
        assert one.key not in rows
        assert len(queue.dead_letters) == 1
        assert len(rows) == 2
    else:
        assert rows[one.key] == payload
        assert queue.dead_letters == []


ODD = ["", " ", "a=b&c=d", "'; DROP TABLE webhooks; --", '"\\', "{}", "Zoë 😀", "%00", "x" * 8000, "\t", "$1 :id %s"]


def test_any_header_query_path_and_id_is_stored(harness: Harness) -> None:
    webhooks = [
        webhook(
            b"x",
            id=f"{n} {value}".strip()[:500],
            path=f"/{value}",
            query={"q": value},
            headers={"X-Odd": value.strip(), f"X-{n}'\"": "name"} if n % 2 else {"X-Odd": value.strip()},
        )
        for n, value in enumerate(each for each in ODD if harness.can_write(each))
    ]
    queue = Queue()
    queue.send(*webhooks)
    queue.drain(queue.consumer(harness.sink()))
    assert queue.dead_letters == []
    assert_stored_once(harness, webhooks)


@pytest.mark.parametrize("requests", [1, 2, 3, 5])
def test_a_sink_that_goes_down_in_the_middle_of_a_batch_loses_nothing(harness: Harness, requests: int) -> None:
    webhooks = [*some(10), harness.poison(), *some(9)]
    queue = Queue()
    queue.send(*webhooks)
    consumer = queue.consumer(harness.sink())

    harness.link.cut_after(requests)
    failed = queue.deliver(consumer.handle, 20)
    harness.link.cut()
    assert queue.deliver(consumer.handle, 20) == []  # failed messages are hidden until their retry
    assert failed or requests > 2  # some sinks need no more for all of it
    harness.link.fix()

    queue.drain(consumer, 20)
    assert_stored_once(harness, [each for each in webhooks if each.body != webhooks[10].body])
    assert len(queue.dead_letters) == 1
    assert max(queue.receive_counts()) <= 3


def test_a_sink_that_is_down_is_called_once_a_batch(harness: Harness) -> None:
    queue = Queue()
    queue.send(*some(10))
    consumer = queue.consumer(harness.sink())
    harness.link.cut_after(1)
    queue.deliver(consumer.handle)
    harness.link.cut()
    attempts = harness.link.attempts
    queue.now = 1000
    assert len(queue.deliver(consumer.handle)) in (9, 10)
    # Twice, since a lost response may be the network's fault, but not once for each webhook.
    assert harness.link.attempts - attempts <= harness.attempts_when_down
    assert queue.dead_letters == []


def test_connections_may_end_between_two_batches(harness: Harness) -> None:
    queue, webhooks = Queue(), some(30)
    consumer = queue.consumer(harness.sink())
    queue.send(*webhooks[:10])
    assert queue.deliver(consumer.handle) == []
    harness.drop_connections()
    queue.send(*webhooks[10:20])
    assert queue.deliver(consumer.handle) == []
    harness.link.drop()
    queue.send(*webhooks[20:])
    assert queue.deliver(consumer.handle) == []
    assert_stored_once(harness, webhooks)


def test_a_server_that_restarts_between_two_batches_goes_unnoticed(harness: Harness) -> None:
    queue, webhooks = Queue(), some(20)
    consumer = queue.consumer(harness.sink())
    queue.send(*webhooks[:10])
    assert queue.deliver(consumer.handle) == []
    harness.restart()
    queue.send(*webhooks[10:])
    assert queue.deliver(consumer.handle) == []
    assert_stored_once(harness, webhooks)


class Watched:
    """A sink that records outcomes in the order in which they are known."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.order: list[str] = []

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterable[Outcome]:
        for each, outcome in zip(webhooks, self._sink.store(webhooks, deadline), strict=False):
            if outcome.kind.value in ("stored", "duplicate"):
                self.order.append(each.id)
            yield outcome


class Ending:
    """Lambda's context of a function that has no time left after the sink has stored something."""

    def __init__(self, sink: Watched) -> None:
        self._sink = sink

    def get_remaining_time_in_millis(self) -> int:
        return 0 if self._sink.order else 30_000


def test_in_a_fifo_queue_a_function_without_time_left_reports_what_is_stored(harness: Harness) -> None:
    """Otherwise Lambda would end it, and a slow sink would lose stored webhooks to the dead-letter queue."""
    queue, webhooks = Queue(fifo=True), some(10)
    queue.send(*webhooks)
    sink = Watched(harness.sink())
    consumer = queue.consumer(sink)
    failed = queue.deliver(consumer.handle, context=Ending(sink))
    assert failed == [each.message_id for each in webhooks[1:]]
    assert_stored_once(harness, webhooks[:1])
    queue.drain(consumer)
    assert_stored_once(harness, webhooks)
    assert queue.dead_letters == []


def test_a_fifo_queue_keeps_its_order_through_an_outage(harness: Harness) -> None:
    webhooks = some(20)
    queue = Queue(fifo=True, max_receive_count=10)
    queue.send(*webhooks)
    sink = Watched(harness.sink())
    consumer = queue.consumer(sink)
    harness.link.cut_after(7)
    queue.deliver(consumer.handle)
    harness.link.cut()
    queue.now += 1000
    queue.deliver(consumer.handle)
    harness.link.fix()
    queue.drain(consumer)
    assert list(dict.fromkeys(sink.order)) == [each.id for each in webhooks]
    assert_stored_once(harness, webhooks)
    assert queue.dead_letters == []


def test_in_a_fifo_queue_webhooks_behind_a_bad_one_are_stored(harness: Harness) -> None:
    webhooks = some(10)
    webhooks[3] = harness.poison()
    queue = Queue(fifo=True)
    queue.send(*webhooks)
    sink = Watched(harness.sink())
    assert queue.deliver(queue.consumer(sink).handle) == []
    assert sink.order == [each.id for each in webhooks[:3] + webhooks[4:]]
    assert len(queue.dead_letters) == 1


@pytest.mark.parametrize(("seconds", "trouble"), [(0.5, "stall"), (1, "hold")])
def test_a_function_ends_by_itself_however_short_its_timeout_is(harness: Harness, seconds: float, trouble: str) -> None:
    queue, webhooks = Queue(), some(4)
    consumer = queue.consumer(harness.sink())
    queue.send(*some(1))
    assert queue.deliver(consumer.handle) == []
    queue.send(*webhooks)
    getattr(harness.link, trouble)()
    countdown = Countdown(seconds)
    assert len(queue.deliver(consumer.handle, context=countdown)) == 4
    assert countdown.is_kept()
    harness.link.fix()
    queue.drain(consumer)
    assert len(harness.rows()) == 5
    assert queue.dead_letters == []
