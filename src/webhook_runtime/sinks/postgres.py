"""Store into a Postgres table with pg8000: one statement takes a batch of any size in one round trip.

A pooler may run each transaction on another connection. So nothing outlives a transaction: statements have no names,
which another client may use too, and no setting is the session's.
"""

import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

# Before the driver, which imports what it stands in for.
from webhook_runtime.sinks import asn1  # noqa: F401

# isort: split
import pg8000.native
from pg8000.core import Context

from webhook_runtime.contract.limits import CONNECT_SECONDS, SOCKET_SECONDS, STATEMENT_SECONDS
from webhook_runtime.contract.settings import DatabaseSettings
from webhook_runtime.contract.table import COLUMNS, UNLESS_THERE, quoted
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Outcome
from webhook_runtime.sinks import sqlstate
from webhook_runtime.sinks.database import IDLE_SECONDS, DatabaseSink
from webhook_runtime.sinks.faults import Fault, Meaning, without_values
from webhook_runtime.sinks.rows import headers

# A setting of the connection, which lets the server end idle ones. Poolers reject it, and so do servers before Postgres
# 14.
_OF_THE_CONNECTION = {"idle_session_timeout": f"{IDLE_SECONDS}s"}
_UNKNOWN_SETTING = {
    "08P01",  # protocol_violation: PgBouncer's "unsupported startup parameter"
    "0A000",  # feature_not_supported
    "22023",  # invalid_parameter_value
    "42704",  # undefined_object: Postgres' "unrecognized configuration parameter"
}
# A setting of the transaction, which ends with the batch.
_OF_THE_TRANSACTION = f"SELECT set_config('statement_timeout', '{STATEMENT_SECONDS}s', true)"
# Another client of a pooler may have left a search_path or a temporary table, and a name without a schema would find
# that. So reset the path to that of role and database, which NULL does. To read it from pg_settings would take longer
# than all the rest of a batch.
_OF_THE_NAME = (
    " || set_config('search_path', concat_ws(', ', nullif(set_config('search_path', NULL, true), ''), 'pg_temp'), true)"
)

# In one column. The limits of role and database are -1 if there is none. RDS has a reserve of its own, and Postgres has
# one more since version 16. The statistics show every user's connections, though not what they do.
_ROOM = """
SELECT concat_ws(' ', least(
    current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - coalesce(nullif(current_setting('rds.rds_superuser_reserved_connections', true), '')::int, 0)
    - coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0),
    nullif(rolconnlimit, -1), nullif(datconnlimit, -1)
), (SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL AND datid IS NOT NULL))
FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
"""

# The columns: type, number of the type, and value in the binary format of the type, which the server need not parse.
# That of jsonb begins with its version.
# https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
_BINARY: dict[str, tuple[str, int, Callable[[Webhook], bytes]]] = {
    "id": ("text", 25, lambda webhook: webhook.id.encode()),
    "mount": ("text", 25, lambda webhook: webhook.mount.encode()),
    "request_id": ("text", 25, lambda webhook: webhook.request_id.encode()),
    "received_at": ("timestamptz", 1184, lambda webhook: _microseconds(webhook.received_at)),
    "method": ("text", 25, lambda webhook: webhook.method.encode()),
    "path": ("text", 25, lambda webhook: webhook.path.encode()),
    "query": ("text", 25, lambda webhook: webhook.query_string.encode()),
    "headers": ("jsonb", 3802, lambda webhook: b"\1" + headers(webhook).encode()),
    "payload": ("bytea", 17, lambda webhook: webhook.body),
    "source_ip": ("text", 25, lambda webhook: webhook.source_ip.encode()),
}
_YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)


class PostgresDriver:
    """Postgres, and servers that speak its protocol."""

    engine = "postgres"
    errors: tuple[type[Exception], ...] = (pg8000.native.Error, OSError, UnicodeError)

    def __init__(self, settings: DatabaseSettings) -> None:
        types = [_BINARY[column][0] for column in COLUMNS]
        arrays = ", ".join(f"${number}::{type}[]" for number, type in enumerate(types, 1))
        self._insert = (
            f"INSERT INTO {quoted(self.engine, settings.table_name)} ({', '.join(COLUMNS)}) "  # noqa: S608
            f"SELECT * FROM unnest({arrays}) {UNLESS_THERE[self.engine]} RETURNING mount || '#' || id"
        )
        self._settings = _OF_THE_TRANSACTION + ("" if "." in settings.table_name else _OF_THE_NAME)
        self._of_the_connection = _OF_THE_CONNECTION

    def connect(
        self, settings: DatabaseSettings, user: str, password: str, tls: ssl.SSLContext | None
    ) -> "_Connection":
        # Not the driver's own socket, which has one timeout for connecting and for statements.
        wire = socket.create_connection((settings.host, settings.port), CONNECT_SECONDS)
        wire.settimeout(SOCKET_SECONDS)
        # Without it, the last piece of a batch would wait up to 40 milliseconds for the server's acknowledgement.
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection = pg8000.native.Connection(
                user,
                host=settings.host,
                database=settings.database_name,
                password=password,
                ssl_context=tls or False,
                application_name="cdk-scalable-webhook",
                # A webhook is Unicode, whatever the default of role and database.
                startup_params={"client_encoding": "UTF8", **self._of_the_connection},
                sock=wire.dup(),
            )
        except pg8000.native.DatabaseError as error:
            _hang_up(wire)
            if not self._of_the_connection or error.args[0].get("C") not in _UNKNOWN_SETTING:
                raise
            self._of_the_connection = {}
            return self.connect(settings, user, password, tls)
        except BaseException:
            _hang_up(wire)
            raise
        return _Connection(connection, wire, self._insert, self._settings)

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, UnicodeError):
            return Fault(Meaning.BAD_ROW, type(error).__name__, "a text that is no Unicode")
        if not isinstance(error, pg8000.native.DatabaseError):
            cause = error.__cause__ or error
            slow = isinstance(cause, TimeoutError)
            return Fault(Meaning.SLOW if slow else Meaning.OTHER, type(cause).__name__, str(cause))
        fields = error.args[0]
        code = fields["C"]
        return Fault(sqlstate.meaning(code), f"SQLSTATE {code}", without_values(fields["M"]) + sqlstate.hint(code))


