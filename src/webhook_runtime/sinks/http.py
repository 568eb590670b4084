"""Send each webhook to an HTTP service by POST, over a connection that is kept."""

import base64
import hashlib
import hmac
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, HTTPMessage, HTTPResponse, UnknownProtocol, parse_headers
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3 import connection
from urllib3._collections import HTTPHeaderDict  # urllib3 itself has it since 2, and boto3 may come with 1.26
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from webhook_runtime.clients import client, code_of, told
from webhook_runtime.contract.forwarded import OF_THE_CONNECTION, is_trusted, plain
from webhook_runtime.contract.keys import NoKey, secret_text, standard_key
from webhook_runtime.contract.settings import HttpSettings, from_environment
from webhook_runtime.deadline import Deadline
from webhook_runtime.interrupts import TimeIsUp
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Kind, Outcome, SinkDown
from webhook_runtime.tls import tls_context

# A service that rejects by load, or is down, takes no other webhook either.
_DOWN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
# The answers of a proxy whose service is down, too.
_NOT_UP = _DOWN | {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
# 409 means that the first request with this Idempotency-Key still runs, after a timeout. 421 is about the connection,
# and 101 answers nothing that was asked.
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
_RETRIED = frozenset(
    {
        HTTPStatus.SWITCHING_PROTOCOLS,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.MISDIRECTED_REQUEST,
        HTTPStatus.TOO_EARLY,
    }
)

# urllib3 would reject these. A value in several lines is no longer allowed.
# https://www.rfc-editor.org/rfc/rfc9112#section-5.2
_NAME = re.compile(r"[!-9;-~]+")
_VALUE = re.compile(r"[^\r\n]*")

# The signing secret is cached for so long, since it may be rotated.
_KNOWN_SECONDS = 300

# Read a response to its end, so that the connection can be used again, but not a longer one.
_MAX_ANSWER = 64 * 1024
# How many 1xx responses a service may send first.
_MAX_INTERIM = 1000


class _Response(HTTPResponse):
    """The final response: skip 1xx, or the response to the next request would be taken for this one's.

    Once the status is read it counts, even if the rest fails.

    See: https://www.rfc-editor.org/rfc/rfc9110#section-15.2
    """

    _said: tuple[str, int, str] | None = None

    def begin(self) -> None:
        try:
            super().begin()
        except HTTPException as error:  # more or longer headers than Python reads
            if self._said is None or isinstance(error, UnknownProtocol):
                raise
            self._end()
        else:
            if len(set(self.headers.get_all("Content-Length", ()))) > 1:  # urllib3 would reject it
                self._end()

    def _end(self) -> None:
        """Keep the status, and nothing after it."""
        assert self._said
        version, self.status, self.reason = self._said
        self.code, self.version = self.status, 10 if version == "HTTP/1.0" else 11
        self.headers = self.msg = HTTPMessage()
        self.length, self.chunked, self.will_close = 0, False, True

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MAX_INTERIM):
            said: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= said[1] < 200 or said[1] == HTTPStatus.SWITCHING_PROTOCOLS:
                self._said = said
                return said
            parse_headers(self.fp)
        raise BadStatusLine("it says 1xx without end")


class _HttpConnection(connection.HTTPConnection):
    response_class = _Response


class _HttpsConnection(connection.HTTPSConnection):
    """Treat a TLS error as a closed connection: urllib3 would not read a response that has already arrived."""

    response_class = _Response

    def request(self, *arguments: Any, **named: Any) -> None:
        with _hung_up():
            super().request(*arguments, **named)

    def getresponse(self, *arguments: Any, **named: Any) -> Any:
        with _hung_up():
            return super().getresponse(*arguments, **named)


