"""How a deployed webhook is: numbers, from calls that only read. No message is received for them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from scalable_webhook_cli import deployed, log_lines
from scalable_webhook_cli import throttle as throttles
from scalable_webhook_cli.cloudwatch import NoLog
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.events import LOGGER
from scalable_webhook_cli.plan import fit as fits
from scalable_webhook_cli.plan import quantities
from scalable_webhook_cli.shown import shown
from scalable_webhook_cli.target import http_options
from webhook_runtime.contract.pausing import BREAKER, PAUSED_AT, PAUSED_BY, state_in
from webhook_runtime.contract.settings import OutageSettings

T = TypeVar("T")

HOUR = 3600
# Batches of an hour that are counted; with more of them a number is the least that it can be.
_MOST_BATCHES = 100_000
_AT_A_TIME = 8
# The metric of the oldest message has a point a minute, which arrives some minutes later.
_METRIC_MINUTES = 10


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a webhook is. None: it is not known, and ``unknown`` says why, by the name of the number.

    Attributes:
        webhook: The path of its construct.
        urls: The URL of each of its endpoints, by name.
        waiting: Messages in the queue that can be received.
        in_flight: Messages that the consumer works on, or that wait for a retry.
        dead_lettered: Messages in the dead-letter queue.
        unverified: Messages in the unverified queue. 0 without such a queue.
        stored: Webhooks that were stored in the last hour, by the consumer's log.
        failed: Tries that failed in the last hour, by the same log.
        oldest_seconds: The age of the oldest message of the queue. 0 if it is empty.
        paused: Whether the event source mapping is disabled.
        paused_by: Who paused it, if that is told.
        paused_at: When, if that is told.
        concurrency: The number of batches at a time. None: one, in order.
        breaker: The circuit breaker: ``none``, ``closed`` while the sink is up, ``open`` while it pauses the webhook,
            ``resuming`` after that.
        next_probe_at: When an open circuit breaker asks the sink again.
        unknown: Why a number is not known.
    """

    webhook: str
    urls: Mapping[str, str]
    waiting: int | None
    in_flight: int | None
    dead_lettered: int | None
    unverified: int | None
    stored: int | None
    failed: int | None
    oldest_seconds: float | None
    paused: bool | None
    paused_by: str | None
    paused_at: str | None
    concurrency: int | None
    breaker: str | None
    next_probe_at: str | None
    unknown: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Return it for a program."""
        return asdict(self)


def statuses(webhooks: Sequence[DeployedWebhook]) -> list[Status]:
    """Return the status of each webhook."""
    endpoints = {target: deployed.endpoints(target) for target in {webhook.target for webhook in webhooks}}
    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        return list(threads.map(lambda webhook: _status(webhook, endpoints[webhook.target]), webhooks))


class _Unknown(Exception):
    """A number that no call tells. The message says why."""


def _status(webhook: DeployedWebhook, endpoints: Sequence[deployed.DeployedEndpoint]) -> Status:
    unknown: dict[str, str] = {}

    def known(call: Callable[[], T], *names: str) -> T | None:
        """Return the answer of a call, or None if it does not tell these numbers."""
        try:
            return call()
        except (_Unknown, CliError, ClientError) as error:
            unknown.update(dict.fromkeys(names, str(error)))
            return None

    queue = known(lambda: _depth(webhook, webhook.queue_url), "waiting", "in_flight", "oldest_seconds")
    letters = known(lambda: _depth(webhook, webhook.dead_letter_queue_url), "dead_lettered")
    unverified = known(lambda: _unverified(webhook), "unverified")
    batches = known(lambda: _batches(webhook), "stored", "failed")
    retried = 0 if batches is None else batches["retried_seconds"]
    oldest = None if queue is None else known(lambda: _oldest_seconds(webhook, sum(queue), retried), "oldest_seconds")
    mapping = known(throttles.of(webhook).describe, "paused", "concurrency")
    tags = known(throttles.of(webhook).tags, "paused_by", "breaker") if mapping is not None else None
    state, by = state_in(tags or {}), (tags or {}).get(PAUSED_BY)
    return Status(
        webhook=webhook.name,
        urls={each.name: each.url for each in endpoints if _is_of(each, webhook)},
        waiting=queue and queue[0],
        in_flight=queue and queue[1],
        dead_lettered=letters and sum(letters),
        unverified=unverified,
        stored=None if batches is None else batches["stored"],
        failed=None if batches is None else batches["failed"],
        oldest_seconds=oldest,
        paused=None if mapping is None else mapping["State"] in ("Disabled", "Disabling"),
        paused_by=by,
        paused_at=(tags or {}).get(PAUSED_AT),
        concurrency=None if mapping is None else throttles.concurrency(mapping),
        breaker=None if tags is None else known(lambda: _breaker(webhook, by, state), "breaker"),
        next_probe_at=_time_text(state["next"]) if by == BREAKER and "next" in state else None,
        unknown=unknown,
    )


def _is_of(endpoint: deployed.DeployedEndpoint, webhook: DeployedWebhook) -> bool:
    """Tell whether an endpoint is the webhook's own one, or was added to it."""
    return endpoint.stack == webhook.stack and f"{endpoint.name}/".startswith(f"{webhook.name}/")


