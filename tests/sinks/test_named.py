"""A line that says that a secret or a server could not be reached names it, and has neither secrets nor payloads."""

import ast
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import webhook_runtime
from webhook_runtime import logs
from webhook_runtime.breaker import Breaker
from webhook_runtime.clients import AwsRejected
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.settings import (
    BreakerSettings,
    DataApiSettings,
    DatabaseSettings,
    DynamoDBSettings,
    HttpSettings,
    PublisherSettings,
)
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Kind, Outcome, SinkDown
from webhook_runtime.payloads import Payloads
from webhook_runtime.publisher import Publisher
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sinks.data_api import DataApiSink
from webhook_runtime.sinks.database import Credentials, DatabaseSink
from webhook_runtime.sinks.dynamodb import DynamoDBSink
from webhook_runtime.sinks.faults import Fault, Meaning
from webhook_runtime.sinks.http import HttpSink, Signer
from webhook_runtime.sources.source import Sources
from webhook_runtime.testing import sqs_event
from webhook_runtime.testing import webhook as a_webhook

from ..runtime.doubles import Invocation, client_error, unreachable
from ..runtime.events import log_lines, request

PAYLOAD, SECRET = b'{"card": "4242-PAYLOAD"}', "s3cr3t-VALUE"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dev/stripe-a1b2c3"
CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:orders"
QUEUE, LETTERS = "https://sqs.eu-west-1.amazonaws.com/123456789012/Orders", "https://sqs/letters"

# An answer of AWS that names nothing, and no answer.
ERRORS = [client_error("ResourceNotFoundException"), unreachable("EndpointConnectionError", "https://aws")]


