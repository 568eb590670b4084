"""A client writes no line and no field of a log, and no line has a secret or a payload."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from webhook_runtime import Permanent, RetryAfter, SinkDown, Unverified, logs, message
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.outcome import Kind, Outcome
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.testing import webhook

from ..runtime.doubles import Invocation, Sqs
from ..runtime.events import record, request
from ..runtime.test_consumer import Memory
from ..suite.attacks import Attempts
from .probes import ALL

# With a blank, which no random id has.
SECRET = "hush hush"
# Characters with an effect on a terminal, or on a reader of lines.
_MEANS_SOMETHING = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
MESSAGES = {"queued", "stored", "batch", "failed", "rejected", "dead-lettered", "the sink failed"}
LEVELS = {"INFO", "WARNING", "ERROR"}


class _AsLambda(logs._JsonLines):
    """Lambda's own handler keeps non-ASCII characters in JSON.

    https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/lambda_runtime_log_utils.py
    """

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(json.loads(super().format(record)), ensure_ascii=False)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Yield the log of a function."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(_AsLambda())
    logs.logger.addHandler(handler)
    level = logs.logger.level
    logs.logger.setLevel(logging.INFO)
    yield lines
    logs.logger.setLevel(level)
    logs.logger.removeHandler(handler)


def is_forged(text: str) -> bool:
    """Tell whether a line is not our own, or has an effect on its reader."""
    if _MEANS_SOMETHING.search(text):
        return True
    lines = [json.loads(line) for line in text.splitlines()]
    return not lines or any(
        line["message"] not in MESSAGES or line["level"] not in ("INFO", "WARNING", "ERROR") for line in lines
    )


def at_the_publisher(**sent: Any) -> None:
    Publisher(PublisherSettings("http://sqs/Queue", "x-id"), Sqs()).handle(request(SECRET.encode(), **sent), None)


def at_the_consumer(made: dict[str, Any], outcome: Any = None) -> None:
    sink = Memory()
    if outcome is not None:
        sink = Memory(**{message.read(made).id: outcome})
    sqs = Sqs()
    dead_letters = DeadLetters(sqs, "http://sqs/DeadLetters")
    Consumer(sink, Redelivery(sqs, "http://sqs/Queue", Backoff(30, 900)), dead_letters).handle(
        {"Records": [made]}, Invocation(30)
    )


def stored(**sent: Any) -> dict[str, Any]:
    return record(*message.write(webhook(SECRET, **sent)))


WAYS: dict[str, Callable[[str], None]] = {
    "the id, at the publisher": lambda text: at_the_publisher(headers=[("X-Id", text)]),
    "the path, at the publisher": lambda text: at_the_publisher(proxy=text),
    "a header, at the publisher": lambda text: at_the_publisher(headers=[("X", f"{text}{SECRET}")]),
    "the method, at the publisher": lambda text: at_the_publisher(method=text),
    "the id, at the consumer": lambda text: at_the_consumer(stored(id=text)),
    "the path, at the consumer": lambda text: at_the_consumer(stored(path=text)),
    "a header, at the consumer": lambda text: at_the_consumer(stored(headers={"X": f"{text}{SECRET}"})),
    "a foreign message": lambda text: at_the_consumer(record(text or "-", None)),
    "the metadata of a foreign message": lambda text: at_the_consumer(record(SECRET, f"v={text}")),
    "text of a service that answers": lambda text: at_the_consumer(
        stored(id="7"), Outcome(Kind.RETRY, "HTTP 500", text)
    ),
    "text of a service that rejects": lambda text: at_the_consumer(
        stored(id="7"), Outcome(Kind.PERMANENT, "HTTP 400", text)
    ),
    "the reason of a sink that is down": lambda text: at_the_consumer(stored(id="7"), SinkDown(text)),
    "text of a handler that raises": lambda text: at_the_consumer(stored(id="7"), ValueError(text)),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_line_can_be_forged(way: str, written: io.StringIO, attempts: Attempts) -> None:
    through = []
    texts = [text for text in ALL if "\ud800" not in text or way.startswith("text of a")]
    for text in texts:
        written.seek(0)
        written.truncate()
        WAYS[way](text)
        if is_forged(written.getvalue()) or SECRET in written.getvalue():
            through.append(text)
    attempts("lines of a log", len(texts), through)


def test_our_own_errors_have_plain_fields(attempts: Attempts) -> None:
    raised = [
        error for text in ALL for error in (Permanent(text), RetryAfter(1, text), SinkDown(text), Unverified(text))
    ]
    attempts("reasons", len(raised), [str(error) for error in raised if not isinstance(error.reason, str)])
