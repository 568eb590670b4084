"""The promises of the HTTP sink, tested against a real service."""

import base64
import hmac
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

import pytest
import standardwebhooks
import trustme

from webhook_runtime import deadline as deadlines
from webhook_runtime.contract.settings import HttpSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.outcome import STORED, Kind, SinkDown
from webhook_runtime.sinks.http import HttpSink, Signer
from webhook_runtime.testing import webhook

from ..runtime.serving import Quiet, Serving
from .certificates import UNTRUSTED, presented
from .harnesses import HttpHarness, Secrets
from .http_service import HttpService, Request, Script, utf8
from .link import Link
from .queue_harness import Countdown, Queue
from .storing import down, down_after, kinds, store

S, P, R = Kind.STORED, Kind.PERMANENT, Kind.RETRY
# The part after the status, and whether the service then closes the connection.
BODIES_CUT_SHORT = {
    "and then nothing": ("Content-Length: 10\r\n\r\nhalf", False),
    "and then the end": ("Content-Length: 10\r\n\r\nhalf", True),
    "an odd chunk": ("Transfer-Encoding: chunked\r\n\r\nnot a size\r\n", True),
    "a chunk of less than nothing": ("Transfer-Encoding: chunked\r\n\r\n-2\r\nhalf", True),
    "two lengths": ("Content-Length: 4\r\nContent-Length: 10\r\n\r\nhalf", True),
    "half a chunk": ("Transfer-Encoding: chunked\r\n\r\n10\r\nhalf", True),
}


