"""A service that takes webhooks by HTTP, in a thread."""

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler

from ..runtime.serving import Quiet, Serving

Script = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Request:
    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def key(self) -> str:
        return utf8(self.headers["Idempotency-Key"])


class HttpService:
    """Stores each ``Idempotency-Key`` once.

    ``answers`` are used in place of success, in their order: a status with headers, or a function of the connection.
    The payload ``poison`` is rejected. With ``informs``, it sends 102 and 103 before each response. ``heads`` is the
    status of each HEAD request.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, informs: bool = False, heads: int = 200) -> None:
        self.requests: list[Request] = []
        self.stored: dict[str, bytes] = {}
        self.answers: list[tuple[int, dict[str, str]] | Script] = []
        self.lock = threading.Lock()
        service = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # cut off on its way
                    self.close_connection = True
                    return
                with service.lock:
                    answer = service.take(Request(self.command, self.path, self.headers, body))
                with suppress(OSError):  # a client that is gone
                    if isinstance(answer, tuple):
                        self._answer(*answer)
                    else:
                        answer(self)

            def do_HEAD(self) -> None:
                self.send_response(heads)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _answer(self, status: int, headers: dict[str, str]) -> None:
                for early in (102, 103, 103) if informs else ():
                    self.send_response_only(early)
                    self.end_headers()
                    self.wfile.flush()
                self.send_response(status)
                content = b"" if status == 204 else b"ok"
                length = {} if status == 204 else {"Content-Length": "2"}
                for name, value in (headers | length).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        self._server = Serving(Handler, tls)
        self.port = self._server.port

    def take(self, request: Request) -> tuple[int, dict[str, str]] | Script:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        if request.body == b"poison":
            return 422, {}
        self.stored.setdefault(request.key, request.body)
        return 200, {}

    def close(self) -> None:
        self._server.close()


def utf8(value: str) -> str:
    """Decode a header's value, whose bytes Python reads as Latin-1."""
    return value.encode("latin-1").decode()
