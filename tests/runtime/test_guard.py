"""An exception or result of the user's code decides about its own webhook only."""

import json
import logging
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_runtime import Answer, Permanent, RetryAfter, SinkDown, Unverified, Webhook, logs
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.outcome import STORED, Kind
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks.python import PythonSink
from webhook_runtime.sources.schemes import Custom, SourceFailed
from webhook_runtime.sources.source import Source, Sources
from webhook_runtime.testing import sqs_event, webhook

from .doubles import Invocation, Sqs


class Text(str):
    """A text whose methods all fail."""

    def encode(self, *_: object) -> bytes:
        raise RuntimeError("no encode")

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Unspeakable:
    def __repr__(self) -> str:
        raise SystemExit("no repr")

    __str__ = __repr__

    def __float__(self) -> float:
        raise SystemExit("no number")

    def __bool__(self) -> bool:
        raise SystemExit("no truth")


def fail(*_: object) -> Any:
    raise RuntimeError("a property that fails")


ODD: list[Any] = [
    *(None, "", "a reason", "30", "\0", "half of a pair: \ud800", "x" * 5000, Text("a text"), b"bytes"),
    *(0, 7, -1, 2.5, float("nan"), float("inf"), 10**400, True, [], {}, object(), Unspeakable(), property(fail)),
]
BASES = [Permanent, RetryAfter, SinkDown, Unverified, ValueError, OSError, SystemExit, GeneratorExit, BaseException]
ATTRIBUTES = ["reason", "seconds", "retry_after", "error", "sure", "args"]
ABSENT = object()
# The attributes that Python and its loggers read of an exception.
ASKED = ["__class__", "__cause__", "__context__", "__traceback__", "__notes__", "__suppress_context__"]


