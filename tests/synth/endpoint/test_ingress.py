"""Both ingresses write the same message for any request. These tests need no AWS."""

import base64
import re
from typing import Any
from urllib.parse import parse_qsl, quote

from hypothesis import given
from hypothesis import strategies as st

from cdk_scalable_webhook.endpoint.api import mount_of
from cdk_scalable_webhook.endpoint.templates import mapping_template
from scalable_webhook_cli.gateway.velocity import render
from webhook_runtime import message
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.publisher import Publisher

from ...runtime.doubles import Sqs
from ...runtime.events import REQUEST_ID, record, request

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
payloads = st.one_of(st.binary(max_size=200), texts.map(str.encode), st.sampled_from([b"", b"{}", b"-"]))
# These names differ in more than their case: no header is repeated.
names = st.one_of(st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True), st.sampled_from(["X-API-Key", "authorization"]))
headers = st.dictionaries(names, texts, max_size=5).filter(lambda d: len({name.lower() for name in d}) == len(d))
secret = st.sampled_from(["X-Api-Key", "x-amz-signature", "X-Amz-Signature x-api-key"])
queries = st.dictionaries(st.one_of(texts, secret), texts, max_size=4)
paths = texts.filter(lambda path: "{" not in path)


CREDENTIALS = {"headers": ["authorization", "x-api-key"], "parameters": ["x-amz-signature", "x-api-key"]}


def through_lambda(
    payload: bytes, header: dict[str, str], query: dict[str, str], path: str, mount: str = "/"
) -> dict[str, Any]:
    sqs = Sqs()
    event = request(payload, proxy=path, headers=list(header.items()), query=list(query.items()), mount=mount)
    settings = PublisherSettings("http://sqs/Queue", "x-id", credentials=CREDENTIALS)
    answer = Publisher(settings, sqs).handle(event, None)
    assert answer["statusCode"] == 202
    (sent,) = sqs.sent
    assert sent.keys() == {"QueueUrl", "MessageBody", "MessageAttributes"}
    return record(sent["MessageBody"], sent["MessageAttributes"]["webhook"]["StringValue"])


def through_direct(
    payload: bytes, header: dict[str, str], query: dict[str, str], path: str, mount: str = "/", *, binary: bool
) -> dict[str, Any] | None:
    template = mapping_template(
        "request",
        BINARY=str(binary).lower(),
        DELIVERY_ID_HEADER="x-id",
        MOUNT=quote(mount, safe=""),
        CREDENTIAL_HEADERS=" ".join(CREDENTIALS["headers"]),
        CREDENTIAL_PARAMETERS=" ".join(CREDENTIALS["parameters"]),
        GROUP="",
        ORDER="",
    )
    call = render(
        template,
        body="{}"
        if not payload
        else base64.b64encode(payload).decode()
        if binary
        else payload.decode(errors="replace"),
        header={**header, "Content-Length": str(len(payload))},
        querystring=query,
        path={"proxy": path},
        context={
            "requestId": "chosen-by-the-client",
            "extendedRequestId": REQUEST_ID,
            "requestTimeEpoch": 1_763_000_000_123,
            "httpMethod": "POST",
            "resourcePath": f"{mount.rstrip('/')}/{{proxy+}}",
            "domainName": "abc.execute-api.us-east-1.amazonaws.com",
            "path": f"/prod{mount.rstrip('/')}/{path}",
            "identity": {"sourceIp": "203.0.113.7"},
        },
    )
    return sent_by(call)


def sent_by(call: str) -> dict[str, Any] | None:
    """Return the message of a call, which must be a SendMessage with one attribute and nothing else."""
    pairs = parse_qsl(call, keep_blank_values=True, strict_parsing=True)
    parameters = dict(pairs)
    assert len(parameters) == len(pairs)
    attribute = {f"MessageAttribute.1.{name}" for name in ("Name", "Value.DataType", "Value.StringValue")}
    assert parameters.keys() <= {"Action", "Version", "MessageBody", *attribute}
    assert (parameters["Action"], parameters["MessageAttribute.1.Name"]) == ("SendMessage", "webhook")
    if "MessageBody" not in parameters:  # SQS rejects it, and the client gets a 400
        return None
    return record(parameters["MessageBody"], parameters["MessageAttribute.1.Value.StringValue"])


def fields(sent: dict[str, Any]) -> dict[str, Any]:
    webhook = message.read(sent)
    own = {name: value for name, value in webhook.headers.items() if name != "content-length"}
    return webhook._asdict() | {"headers": own, "query_string": webhook.query}


@given(payloads, headers, queries, paths)
def test_a_binary_direct_integration_writes_the_message_of_a_lambda_integration(
    payload: bytes, header: dict[str, str], query: dict[str, str], path: str
) -> None:
    header.pop("Content-Length", None)
    direct = through_direct(payload, header, query, path, binary=True)
    assert direct is not None
    assert fields(direct) == fields(through_lambda(payload, header, query, path))
    assert message.read(direct).body == payload


@given(payloads, headers, queries, paths)
def test_a_text_direct_integration_writes_the_same_for_text_and_rejects_other_payloads(
    payload: bytes, header: dict[str, str], query: dict[str, str], path: str
) -> None:
    header.pop("Content-Length", None)
    direct = through_direct(payload, header, query, path, binary=False)
    published = through_lambda(payload, header, query, path)
    text = payload.decode(errors="replace")
    if "\ufffd" in text or not re.fullmatch("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*", text):
        assert direct is None
        return
    assert direct is not None
    if payload in (b"", b"{}"):
        # A template cannot tell them apart, so a source tries both.
        assert message.read(direct).body in (b"", b"{}")
        ignored = {"body": b""}
        assert fields(direct) | ignored == fields(published) | ignored
        return
    assert fields(direct) == fields(published)
    assert direct["body"] == published["body"]


mounts = st.one_of(st.just("/"), st.from_regex(r"(/[A-Za-z0-9._:-]{1,20}){1,3}", fullmatch=True))


@given(mounts, st.one_of(texts, mounts.map("{}#1".format)))
def test_a_webhook_has_the_same_key_at_each_ingress(mount: str, id: str) -> None:
    mount_of(mount)
    through = [
        through_lambda(b"{}", {"X-Id": id}, {}, "below", mount),
        through_direct(b"{}", {"X-Id": id}, {}, "below", mount, binary=False),
        through_direct(b"{}", {"X-Id": id}, {}, "below", mount, binary=True),
    ]
    assert {message.read(sent).key for sent in through if sent} == {f"{mount}#{id or REQUEST_ID}"}


@given(st.one_of(st.text(max_size=30), st.text("/aZ0.-_:#% \n", max_size=8)).map("/{}".format))
def test_no_path_of_an_endpoint_has_the_separator_of_a_key(path: str) -> None:
    try:
        mount_of(path)
    except ValueError:
        return
    assert re.fullmatch(r"[A-Za-z0-9._:/-]+", path)
