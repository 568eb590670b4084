"""Into a DynamoDB table: up to 25 webhooks in one round trip, each only if its id is new."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from webhook_runtime.consumer import DUPLICATE, STORED, Kind, Outcome
from webhook_runtime.message import Webhook
from webhook_runtime.settings import DynamoDBSettings

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
_MAX_STATEMENTS = 25

# What DynamoDB says of a statement that it will never run: the item is too large, or its key is.
_BAD_ITEM = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})


class DynamoDBSink:
    """``INSERT`` of PartiQL is conditional by nature: it never overwrites, and says DuplicateItem instead."""

    def __init__(self, settings: DynamoDBSettings, dynamodb: Any) -> None:
        columns = ", ".join(f"'{name}': ?" for name in _COLUMNS)
        self._statement = f'INSERT INTO "{settings.table_name}" VALUE {{{columns}}}'
        self._dynamodb = dynamodb

    def store(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        return [
            outcome
            for start in range(0, len(webhooks), _MAX_STATEMENTS)
            for outcome in self._insert(webhooks[start : start + _MAX_STATEMENTS])
        ]

    def _insert(self, webhooks: Sequence[Webhook]) -> Iterator[Outcome]:
        try:
            answer = self._dynamodb.batch_execute_statement(
                Statements=[
                    {"Statement": self._statement, "Parameters": [column(webhook) for column in _COLUMNS.values()]}
                    for webhook in webhooks
                ]
            )
        except (ClientError, BotoCoreError) as error:
            yield from self._failed(webhooks, error)
        else:
            yield from map(_outcome, answer["Responses"])

    def _failed(self, webhooks: Sequence[Webhook], error: ClientError | BotoCoreError) -> Iterator[Outcome]:
        """The call as a whole was refused. If for one bad item, the others must not suffer: each goes alone."""
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        if code != "ValidationException":
            yield from [Outcome(Kind.RETRY, code, str(error))] * len(webhooks)
        elif len(webhooks) == 1:
            yield Outcome(Kind.PERMANENT, code, str(error))
        else:
            for webhook in webhooks:
                yield from self._insert([webhook])


def _payload(webhook: Webhook) -> dict[str, Any]:
    """Text where it is text, whichever way it travelled; else the bytes."""
    try:
        return {"S": webhook.text}
    except UnicodeDecodeError:
        return {"B": webhook.body}


_COLUMNS: Mapping[str, Callable[[Webhook], dict[str, Any]]] = {
    "id": lambda webhook: {"S": webhook.id},
    "request_id": lambda webhook: {"S": webhook.request_id},
    "received_at": lambda webhook: {"S": webhook.received_at.isoformat(timespec="milliseconds")},
    "method": lambda webhook: {"S": webhook.method},
    "path": lambda webhook: {"S": webhook.path},
    "query": lambda webhook: {"S": webhook.query_string},
    "headers": lambda webhook: {"M": {name: {"S": value} for name, value in webhook.headers.items()}},
    "payload": _payload,
    "source_ip": lambda webhook: {"S": webhook.source_ip},
}


def _outcome(response: dict[str, Any]) -> Outcome:
    error = response.get("Error")
    if error is None:
        return STORED
    if error["Code"] == "DuplicateItem":
        return DUPLICATE
    kind = Kind.PERMANENT if error["Code"] in _BAD_ITEM else Kind.RETRY
    return Outcome(kind, error["Code"], error.get("Message", ""))