class Nameless(type):
    """A metaclass whose classes have no name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit("no name")


@st.composite
def exceptions(draw: st.DrawFn, bases: list[type[BaseException]] = BASES) -> BaseException:
    """Draw an exception of any class with any attributes."""
    base = draw(st.sampled_from(bases))
    members: dict[str, Any] = {"__init__": lambda self, *_: None} if draw(st.booleans()) else {}
    for name in draw(st.sets(st.sampled_from(ATTRIBUTES), max_size=3)):
        members[name] = draw(st.sampled_from(ODD))
    for name in draw(st.sets(st.sampled_from(["__str__", "__repr__"]))):
        text = draw(st.sampled_from([fail, lambda self: 7, lambda self: Text("x"), lambda self: "\ud800", sys.exit]))
        members[name] = text
    for name in draw(st.sets(st.sampled_from(ASKED), max_size=2)):
        members[name] = property(draw(st.sampled_from([fail, sys.exit])))
    for name in draw(st.sets(st.sampled_from(["__bool__", "__eq__", "__hash__", "__getattribute__"]), max_size=1)):
        members[name] = draw(st.sampled_from([fail, sys.exit]))
    kind = draw(st.sampled_from([type, Nameless]))("OfTheUser", (base,), members)
    first = 5 if issubclass(base, RetryAfter) else "said"
    try:
        made: BaseException = kind(first)
        return made
    except BaseException as error:  # that is then raised instead
        return error


@pytest.fixture(autouse=True)
def _as_lambda_logs() -> Iterator[None]:
    """Lambda's own formatter asks an error for its text.

    See: https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py
    """

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            line = {name: value for name, value in vars(record).items() if name not in ("args", "exc_info")}
            error = str(record.exc_info[1]) if record.exc_info else ""
            if record.exc_info and record.exc_info[0]:
                line["errorType"] = record.exc_info[0].__name__
                line["all"] = logging.Formatter().formatException(record.exc_info)
            json.dumps(line | {"errorMessage": error}, default=str).encode()
            error.encode()

    handler = Handler()
    logs.logger.addHandler(handler)
    yield
    logs.logger.removeHandler(handler)


GOOD = [webhook("a", id="a"), webhook("c", id="c")]
BAD = webhook("b", id="b")
any_of_them = settings(max_examples=300)


def is_plain(value: object) -> bool:
    """Tell whether it is exactly a str, a number or None, and so of our own making."""
    return type(value) in (str, float, bool, type(None))


@any_of_them
@given(error=exceptions())
def test_an_exception_of_a_handler_decides_about_its_own_webhook(error: BaseException) -> None:
    done = []

    def handle(each: Webhook) -> None:
        if each is BAD:
            raise error
        done.append(each.id)

    outcomes = PythonSink(handle).store([GOOD[0], BAD, GOOD[1]], Deadline(Invocation()))
    if issubclass(type(error), SinkDown):
        with pytest.raises(SinkDown) as down:
            list(outcomes)
        assert type(down.value) is SinkDown
        assert all(map(is_plain, (down.value.reason, down.value.retry_after, down.value.error)))
        assert done == ["a"]
        return
    first, second, third = outcomes
    assert done == ["a", "c"]
    assert (first.kind, third.kind) == (Kind.STORED, Kind.STORED)
    assert second.kind is (Kind.PERMANENT if issubclass(type(error), Permanent) else Kind.RETRY)
    assert all(map(is_plain, second[1:]))
    assert second.error
    assert second.reason


@any_of_them
@given(error=exceptions())
@pytest.mark.parametrize("fifo", [False, True])
def test_a_batch_is_answered_whatever_its_handler_raises(error: BaseException, fifo: bool) -> None:
    done: list[str] = []

    def handle(webhooks: list[Webhook]) -> None:
        if any(each.id == "b" for each in webhooks):
            raise error
        done.extend(each.id for each in webhooks)

    sqs = Sqs()
    consumer = Consumer(
        PythonSink(handle, batch=True), Redelivery(sqs, "queue", Backoff(10, 900)), DeadLetters(sqs, "dead_letters")
    )
    event = sqs_event(GOOD[0], BAD, GOOD[1])
    for record in event["Records"] if fifo else ():
        record["eventSourceARN"] += ".fifo"
        record["attributes"]["MessageGroupId"] = "webhook"
    failed = [each["itemIdentifier"] for each in consumer.handle(event, Invocation())["batchItemFailures"]]
    # No webhook is handled twice. The others are retried, or go to the dead-letter queue.
    ids = {record["messageId"]: id for record, id in zip(event["Records"], "abc", strict=True)}
    assert sorted([*done, *(ids[each] for each in failed), *("b" for _ in sqs.sent)]) == ["a", "b", "c"]
    assert all(0 <= delay <= 43_200 for delay in sqs.delays().values())


def custom(check: Callable[[Webhook, list[str]], object]) -> Source:
    module = types.ModuleType("of_the_user")
    module.check = check  # type: ignore[attr-defined]
    sys.modules["of_the_user"] = module
    return Source(Custom(handler="of_the_user.check"), None)


@any_of_them
@given(error=exceptions())
def test_an_exception_of_a_check_decides_about_its_own_request(error: BaseException) -> None:
    def check(each: Webhook, _: list[str]) -> None:
        if each.id == "b":
            raise error

    class Memory:
        stored: list[str] = []

        def store(self, webhooks: Any, _: Deadline) -> Any:
            self.stored = [each.id for each in webhooks]
            return [STORED] * len(webhooks)

    sqs, sink = Sqs(), Memory()
    consumer = Consumer(
        sink,
        Redelivery(sqs, "queue", Backoff(10, 900)),
        DeadLetters(sqs, "dead_letters"),
        sources=Sources({"/": custom(check)}),
    )
    answer = consumer.handle(sqs_event(GOOD[0], BAD, GOOD[1]), Invocation())
    assert sink.stored == ["a", "c"]
    assert len(answer["batchItemFailures"]) + len(sqs.sent) == 1


@any_of_them
@given(error=exceptions([Unverified]))
def test_a_rejection_of_a_check_is_one_however_it_is_made(error: BaseException) -> None:
    def check(*_: object) -> None:
        raise error

    with pytest.raises((Unverified, SourceFailed)) as rejection:
        custom(check).admit(BAD)
    if not issubclass(type(error), Unverified):
        return
    assert type(rejection.value) is Unverified
    assert type(rejection.value.reason) is str
    assert rejection.value.reason
    assert type(rejection.value.sure) is bool


RETURNED = [*ODD, False, NotImplemented, (x for x in "ab"), Answer, Unverified("not raised")]


@pytest.mark.parametrize("said", RETURNED, ids=[type(each).__name__ for each in RETURNED])
def test_a_check_returns_an_id_or_accepts_no_request(said: object) -> None:
    source = custom(lambda *_: said)
    if said is None or (isinstance(said, str) and said):
        admitted = source.admit(BAD)
        assert isinstance(admitted, Webhook)
        assert type(admitted.id) is str
    else:
        with pytest.raises(SourceFailed):
            source.admit(BAD)


class OfTheUser(Answer):
    """An answer that was never checked."""

    def __post_init__(self) -> None:
        pass


@pytest.mark.parametrize(
    "arguments",
    [
        *({"body": value} for value in (None, b"x", {"a": 1}, 7, "\ud800", "x" * 5_000_001)),
        *({"status": value} for value in ("200", 200.0, True, None, 0, 100, 199, 600, 10**400)),
        *({"content_type": value} for value in (None, b"text/plain", 7, "a\r\nX: 1", "text/é")),
        *({"headers": value} for value in (None, [("a", "b")], "a: b", {"a": None}, {"a": 7}, {"a": b"x"}, {7: "a"})),
        *({"headers": {name: "x"}} for name in ("", "a b", "a:", "é", "a\n", "X\r\nY", "Content-Type", "date", "TE")),
        *({"headers": {"X-Hook-Secret": value}} for value in ("a\r\nb", "a\nb", "é", "\0", "\x7f", "\ud800")),
    ],
)
def test_an_answer_that_api_gateway_would_not_take_is_rejected_where_it_is_made(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".*, (got|which)\b") as rejection:
        Answer(**{"body": "", **arguments})
    assert "\n" not in str(rejection.value)
    assert len(str(rejection.value)) < 200
    with pytest.raises(SourceFailed):
        custom(lambda *_: OfTheUser(**{"body": "", **arguments})).admit(BAD)


def test_an_answer_is_what_was_checked() -> None:
    class Changing(dict[str, str]):
        def items(self) -> Any:
            yield from super().items()
            self["X-Other"] = "a\r\nb"

    headers = Changing({"X-Hook-Secret": "s"})
    assert Answer("", headers=headers).headers == {"X-Hook-Secret": "s"}


def test_an_error_shows_no_value_of_an_answer_since_it_may_be_a_secret() -> None:
    for arguments in ({"headers": {"X-Hook-Secret": "hush hush\n"}}, {"content_type": "hush hush\n"}):
        with pytest.raises(ValueError) as rejection:  # noqa: PT011 (what it does not say is the point)
            Answer("hush hush", **arguments)
        assert "hush" not in str(rejection.value)


def test_an_answer_keeps_what_it_was_given() -> None:
    answer = custom(lambda *_: Answer("", "application/json", 204, {"X-Hook-Secret": "hush hush"})).admit(BAD)
    assert isinstance(answer, Answer)
    assert (answer.body, answer.content_type, answer.status) == ("", "application/json", 204)
    assert answer.headers == {"X-Hook-Secret": "hush hush"}
