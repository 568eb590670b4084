"""Store into a database over one connection: opened on first use, kept between batches, and replaced when it fails."""

import json
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from webhook_runtime import logs
from webhook_runtime.clients import client, code_of, told
from webhook_runtime.contract.authorities import rds_authorities
from webhook_runtime.contract.keys import secret_text
from webhook_runtime.contract.settings import DatabaseSettings, from_environment
from webhook_runtime.contract.table import create_table, insert_nothing
from webhook_runtime.deadline import Deadline
from webhook_runtime.interrupts import TimeIsUp
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Outcome, SinkDown
from webhook_runtime.sinks.bisect import BadWebhook, insert_each
from webhook_runtime.sinks.faults import Fault, Meaning
from webhook_runtime.tls import tls_context

# An environment may be frozen for hours between two batches. NAT gateways drop idle connections after 350 seconds
# without notice, and the next statement would hang. The server ends the connection a little later, since a retired
# environment does not.
_TRUSTED_SECONDS = 300
IDLE_SECONDS = 360

_TRIES = 3

Answer = TypeVar("Answer")


class Connection(Protocol):
    """An open connection. Every method may raise the driver's errors."""

    def insert(self, webhooks: Sequence[Webhook]) -> Sequence[Outcome]:
        """Insert all webhooks or none, in one round trip. Existing rows stay as they are."""
        ...

    def execute(self, statement: str) -> None: ...

    def room(self) -> tuple[int, int]:
        """Return the connections that this user could have on the server, and those that are open, of all users."""
        ...

    def close(self) -> None: ...


class Driver(Protocol):
    """The differences between databases."""

    engine: str
    errors: tuple[type[Exception], ...]

    def connect(self, settings: DatabaseSettings, user: str, password: str, tls: ssl.SSLContext | None) -> Connection:
        """Open a connection in autocommit mode. With ``tls``, never open one without it."""
        ...

    def fault(self, error: Exception) -> Fault: ...


class Credentials:
    """User and password from a secret, or an IAM token as the password."""

    def __init__(self, settings: DatabaseSettings, secrets: Any, rds: Any) -> None:
        self._settings = settings
        self._secrets = secrets
        self._rds = rds
        self._known: tuple[str, str] | None = None

    def get(self) -> tuple[str, str]:
        """Return user and password. Raise SinkDown if they are not available."""
        if self._settings.secret_arn is None:
            # A token is computed locally, and is valid for 15 minutes.
            user = self._settings.database_user or ""
            return user, self._rds.generate_db_auth_token(self._settings.host, self._settings.port, user)
        if self._known is None:
            self._known = self._read(self._settings.secret_arn)
        return self._known

    def rejected(self) -> bool:
        """Forget the credentials that the database rejected. Return whether the secret has others by now, after a
        rotation.
        """
        rejected, self._known = self._known, None
        return rejected is not None and self.get() != rejected

    def _read(self, secret_arn: str) -> tuple[str, str]:
        try:
            secret = json.loads(secret_text(self._secrets.get_secret_value(SecretId=secret_arn)))
            return secret["username"], secret["password"]
        except Exception as error:
            # No webhook caused it.
            reason = f"username and password could not be read from the secret {secret_arn}: {told(error)}"
            raise SinkDown(reason, error=code_of(error)) from None


class DatabaseSink:
    """A sink that stores each batch in one statement of a driver."""

    def __init__(self, settings: DatabaseSettings, driver: Driver, credentials: Credentials) -> None:
        self._settings = settings
        self._driver = driver
        self._credentials = credentials
        # Every line about a failure names it.
        self._server = f"{settings.host}:{settings.port}"
        self._tls: ssl.SSLContext | None = None
        if settings.database_tls:
            self._tls = tls_context(rds_authorities(settings.host), settings.ca_certificates)
        self._connection: Connection | None = None
        self._used_at = 0.0
        self._has_told_room = False

    @classmethod
    def from_environment(cls, driver: Callable[[DatabaseSettings], Driver]) -> "DatabaseSink":
        """Create the sink of a deployed function."""
        settings = from_environment(DatabaseSettings)
        # A client is slow to create, and only one of them is needed.
        secrets = client("secretsmanager") if settings.secret_arn else None
        rds = None if settings.secret_arn else client("rds")
        return cls(settings, driver(settings), Credentials(settings, secrets, rds))

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        return insert_each(webhooks, partial(self._insert, deadline=deadline), deadline)

    def close(self) -> None:
        """Give the connection back to the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._driver.errors):
                connection.close()

    def ping(self, deadline: Deadline) -> None:
        statement = insert_nothing(self._driver.engine, self._settings.table_name)
        self._ask(lambda connection: connection.execute(statement), 0, deadline)

    def _insert(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Sequence[Outcome]:
        return self._ask(lambda connection: connection.insert(webhooks), len(webhooks), deadline)

    def _ask(self, call: Callable[[Connection], Answer], webhooks: int, deadline: Deadline) -> Answer:
        """Ask in one round trip if possible. A second try is safe, since an existing row stays as it is."""
        for attempt in range(_TRIES):
            if attempt > 0:
                deadline.turn(webhooks)
            was_open = self._connection is not None
            try:
                answer = call(self._open())
            except self._driver.errors as error:
                fault = self._driver.fault(error)
            except TimeIsUp:  # the statement may still be on its way
                self.close()
                raise
            else:
                self._used_at = time.time()
                return answer
            match fault.meaning:
                # Without a connection, no webhook was sent, and none is bad.
                case Meaning.BAD_ROW if self._connection is not None:
                    raise BadWebhook(fault.error, fault.reason)
                case Meaning.CONFLICT:
                    continue
                case Meaning.NO_TABLE if self._settings.create_table:
                    self._create_table()
                    continue
                case Meaning.LOGIN:
                    may_go_on = self._credentials.rejected()
                case Meaning.SLOW:
                    may_go_on = False
                case _:
                    # An old connection may have broken. A new one tells how the server is.
                    may_go_on = was_open
            self.close()
            if not may_go_on:
                break
        raise SinkDown(f"{self._server}: {fault.reason}", error=fault.error)

    def _open(self) -> Connection:
        """Return the connection. Open a new one if there is none, or if it was idle for too long."""
        if self._connection is not None and time.time() - self._used_at > _TRUSTED_SECONDS:
            self.close()
        if self._connection is None:
            self._connection = self._connect()
            if not self._has_told_room:
                self._has_told_room = True
                self._tell_room(self._connection)
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        user, password = self._credentials.get()
        connection = self._driver.connect(self._settings, user, password, self._tls)
        self._used_at = time.time()
        return connection

    def _tell_room(self, connection: Connection) -> None:
        """Log how many connections the server has, once an environment. A server that cannot tell is none to fail for,
        but it may have ended the connection.
        """
        errors: tuple[type[Exception], ...] = (*self._driver.errors, LookupError, TypeError, ValueError)
        try:
            usable, in_use = connection.room()
        except errors as error:
            logs.logger.info("connections not known", extra={"server": self._server, "error": type(error).__name__})
            self.close()
        else:
            logs.logger.info("connections", extra={"usable": usable, "in_use": in_use})

    def _create_table(self) -> None:
        try:
            self._open().execute(create_table(self._driver.engine, self._settings.table_name))
        except self._driver.errors as error:
            # Another environment may have created it at the same time. Then the insert works now.
            fault = self._driver.fault(error)
            where = {"server": self._server, "table": self._settings.table_name}
            logs.logger.warning("table not created", extra=where | {"error": fault.error, "reason": fault.reason})
