"""The local gateway in front of an emulator, with an API from control-plane calls, without the CDK."""

import asyncio
import base64
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from scalable_webhook_cli.gateway.access_log import fill
from scalable_webhook_cli.gateway.server import create_app
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import wait_for

from ...suite.patience import SECONDS, http

JSON = "application/json"
FORM = {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}
# A template that writes all parts of a request into the body of a message.
SEEN = (
    "{method: $context.httpMethod, path: $context.path, resource: $context.resourcePath, id: $context.resourceId,"
    " ip: $context.identity.sourceIp, proxy: $input.params().path.proxy, query: $input.params().querystring,"
    " odd: $input.params().header.get('x-odd'), body: $input.body}"
)
SEND = f'#set($seen = "{SEEN}")Action=SendMessage&Version=2012-11-05&MessageBody=$util.urlEncode($seen)'
FAILED = """#set($context.responseOverride.status = 418)
    #set($context.responseOverride.header.Hint = "short")
    $input.path('$.Error.Code')"""
OWN = "$input.params('X-Amzn-Trace-Id') $input.params().header.get('X-Forwarded-For')" + "".join(
    f" $input.params('X-Forwarded-{name}')" for name in ("Port", "Proto")
)
MD5 = """{"md5": "$input.path('$.SendMessageResponse.SendMessageResult.MD5OfMessageBody')"}"""
ACCEPTED = {"selectionPattern": "200"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running() as started:
        yield started


@dataclass
class Api:
    """A REST API with one queue behind all its methods."""

    emulator: Emulator
    id: str
    queue_url: str

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    @property
    def url(self) -> str:
        return f"{self.emulator.endpoint}/_aws/execute-api/{self.id}/prod"

    def add(self, path: str, http_method: str = "ANY", **integration: Any) -> None:
        """Add a method that sends to the queue, unless the arguments say otherwise."""
        gateway = self.client("apigateway")
        known = {item["path"]: item["id"] for item in gateway.get_resources(restApiId=self.id)["items"]}
        resource = known["/"]
        for depth, part in enumerate(path.strip("/").split("/"), 2):
            here = "/".join(path.split("/")[:depth])
            if part and here not in known:
                known[here] = gateway.create_resource(restApiId=self.id, parentId=resource, pathPart=part)["id"]
            resource = known[here] if part else resource
        method = {"restApiId": self.id, "resourceId": resource, "httpMethod": http_method}
        gateway.put_method(**method, authorizationType="NONE")
        queue = urlsplit(self.queue_url).path
        responses = integration.pop("responses", {"202": ACCEPTED})
        gateway.put_integration(
            **method,
            **{
                "type": "AWS",
                "integrationHttpMethod": "POST",
                "uri": f"arn:aws:apigateway:us-east-1:sqs:path{queue}",
                "passthroughBehavior": "NEVER",
                "requestParameters": FORM,
                "requestTemplates": {"application/json": SEND, "$default": SEND},
            }
            | integration,
        )
        for status, response in responses.items():
            gateway.put_integration_response(**method, **{"statusCode": status} | response)

    def deploy(self, **settings: str) -> "Api":
        gateway = self.client("apigateway")
        gateway.create_deployment(restApiId=self.id, stageName="prod")
        changes = [{"op": "replace", "path": path, "value": value} for path, value in settings.items()]
        if changes:
            gateway.update_stage(restApiId=self.id, stageName="prod", patchOperations=changes)
        return self

    def messages(self) -> list[str]:
        """Receive and delete the bodies in the queue."""
        sqs = self.client("sqs")
        bodies = []
        while found := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def make(emulator: Emulator, name: str, **api: Any) -> Api:
    gateway = emulator.client("apigateway")
    queue = emulator.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return Api(emulator, gateway.create_rest_api(name=name, **api)["id"], queue)


@pytest.fixture(scope="module")
def api(emulator: Emulator) -> Api:
    made = make(emulator, "plain")
    made.add("/{proxy+}")
    made.add("/fixed", "POST")
    made.add("/json", requestTemplates={"application/json": SEND})
    made.add("/through", requestTemplates={"application/json": SEND}, passthroughBehavior="WHEN_NO_MATCH")
    own = f'#set($own = "{OWN}")Action=SendMessage&Version=2012-11-05&MessageBody=$util.urlEncode($own)'
    made.add("/own", requestTemplates={"$default": own})
    made.add("/broken", requestTemplates={"$default": "$input.path('$..no')"})
    without_body = {"$default": "Action=SendMessage&Version=2012-11-05"}
    told = {"responseTemplates": {"application/json": FAILED}}
    made.add("/rejected", requestTemplates=without_body, responses={"200": ACCEPTED, "500": told})
    made.add("/unforeseen", requestTemplates=without_body, responses={"200": ACCEPTED})
    answers = {
        "responseTemplates": {"text/plain": "plain", "application/json": MD5},
        "responseParameters": {"method.response.header.X-Fixed": "'yes'"},
    }
    made.add("/answers", responses={"200": answers})
    return made.deploy()


def one(api: Api) -> str:
    (body,) = api.messages()
    return body


def test_a_request_becomes_what_its_template_says(api: Api) -> None:
    answer = http.put(f"{api.url}/a/b%20c?x=1&y=2&x=3", content="Zoë", headers=[("X-Odd", "1"), ("X-Odd", "2")])
    assert answer.status_code == 202
    seen = one(api)
    assert "method: PUT, path: /prod/a/b%20c, resource: /{proxy+}," in seen
    assert "ip: 127.0.0.1, proxy: a/b%20c, query: {x=3, y=2}, odd: 2, body: Zoë}" in seen


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a%23b?x=1", "a%23b", "{x=1}"),
        ("/a%3Fb?x=1", "a%3Fb", "{x=1}"),
        ("/a%2Fb?x=%23&y", "a%2Fb", "{x=#, y=}"),
        ("/a//b%2f/?x=1;y=2", "a//b%2f", "{x=1, y=2}"),
        ("/%C3%BC?x=%C3%BC+%2B&y=a%3Db", "%C3%BC", "{x=ü +, y=a=b}"),
        ("/%FF?x=%FF", "%FF", "{x=\ufffd}"),
    ],
)
def test_an_odd_path_arrives_as_it_was_sent_and_its_query_decoded(api: Api, target: str, path: str, query: str) -> None:
    assert raw(api, f"POST {urlsplit(api.url).path}{target}") == 202
    assert f"proxy: {path}, query: {query}," in one(api)