class _Connection:
    """``wire`` is the socket below the driver's own, with or without TLS."""

    def __init__(self, connection: pg8000.native.Connection, wire: socket.socket, insert: str, settings: str) -> None:
        self._connection = connection
        self._wire = wire
        self._insert = insert
        self._settings = settings
        self._is_idle = True

    def insert(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        # The same order everywhere: two batches that share rows then wait for each other, and never deadlock.
        rows = sorted(webhooks, key=lambda webhook: webhook.key)
        arrays = [
            _array(number, [binary(row) for row in rows]) for _, number, binary in map(_BINARY.__getitem__, COLUMNS)
        ]
        self._is_idle = False
        # The first row is the result of the setting.
        _, *inserted = self._in_one_transaction(self._insert, arrays)
        self._is_idle = True
        new = {key for (key,) in inserted}
        return [STORED if webhook.key in new else DUPLICATE for webhook in webhooks]

    def _in_one_transaction(self, statement: str, arrays: Sequence[bytes] = ()) -> list[list[str]]:
        """Send settings and statement before one Sync, which makes them one transaction.

        The driver's own ``run`` would make two, and a pooler might run the second one elsewhere.

        See: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
        """
        wire = self._connection._sock
        wire.write(_execute(self._settings) + _execute(statement, arrays) + _message(b"S", b""))
        wire.flush()
        answer = Context(statement, columns=[], input_funcs=[str])
        try:
            self._connection.handle_messages(answer)
        except pg8000.native.InterfaceError:
            # The server sends a reason before it ends a connection. The driver would only say that it is gone.
            if answer.error is None:
                raise
            raise answer.error from None
        rows: list[list[str]] = answer.rows
        return rows

    def execute(self, statement: str) -> None:
        self._in_one_transaction(statement)

    def room(self) -> tuple[int, int]:
        _, (told,) = self._in_one_transaction(_ROOM)
        usable, in_use = map(int, told.split())
        return usable, in_use

    def close(self) -> None:
        """Close the connection. Tell the server only after a statement that succeeded: else it may not answer."""
        try:
            if self._is_idle:
                self._connection.close()
        finally:
            _hang_up(self._wire)


def _hang_up(wire: socket.socket) -> None:
    """Close the socket now, although the driver holds a copy until it is collected."""
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()


def _execute(statement: str, values: Sequence[bytes] = ()) -> bytes:
    """Return Parse, Bind and Execute for an unnamed statement and portal. The values are binary, the answer is text.

    See: https://www.postgresql.org/docs/current/protocol-message-formats.html
    """
    parameters = struct.pack("!hhh", 1, 1, len(values)) + b"".join(map(_sized, values))
    return (
        _message(b"P", b"\0" + statement.encode() + b"\0" + struct.pack("!h", 0))
        + _message(b"B", b"\0\0" + parameters + struct.pack("!h", 0))
        + _message(b"E", b"\0" + struct.pack("!i", 0))
    )


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


def _array(type: int, elements: Sequence[bytes]) -> bytes:
    """Return an array without NULL in the binary format.

    See: https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c, ``array_recv``
    """
    dimensions, has_null, lower_bound = 1, 0, 1
    return struct.pack("!iiIii", dimensions, has_null, type, len(elements), lower_bound) + b"".join(
        map(_sized, elements)
    )


def _sized(value: bytes) -> bytes:
    return struct.pack("!i", len(value)) + value


def _microseconds(time: datetime) -> bytes:
    return struct.pack("!q", (time - _YEAR_2000) // timedelta(microseconds=1))


def deployed() -> DatabaseSink:
    """Return the sink of a deployed function."""
    return DatabaseSink.from_environment(PostgresDriver)
