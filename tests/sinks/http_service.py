"""A service that takes webhooks by HTTP, in a thread."""

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HttpService:
    """Stores each ``Idempotency-Key`` once. ``answers`` are given in place of a success, in their order; the payload
    ``poison`` is refused."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.stored: dict[str, bytes] = {}
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # cut off on its way
                    self.close_connection = True
                    return
                with service.lock:
                    status, headers = service.take(dict(self.headers.items()), body)
                self.send_response(status)
                for name, value in (headers | {"Content-Length": "2"}).items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # a client that is gone
                    self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        self.requests.append((headers, body))
        if self.answers:
            return self.answers.pop(0)
        if body == b"poison":
            return 422, {}
        self.stored.setdefault(headers["Idempotency-Key"].encode("latin-1").decode(), body)
        return 200, {}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
