"""The clients of the handlers."""

from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from webhook_runtime import clients
from webhook_runtime.clients import LazyClient, client


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "us-east-1")


def test_a_lazy_client_is_created_on_first_use_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make(service: str) -> object:
        made.append(service)
        return client(service)

    monkeypatch.setattr(clients, "client", make)
    sqs = LazyClient("sqs")
    assert made == []
    assert sqs.meta.service_model.service_name == sqs.meta.service_model.service_name == "sqs"
    assert made == ["sqs"]


def test_a_client_gives_up_well_before_its_function() -> None:
    config = client("sqs").meta.config
    assert config.connect_timeout + config.read_timeout < 10
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}


class _Rejecting(BaseHTTPRequestHandler):
    calls: list[Message] = []

    def do_POST(self) -> None:
        self.calls.append(self.headers)
        self.send_response(400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    """Return the headers of each call of AWS."""
    server = HTTPServer(("127.0.0.1", 0), _Rejecting)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    _Rejecting.calls.clear()
    yield _Rejecting.calls
    server.shutdown()
    server.server_close()


def send(sqs: Any) -> None:
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.send_message(QueueUrl="http://sqs/Queue", MessageBody="-")


@pytest.mark.processes
def test_the_user_agent_of_a_call_names_this_library(calls: list[Message]) -> None:
    send(client("sqs"))
    assert [call["User-Agent"] for call in calls] == ["cdk-scalable-webhook"]


@pytest.mark.processes
@pytest.mark.parametrize(
    "trace",
    [f"Root=1-5759e988-{'b' * 24}", f"Root=1-5759e988-{'b' * 24};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a"],
)
def test_a_call_of_a_traced_function_carries_its_trace(
    trace: str, calls: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQS gives it to the message, so the trace goes on at the consumer.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
    """
    sqs = client("sqs")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "Publisher")
    # Lambda sets it for each event.
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    send(sqs)
    assert [call["X-Amzn-Trace-Id"] for call in calls] == [trace]
