"""Read log groups of CloudWatch: every event, however many there are, and however busy it is."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from scalable_webhook_cli.errors import CliError

Event: TypeAlias = dict[str, Any]

# One answer has so many events at most. MiniStack says nothing of those after them.
_MOST_EVENTS = 10_000
_IS_BUSY = ("ThrottlingException", "Throttling", "TooManyRequestsException", "ServiceUnavailableException")
_WAITS = (0.5, 1, 2, 4, 8, 16)

# Characters without a meaning in a filter pattern, and without an escape in JSON.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
_PLAIN = re.compile(r"[A-Za-z0-9_./=:@#,;+-]+")
_LONGEST_PHRASE = 500


class NoLog(Exception):
    """There is no such log group. A function has none before it runs, unless the app has it."""


class Denied(CliError):
    """The log group may not be read. The message says what to allow."""


def phrase(text: str) -> str | None:
    """Return a filter pattern that finds each line with this text, and perhaps more.

    It is the longest part of the text that needs no escape. None: there is no such part.
    """
    longest = max(_PLAIN.findall(text), key=len, default="")
    return f'"{longest[:_LONGEST_PHRASE]}"' if longest else None


def events(logs: Any, group: str, since: float, pattern: str | None = None) -> Iterator[Event]:
    """Yield the events of a log group, of this time in seconds since 1970 and later, the oldest first.

    Each has a ``key``, by which another call knows it. Some may not match the pattern.

    Raises:
        NoLog: There is no such group.
    """
    begin = max(round(since * 1000), 0)
    filtered = {"filterPattern": pattern} if pattern else {}
    told: set[tuple[Any, ...]] = set()
    while True:
        page: list[Event] = []
        equal: Counter[tuple[Any, ...]] = Counter()
        for page in _pages(logs, logGroupName=group, startTime=begin, **filtered):
            yield from _new(page, equal, told)
        if len(page) < _MOST_EVENTS:
            return
        last = page[-1]["timestamp"]
        if last == begin:
            yield from _new(_of_millisecond(logs, group, begin), Counter(), told)
            last += 1
        begin = last


def _new(events: list[Event], equal: Counter[tuple[Any, ...]], told: set[tuple[Any, ...]]) -> Iterator[Event]:
    """Yield those that were not told before. Not each has an id, and equal ones may be different: number them."""
    for event in events:
        what = (event["logStreamName"], event["timestamp"], event["message"])
        equal[what] += 1
        key = (*what, equal[what])
        if key not in told:
            told.add(key)
            yield {**event, "key": key}


def _pages(logs: Any, **asked: Any) -> Iterator[list[Event]]:
    token: dict[str, str] = {}
    while True:
        answer = _patiently(logs.filter_log_events, **asked, **token)
        yield answer["events"]
        if "nextToken" not in answer:
            return
        token = {"nextToken": answer["nextToken"]}


def _of_millisecond(logs: Any, group: str, at: int) -> list[Event]:
    """Return all events of a millisecond that has more than one answer, stream by stream."""
    found = []
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
        for stream in page["logStreams"]:
            name = stream["logStreamName"]
            asked = {"logGroupName": group, "logStreamName": name, "startTime": at, "endTime": at + 1}
            answer = _patiently(logs.get_log_events, startFromHead=True, **asked)
            while answer["events"]:
                found += [{**event, "logStreamName": name} for event in answer["events"]]
                token = answer["nextForwardToken"]
                answer = _patiently(logs.get_log_events, startFromHead=True, nextToken=token, **asked)
    return found


def _patiently(call: Callable[..., Any], **arguments: Any) -> Any:
    """Call, and wait while CloudWatch is busy: an account has only a few such calls a second."""
    group = arguments["logGroupName"]
    for wait in (*_WAITS, None):
        try:
            return call(**arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                raise NoLog(f"there is no log group {group}") from None
            if code == "AccessDeniedException":
                action = f"logs:{error.operation_name}"
                raise Denied(f"the log group {group} cannot be read: allow {action} on it") from None
            if code not in _IS_BUSY or wait is None:
                raise
            time.sleep(wait)
    raise AssertionError("unreachable")
