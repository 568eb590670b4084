"""Our own client of AWS signs, asks, answers and fails as botocore's does."""

import json
import os
import signal
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler
from typing import Any
from unittest.mock import patch

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from webhook_runtime import aws
from webhook_runtime.aws import SERVICES, AwsRejected, AwsUnreachable, JsonClient, Signer, endpoint
from webhook_runtime.clients import BotocoreClient, client, code_of

from .serving import Quiet, Serving

SESSION = botocore.session.get_session()
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
REGIONS = [
    *("us-east-1", "eu-central-1", "ap-southeast-7", "mx-central-1", "me-central-1", "il-central-1", "af-south-1"),
    *("us-gov-west-1", "cn-north-1", "cn-northwest-1"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [name for name in os.environ if name.startswith("AWS_") or name.upper().endswith(("_PROXY", "_CA_BUNDLE"))]
    for name in ours:
        monkeypatch.delenv(name)
    for name, value in {**KEYS, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)


# The signature.

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(
    st.binary(max_size=300),
    st.dictionaries(st.from_regex(r"x-[a-z0-9-]{1,20}", fullmatch=True), st.text(" ab\t;:=é", max_size=20), max_size=5),
    st.tuples(TEXTS, TEXTS, st.none() | TEXTS),
    st.sampled_from(REGIONS),
    st.sampled_from(sorted(SERVICES)),
    st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
)
def test_a_signature_is_that_of_botocore(
    body: bytes,
    headers: dict[str, str],
    keys: tuple[str, str, str | None],
    region: str,
    service: str,
    at: datetime,
) -> None:
    key_id, secret, token = keys
    every = {"host": f"{service}.example", "content-type": "application/x-amz-json-1.0", **headers}
    # botocore signs neither of these.
    every.pop("x-amzn-trace-id", None)
    variables = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    with patch.dict(os.environ, variables | ({"AWS_SESSION_TOKEN": token} if token else {})):
        signed = Signer(service, region).sign(every, body, at)
    asked = AWSRequest("POST", f"https://{service}.example/", headers=every, data=body)
    with patch("botocore.auth.get_current_datetime", lambda: at.replace(tzinfo=None)):
        SigV4Auth(Credentials(key_id, secret, token), service, region).add_auth(asked)
    assert signed["authorization"] == asked.headers["Authorization"]
    assert signed.get("x-amz-security-token") == asked.headers.get("X-Amz-Security-Token") == token


def test_a_token_that_is_renewed_is_used_for_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer("sqs", "eu-west-1")
    first = signer.sign({"host": "sqs"}, b"")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    second = signer.sign({"host": "sqs"}, b"")
    assert second["x-amz-security-token"] == "token"
    assert second["authorization"].rpartition("=")[2] != first["authorization"].rpartition("=")[2]


# The endpoint.


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", SERVICES)
def test_an_endpoint_is_that_of_botocore(service: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert endpoint(service) == SESSION.create_client(service, region_name=region).meta.endpoint_url


def test_every_region_of_botocore_has_its_endpoint_or_is_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = 0
    for partition in SESSION.get_available_partitions():
        for region in SESSION.get_available_regions("sqs", partition):
            monkeypatch.setenv("AWS_DEFAULT_REGION", region)
            found = endpoint("sqs")
            assert found in (None, SESSION.create_client("sqs", region_name=region).meta.endpoint_url)
            checked += found is not None
    assert checked > 30


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_DEFAULT_REGION": "us-iso-east-1"},
        {"AWS_DEFAULT_REGION": "us-isob-east-1"},
        {"AWS_DEFAULT_REGION": "eu-isoe-west-1"},
        {"AWS_DEFAULT_REGION": "eusc-de-east-1"},
        {"AWS_DEFAULT_REGION": "us-east-1.evil.example/"},
        *(
            {"AWS_DEFAULT_REGION": f"us-{rest}"}
            for rest in ("gov", "gov-1", "gov-gov-east-1", "East-1", "east-\N{SUPERSCRIPT ONE}")
        ),
        *(
            {"AWS_DEFAULT_REGION": region}
            for region in ("us", "us-", "cn-gov-north-1", "us-é-1", "us-east-1-", "zz-east-1")
        ),
        {"AWS_DEFAULT_REGION": "", "AWS_REGION": ""},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "True"},
        {"AWS_PROFILE": "other"},
        {"AWS_CONFIG_FILE": "/config"},
        {"HTTPS_PROXY": "http://proxy"},
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_ENDPOINT_URL": "http://host/path"},
        {"AWS_ENDPOINT_URL": "ftp://host"},
    ],
)
def test_what_only_botocore_knows_is_left_to_it(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert endpoint("sqs") is None
    assert isinstance(client("sqs"), BotocoreClient)


@pytest.mark.parametrize("service", SERVICES)
def test_an_endpoint_of_the_environment_is_used(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://every:1")
    assert endpoint(service) == "http://every:1"
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{SERVICES[service].variable}", "https://own/")
    assert endpoint(service) == "https://own/"
    assert SESSION.create_client(service, region_name="eu-west-1").meta.endpoint_url == "https://own/"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert endpoint(service) == f"https://{service}.eu-west-1.amazonaws.com"


# Errors.

CODES = st.sampled_from(["Throttled", "com.amazonaws.sqs#QueueDoesNotExist", "x#A:http://y", "a:b", "é"])
TOLD = st.fixed_dictionaries(
    {}, optional={"__type": CODES, "message": st.text(max_size=9), "Message": st.text(max_size=9), "more": st.just(1)}
)
CONTENTS = st.one_of(
    TOLD.map(lambda told: json.dumps(told).encode()), st.sampled_from([b"", b"<html>x", b" ", b"no JSON", b"\xff"])
)


@given(
    st.sampled_from([400, 403, 404, 413, 500, 502, 503, 504]),
    st.fixed_dictionaries(
        {}, optional={"x-amzn-query-error": st.sampled_from(["AWS.Old;Sender", "Old", ";Sender", "a;b;c", "Old;"])}
    ),
    CONTENTS,
)
def test_an_error_is_read_as_by_botocore(status: int, headers: dict[str, str], content: bytes) -> None:
    service = SESSION.get_service_model("sqs")
    operation = service.operation_model("SendMessage")
    told = {"status_code": status, "headers": headers, "body": content}
    try:
        theirs = create_parser("json").parse(told, operation.output_shape)["Error"]
    except UnicodeDecodeError:
        return  # botocore has no answer to a text that is no UTF-8
    got = Message()
    for name, value in headers.items():
        got[name] = value
    ours = aws._error(status, got, content)  # type: ignore[arg-type]
    assert ours["Error"] == {name: theirs[name] for name in ("Code", "Message")}
    assert ours["ResponseMetadata"]["HTTPStatusCode"] == status
    error = AwsRejected(ours, "SendMessage")
    if content not in (b"",):
        assert str(error) == str(ClientError({"Error": theirs}, "SendMessage"))


@pytest.mark.parametrize("content", [b"[]", b"1", b'"x"', b"null", b'{"__type": 1, "message": null}'])
def test_an_error_of_another_form_is_an_error(content: bytes) -> None:
    assert aws._error(400, HTTPMessage(), content)["Error"]["Code"] in ("400", "1")


# Calls.


class Server:
    """Answers each call by the next of ``answers``, the last one from then on, and records the requests."""

    def __init__(self) -> None:
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = [answer({})]
        self.requests: list[tuple[Message, dict[str, Any]]] = []
        self.connections = 0
        server = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.headers, json.loads(body)))
                now = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                try:
                    now(self)
                except OSError:
                    self.close_connection = True

        self._serving = Serving(Handler)
        self.url = self._serving.url

    def close(self) -> None:
        self._serving.close()


