"""The clients of the handlers."""

from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import pytest

from webhook_runtime import clients
from webhook_runtime.clients import AwsRejected, BotocoreClient, client

from .serving import Quiet, Serving


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "us-east-1")


@pytest.mark.parametrize("service", ["s3", "rds-data", "lambda"])
def test_botocore_is_loaded_at_the_first_call_and_its_client_is_created_once(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Client:
        def ping(self) -> int:
            return len(made)

    class Session:
        def create_client(self, service: str, config: object) -> Client:
            made.append(service)
            return Client()

    monkeypatch.setattr(clients, "_session", Session)
    lazy = client(service)
    assert made == []
    assert lazy.ping() == lazy.ping() == 1
    assert made == [service]


# Our own client, and that of botocore.
MAKERS: list[Callable[[], Any]] = [
    lambda: client("sqs"),
    lambda: BotocoreClient("sqs", read_timeout=5, attempts=2),
]


class _Rejecting(Quiet):
    calls: list[Message] = []

    def do_POST(self) -> None:
        self.calls.append(self.headers)
        self.send_response(400)
        self.end_headers()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    """Return the headers of each call of AWS."""
    serving = Serving(_Rejecting)
    monkeypatch.setenv("AWS_ENDPOINT_URL", serving.url)
    _Rejecting.calls.clear()
    yield _Rejecting.calls
    serving.close()


def send(sqs: Any) -> None:
    with pytest.raises(AwsRejected):
        sqs.send_message(QueueUrl="http://sqs/Queue", MessageBody="-")


@pytest.mark.processes
@pytest.mark.parametrize("make", MAKERS)
def test_the_user_agent_of_a_call_names_this_library(make: Callable[[], Any], calls: list[Message]) -> None:
    send(make())
    assert [call["User-Agent"] for call in calls] == ["cdk-scalable-webhook"]


@pytest.mark.processes
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "trace",
    [f"Root=1-5759e988-{'b' * 24}", f"Root=1-5759e988-{'b' * 24};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a"],
)
def test_a_call_of_a_traced_function_carries_its_trace(
    trace: str, make: Callable[[], Any], calls: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQS gives it to the message, so the trace goes on at the consumer.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
    """
    sqs = make()
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "Publisher")
    # Lambda sets it for each event.
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    send(sqs)
    assert [call["X-Amzn-Trace-Id"] for call in calls] == [trace]