def test_a_host_header_does_not_change_where_a_request_goes(api: Api) -> None:
    assert raw(api, f"POST {urlsplit(api.url).path}/a?x=1", host="odd/path?y=2#") == 202
    assert "proxy: a, query: {x=1}" in one(api)


def test_api_gateway_adds_headers_of_its_own(api: Api) -> None:
    http.post(f"{api.url}/own")
    trace, rest = one(api).split(" ", 1)
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace)
    assert rest == "127.0.0.1 443 https"


def test_a_clients_own_headers_of_these_names_are_kept_or_replaced(api: Api) -> None:
    says = [
        *(("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"), ("x-forwarded-for", "10.0.0.1")),
        *(("X-Forwarded-For", "10.0.0.2, 10.0.0.3"), ("X-Forwarded-Port", "80"), ("X-Forwarded-Proto", "http")),
    ]
    http.post(f"{api.url}/own", headers=says)
    trace, rest = one(api).split(" ", 1)
    assert trace == says[0][1]
    assert rest == "10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1 443 https"


def test_a_fixed_path_comes_before_a_greedy_one(api: Api) -> None:
    http.post(f"{api.url}/fixed/")
    assert "resource: /fixed," in one(api)
    http.post(f"{api.url}/fixed/more")
    assert "resource: /{proxy+}," in one(api)


@pytest.mark.parametrize("target", ["", "/"])
def test_a_path_without_a_method_is_forbidden_as_on_aws(api: Api, target: str) -> None:
    answer = http.post(f"{api.url}{target}")
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})