class Fails:
    """A client of any service, all of whose calls fail."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _: str) -> Callable[..., Any]:
        def call(*_: object, **__: object) -> Any:
            raise self._error

        return call


class Works:
    """A client of SQS and S3."""

    def __getattr__(self, _: str) -> Callable[..., Any]:
        return lambda **_: {"MessageId": "m", "Body": __import__("io").BytesIO(PAYLOAD)}


class _Sink:
    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def store(self, webhooks: Sequence[Webhook], _deadline: Deadline) -> list[Outcome]:
        return [self._outcome for _ in webhooks]


def publish(
    error: Exception, *, sqs: Any = None, payloads: Any = None, body: bytes = PAYLOAD, source: Any = None
) -> None:
    sources = None
    if source:
        sources = Sources.from_descriptions({"/": source}, Fails(error))
    publisher = Publisher(PublisherSettings(QUEUE), sqs or Fails(error), sources, payloads=payloads)
    publisher.handle(request(body, headers=[("X-Token", SECRET)]), None)


def consume(sink: Any, sqs: Any, payloads: Payloads | None = None, event: Any = None) -> None:
    letters = DeadLetters(sqs, LETTERS)
    consumer = Consumer(sink, Redelivery(sqs, QUEUE, Backoff(1, 2)), letters, 5, payloads=payloads)
    consumer.handle(event or sqs_event(a_webhook(PAYLOAD)), Invocation())


def in_s3(key: str = "queued/1") -> dict[str, Any]:
    event = sqs_event(a_webhook(PAYLOAD))
    (record,) = event["Records"]
    record["body"] = key
    attribute = record["messageAttributes"]["webhook"]
    attribute["stringValue"] = attribute["stringValue"].replace("encoding=text", "encoding=s3")
    return event


class _Driver:
    """A database that cannot be reached, or fails when it is asked for anything."""

    engine = "postgres"
    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, *, connects: bool = False, has_table: bool = True) -> None:
        self._connects = connects
        self._has_table = has_table

    def connect(self, *_: object) -> Any:
        if not self._connects:
            raise TimeoutError("timed out")
        return Fails(ConnectionResetError(104, "Connection reset by peer"))

    def fault(self, error: Exception) -> Fault:
        meaning = Meaning.OTHER if self._has_table else Meaning.NO_TABLE
        return Fault(meaning, type(error).__name__, str(error))


def database(error: Exception, driver: _Driver | None = None, secrets: Any = None) -> None:
    settings = DatabaseSettings("db.example", 5432, "orders", False, "webhooks", True, ARN)
    known = type("Secrets", (), {"get_secret_value": lambda *_, **__: {"SecretString": _LOGIN}})()
    sink = DatabaseSink(settings, driver or _Driver(), Credentials(settings, secrets or known, Fails(error)))
    consume(sink, Works())


_LOGIN = json.dumps({"username": "u", "password": SECRET})


def data_api(error: Exception) -> None:
    consume(DataApiSink(DataApiSettings(CLUSTER, ARN, "postgres", "orders", "webhooks", True), Fails(error)), Works())


def without_table(error: Exception) -> None:
    told = "relation does not exist; SQLState: 42P01"
    missing = AwsRejected({"Error": {"Code": "DatabaseErrorException", "Message": told}}, "BatchExecuteStatement")
    data_api(missing)


def http(error: Exception, signer: Signer | None = None) -> None:
    # A port on which nothing listens, and a URL with a secret in it.
    consume(HttpSink(HttpSettings(f"http://user:{SECRET}@127.0.0.1:9/{SECRET}", 1), signer), Works())


def ping(sink: Any) -> None:
    with suppress(SinkDown):
        try:
            sink.ping(Deadline(Invocation()))
        except SinkDown as down:
            logs.logger.info("probe", extra={"reason": down.reason})


def breaker(error: Exception, lambda_: Any, event: dict[str, Any]) -> None:
    settings = BreakerSettings("mapping-uuid", "OrdersConsumer", "OrdersRule", 60, 900, 3)
    with suppress(type(error)):
        Breaker(settings, lambda_, Fails(error), sleep=lambda _: None).handle(event, None)


class _NoProbe:
    def __init__(self, error: Exception) -> None:
        self._error = error
        self._tags: dict[str, str] = {}

    def list_tags(self, **_: object) -> dict[str, dict[str, str]]:
        return {"Tags": self._tags}

    def tag_resource(self, Tags: dict[str, str], **_: object) -> None:
        self._tags = self._tags | Tags

    def untag_resource(self, TagKeys: list[str], **_: object) -> None:
        self._tags = {name: value for name, value in self._tags.items() if name not in TagKeys}

    def get_event_source_mapping(self, **_: object) -> dict[str, str]:
        return {"State": "Enabled", "EventSourceMappingArn": "arn"}

    def invoke(self, **_: object) -> None:
        raise self._error


OUTAGE = log_lines('{"level": "ERROR", "message": "sink down"}')
PERMANENT = Outcome(Kind.PERMANENT, "Bad", "it is bad")
RETRIED = Outcome(Kind.RETRY, "Busy", "it is busy")
TOKEN = {"kind": "token", "scheme": {"header": "X-Token"}, "secret": {"arn": ARN}}
HTTP = HttpSettings(f"http://user:{SECRET}@127.0.0.1:9/{SECRET}", 1)

# Each place that handles a failure: how to get there, and the name that its line has to have.
PLACES: dict[tuple[str, str], tuple[Callable[[Exception], None], str]] = {
    ("breaker.py", "handle"): (lambda error: breaker(error, Fails(error), OUTAGE), "mapping-uuid"),
    ("breaker.py", "_sink"): (lambda error: breaker(error, _NoProbe(error), OUTAGE), "OrdersConsumer"),
    ("payloads.py", "get"): (
        lambda error: consume(_Sink(STORED), Works(), Payloads(Fails(error), "bucket"), in_s3()),
        "s3://bucket/queued/1",
    ),
    ("payloads.py", "delete"): (
        lambda error: Payloads(Fails(error), "bucket").delete(["queued/1"], Deadline(Invocation())),
        "bucket",
    ),
    ("payloads.py", "keep"): (
        lambda error: consume(
            DynamoDBSink(DynamoDBSettings("Webhooks"), Works(), Payloads(Fails(error), "bucket")),
            Works(),
            event=sqs_event(a_webhook(PAYLOAD * 20_000)),
        ),
        "s3://bucket/stored/",
    ),
    ("publisher.py", "_send"): (lambda error: publish(error), QUEUE),
    ("publisher.py", "_put_aside"): (
        lambda error: publish(error, payloads=Payloads(Fails(error), "bucket"), body=PAYLOAD * 100_000),
        "s3://bucket/queued/",
    ),
    ("publisher.py", "_admit"): (lambda error: publish(error, source=TOKEN), ARN),
    ("redelivery.py", "postpone"): (lambda error: consume(_Sink(RETRIED), Fails(error)), QUEUE),
    ("settlement.py", "_send"): (lambda error: consume(_Sink(PERMANENT), Fails(error)), LETTERS),
    ("sinks/data_api.py", "_call"): (data_api, CLUSTER),
    ("sinks/data_api.py", "_create_table"): (without_table, CLUSTER),
    ("sinks/database.py", "_read"): (lambda error: database(error, secrets=Fails(error)), ARN),
    ("sinks/database.py", "_ask"): (database, "db.example:5432"),
    ("sinks/database.py", "_tell_room"): (lambda error: database(error, _Driver(connects=True)), "db.example:5432"),
    ("sinks/database.py", "_create_table"): (
        lambda error: database(error, _Driver(connects=True, has_table=False)),
        "db.example:5432",
    ),
    ("sinks/dynamodb.py", "_execute"): (
        lambda error: consume(DynamoDBSink(DynamoDBSettings("Webhooks"), Fails(error)), Works()),
        "table Webhooks",
    ),
    ("sinks/http.py", "_read"): (lambda error: http(error, Signer(Fails(error), ARN)), ARN),
    ("sinks/http.py", "_post"): (http, "127.0.0.1:9"),
    ("sinks/http.py", "ping"): (lambda _: ping(HttpSink(HTTP, None)), "127.0.0.1:9"),
    ("sources/secrets.py", "_value"): (lambda error: publish(error, source=TOKEN), ARN),
}
# These hand the failure on to one of those.
HANDED_ON = {
    ("aws.py", "_call"),
    ("breaker.py", "_update"),
    ("sinks/http.py", "_requested"),
    ("sinks/http.py", "begin"),
    ("sinks/http.py", "_is_read_to_its_end"),
    ("sources/secrets.py", "_ask"),
    ("sources/secrets.py", "are_newer_than"),
    ("sources/source.py", "admit"),
    ("sources/schemes.py", "verdict"),
}


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    caplog.set_level(logging.DEBUG, "webhook")
    return lambda: [json.loads(logs._JsonLines().format(record)) for record in caplog.records]


@pytest.mark.parametrize("error", ERRORS, ids=["rejected", "unreachable"])
@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_a_failure_names_what_could_not_be_reached(
    place: tuple[str, str], error: Exception, told: Callable[[], list[dict[str, Any]]]
) -> None:
    fail, name = PLACES[place]
    fail(error)
    failures = [line for line in told() if {"error", "reason", "dead_letter_queue_error"} & line.keys()]
    named = [line for line in failures if name in json.dumps(line)]
    assert named, failures
    assert SECRET not in json.dumps(told())
    assert "PAYLOAD" not in json.dumps(told())


def handlers() -> Iterator[tuple[str, str]]:
    """Yield the module and the function of each place that handles a failure of AWS, a driver or an HTTP client."""
    root = Path(webhook_runtime.__file__).parent
    caught = {"AWS_FAILED", "AwsRejected", "AwsUnreachable", "errors", "HTTPError", "HTTPException", "ProtocolError"}
    for path in root.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for handler in ast.walk(function):
                if isinstance(handler, ast.ExceptHandler) and handler.type is not None:
                    names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(handler.type)}
                    reads_a_secret = "Exception" in names and "secret" in ast.unparse(function)
                    if names & caught or "NoSecret" in names or reads_a_secret:
                        yield path.relative_to(root).as_posix(), function.name


def test_every_place_that_handles_a_failure_is_tried() -> None:
    found = set(handlers())
    assert len(found) > 15
    assert found - PLACES.keys() - HANDED_ON == set()
    # These handle a failure that is no exception, or one of our own.
    assert PLACES.keys() - found == {("publisher.py", "_admit"), ("sinks/data_api.py", "_create_table")}
