"""What the faults strike: a local AWS, a Postgres, a pooler before it, and the ways between them."""

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
import pgbouncer
from database import Database
from pgbouncer import PgBouncer
from weak_link import WeakLink

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.local.guard import HEALTH_PATH
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.processes import end, free_port, processes_in
from scalable_webhook_cli.terminal import say
from webhook_runtime.contract.table import create_table

_START_SECONDS = 60
# Fewer connections than consumers. Who gets none is sent away, and a server that is back is found soon.
_POOL_SIZE = 2
_POOLER_SETTINGS = "query_wait_timeout = 5\nserver_login_retry = 1"


@dataclass(frozen=True)
class World:
    """``senders`` is the senders' way to API Gateway, ``sqs`` everybody's to SQS. Where PgBouncer is not installed
    there is no ``pooler``, and everybody reaches Postgres itself."""

    emulator: Emulator
    database: Database
    pooler: PgBouncer | None
    senders: WeakLink
    sqs: WeakLink

    def context(self) -> list[str]:
        """What the app has to know of it, as the CDK's context."""
        pooler = (self.pooler or self.database).port
        return [*self.database.context(), f"pooler=127.0.0.1:{pooler}", f"sqs=http://127.0.0.1:{self.sqs.port}"]

    def url(self, url: str) -> str:
        """Where a sender sends to, instead of this URL of the emulator's."""
        return f"http://127.0.0.1:{self.senders.port}{url.removeprefix(self.emulator.endpoint)}"


@contextmanager
def running() -> Iterator[World]:
    """All of it, for as long as it is needed."""
    with ExitStack() as stack:
        why = pgbouncer.missing()
        say("starting a local AWS and a Postgres" + ("" if why else ", with PgBouncer before it"))
        if why:
            say(f"no fault strikes a pooler: {why}")
        emulator = stack.enter_context(emulators.running())
        database = Database(stack.enter_context(_folder()))
        database.create_table(create_table("postgres", "webhooks"))
        pooler = None if why else _pooler(stack.enter_context(_folder()), database)
        backend = _backend(emulator)
        sqs = stack.enter_context(closing(WeakLink(_port(backend))))
        gateway = _gateway(stack.enter_context(_folder()), emulator, backend, sqs)
        yield World(emulator, database, pooler, stack.enter_context(closing(WeakLink(gateway))), sqs)


@contextmanager
def _folder() -> Iterator[Path]:
    """One whose processes end before it does."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        finally:
            end(process.pid for process in processes_in(Path(folder)))


def _pooler(folder: Path, database: Database) -> PgBouncer:
    return PgBouncer(folder, database, "transaction", size=_POOL_SIZE, more=_POOLER_SETTINGS)


def _backend(emulator: Emulator) -> str:
    """The URL behind the emulator's own API Gateway, which is a step more than webhooks need."""
    gateway = emulator.processes[-1].find()
    assert gateway
    options = gateway.cmdline()
    return options[options.index("--upstream") + 1]


def _gateway(folder: Path, emulator: Emulator, backend: str, sqs: WeakLink) -> int:
    """Another API Gateway, which reaches SQS by the link, and everything else as ever; its port."""
    port = free_port()
    options = ["--port", str(port), "--upstream", backend, "--sqs", f"http://127.0.0.1:{sqs.port}"]
    with (folder / "log").open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "scalable_webhook_cli.gateway.server", *options],
            cwd=folder,
            env=os.environ | emulator.environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is not for it: its folder ends it.
            start_new_session=True,
        )
    health = f"http://127.0.0.1:{port}{HEALTH_PATH}"
    if not wait_for(lambda: _answers(health), _START_SECONDS):
        raise CliError(f"the gateway gave no answer in {_START_SECONDS} seconds: {(folder / 'log').read_text()}")
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
