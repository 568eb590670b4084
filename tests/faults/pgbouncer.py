"""A pooler in front of a Postgres: PgBouncer from Debian. The tests of the sinks use it too."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pg8000.native
from postgres_server import DATABASE, USER, PostgresServer

from scalable_webhook_cli.processes import free_port

_PROGRAM = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
_START_SECONDS = 30
_CONFIG = """\
[databases]
{database} = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
logfile = {folder}/log
{more}
"""


def missing() -> str:
    """Return the reason for which there is none, or an empty text."""
    return "" if _PROGRAM else "PgBouncer is not installed: apt-get install pgbouncer"


class PgBouncer:
    """A pooler with ``size`` connections, each lent for a ``session`` or for a ``transaction`` by ``mode``."""

    def __init__(self, folder: Path, server: PostgresServer, mode: str, *, size: int = 2, more: str = "") -> None:
        self.port = free_port()
        self._size = size
        # The local ports of `connect`. A list may grow while another thread reads it.
        self._ports: list[int] = []
        self._server = server
        self._folder = folder
        values = {"database": DATABASE, "server_port": server.port, "port": self.port, "mode": mode, "size": size}
        (folder / "config").write_text(_CONFIG.format(**values, folder=folder, more=more))
        (folder / "users").write_text(f'"{USER}" "{server.password}"\n')
        # It does not run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
            for parent in (folder, *folder.parents):
                parent.chmod(parent.stat().st_mode | 0o055)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        self._process = subprocess.Popen(
            [str(_PROGRAM), str(self._folder / "config")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
        )
        give_up = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < give_up, self.log()
                assert self._process.poll() is None, self.log()
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()
        self._process.wait(_START_SECONDS)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no statement through in the block, by its PAUSE and RESUME."""
        self._process.send_signal(signal.SIGUSR1)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGUSR2)

    @contextmanager
    def exhausted(self) -> Iterator[None]:
        """Occupy every connection of the pool in the block, by transactions that do nothing."""
        end = threading.Event()
        takers = [threading.Thread(target=self._take, args=(end,)) for _ in range(self._size)]
        for taker in takers:
            taker.start()
        try:
            yield
        finally:
            end.set()
            for taker in takers:
                taker.join()

    def _take(self, end: threading.Event) -> None:
        """Occupy one connection, or another one if it is lost."""
        while not end.wait(0.1):
            with suppress(pg8000.native.Error, OSError), closing(self.connect()) as connection:
                connection.run("BEGIN")
                while not end.wait(0.1):
                    connection.run("SELECT 1")

    def rejected(self) -> int:
        """Count the clients that waited too long for a connection, by its log, without those of ``connect``."""
        lines = [line for line in self.log().splitlines() if line.endswith("pooler error: query_wait_timeout")]
        return sum(not any(f":{port} " in line for port in self._ports) for line in lines)

    def connect(self) -> pg8000.native.Connection:
        """Open a connection as another client."""
        wire = socket.create_connection(("127.0.0.1", self.port), 10)
        self._ports.append(wire.getsockname()[1])
        password = self._server.password
        return pg8000.native.Connection(USER, database=DATABASE, password=password, ssl_context=False, sock=wire)

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """Occupy the first connection of the pool by another client's statement."""
        connection = self.connect()
        at_work = threading.Thread(target=connection.run, args=("SELECT pg_sleep(1)",))
        at_work.start()
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1)' AND state = 'active'"
        while not self._server.query(sleeping):
            time.sleep(0.01)
        try:
            yield
        finally:
            at_work.join()
            connection.close()

    def log(self) -> str:
        """Return its log since the first start."""
        return (self._folder / "log").read_text(errors="replace")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_START_SECONDS)
