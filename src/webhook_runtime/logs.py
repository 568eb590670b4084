"""Structured logs. Lambda makes JSON of every record by itself (``AWS_LAMBDA_LOG_FORMAT=JSON``), with what ``extra``
adds; where the code runs elsewhere, on a local AWS or in a test, the handler here does the same.

A line says which webhook and what became of it, never what was in it: no payload, no header, no query.
"""

import json
import logging
from datetime import UTC, datetime

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


def configure() -> None:
    """Give the logger a handler where the environment brought none; Lambda brings its own."""
    if not logging.getLogger().handlers and not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_JsonLines())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def names(webhook: Webhook) -> dict[str, object]:
    """What every line about a webhook carries, so that it can be followed from stage to stage."""
    return {"id": webhook.id, "request_id": webhook.request_id, "message_id": webhook.message_id}
