"""A MariaDB server on this machine, from Debian's mariadb-server."""

import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pymysql

NAMES = ("mariadbd", "mariadb-install-db")
USER = "webhooks"
DATABASE = "webhooks"


def missing() -> str | None:
    """Why no server can be had, or None."""
    absent = [name for name in NAMES if _find(name) is None]
    return f"no {' and '.join(absent)} here: install Debian's mariadb-server" if absent else None


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


class MariaDbServer:
    """The server, with TLS where ``certificates`` (authority, certificate with key) are given."""

    def __init__(self, folder: Path, *, certificates: tuple[Path, Path] | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
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
        """Start it, and wait until it takes connections."""
        server = [_find("mariadbd"), "--no-defaults", f"--datadir={self._folder / 'data'}", "--user=root"]
        listen = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self._folder / 'socket'}"]
        small = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        self._process = subprocess.Popen(
            [*server, *listen, *small, *self._options],  # type: ignore[list-item]
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + 30
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
        """End it and every connection."""
        assert self._process
        self._process.terminate()
        self._process.wait(30)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        connection = pymysql.connect(unix_socket=str(self._folder / "socket"), user="root", autocommit=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def terminate_connections(self) -> int:
        """End the connections of the user. Returns how many there were."""
        ids = self.query(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'")
        for (id,) in ids:
            self.query(f"KILL {id}")
        return len(ids)