@contextmanager
def _hung_up() -> Iterator[None]:
    """Raise an error of TLS as that of a connection without it."""
    try:
        yield
    except ssl.SSLError as error:
        raise BrokenPipeError(str(error)) from error


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class Signer:
    """Signs as Standard Webhooks defines it, so that the service can verify the forwarder.

    See: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    def __init__(self, secrets: Any, secret_arn: str) -> None:
        self._secrets = secrets
        self._secret_arn = secret_arn
        self._key: bytes | None = None
        self._read_at = float("-inf")

    def headers(self, key: str, body: bytes) -> dict[str, str]:
        """Return the headers of a signature. Raise SinkDown if the secret is not available."""
        # A dot ends the id in the signed text. With a dot in its id, a provider could make it read as another id with
        # another payload.
        id = key.replace("%", "%25").replace(".", "%2E")
        now = str(int(time.time()))
        mac = hmac.new(self._secret(), f"{id}.{now}.".encode() + body, hashlib.sha256)
        signature = base64.b64encode(mac.digest()).decode()
        return {"webhook-id": id, "webhook-timestamp": now, "webhook-signature": f"v1,{signature}"}

    def _secret(self) -> bytes:
        if self._key is None or time.time() - self._read_at > _KNOWN_SECONDS:
            try:
                self._key = self._read()
            except SinkDown:
                if self._key is None:  # else keep the key that is known
                    raise
            self._read_at = time.time()
        return self._key

    def _read(self) -> bytes:
        try:
            return standard_key(secret_text(self._secrets.get_secret_value(SecretId=self._secret_arn)))
        except NoKey as error:
            raise SinkDown(f"the signing secret: {error}, at {self._secret_arn}", error="BadSecret") from None
        except Exception as error:
            reason = f"the signing secret could not be read from {self._secret_arn}: {told(error)}"
            raise SinkDown(reason, error=code_of(error)) from None


class _PerhapsDown(SinkDown):
    """The service was reached, but sent 429, 503 or no response, or closed the connection."""


class HttpSink:
    """Posts webhooks to one URL, one after the other. The service stores each ``Idempotency-Key`` once."""

    def __init__(self, settings: HttpSettings, signer: Signer | None) -> None:
        self._settings = settings
        self._signer = signer
        # Only the host of the URL, whose path and user may be secrets.
        self._host = urlsplit(settings.url).netloc.rpartition("@")[2]
        self._named = frozenset(map(plain, settings.forward_headers))
        # The key of the last webhook with which the service failed so, until the next success.
        self._troubled_by: str | None = None
        is_plain = urlsplit(settings.url).scheme == "http"
        tls = None if is_plain else tls_context("", settings.ca_certificates)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, retries=False, ssl_context=tls)
        self._pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        for webhook in webhooks:
            try:
                with deadline.step():
                    outcome = self._post(webhook, deadline)
                self._troubled_by = None
            except _PerhapsDown as trouble:
                outcome = self._troubled(webhook, trouble)
            yield outcome

    def ping(self, deadline: Deadline) -> None:
        """Ask for the headers of the URL: any answer of the service itself tells that it is up.

        See: https://www.rfc-editor.org/rfc/rfc9110#name-safe-methods
        """
        try:
            response = self._requested("HEAD", deadline)
        except HTTPError as error:
            raise SinkDown(self._not_reached(), error=type(error).__name__) from error
        if response.status in _NOT_UP:
            raise SinkDown(self._answered(response), error=f"HTTP {response.status}")

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()

    def _troubled(self, webhook: Webhook, trouble: _PerhapsDown) -> Outcome:
        """Decide whether the service is down: raise SinkDown, once, after the second such webhook in a row.

        A single webhook is not enough. It may have been sent for just that, and would use up the tries of the rest of
        the batch.
        """
        before, self._troubled_by = self._troubled_by, webhook.key
        if before not in (None, webhook.key):
            self._troubled_by = None
            raise trouble
        return Outcome(Kind.RETRY, trouble.error, trouble.reason, trouble.retry_after, is_trouble=True)

    def _post(self, webhook: Webhook, deadline: Deadline) -> Outcome:
        headers = self._headers(webhook)
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items()):
            return Outcome(Kind.PERMANENT, "BadHeader", "a header that HTTP cannot carry")
        try:
            response = self._requested("POST", deadline, headers, webhook.body)
            if response.status == HTTPStatus.MISDIRECTED_REQUEST:
                # This connection is for another service. A new one may be for the right one.
                # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.20
                self._pool.clear()
                deadline.turn()
                response = self._request("POST", deadline, headers, webhook.body)
        except HTTPError as error:
            # No answer in time counts too: another request does not help a slow service.
            kind = _PerhapsDown if isinstance(error, ReadTimeoutError | ProtocolError) else SinkDown
            raise kind(self._not_reached(), error=type(error).__name__) from error
        return self._outcome(response)

    def _outcome(self, response: "urllib3.BaseHTTPResponse") -> Outcome:
        status = response.status
        if 200 <= status < 300:
            return STORED
        reason = self._answered(response)
        retry_after = _seconds(response.headers.get("Retry-After"))
        if status in _DOWN:
            raise _PerhapsDown(reason, retry_after=retry_after, error=f"HTTP {status}")
        permanent = 400 <= status < 500 and status not in _RETRIED
        kind = Kind.PERMANENT if permanent else Kind.RETRY
        return Outcome(kind, f"HTTP {status}", reason, retry_after, is_trouble=status >= 500)

    def _answered(self, response: "urllib3.BaseHTTPResponse") -> str:
        return f"{self._host} answered {response.status} {response.reason or ''}".rstrip()

    def _not_reached(self) -> str:
        return f"{self._host} could not be reached, or gave no answer"

    def _requested(
        self, method: str, deadline: Deadline, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> "urllib3.BaseHTTPResponse":
        """Send a request, and once more if the service has just closed a kept connection. The key of a webhook makes
        that harmless.
        """
        try:
            return self._request(method, deadline, headers, body)
        except ProtocolError:
            deadline.turn()
            return self._request(method, deadline, headers, body)

    def _request(
        self, method: str, deadline: Deadline, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> "urllib3.BaseHTTPResponse":
        # Never 0, which would be an error: the first request is always made.
        timeout = max(min(self._settings.timeout_seconds, deadline.remaining()), 0.01)
        response = self._pool.request(
            method,
            self._settings.url,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(total=timeout),
            redirect=False,
            preload_content=False,
        )
        if not _is_read_to_its_end(response, min(timeout, deadline.remaining())):
            response.close()
        response.release_conn()
        return response

    def _headers(self, webhook: Webhook) -> HTTPHeaderDict:
        """Return the webhook's headers. Our own headers replace those of a client."""
        ours = {
            "Idempotency-Key": webhook.key,
            "X-Forwarded-For": webhook.source_ip,
            "X-Original-Method": webhook.method,
            "X-Original-URI": webhook.path + (f"?{webhook.query_string}" if webhook.query_string else ""),
        }
        if self._signer:
            ours |= self._signer.headers(webhook.key, webhook.body)
        replaced = {name.lower() for name in ours} | OF_THE_CONNECTION
        theirs = [
            (name, value)
            for name, value in webhook.headers.pairs()
            if (compared := plain(name)) not in replaced and (compared in self._named or not is_trusted(compared))
        ]
        # urllib3 writes Latin-1, so these are the bytes that arrived.
        return HTTPHeaderDict((name, value.encode().decode("latin-1")) for name, value in [*theirs, *ours.items()])


def _is_read_to_its_end(response: "urllib3.BaseHTTPResponse", seconds: float) -> bool:
    """Read the response to its end, and tell whether its connection can be used again.

    The result of the webhook is in the status already.
    """
    if response.status == HTTPStatus.SWITCHING_PROTOCOLS:  # to a protocol that this client does not speak
        return False
    size, end = 0, time.monotonic() + seconds
    try:
        for part in response.stream(_MAX_ANSWER + 1, decode_content=False):
            size += len(part)
            # A slow response can reset the read timeout with every chunk, so enforce a total deadline.
            if size > _MAX_ANSWER or time.monotonic() > end:
                return False
    except (Exception, TimeIsUp):  # it is cut short, does not arrive, or cannot be decoded
        return False
    return True


def _seconds(retry_after: str | None) -> float | None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3: a number of seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0)
    except (ValueError, OverflowError):
        return None


def deployed() -> HttpSink:
    """Return the sink of a deployed function."""
    settings = from_environment(HttpSettings)
    arn = settings.signing_secret_arn
    return HttpSink(settings, Signer(client("secretsmanager"), arn) if arn else None)
