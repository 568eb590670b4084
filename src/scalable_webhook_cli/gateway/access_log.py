"""API Gateway's access logs, which the emulator does not write: one line for each request in the log group of the
stage.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scalable_webhook_cli.gateway.rest_api import RestApi
from scalable_webhook_cli.target import Target

_STREAM = "gateway"
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True)
class _Request:
    api: RestApi
    context: Mapping[str, Any]
    timestamp: int


class AccessLog:
    """Writes in the background: a request never waits for its line, and never fails because of it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def write(self, api: RestApi, context: Mapping[str, Any]) -> None:
        """Log a request, whose context has its outcome by now."""
        self._requests.put(_Request(api, context, round(time.time() * 1000)))

    def _run(self) -> None:
        while True:
            waiting = [self._requests.get()]
            time.sleep(_FLUSH_SECONDS)
            with suppress(Empty):
                while True:
                    waiting.append(self._requests.get_nowait())
            lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for request in waiting:
                if setting := request.api.access_log:
                    line = {"timestamp": request.timestamp, "message": fill(setting.format, request.context)}
                    lines.setdefault((request.api.region, setting.log_group), []).append(line)
            for (region, log_group), events in lines.items():
                self._put(region, log_group, events)

    def _put(self, region: str, log_group: str, events: list[dict[str, Any]]) -> None:
        target = {"logGroupName": log_group, "logStreamName": _STREAM}
        try:
            logs = self._target.within(region).client("logs")
            with suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(**target)
            logs.put_log_events(**target, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            print(f"access log {log_group}: {error}", flush=True)


def looked_up(context: Mapping[str, Any], name: str) -> Any:
    """Return a variable of the context by its dotted name, or None."""
    known: Any = context
    for part in name.split("."):
        known = known.get(part) if isinstance(known, Mapping) else None
    return known


def fill(format: str, context: Mapping[str, Any]) -> str:
    """Fill in the ``$context`` variables of a format. An unknown one becomes a dash, as in API Gateway.

    Text of a client ends neither its field nor its line.
    """

    def value(found: re.Match[str]) -> str:
        known = looked_up(context, found[1])
        return "-" if known is None else json.dumps(str(known))[1:-1]

    return re.sub(r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)", value, format)
