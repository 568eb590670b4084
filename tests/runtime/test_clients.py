"""The clients of the handlers."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

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
    agents: list[str] = []

    def do_POST(self) -> None:
        self.agents.append(self.headers["User-Agent"])
        self.send_response(400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    server = HTTPServer(("127.0.0.1", 0), _Rejecting)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield _Rejecting.agents
    server.shutdown()
    server.server_close()


@pytest.mark.processes
def test_the_user_agent_of_a_call_names_this_library(agents: list[str]) -> None:
    sqs = client("sqs")
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.send_message(QueueUrl="http://sqs/Queue", MessageBody="-")
    assert agents == ["cdk-scalable-webhook"]
