"""Into a Postgres table, by pg8000: one prepared statement, which takes a batch of any size in one round trip."""

import socket
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress

import pg8000.native

from webhook_runtime.message import Webhook
from webhook_runtime.outcome import DUPLICATE, STORED, Outcome
from webhook_runtime.settings import DatabaseSettings
from webhook_runtime.sinks import sqlstate
from webhook_runtime.sinks.database import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    SOCKET_SECONDS,
    STATEMENT_SECONDS,
    Fault,
    Meaning,
    without_values,
)
from webhook_runtime.sinks.table import COLUMNS, UNLESS_THERE, headers, quoted, received_at

# Only what this server knows: idle_session_timeout came with Postgres 14.
_SESSION = f"""\
SELECT set_config(name, wanted, false)
FROM (VALUES ('statement_timeout', '{STATEMENT_SECONDS}s'), ('idle_session_timeout', '{IDLE_SECONDS}s'))
  AS settings (name, wanted) JOIN pg_settings USING (name)
"""  # noqa: S608

_TYPES = ("text", "text", "timestamptz", "text", "text", "text", "jsonb", "bytea", "text")


class PostgresDriver:
    """Postgres, and what speaks its protocol."""

    engine = "postgres"
    errors: tuple[type[Exception], ...] = (pg8000.native.Error, OSError, UnicodeError)

    def __init__(self, settings: DatabaseSettings) -> None:
        arrays = ", ".join(f":{name}::{type}[]" for name, type in zip(COLUMNS, _TYPES, strict=True))
        self._insert = (
            f"INSERT INTO {quoted(self.engine, settings.table_name)} ({', '.join(COLUMNS)}) "  # noqa: S608
            f"SELECT * FROM unnest({arrays}) {UNLESS_THERE[self.engine]} RETURNING id"
        )

    def connect(
        self, settings: DatabaseSettings, user: str, password: str, tls: ssl.SSLContext | None
    ) -> "_Connection":
        # Not the driver's own socket, which would give a statement no longer than a connection.
        wire = socket.create_connection((settings.host, settings.port), CONNECT_SECONDS)
        wire.settimeout(SOCKET_SECONDS)
        # A batch is sent in pieces, and the last would wait up to 40 milliseconds for the server's acknowledgement.
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection = pg8000.native.Connection(
                user,
                host=settings.host,
                database=settings.database_name,
                password=password,
                ssl_context=tls or False,
                application_name="cdk-scalable-webhook",
                sock=wire.dup(),
            )
            connection.run(_SESSION)
        except BaseException:
            _hang_up(wire)
            raise
        return _Connection(connection, wire, self._insert)

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, UnicodeError):
            return Fault(Meaning.BAD_ROW, type(error).__name__, "a text that is no Unicode")
        if not isinstance(error, pg8000.native.DatabaseError):
            cause = error.__cause__ or error
            slow = isinstance(cause, TimeoutError)
            return Fault(Meaning.SLOW if slow else Meaning.OTHER, type(cause).__name__, str(cause))
        fields = error.args[0]
        return Fault(sqlstate.meaning(fields["C"]), f"SQLSTATE {fields['C']}", without_values(fields["M"]))


class _Connection:
    """``wire`` is the socket below the driver's own, with TLS or without."""

    def __init__(self, connection: pg8000.native.Connection, wire: socket.socket, insert: str) -> None:
        self._connection = connection
        self._wire = wire
        self._insert = insert
        self._prepared: pg8000.native.PreparedStatement | None = None
        self._is_idle = True

    def insert(self, webhooks: Sequence[Webhook]) -> list[Outcome]:
        self._is_idle = False
        if self._prepared is None:
            self._prepared = self._connection.prepare(self._insert)
        # In one order everywhere: two batches that share rows then wait for each other, and never deadlock.
        rows = sorted(webhooks, key=lambda webhook: webhook.id)
        inserted = self._prepared.run(
            id=_texts(row.id for row in rows),
            request_id=_texts(row.request_id for row in rows),
            received_at=_texts(received_at(row) + "+00" for row in rows),
            method=_texts(row.method for row in rows),
            path=_texts(row.path for row in rows),
            query=_texts(row.query_string for row in rows),
            headers=_texts(headers(row) for row in rows),
            payload=_array(f'"\\\\x{row.body.hex()}"' for row in rows),
            source_ip=_texts(row.source_ip for row in rows),
        )
        self._is_idle = True
        new = {id for (id,) in inserted}
        return [STORED if webhook.id in new else DUPLICATE for webhook in webhooks]

    def execute(self, statement: str) -> None:
        self._connection.run(statement)

    def close(self) -> None:
        """With a word to the server only after a statement that went well: else it may wait for one that is gone."""
        try:
            if self._is_idle:
                self._connection.close()
        finally:
            _hang_up(self._wire)


def _hang_up(wire: socket.socket) -> None:
    """Now, whoever still holds a copy: the driver holds its own until it is collected."""
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()


def _texts(values: Iterable[str]) -> str:
    return _array('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)


def _array(elements: Iterable[str]) -> str:
    """https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO. Not the driver's own, which reads a payload
    character by character."""
    return "{" + ",".join(elements) + "}"
