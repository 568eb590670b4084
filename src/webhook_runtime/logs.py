"""Structured logs.

Lambda writes each record as JSON with ``extra`` in it (``AWS_LAMBDA_LOG_FORMAT=JSON``). On a local AWS and in tests,
the handler here does the same.

A line names the webhook and its outcome, and never its content: no payload, no header, no query.
"""

import json
import logging
import os
import re
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from webhook_runtime.contract.characters import NOT_SEEN
from webhook_runtime.interrupts import INTERRUPTS
from webhook_runtime.message import Webhook

logger: logging.Logger = logging.getLogger("webhook")

_NO_EXTRA = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


_TO_JSON = json.JSONEncoder(default=str).encode


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _NO_EXTRA}
        line["logger"] = record.name
        if record.exc_info:
            line["stackTrace"] = self.formatException(record.exc_info)
        return _TO_JSON(line)


# Invisible characters, halves of surrogate pairs, control characters of terminals, and line ends. JSON escapes the
# rest. It is compiled when a text needs it: most are ASCII.
_NOT_SHOWN = f"[\x7f-\x9f\u2028\u2029\ud800-\udfff{NOT_SEEN}]"


class _Shown(logging.Filter):
    """Escape characters that could forge a line for a reader, or that UTF-8 does not have.

    JSON may hold half of a surrogate pair, and so may the text of a user's exception. Lambda's own handler writes the
    former as they are, and fails on the latter, and the batch would fail with it.

    See: https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fields = vars(record)
        for name in [name for name, value in fields.items() if isinstance(value, str) and not _is_shown(value)]:
            fields[name] = _shown(fields[name])
        if record.exc_info and record.exc_info[0]:
            kind, error, trace = record.exc_info
            if not _can_be_told(kind, error, trace):
                told = type(_shown(name_of(kind)), (Exception,), {})
                record.exc_info = (told, told(_shown(text_of(error))), trace)
        return True


def raised(error: BaseException) -> Any:
    """Return ``exc_info`` of a user's error. Ask Python and not the error, whose class may return anything."""
    return type(error), error, BaseException.__dict__["__traceback__"].__get__(error)


def name_of(kind: type) -> str:
    """Return the name of a class, whatever its metaclass returns."""
    return str(type.__dict__["__name__"].__get__(kind))


def text_of(error: BaseException | None) -> str:
    """Return ``str`` of an exception, or the name of its class if ``__str__`` fails or returns no text."""
    said = _said(error)
    # Not a subclass of str, whose methods may do anything.
    return f"{name_of(type(error))}, which has no text" if said is None else "".join([said])


def _can_be_told(kind: type, error: BaseException | None, trace: TracebackType | None) -> bool:
    """Tell whether a log handler can write the error: each one reads it again, without a guard."""
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


def _is_shown(text: str) -> bool:
    # Of the class, since a subclass of a user's may say anything.
    return str.isascii(text) and str.find(text, "\x7f") < 0


def _shown(text: str) -> str:
    if _is_shown(text):
        return text
    return re.sub(_NOT_SHOWN, lambda found: found[0].encode("ascii", "backslashreplace").decode(), text)


logger.addFilter(_Shown())


def configure() -> None:
    """Add a handler if the environment has none, and set the level if none was chosen.

    Lambda has a handler of its own, and names the chosen level in a variable.

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
        # At INFO, each new client logs the origin of its credentials.
        logging.getLogger("botocore").setLevel(logging.WARNING)


def names(webhook: Webhook) -> dict[str, object]:
    """Return the fields of every log line about a webhook, by which it is followed from stage to stage."""
    return {
        "id": webhook.id,
        "mount": webhook.mount,
        "request_id": webhook.request_id,
        "message_id": webhook.message_id,
    }
