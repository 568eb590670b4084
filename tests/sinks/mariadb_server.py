"""A MariaDB server on this machine, from Debian's mariadb-server."""

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql

from scalable_webhook_cli.processes import free_port

from ..suite.patience import SECONDS

NAMES = ("mariadbd", "mariadb-install-db")
USER = "webhooks"
DATABASE = "webhooks"


def missing() -> str | None:
    """Return the reason for which there is no server, or None."""
    absent = [name for name in NAMES if _find(name) is None]
    return f"no {' and '.join(absent)} here: install Debian's mariadb-server" if absent else None


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


class MariaDbServer:
    """The server, with TLS if ``certificates`` are given: a certificate authority, and a certificate with its key."""

    def __init__(self, folder: Path, *, certificates: tuple[Path, Path] | None = None) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self._folder = folder
        self._options = []
        if certificates:
            authority, certificate = certificates
            self._options = [f"--ssl-ca={authority}", f"--ssl-cert={certificate}", f"--ssl-key={certificate}"]
        install = [_find("mariadb-install-db"), "--no-defaults", f"--datadir={folder / 'data'}", "--user=root"]
        quiet = ["--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run([*install, *quiet], check=True, capture_output=True)  # type: ignore[list-item]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        for statement in (
            f"CREATE DATABASE {DATABASE}",
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{self.password}'",
            f"GRANT CREATE, INSERT, UPDATE, SELECT ON {DATABASE}.* TO {USER}@'%'",
        ):
            self.query(statement)

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        server = [_find("mariadbd"), "--no-defaults", f"--datadir={self._folder / 'data'}", "--user=root"]
        listen = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self._folder / 'socket'}"]
        small = ["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M"]
        self._process = subprocess.Popen(
            [*server, *listen, *small, *self._options],  # type: ignore[list-item]
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + SECONDS
        while True:
            try:
                self.query("SELECT 1")
            except pymysql.Error:
                assert time.monotonic() < give_up, "MariaDB did not start"
                assert self._process.poll() is None, "MariaDB ended"
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop it, and end every connection."""
        assert self._process
        self._process.terminate()
        self._process.wait(SECONDS)

    def crash(self) -> None:
        """Kill it, like a power failure: it recovers at the next start."""
        assert self._process
        self._process.kill()
        self._process.wait(SECONDS)

    def connections(self) -> int:
        """Return the number of connections, without those of the administrator."""
        return len(self.threads())

    def connect(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """Open a connection of the administrator, for whom one is reserved."""
        return pymysql.connect(unix_socket=str(self._folder / "socket"), user="root", autocommit=True)

    @contextmanager
    def variables(self, **values: str | int) -> Iterator[None]:
        """Set global variables in the block, for new connections."""
        old = {name: self.query(f"SELECT @@GLOBAL.{name}")[0][0] for name in values}
        try:
            for name, value in values.items():
                self.query(f"SET GLOBAL {name} = {value!r}")
            yield
        finally:
            for name, value in old.items():
                self.query(f"SET GLOBAL {name} = {value!r}")

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def terminate_connections(self) -> int:
        """End the connections of the user, and return their number."""
        ids = self.threads()
        for id in ids:
            self.kill(id)
        return len(ids)

    def kill(self, id: int) -> None:
        with suppress(pymysql.Error):  # it has ended by itself
            self.query(f"KILL {id}")

    def threads(self) -> list[int]:
        """Return the ids of the user's connections."""
        return [id for (id,) in self.query(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'")]
