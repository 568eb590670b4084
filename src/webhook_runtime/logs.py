"""Structured logs. Lambda makes JSON of every record by itself (``AWS_LAMBDA_LOG_FORMAT=JSON``), with what ``extra``
adds; where the code runs elsewhere, on a local AWS or in a test, the handler here does the same.

A line says which webhook and what became of it, never what was in it: no payload, no header, no query.
"""

import json
import logging
import os
import re
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from webhook_runtime.clock import INTERRUPTS
from webhook_runtime.contract.characters import NOT_SEEN
from webhook_runtime.message import Webhook

logger: logging.Logger = logging.getLogger("webhook")

_NO_EXTRA = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _NO_EXTRA}
        if record.exc_info:
            line["stackTrace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


# With what is no character to whoever reads a line: half of a surrogate pair, what a terminal obeys, and what ends a
# line. JSON escapes the rest.
_NOT_SHOWN = re.compile(f"[\x7f-\x9f\u2028\u2029\ud800-\udfff{NOT_SEEN}]")


class _Shown(logging.Filter):
    """Escapes what could forge a line for whoever reads it, and what UTF-8 does not have: JSON may hold half of a
    surrogate pair, and so what a function of the user's says of a payload. Lambda's own handler writes the one as it
    is, and fails on the other: the batch would fail with it.

    See: https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py
    """

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record).update({name: _shown(value) for name, value in vars(record).items() if isinstance(value, str)})
        if record.exc_info and record.exc_info[0]:
            kind, error, trace = record.exc_info
            if not _can_be_told(kind, error, trace):
                told = type(_shown(name_of(kind)), (Exception,), {})
                record.exc_info = (told, told(_shown(text_of(error))), trace)
        return True


def raised(error: BaseException) -> Any:
    """An error of the user's for ``exc_info``. Asked of Python, and not of the error: its class may say anything of it,
    or nothing."""
    return type(error), error, BaseException.__dict__["__traceback__"].__get__(error)


def name_of(kind: type) -> str:
    """The name of a class, whatever its own class says of it."""
    return str(type.__dict__["__name__"].__get__(kind))


def text_of(error: BaseException | None) -> str:
    """``str`` of an exception; of one whose ``__str__`` fails or is no text, the name of its class."""
    said = _said(error)
    # Not a subclass of a text, which may be anything but one.
    return f"{name_of(type(error))}, which has no text" if said is None else "".join([said])


def _can_be_told(kind: type, error: BaseException | None, trace: TracebackType | None) -> bool:
    """Whether a handler can write it: each asks for something else of the error again, and none is guarded."""
    try:
        texts = [kind.__name__, str(error), *traceback.format_exception(kind, error, trace)]
    except INTERRUPTS:
        raise
    except BaseException:
        return False
    return all(type(text) is str and _shown(text) == text for text in texts)


def _said(error: BaseException | None) -> str | None:
    try:
        return str(error)
    except INTERRUPTS:
        raise
    except BaseException:
        return None


def _shown(text: str) -> str:
    return _NOT_SHOWN.sub(lambda found: found[0].encode("ascii", "backslashreplace").decode(), text)


logger.addFilter(_Shown())


def configure() -> None:
    """Give the logger a handler where the environment brought none, and its level where nobody chose one; Lambda brings
    a handler of its own, and says by a variable which level a function was given.

    See: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    if not logging.getLogger().handlers and not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_JsonLines())
        logger.addHandler(handler)
    chosen = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if not chosen:
        logger.setLevel(logging.INFO)
    if chosen not in ("DEBUG", "TRACE"):
        # At INFO it says where credentials are from, with each client, and nothing of a webhook.
        logging.getLogger("botocore").setLevel(logging.WARNING)


def names(webhook: Webhook) -> dict[str, object]:
    """What every line about a webhook carries, so that it can be followed from stage to stage."""
    return {
        "id": webhook.id,
        "mount": webhook.mount,
        "request_id": webhook.request_id,
        "message_id": webhook.message_id,
    }
