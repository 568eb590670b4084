"""Read the logs of deployed webhooks: each line once, in the order in which things happened.

That is the order of the times in the lines. CloudWatch may have the publisher's line about a webhook after the
consumer's, and the line of API Gateway last.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from scalable_webhook_cli import cloudwatch
from scalable_webhook_cli.cloudwatch import Event, NoLog
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.target import Target

# The stages of a webhook, in the order in which it passes them.
STAGES = ("access", "publisher", "consumer", "breaker")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# The names by which a webhook is found.
NAMES = ("id", "request_id", "message_id")

# While new lines are awaited, each one is held back for so many seconds, so that they come in order.
HOLD_SECONDS = 1.5
# A line may arrive so long after its time.
_LATE_SECONDS = 30
_BETWEEN_LOOKS_LOCAL, _BETWEEN_LOOKS = 0.25, 2.0
_READERS = 8
# The requests whose names are remembered while new lines are awaited.
_REMEMBERED = 100_000

_OTHER_LEVELS = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "ERROR", "CRITICAL": "ERROR"}
# A function runs for so long at most. Another time in a line is not from a clock.
_LONGEST_INVOCATION = 900
_CLOCKS_DIFFER = 60
# A failure, as Lambda and Python write it, in the first characters of a line.
_START = 2_000
_FAILURE = re.compile(
    r"\[ERROR\]|Traceback \(most recent call last\)|Task timed out|Runtime exited|RequestId: \S+ Error"
    r"|(\w+\.)*\w*(Error|Exception)(:|$)|.*\bTask timed out after [\d.]+ seconds|(INIT_)?REPORT .*\bStatus: (?!success)"
)


@dataclass(frozen=True)
class Line:
    """A line of a log.

    Attributes:
        webhook: The name of the webhook; of several that share the log, with commas between.
        stage: One of STAGES.
        at: The time at which it happened, in seconds since 1970.
        level: One of LEVELS.
        text: The line as it is in the log.
        fields: Its fields if it is a JSON object, else none.
        number: The order in which lines of one time were written.
        id: The id of its webhook. The line of API Gateway has none itself: it is that of a function's line about the
            same request, if there is one. Otherwise empty.
        path: The path of its request, in the same way.
    """

    webhook: str
    stage: str
    at: float
    level: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    id: str = ""
    path: str = ""

    @property
    def order(self) -> tuple[float, int, int]:
        return self.at, STAGES.index(self.stage), self.number

    def name(self, kind: str) -> str:
        """Return a text in its fields, such as its ``request_id``, or an empty one."""
        found = self.fields.get(kind)
        return found if isinstance(found, str) else ""

    def as_json(self) -> dict[str, Any]:
        """Return the function's own line, with its stage, its webhook, and a time if it has none.

        A line that is no JSON is a ``text``, and no ``message``, which would look like an outcome.
        """
        own = self.fields or {"text": self.text}
        without = {} if "timestamp" in own else {"timestamp": time_text(self.at)}
        return {**without, **own, "stage": self.stage, "webhook": self.webhook}


def time_text(at: float) -> str:
    """Return a time as functions write it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def lines(
    webhooks: DeployedWebhook | Iterable[DeployedWebhook],
    since: float,
    id: str | None = None,
    *,
    follow: float = 0,
    hold: float = HOLD_SECONDS,
) -> Iterator[Line]:
    """Yield the log lines of webhooks, in the order in which things happened.

    Args:
        webhooks: One webhook, or several.
        since: The time of the oldest line, in seconds since 1970.
        id: Only lines about the webhooks with this id, request id or message id. Default: all lines.
        follow: The seconds for which new lines are awaited, ``math.inf`` for ever. Default: none.
        hold: The seconds for which a new line is held back, since one may arrive that comes before it. A line that
            arrives later than that is yielded nevertheless.
    """
    reader = _Reader([webhooks] if isinstance(webhooks, DeployedWebhook) else webhooks)
    end = time.monotonic() + follow
    wanted = None if id is None else _Wanted(id)
    held = _Held(wanted)
    held.add(_read(reader, since, wanted), is_history=True)
    while (left := end - time.monotonic()) > 0:
        yield from held.due(hold)
        time.sleep(min(reader.pause, left))
        reader.forget()
        held.add(_read(reader, max(since, reader.latest - _LATE_SECONDS), wanted))
    yield from held.rest()


def consumer_texts(webhook: DeployedWebhook, since: float, word: str) -> Iterator[str]:
    """Yield the lines with this word in the log of a consumer, as they are, the oldest first.

    Raises:
        NoLog: It has no log yet.
    """
    for name, stage in webhook.log_groups.items():
        if stage.lower() == "consumer":
            for event in cloudwatch.events(webhook.target.client("logs"), name, since, cloudwatch.phrase(word)):
                yield event["message"]


