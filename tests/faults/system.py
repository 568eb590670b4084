"""The system under fault: a local AWS, a Postgres, a pooler in front of it, and the links between them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.local.guard import HEALTH_PATH
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.processes import end, free_port, processes_in
from scalable_webhook_cli.terminal import say
from webhook_runtime.contract.table import create_table

from . import pgbouncer
from .database import Database
from .pgbouncer import PgBouncer
from .weak_link import WeakLink

_START_SECONDS = 60
# Fewer connections than consumers. A waiting client is rejected early, and a restarted server is found soon.
_POOL_SIZE = 2
_POOLER_SETTINGS = "query_wait_timeout = 5\nserver_login_retry = 1"


@dataclass(frozen=True)
class System:
    """The parts of the system.

    ``providers`` is the link from the client to API Gateway, ``sqs`` the one from all to SQS. Without PgBouncer,
    ``pooler`` is None, and all use Postgres itself.
    """

    emulator: Emulator
    database: Database
    pooler: PgBouncer | None
    providers: WeakLink
    sqs: WeakLink

    def context(self) -> list[str]:
        """Return the context of the app for this system."""
        pooler = (self.pooler or self.database).port
        return [*self.database.context(), f"pooler=127.0.0.1:{pooler}", f"sqs=http://127.0.0.1:{self.sqs.port}"]

    def url(self, url: str) -> str:
        """Return the URL for the client in place of the emulator's."""
        return f"http://127.0.0.1:{self.providers.port}{url.removeprefix(self.emulator.endpoint)}"


@contextmanager
def running() -> Iterator[System]:
    """Run all parts as long as the block runs."""
    with ExitStack() as stack:
        why = pgbouncer.missing()
        say("starting a local AWS and a Postgres" + ("" if why else ", with PgBouncer in front of it"))
        if why:
            say(f"no fault strikes a pooler: {why}")
        emulator = stack.enter_context(emulators.running())
        database = Database(stack.enter_context(_folder()))
        database.create_table(create_table("postgres", "webhooks"))
        pooler = None if why else _pooler(stack.enter_context(_folder()), database)
        backend = _backend(emulator)
        sqs = stack.enter_context(closing(WeakLink(_port(backend))))
        gateway = _gateway(stack.enter_context(_folder()), emulator, backend, sqs)
        yield System(emulator, database, pooler, stack.enter_context(closing(WeakLink(gateway))), sqs)


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder, and end its processes before it is deleted."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        finally:
            end(process.pid for process in processes_in(Path(folder)))


def _pooler(folder: Path, database: Database) -> PgBouncer:
    return PgBouncer(folder, database, "transaction", size=_POOL_SIZE, more=_POOLER_SETTINGS)


def _backend(emulator: Emulator) -> str:
    """Return the URL behind the emulator's own API Gateway, which webhooks do not need."""
    gateway = emulator.processes[-1].find()
    assert gateway
    options = gateway.cmdline()
    return options[options.index("--upstream") + 1]


def _gateway(folder: Path, emulator: Emulator, backend: str, sqs: WeakLink) -> int:
    """Start another API Gateway, which reaches SQS by the link. Return its port."""
    port = free_port()
    options = ["--port", str(port), "--upstream", backend, "--sqs", f"http://127.0.0.1:{sqs.port}"]
    with (folder / "log").open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "scalable_webhook_cli.gateway.server", *options],
            cwd=folder,
            env=os.environ | emulator.environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C must not end it: its folder does.
            start_new_session=True,
        )
    health = f"http://127.0.0.1:{port}{HEALTH_PATH}"
    if not wait_for(lambda: _answers(health), _START_SECONDS):
        raise CliError(f"the gateway did not answer in {_START_SECONDS} seconds: {(folder / 'log').read_text()}")
    return port


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port