def test_a_verb_that_no_api_has_is_forbidden_in_json(api: Api) -> None:
    answer = http.request("PROPFIND", f"{api.url}/a")
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})


def test_an_absent_body_is_an_empty_object_to_a_template(api: Api) -> None:
    http.post(f"{api.url}/a")
    assert one(api).endswith("body: {}}")


def test_bytes_that_are_no_text_are_replaced_silently(api: Api) -> None:
    assert http.post(f"{api.url}/a", content=b"a\xffb").status_code == 202
    assert one(api).endswith("body: a\ufffdb}")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("application/json", 202), ("Application/JSON; charset=utf-8", 202), (None, 202), ("text/plain", 415)],
)
def test_a_content_type_without_a_template_is_rejected(api: Api, content_type: str | None, status: int) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = http.post(f"{api.url}/json", content=b"{}", headers=headers)
    assert answer.status_code == status
    assert len(api.messages()) == (status == 202)
    if status == 415:
        assert answer.json() == {"message": "Unsupported Media Type"}


def test_a_payload_passes_through_where_the_integration_says_so(api: Api) -> None:
    call = b"Action=SendMessage&Version=2012-11-05&MessageBody=as+it+came"
    assert http.post(f"{api.url}/through", content=call, headers={"Content-Type": "text/plain"}).status_code == 202
    assert one(api) == "as it came"


def test_a_template_that_fails_is_an_error_of_ours_and_in_the_log(api: Api) -> None:
    answer = http.post(f"{api.url}/broken", content=b"{}")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})
    assert "$..no" in (api.emulator.home / "gateway.log").read_text()


def test_the_response_template_decides_about_a_rejection_of_sqs(api: Api) -> None:
    answer = http.post(f"{api.url}/rejected", content=b"x")
    assert (answer.status_code, answer.headers["hint"]) == (418, "short")
    assert answer.text.strip() == "MissingParameter"


def test_a_status_without_a_response_is_an_error(api: Api) -> None:
    answer = http.post(f"{api.url}/unforeseen", content=b"x")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("text/plain", "text/plain"), ("*/*", "application/json"), ("image/png", "application/json")],
)
def test_the_answer_has_the_type_that_was_asked_for(api: Api, accept: str, content_type: str) -> None:
    answer = http.post(f"{api.url}/answers", content=b"x", headers={"Accept": accept})
    api.messages()
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["x-fixed"] == "yes"
    assert answer.text == "plain" if content_type == "text/plain" else len(answer.json()["md5"]) == 32


def test_a_payload_above_ten_megabytes_is_rejected(api: Api) -> None:
    answer = http.post(f"{api.url}/a", content=b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})
    assert api.messages() == []


def test_a_client_that_hangs_up_is_no_error_and_no_message(api: Api) -> None:
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(f"POST {parts.path}/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf".encode())
    assert http.post(f"{api.url}/fixed").status_code == 202
    assert "resource: /fixed," in one(api)
    assert "ClientDisconnect" not in (api.emulator.home / "gateway.log").read_text()


@pytest.mark.parametrize("source", ["header.x-target", "querystring.target", "path.proxy"])
def test_a_parameter_of_the_request_becomes_a_header_of_the_call(emulator: Emulator, source: str) -> None:
    made = make(emulator, f"mapped-{source[:4]}")
    # SQS needs this header for its other protocol.
    made.add(
        "/{proxy+}",
        requestParameters={"integration.request.header.X-Amz-Target": f"method.request.{source}"},
        requestTemplates={"$default": f'{{"QueueUrl": "{made.queue_url}", "MessageBody": "as JSON"}}'},
    )
    made.deploy()
    target = "AmazonSQS.SendMessage"
    places = {"header": "/a", "querystring": f"/a?target={target}", "path": f"/{target}"}
    headers = {"X-Target": target} if source.startswith("header") else {}
    http.post(made.url + places[source.partition(".")[0]], headers=headers)
    assert one(made) == "as JSON"


