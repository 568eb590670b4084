"""What AWS was recorded to do, replayed: against the local API Gateway, the templates, the functions and the filters.

The facts are from the recordings of LocalStack's tests (https://github.com/localstack/localstack, Apache-2.0), which
run against AWS and keep what it answers: in each are the test that recorded it, and the day.
"""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import Response

from cdk_scalable_webhook.filters import EventFilters as AtSynth
from cdk_scalable_webhook.filters import environment
from cdk_scalable_webhook.local import door
from cdk_scalable_webhook.local.rest_api import Method, RestApi
from cdk_scalable_webhook.local.velocity import render
from runtime.doubles import too_long
from runtime.events import REQUEST_ID
from webhook_runtime import message
from webhook_runtime.filters import EventFilters
from webhook_runtime.publisher import Publisher
from webhook_runtime.settings import FilterSettings, PublisherSettings
from webhook_runtime.testing import webhook

FACTS: dict[str, dict[str, Any]] = {
    fact["id"]: fact for fact in json.loads(Path(__file__).with_name("facts.json").read_text())
}


def of(prefix: str) -> list[str]:
    return [id for id in FACTS if id.startswith(prefix)]


def test_each_fact_says_who_recorded_it_and_when() -> None:
    assert len(FACTS) > 20
    assert [id for id, fact in FACTS.items() if "::" not in fact["source"] or not fact["recorded_at"]] == []


def call(fact: dict[str, Any]) -> Any:
    """What the local API Gateway has of a request, once it has found the method."""
    request = fact["request"]
    path, _, query = f"/_aws/execute-api/api{request['path']}".partition("?")
    body = request.get("body", "").encode()
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
    method = Method("r", "/{proxy+}", "NONE", False, {"type": "AWS_PROXY", "uri": uri})
    stage = request["path"].split("/")[1]
    api = RestApi("api", "us-east-1", stage, {}, (), None, {"/{proxy+}": {"ANY": method}}, None)
    found: list[Any] = []

    class Watched(door.Door):
        async def _execute(self, *reached: Any) -> Response:
            found.extend(reached)
            return Response()

    watched = Watched("http://127.0.0.1:9")
    watched._apis = SimpleNamespace(get=lambda *_: api)  # type: ignore[assignment]
    asyncio.run(watched.handle(Request(scope)))
    reached, _, _, parameters = found
    return door._Call(reached, body, api, method, parameters, door._context(reached, api, method))


@pytest.mark.parametrize("id", of("event-path"))
def test_a_path_arrives_as_its_sender_wrote_it(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    event = door._proxy_event(call(FACTS[id]))
    assert event["path"] == recorded["path"]
    assert event["pathParameters"] == {"proxy": recorded["proxy"]}
    assert event["requestContext"]["path"] == recorded["context_path"]


@pytest.mark.parametrize("id", of("event-path"))
def test_the_publisher_makes_path_and_url_of_what_was_recorded(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    event = door._proxy_event(call(FACTS[id]))
    event["requestContext"]["extendedRequestId"] = REQUEST_ID
    made = Publisher(PublisherSettings("queue", None), None)._webhook(event)
    assert made.path == recorded["path"]
    assert made.url == f"https://api.execute-api.us-east-1.amazonaws.com{recorded['context_path']}"


@pytest.mark.parametrize("id", of("event-query"))
def test_a_query_arrives_decoded(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    event = door._proxy_event(call(FACTS[id]))
    assert event["queryStringParameters"] == recorded["query"]
    if "all" in recorded:
        assert event["multiValueQueryStringParameters"] == recorded["all"]


@pytest.mark.parametrize("id", of("event-headers"))
def test_some_headers_never_reach_a_function(id: str) -> None:
    recorded = FACTS[id]["recorded"]
    headers = door._proxy_event(call(FACTS[id]))["headers"]
    assert [name for name in recorded["dropped"] if name.lower() in headers] == []
    assert [name for name in recorded.get("arrived", ()) if name.lower() not in headers] == []


def test_nor_a_template() -> None:
    fact = FACTS["template-headers-dropped-regional"]
    # Which writes each by itself: a name of another case is another header to it.
    template = "".join(f"{name}=$input.params('{name.lower()}')\n" for name in fact["recorded"]["rendered"])
    written = dict(line.partition("=")[::2] for line in door._render(template, call(fact), "").splitlines())
    assert written == fact["recorded"]["rendered"]


@pytest.mark.parametrize("id", ["template-body-absent", "sqs-no-payload"])
def test_an_absent_payload_is_an_empty_object_to_a_template(id: str) -> None:
    fact = FACTS[id]
    reached = call(fact)
    assert door._render(fact["request"]["template"], reached, door._text(reached)) == fact["recorded"]["rendered"]


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


def test_a_message_without_a_body_is_refused_by_a_name_that_the_template_knows() -> None:
    template = Path(door.__file__).parents[1].joinpath("mapping", "rejected.vtl").read_text()
    assert f'"{FACTS["send-empty-body"]["recorded"]["code"]}"' in template


@pytest.mark.parametrize("id", of("ruler"))
def test_a_filter_matches_what_awss_rule_engine_matched(id: str) -> None:
    fact = FACTS[id]
    found = [wants(case["pattern"], case["event"]) for case in fact["request"]["cases"]]
    assert found == fact["recorded"]["matches"]


@pytest.mark.parametrize("id", of("esm-filter"))
def test_a_filter_keeps_what_a_mapping_kept(id: str) -> None:
    fact = FACTS[id]
    for case, recorded in zip(fact["request"]["cases"], fact["recorded"]["invoked_with"], strict=True):
        assert [each for each in case["messages"] if wants(case["pattern"]["body"], each)] == recorded


def wants(pattern: Any, event: Any) -> bool:
    """By the pattern as synth writes it for whoever filters."""
    written = environment({"/": AtSynth([{"body": pattern}])})
    filters = EventFilters.from_settings(FilterSettings.from_environment(written))
    assert filters
    return filters.want(webhook(json.dumps(event)))
