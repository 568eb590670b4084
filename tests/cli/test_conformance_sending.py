"""The requests of ``scalable-webhook conformance`` reach the wire as they are written."""

import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest

from scalable_webhook_cli.conformance.case import Request
from scalable_webhook_cli.conformance.sending import Sender

OK = b"HTTP/1.1 202 Accepted\r\nX-Answer: yes\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Reads one request until its end, or so many bytes of it, and answers."""

    def __init__(self, answer: bytes = OK, *, ends: bytes = b"\r\n\r\n", most: int = 1 << 30) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/prod/"
        self.read = b""
        self._answer, self._ends, self._most = answer, ends, most
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with closing(connection):
            while self._ends not in self.read and len(self.read) < self._most:
                self.read += connection.recv(min(65536, self._most))
            connection.sendall(self._answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def close(self) -> bytes:
        self._thread.join()
        self._listening.close()
        return self.read


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_path_query_and_headers_are_sent_as_they_are_written(server: Server) -> None:
    headers = [("X-Odd", "1"), ("x-odd", "Zo\xeb"), ("Connection", "close"), ("Expect", "100-continue")]
    answer = Sender().send(server.url, Request("GET", "//a%2Fb;c=d?e=|{}&f", headers))
    head, *lines = server.close().split(b"\r\n")
    assert head == b"GET /prod//a%2Fb;c=d?e=|{}&f HTTP/1.1"
    assert lines[1:5] == [b"X-Odd: 1", b"x-odd: Zo\xeb", b"Connection: close", b"Expect: 100-continue"]
    # No header but these: neither Accept nor Accept-Encoding, Content-Type or User-Agent.
    assert [line.split(b":")[0] for line in lines if line] == [b"Host", *(name.encode() for name, _ in headers)]
    assert (answer.status, answer.headers["x-answer"], answer.text) == (202, "yes", "{}")


def test_a_post_without_a_payload_has_its_length() -> None:
    server = Server()
    Sender().send(server.url, Request())
    assert b"Content-Length: 0\r\n" in server.close()


def test_a_payload_may_be_sent_in_chunks() -> None:
    server = Server(ends=b"0\r\n\r\n")
    Sender().send(server.url, Request(headers=[("Transfer-Encoding", "chunked")], body=b"abc"))
    read = server.close()
    assert read.endswith(b"3\r\nabc\r\n0\r\n\r\n")
    assert b"Content-Length" not in read


def test_an_answer_before_the_payload_is_read_counts() -> None:
    server = Server(OK.replace(b"202 Accepted", b"413 Too Large"), ends=b"never", most=1000)
    answer = Sender().send(server.url, Request(body=b"x" * 11_000_000))
    server.close()
    assert answer.status == 413
