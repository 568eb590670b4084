"""Store into a MySQL or MariaDB table with PyMySQL, in one statement a batch."""

import ssl
from collections.abc import Sequence

import pymysql
from pymysql.constants import ER

from webhook_runtime.contract.limits import CONNECT_SECONDS, SOCKET_SECONDS, STATEMENT_SECONDS
from webhook_runtime.contract.settings import DatabaseSettings
from webhook_runtime.contract.table import COLUMNS, UNLESS_THERE, quoted
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Outcome
from webhook_runtime.sinks.bisect import BadWebhook
from webhook_runtime.sinks.database import IDLE_SECONDS, DatabaseSink
from webhook_runtime.sinks.faults import Fault, Meaning, without_values
from webhook_runtime.sinks.rows import NO_COLUMN, OTHER_KEY, headers, received_at

# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
_MEANING = {
    ER.BAD_NULL_ERROR: Meaning.BAD_ROW,
    ER.DATETIME_FUNCTION_OVERFLOW: Meaning.BAD_ROW,
    ER.DIVISION_BY_ZERO: Meaning.BAD_ROW,
    ER.DATA_TOO_LONG: Meaning.BAD_ROW,
    ER.INVALID_CHARACTER_STRING: Meaning.BAD_ROW,
    ER.NO_REFERENCED_ROW_2: Meaning.BAD_ROW,
    ER.TRUNCATED_WRONG_VALUE: Meaning.BAD_ROW,
    ER.TRUNCATED_WRONG_VALUE_FOR_FIELD: Meaning.BAD_ROW,
    ER.WARN_DATA_OUT_OF_RANGE: Meaning.BAD_ROW,
    ER.WARN_DATA_TRUNCATED: Meaning.BAD_ROW,
    ER.WRONG_VALUE_FOR_TYPE: Meaning.BAD_ROW,
    1644: Meaning.BAD_ROW,  # raised by a trigger
    1690: Meaning.BAD_ROW,  # a number out of range
    3140: Meaning.BAD_ROW,  # not JSON
    3141: Meaning.BAD_ROW,  # not JSON, in a column that is computed from it
    3156: Meaning.BAD_ROW,  # JSON of the wrong type
    3854: Meaning.BAD_ROW,  # bytes that are not in the character set
    3819: Meaning.BAD_ROW,  # a check constraint of MySQL
    ER.CONSTRAINT_FAILED: Meaning.BAD_ROW,  # a check constraint of MariaDB
    ER.LOCK_DEADLOCK: Meaning.CONFLICT,
    ER.LOCK_WAIT_TIMEOUT: Meaning.SLOW,
    ER.ACCESS_DENIED_ERROR: Meaning.LOGIN,
    1698: Meaning.LOGIN,  # rejected by a plugin of MariaDB
    ER.NO_SUCH_TABLE: Meaning.NO_TABLE,
}

# Only the statement below ever sets a column to NULL.
_HINTS = {ER.BAD_NULL_ERROR: OTHER_KEY, ER.BAD_FIELD_ERROR: NO_COLUMN}

# Without strict mode, a value that is too long is cut, and a cut id may equal another one. Behind a pooler, the
# statement may run in another session. So it sets the mode too: as a hint of MySQL, which is a comment to MariaDB, and
# in MariaDB's own way.
_STRICT = "sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00'"
_INSERT = "INSERT /*+ SET_VAR(sql_mode = 'STRICT_ALL_TABLES') SET_VAR(time_zone = '+00:00') */"
_OF_MARIADB = f"SET STATEMENT {_STRICT} FOR "
_SESSION = (
    f"SET SESSION {_STRICT}, wait_timeout = {IDLE_SECONDS}, "
    f"innodb_lock_wait_timeout = {STATEMENT_SECONDS}, lock_wait_timeout = {STATEMENT_SECONDS}"  # a row's, a table's
)
_ROOM = "SHOW GLOBAL STATUS LIKE 'Threads_connected'"


