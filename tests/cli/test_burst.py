import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from scalable_webhook_cli import burst
from scalable_webhook_cli.burst import Request, send, uniform
from scalable_webhook_cli.errors import CliError

from ..runtime.serving import Quiet, Serving


class Server:
    """A real HTTP server that answers with its `statuses`, and keeps the requests."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.statuses: Iterator[int] = iter(())
        self.answer = b'{"id": "some-id"}'
        self.is_endless = False
        remember = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                remember.got.append((self.command, self.path, dict(self.headers.items()), body))
                self.send_response(next(remember.statuses, 202))
                self.send_header("Content-Length", str(len(remember.answer) + remember.is_endless * 10**9))
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(remember.answer)
                    while remember.is_endless:
                        time.sleep(0.01)
                        self.wfile.write(b" ")

            do_GET = do_PUT = do_POST

        self._serving = Serving(Handler)
        self.url = f"{self._serving.url}/prod/"

    def close(self) -> None:
        self._serving.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_every_request_is_sent_once_with_an_id_of_its_own(server: Server) -> None:
    answered = []
    report = send(server.url, uniform(50, body=b"payload"), concurrency=8, on_answer=lambda: answered.append(1))

    ids = [headers["Idempotency-Key"] for _, _, headers, _ in server.got]
    assert (report.sent, report.accepted, len(answered)) == (50, 50, 50)
    assert len(set(ids)) == 50
    assert {body for *_, body in server.got} == {b"payload"}
    assert report.rate > 0
    assert 0 < report.percentile(50) <= report.percentile(95) <= report.percentile(99)


def test_duplicates_repeat_the_id_of_the_one_before() -> None:
    ids = [request.headers["X-Id"] for request in uniform(1000, duplicates=10, id_header="X-Id")]
    repeated = Counter(ids).most_common(1)[0][1]
    assert 60 < 1000 - len(set(ids)) < 140
    assert repeated >= 2
    assert all(ids[n] == ids[n - 1] or ids[n] not in ids[:n] for n in range(1, 1000))


def test_rejections_are_counted_by_status_and_never_retried(server: Server) -> None:
    server.statuses = iter([202, 429, 429, 503])
    report = send(server.url, uniform(4), concurrency=1)
    assert (report.accepted, dict(report.rejected)) == (1, {429: 2, 503: 1})
    assert len(server.got) == 4
    assert len(report.failed_at) == 3
    assert [report.began, *report.failed_at] == sorted([report.began, *report.failed_at])


def test_a_request_has_its_own_method_path_headers_and_content(server: Server) -> None:
    send(server.url, [Request("PUT", "/hello?a=%26", {"X-One": "1"}, b"\x00")], concurrency=1)
    ((method, path, headers, body),) = server.got
    assert (method, path, headers["X-One"], body) == ("PUT", "/prod/hello?a=%26", "1", b"\x00")


def test_a_server_that_is_not_there_gives_no_answer() -> None:
    report = send("http://127.0.0.1:9/", uniform(2), concurrency=2)
    assert (report.accepted, dict(report.unanswered)) == (0, {"ConnectError": 2})
    assert len(report.failed_at) == 2
    assert report.percentile(50) == 0


ANSWERS = {
    "nothing": b"",
    "XML": b"<Response/>",
    "no id": b'{"message": "no id"}',
    "a list": b"[]",
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"id":' * 100_000,
    "a number of many digits": b'{"id": ' + b"9" * 10_000 + b"}",
    "no text": b'\xff\xfe\x00{"id"',
    "more than is read": b" " * 11_000_000 + b'{"id": "late"}',
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_acknowledgement_of_any_kind_is_an_acceptance(server: Server, status: int, answer: bytes) -> None:
    server.statuses, server.answer = iter([status]), b"" if status == 204 else answer
    report = send(server.url, uniform(1), concurrency=1)
    assert (report.accepted_ids, dict(report.rejected), dict(report.unanswered)) == ([""], {}, {})
    assert report.failed_at == []


def test_an_endless_answer_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burst, "_TIMEOUT", 0.5)
    server.is_endless = True
    report = send(server.url, uniform(1), concurrency=1)
    assert (report.accepted, report.unanswered.total()) == (0, 1)


@pytest.mark.parametrize("status", [301, 401, 504])
def test_any_status_but_a_success_is_a_rejection(server: Server, status: int) -> None:
    server.statuses = iter([status])
    report = send(server.url, uniform(1), concurrency=1)
    assert (report.accepted, dict(report.rejected), len(report.failed_at)) == (0, {status: 1}, 1)


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[::1", "ftp://127.0.0.1/", ""])
def test_an_invalid_url_is_reported_before_anything_is_sent(url: str) -> None:
    with pytest.raises(CliError, match=r"a webhook's URL is http://HOST/"):
        send(url, uniform(1), concurrency=1)
