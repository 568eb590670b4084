"""Compare the templates of the direct integration between Apache Velocity and the local gateway, byte for byte."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_scalable_webhook import GroupBy
from cdk_scalable_webhook.endpoint.ingress import order
from cdk_scalable_webhook.endpoint.templates import literal, mapping_template
from scalable_webhook_cli.gateway.velocity import render
from webhook_runtime import message
from webhook_runtime.contract.groups import is_group

from ..runtime.events import record
from .engine import Velocity, why_not

BY_SHOP = GroupBy.header("X-Shop")
CONTEXT = {
    "requestId": "what-the-client-chose",
    "extendedRequestId": "JKJaXmPLvHcESHA=",
    "requestTimeEpoch": 1_763_000_000_123,
    "httpMethod": "POST",
    "resourcePath": "/hooks/{proxy+}",
    "domainName": "abc.execute-api.us-east-1.amazonaws.com",
    "path": "/prod/hooks/a%20b",
    "identity": {"sourceIp": "203.0.113.7"},
}


CREDENTIALS = ["x-api-key", "authorization k%7E* x-api-key"]


def request_template(
    *,
    binary: bool = False,
    header: str = "idempotency-key",
    fifo: bool = False,
    group_by: GroupBy | None = None,
    credentials: str = "",
) -> str:
    return mapping_template(
        "request",
        BINARY=str(binary).lower(),
        DELIVERY_ID_HEADER=header,
        MOUNT="%2Fhooks",
        CREDENTIAL_HEADERS=credentials,
        CREDENTIAL_PARAMETERS=credentials,
        **order(group_by, fifo=fifo, mount="/hooks"),
    )


@pytest.fixture(scope="module")
def velocity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Velocity]:
    if reason := why_not():
        pytest.skip(reason)
    engine = Velocity(tmp_path_factory.mktemp("velocity"))
    yield engine
    engine.close()


def both(velocity: Velocity, template: str, **request: Any) -> tuple[str, dict[str, Any]]:
    """Return text and context of the local gateway, which equal those of Velocity."""
    request = {"body": "", "header": {}, "querystring": {}, "path": {}, "context": CONTEXT} | request
    expected, overrides = velocity.render(template, **request)
    context = dict(request.pop("context"))
    rendered = render(template, context=context, **request)
    assert rendered == expected
    assert printed(context["responseOverride"]) == overrides
    return rendered, context


def printed(value: Any) -> str:
    """Print a map as Java does."""
    if not isinstance(value, dict):
        return str(value)
    return "{" + ", ".join(f"{name}={printed(inner)}" for name, inner in value.items()) + "}"


def webhook(call: str) -> message.Webhook:
    """Return the webhook that the consumer reads after this call of SQS."""
    parameters = {
        name: values[0] for name, values in parse_qs(call, keep_blank_values=True, strict_parsing=True).items()
    }
    assert parameters["Action"] == "SendMessage"
    assert parameters["MessageAttribute.1.Name"] == "webhook"
    return message.read(record(parameters["MessageBody"], parameters["MessageAttribute.1.Value.StringValue"]))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
pieces = ["$", "#", "#if(", "$input.body", "${x}", "\\", '"', "'", "&", "=", "%", "+", "é", "😀"]
vtl = st.lists(st.sampled_from(pieces)).map("".join)
tokens = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", fullmatch=True)
values = st.one_of(texts, vtl)
names = st.one_of(
    tokens, st.sampled_from(["Idempotency-Key", "Content-Length", "content-type", "get", "keySet", "X-API-Key", "k~*"])
)
requests = st.fixed_dictionaries(
    {
        "body": st.one_of(values, st.just("{}"), st.binary().map(lambda data: data.decode(errors="replace"))),
        "header": st.dictionaries(names, values, max_size=5),
        "querystring": st.dictionaries(st.one_of(values, st.just("Idempotency-Key")), values, max_size=5),
        "path": st.one_of(st.just({}), st.fixed_dictionaries({"proxy": values})),
        "context": st.sampled_from(["GET", "HEAD", "POST", "PUT"]).map(lambda method: CONTEXT | {"httpMethod": method}),
    }
)  # fmt: skip
by_property = settings(max_examples=300)


@by_property
@given(request=requests, fifo=st.booleans(), binary=st.booleans(), credentials=st.sampled_from(["", *CREDENTIALS]))
def test_any_request_is_the_same_call_by_both_engines(
    velocity: Velocity, request: dict[str, Any], fifo: bool, binary: bool, credentials: str
) -> None:
    if binary:
        request["body"] = base64.b64encode(request["body"].encode()).decode()
    both(velocity, request_template(fifo=fifo, binary=binary, credentials=credentials), **request)


@by_property
@given(
    request=requests,
    error=st.sampled_from(["MissingParameter", "InvalidMessageContents", "must be shorter", "Other", ""]),
)
def test_any_answer_is_the_same_by_both_engines(velocity: Velocity, request: dict[str, Any], error: str) -> None:
    accepted, _ = both(velocity, mapping_template("accepted", DELIVERY_ID_HEADER="idempotency-key"), **request)
    ids = [value for name, value in request["header"].items() if name.lower() == "idempotency-key" and value]
    assert json.loads(accepted) == {"id": ids[-1] if ids else CONTEXT["extendedRequestId"]}
    both(velocity, mapping_template("rejected"), **request | {"body": error})


@by_property
@given(payload=st.one_of(st.binary(), texts.map(str.encode)), header=values, query=values, path=values)
def test_a_message_has_any_request_unchanged(
    velocity: Velocity, payload: bytes, header: str, query: str, path: str
) -> None:
    call, _ = both(
        velocity,
        request_template(binary=True),
        body=base64.b64encode(payload).decode(),
        header={"X-Thing": header},
        querystring={"q": query},
        path={"proxy": path},
    )
    read = webhook(call)
    assert read.body == payload
    assert read.headers["x-thing"] == header
    assert read.query == {"q": [query]}
    assert read.path == f"/hooks/{path}"


def test_a_request_has_all_its_fields(velocity: Velocity) -> None:
    call, _ = both(
        velocity,
        request_template(),
        body='{"a": "Zoë & $x"}',
        header={"Content-Type": "application/json", "IDEMPOTENCY-KEY": "order-7"},
        querystring={"a": "1", "b": "&="},
        path={"proxy": "hello/world"},
    )
    read = webhook(call)
    assert (read.id, read.request_id) == ("order-7", CONTEXT["extendedRequestId"])
    assert (read.method, read.path, read.source_ip) == ("POST", "/hooks/hello/world", "203.0.113.7")
    assert read.text == '{"a": "Zoë & $x"}'
    assert read.query == {"a": ["1"], "b": ["&="]}
    assert dict(read.headers) == {"content-type": "application/json", "idempotency-key": "order-7"}
    assert read.received_at.timestamp() == 1_763_000_000.123


def test_a_query_parameter_cannot_pose_as_the_delivery_id_header(velocity: Velocity) -> None:
    call, _ = both(velocity, request_template(), body="x", querystring={"idempotency-key": "spoofed"})
    assert webhook(call).id == CONTEXT["extendedRequestId"]


def test_no_header_adds_a_parameter_to_the_call(velocity: Velocity) -> None:
    evil = "x&MessageBody=evil&Action=DeleteMessage"
    call, _ = both(
        velocity, request_template(), body=evil, header={"Idempotency-Key": evil, "X": evil}, path={"proxy": evil}
    )
    assert len(parse_qs(call)["MessageBody"]) == 1
    assert webhook(call).id == evil


@pytest.mark.parametrize(
    ("method", "header", "payload"),
    [
        ("GET", {}, b""),
        ("HEAD", {"Content-Type": "text/plain"}, b""),
        ("GET", {"content-type": "application/json"}, b""),
        ("POST", {}, b""),
        ("POST", {"Content-Type": "application/json"}, b"{}"),
        ("POST", {"content-type": "application/x-www-form-urlencoded"}, b"{}"),
    ],
)
def test_an_absent_body_of_a_post_with_a_content_type_is_an_empty_object(
    velocity: Velocity, method: str, header: dict[str, str], payload: bytes
) -> None:
    context = CONTEXT | {"httpMethod": method}
    call, _ = both(velocity, request_template(), body="{}", header=header, context=context)
    assert webhook(call).body == payload


@pytest.mark.parametrize("body", ["\x00", "a\x1fb", "\ufffd", "\uffff", "a\ufffeb"])
def test_text_that_sqs_would_alter_is_rejected_by_leaving_the_body_out(velocity: Velocity, body: str) -> None:
    call, _ = both(velocity, request_template(), body=body)
    assert "MessageBody" not in parse_qs(call)


@pytest.mark.parametrize("body", ["\t\r\n ~", "\ud7ff\ue000\ufffc", "\U00010000\U0010ffff", "x" * 500_000])
def test_text_that_sqs_can_carry_is_sent(velocity: Velocity, body: str) -> None:
    call, _ = both(velocity, request_template(), body=body)
    assert webhook(call).text == body


def test_a_fifo_queue_gets_group_and_deduplication_id(velocity: Velocity) -> None:
    call, _ = both(velocity, request_template(fifo=True), body="x")
    assert parse_qs(call)["MessageGroupId"] == ["webhook"]
    assert parse_qs(call)["MessageDeduplicationId"] == [CONTEXT["extendedRequestId"]]


@by_property
@given(
    shops=st.dictionaries(st.sampled_from(["X-Shop", "x-shop", "X-SHOP", "X-Shops"]), values, max_size=3),
    fifo=st.booleans(),
)
def test_a_group_by_a_header_is_one_that_sqs_takes(velocity: Velocity, shops: dict[str, str], fifo: bool) -> None:
    call, _ = both(velocity, request_template(fifo=fifo, group_by=BY_SHOP), header=shops, body="x")
    sent = parse_qs(call)
    named = [value for name, value in shops.items() if name.lower() == "x-shop" and value]
    if not named:
        assert sent.get("MessageGroupId") == (["-"] if fifo else None)
        return
    (group,) = sent["MessageGroupId"]
    assert is_group(group)
    if is_group(named[-1]):
        assert group == named[-1]
    assert sent.get("MessageDeduplicationId") == ([CONTEXT["extendedRequestId"]] if fifo else None)


@pytest.mark.parametrize(
    ("value", "group"),
    [("shop-1.example", "shop-1.example"), ("a b", "a_b"), ("ü😀\t", "___"), ("x" * 200, "x" * 128)],
)
def test_a_group_is_cut_and_other_characters_are_replaced(velocity: Velocity, value: str, group: str) -> None:
    call, _ = both(velocity, request_template(group_by=BY_SHOP), header={"X-Shop": value}, body="x")
    assert parse_qs(call)["MessageGroupId"] == [group]


@pytest.mark.parametrize("fifo", [True, False])
def test_a_group_by_the_endpoint_is_its_path(velocity: Velocity, fifo: bool) -> None:
    call, _ = both(velocity, request_template(fifo=fifo, group_by=GroupBy.mount()), body="x")
    assert parse_qs(call)["MessageGroupId"] == ["/hooks"]


def test_an_accepted_request_is_answered_in_one_line(velocity: Velocity) -> None:
    template = mapping_template("accepted", DELIVERY_ID_HEADER="idempotency-key")
    answer, context = both(velocity, template, header={"Idempotency-Key": 'it\'s "7"'}, body="<SendMessageResponse/>")
    assert answer == r"""{"id":"it's \"7\""}"""
    assert "status" not in context["responseOverride"]


@by_property
@given(body=values)
def test_an_acknowledgement_is_sent_as_written_whatever_it_means_to_velocity(velocity: Velocity, body: str) -> None:
    answer, context = both(velocity, literal(body), body="<SendMessageResponse/>")
    assert answer == body
    assert "status" not in context["responseOverride"]


def test_if_sqs_fails_the_provider_may_try_again(velocity: Velocity) -> None:
    answer, _ = both(velocity, mapping_template("unavailable"), body="<html>")
    assert answer == '{"message":"The webhook could not be queued: try again."}'


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        ('{"Error":{"Code":"MissingParameter"}}', 400, "cannot carry as text"),
        ('{"Error":{"Code":"InvalidMessageContents"}}', 400, "cannot carry as text"),
        ('{"Error":{"Message":"Message must be shorter than 1048576 bytes."}}', 413, "too large"),
        ('{"Error":{"Code":"AccessDenied"}}', 503, "try again"),
        ("<html>", 503, "try again"),
    ],
)
@pytest.mark.parametrize("as_base64", [False, True])
def test_a_rejection_of_sqs_becomes_an_error_of_the_client_or_of_the_server(
    velocity: Velocity, error: str, status: int, says: str, as_base64: bool
) -> None:
    body = base64.b64encode(error.encode()).decode() if as_base64 else error
    answer, context = both(velocity, mapping_template("rejected"), body=body)
    assert context["responseOverride"]["status"] == status
    assert says in json.loads(answer)["message"]
    assert "\n" not in answer


class TestHandshakes:
    """Responses of API Gateway itself."""

    token = "Validation: <b>Zoë</b> $x #if &+"

    @pytest.mark.parametrize("query", [{}, {"validationToken": ""}, {"other": "x"}, {"validationTokens": "x"}])
    def test_a_notification_of_microsoft_graph_is_a_message(self, velocity: Velocity, query: dict[str, str]) -> None:
        request = mapping_template("validation_request", REQUEST=request_template())
        call, _ = both(velocity, request, body='{"value": []}', querystring=query)
        assert webhook(call).body == b'{"value": []}'
        accepted = mapping_template("validation_accepted", ACCEPTED=mapping_template("accepted", DELIVERY_ID_HEADER=""))
        answer, context = both(velocity, accepted, body="of SQS", querystring=query)
        assert json.loads(answer) == {"id": CONTEXT["extendedRequestId"]}
        assert context["responseOverride"] == {"header": {}}

    # SharePoint writes the name in lower case.
    @pytest.mark.parametrize("name", ["validationToken", "validationtoken"])
    def test_the_token_of_microsoft_graph_is_echoed_and_is_no_message(self, velocity: Velocity, name: str) -> None:
        request = mapping_template("validation_request", REQUEST=request_template())
        call, _ = both(velocity, request, body="{}", querystring={"other": "x", name: self.token})
        assert call == "Action=GetQueueAttributes&Version=2012-11-05&AttributeName.1=QueueArn"
        accepted = mapping_template("validation_accepted", ACCEPTED=mapping_template("accepted", DELIVERY_ID_HEADER=""))
        answer, context = both(velocity, accepted, body="of SQS", querystring={"other": "x", name: self.token})
        assert answer == self.token
        assert context["responseOverride"]["status"] == 200
        assert context["responseOverride"]["header"]["Content-Type"] == "text/plain"

    @pytest.mark.parametrize("name", ["X-Okta-Verification-Challenge", "x-okta-verification-challenge"])
    def test_the_challenge_of_okta_is_echoed(self, velocity: Velocity, name: str) -> None:
        answer, context = both(velocity, mapping_template("okta"), header={name: "Me'\"<b>\\", "Other": "x"})
        assert json.loads(answer) == {"verification": "Me'\"<b>\\"}
        assert context["responseOverride"] == {"header": {}}

    @pytest.mark.parametrize("header", [{}, {"X-Okta-Verification-Challenge": ""}, {"Authorization": "shh"}])
    def test_without_a_challenge_there_is_no_answer(self, velocity: Velocity, header: dict[str, str]) -> None:
        answer, context = both(velocity, mapping_template("okta"), header=header)
        assert "must be there" in json.loads(answer)["message"]
        assert context["responseOverride"]["status"] == 400
