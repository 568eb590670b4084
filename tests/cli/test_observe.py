from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from scalable_webhook_cli.gateway.access_log import fill
from scalable_webhook_cli.gateway.rest_api import Method, RestApi, TokenBucket, client
from scalable_webhook_cli.observe import peak, sampled, steps, wait_for


def batch(started: int, ended: int) -> dict[str, object]:
    return {"message": "batch", "started": started, "ended": ended}


def test_the_peak_is_the_most_batches_at_the_same_time() -> None:
    assert peak([]) == 0
    assert peak([batch(0, 10), batch(10, 20)]) == 1
    assert peak([batch(0, 10), batch(5, 20), batch(8, 9), batch(30, 40)]) == 3
    assert peak([{"message": "stored", "id": "a"}, batch(0, 1)]) == 1


def test_steps_say_how_many_are_under_way_from_each_moment_at_which_that_changes() -> None:
    assert steps([]) == []
    assert steps([(0, 10), (5, 20), (10, 12)]) == [(0, 1), (5, 2), (10, 2), (12, 1), (20, 0)]


def test_a_sampler_looks_until_its_block_ends_and_leaves_out_what_nobody_answered() -> None:
    looks: Iterator[int | Exception] = iter([1, ConnectionError("it is down"), 3, *[2] * 100_000])

    def look() -> int:
        seen = next(looks)
        if isinstance(seen, Exception):
            raise seen
        return seen

    with sampled(look, every=0.001, unanswered=(ConnectionError,)) as samples:
        assert wait_for(lambda: len(samples.points) > 2, 30)
    assert [value for _, value in samples.points[:3]] == [1, 3, 2]
    assert samples.highest == 3
    moments = [moment for moment, _ in samples.points]
    assert moments == sorted(moments)
    seen = len(samples.points)
    assert not wait_for(lambda: len(samples.points) > seen, 0.1)


def test_a_sampler_that_fails_fails_the_block() -> None:
    def look() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), sampled(look):
        pass


def test_an_access_log_line_has_the_context_and_a_dash_for_what_is_not_known() -> None:
    line = fill('{"id": "$context.requestId", "ip": "$context.identity.sourceIp", "e": "$context.error.message"}',
                {"requestId": "a", "identity": {"sourceIp": "127.0.0.1"}})  # fmt: skip
    assert line == '{"id": "a", "ip": "127.0.0.1", "e": "-"}'


def test_a_bucket_lets_in_its_burst_and_then_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("scalable_webhook_cli.gateway.rest_api.time.monotonic", lambda: now)
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def api(*paths: str, methods: tuple[str, ...] = ("ANY",), binary: tuple[str, ...] = ()) -> RestApi:
    resources = {path: {name: Method("id", path, "NONE", False, {}) for name in methods} for path in paths}
    return RestApi("id", "us-east-1", "prod", {}, binary, None, resources, None)


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", {}),
        ("/hooks", "/hooks", {}),
        ("/hooks/a/b", "/hooks/{proxy+}", {"proxy": "a/b"}),
        ("/users/7", "/users/{id}", {"id": "7"}),
        ("/other", "/{proxy+}", {"proxy": "other"}),
        ("/hooks/ä ?", "/hooks/{proxy+}", {"proxy": "ä ?"}),
    ],
)
def test_the_most_specific_resource_takes_a_request(path: str, resource: str, parameters: dict[str, str]) -> None:
    found = api("/", "/{proxy+}", "/hooks", "/hooks/{proxy+}", "/users/{id}", "/users/{proxy+}").match(path, "POST")
    assert found is not None
    assert (found[0].resource_path, found[1]) == (resource, parameters)


def test_a_method_that_is_not_there_is_no_match() -> None:
    assert api("/a", methods=("GET",)).match("/a", "POST") is None
    assert api("/a").match("/b", "POST") is None


@pytest.mark.parametrize(
    ("declared", "content_type", "binary"),
    [
        (("*/*",), "text/plain", True),
        (("image/*",), "image/png", True),
        (("image/png",), "Image/PNG; q=1", True),
        (("image/png",), "text/plain", False),
        ((), "application/octet-stream", False),
    ],
)
def test_a_media_type_is_binary_where_it_is_declared(
    declared: tuple[str, ...], content_type: str, binary: bool
) -> None:
    assert api(binary=declared).is_binary(content_type) is binary


def test_neither_profile_nor_proxy_of_the_user_is_between_us_and_the_local_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Sqs() as sqs:
        assert client("sqs", sqs.url, "eu-west-1", "a-key").list_queues()["QueueUrls"] == ["http://127.0.0.1/queue"]
    assert "eu-west-1" in sqs.authorization
    assert "Credential=a-key/" in sqs.authorization


class Sqs:
    """A real HTTP server that answers ListQueues."""

    def __enter__(self) -> "Sqs":
        remember = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                remember.authorization = self.headers["Authorization"]
                body = b'{"QueueUrls": ["http://127.0.0.1/queue"]}'
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.authorization = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