@dataclass(frozen=True)
class _Group:
    """A log group: what writes to it, and for which webhooks."""

    target: Target
    name: str
    stage: str
    webhook: str


def _groups(webhooks: Iterable[DeployedWebhook]) -> list[_Group]:
    """Return each log group once: a consumer of the user's own may be that of several webhooks."""
    found: dict[tuple[Target, str], _Group] = {}
    for webhook in webhooks:
        for name, stage in webhook.log_groups.items():
            known = found.get((webhook.target, name))
            of = webhook.name if known is None else f"{known.webhook}, {webhook.name}"
            found[webhook.target, name] = _Group(webhook.target, name, stage.lower(), of)
    return list(found.values())


class _Reader:
    """Reads each line once.

    Attributes:
        latest: The time of the last event so far, in seconds since 1970.
        pause: The seconds until the next look.
        is_local: Whether all logs are those of the local AWS.
    """

    def __init__(self, webhooks: Iterable[DeployedWebhook]) -> None:
        self._groups = _groups(webhooks)
        self._seen: dict[tuple[Any, ...], float] = {}
        self._count = 0
        self.latest = 0.0
        self.is_local = all(group.target.endpoint is not None for group in self._groups)
        self.pause: float = _BETWEEN_LOOKS_LOCAL if self.is_local else _BETWEEN_LOOKS

    def read(self, since: float, pattern: str | None = None) -> list[Line]:
        """Return the lines that were not read before."""

        def ask(group: _Group) -> list[Event]:
            with suppress(NoLog):
                return list(cloudwatch.events(group.target.client("logs"), group.name, since, pattern))
            return []

        found: list[Line] = []
        with ThreadPoolExecutor(_READERS) as threads:
            for group, events in zip(self._groups, threads.map(ask, self._groups), strict=True):
                new = _lines_of(group, [event for event in events if self._is_new(group, event)])
                found += [replace(line, number=self._count + number) for number, line in enumerate(new)]
                self._count += len(new)
        return found

    def forget(self) -> None:
        """Forget what is too old to be read again."""
        begin = self.latest - 2 * _LATE_SECONDS
        self._seen = {key: at for key, at in self._seen.items() if at >= begin}

    def _is_new(self, group: _Group, event: Event) -> bool:
        key, at = (group.target, group.name, event["key"]), event["timestamp"] / 1000
        is_new = key not in self._seen
        self._seen[key] = at
        self.latest = max(self.latest, at)
        return is_new


class _Wanted:
    """The webhooks with this id, request id or message id, and what else they are called."""

    def __init__(self, id: str) -> None:
        self._names = {(kind, id) for kind in NAMES}

    @property
    def searched(self) -> set[str]:
        """The names by which all of its lines are found."""
        return {name for kind, name in self._names if kind == "request_id"}

    def has(self, line: Line) -> bool:
        return any((kind, line.name(kind)) in self._names for kind in NAMES if line.name(kind))

    def learn(self, lines: Iterable[Line]) -> None:
        """Take in the requests and messages of these lines."""
        before = -1
        while before != len(self._names):
            before = len(self._names)
            for line in lines:
                if self.has(line):
                    self._names |= {(kind, line.name(kind)) for kind in NAMES[1:] if line.name(kind)}


def _read(reader: _Reader, since: float, wanted: _Wanted | None) -> list[Line]:
    """Return the new lines. For one webhook, search: the line of API Gateway has its request id alone."""
    if wanted is None or reader.is_local:
        return reader.read(since)  # one call is less than several searches
    found, asked = list[Line](), set[str]()
    while new := wanted.searched - asked:
        for name in sorted(new):
            found += reader.read(since, cloudwatch.phrase(name))
        wanted.learn(found)
        asked |= new
    return found


