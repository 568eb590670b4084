"""Attacks by headers of a client and by responses of a service on an HTTP sink.

Each webhook is one request with the right headers, and no response raises an exception.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest

from webhook_runtime.contract.settings import HttpSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Kind, Outcome, SinkDown
from webhook_runtime.sinks.http import HttpSink
from webhook_runtime.testing import webhook

from ..runtime.doubles import Invocation
from ..sinks.harnesses import HttpHarness
from ..sinks.storing import store
from ..suite.attacks import Attempts
from .probes import ALL

TEXTS = [text for text in ALL if "\ud800" not in text]
PLACES: dict[str, Callable[[str], Webhook]] = {
    "the id": lambda text: webhook("x", id=text),
    "a header": lambda text: webhook("x", headers={"X-Other": text}),
    "the name of a header": lambda text: webhook("x", headers={text: "x"}),
    "the content type": lambda text: webhook("x", headers={"Content-Type": text}),
    "the path": lambda text: webhook("x", path=text),
    "the query": lambda text: webhook("x", query=[("a", text)]),
    "the method": lambda text: webhook("x", method=text),
}
# Headers that could add a second request, another length or another service.
SMUGGLED = [
    [("Content-Length", "0")],
    [("Content-Length", "5"), ("Content-Length", "0")],
    [("Transfer-Encoding", "chunked")],
    [("Transfer_Encoding", "chunked"), ("Content_Length", "1")],
    [("transfer-encoding", "identity, chunked"), ("TE", "trailers")],
    [("Host", "evil.example"), ("host", "evil.example")],
    [("Connection", "close, Idempotency-Key"), ("Keep-Alive", "timeout=0")],
    [("Connection", "upgrade"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")],
    [("Expect", "100-continue")],
    [("Trailer", "Idempotency-Key")],
    [("Idempotency_Key", "forged"), ("IDEMPOTENCY-KEY", "forged")],
    [("X_Original_Method", "forged"), ("x-original-uri", "forged"), ("X_Forwarded_For", "127.0.0.1")],
    [("Proxy", "http://evil.example"), ("Proxy-Authorization", "Basic x"), ("Proxy-Connection", "x")],
    [("X-Rewrite-URL", "/admin"), ("X-Original-URL", "/admin"), ("X-HTTP-Method-Override", "DELETE")],
    [("X-Remote-User", "root"), ("Remote_User", "root"), ("X-Auth-Request-Email", "root@example.com")],
    [("Forwarded", "for=127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("X-Forwarded-Host", "evil.example")],
    [("X-SSL-Client-Verify", "SUCCESS"), ("SSL_CLIENT_S_DN", "CN=root"), ("Client-Cert", ":x:")],
    [("Early-Data", "1"), ("Alt-Used", "evil.example")],
]
# The names above that may reach the service, with our own values.
OURS = {"host", "content-length", "idempotency-key", "x-original-method", "x-original-uri", "x-forwarded-for"}
ANSWERS = {
    "a redirection to the metadata of an instance": b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n",
    "a redirection to a file": b"HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\n",
    "a wait of many digits": b"HTTP/1.1 503 Busy\r\nRetry-After: " + b"9" * 500 + b"\r\n",
    "a wait of no number": b"HTTP/1.1 429 Busy\r\nRetry-After: nan\r\n",
    "a wait below nothing": b"HTTP/1.1 429 Busy\r\nRetry-After: -5\r\n",
    "a wait to the year 1": b"HTTP/1.1 503 Busy\r\nRetry-After: Mon, 01 Jan 0001 00:00:00 GMT\r\n",
    "a wait to a year that is none": b"HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 99999 23:59:59 GMT\r\n",
    "1,000 interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 999 + b"HTTP/1.1 200 OK\r\n",
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
    "500 headers": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: x\r\n" % number for number in range(500)),
    "a header of 100 KB": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n",
    "a length below nothing": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
    "a length of many digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 400 + b"\r\n",
    "a status of 999": b"HTTP/1.1 999 Odd\r\n",
    "a status of 000": b"HTTP/1.1 000 Odd\r\n",
    "a status of many digits": b"HTTP/1.1 20000000000000000000 OK\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "another version": b"HTTP/9.9 200 OK\r\n",
    "a compressed bomb": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    "a change of protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n",
    "bytes": bytes(range(256)) * 10,
    "a reason that is a log line": b'HTTP/1.1 400 \x1b[2J"},"message":"stored","x":"\r\n',
}


@pytest.fixture
def harness() -> Iterator[HttpHarness]:
    harness = HttpHarness()
    yield harness
    harness.close()


def is_held(sent: Webhook, harness: HttpHarness) -> bool:
    """Tell whether the service got it as one request, or it went to the dead-letter queue."""
    harness.service.requests.clear()
    (outcome,) = store(harness.sink(), sent, seconds=5)
    if outcome.kind is Kind.PERMANENT:
        return harness.service.requests == []
    (request,) = harness.service.requests
    headers = {name.lower().replace("_", "-") for name in request.headers}
    once = all(len(request.headers.get_all(name) or []) == 1 for name in OURS)
    return (
        outcome == STORED
        and (request.method, request.target, request.body) == ("POST", "/in", sent.body)
        and once
        and "x-injected" not in headers
    )


@pytest.mark.parametrize("place", PLACES)
def test_text_of_a_client_is_no_second_header_and_no_second_request(
    place: str, harness: HttpHarness, attempts: Attempts
) -> None:
    attempts("headers of Sink.http", len(TEXTS), [text for text in TEXTS if not is_held(PLACES[place](text), harness)])


def test_no_header_of_a_client_is_for_another_hop_or_trusted(harness: HttpHarness, attempts: Attempts) -> None:
    through = []
    for pairs in SMUGGLED:
        if not is_held(webhook("x" * 9, headers=pairs, source_ip="203.0.113.7"), harness):
            through.append(str(pairs))
            continue
        (request,) = harness.service.requests
        theirs = {name.lower().replace("_", "-") for name, _ in pairs} - OURS
        seen = {name.lower().replace("_", "-"): value for name, value in request.headers.items()}
        if (
            theirs & seen.keys()
            or "forged" in str(seen)
            or "evil" in str(seen)
            or seen["x-forwarded-for"] != "203.0.113.7"
        ):
            through.append(str(pairs))
    attempts("headers of Sink.http", len(SMUGGLED), through)


class Raw:
    """A service that sends these bytes to any request, and closes the connection."""

    def __init__(self, answer: bytes) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._is_open = True
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while self._is_open:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(5)
                read = BytesIO()
                while b"\r\n\r\nx" not in read.getvalue():
                    if not (part := connection.recv(65536)):
                        break
                    read.write(part)
                if read.getvalue():  # not from close()
                    self.requests.append(read.getvalue())
                with suppress(OSError):
                    connection.sendall(self._answer + b"\r\n")

    def close(self) -> None:
        # Without a connection, accept() waits on, even if its socket is closed.
        self._is_open = False
        socket.create_connection(("127.0.0.1", self.port), 5).close()
        self._thread.join(5)
        self._socket.close()


def answered(answer: bytes) -> tuple[list[Outcome] | SinkDown, int]:
    """Return the outcome of a webhook after such a response, and the number of requests."""
    service = Raw(answer)
    sink = HttpSink(HttpSettings(f"http://127.0.0.1:{service.port}/in", 2, None, None), None)
    try:
        outcome: Any = list(sink.store([webhook("x")], Deadline(Invocation(20))))
    except SinkDown as down:
        outcome = down
    finally:
        sink.close()
        service.close()
    return outcome, len(service.requests)


def test_any_answer_of_a_service_is_an_outcome(attempts: Attempts) -> None:
    through = []
    for what, answer in ANSWERS.items():
        outcome, requests = answered(answer)
        waits = outcome.retry_after if isinstance(outcome, SinkDown) else outcome[0].retry_after
        if requests > 2 or (waits is not None and waits < 0):
            through.append(what)
    attempts("answers to Sink.http", len(ANSWERS), through)
