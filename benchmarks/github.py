"""Webhooks of GitHub: the examples of its own library, ``@octokit/webhooks-examples``, with its headers, and how
much they take of SQS and DynamoDB. `make environment` installs them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from events import signed
from webhook_runtime import message
from webhook_runtime.contract.settings import DynamoDBSettings
from webhook_runtime.message import Webhook
from webhook_runtime.sinks.dynamodb import DynamoDBSink

_EXAMPLES = Path(__file__).parents[1] / ".venv" / "npm" / "node_modules" / "@octokit" / "webhooks-examples"
# SQS bills a request for each started chunk. https://aws.amazon.com/sqs/pricing/
_CHUNK = 64 * 1024


class Carried(NamedTuple):
    """The use of SQS and DynamoDB by a webhook, on average: requests, and write units."""

    sqs_requests: float
    write_units: float


@cache
def webhooks() -> tuple[Webhook, ...]:
    """Return a webhook for each example.

    Raises:
        FileNotFoundError: They are not installed.
    """
    kinds = json.loads((_EXAMPLES / "api.github.com" / "index.json").read_text())
    texts = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) for kind in kinds for each in kind["examples"]]
    return tuple(signed(text.encode()) for text in texts)


@cache
def carried(*, batch: int, compress: bool) -> Carried:
    """Return the average of the examples.

    Args:
        batch: The webhooks of a batch.
        compress: Whether the sink is ``Sink.dynamodb(compress=True)``.
    """
    sink = DynamoDBSink(DynamoDBSettings("Webhooks", compress_payloads=compress), None)
    units = mean(math.ceil(size_of(sink.item(each)) / 1024) for each in webhooks())
    sizes = [message.size(*message.write(each)) for each in webhooks()]
    return Carried(sqs_requests(sizes, batch), units)


def sqs_requests(sizes: Sequence[int], batch: int) -> float:
    """Return the requests of a webhook: one to send it, and for each batch one to receive and one to delete it.

    Args:
        sizes: The sizes of the messages, in bytes.
        batch: The webhooks of a batch.
    """
    received = sum(math.ceil(sum(sizes[at : at + batch]) / _CHUNK) for at in range(0, len(sizes), batch))
    sent = sum(math.ceil(size / _CHUNK) for size in sizes)
    return (sent + received) / len(sizes) + 1 / batch


def size_of(item: Mapping[str, Any]) -> int:
    """Return the size of an item: its names and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    size = 0
    for name, value in item.items():
        ((type, content),) = value.items()
        if type == "M":
            size += 3 + size_of(content) + len(content)
        else:
            size += len(content if isinstance(content, bytes) else content.encode())
        size += len(name.encode())
    return size
