"""A database over one connection: opened when it is first needed, kept from batch to batch, mended when it broke."""

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.contract.settings import DatabaseSettings, from_environment
from webhook_runtime.contract.table import create_table
from webhook_runtime.deadline import Deadline, TimeIsUp
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import Outcome, SinkDown
from webhook_runtime.sinks.bisect import BadWebhook, insert_each
from webhook_runtime.sources.secrets import secret_text
from webhook_runtime.tls import rds_authorities, tls_context

# Between two batches an environment may be frozen for hours, and what lies between forgets a quiet connection: a NAT
# gateway after 350 seconds. Nobody would say so; the next statement would wait in vain. A little later the server ends
# it, since an environment that Lambda has retired closes nothing.
_TRUSTED_SECONDS = 300
IDLE_SECONDS = 360

_TRIES = 3

_QUOTED = re.compile(r"""(^|: *|\b(?:value|string) )(["']).*\2""", re.DOTALL)


class Meaning(Enum):
    """What an error of the database means for the batch."""

    BAD_ROW = auto()  # a webhook in it
    CONFLICT = auto()  # another transaction was in the way: at once again
    NO_TABLE = auto()
    LOGIN = auto()
    SLOW = auto()  # no answer in time, and no second statement beside one that may still run
    OTHER = auto()  # nothing that a webhook could have caused


@dataclass(frozen=True)
class Fault:
    """An error of the database. ``reason`` has nothing of a payload in it, since it is logged."""

    meaning: Meaning
    error: str
    reason: str


class Connection(Protocol):
    """What the sink does with a connection. All of it may raise the driver's errors."""

    def insert(self, webhooks: Sequence[Webhook]) -> Sequence[Outcome]:
        """All of them or none, in one round trip. What is there already, stays."""
        ...

    def execute(self, statement: str) -> None: ...

    def close(self) -> None: ...


class Driver(Protocol):
    """What differs from database to database."""

    engine: str
    errors: tuple[type[Exception], ...]

    def connect(self, settings: DatabaseSettings, user: str, password: str, tls: ssl.SSLContext | None) -> Connection:
        """A connection whose statements commit by themselves. With ``tls``, never one without it."""
        ...

    def fault(self, error: Exception) -> Fault: ...


class Credentials:
    """User and password: from a secret, or a token of IAM's as the password."""

    def __init__(self, settings: DatabaseSettings, secrets: Any, rds: Any) -> None:
        self._settings = settings
        self._secrets = secrets
        self._rds = rds
        self._known: tuple[str, str] | None = None

    def get(self) -> tuple[str, str]:
        """Raises SinkDown where they cannot be had."""
        if self._settings.secret_arn is None:
            # A token is made without asking anybody, and is good for 15 minutes.
            user = self._settings.database_user or ""
            return user, self._rds.generate_db_auth_token(self._settings.host, self._settings.port, user)
        if self._known is None:
            self._known = self._read(self._settings.secret_arn)
        return self._known

    def refused(self) -> bool:
        """The database refused them. Returns whether there are others by now: those of a secret that was rotated."""
        refused, self._known = self._known, None
        return refused is not None and self.get() != refused

    def _read(self, secret_arn: str) -> tuple[str, str]:
        try:
            secret = json.loads(secret_text(self._secrets.get_secret_value(SecretId=secret_arn)))
            return secret["username"], secret["password"]
        except Exception as error:
            # Whatever it is, no webhook caused it; and what json says of it would quote the secret.
            raise SinkDown(
                f"username and password could not be read from the secret {secret_arn}", error=type(error).__name__
            ) from None


class DatabaseSink:
    """Each batch is one statement of one driver's."""

    def __init__(self, settings: DatabaseSettings, driver: Driver, credentials: Credentials) -> None:
        self._settings = settings
        self._driver = driver
        self._credentials = credentials
        self._tls: ssl.SSLContext | None = None
        if settings.database_tls:
            self._tls = tls_context(rds_authorities(settings.host), settings.ca_certificates)
        self._connection: Connection | None = None
        self._used_at = 0.0

    @classmethod
    def from_environment(cls, driver: Callable[[DatabaseSettings], Driver]) -> "DatabaseSink":
        """The sink of a deployed function."""
        settings = from_environment(DatabaseSettings)
        # A client takes a while to make, and only one of them is needed.
        secrets = client("secretsmanager") if settings.secret_arn else None
        rds = None if settings.secret_arn else client("rds")
        return cls(settings, driver(settings), Credentials(settings, secrets, rds))

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        return insert_each(webhooks, self._insert, deadline)

    def close(self) -> None:
        """Give the connection back to the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._driver.errors):
                connection.close()

    def _insert(self, webhooks: Sequence[Webhook]) -> Sequence[Outcome]:
        """In one round trip where nothing stands in the way. It may be repeated: a row that is there, stays."""
        where = ""
        for _ in range(_TRIES):
            was_open = self._connection is not None
            try:
                outcomes = self._open().insert(webhooks)
            except self._driver.errors as error:
                fault = self._driver.fault(error)
            except TimeIsUp:  # nobody knows what is still on its way
                self.close()
                raise
            else:
                self._used_at = time.time()
                return outcomes
            match fault.meaning:
                # Without a connection no webhook was sent, and none is to blame.
                case Meaning.BAD_ROW if self._connection is not None:
                    raise BadWebhook(fault.error, fault.reason)
                case Meaning.CONFLICT:
                    continue
                case Meaning.NO_TABLE if self._settings.create_table:
                    self._create_table()
                    continue
                case Meaning.LOGIN:
                    may_go_on = self._credentials.refused()
                case Meaning.SLOW:
                    may_go_on = False
                case _:
                    # One that was open may have broken since; one that is new tells how the server is.
                    may_go_on = was_open
            # Of a server that was not reached, or let nobody in, the log has to say which.
            where = "" if self._connection is not None else f"{self._settings.host}:{self._settings.port}: "
            self.close()
            if not may_go_on:
                break
        raise SinkDown(f"{where}{fault.reason}", error=fault.error)

    def _open(self) -> Connection:
        """The connection; a new one where there is none, or none to be trusted."""
        if self._connection is not None and time.time() - self._used_at > _TRUSTED_SECONDS:
            self.close()
        if self._connection is None:
            user, password = self._credentials.get()
            self._connection = self._driver.connect(self._settings, user, password, self._tls)
            self._used_at = time.time()
        return self._connection

    def _create_table(self) -> None:
        try:
            self._open().execute(create_table(self._driver.engine, self._settings.table_name))
        except self._driver.errors as error:
            # Somebody else may have been faster, and then the insert goes through now.
            fault = self._driver.fault(error)
            logs.logger.warning("table not created", extra={"error": fault.error, "reason": fault.reason})


def without_values(message: str) -> str:
    """A database's message for the log: what it begins with in quotes, or quotes after a colon or as a value, is of the
    payload. Other quotes are around names."""
    return _QUOTED.sub(r"\1…", message)