def answer(value: object, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        content = json.dumps(value).encode()
        handler.send_response(status)
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return send


def failure(code: str, status: int = 400) -> Callable[[BaseHTTPRequestHandler], None]:
    return answer({"__type": code, "message": "no"}, status)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def in_drops(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        time.sleep(0.02)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(time, "sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.02)))
    server = Server()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    yield server
    server.close()


CALLS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "sqs",
        "send_message",
        {
            "QueueUrl": "http://sqs/q",
            "MessageBody": 'a"é\u2028😀\n',
            "MessageAttributes": {
                "webhook": {"DataType": "String", "StringValue": "x=%20"},
                "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            },
        },
        {"MessageId": "1"},
    ),
    ("sqs", "send_message", {"QueueUrl": "http://sqs/q", "MessageBody": "half of a pair: \ud800"}, {"MessageId": "1"}),
    (
        "sqs",
        "send_message_batch",
        {"QueueUrl": "http://sqs/q", "Entries": [{"Id": "0", "MessageBody": "a"}, {"Id": "1", "MessageBody": "b"}]},
        {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "SenderFault": True, "Code": "InternalError"}]},
    ),
    (
        "sqs",
        "change_message_visibility_batch",
        {"QueueUrl": "q", "Entries": [{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": 3}]},
        {"Successful": [{"Id": "0"}], "Failed": []},
    ),
    (
        "dynamodb",
        "batch_execute_statement",
        {"Statements": [{"Statement": "INSERT", "Parameters": [{"B": b"\xff"}, {"M": {"a": {"S": "b"}}}, {"S": ""}]}]},
        {"Responses": [{}, {"Error": {"Code": "DuplicateItem", "Message": "again"}}]},
    ),
    ("secretsmanager", "get_secret_value", {"SecretId": "s", "VersionStage": "AWSCURRENT"}, {"SecretString": "x"}),
    (
        "secretsmanager",
        "get_secret_value",
        {"SecretId": "s", "VersionStage": "AWSCURRENT"},
        {"SecretBinary": b64encode(b"\xff").decode()},
    ),
]


@pytest.mark.processes
@pytest.mark.parametrize(("service", "operation", "arguments", "told"), CALLS)
def test_a_call_and_its_answer_are_those_of_botocore(
    server: Server, service: str, operation: str, arguments: dict[str, Any], told: dict[str, Any]
) -> None:
    server.answers = [answer(told)]
    ours = getattr(client(service), operation)(**arguments)
    theirs = getattr(BotocoreClient(service, read_timeout=5, attempts=1), operation)(**arguments)
    del theirs["ResponseMetadata"]
    assert ours == theirs
    (our_headers, our_body), (their_headers, their_body) = server.requests
    assert our_body == their_body
    for name in ("X-Amz-Target", "Content-Type", "Host", "User-Agent"):
        assert our_headers[name] == their_headers[name]


@pytest.mark.processes
def test_a_connection_is_kept_and_replaced_when_the_other_side_has_closed_it(server: Server) -> None:
    sqs = client("sqs", attempts=1)
    for _ in range(3):
        sqs.send_message(MessageBody="x")
    assert server.connections == 1

    def last(handler: BaseHTTPRequestHandler) -> None:
        answer({})(handler)
        hang_up(handler)

    server.answers = [last, answer({})]
    for _ in range(3):
        sqs.send_message(MessageBody="x")
        time.sleep(0.02)
    assert server.connections == 2


@pytest.mark.processes
@pytest.mark.parametrize("first", [hang_up, failure("x", 500), failure("x", 503), failure("ThrottlingException")])
def test_a_call_is_sent_twice_at_most(server: Server, first: Callable[[BaseHTTPRequestHandler], None]) -> None:
    server.answers = [first, answer({"MessageId": "1"})]
    assert client("sqs").send_message(MessageBody="x") == {"MessageId": "1"}
    server.answers = [first]
    with pytest.raises((AwsRejected, AwsUnreachable)) as raised:
        client("sqs").send_message(MessageBody="x")
    assert len(server.requests) == 4
    with pytest.raises((AwsRejected, AwsUnreachable)) as theirs:
        BotocoreClient("sqs", read_timeout=5, attempts=1).send_message(MessageBody="x")
    assert code_of(raised.value) == code_of(theirs.value)
    server.requests.clear()
    with pytest.raises((AwsRejected, AwsUnreachable)):
        client("sqs", attempts=1).send_message(MessageBody="x")
    assert len(server.requests) == 1


@pytest.mark.processes
@pytest.mark.parametrize("code", ["AccessDenied", "ValidationException", "ResourceNotFoundException"])
def test_an_error_that_no_try_mends_is_raised_at_once(server: Server, code: str) -> None:
    server.answers = [failure(code)]
    with pytest.raises(AwsRejected, match=f"{code}.*SendMessage operation: no"):
        client("sqs").send_message(MessageBody="x")
    assert len(server.requests) == 1


@pytest.mark.processes
def test_an_answer_in_drops_ends_by_the_clock_and_its_rest_is_not_read_by_another_call(server: Server) -> None:
    sqs = client("sqs", read_timeout=0.2, attempts=1)
    server.answers = [in_drops, answer({"MessageId": "1"})]
    began = time.monotonic()
    with pytest.raises(AwsUnreachable) as raised:
        sqs.send_message(MessageBody="x")
    assert time.monotonic() - began < 15  # all drops take 20
    assert code_of(raised.value) == "ReadTimeoutError"
    assert sqs.send_message(MessageBody="x") == {"MessageId": "1"}


@pytest.mark.processes
def test_an_interrupted_call_leaves_no_answer_behind(server: Server) -> None:
    class Interrupt(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    sqs = client("sqs")
    server.answers = [in_drops, answer({"MessageId": "1"})]
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interrupt):
            sqs.send_message(MessageBody="x")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert sqs.send_message(MessageBody="x") == {"MessageId": "1"}


@pytest.mark.processes
def test_an_endpoint_that_does_not_listen_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(AwsUnreachable, match="Could not connect to the endpoint URL") as raised:
        client("sqs", attempts=1).send_message(MessageBody="x")
    assert code_of(raised.value) == "EndpointConnectionError"


@pytest.mark.processes
def test_a_server_without_a_certificate_of_an_authority_is_unreachable(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.replace("http:", "https:"))
    codes = []
    for sqs in (client("sqs", attempts=1), BotocoreClient("sqs", read_timeout=5, attempts=1)):
        with pytest.raises(AwsUnreachable) as raised:
            sqs.send_message(MessageBody="x")
        codes.append(code_of(raised.value))
    assert codes == ["SSLError", "SSLError"]


def test_connections_load_the_certificate_authorities_of_the_system_once() -> None:
    aws._tls.cache_clear()
    with patch("ssl.create_default_context") as load:
        for host in ("sqs.eu-west-1.amazonaws.com", "secretsmanager.eu-west-1.amazonaws.com") * 2:
            aws._connection("https", host, 443)
        aws._connection("http", "127.0.0.1", 9)
    aws._tls.cache_clear()
    load.assert_called_once()


def test_bytes_are_the_only_other_type_of_an_argument() -> None:
    with pytest.raises(TypeError, match="datetime is no type of the protocol"):
        JsonClient("sqs", "http://127.0.0.1:9", read_timeout=1, attempts=1).send_message(at=datetime.now(UTC))


def test_every_operation_of_our_services_has_the_protocol() -> None:
    for name, service in SERVICES.items():
        metadata = SESSION.get_service_model(name).metadata
        assert (metadata["targetPrefix"], metadata["jsonVersion"]) == (service.target, service.version)
        assert "json" in metadata.get("protocols", [metadata["protocol"]])
        assert metadata["serviceId"].upper().replace(" ", "_") == service.variable


def test_a_client_of_botocore_has_our_settings() -> None:
    config: Config = BotocoreClient("s3", read_timeout=5, attempts=2)._client.meta.config
    assert config.connect_timeout + config.read_timeout < 10
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}
