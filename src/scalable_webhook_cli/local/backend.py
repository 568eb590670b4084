"""MiniStack as we run it: behind a guard, on loopback alone. A function sees of what is installed what it would see at
AWS, and what it has logged when it answers is in its log group, all of it.

MiniStack takes a function's log for complete once no line came for 5 ms. On a busy machine that is too soon: the last
lines then appear with the next invocation of that process, or never. Here a log is complete once its pipe is empty.
"""

import argparse
import asyncio
import logging
import os
import resource
import secrets
import select
import tempfile
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Lock
from typing import Any

import hypercorn.asyncio
from hypercorn.config import Config
from ministack import app
from ministack.core import lambda_runtime
from ministack.core.iam_evaluator import AmbiguousAccessKeyError, find_iam_access_key_account

from scalable_webhook_cli import shown
from scalable_webhook_cli.local import python
from scalable_webhook_cli.local.guard import Guard, Refused, key_of, require_local_program

# Everything else that MiniStack opens listens on every address of the machine.
_LOOPBACK = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "USE_SSL": "0"}
_CHUNK_BYTES = 65536
_KEEP_ALIVE_SECONDS = 75

Credentials = Callable[[Mapping[str, Any]], dict[str, str]]


class Log:
    """What a process writes to a pipe, line by line into a queue. A function answers after it has logged, so whoever
    has read its answer finds the log in the queue already, or in the pipe."""

    def __init__(self, pipe: int, lines: Any) -> None:
        # One of our own: nobody else closes it while it is read.
        self._pipe = os.dup(pipe)
        self._lines = lines
        self._begun = b""
        self._open = True
        self._reading = Lock()

    def read_on(self) -> None:
        """Until the process closes it, so that the pipe is never full."""
        while self._open:
            self._is_readable(None)
            with self._reading:
                self._read()
        os.close(self._pipe)

    def read_rest(self) -> None:
        """What the pipe has now."""
        with self._reading:
            while self._read():
                pass

    def _read(self) -> bool:
        """Whether there was something, or the end. `read_rest` may have read what `read_on` was told of."""
        if not self._open or not self._is_readable(0):
            return False
        chunk = os.read(self._pipe, _CHUNK_BYTES)
        self._open = bool(chunk)
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        if not chunk and self._begun:
            lines.append(self._begun)
        for line in lines:
            self._lines.put(line.decode(errors="replace"))
        return True

    def _is_readable(self, milliseconds: int | None) -> bool:
        """Not by ``select``, which takes no descriptor above 1,023: a burst opens many."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        return bool(poll.poll(milliseconds))


def read_logs_to_the_end(worker: type[Any]) -> None:
    """Make a class of MiniStack's read the logs of its processes so."""
    stock = worker._drain_stderr_bounded

    def read(self: Any) -> None:
        self._log = Log(self._proc.stderr.fileno(), self._stderr_queue)
        self._log.read_on()

    def drain(self: Any, **waits: float) -> str:
        if not hasattr(self, "_log"):  # a custom runtime, which MiniStack reads in another way
            return str(stock(self, **waits))
        self._log.read_rest()
        return str(self._drain_stderr())

    worker._read_stderr = read
    worker._drain_stderr_bounded = drain


def is_issued(key: str) -> bool:
    """Whether the emulator gave this key to somebody: to a role for a while, or to a user."""
    from ministack.services import iam, sts

    session = sts._sessions.get(key)
    if session is not None:
        return not sts._session_expired(session)
    try:
        account = find_iam_access_key_account(key)
    except AmbiguousAccessKeyError:
        return False
    return account is not None and iam._access_keys.to_dict()[account, key]["Status"] == "Active"


def is_awaited(method: str, path: str) -> bool:
    """Whether it is a URL at which CloudFormation waits for a custom resource or a signal. On AWS it is presigned; here
    it ends with a token that nobody guesses."""
    place, _, token = path.rpartition("/")
    if method != "PUT" or place not in ("/_ministack/cfn-response", "/_ministack/cfn-signal"):
        return False
    from ministack.services.cloudformation import custom_resource, wait_conditions

    return token in custom_resource._pending or bool(wait_conditions.has_handle(token))


def credentials_by(stock: Credentials, key: str) -> Credentials:
    """What a function signs with. Of MiniStack's own, the one is its account, and the other, that of its role, is made
    of names which anybody may guess."""
    salt = secrets.token_hex(20)

    def credentials(config: Mapping[str, Any]) -> dict[str, str]:
        if not app.AUTH:
            return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key, "AWS_SESSION_TOKEN": ""}
        # Of this text it makes the credentials, and of its last part the session.
        return stock({**config, "Role": f"{salt}/{config.get('Role', '')}"})

    return credentials


def guard_runtime_api(handler: type[Any]) -> None:
    """A custom runtime asks for its events at a port of its own, without a signature; so no page may."""
    stock = handler.parse_request

    def parse(self: Any) -> bool:
        if not stock(self):
            return False
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        try:
            require_local_program({"path": self.path, "headers": headers})
        except Refused:
            self.send_error(403)
            return False
        return True

    handler.parse_request = parse


def serve(bind: str) -> None:
    """Serve until terminated, by MiniStack's own settings: what it would do by itself opens a port of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:  # a burst opens many
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    config = Config()
    config.bind = [bind]
    config.keep_alive_timeout = _KEEP_ALIVE_SECONDS
    config.loglevel = "WARNING"
    guarded: Any = app.app
    asyncio.run(hypercorn.asyncio.serve(guarded, config))


def main() -> None:
    """Serve until terminated."""
    arguments = argparse.ArgumentParser(prog="python -m scalable_webhook_cli.local.backend")
    arguments.add_argument("--fd", type=int, help="a socket that listens: nobody else can take its port")
    options, _ = arguments.parse_known_args()
    key = key_of(os.environ)
    os.environ |= _LOOPBACK
    read_logs_to_the_end(lambda_runtime.Worker)
    program: Path = python.make(Path(tempfile.gettempdir(), "python"))
    lambda_runtime._detect_runtime_binary = python.by(program, lambda_runtime._detect_runtime_binary)
    lambda_runtime.execution_credentials = credentials_by(lambda_runtime.execution_credentials, key)
    guard_runtime_api(BaseHTTPRequestHandler)
    for log in logging.getLogger().handlers:
        log.setFormatter(shown.Formatter("%(asctime)s %(levelname)s [%(name)s] %(message)s"))
    app.app = Guard(app.app, key, is_issued=is_issued, is_awaited=is_awaited)
    os.environ.pop("PYTHONPATH", None)  # functions would inherit it
    serve(f"127.0.0.1:{os.environ.get('GATEWAY_PORT', 4566)}" if options.fd is None else f"fd://{options.fd}")


if __name__ == "__main__":
    main()