class MySqlDriver:
    """MySQL, and servers that speak its protocol."""

    engine = "mysql"
    errors: tuple[type[Exception], ...] = (pymysql.Error, OSError, UnicodeError)

    def __init__(self, settings: DatabaseSettings) -> None:
        self._insert = (
            f"{_INSERT} INTO {quoted(self.engine, settings.table_name)} ({', '.join(COLUMNS)}) VALUES {{rows}} "
            f"{UNLESS_THERE[self.engine]}"
        )

    def connect(
        self, settings: DatabaseSettings, user: str, password: str, tls: ssl.SSLContext | None
    ) -> "_Connection":
        connection = pymysql.connect(
            host=settings.host,
            port=settings.port,
            user=user,
            password=password,
            database=settings.database_name,
            charset="utf8mb4",
            autocommit=True,
            init_command=_SESSION,
            ssl=tls,
            ssl_disabled=tls is None,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=SOCKET_SECONDS,
            write_timeout=SOCKET_SECONDS,
            program_name="cdk-scalable-webhook",
        )
        return _Connection(connection, self._insert)

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, UnicodeError):
            return Fault(Meaning.BAD_ROW, type(error).__name__, "a text that is no Unicode")
        cause = error.__cause__ or error.__context__ or error
        if isinstance(cause, TimeoutError):
            return Fault(Meaning.SLOW, "TimeoutError", str(error))
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        reason = without_values(text) + _HINTS.get(code, "")
        return Fault(_MEANING.get(code, Meaning.OTHER), f"MySQL error {code}", reason)


class _Connection:
    def __init__(self, connection: "pymysql.Connection[pymysql.cursors.Cursor]", insert: str) -> None:
        self._connection = connection
        self._is_idle = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet, @@version, @@max_connections, @@max_user_connections")
            row = cursor.fetchone()
        assert row is not None
        self._max_bytes = int(row[0])
        # 0 stands for no limit of the user.
        self._usable = min(int(row[2]), int(row[3]) or int(row[2]))
        # A proxy greets with its own version. This is the server's.
        self._insert = f"{_OF_MARIADB}{insert}" if "MariaDB" in row[1] else insert

    def insert(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        # The same order everywhere, which makes deadlocks rare.
        rows = sorted(webhooks, key=lambda webhook: webhook.key)
        with self._connection.cursor() as cursor:
            values = ", ".join(cursor.mogrify(_ROW, _values(row)) for row in rows)
            statement = self._insert.replace("{rows}", values, 1)
            # One byte in front says that it is a statement.
            if 1 + len(statement.encode("utf-8", "surrogateescape")) >= self._max_bytes:
                # The server would end the connection without a reason.
                raise BadWebhook("TooLarge", f"the statement is larger than max_allowed_packet of {self._max_bytes}")
            self._is_idle = False
            new = cursor.execute(statement)
            self._is_idle = True
        # The number of new rows is known, but not which. If there are any, all count as stored.
        return [STORED if new else DUPLICATE] * len(webhooks)

    def execute(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def room(self) -> tuple[int, int]:
        with self._connection.cursor() as cursor:
            cursor.execute(_ROOM)
            ((_, in_use),) = cursor.fetchall()
        return self._usable, int(in_use)

    def close(self) -> None:
        """Close the connection. Tell the server only after a statement that succeeded: else it may not answer."""
        if self._is_idle:
            self._connection.close()
        else:
            self._connection._force_close()  # type: ignore[attr-defined]


_ROW = f"({', '.join(['%s'] * len(COLUMNS))})"


def _values(webhook: Webhook) -> tuple[str | bytes, ...]:
    return (
        webhook.id.encode(),
        webhook.mount,
        webhook.request_id,
        received_at(webhook),
        webhook.method,
        webhook.path,
        webhook.query_string,
        headers(webhook),
        webhook.body,
        webhook.source_ip,
    )


def deployed() -> DatabaseSink:
    """Return the sink of a deployed function."""
    return DatabaseSink.from_environment(MySqlDriver)
