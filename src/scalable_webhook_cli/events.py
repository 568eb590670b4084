"""The meaning of a line of a log: an event in the life of a webhook, for a person."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from scalable_webhook_cli.log_lines import Line
from scalable_webhook_cli.shown import shown

Fields: TypeAlias = Mapping[str, Any]


class Tone(Enum):
    """How an event is to be taken."""

    GOOD = "good"
    PLAIN = "plain"
    QUIET = "quiet"  # nothing happened to a webhook
    WAITS = "waits"  # it will be tried again
    BAD = "bad"


@dataclass(frozen=True)
class Event:
    """An event.

    Attributes:
        what: What happened.
        detail: How and why, in a line.
        tone: How it is to be taken.
        more: More lines, such as a traceback.
        is_noise: Whether only someone who looks at everything wants to see it.
    """

    what: str
    detail: str = ""
    tone: Tone = Tone.PLAIN
    more: Sequence[str] = ()
    is_noise: bool = False


# The logger of our own functions, by which their lines are told from those of the user's code.
LOGGER = "webhook"


def message_of(line: Line) -> str:
    """Return the message of a line of our own functions, or an empty text."""
    message = line.name("message") if line.name("logger") == LOGGER else ""
    return message if message in _MEANINGS else ""


def event(line: Line) -> Event:
    """Return what a line means."""
    if line.stage == "access" and "status" in line.fields:
        return _request(line)
    if message := message_of(line):
        tone, detail = _MEANINGS[message]
        is_noise = tone is Tone.QUIET and message in _NOISE
        return Event(message, text_of(detail(line.fields)), tone, _trace(line.fields), is_noise)
    return _other(line)


def text_of(value: object) -> str:
    """Return a value of a line as text that neither ends a line nor acts on a terminal."""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return shown(value).replace("\n", r"\n").replace("\t", r"\t")


def _request(line: Line) -> Event:
    fields = {name: text_of(value) for name, value in line.fields.items()}
    path = text_of(line.path) or re.sub(r"\{proxy\+\}$", "…", fields.get("resource", ""))
    status, latency, error = (fields.get(name, "-") for name in ("status", "latency", "error"))
    took = "" if latency == "-" else f" in {latency} ms"
    tone = {"4": Tone.WAITS, "5": Tone.BAD}.get(status[:1], Tone.PLAIN)
    return Event(
        f"{fields.get('method', '-')} {path}", f"{status}{took}" + ("" if error == "-" else f"  {error}"), tone
    )


# Lines of our own functions.


def _bytes(fields: Fields) -> str:
    size = fields.get("bytes")
    return f"{size:,} B" if isinstance(size, int) else ""


def _attempt(fields: Fields) -> str:
    return f"attempt {fields['attempt']}" if "attempt" in fields else ""


def reason(fields: Fields) -> str:
    """Return the error of a line and its reason."""
    return ": ".join(text_of(fields[name]) for name in ("error", "reason") if fields.get(name))


def _failed(fields: Fields) -> str:
    told = [_attempt(fields), reason(fields)]
    if "retry_in" in fields:
        told.append(f"next try in {fields['retry_in']} s")
    told += [text_of(fields[name]) for name in ("dead_letter_queue_error", "unverified_queue_error") if name in fields]
    return "; ".join(filter(None, told))


def _rejected(fields: Fields) -> str:
    return " ".join(text_of(fields[name]) for name in ("status", "reason") if name in fields)


def _sink_down(fields: Fields) -> str:
    return f"{fields.get('batches')} batches in a row; {reason(fields)}"


def _probe(fields: Fields) -> str:
    return ": ".join(filter(None, [f"the sink is {text_of(fields.get('sink'))}", reason(fields)]))


def _paused(fields: Fields) -> str:
    return f"by the circuit breaker; next probe in {fields.get('next_probe_in')} s"


def _rest(fields: Fields) -> str:
    """Return the other fields of a line."""
    left = ((name, value) for name, value in fields.items() if name not in _NOT_TOLD)
    return " ".join(f"{text_of(name)}={text_of(value)}" for name, value in left)


# Fields that are told elsewhere, or that every line has.
_NOT_TOLD = {
    *("timestamp", "level", "log_level", "message", "logger", "id", "mount", "request_id", "message_id", "requestId"),
    *("tenantId", "xray_trace_id", "location", "stackTrace", "errorType", "errorMessage"),
}

_MEANINGS: Mapping[str, tuple[Tone, Callable[[Fields], str]]] = {
    # publisher
    "queued": (Tone.PLAIN, _bytes),
    "rejected": (Tone.BAD, _rejected),
    "handshake": (Tone.GOOD, _rejected),
    "cannot verify": (Tone.BAD, reason),
    "SQS did not take the message": (Tone.BAD, _rest),
    "S3 did not take the payload": (Tone.BAD, _rest),
    # consumer
    "stored": (Tone.GOOD, _attempt),
    "duplicate": (Tone.QUIET, _attempt),
    "dropped": (Tone.QUIET, lambda _: "it matches no event filter"),
    "failed": (Tone.WAITS, _failed),
    "waits": (Tone.WAITS, lambda fields: f"for an earlier one of its group; next try in {fields.get('retry_in')} s"),
    "dead-lettered": (Tone.BAD, reason),
    "unverified": (Tone.BAD, reason),
    "sink down": (Tone.BAD, _sink_down),
    "perhaps sink down": (Tone.BAD, _sink_down),
    "probe": (Tone.QUIET, _probe),
    "batch": (Tone.QUIET, _rest),
    "connections": (Tone.QUIET, _rest),
    "connections not known": (Tone.QUIET, _rest),
    "table not created": (Tone.WAITS, _rest),
    "not postponed": (Tone.WAITS, _rest),
    "payloads not deleted": (Tone.WAITS, _rest),
    "payload gone, so stored before": (Tone.WAITS, _rest),
    "the sink failed": (Tone.BAD, _rest),
    "the handler raised": (Tone.BAD, _rest),
    "the source's function raised": (Tone.BAD, _rest),
    "the source's function must return an id, an Answer or None": (Tone.BAD, _rest),
    # circuit breaker
    "paused": (Tone.WAITS, _paused),
    "not paused": (Tone.QUIET, reason),
    "resumed": (Tone.GOOD, lambda fields: f"it was paused at {text_of(fields.get('paused_at'))}"),
    "no probe": (Tone.WAITS, _rest),
    "cannot pause": (Tone.BAD, _rest),
}
_NOISE = ("batch", "connections", "connections not known")


# Lines of Lambda and of the user's own code.

# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
_LAMBDA = re.compile(
    r"(START|END|REPORT) RequestId: [0-9a-f-]{36}\b|(INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT) "
    r"|XRAY TraceId: |(EXTENSION|TELEMETRY|LOGS)\t"
)


def _other(line: Line) -> Event:
    tone = {"ERROR": Tone.BAD, "WARNING": Tone.WAITS}.get(line.level, Tone.PLAIN)
    fields, what = line.fields, line.stage
    if not fields:
        first, *more = shown(line.text).expandtabs(4).split("\n")
        is_noise = _LAMBDA.match(line.text) is not None and line.level != "ERROR"
        return Event(what, first, Tone.QUIET if is_noise else tone, more, is_noise)
    kind = line.name("type")
    if kind.startswith("platform.") and isinstance(fields.get("record"), Mapping):
        is_noise = line.level != "ERROR"
        told = f"{text_of(kind)}: {text_of(fields['record'])}"
        return Event(what, told, Tone.QUIET if is_noise else tone, is_noise=is_noise)
    message = text_of(fields["message"]) if "message" in fields else ""
    failure = ": ".join(text_of(fields[name]) for name in ("errorType", "errorMessage") if name in fields)
    return Event(what, "  ".join(filter(None, [message, failure, _rest(fields)])), tone, _trace(fields))


def _trace(fields: Fields) -> list[str]:
    """Return the lines of a traceback: a text of ours, and a list of Lambda's."""
    trace = fields.get("stackTrace", ())
    parts = [trace] if isinstance(trace, str) else trace if isinstance(trace, list) else []
    told = [line for part in parts if isinstance(part, str) for line in shown(part).expandtabs(4).rstrip().split("\n")]
    if told and not isinstance(trace, str) and "errorType" in fields and "message" in fields:
        told.append(": ".join(text_of(fields[name]) for name in ("errorType", "errorMessage") if name in fields))
    return told
