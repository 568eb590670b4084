"""The fate of a message: event filters, sinks, retries, concurrency, and logs."""

from collections.abc import Iterator

from scalable_webhook_cli.conformance.case import Case, Facts, Request, at
from scalable_webhook_cli.conformance.cases.requests import JSON, kept, typed
from scalable_webhook_cli.conformance.cases.sources import (
    ASSUMED,
    FAILURES,
    FIFO,
    FILTERS,
    INSERT,
    ITEM,
    JSON_LOGS,
    KMS,
    METRIC,
    NOBODY,
    REDRIVE,
    S3,
    SCALING,
    VISIBILITY,
)

# The payload of an event, and whether a filter keeps it. None: no one has recorded it of a mapping.
_EVENTS: list[tuple[str, str, str, bool | None, str]] = [
    ("number", "a number", '{"kind":"number","total":300}', True, FILTERS),
    ("other-number", "another number", '{"kind":"number","total":301}', False, FILTERS),
    ("300.0", "300.0, with a filter for 300", '{"kind":"number","total":300.0}', True, "fact ruler-number-by-value; a mapping is not recorded"),
    ("steps", "a step down", '{"kind":"dots","data":{"object":"x"}}', True, FILTERS),
    ("dots", "a dot in a key, for a step down", '{"kind":"dots","data.object":"x"}', True, "fact ruler-dots; a mapping is not recorded"),
    ("operators", "suffix and anything-but", '{"kind":"operators","name":"a.png","state":"open"}', True, FILTERS),
    ("suffix", "another suffix", '{"kind":"operators","name":"a.gif","state":"open"}', False, FILTERS),
    ("anything-but", "what anything-but names", '{"kind":"operators","name":"a.png","state":"draft"}', False, FILTERS),
    ("ignore-case", "equals-ignore-case", '{"kind":"case","name":"ZOË"}', True, FILTERS),
    ("or", "the one side of $or", '{"kind":"or","a":1}', True, FILTERS),
    ("or-exists", "the other, with exists: false", '{"kind":"or","c":1}', True, FILTERS),
    ("neither", "no side of $or", '{"kind":"or","a":2}', False, FILTERS),
    ("no-json", "a payload that is no JSON", "plain", False, "fact esm-filter-no-json"),
    ("mark", "a byte order mark", '\ufeff{"kind":"number","total":300}', None, NOBODY),
    ("nan", "NaN in the payload", '{"kind":"number","total":300,"x":NaN}', None, NOBODY),
]  # fmt: skip


def _filters() -> Iterator[Case]:
    for name, shows, payload, is_kept, source in _EVENTS:
        yield Case(
            id=f"filter.{name}",
            shows=shows,
            way="events",
            fields=["kept"],
            requests=[Request(headers=typed(JSON), body=payload.encode())],
            expected=at(("Filtered", "Dropped"), None if is_kept is None else {"status": 202, "kept": is_kept}),
            source=source,
        )
    for name, shows, payload, is_kept in (
        ("absent", "exists: false, and no such field", "{}", True),
        ("present", "exists: false, and the field", '{"kind":"x"}', False),
        ("absent-no-json", "exists: false of a payload that is no JSON", "plain", None),
    ):
        yield Case(
            id=f"filter.{name}",
            shows=shows,
            way="events",
            fields=["kept"],
            requests=[Request(headers=typed(JSON), body=payload.encode())],
            expected={"Absent": None if is_kept is None else {"status": 202, "kept": is_kept}},
            source=FILTERS if is_kept is not None else NOBODY,
        )


_BYTES, _LARGE = bytes(range(256)), b"large " * 350_000
_ONE = (1, 1)
# Id, meaning, way, endpoint; expectation and source; the payload, and the size of a burst.
_ROWS: list[tuple[str, str, str, str, Facts, str, bytes, tuple[int, int]]] = [
    ("stored.bytes", "an item with a payload of any bytes", "item", "Stored", kept(_BYTES), INSERT, _BYTES, _ONE),
    ("stored.twice", "10 pairs with one id each: DuplicateItem, also within a statement", "twice", "Stored", {"items": 10, "stored": 10, "duplicate": 10}, INSERT, b"x", (10, 10)),
    ("stored.400-kb", "an item above 400 KB", "letter", "Stored", {"status": 202, "dead-lettered": True}, ITEM, b"x" * 450_000, _ONE),
    ("handler.partial", "one of ten fails, and the others are stored", "partial", "Handler", {"stored": 9, "dead-lettered": 1}, FAILURES, b"x", (10, 10)),
    ("handler.permanent", "a dead letter with its reason", "letter", "Handler", {"status": 202, "dead-lettered": True, "error": "Permanent", "reason": "as the payload asks"}, FAILURES, b"permanent", _ONE),
    ("handler.always", "a dead letter after the last try", "letter", "Handler", {"status": 202, "dead-lettered": True, "error": "RuntimeError"}, VISIBILITY, b"always", _ONE),
    ("handler.backoff", "two retries, no earlier than their backoff", "retry", "Handler", {"attempts": 3, "too early": 0}, VISIBILITY, b"twice", _ONE),
    ("handler.redrive", "a redrive of a letter that a function sent, to the queue", "redrive", "Handler", {"status": "COMPLETED", "came back": True}, REDRIVE, b"permanent", _ONE),
    ("consumer.concurrency", "a burst: never more batches at a time than max_concurrency", "burst", "Handler", {"stored": "all", "above the maximum": False}, SCALING, b"", (5000, 200)),
    ("consumer.pause", "a mapping that is disabled under a backlog, and enabled again", "pause", "Handler", {"stored": "all", "late batches": 0}, ASSUMED, b"", (3000, 200)),
    ("consumer.one-group", "one group: one batch at a time", "one", "Fifo", {"stored": "all", "at a time": 1}, FIFO, b"", (1000, 60)),
    ("consumer.groups", "groups: each in its order", "groups", "Groups", {"stored": "all", "out of order": 0, "above the maximum": False}, FIFO, b"", (1000, 60)),
    ("large.kms", "queue, table and bucket with a key of one's own", "item", "Large", kept(b"small"), KMS, b"small", _ONE),
    ("large.s3", "2 MB through S3, from which it is deleted when it is stored", "item", "Large", {**kept(_LARGE), "in": "S3", "left in S3": 0}, S3, _LARGE, _ONE),
]  # fmt: skip


