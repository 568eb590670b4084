"""The promises of the Python sink."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from webhook_runtime import Permanent, RetryAfter, SinkDown, Webhook
from webhook_runtime.deadline import Deadline
from webhook_runtime.outcome import STORED, Kind
from webhook_runtime.sinks.python import PythonSink, deployed
from webhook_runtime.testing import webhook

from .queue_harness import Countdown, Queue, reason
from .storing import kinds, store

S, P, R = Kind.STORED, Kind.PERMANENT, Kind.RETRY

CUSTOMERS = [webhook(name, id=name) for name in "abcde"]


class Handler:
    """A user's handler that keeps its arguments, and raises ``troubles`` by the webhook's id."""

    def __init__(self, **troubles: BaseException) -> None:
        self.given: list[Any] = []
        self._troubles = troubles

    def one(self, webhook: Webhook) -> None:
        self.given.append(webhook.id)
        self._raise([webhook])

    def several(self, webhooks: list[Webhook]) -> str:
        assert isinstance(webhooks, list)
        self.given.append([webhook.id for webhook in webhooks])
        self._raise(webhooks)
        return "what it returns does not matter"

    def _raise(self, webhooks: list[Webhook]) -> None:
        for each in webhooks:
            if each.id in self._troubles:
                raise self._troubles[each.id]


def test_webhooks_are_handed_over_one_by_one_in_their_order() -> None:
    handler = Handler()
    assert store(PythonSink(handler.one), *CUSTOMERS) == [STORED] * 5
    assert handler.given == list("abcde")


def test_a_batch_is_handed_over_as_one_list() -> None:
    handler = Handler()
    assert store(PythonSink(handler.several, batch=True), *CUSTOMERS) == [STORED] * 5
    assert handler.given == [list("abcde")]


def test_a_batch_of_one_is_a_list_too() -> None:
    handler = Handler(b=Permanent("no such customer"))
    sink = PythonSink(handler.several, batch=True)
    assert kinds(sink, CUSTOMERS[0]) == [S]
    assert kinds(sink, CUSTOMERS[1]) == [P]
    assert handler.given == [["a"], ["b"]]


def test_the_handlers_error_decides_the_outcome_of_a_webhook() -> None:
    class OfTheUser(Permanent):
        pass

    handler = Handler(
        a=Permanent("no such customer"),
        b=RetryAfter(30, "maintenance"),
        c=KeyError("customer"),
        e=OfTheUser("of a class of the user's"),
    )
    outcomes = store(PythonSink(handler.one), *CUSTOMERS)
    assert [outcome.kind for outcome in outcomes] == [P, R, R, S, P]
    assert [outcome.error for outcome in outcomes] == ["Permanent", "RetryAfter", "KeyError", "", "OfTheUser"]
    assert [outcome.reason for outcome in outcomes[:3]] == ["no such customer", "maintenance", "'customer'"]
    assert [outcome.retry_after for outcome in outcomes[:3]] == [None, 30, None]


@pytest.mark.parametrize(
    "trouble",
    [
        KeyError("customer"),
        StopIteration(),
        AssertionError(),
        RecursionError(),
        SystemExit(1),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
def test_an_unexpected_error_of_the_handler_is_logged(trouble: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    assert kinds(PythonSink(Handler(b=trouble).one), *CUSTOMERS) == [S, R, S, S, S]
    (line,) = caplog.records
    assert line.exc_info
    assert line.exc_info[1] is trouble


def test_an_intended_error_of_the_handler_leaves_no_stack_trace(caplog: pytest.LogCaptureFixture) -> None:
    store(PythonSink(Handler(a=Permanent("no"), b=RetryAfter(3)).one), *CUSTOMERS)
    assert caplog.records == []


def test_the_handlers_reason_may_be_of_any_type() -> None:
    wrong: Any = ValueError("no such customer"), "30", "soon", None
    error, number, word, nothing = wrong

    def handle(webhook: Webhook) -> None:
        match webhook.id:
            case "a":
                raise Permanent(error)
            case "b":
                raise RetryAfter(number, error)
            case "c":
                raise RetryAfter(word, "maintenance")
            case "d":
                raise Permanent(nothing)
            case "e":
                raise SinkDown(error, retry_after=number)

    queue = Queue(max_receive_count=1)
    queue.send(*CUSTOMERS)
    assert queue.deliver(queue.consumer(PythonSink(handle)).handle) == []
    assert [reason(dead_letter) for dead_letter in queue.dead_letters] == [
        ("Permanent", "no such customer"),
        ("RetryAfter", "no such customer"),
        ("ValueError", "could not convert string to float: 'soon'"),
        ("Permanent", "None"),
        ("SinkDown", "no such customer"),
    ]
    assert RetryAfter(number).seconds == 30


@pytest.mark.parametrize("batch", [False, True])
def test_a_handler_whose_sink_is_down_gets_no_other_webhook(batch: bool) -> None:
    handler = Handler(b=SinkDown("no connection", retry_after=60, error="ConnectionError"))
    sink = PythonSink(handler.several if batch else handler.one, batch=batch)
    queue = Queue()
    queue.send(*CUSTOMERS)
    failed = queue.deliver(queue.consumer(sink).handle)
    assert len(failed) == (5 if batch else 4)
    assert queue.delays == [60] * len(failed)
    assert handler.given == ([list("abcde")] if batch else ["a", "b"])


class TestBatch:
    def test_a_batch_that_raises_is_handed_over_again_one_by_one(self) -> None:
        handler = Handler(b=Permanent("no such customer"), d=KeyError("customer"))
        outcomes = store(PythonSink(handler.several, batch=True), *CUSTOMERS)
        assert [outcome.kind for outcome in outcomes] == [S, P, S, R, S]
        assert handler.given == [list("abcde"), ["a"], ["b"], ["c"], ["d"], ["e"]]

    def test_a_retry_after_of_one_holds_for_the_whole_batch(self) -> None:
        handler = Handler(c=RetryAfter(45))
        outcomes = store(PythonSink(handler.several, batch=True), *CUSTOMERS)
        assert [(outcome.kind, outcome.retry_after) for outcome in outcomes] == [(R, 45)] * 5
        assert len(handler.given) == 1

    def test_a_retry_after_of_zero_is_kept(self) -> None:
        handler = Handler(c=RetryAfter(0))
        assert [each.retry_after for each in store(PythonSink(handler.several, batch=True), *CUSTOMERS)] == [0] * 5
        assert len(handler.given) == 1

    def test_outcomes_stay_if_one_by_one_finds_the_sink_down(self) -> None:
        class Once(Handler):
            """Raises for the whole batch, and then SinkDown for a single webhook."""

            def several(self, webhooks: list[Webhook]) -> str:
                if len(webhooks) == 1 and webhooks[0].id == "c":
                    raise SinkDown("no connection")
                return super().several(webhooks)

        queue = Queue()
        queue.send(*CUSTOMERS)
        handler = Once(b=Permanent("no such customer"))
        failed = queue.deliver(queue.consumer(PythonSink(handler.several, batch=True)).handle)
        assert failed == [each.message_id for each in CUSTOMERS[2:]]
        assert [reason(dead_letter)[1] for dead_letter in queue.dead_letters] == ["no such customer"]


class TestTime:
    def test_a_slow_handler_stops_before_the_function_ends_and_the_rest_is_retried_at_once(self) -> None:
        context = Countdown(1.8)
        given: list[str] = []

        def slow(webhook: Webhook) -> None:
            given.append(webhook.id)
            time.sleep(0.2)

        queue, webhooks = Queue(), [webhook() for _ in range(10)]
        queue.send(*webhooks)
        consumer = queue.consumer(PythonSink(slow))
        failed = queue.deliver(consumer.handle, context=context)

        assert context.get_remaining_time_in_millis() > 300
        assert 1 <= len(given) <= 6
        assert failed == [each.message_id for each in webhooks[len(given) :]]
        assert queue.delays == [0] * len(failed)
        queue.drain(consumer)
        assert given == [each.id for each in webhooks]

    def test_a_batch_that_took_all_the_time_is_not_handed_over_again_one_by_one(self) -> None:
        given: list[int] = []

        def slow(webhooks: list[Webhook]) -> None:
            given.append(len(webhooks))
            time.sleep(0.3)
            raise KeyError

        sink = PythonSink(slow, batch=True)
        with pytest.raises(SinkDown) as stopped:
            list(sink.store(CUSTOMERS, Deadline(Countdown(0.7))))
        assert (stopped.value.error, stopped.value.retry_after) == ("OutOfTime", 0)
        assert given == [5]


class TestLoading:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        known = set(sys.modules)
        monkeypatch.syspath_prepend(str(tmp_path))
        yield tmp_path
        for name in set(sys.modules) - known:
            del sys.modules[name]

    @pytest.fixture
    def load(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], PythonSink]:
        def load(handler: str, batch: str = "false") -> PythonSink:
            monkeypatch.setenv("WEBHOOK_HANDLER", handler)
            monkeypatch.setenv("WEBHOOK_HANDLER_BATCH", batch)
            return deployed()

        return load

    @pytest.mark.parametrize(
        ("file", "handler"), [("orders.py", "orders.store"), ("shop/webhooks/orders.py", "shop.webhooks.orders.store")]
    )
    def test_the_handler_is_named_by_module_and_function(
        self, folder: Path, load: Callable[..., PythonSink], file: str, handler: str
    ) -> None:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(
            "from webhook_runtime import Permanent\n"
            "def store(webhook):\n"
            "    if webhook.json()['order'] < 0:\n"
            "        raise Permanent('no such order')\n"
        )
        assert kinds(load(handler), webhook(json={"order": 1}), webhook(json={"order": -1})) == [S, P]

    def test_a_batch_handler_is_known_by_its_setting(self, folder: Path, load: Callable[..., PythonSink]) -> None:
        (folder / "several.py").write_text("given = []\ndef store(webhooks):\n    given.append(len(webhooks))\n")
        assert kinds(load("several.store", "true"), *CUSTOMERS) == [S] * 5
        assert sys.modules["several"].given == [5]

    @pytest.mark.parametrize(
        ("content", "error"), [("1 / 0", ZeroDivisionError), ("", AttributeError), (None, ModuleNotFoundError)]
    )
    def test_an_error_of_the_module_is_raised_when_it_is_loaded(
        self, folder: Path, load: Callable[..., PythonSink], content: str | None, error: type[Exception]
    ) -> None:
        if content is not None:
            (folder / "broken.py").write_text(content)
        with pytest.raises(error):
            load("broken.store")


async def asynchronous(_: object) -> None:
    await asyncio.sleep(0)


def generator(_: object) -> Iterator[None]:
    yield


class Awaited:
    def __await__(self) -> Iterator[None]:
        yield


NOT_YET_DONE = [
    *(asynchronous, generator, lambda each: asynchronous(each), lambda _: Awaited(), lambda _: Future()),
    *(lambda each: map(repr, [each]), lambda each: filter(repr, [each])),
]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("handler", NOT_YET_DONE)
@pytest.mark.parametrize("batch", [False, True])
def test_a_handler_that_has_not_run_when_it_returns_has_stored_nothing(
    handler: Callable[[Any], object], batch: bool
) -> None:
    outcomes = store(PythonSink(handler, batch=batch), *CUSTOMERS)
    assert [(outcome.kind, outcome.error) for outcome in outcomes] == [(R, "TypeError")] * 5
    assert "async" in outcomes[0].reason
