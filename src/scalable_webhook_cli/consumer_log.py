"""The log of a deployed consumer."""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.throttle import Throttle

# More of them do not make the time of a batch more exact.
_MOST_LINES = 50_000


def batch_lines(throttle: Throttle, since: float) -> Iterator[str]:
    """Yield the log lines with the word ``batch``, of so many seconds until now, the oldest first.

    Raises:
        CliError: The consumer has no log yet.
    """
    configuration = throttle.target.client("lambda").get_function_configuration(
        FunctionName=throttle.describe()["FunctionArn"]
    )
    group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{configuration['FunctionName']}"
    pages = throttle.target.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=group, startTime=round((time.time() - since) * 1000), filterPattern='"batch"')
    try:
        yield from islice(_messages(found), _MOST_LINES)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise CliError(
            f"the consumer of {throttle.name} has no log yet; send it webhooks first, or pass --batch-milliseconds "
            "instead of --from-logs"
        ) from None


def _messages(pages: Any) -> Iterator[str]:
    for page in pages:
        for event in page["events"]:
            yield event["message"]