def _consumer() -> Iterator[Case]:
    for id, shows, way, ingress, expected, source, body, count in _ROWS:
        yield Case(
            id=id,
            shows=shows,
            way=way,
            requests=[Request(headers=typed("text/plain"), body=body)],
            count=count,
            expected={ingress: expected},
            source=source,
        )


# The answer of an existing consumer, and whether the batch is tried again.
_OWN: list[tuple[str, str, str, bool | None, str]] = [
    ("empty", "an empty object", "{}", False, "fact esm-batch-item-failures-empty"),
    ("no-failures", "an empty list of failures", '{"batchItemFailures":[]}', False, FAILURES),
    ("null", "failures that are null", '{"batchItemFailures":null}', None, NOBODY),
    ("wrong-key", "failures with a wrong key", '{"batchItemFailures":[{"id":"x"}]}', True, "fact esm-batch-item-failures-invalid"),
    ("unknown-id", "an id that is not in the batch", '{"batchItemFailures":[{"itemIdentifier":"x"}]}', None, NOBODY),
    ("text", "a text instead of an object", '"text"', None, NOBODY),
    ("raises", "an exception", "no JSON", True, "fact esm-function-raises"),
]  # fmt: skip


def _own() -> Iterator[Case]:
    for name, shows, answer, is_retried, source in _OWN:
        yield Case(
            id=f"own.{name}",
            shows=f"{shows}, answered by a consumer of one's own",
            way="own",
            fields=["retried"],
            requests=[Request(headers=typed(JSON), body=answer.encode())],
            expected={"Own": None if is_retried is None else {"status": 202, "retried": is_retried}},
            source=source,
        )


# Characters that SQS does not take, to SQS itself.
_CHARACTERS = {"u+0000": b"\0", "u+000b": b"\x0b", "u+fffe": b"\xef\xbf\xbe", "surrogate": b"\xed\xa0\x80"}


def _sqs() -> Iterator[Case]:
    rejected: Facts = {"status": 400, "code": "InvalidMessageContents"}
    for name, body in _CHARACTERS.items():
        yield Case(
            id=f"sqs.{name}",
            shows="a character that XML does not have, by SQS's Query protocol",
            way="sqs",
            fields=["code"],
            requests=[Request(body=body)],
            expected={"Text": None if name == "surrogate" else rejected},
            source=NOBODY if name == "surrogate" else "fact send-invalid-characters, without a date",
        )
    yield Case(
        id="sqs.redrive-fifo",
        shows="a redrive out of a FIFO queue",
        way="move",
        expected={"Fifo": {"status": "COMPLETED", "came back": True}},
        source=REDRIVE,
    )
    yield Case(
        id="sqs.concurrency",
        shows="a MaximumConcurrency of 1, and of 1,001",
        way="limits",
        fields=["1", "1001"],
        expected={"Handler": None},
        source=NOBODY,
    )


def _logs() -> Iterator[Case]:
    written = {"Text": ["access"], "Lambda": ["access", "queued"], "Handler": ["queued", "stored"]}
    yield Case(
        id="logs.lines",
        shows="every line of API Gateway and of the functions is JSON, and those of INFO are there",
        way="lines",
        expected={ingress: {"other lines": [], "written": lines} for ingress, lines in written.items()},
        source=JSON_LOGS,
    )
    yield Case(
        id="logs.access",
        shows="the variables of an access log: of an accepted and of a rejected request",
        way="access",
        fields=["lines"],
        requests=[Request(body=b"x"), Request(body=b"\x0b")],
        expected={"Text": None, "Keyed": None},
        source=NOBODY,
    )
    yield Case(
        id="logs.dropped",
        shows="the metric of dropped webhooks counts each",
        way="metric",
        expected={"Dropped": {"counted each": True}},
        source=METRIC,
    )


CONSUMER: list[Case] = [*_filters(), *_consumer(), *_own(), *_sqs(), *_logs()]
