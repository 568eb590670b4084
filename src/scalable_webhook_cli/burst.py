"""Send many webhooks at once, and report the responses."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from statistics import quantiles

import httpx

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import http_options

DEFAULT_BODY = b'{"event":"burst"}'
ID_HEADER = "Idempotency-Key"
# The headers of API Gateway's extended request id, and of the request id of a function URL.
_REQUEST_IDS = ("x-amz-apigw-id", "x-amzn-requestid")
_TIMEOUT = 60.0
# Read at least so many bytes of a response. Those of API Gateway are smaller.
_ANSWER = 10_000_000


@dataclass(frozen=True)
class Request:
    """A webhook to send: the path below the webhook's URL, with its query string if it has one."""

    method: str = "POST"
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def at(self, url: str) -> str:
        """Return the URL that it is sent to, at a webhook with this URL."""
        return (url.rstrip("/") if self.path.startswith("/") else url) + self.path


@dataclass
class Report:
    """The result of a burst. ``began`` and ``failed_at`` are in seconds since 1970.

    ``accepted_ids`` has empty texts for an ``acknowledgement``, which has no id. ``request_ids`` has API Gateway's
    extended id of each accepted request, which every log line has.
    """

    sent: int = 0
    accepted_ids: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    rejected: Counter[int] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    began: float = 0.0
    seconds: float = 0.0
    failed_at: list[float] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """The number of responses with 2xx, which every provider takes for accepted."""
        return len(self.accepted_ids)

    @property
    def rate(self) -> float:
        """The requests a second."""
        return self.sent / self.seconds if self.seconds else 0.0

    def percentile(self, percent: int) -> float:
        """Return the milliseconds within which this share of the responses arrived."""
        if len(self.milliseconds) < 2:
            return sum(self.milliseconds)
        return quantiles(self.milliseconds, n=100, method="inclusive")[percent - 1]


def made(count: int, make: Callable[[], Request], *, duplicates: float = 0, seed: int = 0) -> Iterator[Request]:
    """Yield ``count`` requests, each newly made when it is to be sent, except the duplicates.

    Args:
        count: The number of requests, duplicates included.
        make: Makes a request.
        duplicates: The percentage of requests that repeat the one before.
        seed: Chooses the duplicates.
    """
    chance = Random(seed)  # noqa: S311 (no secret)
    request: Request | None = None
    for _ in range(count):
        if request is None or chance.random() * 100 >= duplicates:
            request = make()
        yield request


def uniform(
    count: int,
    *,
    body: bytes = DEFAULT_BODY,
    duplicates: float = 0,
    id_header: str = ID_HEADER,
    headers: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Iterator[Request]:
    """Yield ``count`` requests with one body, each with an id of its own, except the duplicates.

    Args:
        count: The number of requests, duplicates included.
        body: The payload of each.
        duplicates: The percentage of requests that repeat the id of the one before.
        id_header: The header with the id.
        headers: More headers.
        seed: Chooses the duplicates.
    """

    def make() -> Request:
        own = {id_header: str(uuid.uuid4()), "Content-Type": "application/json"}
        return Request(headers={**own, **(headers or {})}, content=body)

    return made(count, make, duplicates=duplicates, seed=seed)


def send(
    url: str, requests: Iterable[Request], *, concurrency: int, on_answer: Callable[[], object] = lambda: None
) -> Report:
    """Send each request once, at most ``concurrency`` at a time, and do not retry.

    Args:
        url: The webhook's URL.
        requests: The requests to send.
        concurrency: The number of requests in flight.
        on_answer: Called after each.

    Raises:
        CliError: It is no URL.
    """
    _require_http(url)
    return asyncio.run(_send(url, iter(requests), concurrency, on_answer))


def _require_http(url: str) -> None:
    try:
        parsed = httpx.URL(url)
        ok = parsed.scheme in ("http", "https") and parsed.host
    except httpx.InvalidURL:
        ok = False
    if not ok:
        raise CliError(
            f"a webhook's URL is http://HOST/… or https://HOST/…, got {url}; see scalable-webhook local status"
        )


async def _send(url: str, requests: Iterator[Request], concurrency: int, on_answer: Callable[[], object]) -> Report:
    report = Report()
    options = http_options(url)

    async def work() -> None:
        # One client for each worker: httpx checks every connection of its pool for each request, and the sender must
        # not be the slow part.
        async with httpx.AsyncClient(timeout=_TIMEOUT, **options) as http:
            for request in requests:  # the workers share one iterator
                if not await _is_accepted(http, url, request, report):
                    report.failed_at.append(time.time())
                on_answer()

    report.began, started = time.time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    report.seconds = time.perf_counter() - started
    return report


async def _is_accepted(http: httpx.AsyncClient, url: str, request: Request, report: Report) -> bool:
    """Send a request and record its response. Return whether it was accepted."""
    report.sent += 1
    started = time.perf_counter()
    asked = http.stream(request.method, request.at(url), headers=dict(request.headers), content=request.content)
    try:
        async with asyncio.timeout(_TIMEOUT), asked as answer:
            said = await _beginning(answer)
    except (httpx.HTTPError, TimeoutError) as error:
        report.unanswered[type(error).__name__] += 1
        return False
    report.milliseconds.append((time.perf_counter() - started) * 1000)
    if not answer.is_success:
        report.rejected[answer.status_code] += 1
        return False
    report.request_ids.append(request_id(answer.headers))
    try:
        report.accepted_ids.append(str(json.loads(said)["id"]))
    except (ValueError, KeyError, TypeError, RecursionError):  # RecursionError: of JSON within JSON, a thousand times
        report.accepted_ids.append("")
    return True


async def _beginning(answer: httpx.Response) -> bytes:
    """Return the beginning of the response, which may have no end."""
    said = b""
    async for part in answer.aiter_bytes():
        said += part
        if len(said) > _ANSWER:
            break
    return said


def request_id(headers: Mapping[str, str]) -> str:
    """Return the id that the publisher logs with a webhook, or an empty text if an answer has none."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), "")
