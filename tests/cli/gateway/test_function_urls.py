"""Function URLs of the local AWS: the event of each request, the response, and who may call."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalable_webhook_cli.addresses import called, reachable
from scalable_webhook_cli.gateway.function_urls import response
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import wait_for

from ...suite.patience import SECONDS, http
from .test_permission import zipped

ECHO = """
import json
def handler(event, context):
    if event.get("body") == "raise":
        raise RuntimeError("as asked")
    return {"statusCode": 201, "headers": {"X-Made": "here"}, "cookies": ["a=1"], "body": json.dumps(event)}
"""
BOTH: dict[str, dict[str, Any]] = {
    "url": {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    "function": {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running() as started:
        yield started


def create(emulator: Emulator, name: str, auth_type: str = "NONE", permissions: Any = tuple(BOTH)) -> str:
    """Create a function with a URL, and return its local one."""
    functions = emulator.client("lambda")
    role = f"arn:aws:iam::{emulator.account}:role/any"
    functions.create_function(
        FunctionName=name, Runtime="python3.11", Handler="index.handler", Role=role, Code={"ZipFile": zipped(ECHO)}
    )
    for each in permissions:
        functions.add_permission(FunctionName=name, StatementId=each, Principal="*", **BOTH[each])
    url = functions.create_function_url_config(FunctionName=name, AuthType=auth_type)["FunctionUrl"]
    return reachable(emulator, url)


@pytest.fixture(scope="module")
def url(emulator: Emulator) -> str:
    return create(emulator, "echo")


def test_an_event_has_the_request_as_it_was_sent(url: str, emulator: Emulator) -> None:
    headers = [("X-Tag", "a"), ("x-tag", "b"), ("Cookie", "c=1; d=2"), ("Content-Type", "application/json")]
    answer = http.request("PUT", f"{url}a%2Fb//c%20d/?q=%20+&q=2&%26", content=b'{"a": 1}', headers=headers)
    event = answer.json()
    assert event["rawPath"] == "/a%2Fb//c%20d/"
    assert event["rawQueryString"] == "q=%20+&q=2&%26"
    assert event["headers"]["x-tag"] == "a,b"
    assert event["cookies"] == ["c=1", "d=2"]
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    context = event["requestContext"]
    assert (context["http"]["method"], context["http"]["path"]) == ("PUT", "/a%2Fb//c%20d/")
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert event["headers"]["host"] == context["domainName"] == urlsplit(called(emulator, url)).netloc
    # The answer has the id by which the function logs the request.
    assert answer.headers["x-amzn-requestid"] == context["requestId"]
    assert (answer.status_code, answer.headers["x-made"], answer.headers["set-cookie"]) == (201, "here", "a=1")


@settings(max_examples=30)
@given(payload=st.binary(min_size=1, max_size=200))
def test_a_payload_that_is_no_text_arrives_byte_for_byte(url: str, payload: bytes) -> None:
    event = http.post(url, content=payload, headers={"Content-Type": "application/octet-stream"}).json()
    assert base64.b64decode(event["body"]) == payload


def test_a_request_without_a_payload_has_no_body(url: str) -> None:
    event = http.get(url).json()
    assert "body" not in event
    assert event["isBase64Encoded"] is False


def test_a_function_that_fails_is_answered_with_502(url: str) -> None:
    answer = http.post(url, content=b"raise", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()) == (502, {"Message": "Internal Server Error"})


@pytest.mark.parametrize("missing", BOTH)
def test_each_of_the_two_permissions_is_needed(missing: str, emulator: Emulator) -> None:
    url = create(emulator, f"without-{missing}", permissions=[name for name in BOTH if name != missing])
    assert http.post(url).status_code == 403
    emulator.client("lambda").add_permission(
        FunctionName=f"without-{missing}", StatementId=missing, Principal="*", **BOTH[missing]
    )
    assert wait_for(lambda: http.post(url).status_code == 201, SECONDS)


def test_a_url_that_wants_a_signature_and_one_that_does_not_exist_are_closed(emulator: Emulator) -> None:
    signed = create(emulator, "signed", "AWS_IAM")
    assert http.post(signed).status_code == 403
    nowhere = f"{emulator.endpoint}/_aws/lambda-url/{'a' * 32}/"
    assert (http.post(nowhere).status_code, http.post(nowhere).json()) == (403, {"Message": "Forbidden"})


def test_the_emulator_behind_the_gateway_runs_no_function_url(emulator: Emulator, url: str) -> None:
    process = emulator.processes[0].find()
    assert process
    port = process.environ()["GATEWAY_PORT"]
    direct = url.replace(emulator.endpoint, f"http://127.0.0.1:{port}")
    assert http.post(direct).status_code == 403
    host = urlsplit(called(emulator, url)).netloc
    assert http.post(emulator.endpoint, headers={"Host": host}).status_code == 403


def test_an_event_that_is_too_large_is_answered_with_413(url: str) -> None:
    six = b"x" * (6 * 1024 * 1024 - 4096)
    assert http.post(url, content=six, headers={"Content-Type": "text/plain"}).status_code in (201, 502)
    assert http.post(url, content=six + b"x" * 4096, headers={"Content-Type": "text/plain"}).status_code == 413
    assert http.post(url, content=b"x" * (11 * 1024 * 1024)).status_code == 413


def test_a_reserved_concurrency_of_0_closes_the_url(emulator: Emulator) -> None:
    url = create(emulator, "closed")
    functions = emulator.client("lambda")
    functions.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
    assert http.post(url).status_code == 429


@pytest.mark.parametrize("answer", ["text", {"a": 1}, None, ["x"]])
def test_an_answer_without_a_status_is_the_body(answer: Any) -> None:
    made = response(answer, "id")
    assert (made.status_code, json.loads(bytes(made.body))) == (200, answer)
