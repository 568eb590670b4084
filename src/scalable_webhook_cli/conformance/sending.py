"""Send a request exactly as it is written: clients for applications add headers, and fix paths."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from scalable_webhook_cli.conformance.case import Request

_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """The answer to a request. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Sender:
    """Sends requests. A connection is used once, so that a broken one concerns its request alone."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext = httpx.create_ssl_context()

    def send(self, url: str, request: Request) -> Answer:
        """Send a request to a URL, to which its path is appended."""
        parts = urlsplit(url)
        target = parts.path.rstrip("/") + request.path
        with closing(self._connection(parts.scheme, parts.netloc)) as connection:
            connection.putrequest(request.method, target or "/", skip_accept_encoding=True)
            chunked = any(name.lower() == "transfer-encoding" for name, _ in request.headers)
            for name, value in request.headers:
                connection.putheader(name, value.encode("latin-1"))
            if not chunked and (request.body or request.method not in ("GET", "HEAD", "OPTIONS", "DELETE")):
                connection.putheader("Content-Length", str(len(request.body)))
            # A payload that is too large is answered before it is read.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(
                    _chunks(request.body) if chunked else request.body or None, encode_chunked=chunked
                )
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())

    def _connection(self, scheme: str, host: str) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, timeout=_SECONDS)
        return http.client.HTTPSConnection(host, timeout=_SECONDS, context=self._tls)


def _chunks(body: bytes) -> Iterator[bytes]:
    if body:
        yield body
