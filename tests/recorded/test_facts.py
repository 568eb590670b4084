"""Replay requests recorded from AWS against the local API Gateway, the templates, the functions and the filters."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import Response

import cdk_scalable_webhook
from cdk_scalable_webhook.filters import EventFilters as AtSynth
from cdk_scalable_webhook.filters import filter_environment
from scalable_webhook_cli.gateway import mapping, proxy, server
from scalable_webhook_cli.gateway.answers import GatewayResponse
from scalable_webhook_cli.gateway.call import Call, context_of
from scalable_webhook_cli.gateway.rest_api import Method, RestApi
from scalable_webhook_cli.gateway.velocity import render
from webhook_runtime import message
from webhook_runtime.clients import AwsRejected
from webhook_runtime.contract.settings import FilterSettings, from_environment
from webhook_runtime.filters import EventFilters
from webhook_runtime.requests import OfRestApi
from webhook_runtime.testing import webhook

from ..runtime.doubles import entry_too_long, too_long
from .facts import FACTS, of


def test_each_fact_has_its_test_and_most_have_a_date() -> None:
    assert len(FACTS) > 80
    assert [id for id, fact in FACTS.items() if "::" not in fact["source"]] == []
    assert len([id for id, fact in FACTS.items() if fact["recorded_at"] is None]) < 10


def call(fact: dict[str, Any]) -> Any:
    """Return the request of a fact after its method was found."""
    request = fact["request"]
    path, _, query = f"/_aws/execute-api/api{request.get('path', '/stage/x')}".partition("?")
    body = bytes.fromhex(request["hex"]) if "hex" in request else request.get("body", "").encode()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST" if body else "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.get("headers", {}).items()],
        "client": ("203.0.113.7", 1),
    }
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:f/invocations"
    resource = request.get("resource", "/{proxy+}")
    more = {name: request[name] for name in ("contentHandling", "requestParameters") if request.get(name)}
    method = Method("r", resource, "NONE", False, {"type": "AWS_PROXY", "uri": uri} | more)
    types = request.get("binaryMediaTypes", ())
    api = RestApi("api", "us-east-1", path.split("/")[4], {}, types, None, {resource: {"ANY": method}}, None)
    found: list[Any] = []

    class Watched(server.Gateway):
        async def _execute(self, *reached: Any) -> Response:
            found.extend(reached)
            return Response()

    watched = Watched("http://127.0.0.1:9", "key")
    watched._apis = SimpleNamespace(get=lambda *_: api)  # type: ignore[assignment]
    asyncio.run(watched.handle(Request(scope)))
    reached, _, _, parameters = found
    return Call(reached, body, api, method, parameters, context_of(reached, api, method))


@pytest.mark.parametrize("id", of("event-path"))
def test_a_path_arrives_as_the_client_wrote_it(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    event = proxy.event(call(FACTS[id]))
    assert event["path"] == recorded["path"]
    assert event["pathParameters"] == (recorded["proxy"] and {"proxy": recorded["proxy"]})
    assert event["requestContext"]["path"] == recorded["context_path"]


@pytest.mark.parametrize("id", of("event-path"))
def test_the_publisher_makes_path_and_url_of_a_recorded_event(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    event = proxy.event(call(FACTS[id]))
    made = OfRestApi().read(event)
    assert made.path == recorded["path"]
    assert made.url == f"https://api.execute-api.us-east-1.amazonaws.com{recorded['context_path']}"


@pytest.mark.parametrize("id", of("event-query"))
def test_a_query_arrives_decoded(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    event = proxy.event(call(FACTS[id]))
    assert event["queryStringParameters"] == recorded["query"]
    if "all" in recorded:
        assert event["multiValueQueryStringParameters"] == recorded["all"]


@pytest.mark.parametrize("id", of("event-body"))
def test_a_payload_arrives_as_text_or_not_at_all(id: str) -> None:
    event = proxy.event(call(FACTS[id]))
    assert event.items() >= FACTS[id]["recorded"].items()


def test_the_context_of_an_event_has_all_its_names() -> None:
    recorded = FACTS["event-context"]["recorded"]
    context = proxy.event(call(FACTS["event-context"]))["requestContext"]
    assert sorted(context) == recorded["names"]
    assert sorted(context["identity"]) == recorded["identity"]
    assert sorted(name for name, value in context["identity"].items() if value is None) == recorded["null"]


@pytest.mark.parametrize("id", of("event-headers"))
def test_some_headers_never_reach_a_function_and_some_are_added(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    headers = {name.lower() for name in proxy.event(call(FACTS[id]))["headers"]}
    assert [name for name in recorded["dropped"] if name.lower() in headers] == []
    assert [name for name in recorded["arrived"] if name.lower() not in headers] == []


def test_some_headers_never_reach_a_template() -> None:
    fact = FACTS["template-headers-dropped-regional"]
    # It writes each header by itself, and compares names with regard to case.
    template = "".join(f"{name}=$input.params('{name.lower()}')\n" for name in fact["recorded"]["rendered"])
    written = dict(line.partition("=")[::2] for line in mapping.rendered(template, call(fact), "").splitlines())
    assert written == fact["recorded"]["rendered"]


def test_a_proxy_event_ignores_request_parameters() -> None:
    fact = FACTS["event-ignores-request-parameters"]
    event = proxy.event(call(fact))
    headers = {name.lower(): value for name, value in fact["recorded"]["headers"].items()}
    assert event["headers"].items() >= headers.items()
    for name in ("queryStringParameters", "pathParameters"):
        assert event[name] == fact["recorded"][name]


@pytest.mark.parametrize("id", [*of("binary-request-none"), *of("binary-request-to-text")])
def test_the_content_type_decides_how_bytes_arrive(id: str) -> None:
    assert mapping.text(call(FACTS[id])) == FACTS[id]["recorded"]["back_end_got"]


def test_a_template_for_bytes_is_an_error() -> None:
    fact = FACTS["binary-request-template-of-bytes"]
    reached = call(fact)
    templates = {"requestTemplates": {"application/json": fact["request"]["template"]}}
    method = replace(reached.method, integration=reached.method.integration | templates)
    with pytest.raises(GatewayResponse) as rejected:
        mapping.request(replace(reached, method=method))
    assert rejected.value.status == fact["recorded"]["status"]


def test_a_reply_of_sqs_is_json_to_a_template() -> None:
    fact = FACTS["sqs-reply-as-json"]
    found = rendered(fact["request"]["template"], mapping.as_json(fact["request"]["xml"].encode()))
    assert json.loads(found) == fact["recorded"]["answer"]
    fact = FACTS["query-error-as-json"]
    said, recorded = json.loads(mapping.as_json(fact["request"]["xml"].encode())), fact["recorded"]["body"]
    assert said["Error"].items() >= recorded["Error"].items()


@pytest.mark.parametrize("id", ["template-body-absent", "sqs-no-payload"])
def test_an_absent_payload_is_an_empty_object_to_a_template(id: str) -> None:
    fact = FACTS[id]
    reached = call(fact)
    assert mapping.rendered(fact["request"]["template"], reached, mapping.text(reached)) == fact["recorded"]["rendered"]


def rendered(template: str, body: object, **request: Any) -> str:
    empty: dict[str, Any] = {"header": {}, "querystring": {}, "path": {}, "context": {}}
    text = "{}" if body is None else body if isinstance(body, str) else json.dumps(body)
    return render(template, body=text, **empty | request)


@pytest.mark.parametrize("id", ["template-body", "template-body-in-a-call", "template-url-encode"])
def test_a_payload_is_its_own_text_and_a_missing_field_is_nothing(id: str) -> None:
    request = FACTS[id]["request"]
    assert [rendered(request["template"], body) for body in request["bodies"]] == FACTS[id]["recorded"]["rendered"]


def test_an_object_prints_as_in_java_and_a_list_as_json() -> None:
    fact = FACTS["template-path-printed"]
    found = [rendered(fact["request"]["template"], {"json": sent}) for sent in fact["request"]["sent"]]
    assert found == fact["recorded"]["rendered"]


def test_a_missing_value_prints_as_nothing_and_equals_null_and_an_empty_text() -> None:
    fact = FACTS["template-path-absent"]
    template = fact["request"]["template"]
    found = [rendered(template.replace("PATH", path), {"json": sent}) for path, sent in fact["request"]["cases"]]
    assert found == fact["recorded"]["rendered"]


def test_a_variable_of_the_stage_that_is_not_there_prints_as_nothing() -> None:
    fact = FACTS["template-stage-variable-absent"]
    assert json.loads(rendered(fact["request"]["template"], None)) == json.loads(fact["recorded"]["rendered"])


def test_a_parameter_of_the_query_is_decoded_in_a_template() -> None:
    fact = FACTS["template-query-parameter-decoded"]
    assert mapping.rendered(fact["request"]["template"], call(fact), "{}") == fact["recorded"]["rendered"]


def test_the_template_of_a_response_has_the_parameters_of_the_request() -> None:
    fact = FACTS["template-params-map-of-path"]
    found = rendered(fact["request"]["template"], None, path=fact["request"]["path_parameters"])
    assert json.loads(found) == fact["recorded"]["rendered"]


def test_an_absent_reply_is_an_empty_object_too() -> None:
    fact = FACTS["template-reply-absent"]
    reached = call(fact | {"request": {"path": "/stage/x"}})
    assert mapping.rendered(fact["request"]["template"], reached, mapping.reply_text(reached, {}, "")) == "{}"


def test_without_a_template_an_absent_payload_is_passed_on_as_an_empty_object() -> None:
    fact = FACTS["passthrough-without-body"]
    assert mapping.request(call(fact)) == fact["recorded"]["passed_on"]


def test_the_template_of_a_response_decides_the_status() -> None:
    fact = FACTS["override-status-in-response-template"]
    statuses = []
    for reply in fact["request"]["replies"]:
        context: dict[str, Any] = {}
        render(
            fact["request"]["template"],
            body=reply,
            header={},
            querystring={},
            path={},
            stage_variables={},
            context=context,
        )
        statuses.append(context["responseOverride"]["status"])
    assert statuses == fact["recorded"]["statuses"]


@pytest.mark.parametrize("id", ["send-too-long", "send-batch-entry-too-long"])
def test_sqs_says_how_much_the_queue_holds(id: str) -> None:
    fact = FACTS[id]
    said = ClientError({"Error": {"Code": "InvalidParameterValue", "Message": fact["recorded"]["message"]}}, "Send")
    assert message.limit_in(said) == fact["request"]["holds"]
    assert message.limit_in(too_long(fact["request"]["holds"])) == fact["request"]["holds"]
    of_an_entry = entry_too_long(fact["request"]["holds"])
    assert message.limit_in(AwsRejected({"Error": of_an_entry}, "SendMessageBatch")) == fact["request"]["holds"]


def test_a_message_without_a_body_is_rejected_by_a_name_that_the_template_knows() -> None:
    template = Path(cdk_scalable_webhook.__file__).with_name("endpoint").joinpath("mapping", "rejected.vtl").read_text()
    assert f'"{FACTS["send-empty-body"]["recorded"]["code"]}"' in template


@pytest.mark.parametrize("id", of("ruler"))
def test_a_filter_matches_as_awss_rule_engine_did(id: str) -> None:
    fact = FACTS[id]
    found = [wants(case["pattern"], case["event"]) for case in fact["request"]["cases"]]
    assert found == fact["recorded"]["matches"]


@pytest.mark.parametrize("id", ["esm-filter-texts", "esm-filter-numbers"])
def test_a_filter_keeps_what_a_mapping_kept(id: str) -> None:
    fact = FACTS[id]
    for case, recorded in zip(fact["request"]["cases"], fact["recorded"]["invoked_with"], strict=True):
        assert [each for each in case["messages"] if wants(case["pattern"]["body"], each)] == recorded


def test_a_payload_that_is_not_json_matches_no_filter_of_its_fields() -> None:
    fact = FACTS["esm-filter-no-json"]
    pattern, messages = fact["request"]["pattern"], fact["request"]["messages"]
    assert [each for each in messages if wants_text(pattern, each)] == fact["recorded"]["invoked_with"]


def wants(pattern: Any, event: Any) -> bool:
    return wants_text(pattern, json.dumps(event))


def wants_text(pattern: Any, payload: str) -> bool:
    """Match the pattern as synth writes it."""
    written = filter_environment({"/": AtSynth([{"body": pattern}])})
    by_mount = from_environment(FilterSettings, written).event_filters
    assert by_mount
    return EventFilters(by_mount).want(webhook(payload))