class _Held:
    """Lines that were read, and not yielded yet. ``wanted`` is None if every line is."""

    def __init__(self, wanted: _Wanted | None) -> None:
        self._wanted = wanted
        # Each with the time since when it waits.
        self._waiting: list[tuple[float, Line]] = []
        # The id and the path of a request.
        self._requests: dict[str, tuple[str, str]] = {}

    def add(self, lines: Sequence[Line], *, is_history: bool = False) -> None:
        now = time.time()
        self._waiting += [(min(now, line.at) if is_history else now, line) for line in lines]
        for line in lines:
            if (request := line.name("request_id")) and (id := line.name("id")):
                before = self._requests.pop(request, ("", ""))
                self._requests[request] = (id, line.name("path") or before[1])
        while len(self._requests) > _REMEMBERED:
            del self._requests[next(iter(self._requests))]
        if self._wanted is not None:
            self._wanted.learn([line for _, line in self._waiting])

    def due(self, hold: float) -> list[Line]:
        """Return the lines that have waited for so many seconds, and those that come before them."""
        now = time.time()
        last = max((line.order for since, line in self._waiting if since + hold <= now), default=None)
        if last is None:
            return []
        found = [line for _, line in self._waiting if line.order <= last and self._is_wanted(line)]
        # Another line may still tell that one is wanted.
        self._waiting = [
            (since, line)
            for since, line in self._waiting
            if line.order > last or (not self._is_wanted(line) and since + _LATE_SECONDS > now)
        ]
        return self._in_order(found)

    def rest(self) -> list[Line]:
        """Return all that wait."""
        found, self._waiting = [line for _, line in self._waiting if self._is_wanted(line)], []
        return self._in_order(found)

    def _is_wanted(self, line: Line) -> bool:
        return self._wanted is None or self._wanted.has(line)

    def _in_order(self, lines: Iterable[Line]) -> list[Line]:
        """Return them in order, with what other lines tell about their requests."""
        return [self._with_names(line) for line in sorted(lines, key=lambda line: line.order)]

    def _with_names(self, line: Line) -> Line:
        id, path = self._requests.get(line.name("request_id"), ("", ""))
        return replace(line, id=line.name("id") or id, path=line.name("path") or path)


# From an event of CloudWatch to a line.


def _lines_of(group: _Group, events: Sequence[Event]) -> list[Line]:
    """Return the lines of a log group. Those of a stream are in the order in which they were written."""
    found: list[Line] = []
    in_streams = sorted(events, key=lambda event: event["logStreamName"])
    for (_, at), together in groupby(in_streams, key=lambda event: (event["logStreamName"], event["timestamp"] / 1000)):
        texts = [event["message"].rstrip("\r\n") for event in together]
        parsed = [_fields(text) for text in texts]
        level = "INFO"
        for text, fields, moment in zip(texts, parsed, _times(group.stage, at, parsed), strict=True):
            level = _level(group.stage, text, fields, level)
            found.append(Line(group.webhook, group.stage, moment, level, text, fields))
    return found


def _fields(text: str) -> Mapping[str, Any]:
    if not text.startswith("{"):
        return {}
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _times(stage: str, at: float, parsed: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the time of each of these lines, which CloudWatch has at one time.

    A text without a time is as old as the line before it, or else as the first one after it. In the local AWS, all
    lines of an invocation are as old as its end.
    """
    own = [_began(at, fields) if stage == "access" else _own_time(at, fields) for fields in parsed]
    known = next((moment for moment in own if moment is not None), at)
    found = []
    for moment in own:
        known = known if moment is None else moment
        found.append(known)
    return found


def _own_time(at: float, fields: Mapping[str, Any]) -> float | None:
    """Return the time in a line that CloudWatch has at another one, or None."""
    text = str(fields.get("timestamp"))
    try:
        read = datetime.fromisoformat(text)
        own = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    if not -_LONGEST_INVOCATION - _CLOCKS_DIFFER < own - at < _CLOCKS_DIFFER:
        return None
    # Some runtimes write whole seconds, and CloudWatch has milliseconds.
    return own if "." in text else min(max(at, own), own + 0.999)


def _began(at: float, fields: Mapping[str, Any]) -> float | None:
    """Return the time at which a request began, by the line of its end. The line has it in whole seconds."""
    try:
        second = datetime.strptime(str(fields["time"]), "%d/%b/%Y:%H:%M:%S %z").timestamp()
        began = at - float(str(fields["latency"])) / 1000
    except (KeyError, ValueError, OverflowError):
        return None
    if not (abs(second - at) <= _LONGEST_INVOCATION and began <= at):
        return None
    return min(max(began, second), second + 0.999)


def _level(stage: str, text: str, fields: Mapping[str, Any], before: str) -> str:
    """Return the level of a line. An indented text belongs to the one before it, as in a traceback."""
    if stage == "access":
        status = str(fields.get("status", ""))
        return "ERROR" if status.startswith("5") else "WARNING" if status.startswith("4") else "INFO"
    told = str(fields.get("level", fields.get("log_level", ""))).upper()
    told = _OTHER_LEVELS.get(told, told)
    if told in LEVELS:
        return told
    if "errorMessage" in fields or _FAILURE.match(text[:_START]):
        return "ERROR"
    record = fields.get("record")
    if isinstance(record, Mapping) and record.get("status", "success") != "success":
        return "ERROR"
    return before if text[:1] in (" ", "\t") else "INFO"
