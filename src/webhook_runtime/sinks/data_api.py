"""Store into an Aurora table through the Data API: over HTTPS, without VPC, driver or connection."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from webhook_runtime import logs
from webhook_runtime.clients import AwsRejected, AwsUnreachable, client, code_of, message_of
from webhook_runtime.contract.limits import SOCKET_SECONDS
from webhook_runtime.contract.settings import DataApiSettings, from_environment
from webhook_runtime.contract.table import COLUMNS, UNLESS_THERE, create_table, insert_nothing, quoted
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Outcome, SinkDown
from webhook_runtime.sinks import sqlstate
from webhook_runtime.sinks.bisect import BadWebhook, insert_each
from webhook_runtime.sinks.faults import Fault, Meaning, without_values
from webhook_runtime.sinks.rows import OTHER_KEY, headers, received_at

# The limit is for the whole HTTP request, which has little but values.
# https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_BatchExecuteStatement.html
_MAX_BYTES = 4 * 1024 * 1024 - 64 * 1024

# A session of Aurora MySQL is not strict by default: an id that is too long would be cut, and might then equal another
# one. https://dev.mysql.com/doc/refman/8.0/en/optimizer-hints.html
_INSERT = {"postgres": "INSERT", "mysql": "INSERT /*+ SET_VAR(sql_mode = 'STRICT_ALL_TABLES') */"}
# Postgres does not convert a string to these by itself.
_TYPES = {"postgres": {"received_at": "timestamptz", "headers": "jsonb"}, "mysql": dict[str, str]()}

# Errors of the database itself. The second name is an older one that is still in use.
_OF_THE_DATABASE = frozenset({"DatabaseErrorException", "BadRequestException"})
_SQLSTATE = re.compile(r"SQLState: (\w{5})")
# MySQL reports these without a class of their own.
_MYSQL_OTHER_KEY = "Column 'id' cannot be null"
_MYSQL_BAD_ROW = re.compile(r"Incorrect .* value|Data too long|Data truncated|Out of range value")

_TRIES = 3


class DataApiSink:
    """``rds_data`` is a boto3 client."""

    def __init__(self, settings: DataApiSettings, rds_data: Any) -> None:
        self._settings = settings
        self._rds_data = rds_data
        engine = settings.database_engine
        types = _TYPES[engine]
        values = (f"CAST(:{name} AS {types[name]})" if name in types else f":{name}" for name in COLUMNS)
        self._statement = (
            f"{_INSERT[engine]} INTO {quoted(engine, settings.table_name)} ({', '.join(COLUMNS)}) "
            f"VALUES ({', '.join(values)}) {UNLESS_THERE[engine]}"
        )

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        return insert_each(webhooks, partial(self._insert, deadline=deadline), deadline)

    def ping(self, deadline: Deadline) -> None:
        settings = self._settings
        # One set of parameters, without any: the statement runs once.
        self._ask(insert_nothing(settings.database_engine, settings.table_name), [[]], 0, deadline)

    def _insert(self, webhooks: Sequence[Webhook], deadline: Deadline) -> list[Outcome]:
        """Insert the webhooks in one call if possible."""
        # The same order everywhere, so that two batches that share rows do not deadlock.
        sets = [_parameters(webhook) for webhook in sorted(webhooks, key=lambda webhook: webhook.key)]
        if sum(map(_size, sets)) > _MAX_BYTES:
            raise BadWebhook("TooLarge", f"the statement is larger than the Data API's {_MAX_BYTES} bytes")
        self._ask(self._statement, sets, len(webhooks), deadline)
        # The Data API does not say which rows existed already.
        return [STORED] * len(webhooks)

    def _ask(self, statement: str, sets: list[list[dict[str, Any]]], webhooks: int, deadline: Deadline) -> None:
        """Run a statement for each set of parameters. A second try is safe, since an existing row stays as it is."""
        for tries_left in reversed(range(_TRIES)):
            if tries_left < _TRIES - 1:
                deadline.turn(webhooks)
            fault = self._call("batch_execute_statement", sql=statement, parameterSets=sets)
            if fault is None:
                return
            if fault.meaning is Meaning.BAD_ROW:
                raise BadWebhook(fault.error, fault.reason)
            if fault.meaning is Meaning.NO_TABLE and self._settings.create_table and tries_left:
                self._create_table()
            elif fault.meaning is not Meaning.CONFLICT or not tries_left:
                raise SinkDown(f"{self._settings.cluster_arn}: {fault.reason}", error=fault.error)

    def _create_table(self) -> None:
        statement = create_table(self._settings.database_engine, self._settings.table_name)
        if fault := self._call("execute_statement", sql=statement):
            # Another environment may have created it at the same time. Then the insert works now.
            where = {"cluster": self._settings.cluster_arn, "table": self._settings.table_name}
            logs.logger.warning("table not created", extra=where | {"error": fault.error, "reason": fault.reason})

    def _call(self, operation: str, **arguments: Any) -> Fault | None:
        settings = self._settings
        try:
            getattr(self._rds_data, operation)(
                resourceArn=settings.cluster_arn,
                secretArn=settings.secret_arn,
                database=settings.database_name,
                **arguments,
            )
        except AwsRejected as error:
            fault = _fault(code_of(error), message_of(error))
            if "secret" not in f"{fault.error} {fault.reason}".lower():
                return fault
            return fault._replace(reason=f"{fault.reason}, with the secret {settings.secret_arn}")
        except AwsUnreachable as error:
            return Fault(Meaning.OTHER, code_of(error), message_of(error))
        return None


def _fault(error: str, message: str) -> Fault:
    state = _SQLSTATE.search(message)
    # The lines after the first have details, and with them values.
    reason = without_values(message).partition("\n")[0]
    if error not in _OF_THE_DATABASE or state is None:
        return Fault(Meaning.OTHER, error, reason)
    bad_row = state[1] == "HY000" and _MYSQL_BAD_ROW.search(message)
    meaning = Meaning.BAD_ROW if bad_row else sqlstate.meaning(state[1])
    hint = OTHER_KEY if _MYSQL_OTHER_KEY in message else sqlstate.hint(state[1])
    return Fault(meaning, f"SQLSTATE {state[1]}", reason + hint)


def _parameters(webhook: Webhook) -> list[dict[str, Any]]:
    texts = {
        "id": webhook.id,
        "mount": webhook.mount,
        "request_id": webhook.request_id,
        "received_at": received_at(webhook),
        "method": webhook.method,
        "path": webhook.path,
        "query": webhook.query_string,
        "headers": headers(webhook),
        "source_ip": webhook.source_ip,
    }
    payload = {"name": "payload", "value": {"blobValue": webhook.body}}
    return [*({"name": name, "value": {"stringValue": text}} for name, text in texts.items()), payload]


def _size(parameters: list[dict[str, Any]]) -> int:
    """Return an upper bound of their size as JSON: text is escaped, and bytes are base64."""
    values = [value for parameter in parameters for value in parameter["value"].values()]
    return sum(len(json.dumps(value)) if isinstance(value, str) else 4 * len(value) // 3 + 4 for value in values) + 512


def deployed() -> DataApiSink:
    """Return the sink of a deployed function."""
    # The Data API gives a statement 45 seconds. Do not send it again while it may still run.
    return DataApiSink(from_environment(DataApiSettings), client("rds-data", read_timeout=SOCKET_SECONDS, attempts=1))