@pytest.mark.parametrize(("path", "status"), [("/_aws/execute-api/a/prod/b", 500), ("/anything", 503)])
def test_an_emulator_that_is_gone_is_reported_in_json(path: str, status: int) -> None:
    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(create_app("http://127.0.0.1:9", "a-key"), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.post(path)

    answer = asyncio.run(post())
    assert answer.status_code == status
    assert set(answer.json()) == {"message"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/octet-stream", base64.b64encode(b"\x00\xff").decode()), ("text/plain", "\x00\ufffd")],
)
def test_a_binary_type_is_base64_to_a_template(emulator: Emulator, content_type: str, body: str) -> None:
    made = make(emulator, f"binary-{content_type[:4]}", binaryMediaTypes=["application/*"])
    echo = "Action=SendMessage&Version=2012-11-05&MessageBody=$util.urlEncode($util.base64Encode($input.body))"
    made.add("/{proxy+}", contentHandling="CONVERT_TO_TEXT", requestTemplates={"$default": echo})
    made.deploy()
    http.post(f"{made.url}/a", content=b"\x00\xff", headers={"Content-Type": content_type})
    assert base64.b64decode(one(made)).decode() == body


def test_a_template_fails_for_the_bytes_of_a_declared_type(emulator: Emulator) -> None:
    made = make(emulator, "bytes", binaryMediaTypes=["multipart/form-data", "image~1*"])  # as a template may spell it
    made.add("/{proxy+}")
    made.deploy()
    types = ["multipart/form-data; boundary=x", "image/png", "text/plain", "multipart/mixed"]
    answers = [http.post(f"{made.url}/a", content=b"x", headers={"Content-Type": type}) for type in types]
    assert [answer.status_code for answer in answers] == [500, 500, 202, 202]
    assert answers[0].json() == {"message": "Internal server error"}
    every = make(emulator, "every", binaryMediaTypes=["*~1*"])
    every.add("/{proxy+}")
    every.deploy()
    assert http.post(f"{every.url}/a", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 500


@pytest.mark.parametrize(
    ("handling", "status", "reply"),
    [({"contentHandling": "CONVERT_TO_TEXT"}, 200, "SendMessageResponse"), ({}, 500, "Internal server error")],
)
def test_a_binary_response_fails_in_a_template_unless_it_is_converted(
    emulator: Emulator, handling: dict[str, str], status: int, reply: str
) -> None:
    made = make(emulator, f"replies-{status}", binaryMediaTypes=["*/*"])
    answer = ACCEPTED | handling | {"responseTemplates": {JSON: "$util.base64Decode($input.body)"}}
    made.add("/{proxy+}", contentHandling="CONVERT_TO_TEXT", responses={"200": answer})
    made.deploy()
    answered = http.post(f"{made.url}/a", content=b"x")
    assert (answered.status_code, reply in answered.text) == (status, True)


def test_a_new_deployment_is_seen_soon(emulator: Emulator) -> None:
    made = make(emulator, "again")
    made.add("/old")
    made.deploy()
    assert http.post(f"{made.url}/new").status_code == 403
    made.add("/new")
    made.deploy()
    assert wait_for(lambda: http.post(f"{made.url}/new").status_code == 202, SECONDS)


def test_a_stage_accepts_as_much_as_its_throttle_allows(emulator: Emulator) -> None:
    made = make(emulator, "throttled")
    made.add("/{proxy+}")
    made.deploy(**{"/*/*/throttling/rateLimit": "0.01", "/*/*/throttling/burstLimit": "2"})
    answers = [http.post(f"{made.url}/a") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 429, 429]
    assert answers[-1].json() == {"message": "Too Many Requests"}
    assert len(made.messages()) == 2


def test_each_request_is_a_line_in_the_access_log_of_its_stage(emulator: Emulator) -> None:
    made = make(emulator, "logged")
    made.add("/{proxy+}", "POST", requestTemplates={"application/json": SEND})
    logs = made.client("logs")
    logs.create_log_group(logGroupName="access")
    made.deploy(
        **{
            "/accessLogSettings/destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:access",
            "/accessLogSettings/format": "$context.requestId $context.status $context.error.responseType $context.odd",
        }
    )
    taken, rejected = (http.post(f"{made.url}/a", headers={"Content-Type": kind}) for kind in (JSON, "text/plain"))

    def lines() -> list[str]:
        return [event["message"] for event in logs.filter_log_events(logGroupName="access")["events"]]

    assert wait_for(lambda: len(lines()) == 2, SECONDS)
    assert lines() == [
        f"{taken.headers['x-amzn-requestid']} 202 - -",
        f"{rejected.headers['x-amzn-requestid']} 415 UNSUPPORTED_MEDIA_TYPE -",
    ]


@pytest.mark.parametrize(
    "sent",
    [
        'q","status":"418","source_ip":"9.9.9.9","x":"',
        "\n{}\n",
        "\\",
        '\\"',
        "\x1b]0;title\x07\x1b[2J",
        "\u2028\u202e\x85",
        "$context.status",
        "\ud800",
    ],
)
def test_text_of_a_client_ends_neither_its_field_nor_its_line(sent: str) -> None:
    format = '{"agent": "$context.identity.userAgent", "status": "$context.status"}'
    line = fill(format, {"identity": {"userAgent": sent}, "status": 202})
    assert json.loads(line) == {"agent": sent, "status": "202"}
    assert line.isascii()
    assert line.isprintable()


def test_the_path_is_logged_as_it_was_sent(emulator: Emulator) -> None:
    made = make(emulator, "paths")
    made.add("/{proxy+}", "POST")
    logs = made.client("logs")
    logs.create_log_group(logGroupName="paths")
    made.deploy(
        **{
            "/accessLogSettings/destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:paths",
            "/accessLogSettings/format": '{"path": "$context.path", "agent": "$context.identity.userAgent"}',
        }
    )
    path = "q%22,%22status%22:%22418%22%0a%1b%5b2J;/%2e%2e/%e2%80%ae"
    http.post(f"{made.url}/{path}", headers={b"User-Agent": b'\xe9","status":"418'})

    def lines() -> list[str]:
        return [event["message"] for event in logs.filter_log_events(logGroupName="paths")["events"]]

    assert wait_for(lambda: len(lines()) == 1, SECONDS)
    (line,) = lines()
    assert json.loads(line) == {"path": f"/prod/{path}", "agent": 'é","status":"418'}


@pytest.mark.parametrize("kind", ["HTTP", "authorizer"])
def test_a_call_of_an_unsupported_method_is_rejected_with_the_reason(emulator: Emulator, kind: str) -> None:
    made = make(emulator, f"other-{kind}")
    if kind == "HTTP":
        made.add("/x", "POST", type="HTTP", uri="http://127.0.0.1:9/elsewhere")
    else:
        made.add("/x", "POST")
        gateway = made.client("apigateway")
        (resource,) = [each for each in gateway.get_resources(restApiId=made.id)["items"] if each["path"] == "/x"]
        change = {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"}
        gateway.update_method(restApiId=made.id, resourceId=resource["id"], httpMethod="POST", patchOperations=[change])
    made.deploy()
    answer = http.post(f"{made.url}/x", content=b"x")
    assert answer.status_code == 403
    said = "HTTP with http://127.0.0.1:9/elsewhere" if kind == "HTTP" else "got the authorization CUSTOM"
    assert said in answer.json()["message"]
    assert made.messages() == []


def test_calls_of_other_services_pass_unchanged(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="things")
    data = bytes(range(256)) * 60_000  # more than an API takes
    s3.put_object(Bucket="things", Key="ä +%/?#key", Body=data, Metadata={"kind": "odd"})
    found = s3.get_object(Bucket="things", Key="ä +%/?#key")
    assert (found["Body"].read(), found["Metadata"]) == (data, {"kind": "odd"})
    assert s3.head_object(Bucket="things", Key="ä +%/?#key")["ContentLength"] == len(data)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="things", Prefix="ä +")["Contents"]] == ["ä +%/?#key"]


def raw(api: Api, line: str, host: str = "localhost") -> int:
    """Send a raw request, and return the status."""
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        head = f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split()[1])