def _depth(webhook: DeployedWebhook, queue_url: str) -> tuple[int, int]:
    """Return the number of messages that can be received, now or after a delay, and of those in flight."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "Delayed", "NotVisible")]
    sqs = webhook.target.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    visible, delayed, in_flight = (int(attributes[name]) for name in names)
    return visible + delayed, in_flight


def _unverified(webhook: DeployedWebhook) -> int:
    url = webhook.unverified_queue_url
    return 0 if url is None else sum(_depth(webhook, url))


def _batches(webhook: DeployedWebhook) -> Counter[str]:
    """Return the outcomes of the last hour, by the line that the consumer writes at the end of each batch.

    ``retried_seconds`` is the highest age in a batch that failed lately.
    """
    if webhook.hides_webhooks:
        raise _Unknown(webhook.hides_webhooks)
    counts: Counter[str] = Counter()
    now = time.time()
    begin, lately = now - HOUR, now - 60 * _METRIC_MINUTES
    try:
        texts = list(islice(log_lines.consumer_texts(webhook, begin, "batch"), _MOST_BATCHES + 1))
    except NoLog:
        return counts
    if len(texts) > _MOST_BATCHES:
        raise _Unknown(f"more than {_MOST_BATCHES:,} batches ended in the last hour")
    for batch in fits.batches(texts):
        if batch["ended"] >= begin * 1000 and batch.get("logger") == LOGGER:
            counts.update({name: number for name in ("stored", "failed") if type(number := batch.get(name)) is int})
            if batch["ended"] >= lately * 1000 and batch["failed"] and type(age := batch.get("oldest")) is int:
                counts["retried_seconds"] = max(counts["retried_seconds"], age)
    return counts


def _breaker(webhook: DeployedWebhook, paused_by: str | None, state: Mapping[str, int]) -> str:
    if webhook.settings(OutageSettings).breaker_failures is None:
        return "none"
    if state.get("resumes"):
        return "resuming"
    return "open" if paused_by == BREAKER else "closed"


def _oldest_seconds(webhook: DeployedWebhook, messages: int, retried: float) -> float:
    """Return the age of the oldest message of the queue, without receiving it.

    SQS's own metric is blind for a message after some tries. ``retried`` is the age of the oldest one of them.
    """
    if not messages:
        return 0
    if webhook.target.endpoint is not None:
        return _oldest_local(webhook)
    end = datetime.now(UTC)
    points = webhook.target.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": webhook.queue_url.rpartition("/")[2]}],
        StartTime=end - timedelta(minutes=_METRIC_MINUTES),
        EndTime=end,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    if not points and not retried:
        raise _Unknown(f"CloudWatch has no ApproximateAgeOfOldestMessage of the last {_METRIC_MINUTES} minutes")
    last = max(points, key=lambda point: point["Timestamp"], default={"Maximum": 0})
    return float(max(last["Maximum"], retried))


def _oldest_local(webhook: DeployedWebhook) -> float:
    """Ask the local AWS, which shows messages without receiving them, and has no metrics."""
    target = webhook.target
    url = f"{target.endpoint}/_ministack/sqs/messages"
    asked = AWSRequest("GET", url, params={"QueueUrl": webhook.queue_url, "region": target.region})
    SigV4Auth(Credentials(target.key, target.key), "sqs", target.region or "").add_auth(asked)
    try:
        answer = httpx.get(
            str(asked.prepare().url), headers=dict(asked.headers), **http_options(url)
        ).raise_for_status()
        accounts = answer.json()["messages"].values()
        queues = [messages for regions in accounts for queues in regions.values() for messages in queues.values()]
        sent = [message["SentTimestamp"] for messages in queues for message in messages]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise _Unknown(f"the local AWS does not show its messages: {error}") from None
    return max(time.time() - min(sent), 0) if sent else 0


def _time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


# For a person.

_HEADING = ("webhook", "waiting", "flight", "dead", "unverif.", "stored", "failed", "oldest", "state")
_LEAST_NAME = 8


def table(statuses: Sequence[Status], width: int) -> Iterator[str]:
    """Yield a line for each webhook, in so many columns of a terminal."""
    rows = [_HEADING, *(_row(status) for status in statuses)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADING))]
    rest = width - sum(widths[1:]) - 2 * (len(widths) - 1)
    name_width = min(widths[0], max(rest, _LEAST_NAME))
    for name, *cells, state in rows:
        padded = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=False)]
        yield "  ".join([f"{_cut(name, name_width):{name_width}}", *padded, state])
    yield "stored and failed in the last hour; flight: being worked on, or waiting for a retry"
    if any(status.unknown for status in statuses):
        yield "?: not known; name the webhook to see why"


def _row(status: Status) -> tuple[str, ...]:
    numbers = [status.waiting, status.in_flight, status.dead_lettered, status.unverified, status.stored, status.failed]
    told = ["?" if number is None else f"{number:,}" for number in numbers]
    oldest = "?" if status.oldest_seconds is None else _short(status.oldest_seconds) if status.oldest_seconds else "-"
    return (shown(status.webhook), *told, oldest, _state(status))


def _cut(text: str, width: int) -> str:
    """Return a text without its middle if it is longer."""
    half = width // 2
    return text if len(text) <= width else f"{text[: half - 1]}…{text[half - width :]}"


def _short(seconds: float) -> str:
    """Return a time in its largest unit."""
    return " ".join(quantities.shown(seconds).split()[:2])


def _state(status: Status) -> str:
    if status.paused is None:
        return "?"
    return "paused" if status.paused else "resuming" if status.breaker == "resuming" else "running"


def details(status: Status) -> Iterator[str]:
    """Yield what is known of one webhook, a number a line."""
    yield shown(status.webhook)
    for name, url in status.urls.items():
        yield from _line("url", url if len(status.urls) == 1 else f"{url}  {shown(name)}")
    numbers = (
        ("waiting", "waiting", "in the queue"),
        ("in flight", "in_flight", "being worked on, or waiting for a retry"),
        ("dead letters", "dead_lettered", "in the dead-letter queue"),
        ("unverified", "unverified", "in the unverified queue"),
        ("stored", "stored", "in the last hour, by the batches in the log"),
        ("failed", "failed", "tries in the last hour, in the same way"),
    )
    for label, name, meaning in numbers:
        number = getattr(status, name)
        yield from _line(label, _why(status, name) if number is None else f"{number:>9,}  {meaning}")
    if status.oldest_seconds is None:
        yield from _line("oldest", _why(status, "oldest_seconds"))
    else:
        age = quantities.shown(status.oldest_seconds) if status.oldest_seconds else "-"
        yield from _line("oldest", f"{age:>9}  in the queue")
    yield from _line("consumer", _consumer(status))
    yield from _line("breaker", _of_breaker(status))


def _line(label: str, text: str) -> Iterator[str]:
    yield f"  {label:12}  {text}"


def _why(status: Status, name: str) -> str:
    return f"unknown: {shown(status.unknown.get(name, ''))}"


def _consumer(status: Status) -> str:
    if status.paused is None:
        return _why(status, "paused")
    if status.paused:
        if "paused_by" in status.unknown:
            return f"paused; by whom is {_why(status, 'paused_by')}"
        by = f"by {status.paused_by} at {status.paused_at}" if status.paused_by else "by someone who left no tag"
        return f"paused, {shown(by)}"
    at_a_time = "one batch at a time" if status.concurrency is None else f"{status.concurrency:,} batches at a time"
    return f"running, at most {at_a_time}"


def _of_breaker(status: Status) -> str:
    match status.breaker:
        case None:
            return _why(status, "breaker")
        case "open":
            return f"open: the sink is down; next probe at {status.next_probe_at or 'an unknown time'}"
        case "resuming":
            return "resuming: the sink is up again"
        case told:
            return told
