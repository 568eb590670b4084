"""A pooler before a Postgres, as many have one: PgBouncer, from Debian."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pg8000.native
from postgres_server import DATABASE, USER, PostgresServer

from cdk_scalable_webhook.local.emulator import free_ports

_PROGRAM = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
_CONFIG = """\
[databases]
{database} = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
admin_users = admin
pool_mode = {mode}
default_pool_size = {size}
logfile = {folder}/log
pidfile = {folder}/pid
{more}
"""


def missing() -> str:
    """Why there is none, or nothing."""
    return "" if _PROGRAM else "PgBouncer is not installed: apt-get install pgbouncer"


class PgBouncer:
    """``mode`` is whose a connection of the pool is: a ``session``'s, or a ``transaction``'s."""

    def __init__(self, folder: Path, server: PostgresServer, mode: str, *, size: int = 2, more: str = "") -> None:
        (self.port,) = free_ports(1)
        values = {"database": DATABASE, "server_port": server.port, "port": self.port, "mode": mode, "size": size}
        (folder / "config").write_text(_CONFIG.format(**values, folder=folder, more=more))
        (folder / "users").write_text(f'"{USER}" "{server.password}"\n')
        # It does not run as root.
        user = "nobody" if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, "nobody")
            for parent in (folder, *folder.parents):
                parent.chmod(parent.stat().st_mode | 0o055)
        self._process = subprocess.Popen(
            [str(_PROGRAM), str(folder / "config")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
        )
        give_up = time.monotonic() + 30
        while True:
            try:
                self.connect(server).close()
            except (pg8000.native.Error, OSError):
                assert time.monotonic() < give_up, (folder / "log").read_text()
                assert self._process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def connect(self, server: PostgresServer) -> pg8000.native.Connection:
        """A connection of somebody else's."""
        return pg8000.native.Connection(
            USER, host="127.0.0.1", port=self.port, database=DATABASE, password=server.password, ssl_context=False
        )

    @contextmanager
    def somebody_at_work(self, server: PostgresServer) -> Iterator[None]:
        """While a statement of somebody else's keeps the first connection of the pool."""
        connection = self.connect(server)
        at_work = threading.Thread(target=connection.run, args=("SELECT pg_sleep(1)",))
        at_work.start()
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1)' AND state = 'active'"
        while not server.query(sleeping):
            time.sleep(0.01)
        try:
            yield
        finally:
            at_work.join()
            connection.close()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
