"""Replay responses recorded from AWS against the local API Gateway: those of a function, and its own."""

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from scalable_webhook_cli.gateway import answers, mapping, server
from scalable_webhook_cli.gateway.rest_api import Method, RestApi
from scalable_webhook_cli.target import Target

from .facts import FACTS, of

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
FUNCTION = {"type": "AWS_PROXY", "uri": f"arn:aws:apigateway:us-east-1:lambda:path/x/functions/{ARN}/invocations"}
Call = Callable[..., httpx.Response]


def api(resources: Mapping[str, list[str]], integration: Mapping[str, Any], *binary: str) -> RestApi:
    methods = {
        path: {name: Method("r", path, "NONE", False, integration) for name in names}
        for path, names in resources.items()
    }
    return RestApi("api", "us-east-1", "dev", {}, binary, None, methods, None)


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Send a request to an API in front of a function with this response or error."""

    def send(of: RestApi, line: str = "GET /dev/x", answer: object = None, **headers: str) -> httpx.Response:
        def invoke(**_: object) -> dict[str, Any]:
            if isinstance(answer, ClientError):
                raise answer
            failed = {"FunctionError": "Unhandled"} if isinstance(answer, Exception) else {}
            return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer, default=str).encode()), **failed}

        known = SimpleNamespace(get=lambda *_: of, may_enter=lambda *_: True, saw_region=lambda _: None)
        monkeypatch.setattr(server, "RestApis", lambda _: known)
        monkeypatch.setattr(server, "Permissions", lambda _: SimpleNamespace(allow=lambda *_: True))
        monkeypatch.setattr(server, "AccessLog", lambda _: SimpleNamespace(write=lambda *_: None))
        monkeypatch.setattr(Target, "client", lambda *_: SimpleNamespace(invoke=invoke))

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(server.create_app("http://127.0.0.1:9", "key"), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                verb, path = line.split(" ", 1)
                names = {name.replace("_", "-"): value for name, value in headers.items()}
                return await http.request(verb, f"/_aws/execute-api/api{path}", headers=names)

        return asyncio.run(request())

    return send


ANY = {"/{proxy+}": ["ANY"]}


@pytest.mark.parametrize("id", of("answer-rejected") + of("answer-lenient") + of("answer-empty") + of("answer-base64"))
def test_an_answer_of_a_function_is_accepted_or_rejected(id: str, send: Call) -> None:
    for said, recorded in zip(FACTS[id]["request"]["answers"], FACTS[id]["recorded"]["answered"], strict=True):
        answer = send(api(ANY, FUNCTION), answer=said)
        assert answer.status_code == recorded["status"]
        content = recorded.get("content", "")
        assert (answer.json() if isinstance(content, dict) else answer.text) == content
        assert (
            answer.headers.items()
            >= {name.lower(): value for name, value in recorded.get("headers", {}).items()}.items()
        )


@pytest.mark.parametrize("answer", [RuntimeError("it raises"), None, ["a"], {"headers": {"a": ["b"]}}, {"body": {}}])
def test_an_invalid_answer_of_a_function_is_rejected(answer: object, send: Call) -> None:
    answered = send(api(ANY, FUNCTION), answer=answer)
    assert (answered.status_code, answered.json()) == (502, {"message": "Internal server error"})
    assert answered.headers["x-amzn-errortype"] == "InternalServerErrorException"


def test_an_answer_has_a_type_and_the_ids_of_the_request(send: Call) -> None:
    fact = FACTS["answer-headers"]
    (recorded,) = fact["recorded"]["answered"]
    answer = send(api(ANY, FUNCTION), answer=fact["request"]["answers"][0])
    assert answer.headers.items() >= {name.lower(): value for name, value in recorded["headers"].items()}.items()
    assert [name for name in recorded["names"] if name not in answer.headers] == []


def test_both_maps_of_headers_count(send: Call) -> None:
    fact = FACTS["answer-header-maps"]
    for said, recorded in zip(fact["request"]["answers"], fact["recorded"]["answered"], strict=True):
        headers = send(api(ANY, FUNCTION), answer=said).headers
        assert [headers[name] for name in recorded] == list(recorded.values())


def test_accept_decides_whether_base64_is_decoded(send: Call) -> None:
    fact = FACTS["binary-answer-by-accept"]
    found = []
    for types, accept, is_base64 in fact["request"]["cases"]:
        said = {"statusCode": 200, "body": "AP8=", "isBase64Encoded": is_base64}
        content = send(api(ANY, FUNCTION, *types), answer=said, Accept=accept).content
        assert content in (b"AP8=", b"\0\xff")
        found.append(content == b"\0\xff")
    assert found == fact["recorded"]["decoded"]


def test_invalid_base64_is_an_error_of_the_api(send: Call) -> None:
    fact = FACTS["binary-answer-bad-base64"]
    request = fact["request"]
    answer = send(api(ANY, FUNCTION, *request["binaryMediaTypes"]), answer=request["answer"], Accept=request["accept"])
    assert answer.status_code == fact["recorded"]["status"]


MOCK = {
    "type": "MOCK",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "integrationResponses": {"200": {"statusCode": "200"}},
}


@pytest.mark.parametrize("kind", [FUNCTION, MOCK], ids=lambda kind: kind["type"])
def test_a_functions_answer_names_the_trace(kind: Mapping[str, Any], send: Call) -> None:
    recorded = FACTS["answer-trace-header"]["recorded"]
    answer = send(api(ANY, kind), answer={})
    assert ("x-amzn-trace-id" in answer.headers) == recorded[kind["type"]]


def test_the_trace_of_the_client_is_kept(send: Call) -> None:
    fact = FACTS["trace-header-kept"]
    for trace, contains in zip(fact["request"]["traces"], fact["recorded"]["contains"], strict=True):
        answered = send(api(ANY, FUNCTION), answer={}, X_Amzn_Trace_Id=trace).headers["x-amzn-trace-id"]
        assert contains in answered
        assert ";Parent=" in answered


def test_some_headers_of_an_answer_arrive_under_another_name(send: Call) -> None:
    fact = FACTS["response-parameters-headers"]
    names = fact["request"]["names"]
    parameters = {f"method.response.header.{name}": f"'response_param_{name}'" for name in names}
    response = {"statusCode": "200", "responseParameters": parameters}
    by_template = send(api(ANY, MOCK | {"integrationResponses": {"200": response}}))
    by_function = send(api(ANY, FUNCTION), answer={"headers": {name: f"response_param_{name}" for name in names}})
    for answer in (by_template, by_function):
        arrived = {name: value for name, value in answer.headers.items() if value.startswith("response_param_")}
        expected = [*fact["recorded"]["as_named"], *fact["recorded"]["remapped"]]
        assert sorted(arrived) == sorted(name.lower() for name in expected)


def test_some_headers_of_a_call_cannot_be_mapped(send: Call) -> None:
    fact = FACTS["request-parameters-forbidden"]
    for name in fact["request"]["names"]:
        answer = send(
            api(ANY, FUNCTION | {"requestParameters": {f"integration.request.header.{name}": "'x'"}}), answer={}
        )
        rejected(answer, fact["recorded"] | fact["recorded"]["headers"])


def rejected(answer: httpx.Response, recorded: Mapping[str, Any]) -> None:
    """Compare a response with the recording, and require the ids of each response."""
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-amzn-errortype"] == recorded.get("x-amzn-ErrorType", "InternalServerErrorException")
    assert answer.headers["x-amzn-requestid"]
    assert answer.headers["x-amz-apigw-id"]


@pytest.mark.parametrize("id", of("routing-unknown"))
def test_a_request_without_an_integration_is_rejected(id: str, send: Call) -> None:
    request, recorded = FACTS[id]["request"], FACTS[id]["recorded"]
    rejected(send(api(request["resources"], MOCK), request["call"]), recorded)
    # A method that no API has is answered elsewhere.
    rejected(send(api(request["resources"], MOCK), "PROPFIND /dev/existing"), recorded)


@pytest.mark.parametrize("id", [*of("routing-method"), *of("routing-fixed")])
def test_a_request_reaches_the_method_that_it_should(id: str) -> None:
    made = api(FACTS[id]["request"]["resources"], MOCK)
    for line, resource in FACTS[id]["recorded"].items():
        verb, path = line.split(" ")
        found = made.match(path, verb)
        assert found
        assert found[0].resource_path == resource


def test_a_request_with_the_api_key_is_accepted(send: Call) -> None:
    fact, made = FACTS["api-key"], api(ANY, MOCK)
    methods = {"/{proxy+}": {"ANY": replace(made.resources["/{proxy+}"]["ANY"], api_key_required=True)}}
    keyed = replace(made, resources=methods, api_keys=frozenset({"key"}))
    answers = [send(keyed, **({"X_Api_Key": key} if key else {})) for key in fact["request"]["keys"]]
    assert [answer.status_code for answer in answers] == fact["recorded"]["statuses"]


def test_a_function_that_cannot_be_called_is_an_error_of_the_api(send: Call) -> None:
    answer = send(api(ANY, FUNCTION), answer=ClientError({"Error": {"Code": "AccessDenied"}}, "Invoke"))
    rejected(answer, FACTS["integration-failure-status"]["recorded"])


def test_a_template_without_a_status_is_an_error_of_the_api(send: Call) -> None:
    answer = send(api(ANY, MOCK | {"requestTemplates": {"application/json": "{}"}}))
    rejected(answer, FACTS["gateway-bad-endpoint"]["recorded"])


def test_each_rejection_has_the_status_of_its_type() -> None:
    statuses = FACTS["gateway-response-defaults"]["recorded"]["status"]
    for message, status in {
        "Endpoint request timed out": 504,
        "Forbidden": 403,
        "Missing Authentication Token": 403,
        "Request Too Long": 413,
        "Too Many Requests": 429,
        "Unsupported Media Type": 415,
        "User: anonymous is not authorized": 403,
    }.items():
        answer = answers.GatewayResponse(status, message)
        assert statuses[answer.type] == str(status)
        assert answer.response().headers["x-amzn-errortype"].endswith("Exception")


def test_a_mocks_template_need_not_be_json(send: Call) -> None:
    fact = FACTS["mock-status-code-not-json"]
    answer = send(api(ANY, MOCK | {"requestTemplates": {"application/json": fact["request"]["template"]}}))
    assert (answer.status_code, answer.text) == (fact["recorded"]["status"], fact["recorded"]["body"])


def test_the_template_of_a_request_may_decide_on_the_answer(send: Call) -> None:
    fact = FACTS["override-in-request-template"]
    answer = send(api(ANY, MOCK | {"requestTemplates": {"application/json": fact["request"]["template"]}}))
    assert (answer.status_code, answer.headers["foo"]) == (fact["recorded"]["status"], fact["recorded"]["header foo"])


@pytest.mark.parametrize("id", of("selection"))
def test_the_status_of_the_back_end_selects_the_response(id: str) -> None:
    request = FACTS[id]["request"]
    responses = {
        status: {"statusCode": status, **({"selectionPattern": pattern} if pattern else {})}
        for status, pattern in request["responses"].items()
    }
    chosen = [
        mapping.integration_response({"integrationResponses": responses}, status)["statusCode"]
        for status in request["statuses"]
    ]
    assert chosen == FACTS[id]["recorded"]["chosen"]


def test_the_only_template_is_used_for_any_accepted_type() -> None:
    fact = FACTS["response-template-by-other-type"]
    response = {"responseTemplates": fact["request"]["templates"]}
    assert mapping.response_template(response, fact["request"]["accept"])[0] == fact["recorded"]["content_type"]
