import hmac
import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_runtime import deployed, message
from webhook_runtime.clients import AwsRejected
from webhook_runtime.contract.groups import is_group
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.publisher import Publisher
from webhook_runtime.sources.handshakes import Slack
from webhook_runtime.sources.schemes import Hmac
from webhook_runtime.sources.secrets import Secrets
from webhook_runtime.sources.source import Source, Sources

from .doubles import SecretsManager, unreachable
from .events import REQUEST_ID, record, request


class Queue:
    """A double of boto3's SQS client: it keeps messages, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self._error = error

    def send_message(self, **call: Any) -> dict[str, str]:
        if self._error:
            raise self._error
        self.sent.append(call)
        return {"MessageId": f"message-{len(self.sent)}"}

    def webhook(self) -> message.Webhook:
        (call,) = self.sent
        return message.read(record(call["MessageBody"], call["MessageAttributes"]["webhook"]["StringValue"]))


def publisher(
    queue: Queue,
    *,
    url: str = "http://sqs/Queue",
    delivery_id_header: str | None = None,
    group_by: Mapping[str, Sequence[str]] | None = None,
) -> Publisher:
    settings = PublisherSettings(url, delivery_id_header, group_by=group_by)
    return Publisher(settings, queue, grouping=deployed.grouping(group_by))


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_bytes_on_any_path_reach_the_queue_unchanged(payload: bytes, path: str) -> None:
    queue = Queue()

    answer = publisher(queue).handle(request(payload, proxy=path), None)

    assert answer["statusCode"] == 202
    assert queue.webhook().body == payload
    assert queue.webhook().path == f"/{path}"


def test_the_message_has_all_of_the_request() -> None:
    queue = Queue()
    event = request(
        b"{}",
        method="PUT",
        mount="/hooks",
        proxy="hello/world",
        headers=[("X-Thing", "1"), ("x-thing", "2"), ("Content-Type", "application/json")],
        query=[("a", "1"), ("a", "&="), ("b", "é")],
    )

    answer = publisher(queue).handle(event, None)

    webhook = queue.webhook()
    assert json.loads(answer["body"]) == {"id": REQUEST_ID}
    assert (webhook.method, webhook.path, webhook.source_ip) == ("PUT", "/hooks/hello/world", "203.0.113.7")
    assert webhook.query == {"a": ["1", "&="], "b": ["é"]}
    assert webhook.headers.get_all("X-Thing") == ["1", "2"]
    assert webhook.received_at.isoformat() == "2025-11-13T02:13:20.123000+00:00"
    assert (webhook.id, webhook.request_id) == (REQUEST_ID, REQUEST_ID)


@pytest.mark.parametrize(
    ("mount", "proxy", "path"),
    [("/", None, "/"), ("/", "a/b", "/a/b"), ("/hooks", None, "/hooks"), ("/hooks", "a/b", "/hooks/a/b")],
)
def test_the_message_says_by_which_ingress_path_and_url_it_came(mount: str, proxy: str | None, path: str) -> None:
    queue = Queue()
    publisher(queue).handle(request(mount=mount, proxy=proxy), None)
    assert (queue.webhook().mount, queue.webhook().path) == (mount, path)
    assert queue.webhook().url == f"https://abc.execute-api.us-east-1.amazonaws.com/prod{path}"


@pytest.mark.parametrize(
    ("headers", "id"),
    [
        ([("idempotency-key", "order-7")], "order-7"),
        ([("IDEMPOTENCY-KEY", "order-7")], "order-7"),
        ([("Idempotency-Key", "first"), ("Idempotency-Key", "last")], "last"),
        ([("Idempotency-Key", "")], REQUEST_ID),
        ([("Other", "order-7")], REQUEST_ID),
    ],
)
def test_the_delivery_id_is_the_headers_value_where_there_is_one(headers: list[tuple[str, str]], id: str) -> None:
    queue = Queue()

    answer = publisher(queue, delivery_id_header="idempotency-key").handle(request(headers=headers), None)

    assert json.loads(answer["body"]) == {"id": id}
    assert queue.webhook().id == id
    assert queue.webhook().request_id == REQUEST_ID


@pytest.mark.parametrize(
    ("status", "body", "content_type"), [(200, "ok $x é", "text/html; charset=utf-8"), (204, "", "text/plain")]
)
def test_an_accepted_webhook_is_acknowledged_as_the_settings_say(status: int, body: str, content_type: str) -> None:
    queue = Queue()
    acknowledgement = {"status": status, "body": body, "content_type": content_type}
    answer = Publisher(PublisherSettings("http://sqs/Queue", None, acknowledgement), queue).handle(request(b"x"), None)
    assert answer == {"statusCode": status, "headers": {"Content-Type": content_type}, "body": body}
    assert queue.webhook().body == b"x"


def test_a_rejection_is_no_acknowledgement() -> None:
    settings = PublisherSettings("http://sqs/Queue", None, {"status": 200, "body": "ok", "content_type": "text/plain"})
    answer = Publisher(settings, Queue(unreachable("ConnectTimeoutError", "http://sqs"))).handle(request(b"x"), None)
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"]) == {"message": "The webhook could not be queued: try again."}


@pytest.mark.parametrize("error", [None, unreachable("ConnectTimeoutError", "http://sqs")])
def test_every_answer_has_the_headers_of_the_settings(error: Exception | None) -> None:
    settings = PublisherSettings("http://sqs/Queue", None, response_headers={"Access-Control-Allow-Origin": "*"})
    answer = Publisher(settings, Queue(error)).handle(request(b"x"), None)
    assert answer["headers"] == {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}


def test_the_query_string_cannot_pose_as_the_delivery_id_header() -> None:
    queue = Queue()
    event = request(query=[("idempotency-key", "spoofed")])
    publisher(queue, delivery_id_header="idempotency-key").handle(event, None)
    assert queue.webhook().id == REQUEST_ID


def test_a_fifo_queue_gets_one_group_and_a_deduplication_id_for_each_request() -> None:
    queue = Queue()
    publisher(queue, url="http://sqs/Queue.fifo").handle(request(b"same"), None)
    assert queue.sent[0]["MessageGroupId"] == "webhook"
    assert queue.sent[0]["MessageDeduplicationId"] == REQUEST_ID


SHA_256 = re.compile("[0-9a-f]{64}")


class TestGroups:
    def sent(self, group_by: Mapping[str, Sequence[str]], *, fifo: bool = False, **asked: Any) -> dict[str, Any]:
        queue = Queue()
        url = "http://sqs/Queue.fifo" if fifo else "http://sqs/Queue"
        answer = publisher(queue, url=url, group_by=group_by).handle(request(**asked), None)
        assert answer["statusCode"] == 202
        (sent,) = queue.sent
        return sent

    @pytest.mark.parametrize("fifo", [True, False])
    @pytest.mark.parametrize(
        ("group_by", "asked"),
        [
            ({"header": ["x-shop"]}, {"headers": [("X-Shop", "other"), ("X-SHOP", "a-1")]}),
            ({"header": ["x-shop"]}, {"headers": [("X-Shop", "a-1"), ("x-shop", "")]}),
            ({"field": ["data", "account"]}, {"body": b'{"data": {"account": "a-1"}}'}),
            ({"field": ["a b"]}, {"body": b'{"a b": "a-1"}'}),
        ],
    )
    def test_a_group_is_the_value_of_the_webhook(self, fifo: bool, group_by: Any, asked: Any) -> None:
        sent = self.sent(group_by, fifo=fifo, **asked)
        assert sent["MessageGroupId"] == "a-1"
        assert sent.get("MessageDeduplicationId") == (REQUEST_ID if fifo else None)

    @pytest.mark.parametrize(
        ("json", "group"), [(b"7", "7"), (b"1.5", "1.5"), (b"true", "true"), (b"false", "false"), (b"0", "0")]
    )
    def test_a_number_or_a_truth_value_is_a_group(self, json: bytes, group: str) -> None:
        assert self.sent({"field": ["id"]}, body=b'{"id": ' + json + b"}")["MessageGroupId"] == group

    @pytest.mark.parametrize("fifo", [True, False])
    def test_a_group_by_the_endpoint_is_its_path(self, fifo: bool) -> None:
        assert self.sent({"mount": []}, fifo=fifo, mount="/hooks")["MessageGroupId"] == "/hooks"

    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"{}", b"[]", b"null", b"no JSON", b'{"data": 1}', b'{"data": [{"account": "a"}]}', b"\xff\xfe"),
            *(b'{"data": {"account": null}}', b'{"data": {"account": {}}}', b'{"data": {"account": ""}}'),
            *(b'{"data": {"account": "a"}, "more": [' + b"0," * 300_000 + b"0]}",),
            *(b"[" * 100_000, b'{"data":' * 50_000, b'{"data": {"account": ' + b"9" * 5000 + b"}}"),
        ],
    )
    def test_without_the_value_a_fifo_queue_has_one_more_group_and_a_standard_queue_none(self, body: bytes) -> None:
        by = {"field": ["data", "account"]}
        assert self.sent(by, fifo=True, body=body)["MessageGroupId"] == "-"
        assert "MessageGroupId" not in self.sent(by, body=body)

    @pytest.mark.parametrize("value", ["a b", "é", "x" * 129, "日本", "\t", "\ud800", " "])
    def test_a_value_that_sqs_does_not_take_becomes_a_hash(self, value: str) -> None:
        groups = {
            self.sent({"field": ["id"]}, body=json.dumps({"id": each}).encode())["MessageGroupId"]
            for each in (value, value, f"{value}'")
        }
        assert len(groups) == 2
        assert all(SHA_256.fullmatch(each) for each in groups)

    @given(st.text(max_size=200))
    def test_any_text_is_a_group_that_sqs_takes(self, text: str) -> None:
        sent = self.sent({"field": ["id"]}, fifo=True, body=json.dumps({"id": text}).encode())
        assert is_group(sent["MessageGroupId"])


@pytest.mark.parametrize("payload", [b"x" * 1_048_576, b"\xff" * 800_000])
def test_a_payload_that_fits_no_message_is_answered_with_413(payload: bytes) -> None:
    queue = Queue()
    answer = publisher(queue).handle(request(payload), None)
    assert answer["statusCode"] == 413
    assert "too large" in json.loads(answer["body"])["message"]
    assert queue.sent == []


def test_the_largest_message_still_goes_in() -> None:
    queue = Queue()
    answer = publisher(queue).handle(request(b"x" * 1_048_000), None)
    assert answer["statusCode"] == 202


@pytest.mark.parametrize(
    "error",
    [
        AwsRejected({"Error": {"Code": "KmsDisabled", "Message": "key"}}, "SendMessage"),
        unreachable("ConnectTimeoutError", "http://sqs"),
    ],
)
def test_a_failing_queue_is_answered_with_503_and_never_with_an_id(error: Exception) -> None:
    answer = publisher(Queue(error)).handle(request(b"{}"), None)
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"]) == {"message": "The webhook could not be queued: try again."}
    assert answer["headers"] == {"Content-Type": "application/json"}


def test_an_api_without_binary_media_types_carries_text() -> None:
    queue = Queue()
    publisher(queue).handle(request(text="Zoë"), None)
    assert queue.webhook().text == "Zoë"


def test_bytes_that_an_api_without_binary_media_types_replaced_are_rejected() -> None:
    queue = Queue()
    answer = publisher(queue).handle(request(text="Zo\ufffd"), None)
    assert answer["statusCode"] == 400
    assert "binary media types" in json.loads(answer["body"])["message"]
    assert queue.sent == []


def test_every_request_is_one_log_line_with_its_ids_and_without_its_payload(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    event = request(b"secret-body", headers=[("Authorization", "secret-header")], query=[("token", "secret-query")])

    publisher(Queue()).handle(event, None)

    (line,) = caplog.records
    assert (line.message, vars(line)["request_id"], vars(line)["message_id"]) == ("queued", REQUEST_ID, "message-1")
    assert "secret" not in str(vars(line))


ORDER = b'{"order": "7"}'


class TestSource:
    """With a source, the endpoint accepts only its provider."""

    def handle(
        self, queue: Queue, *headers: tuple[str, str], secret: str | Exception = "shh", body: bytes = ORDER
    ) -> dict[str, Any]:
        secrets = Secrets(SecretsManager("arn", AWSCURRENT=secret), "arn", None)
        source = Source(Hmac(header="X-Signature", id_field="order"), secrets, [Slack()])
        publisher = Publisher(PublisherSettings("http://sqs/Queue", None), queue, Sources({"/": source}))
        return publisher.handle(request(body, headers=list(headers)), None)

    def signature(self, secret: bytes = b"shh", body: bytes = ORDER) -> tuple[str, str]:
        return "x-signature", hmac.new(secret, body, "sha256").hexdigest()

    def test_a_signed_request_is_queued_under_the_providers_own_id(self) -> None:
        queue = Queue()
        answer = self.handle(queue, self.signature())
        assert (answer["statusCode"], json.loads(answer["body"])) == (202, {"id": "7"})
        assert queue.webhook().id == "7"

    def test_an_unsigned_request_is_answered_401_and_never_queued(self) -> None:
        for headers in ([], [self.signature(b"other")], [self.signature(), self.signature()]):
            queue = Queue()
            answer = self.handle(queue, *headers)
            assert answer["statusCode"] == 401
            assert "X-Signature" in json.loads(answer["body"])["message"]
            assert queue.sent == []

    def test_a_signature_by_a_secret_that_may_be_new_is_answered_503_and_any_other_401(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """For forged requests, the secret is read at most every 10 seconds."""
        now = 1_763_000_010.0
        secrets = Secrets(SecretsManager(AWSCURRENT="shh"), "arn:of:the:secret", None, now=lambda: now)
        source = Source(Hmac(header="X-Signature"), secrets)
        publisher = Publisher(PublisherSettings("http://sqs/Queue", None), Queue(), Sources({"/": source}))
        statuses = []
        for at in (now, now + 1, now + 9, now + 11):
            event = request(ORDER, headers=[self.signature(b"other")])
            event["requestContext"]["requestTimeEpoch"] = at * 1000
            now = at
            statuses.append(publisher.handle(event, None)["statusCode"])
        assert statuses == [401, 401, 503, 401]
        assert {vars(line)["secret"] for line in caplog.records} == {"arn:of:the:secret"}
        # No secret can fix this, so the rejection is final.
        event = request(ORDER)
        event["requestContext"]["requestTimeEpoch"] = (now + 5) * 1000
        assert publisher.handle(event, None)["statusCode"] == 401

    def test_the_response_does_not_name_the_secret(self) -> None:
        answer = self.handle(Queue(), self.signature(b"other"))
        assert "arn" not in answer["body"].lower()

    def test_without_the_secret_no_request_is_accepted(self, caplog: pytest.LogCaptureFixture) -> None:
        queue = Queue()
        answer = self.handle(
            queue, self.signature(), secret=unreachable("ConnectTimeoutError", "https://secretsmanager")
        )
        assert answer["statusCode"] == 500
        assert queue.sent == []
        assert "cannot verify" in caplog.text

    def test_a_handshake_is_answered_as_text_and_never_queued(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        queue, body = Queue(), b'{"type": "url_verification", "challenge": "<b>3eZbrw1aB</b>"}'
        answer = self.handle(queue, self.signature(body=body), body=body)
        assert (answer["statusCode"], answer["body"]) == (200, "<b>3eZbrw1aB</b>")
        assert answer["headers"] == {"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff"}
        assert queue.sent == []
        (line,) = caplog.records
        assert (line.message, vars(line)["request_id"]) == ("handshake", REQUEST_ID)
        assert "3eZbrw1aB" not in str(vars(line))

    def test_no_line_has_payload_secret_or_signature_in_it(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "webhook")
        self.handle(Queue(), self.signature())
        self.handle(Queue(), self.signature(b"other"))
        logged = "".join(str(vars(line)) for line in caplog.records)
        assert "order" not in logged
        assert "shh" not in logged
        assert self.signature()[1] not in logged
