"""A Postgres that can be killed, hung and slowed down. It waits for its disk, as a real one does."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import psutil
from postgres_server import USER, PostgresServer

# The delay of a commit in microseconds: the maximum of Postgres.
SLOW_COMMIT = 100_000
_DEAD_SECONDS = 30
# Some of them may be flushed early, with another commit.
_PROBES = 10

_AT_WORK = f"SELECT pid FROM pg_stat_activity WHERE usename = '{USER}' AND state = 'active'"
# The ends of a process's title while it runs a statement. It names itself idle before it answers.
_STATEMENTS = ("PARSE", "BIND", "SELECT", "INSERT")
_STAND_STILL = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)

# Waits for so many seconds, and returns whether the run is over.
Wait = Callable[[float], bool]


class Database(PostgresServer):
    """The server with the sink's table, which always rejects some webhooks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, max_connections=40, fsync=True)

    def start(self) -> None:
        super().start()
        assert self.pid
        # With its start time: another process may have got the id since.
        self._server = psutil.Process(self.pid)

    def create_table(self, statement: str) -> None:
        """Create the sink's table, with a constraint and a trigger of its owner."""
        for step in (
            statement,
            "ALTER TABLE webhooks ADD CONSTRAINT not_rejected CHECK (payload NOT LIKE 'REJECTED%'::bytea)",
            "ALTER TABLE webhooks ADD CONSTRAINT is_text CHECK "
            "(CASE WHEN path LIKE '%/as-text' THEN convert_from(payload, 'UTF8') IS NOT NULL ELSE true END)",
            "CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'this customer has no account'; END $$",
            "CREATE TRIGGER no_account BEFORE INSERT ON webhooks FOR EACH ROW "
            """WHEN (position('"rejected": "a trigger"'::bytea in NEW.payload) > 0) EXECUTE FUNCTION reject()""",
            f"GRANT SELECT, INSERT ON webhooks TO {USER}",
            "CREATE TABLE probe (n int)",
        ):
            self.query(step)

    def kill(self) -> None:
        """Send SIGKILL to all its processes."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=_DEAD_SECONDS)

    @contextmanager
    def hung(self, within: float, wait: Wait) -> Iterator[None]:
        """Stop all its processes during the block: statements hang, and new connections get no greeting.

        One statement of the sink at least is in progress when they stop, if there is one within so many seconds.
        """
        give_up = time.monotonic() + within
        while True:
            self.wait_until_at_work(give_up - time.monotonic(), wait)
            family = self._family()
            with _stopped(family):
                # It may have ended meanwhile.
                if any(map(_is_at_work, family)) or time.monotonic() > give_up or wait(0):
                    yield
                    return

    def hang_some_at_work(self, count: int, seconds: float, wait: Wait, chance: Random) -> None:
        """Stop some of the processes that run a statement."""
        at_work = [pid for (pid,) in self.query(_AT_WORK)]
        with _stopped(_processes(chance.sample(at_work, min(count, len(at_work))))):
            wait(seconds)

    @contextmanager
    def slow_disk(self) -> Iterator[None]:
        """Delay each commit."""
        self._configure(commit_delay=SLOW_COMMIT, commit_siblings=0)
        try:
            yield
        finally:
            self._configure(commit_delay=0, commit_siblings=5)

    def commit_milliseconds(self) -> list[float]:
        """Return the current duration of some commits."""
        with closing(self.connect()) as connection:
            return [_milliseconds(lambda: connection.run("INSERT INTO probe VALUES (1)")) for _ in range(_PROBES)]

    def wait_until_at_work(self, seconds: float, wait: Wait) -> None:
        """Wait until a statement of the sink is running, at most so many seconds."""
        give_up = time.monotonic() + seconds
        with closing(self.connect()) as connection:
            while time.monotonic() < give_up and not connection.run(_AT_WORK) and not wait(0.01):
                pass

    def _configure(self, **settings: int) -> None:
        for name, value in settings.items():
            self.query(f"ALTER SYSTEM SET {name} = {value}")
        self.query("SELECT pg_reload_conf()")

    def _family(self) -> list[psutil.Process]:
        """Return the server's own process first: it starts no others once it is gone."""
        try:
            return [self._server, *self._server.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _is_at_work(process: psutil.Process) -> bool:
    """Tell whether a process that was stopped owes the sink an answer, by the title that Postgres gives it."""
    with suppress(psutil.NoSuchProcess):
        while process.status() not in _STAND_STILL:
            time.sleep(0.001)
        title = " ".join(process.cmdline()).strip()
        return f" {USER} " in title and title.removesuffix(" waiting").endswith(_STATEMENTS)
    return False


def _processes(pids: list[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def _milliseconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000


@contextmanager
def _stopped(processes: list[psutil.Process]) -> Iterator[None]:
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
