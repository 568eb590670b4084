"""Run MiniStack behind a guard, on loopback only.

A function sees only the packages that it would see on AWS. When it answers, its log group has all of its log.

MiniStack considers a log complete after 5 ms without a line. On a busy machine the last lines then appear with the next
invocation, or never. Here a log is complete once its pipe is empty.
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
from ministack.services import sqs

from scalable_webhook_cli import shown
from scalable_webhook_cli.local import move_tasks, python
from scalable_webhook_cli.local.guard import Guard, Rejected, key_of, require_local_program
from webhook_runtime.contract.groups import is_group

# MiniStack opens these on every address of the machine.
_LOOPBACK = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "USE_SSL": "0"}
_CHUNK_BYTES = 65536
_KEEP_ALIVE_SECONDS = 75

Credentials = Callable[[Mapping[str, Any]], dict[str, str]]


class Log:
    """Reads a process's pipe line by line into a queue.

    A function answers after it has logged, so the log is in the queue or in the pipe when the answer is read.
    """

    def __init__(self, pipe: int, lines: Any) -> None:
        # A copy, which no other code closes while it is read.
        self._pipe = os.dup(pipe)
        self._lines = lines
        self._begun = b""
        self._open = True
        self._reading = Lock()

    def read_on(self) -> None:
        """Read until the process closes the pipe, so that it is never full."""
        while self._open:
            self._is_readable(None)
            with self._reading:
                self._read()
        os.close(self._pipe)

    def read_rest(self) -> None:
        """Read all that the pipe has now."""
        with self._reading:
            while self._read():
                pass

    def _read(self) -> bool:
        """Read once, and return whether there was anything, or the end. `read_rest` may have been faster."""
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
        """Poll, since ``select`` takes no descriptor above 1,023, and a burst opens many."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        return bool(poll.poll(milliseconds))


def read_logs_to_the_end(worker: type[Any]) -> None:
    """Let a worker class of MiniStack read its logs with ``Log``."""
    stock = worker._drain_stderr_bounded

    def read(self: Any) -> None:
        self._log = Log(self._proc.stderr.fileno(), self._stderr_queue)
        self._log.read_on()

    def drain(self: Any, **waits: float) -> str:
        if not hasattr(self, "_log"):  # a custom runtime, which MiniStack reads differently
            return str(stock(self, **waits))
        self._log.read_rest()
        return str(self._drain_stderr())

    worker._read_stderr = read
    worker._drain_stderr_bounded = drain


def is_issued(key: str) -> bool:
    """Tell whether the emulator issued this key, to a role for a while or to a user."""
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
    """Tell whether CloudFormation waits at this URL for a custom resource or a signal.

    On AWS it is presigned. Here it ends with a token that no one can guess.
    """
    place, _, token = path.rpartition("/")
    if method != "PUT" or place not in ("/_ministack/cfn-response", "/_ministack/cfn-signal"):
        return False
    from ministack.services.cloudformation import custom_resource, wait_conditions

    return token in custom_resource._pending or bool(wait_conditions.has_handle(token))


def credentials_by(stock: Credentials, key: str) -> Credentials:
    """Return the credentials of a function. MiniStack's own ones are names, which anyone can guess."""
    salt = secrets.token_hex(20)

    def credentials(config: Mapping[str, Any]) -> dict[str, str]:
        if not app.AUTH:
            return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key, "AWS_SESSION_TOKEN": ""}
        # The access key is made from this text, and the session from its last part.
        return stock({**config, "Role": f"{salt}/{config.get('Role', '')}"})

    return credentials


def guard_runtime_api(handler: type[Any]) -> None:
    """Reject calls of browsers to the port of a custom runtime, which has no signature."""
    stock = handler.parse_request

    def parse(self: Any) -> bool:
        if not stock(self):
            return False
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        try:
            require_local_program({"path": self.path, "headers": headers})
        except Rejected:
            self.send_error(403)
            return False
        return True

    handler.parse_request = parse


def check_groups(sqs: Any) -> None:
    """Reject a message group that SQS would reject, which MiniStack's SQS takes."""
    stock = sqs._act_send_message

    def send_message(data: dict[str, Any], url: str) -> Any:
        group = data.get("MessageGroupId")
        if group is not None and not is_group(str(group)):
            raise sqs._Err(
                "InvalidParameterValue",
                f"Value {group} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include "
                "alphanumeric and punctuation characters. 1 to 128 in length.",
            )
        return stock(data, url)

    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = send_message


def deliver_by_group(sqs: Any) -> None:
    """Let a receive of a FIFO queue return the messages of one group before those of the next, up to a hidden one.

    MiniStack returns them in the order in which they were sent, and none of a group with a hidden one.
    """

    def collect(queue: dict[str, Any], most: int, hidden_seconds: int, now: float) -> list[dict[str, Any]]:
        groups: dict[str, list[dict[str, Any]]] = {}
        ended: set[str] = set()
        for message in queue["messages"]:
            sqs._ensure_msg_fields(message)
            group = message["group_id"]
            if message["visible_at"] > now:
                ended.add(group)
            elif group not in ended:
                groups.setdefault(group, []).append(message)
        found = [message for group in groups.values() for message in group][:most]
        for message in found:
            message["receipt_handle"] = sqs.new_uuid()
            message["visible_at"] = now + hidden_seconds
            message["receive_count"] += 1
            message["first_receive_at"] = message["first_receive_at"] or now
        return found

    sqs._collect_fifo = collect


def serve(bind: str) -> None:
    """Serve until terminated. MiniStack's own server would open a port by itself."""
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
    arguments.add_argument("--fd", type=int, help="a listening socket, whose port no other process can take")
    options, _ = arguments.parse_known_args()
    key = key_of(os.environ)
    os.environ |= _LOOPBACK
    read_logs_to_the_end(lambda_runtime.Worker)
    program: Path = python.make(Path(tempfile.gettempdir(), "python"))
    lambda_runtime._detect_runtime_binary = python.by(program, lambda_runtime._detect_runtime_binary)
    lambda_runtime.execution_credentials = credentials_by(lambda_runtime.execution_credentials, key)
    guard_runtime_api(BaseHTTPRequestHandler)
    check_groups(sqs)
    deliver_by_group(sqs)
    move_tasks.add_to(sqs)
    for log in logging.getLogger().handlers:
        log.setFormatter(shown.Formatter("%(asctime)s %(levelname)s [%(name)s] %(message)s"))
    app.app = Guard(app.app, key, is_issued=is_issued, is_awaited=is_awaited)
    os.environ.pop("PYTHONPATH", None)  # functions would inherit it
    serve(f"127.0.0.1:{os.environ.get('GATEWAY_PORT', 4566)}" if options.fd is None else f"fd://{options.fd}")


if __name__ == "__main__":
    main()