class Left:
    """The time that a function has left, and its clock. A test sets it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(self.seconds * 1000)

    def monotonic(self) -> float:
        return -self.seconds


@pytest.fixture
def harness() -> Iterator[HttpHarness]:
    harness = HttpHarness()
    yield harness
    harness.close()


# Longer than a busy machine takes, so that only a test with a shorter limit of its own waits for one.
USUAL_SECONDS = 20


def sink(harness: HttpHarness, *, timeout: float = USUAL_SECONDS, secrets: Any = None, **changes: Any) -> HttpSink:
    settings: dict[str, Any] = {
        "url": f"http://127.0.0.1:{harness.link.port}/in?to=x",
        "timeout_seconds": timeout,
        "signing_secret_arn": "arn" if secrets else None,
        "ca_certificates": None,
    }
    return HttpSink(HttpSettings(**settings | changes), Signer(secrets, "arn") if secrets else None)


class TestConnection:
    def test_one_connection_serves_every_post_and_opens_with_the_first(self, harness: HttpHarness) -> None:
        to = sink(harness)
        assert harness.link.attempts == 0
        for _ in range(5):
            assert kinds(to, *(webhook("x" * 1000) for _ in range(10))) == [S] * 10
        assert len(harness.service.requests) == 50
        assert harness.link.attempts == 1
        to.close()

    @pytest.mark.parametrize("status", [204, 301, 404, 422, 500])
    def test_an_answer_that_is_no_success_leaves_the_connection_usable(self, harness: HttpHarness, status: int) -> None:
        harness.service.answers = [(status, {})] * 3
        store(sink(harness), *(webhook() for _ in range(6)))
        assert harness.link.attempts == 1

    def test_a_connection_that_the_service_has_closed_meanwhile_costs_no_webhook(self, harness: HttpHarness) -> None:
        to = sink(harness)
        for _ in range(3):
            assert kinds(to, webhook(), webhook()) == [S, S]
            harness.link.drop()
        assert len(harness.service.requests) == 6

    def test_a_service_that_closes_the_connection_after_each_answer_is_served(self, harness: HttpHarness) -> None:
        harness.service.answers = [(200, {"Connection": "close"})] * 3
        assert kinds(sink(harness), webhook(), webhook(), webhook()) == [S] * 3
        assert harness.link.attempts == 3

    def test_a_connection_that_ends_before_the_answer_is_tried_once_more(self, harness: HttpHarness) -> None:
        harness.service.answers = [hang_up]
        assert kinds(sink(harness), webhook(), webhook()) == [S, S]
        first, again, other = (request.key for request in harness.service.requests)
        assert first == again != other

        harness.service.answers = [hang_up] * 4
        assert down_after(sink(harness), [R], webhook(), webhook(), webhook()).error == "ProtocolError"
        assert len(harness.service.requests) == 7

    def test_a_service_that_is_not_there_is_called_once_a_batch(self, harness: HttpHarness) -> None:
        port = harness.link.port
        harness.link.close()
        to = sink(harness, url=f"http://127.0.0.1:{port}/")
        assert down(to, webhook(), webhook()).error == "NewConnectionError"

    def test_a_service_that_never_answers_is_given_up_after_the_time_out(self, harness: HttpHarness) -> None:
        to = sink(harness, timeout=0.4)
        harness.link.hold()
        before = time.monotonic()
        assert down_after(to, [R], webhook(), webhook(), webhook()).error == "ReadTimeoutError"
        assert 0.6 < time.monotonic() - before < USUAL_SECONDS
        assert len(harness.service.requests) == 2

    def test_one_post_or_two_end_in_the_time_that_the_function_has_left(self, harness: HttpHarness) -> None:
        harness.service.answers = [lambda handler: hang_up_after(1, handler), lambda _: time.sleep(4)]
        left = Countdown(2.5)
        with pytest.raises(SinkDown):
            list(sink(harness, timeout=60).store([webhook()], Deadline(left)))
        assert left.is_kept()
        assert len(harness.service.requests) == 2

    def test_a_webhook_for_which_no_time_is_left_is_retried(self, harness: HttpHarness) -> None:
        harness.link.hold()
        for seconds in (1, 0.5, 0):
            with pytest.raises(SinkDown):
                store(sink(harness), webhook(), seconds=seconds)

    def test_a_slow_service_gets_no_webhook_that_it_would_not_finish_in_time(
        self, harness: HttpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only a response advances the clock."""
        remaining = Left(1.7)
        monkeypatch.setattr(deadlines, "time", remaining)
        monkeypatch.setattr(deadlines, "_ended_after", nullcontext)

        def answer(handler: BaseHTTPRequestHandler) -> None:
            remaining.seconds -= 0.2
            answer_after(0, handler)

        harness.service.answers = [answer] * 20
        done: list[Kind] = []

        with pytest.raises(SinkDown) as stopped:
            done.extend(
                outcome.kind for outcome in sink(harness).store([webhook() for _ in range(20)], Deadline(remaining))
            )
        assert stopped.value.error == "OutOfTime"
        assert stopped.value.retry_after == 0
        assert remaining.seconds > 0.3
        assert len(harness.service.requests) < 8

    @pytest.mark.parametrize("status", [200, 500])
    def test_an_answer_without_end_is_not_read_to_its_end(self, harness: HttpHarness, status: int) -> None:
        harness.service.answers = [lambda handler: pour(handler, status)]
        to = sink(harness)
        before = time.monotonic()
        assert kinds(to, webhook(), webhook()) == [S if status == 200 else R, S]
        assert time.monotonic() - before < USUAL_SECONDS
        assert harness.link.attempts == 2

    def test_the_rest_of_an_answer_that_comes_piece_by_piece_is_not_awaited(self, harness: HttpHarness) -> None:
        ended = threading.Event()

        def drip(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(100):
                handler.wfile.write(b"1\r\nx\r\n")
                time.sleep(0.1)
            ended.set()

        harness.service.answers = [drip]
        assert kinds(sink(harness, timeout=1), webhook(), webhook()) == [S, S]
        assert not ended.is_set()

    @pytest.mark.parametrize("body", BODIES_CUT_SHORT, ids=list(BODIES_CUT_SHORT))
    @pytest.mark.parametrize(("status", "kind"), [(200, S), (422, P), (500, R)])
    def test_an_answer_with_a_cut_body_counts_and_its_connection_is_not_used_again(
        self, harness: HttpHarness, status: int, kind: Kind, body: str
    ) -> None:
        head, closes = BODIES_CUT_SHORT[body]
        harness.service.answers = [lambda handler: say(handler, f"HTTP/1.1 {status} X\r\n{head}", closes=closes)]
        before = time.monotonic()
        assert kinds(sink(harness, timeout=1), webhook(), webhook()) == [kind, S]
        assert time.monotonic() - before < USUAL_SECONDS
        assert len(harness.service.requests) == 2
        assert harness.link.attempts == 2

    @pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints", "199 Odd"])
    @pytest.mark.parametrize("times", [1, 3])
    def test_an_informational_response_is_not_the_response(
        self, harness: HttpHarness, interim: str, times: int
    ) -> None:
        said = f"HTTP/1.1 {interim}\r\nLink: </a>\r\n\r\n" * times

        def answer(status: int) -> Script:
            def script(handler: BaseHTTPRequestHandler) -> None:
                say(handler, said)
                time.sleep(0.05)
                say(handler, f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")

            return script

        statuses = [200, 422, 200, 500, 201, 404]
        harness.service.answers = [answer(status) for status in statuses]
        assert kinds(sink(harness), *(webhook() for _ in statuses)) == [S, P, S, R, S, P]
        assert len(harness.service.requests) == len(statuses)
        assert harness.link.attempts == 1

    def test_a_service_that_sends_informational_responses_without_end_is_given_up(self, harness: HttpHarness) -> None:
        harness.service.answers = [lambda handler: say(handler, "HTTP/1.1 102 Processing\r\n\r\n" * 5000)] * 4
        assert down_after(sink(harness), [R], webhook(), webhook()).error == "ProtocolError"

    def test_an_answer_without_a_request_ends_the_connection(self, harness: HttpHarness) -> None:
        switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nHTTP/1.1 422 X\r\nContent-Length: 0\r\n\r\n"
        harness.service.answers = [lambda handler: say(handler, switch)]
        assert kinds(sink(harness), webhook(), webhook()) == [R, S]
        assert harness.link.attempts == 2

    def test_a_misdirected_request_is_sent_once_more_over_a_new_connection(self, harness: HttpHarness) -> None:
        to = sink(harness)
        assert kinds(to, webhook()) == [S]
        harness.service.answers = [(421, {})]
        assert kinds(to, webhook(), webhook()) == [S, S]
        assert harness.link.attempts == 2
        harness.service.answers = [(421, {})] * 2
        assert kinds(to, webhook(), webhook()) == [R, S]
        assert len(harness.service.requests) == 7

    @pytest.mark.parametrize("head", ["X: y\r\n" * 150, f"X: {'y' * 70_000}\r\n"], ids=["many", "long"])
    @pytest.mark.parametrize(("status", "kind"), [(200, S), (422, P)])
    def test_an_answer_with_more_headers_than_are_read_counts(
        self, harness: HttpHarness, status: int, kind: Kind, head: str
    ) -> None:
        harness.service.answers = [
            lambda handler: say(handler, f"HTTP/1.1 {status} X\r\n{head}Content-Length: 0\r\n\r\n")
        ]
        assert kinds(sink(harness), webhook(), webhook()) == [kind, S]
        assert len(harness.service.requests) == 2
        assert harness.link.attempts == 2

    @pytest.mark.parametrize("nonsense", ["HTTP/3 200 X\r\n\r\n", "200 OK\r\n\r\n", "\r\n", "HTTP/1.1 abc X\r\n\r\n"])
    def test_a_response_that_is_no_http_is_no_answer(self, harness: HttpHarness, nonsense: str) -> None:
        harness.service.answers = [lambda handler: say(handler, nonsense, closes=True)] * 4
        assert down_after(sink(harness), [R], webhook(), webhook()).error == "ProtocolError"


@contextmanager
def impatient(context: ssl.SSLContext, answer: bytes) -> Iterator[int]:
    """Run a TLS service that reads at most 20,000 bytes of a payload."""

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            if int(self.headers["Content-Length"]) > 20_000:
                self.wfile.write(answer)
                self.close_connection = True
                return
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with closing(Serving(Handler, context)) as server:
        yield server.port


class TestRequest:
    def test_the_service_gets_all_of_the_webhook(self, harness: HttpHarness) -> None:
        one = webhook(
            b"\x00\xff",
            id="order-7",
            mount="/orders",
            method="PUT",
            path="/orders/Zoë",
            query=[("a", "1"), ("b", "&=é")],
            headers={"X-Shop": "north", "Content-Type": "text/plain", "Authorization": "Bearer x"},
        )
        assert store(sink(harness), one) == [STORED]
        (request,) = harness.service.requests
        assert (request.method, request.target, request.body) == ("POST", "/in?to=x", b"\x00\xff")
        assert request.key == "/orders#order-7"
        headers = request.headers
        assert headers["X-Original-Method"] == "PUT"
        assert utf8(headers["X-Original-URI"]) == "/orders/Zoë?a=1&b=%26%3D%C3%A9"
        assert (headers["X-Shop"], headers["Content-Type"], headers["Authorization"]) == (
            "north",
            "text/plain",
            "Bearer x",
        )
        assert headers.get_all("Host") == [f"127.0.0.1:{harness.link.port}"]
        assert headers.get_all("Content-Length") == ["2"]

    def test_a_missing_content_type_is_not_added(self, harness: HttpHarness) -> None:
        store(sink(harness), webhook("a=b"), webhook())
        assert [request.headers["Content-Type"] for request in harness.service.requests] == [None, None]

    def test_the_idempotency_key_is_the_same_each_time(self, harness: HttpHarness) -> None:
        harness.service.answers = [(500, {}), (503, {}), hang_up, hang_up, (408, {})]
        queue, one = Queue(max_receive_count=10), webhook("once")
        queue.send(one)
        queue.drain(queue.consumer(sink(harness)))
        assert [request.key for request in harness.service.requests] == [one.key] * 6
        assert harness.service.stored == {one.key: b"once"}

    @pytest.mark.parametrize("separator", ["-", "_"])
    def test_a_client_cannot_set_our_headers(self, harness: HttpHarness, separator: str) -> None:
        """Many servers treat a hyphen and an underscore as equal, like CGI and its successors."""
        ours = ["Idempotency-Key", "X-Forwarded-For", "X-Original-Method", "X-Original-URI"]
        ours += ["webhook-id", "webhook-timestamp", "webhook-signature"]
        spoofed = {each.replace("-", separator): "spoofed" for each in ours}
        one = webhook(headers=spoofed | {"X-Other": "theirs"})
        store(sink(harness, secrets=Secrets("c2VjcmV0")), one)
        (request,) = harness.service.requests
        assert "spoofed" not in str(request.headers.items())
        assert all(len(request.headers.get_all(each) or []) == 1 for each in ours)
        assert request.headers["X-Other"] == "theirs"
        assert request.key == one.key

    def test_a_signature_of_the_client_is_forwarded_if_the_sink_does_not_sign(self, harness: HttpHarness) -> None:
        store(sink(harness), webhook(headers={"webhook-id": "theirs", "webhook-signature": "v1,theirs"}))
        (request,) = harness.service.requests
        assert (request.headers["webhook-id"], request.headers["webhook-signature"]) == ("theirs", "v1,theirs")

    def test_headers_of_the_connection_are_not_forwarded(self, harness: HttpHarness) -> None:
        names = ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE"]
        names += ["Trailer", "Upgrade", "Transfer-Encoding", "Expect", "Host", "Content-Length", "HTTP2-Settings"]
        names += ["Early-Data", "HTTP2_Settings", "Transfer_Encoding", "content_length"]
        assert kinds(sink(harness), webhook("body", headers=dict.fromkeys(names, "theirs")), webhook()) == [S, S]
        request = harness.service.requests[0]
        assert "theirs" not in str(request.headers.items())
        assert request.body == b"body"
        assert harness.link.attempts == 1

    @pytest.mark.parametrize("separator", ["-", "_"])
    def test_trusted_headers_are_forwarded_only_if_they_are_named(self, harness: HttpHarness, separator: str) -> None:
        names = ["Proxy", "X-Original-URL", "X-Rewrite-URL", "X-Remote-User", "X-HTTP-Method-Override", "Forwarded"]
        names += ["X-Forwarded-Host", "X-Forwarded-Client-Cert", "X-Real-IP", "Remote-User", "SSL-Client-Verify"]
        names += ["X-Amzn-Oidc-Identity", "X-MS-CLIENT-PRINCIPAL-NAME", "Client-Cert", "X-Auth-Request-User"]
        headers = {name.replace("-", separator): "theirs" for name in names}
        store(sink(harness), webhook(headers=headers, source_ip="203.0.113.9"))
        store(sink(harness, forward_headers=["X-Forwarded-Host", "x-remote-user"]), webhook(headers=headers))
        without, named = (request.headers for request in harness.service.requests)
        assert "theirs" not in str(without.items())
        assert without["X-Forwarded-For"] == "203.0.113.9"
        handed_on = {name.lower().replace("_", "-") for name, value in named.items() if value == "theirs"}
        assert handed_on == {"x-forwarded-host", "x-remote-user"}

    def test_provider_signatures_are_forwarded_for_the_service_to_check(self, harness: HttpHarness) -> None:
        names = ["Authorization", "Cookie", "X-GitHub-Event", "X-Hub-Signature-256", "User-Agent", "X-Amzn-Trace-Id"]
        store(sink(harness), webhook(headers=dict.fromkeys(names, "theirs")))
        (request,) = harness.service.requests
        assert [request.headers[name] for name in names] == ["theirs"] * len(names)

    def test_a_header_that_was_repeated_is_repeated(self, harness: HttpHarness) -> None:
        store(sink(harness), webhook(headers=[("X-A", "1"), ("x-b", "only"), ("X-A", "2, 3"), ("X-A", "")]))
        (request,) = harness.service.requests
        assert request.headers.get_all("X-A") == ["1", "2, 3", ""]
        assert request.headers.get_all("X-B") == ["only"]

    def test_a_value_beyond_ascii_arrives_as_the_same_bytes(self, harness: HttpHarness) -> None:
        store(sink(harness), webhook(id="Zoë-😀", headers={"X-Name": "Zoë 😀"}))
        (request,) = harness.service.requests
        assert request.headers["X-Name"].encode("latin-1") == "Zoë 😀".encode()
        assert request.key == "/#Zoë-😀"

    @pytest.mark.parametrize(
        "bad",
        [
            {"headers": {"X-A": "a\r\nX-Evil: 1"}},
            {"headers": {"X-A": "a\nb"}},
            {"headers": {"X-A": "a\r\n folded"}},
            {"headers": {"X:Evil": "1"}},
            {"headers": {"X Evil": "1"}},
            {"headers": {"Zoë": "1"}},
            {"headers": {"": "1"}},
            {"id": "a\r\nX-Evil: 1"},
            {"path": "/\n"},
        ],
        ids=str,
    )
    def test_a_value_that_no_header_can_hold_fails_alone_and_is_not_sent(
        self, harness: HttpHarness, bad: dict[str, Any]
    ) -> None:
        outcomes = store(sink(harness), webhook(), webhook(**bad), webhook())
        assert [outcome.kind for outcome in outcomes] == [S, P, S]
        assert "Evil" not in outcomes[1].reason
        assert not any(request.headers["X-Evil"] for request in harness.service.requests)
        assert len(harness.service.requests) == 2


class TestAnswer:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 226])
    def test_a_success_is_stored(self, harness: HttpHarness, status: int) -> None:
        harness.service.answers = [(status, {})]
        assert store(sink(harness), webhook(), webhook()) == [STORED, STORED]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 415, 422, 451])
    def test_a_webhook_that_the_service_rejects_fails_alone_and_for_good(
        self, harness: HttpHarness, status: int
    ) -> None:
        harness.service.answers = [(200, {}), (status, {})]
        outcomes = store(sink(harness), webhook(), webhook(), webhook())
        assert [outcome.kind for outcome in outcomes] == [S, P, S]
        assert outcomes[1].error == f"HTTP {status}"
        assert outcomes[1].reason.startswith(f"127.0.0.1:{harness.link.port} answered {status}")

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 408, 409, 425, 500, 501, 502, 504, 599])
    def test_a_webhook_with_a_temporary_error_is_retried_alone(self, harness: HttpHarness, status: int) -> None:
        elsewhere = {"Location": f"http://127.0.0.1:{harness.link.port}/elsewhere"}
        harness.service.answers = [(200, {}), (status, elsewhere)]
        outcomes = store(sink(harness), webhook(), webhook(), webhook())
        assert [outcome.kind for outcome in outcomes] == [S, R, S]
        assert outcomes[1].error == f"HTTP {status}"
        assert outcomes[1].retry_after is None
        assert [request.target for request in harness.service.requests] == ["/in?to=x"] * 3

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_busy_service_gets_no_further_webhook_of_the_batch(self, harness: HttpHarness, status: int) -> None:
        harness.service.answers = [(200, {}), (status, {"Retry-After": "120"}), (status, {"Retry-After": "120"})]
        queue, webhooks = Queue(), [webhook(str(n)) for n in range(5)]
        queue.send(*webhooks)
        failed = queue.deliver(queue.consumer(sink(harness)).handle)
        assert failed == [each.message_id for each in webhooks[1:]]
        assert len(harness.service.requests) == 3
        assert queue.delays == [120] * 4

    @pytest.mark.parametrize("trouble", [(429, {}), (503, {}), "hangs up", "never answers"])
    def test_one_webhook_that_fails_costs_the_others_no_try(self, harness: HttpHarness, trouble: Any) -> None:
        answers = {"hangs up": hang_up, "never answers": lambda _: time.sleep(3)}
        answer = answers[trouble] if isinstance(trouble, str) else trouble
        real = harness.service.take

        def take(request: Request) -> Any:
            return answer if request.body == b"bad" else real(request)

        harness.service.take = take  # type: ignore[method-assign]
        to, others = sink(harness, timeout=0.8), [webhook(str(n)) for n in range(4)]
        bad = webhook("bad")
        # At any place in a batch and after any number of retries, also as the last of a batch and the first of the
        # next.
        first, *rest = others
        for batch in ([bad, *others], [first, bad, *rest], [*others, bad], [bad, *others], [bad], [bad, first]):
            assert kinds(to, *batch) == [R if each is bad else S for each in batch]

    def test_a_service_that_is_down_is_called_twice_a_batch(self, harness: HttpHarness) -> None:
        to = sink(harness)
        harness.service.answers = [(503, {})] * 6
        for _ in range(3):
            assert down_after(to, [R], webhook(), webhook(), webhook()).error == "HTTP 503"
        assert kinds(to, webhook(), webhook()) == [S, S]
        assert len(harness.service.requests) == 8

    def test_two_webhooks_that_fail_cost_a_later_batch_no_try(self, harness: HttpHarness) -> None:
        to = sink(harness)
        harness.service.answers = [(503, {})] * 3
        assert down_after(to, [R], webhook("bad"), webhook("bad"), webhook()).error == "HTTP 503"
        assert kinds(to, webhook("bad"), webhook(), webhook()) == [R, S, S]

    def test_a_webhook_without_an_answer_leaves_time_for_the_others(self, harness: HttpHarness) -> None:
        harness.service.answers = [(200, {}), lambda _: time.sleep(2), (200, {}), lambda _: time.sleep(2)]
        outcomes = sink(harness, timeout=1).store([webhook(str(n)) for n in range(6)], Deadline(Countdown(4)))
        assert [each.kind for each in outcomes] == [S, R, S, R, S, S]

    @pytest.mark.parametrize("answer", ["HTTP/1.1 413 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", ""])
    @pytest.mark.parametrize("size", [30_000, 4_000_000])
    def test_a_service_that_closes_on_large_payloads_serves_the_others_over_tls_too(
        self, tmp_path: Path, answer: str, size: int
    ) -> None:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        with impatient(context, answer.encode()) as port:
            settings = HttpSettings(f"https://localhost:{port}/", 5, None, str(tmp_path / "ca.pem"))
            outcomes = store(HttpSink(settings, None), webhook("a"), webhook("x" * size), webhook("b"))
        assert [outcome.kind for outcome in outcomes] == [S, P if answer else R, S]

    @pytest.mark.parametrize("status", [429, 503, 500, 302])
    @pytest.mark.parametrize(
        ("said", "seconds"),
        [
            ("120", (120, 120)),
            ("0", (0, 0)),
            (" 7 ", (7, 7)),
            ("9" * 400, (39_600, None)),
            (timedelta(seconds=90), (85, 90)),
            (timedelta(days=-1), (0, 0)),
            ("tomorrow", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
            ("Wed, 99 Foo 2026 99:99:99 GMT", None),
            ("Wed, 01 Jan 9999999999 00:00:00 GMT", None),
            (None, None),
        ],
        ids=str,
    )
    def test_the_retry_after_of_the_service_is_used(
        self,
        harness: HttpHarness,
        status: int,
        said: str | timedelta | None,
        seconds: tuple[float, float | None] | None,
    ) -> None:
        if isinstance(said, timedelta):
            said = format_datetime(datetime.now(UTC) + said, usegmt=True)
        harness.service.answers = [(status, {} if said is None else {"Retry-After": said})]
        try:
            retry_after = store(sink(harness), webhook())[0].retry_after
        except SinkDown as error:
            retry_after = error.retry_after
        if seconds is None:
            assert retry_after is None
        else:
            assert retry_after is not None
            assert seconds[0] <= retry_after
            assert seconds[1] is None or retry_after <= seconds[1]


class TestSigning:
    KEY = b"0123456789abcdef0123456789"
    TEXT = base64.b64encode(KEY).decode()

    @pytest.mark.parametrize("secret", [f"whsec_{TEXT}", TEXT, f" {TEXT}\n", f"whsec_{TEXT.rstrip('=')}"])
    def test_requests_verify_with_standard_webhooks_own_library(self, harness: HttpHarness, secret: str) -> None:
        assert self.TEXT.endswith("=")
        secrets = Secrets(secret)
        webhooks = [webhook(json={"n": n, "name": "Zoë"}) for n in range(3)]
        harness.service.answers = [(200, {}), hang_up]
        assert store(sink(harness, secrets=secrets), *webhooks) == [STORED] * 3
        assert len(harness.service.requests) == 4
        for request in harness.service.requests:
            standardwebhooks.Webhook(f"whsec_{self.TEXT}").verify(request.body, dict(request.headers.items()))
            assert request.headers["webhook-id"] == request.key
        assert secrets.asked == 1
        body, headers = request.body + b" ", dict(request.headers.items())
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(f"whsec_{self.TEXT}").verify(body, headers)

    @pytest.mark.parametrize("id", ["evt.1", "evt.1700000000.{}", "evt%2E1", "%", "."])
    def test_a_signed_text_is_read_in_one_way(self, harness: HttpHarness, id: str) -> None:
        """A dot ends the id in the signed text, so the id has none, and is still unique to the webhook."""
        store(sink(harness, secrets=Secrets(self.TEXT)), one := webhook("{}", id=id, mount="/v1.2"))
        (request,) = harness.service.requests
        standardwebhooks.Webhook(f"whsec_{self.TEXT}").verify(request.body, dict(request.headers.items()))
        assert "." not in request.headers["webhook-id"]
        assert unquote(request.headers["webhook-id"]) == request.key == one.key

    def test_a_secret_that_is_rotated_is_read_again_after_a_while(
        self, harness: HttpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now)
        secrets = Secrets(*(base64.b64encode(key).decode() for key in (b"old", b"new")))
        to = sink(harness, secrets=secrets)

        def is_signed_with(key: bytes) -> bool:
            assert kinds(to, webhook("x")) == [S]
            headers = harness.service.requests[-1].headers
            content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.x".encode()
            mac = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
            return bool(headers["webhook-signature"] == f"v1,{mac}")

        assert is_signed_with(b"old")
        now += 200
        assert is_signed_with(b"old")
        now += 101
        secrets.is_down = True
        assert is_signed_with(b"old")
        now += 301
        secrets.is_down = False
        assert is_signed_with(b"new")

    @pytest.mark.parametrize("secret", ["s3cr3t!", "whsec_", "", "whsec_s3cr3t!", "s3cr3"])
    def test_with_an_invalid_secret_nothing_is_sent_and_it_is_not_shown(
        self, harness: HttpHarness, secret: str
    ) -> None:
        fault = down(sink(harness, secrets=Secrets(secret)), webhook(), webhook())
        assert fault.error == "BadSecret"
        assert "s3cr3" not in fault.reason
        assert harness.link.attempts == 0

    def test_while_the_secret_cannot_be_read_nothing_is_sent(self, harness: HttpHarness) -> None:
        secrets = Secrets(self.TEXT)
        secrets.is_down = True
        to = sink(harness, secrets=secrets)
        fault = down(to, webhook())
        assert fault.error == "TimeoutError"
        assert fault.reason == "the signing secret could not be read from arn: TimeoutError"
        assert harness.link.attempts == 0
        secrets.is_down = False
        assert kinds(to, webhook()) == [S]


@pytest.mark.parametrize(("url", "calls"), [("http://localhost/", 0), ("https://localhost/", 1), ("HTTP://h", 0)])
def test_only_a_service_behind_tls_has_certificate_authorities_loaded(url: str, calls: int) -> None:
    with patch("webhook_runtime.sinks.http.tls_context") as load:
        HttpSink(HttpSettings(url, 5), None)
    assert load.call_count == calls


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def trusted(self, authority: trustme.CA, tmp_path: Path) -> str:
        file = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(file))
        return str(file)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_certificate_and_host_name_are_verified(self, authority: trustme.CA, trusted: str, host: str) -> None:
        with https(authority.issue_cert(host)) as harness:
            to = sink(harness, url=f"https://{host}:{harness.link.port}/", ca_certificates=trusted)
            assert kinds(to, webhook(), webhook()) == [S, S]
            assert harness.link.attempts == 1

    @pytest.mark.parametrize("case", [*UNTRUSTED, "no TLS"])
    def test_a_service_that_cannot_be_verified_is_sent_nothing(
        self, authority: trustme.CA, trusted: str, case: str
    ) -> None:
        certificate, ca_certificates = presented(case, authority, trusted)
        with https(None if case == "no TLS" else certificate) as harness:
            to = sink(harness, url=f"https://localhost:{harness.link.port}/", ca_certificates=ca_certificates)
            queue = Queue()
            queue.send(webhook(), webhook())
            assert down(to, webhook()).error == "SSLError"
            assert len(queue.deliver(queue.consumer(to).handle)) == 2
            assert harness.service.requests == []
            assert queue.dead_letters == []
            assert harness.link.attempts == 2


@contextmanager
def https(certificate: trustme.LeafCert | None) -> Iterator[HttpHarness]:
    """Run a TLS service with this certificate, or one without TLS."""
    harness = HttpHarness()
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        harness.close()
        harness.service = HttpService(context)
        harness.link = Link(harness.service.port)
    try:
        yield harness
    finally:
        harness.close()


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def hang_up_after(seconds: float, handler: BaseHTTPRequestHandler) -> None:
    time.sleep(seconds)
    hang_up(handler)


def answer_after(seconds: float, handler: BaseHTTPRequestHandler) -> None:
    time.sleep(seconds)
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def pour(handler: BaseHTTPRequestHandler, status: int) -> None:
    handler.wfile.write(f"HTTP/1.1 {status} Never\r\nContent-Type: text/plain\r\n\r\n".encode())
    while True:
        handler.wfile.write(b"x" * 65536)


def say(handler: BaseHTTPRequestHandler, text: str, *, closes: bool = False) -> None:
    handler.wfile.write(text.encode())
    handler.close_connection = closes
