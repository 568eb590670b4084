"""Store into a DynamoDB table: up to 25 webhooks in one round trip, each only if its key is new."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from webhook_runtime.clients import AWS_FAILED, client, code_of
from webhook_runtime.contract.items import ENCODING, LEAST_BYTES, ZLIB
from webhook_runtime.contract.settings import DynamoDBSettings, PaceSettings, from_environment
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Kind, Outcome, SinkDown
from webhook_runtime.sinks.bisect import BadWebhook, insert_each

if TYPE_CHECKING:  # only for types: most functions have no large payloads
    from webhook_runtime.payloads import Payloads

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
_MAX_STATEMENTS = 25

# An item holds 400 KB. All but the payload takes less than 50 KB: request line and headers are limited to 10 KB, and
# encoding may triple a query.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_ITEM_PAYLOAD = 350 * 1024

# The fastest. The next ones save a tenth more, at twice the time.
_LEVEL = 1

# Errors of a statement that can never succeed: the item or its key is too large.
_BAD_ITEM = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})


class DynamoDBSink:
    """Inserts by PartiQL's ``INSERT``, which never overwrites an item, and fails with DuplicateItem instead.

    With ``payloads``, a payload that fits no item is stored there. Its item has ``payload_object`` instead of
    ``payload``.
    """

    def __init__(self, settings: DynamoDBSettings, dynamodb: Any, payloads: "Payloads | None" = None) -> None:
        self._table_name = settings.table_name
        self._compresses = settings.compress_payloads
        self._dynamodb = dynamodb
        self._payloads = payloads
        self._insertions: dict[tuple[str, ...], str] = {}

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        throttled = None
        for part in deadline.parts(webhooks, _MAX_STATEMENTS):
            if throttled:
                raise SinkDown(throttled.reason, error=throttled.error)
            for outcome in insert_each(part, self._insert, deadline):
                yield outcome
                throttled = outcome if outcome.kind is Kind.RETRY else throttled

    def ping(self, _deadline: Deadline) -> None:
        # DynamoDB rejects an item without its key, and stores nothing.
        statement = f"INSERT INTO \"{self._table_name}\" VALUE {{'ping': ?}}"
        try:
            (outcome,) = self._execute([{"Statement": statement, "Parameters": [{"S": "ping"}]}])
        except BadWebhook:
            return
        if outcome.kind is Kind.RETRY:
            raise SinkDown(outcome.reason, error=outcome.error)

    def _insert(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        return self._execute([self._statement(webhook) for webhook in webhooks])

    def _execute(self, statements: list[dict[str, Any]]) -> list[Outcome]:
        try:
            answer = self._dynamodb.batch_execute_statement(Statements=statements)
        except AWS_FAILED as error:
            if code_of(error) == "ValidationException":
                raise BadWebhook(code_of(error), str(error)) from error
            raise SinkDown(f"table {self._table_name}: {error}", error=code_of(error)) from error
        return [self._outcome(response) for response in answer["Responses"]]

    def _outcome(self, response: dict[str, Any]) -> Outcome:
        error = response.get("Error")
        if error is None:
            return STORED
        if error["Code"] == "DuplicateItem":
            return DUPLICATE
        kind = Kind.PERMANENT if error["Code"] in _BAD_ITEM else Kind.RETRY
        reason = f"table {self._table_name}: {error.get('Message', '')}"
        return Outcome(kind, error["Code"], reason, is_trouble=kind is Kind.RETRY)

    def _statement(self, webhook: Webhook) -> dict[str, Any]:
        item = self.item(webhook)
        return {"Statement": self._insertion(tuple(item)), "Parameters": list(item.values())}

    def _insertion(self, names: tuple[str, ...]) -> str:
        """Return the statement that inserts these attributes. There are four kinds of items at most."""
        if names not in self._insertions:
            values = ", ".join(f"'{name}': ?" for name in names)
            self._insertions[names] = f'INSERT INTO "{self._table_name}" VALUE {{{values}}}'
        return self._insertions[names]

    def item(self, webhook: Webhook) -> dict[str, Any]:
        """Return the item of a webhook, as DynamoDB has it. A payload that fits none is stored first."""
        columns = _COLUMNS
        compressed = _compressed(webhook.body) if self._compresses else None
        if self._payloads is not None and len(compressed or webhook.body) > _MAX_ITEM_PAYLOAD:
            # The object first, so that no item ever names a missing one.
            uri = self._payloads.keep(webhook)
            without = {name: column for name, column in _COLUMNS.items() if name != "payload"}
            columns = without | {"payload_object": lambda _: {"S": uri}}
        elif compressed is not None:
            columns = {**_COLUMNS, "payload": lambda _: {"B": compressed}, ENCODING: lambda _: {"S": ZLIB}}
        return {name: column(webhook) for name, column in columns.items()}


def _compressed(body: bytes) -> bytes | None:
    """Return a shorter form, or None if there is none: a payload may be compressed already."""
    if len(body) < LEAST_BYTES:
        return None
    import zlib  # only if payloads are compressed

    compressed = zlib.compress(body, _LEVEL)
    return compressed if len(compressed) < len(body) else None


def _payload(webhook: Webhook) -> dict[str, Any]:
    """Return text if the payload is UTF-8, else bytes."""
    try:
        return {"S": webhook.text}
    except UnicodeDecodeError:
        return {"B": webhook.body}


_COLUMNS: Mapping[str, Callable[[Webhook], dict[str, Any]]] = {
    "id": lambda webhook: {"S": webhook.key},
    "delivery_id": lambda webhook: {"S": webhook.id},
    "mount": lambda webhook: {"S": webhook.mount},
    "request_id": lambda webhook: {"S": webhook.request_id},
    "received_at": lambda webhook: {"S": webhook.received_at.isoformat(timespec="milliseconds")},
    "method": lambda webhook: {"S": webhook.method},
    "path": lambda webhook: {"S": webhook.path},
    "query": lambda webhook: {"S": webhook.query_string},
    "headers": lambda webhook: {"M": {name: {"S": value} for name, value in webhook.headers.items()}},
    "payload": _payload,
    "source_ip": lambda webhook: {"S": webhook.source_ip},
}


def deployed() -> DynamoDBSink:
    """Return the sink of a deployed function."""
    settings = from_environment(DynamoDBSettings)
    # The client's own second try would be no part of a rate.
    is_paced = from_environment(PaceSettings).seconds_each is not None
    dynamodb = client("dynamodb", attempts=1 if is_paced else 2)
    if settings.payload_bucket is None:
        return DynamoDBSink(settings, dynamodb)
    from webhook_runtime.payloads import Payloads

    return DynamoDBSink(settings, dynamodb, Payloads(client("s3"), settings.payload_bucket))
