"""``scalable-webhook send`` and ``burst --as``, at an endpoint and an account that answer as they are told."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from scalable_webhook_cli import outcomes
from scalable_webhook_cli.commands import app, options
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.providers import BY_METHOD
from webhook_runtime.contract.schemes import AnyOf
from webhook_runtime.sources.source import Source
from webhook_runtime.testing import webhook

from ..runtime.doubles import SecretsManager
from ..runtime.serving import Quiet, Serving

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:stripe-webhooks"
SECRET = {"secret": {"arn": ARN}}
STRIPE = {"kind": "hmac", "scheme": dict(BY_METHOD["stripe"].ways[0]), "secret": {"arn": ARN}}
GITHUB = {"kind": "hmac", "scheme": dict(BY_METHOD["github"].ways[0]), "secret": {"arn": ARN}}
PARTNER = {"kind": "hmac", "scheme": {"header": "X-Signature", "id_field": "event.id"}, "secret": {"arn": ARN}}
CUSTOM = {"kind": "custom", "scheme": {"handler": "bank.verify"}}

Line = dict[str, Any]
Run = Callable[..., Any]


def refused(code: str, message: str = "told so", operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Endpoint:
    """A real HTTP server in the place of API Gateway. It gives each request the next id, r1, r2 and so on."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status, self.body = 202, b'{"id":"evt_1"}'
        self.request_ids = True
        self.on_request: Callable[[str], object] = lambda _: None
        remember, numbers = self, itertools.count(1)

        class Handler(Quiet):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                remember.got.append((self.path, dict(self.headers.items()), body))
                id = f"r{next(numbers)}"
                remember.on_request(id)
                self.send_response(remember.status)
                if remember.request_ids:
                    self.send_header("x-amz-apigw-id", id)
                self.send_header("Content-Length", str(len(remember.body)))
                self.end_headers()
                self.wfile.write(remember.body)

        self._serving = Serving(Handler)
        self.url = f"{self._serving.url}/prod"

    def close(self) -> None:
        self._serving.close()


class Services:
    """The services of an AWS with one stack, Shop. It answers for every service: each method is one call."""

    def __init__(self, url: str) -> None:
        # The publisher of each endpoint, with the description of its source; and the consumer's own.
        self.endpoints: dict[str, tuple[str, dict[str, Any] | None]] = {"Shop/Webhook": ("/stripe", STRIPE)}
        self.consumer: dict[str, Any] = {}
        self.variables = {"WEBHOOK_QUEUE_URL": "q", "WEBHOOK_RETRY_INITIAL_SECONDS": "1"}
        self.variables["WEBHOOK_RETRY_MAXIMUM_SECONDS"] = "60"
        self.secret: Any = {"SecretString": "whsec_right"}
        self.stored: list[dict[str, str]] = []
        self.mapping: dict[str, Any] = {"State": "Enabled"}
        self.lines: list[tuple[float, str, Line]] = []
        self.logs_error: ClientError | None = None
        self.asked: list[dict[str, Any]] = []
        self._began = time.time()
        self.url = url
        self.meta = self
        self.endpoint_url = "https://apigateway.eu-west-1.amazonaws.com"
        self.region_name = "eu-west-1"
        self.exceptions = self
        self.ResourceNotFoundException = ClientError

    def log(
        self, message: str, request_id: str = "r1", stage: str = "Consumer", late: float = 0, **fields: Any
    ) -> bool:
        """Log a line, which is to be seen after so many seconds."""
        line = {"timestamp": "2026", "logger": "webhook", "message": message, "request_id": request_id, **fields}
        self.lines.append((time.time() + late, stage, line))
        return True

    # CloudFormation
    def get_paginator(self, operation: str) -> "Services":
        self._operation = operation
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        match self._operation:
            case "describe_stacks":
                return [{"Stacks": [self._stack()]}]
            case "list_stack_resources":
                return [{"StackResourceSummaries": self._resources()}]
            case "get_domain_names":
                return []
        raise AssertionError(self._operation)

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return {"Stacks": [self._stack()]}

    def _stack(self) -> dict[str, Any]:
        outputs = [
            {"OutputKey": "Url", "OutputValue": f"{self.url}{mount}", "Description": f"Webhook URL of {name}"}
            for name, (mount, _) in self.endpoints.items()
        ]
        mapping = {
            "OutputKey": "WebhookEventSourceMapping0A0A0A0A",
            "OutputValue": "uuid",
            "Description": "Event source mapping of Shop/Webhook",
        }
        return {"StackName": "Shop", "Outputs": [*outputs, mapping]}

    def _resources(self) -> list[dict[str, str]]:
        functions = {f"publisher of {name}": "AWS::Lambda::Function" for name in self.endpoints}
        return [
            *(
                {"ResourceType": type, "LogicalResourceId": f"Webhook{n}Publisher0A0A0A0A", "PhysicalResourceId": id}
                for n, (id, type) in enumerate(functions.items())
            ),
            *(
                {
                    "ResourceType": "AWS::Logs::LogGroup",
                    "LogicalResourceId": f"Webhook{stage}Logs0A0A0A0A",
                    "PhysicalResourceId": stage,
                }
                for stage in ("Access", "Publisher", "Consumer")
            ),
        ]

    # Lambda
    def get_event_source_mapping(self, UUID: str) -> dict[str, Any]:
        function = "arn:aws:lambda:eu-west-1:123456789012:function:consumer"
        return {"FunctionArn": function, "EventSourceArn": "a:b:c:d:e:f"} | self.mapping

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        if FunctionName.startswith("publisher of "):
            mount, source = self.endpoints[FunctionName.removeprefix("publisher of ")]
            variables = {"WEBHOOK_SOURCES": json.dumps({mount: source})} if source else {}
        else:
            told = {"WEBHOOK_SOURCES": json.dumps(self.consumer)} if self.consumer else {}
            variables = self.variables | told
        return {"Environment": {"Variables": variables}}

    # Secrets Manager
    def get_secret_value(self, SecretId: str) -> Any:
        assert SecretId == ARN
        if isinstance(self.secret, Exception):
            raise self.secret
        return self.secret

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:
        if isinstance(self.secret, Exception):
            raise self.secret
        self.secret = {"SecretString": SecretString}
        self.stored.append({"put": SecretId})

    def create_secret(self, Name: str, SecretString: str) -> None:
        self.secret = {"SecretString": SecretString}
        self.stored.append({"create": Name})

    # CloudWatch Logs
    def filter_log_events(self, logGroupName: str, **asked: Any) -> dict[str, Any]:
        self.asked.append({"group": logGroupName, **asked})
        if self.logs_error:
            raise self.logs_error
        phrase = asked.get("filterPattern", "").strip('"')
        noise = [(self._began, "START RequestId"), (self._began, "{"), (self._began, "[]"), (self._began, '{"a": 1}')]
        told = [(at, json.dumps(line)) for at, stage, line in self.lines if stage == logGroupName and at <= time.time()]
        events = [
            {"timestamp": round(at * 1000), "message": text, "logStreamName": "one"}
            for at, text in (*noise, *told)
            if phrase in text
        ]
        # A page may be empty, and more may follow.
        page = int(asked.get("nextToken", 0))
        pages: list[Any] = [[], events[:1], events[1:]]
        return {"events": pages[page]} | ({"nextToken": str(page + 1)} if page < 2 else {})

    # STS
    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def services(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Services:
    services = Services(endpoint.url)
    monkeypatch.setattr(Target, "client", lambda *_: services)
    # The one that is found first, without a region of its own.
    local = Target(endpoint="http://127.0.0.1:9", region="eu-west-1", key="test")
    monkeypatch.setattr(options, "targets", lambda profile, region: [Target(profile=profile) if profile else local])
    return services


@pytest.fixture
def run(services: Services) -> Run:
    """Return a function that runs a command in an 80 columns wide terminal without colours."""
    assert services
    return lambda *arguments, **more: CliRunner().invoke(app, list(map(str, arguments)), **more)


def verified(described: Mapping[str, Any], endpoint: Endpoint, secret: str = "whsec_right", at: int = -1) -> str:
    """Verify a request that the endpoint got, and return its id."""
    path, headers, body = endpoint.got[at]
    arrived = webhook(body, id="its request", headers=headers, path=path)
    admitted = Source.from_description(described, SecretsManager(AWSCURRENT=secret)).admit(arrived)
    return str(getattr(admitted, "id", admitted))


def test_an_event_is_sent_signed_and_its_outcome_is_told(run: Run, services: Services, endpoint: Endpoint) -> None:
    endpoint.on_request = lambda request: (
        services.log("queued", request, "Publisher", id="evt_1"),
        services.log("stored", request, id="evt_1", attempt=1, late=0.2),
    )
    result = run("send", "stripe", "invoice.paid")
    assert (result.exit_code, result.stdout) == (0, "202 evt_1: stored\n"), result.output
    ((path, headers, body),) = endpoint.got
    assert path == "/prod/stripe"
    assert verified(STRIPE, endpoint) == json.loads(body)["id"]
    assert headers["Content-Type"] == "application/json"


def test_two_sends_are_two_events_and_twice_is_one(run: Run, services: Services, endpoint: Endpoint) -> None:
    endpoint.on_request = lambda request: services.log("stored", request, id="evt_1")
    for _ in range(2):
        assert run("send", "invoice.paid").exit_code == 0
    assert len({body for *_, body in endpoint.got}) == 2
    assert run("send", "invoice.paid", "--twice").exit_code == 0
    assert endpoint.got[2] == endpoint.got[3]


ENDS = {
    "stored": (0, "202 evt_1: stored\n"),
    "duplicate": (0, "202 evt_1: duplicate\n"),
    "dropped": (0, "202 evt_1: dropped\n"),
    "dead-lettered": (1, "202 evt_1: dead-lettered: Permanent: an order has items\n"),
    "unverified": (1, "202 evt_1: unverified: Permanent: an order has items\n"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_each_end_is_told_with_its_reason(run: Run, services: Services, endpoint: Endpoint, kind: str) -> None:
    why: Any = (
        {} if kind in ("stored", "duplicate", "dropped") else {"error": "Permanent", "reason": "an order has items"}
    )
    endpoint.on_request = lambda request: services.log(kind, request, id="evt_1", **why)
    result = run("send", "invoice.paid")
    assert (result.exit_code, result.stdout) == ENDS[kind]


def test_each_failed_try_is_told_until_the_end(run: Run, services: Services, endpoint: Endpoint) -> None:
    down: Any = {"error": "SinkDown", "reason": "it is down"}
    endpoint.on_request = lambda request: (
        services.log("failed", request, id="evt_1", attempt=1, retry_in=1, **down),
        services.log("failed", request, id="evt_1", attempt=2, retry_in=2, late=0.3, **down | {"timestamp": "2027"}),
        services.log("stored", request, id="evt_1", attempt=3, late=0.6),
    )
    result = run("send", "invoice.paid")
    assert (result.exit_code, result.stdout) == (0, "202 evt_1: stored\n")
    assert result.stderr.splitlines() == [
        "attempt 1 failed, next in 1 s: SinkDown: it is down",
        "attempt 2 failed, next in 2 s: SinkDown: it is down",
    ]


WAITS: dict[str, Any] = {
    "it waits in the queue": {},
    "Shop/Webhook is paused, resume it with: scalable-webhook resume Shop/Webhook": {"State": "Disabled"},
    "it waits in the queue, or the event_filters dropped it, of which no log tells": {
        "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}
    },
}


@pytest.mark.parametrize("why", WAITS)
def test_what_has_not_ended_in_time_is_told_with_a_reason(run: Run, services: Services, why: str) -> None:
    services.mapping |= WAITS[why]
    result = run("send", "invoice.paid", "--wait", "0.3")
    assert (result.exit_code, result.stdout) == (1, f"202 evt_1: not stored after 0.3 s; {why}\n")


def test_a_try_that_failed_is_the_reason(run: Run, services: Services, endpoint: Endpoint) -> None:
    endpoint.on_request = lambda request: services.log(
        "failed", request, id="evt_1", error="SinkDown", reason="it is down"
    )
    result = run("send", "invoice.paid", "--wait", "0.3")
    assert result.stdout == "202 evt_1: not stored after 0.3 s; its last try failed: SinkDown: it is down\n"


def test_an_answer_that_is_not_of_api_gateway_cannot_be_followed(
    run: Run, services: Services, endpoint: Endpoint
) -> None:
    endpoint.request_ids = False
    result = run("send", "invoice.paid")
    assert (result.exit_code, services.asked) == (0, [])
    assert result.stdout == "202 evt_1: accepted; the answer has no request id, so it cannot be followed\n"


def test_a_verification_of_the_endpoint_ends_with_its_answer(run: Run, services: Services, endpoint: Endpoint) -> None:
    services.endpoints = {"Shop/Webhook": ("/", {"kind": "hmac", "scheme": dict(BY_METHOD["zoom"].ways[0])} | SECRET)}
    services.endpoints["Shop/Webhook"][1]["handshakes"] = [["zoom"]]  # type: ignore[index]
    endpoint.status, endpoint.body = 200, b'{"plainToken":"a"}'
    result = run("send", "endpoint.url_validation")
    assert (result.exit_code, result.stdout, services.asked) == (0, '200: {"plainToken":"a"}\n', [])
    endpoint.status = 401
    assert run("send", "endpoint.url_validation").exit_code == 1


def test_without_a_wait_no_log_is_read(run: Run, services: Services) -> None:
    result = run("send", "invoice.paid", "--wait", "0")
    assert (result.exit_code, result.stdout, services.asked) == (0, "202 evt_1: accepted\n", [])


def test_a_rejection_is_told_at_once(run: Run, services: Services, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.body = 500, b'{"message":"The signature cannot be checked at present: try again."}'
    result = run("send", "invoice.paid")
    assert (result.exit_code, services.asked) == (1, [])
    assert result.stdout == "500: The signature cannot be checked at present: try again.\n"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Forbidden", "if the API asks for a key, pass --header 'x-api-key: KEY'"),
        ("Missing Authentication Token", "the API asks for a signature of IAM, which send cannot make"),
    ],
)
def test_missing_credentials_are_told(run: Run, endpoint: Endpoint, said: str, hint: str) -> None:
    endpoint.status, endpoint.body = 403, json.dumps({"message": said}).encode()
    assert run("send", "invoice.paid").stdout == f"403: {said}; {hint}\n"


def test_a_header_is_sent(run: Run, services: Services, endpoint: Endpoint) -> None:
    assert run("send", "invoice.paid", "-H", "x-api-key:  a:b ", "--wait", 0).exit_code == 0
    assert endpoint.got[0][1]["x-api-key"] == "a:b"


@pytest.mark.parametrize("header", ["no colon", ": no name", "a b: c", "a: b\nc: d", ""])
def test_a_header_of_another_form_is_rejected(run: Run, endpoint: Endpoint, header: str) -> None:
    result = run("send", "invoice.paid", "-H", header)
    assert (result.exit_code, endpoint.got) == (1, [])
    assert "a header is 'NAME: VALUE'" in result.stderr


class TestBadSignature:
    def test_a_401_is_wanted(self, run: Run, endpoint: Endpoint) -> None:
        endpoint.status, endpoint.body = 401, b'{"message":"It does not match."}'
        result = run("send", "invoice.paid", "--bad-signature")
        assert (result.exit_code, result.stdout) == (0, "401: It does not match.\n")
        with pytest.raises(Exception, match="does not match the payload"):
            verified(STRIPE, endpoint)

    def test_a_503_is_wanted_if_the_log_names_the_secret(
        self, run: Run, services: Services, endpoint: Endpoint
    ) -> None:
        endpoint.status, endpoint.body = 503, b'{"message":"It does not match. The secret may be new: try again."}'
        endpoint.on_request = lambda request: services.log("rejected", request, "Publisher", status=503, secret=ARN)
        assert run("send", "invoice.paid", "--bad-signature").exit_code == 0

    def test_another_503_is_not(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        endpoint.status = 503
        endpoint.on_request = lambda request: services.log("rejected", request, "Publisher", status=503)
        assert run("send", "invoice.paid", "--bad-signature").exit_code == 1

    @pytest.mark.parametrize(("status", "said"), [(503, "503: It is down.\n"), (202, "202 r1: accepted\n")])
    def test_without_a_wait_it_is_not_known(self, run: Run, endpoint: Endpoint, status: int, said: str) -> None:
        endpoint.status, endpoint.body = status, b'{"message":"It is down."}'
        result = run("send", "invoice.paid", "--bad-signature", "--wait", 0)
        assert (result.exit_code, result.stdout) == (1, said)

    @pytest.mark.parametrize(("kind", "code"), [("unverified", 0), ("stored", 1), ("dead-lettered", 1)])
    def test_behind_a_direct_integration_only_unverified_is_wanted(
        self, run: Run, services: Services, endpoint: Endpoint, kind: str, code: int
    ) -> None:
        services.endpoints["Shop/Webhook"] = ("/stripe", None)
        services.consumer = {"/stripe": STRIPE}
        endpoint.on_request = lambda request: services.log(kind, request, id="evt_1")
        assert run("send", "invoice.paid", "--bad-signature").exit_code == code

    @pytest.mark.parametrize("source", [None, CUSTOM])
    def test_without_a_known_signature_there_is_no_bad_one(
        self, run: Run, services: Services, endpoint: Endpoint, source: Any
    ) -> None:
        services.endpoints["Shop/Webhook"] = ("/", source)
        result = run("send", "--bad-signature")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "Shop/Webhook has no source whose signature is known; --bad-signature needs one" in result.stderr


class TestEndpoints:
    @pytest.fixture(autouse=True)
    def several(self, services: Services) -> None:
        services.endpoints = {
            "Shop/Webhook": ("/hooks", PARTNER),
            "Shop/Webhook/Source hooks--stripe": ("/hooks/stripe", STRIPE),
            "Shop/Webhook/Source github": ("/github", GITHUB),
            "Shop/Webhook/Source --": ("/", None),
        }

    def test_the_provider_chooses_its_endpoint(self, run: Run, endpoint: Endpoint) -> None:
        assert run("send", "stripe", "invoice.paid", "--wait", 0).exit_code == 0
        assert run("send", "GitHub", "push", "--wait", 0).exit_code == 0
        assert [path for path, *_ in endpoint.got] == ["/prod/hooks/stripe", "/prod/github"]
        verified(STRIPE, endpoint, at=0)
        verified(GITHUB, endpoint, at=1)
        assert endpoint.got[1][1]["X-GitHub-Event"] == "push"

    def test_a_name_or_its_last_part_chooses_one(self, run: Run, endpoint: Endpoint) -> None:
        assert run("send", "push", "-w", "Source github", "--wait", 0).exit_code == 0
        verified(GITHUB, endpoint)
        assert run("send", "--data", __file__, "-w", "Shop/Webhook", "--wait", 0).exit_code == 0
        assert verified(PARTNER, endpoint) == "its request"
        assert endpoint.got[1][2] == Path(__file__).read_bytes()

    def test_without_either_the_endpoints_are_listed(self, run: Run, endpoint: Endpoint) -> None:
        result = run("send")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "which webhook? name one of Shop/Webhook, Shop/Webhook/Source --, " in result.stderr

    def test_an_endpoint_of_another_provider_is_not_sent_to(self, run: Run, endpoint: Endpoint) -> None:
        result = run("send", "stripe", "invoice.paid", "-w", "Source github")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "verifies webhooks of GitHub, not of Stripe" in result.stderr

    def test_one_without_a_source_gets_an_unsigned_event(self, run: Run, endpoint: Endpoint) -> None:
        assert run("send", "github", "push", "-w", "Source --", "--wait", 0).exit_code == 0
        ((_, headers, _),) = endpoint.got
        assert "X-Hub-Signature-256" not in headers
        assert headers["X-GitHub-Delivery"]

    def test_a_default_payload_has_a_new_id_where_the_scheme_has_it(self, run: Run, endpoint: Endpoint) -> None:
        ids = set()
        for _ in range(2):
            assert run("send", "-w", "Shop/Webhook", "--wait", 0).exit_code == 0
            ids.add(json.loads(endpoint.got[-1][2])["event"]["id"])
            assert verified(PARTNER, endpoint) in ids
        assert len(ids) == 2


class TestEvents:
    def test_they_are_listed_without_a_target(self, run: Run, services: Services) -> None:
        services.endpoints = {}
        result = run("send", "github")
        assert (result.exit_code, result.stdout.splitlines()) == (0, ["push", "pull_request", "issues", "ping"])
        assert json.loads(run("send", "github", "--json").stdout)["events"][0] == "push"

    def test_those_of_the_endpoint_are_listed(self, run: Run, endpoint: Endpoint) -> None:
        assert run("send").stdout.splitlines()[0] == "invoice.paid"
        assert endpoint.got == []

    def test_another_is_rejected_with_those_that_are_there(self, run: Run) -> None:
        result = run("send", "stripe", "invoice.payed")
        assert (
            result.exit_code,
            "there is no event invoice.payed of Stripe, only invoice.paid, " in result.stderr,
        ) == (
            1,
            True,
        )

    def test_another_is_sent_with_a_payload_of_your_own(
        self, run: Run, services: Services, endpoint: Endpoint, tmp_path: Path
    ) -> None:
        services.endpoints = {"Shop/Webhook": ("/", GITHUB)}
        (data := tmp_path / "data").write_bytes(b"\xff\x00not JSON")
        assert run("send", "github", "release", "--data", data, "--wait", 0).exit_code == 0
        ((_, headers, body),) = endpoint.got
        assert (headers["X-GitHub-Event"], body) == ("release", b"\xff\x00not JSON")
        assert verified(GITHUB, endpoint) == headers["X-GitHub-Delivery"]

    def test_a_payload_of_standard_input_may_get_a_new_id(self, run: Run, endpoint: Endpoint) -> None:
        body = b'{"id": "evt_1", "type": "invoice.paid"}'
        assert run("send", "--data", "-", "--wait", 0, input=body).exit_code == 0
        assert run("send", "--data", "-", "--new-id", "--wait", 0, input=body).exit_code == 0
        (*_, same), (*_, new) = endpoint.got
        assert same == body
        assert json.loads(new)["type"] == "invoice.paid"
        assert json.loads(new)["id"] != "evt_1"
        assert verified(STRIPE, endpoint, at=1) == json.loads(new)["id"]
        result = run("send", "--data", "missing")
        assert (result.exit_code, "--data must be a file or -, got 'missing': No such file" in result.stderr) == (
            1,
            True,
        )
        result = run("send", "invoice.paid", "--new-id")
        assert (result.exit_code, "--new-id needs --data" in result.stderr) == (1, True)

    def test_a_word_that_is_neither_is_rejected(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        services.endpoints = {"Shop/Webhook": ("/", PARTNER)}
        result = run("send", "strpe")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "'strpe' is no provider, and that of Shop/Webhook is not known" in result.stderr

    def test_an_unknown_provider_is_rejected(self, run: Run) -> None:
        result = run("send", "strpe", "invoice.paid")
        assert (result.exit_code, "provider must be one of github, " in result.stderr) == (1, True)


class TestSecrets:
    def test_the_local_aws_gets_one_for_tests(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        services.secret = refused("ResourceNotFoundException")
        result = run("send", "invoice.paid", "--wait", 0)
        assert result.exit_code == 0
        assert services.stored == [{"create": "stripe-webhooks"}]
        assert result.stderr == "the local AWS had no value of the secret stripe-webhooks, and got one for tests\n"
        verified(STRIPE, endpoint, services.secret["SecretString"])
        run("send", "invoice.paid", "--wait", 0)
        assert len(services.stored) == 1

    def test_one_without_a_value_gets_one(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        services.secret = {"SecretString": " \n"}
        assert run("send", "invoice.paid", "--wait", 0).exit_code == 0
        assert services.stored == [{"put": ARN}]
        verified(STRIPE, endpoint, services.secret["SecretString"])

    def test_one_of_several_values_gets_all(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        meta = {
            "kind": "hmac",
            "scheme": dict(BY_METHOD["meta"].ways[0]),
            "secret": {"arn": ARN, "field": "app_secret"},
            "token": {"arn": ARN, "field": "verify_token"},
            "handshakes": [["meta"]],
        }
        services.endpoints = {"Shop/Webhook": ("/", meta)}
        services.secret = refused("ResourceNotFoundException")
        assert run("send", "messages", "--wait", 0).exit_code == 0
        assert json.loads(services.secret["SecretString"]).keys() == {"app_secret", "verify_token"}
        verified(meta, endpoint, services.secret["SecretString"])

    REASONS = {
        "does not exist, or has no value; store the one that the provider shows": refused("ResourceNotFoundException"),
        f"allow secretsmanager:GetSecretValue on {ARN}, and kms:Decrypt": refused("AccessDeniedException"),
        "cannot be read, since it was deleted": refused("InvalidRequestException"),
        "allow kms:Decrypt on its key": refused("DecryptionFailure"),
        "cannot be read: An error occurred (Odd)": refused("Odd"),
        "the secret stripe-webhooks is empty": {"SecretString": ""},
    }

    @pytest.mark.parametrize("reason", REASONS)
    def test_in_an_account_nothing_is_stored_and_what_is_missing_is_told(
        self, run: Run, services: Services, endpoint: Endpoint, reason: str
    ) -> None:
        services.secret = self.REASONS[reason]
        result = run("send", "invoice.paid", "--profile", "production", "--yes")
        assert (result.exit_code, endpoint.got, services.stored) == (1, [], [])
        assert reason in result.stderr

    @pytest.mark.parametrize("text", ["whsec_right", "{}", '{"key": null}', '{"key": "\\ud800"}', "[" * 100_000, '"'])
    def test_a_secret_of_another_form_is_told_without_its_value(
        self, run: Run, services: Services, endpoint: Endpoint, text: str
    ) -> None:
        services.endpoints = {"Shop/Webhook": ("/", STRIPE | {"secret": {"arn": ARN, "field": "key"}})}
        services.secret = {"SecretString": text}
        result = run("send", "invoice.paid")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "the secret stripe-webhooks is no JSON object with a text as its 'key'" in result.stderr
        assert "whsec" not in result.output

    def test_a_secret_that_holds_no_key_is_told(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        standard = BY_METHOD["standard_webhooks"]
        source = {"kind": AnyOf.kind, "scheme": {"ways": [dict(way) for way in standard.ways]}, "secret": {"arn": ARN}}
        services.endpoints = {"Shop/Webhook": ("/", source)}
        services.secret = {"SecretString": "not base64!"}
        result = run("send", "user.created")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "Shop/Webhook: the secret is not base64" in result.stderr


class TestAccounts:
    def test_it_asks_before_it_sends(self, run: Run, endpoint: Endpoint, services: Services) -> None:
        result = run("send", "invoice.paid", "--twice", "--profile", "production", input="n\n")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "send stripe invoice.paid twice to Shop/Webhook in eu-west-1 of account 123456789012?" in result.stderr
        assert run("send", "invoice.paid", "--wait", 0, "--profile", "production", input="y\n").exit_code == 0
        assert len(endpoint.got) == 1

    def test_a_burst_asks_too(self, run: Run, endpoint: Endpoint) -> None:
        result = run("burst", "--as", "stripe", "--count", 5, "--profile", "production", input="n\n")
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "send 5 webhooks to Shop/Webhook in eu-west-1" in result.stderr

    def test_logs_that_may_not_be_read_are_told(self, run: Run, services: Services) -> None:
        services.logs_error = refused("AccessDeniedException", operation="FilterLogEvents")
        result = run("send", "invoice.paid", "--profile", "production", "--yes")
        assert result.exit_code == 1
        assert "allow logs:FilterLogEvents on it, or pass --wait 0" in result.stderr

    def test_a_log_group_that_is_not_there_yet_has_no_lines(self, run: Run, services: Services) -> None:
        services.logs_error = refused("ResourceNotFoundException")
        assert run("send", "invoice.paid", "--wait", 0.2).stdout.startswith("202 evt_1: not stored after 0.2 s")

    def test_a_consumer_of_your_own_tells_the_rest(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        services.variables = {}
        result = run("send", "invoice.paid")
        assert (result.exit_code, result.stdout) == (
            0,
            "202 evt_1: accepted; its consumer is a function of your own, whose log tells the rest\n",
        )

    def test_an_endpoint_that_does_not_answer_is_told(self, run: Run, services: Services) -> None:
        services.url = "http://127.0.0.1:9"
        result = run("send", "invoice.paid")
        assert result.exit_code == 1
        assert "no answer from http://127.0.0.1:9/stripe: ConnectError" in result.stderr


def test_json_has_all_of_it(run: Run, services: Services, endpoint: Endpoint) -> None:
    why: Any = {"error": "Permanent", "reason": "\x1b[31mred"}
    endpoint.on_request = lambda request: services.log("dead-lettered", request, id="evt_1", **why)
    result = run("send", "invoice.paid", "--json")
    (delivery,) = (told := json.loads(result.stdout))["deliveries"]
    assert result.exit_code == 1
    assert (told["webhook"], told["provider"], told["event"]) == ("Shop/Webhook", "stripe", "invoice.paid")
    assert delivery == {
        "status": 202,
        "id": "evt_1",
        "request_id": "r1",
        "outcome": "dead-lettered",
        **why,
        "answer": '{"id":"evt_1"}',
        "as_wanted": False,
    }


HOSTILE = [b"", b"[" * 100_000, b'{"id": {}}', b'{"id": "\\u001b[31m"}', b"\xff\xfe", b'{"message": 1}', b"<Response/>"]


@pytest.mark.parametrize("answer", HOSTILE)
@pytest.mark.parametrize("status", [200, 400])
def test_any_answer_is_told(run: Run, services: Services, endpoint: Endpoint, answer: bytes, status: int) -> None:
    endpoint.status, endpoint.body = status, answer
    endpoint.on_request = lambda request: services.log("stored", request, id="\x1b[2J\u202eevil")
    result = run("send", "invoice.paid")
    assert result.exit_code == (0 if status == 200 else 1)
    assert "\x1b" not in result.output
    assert status != 200 or result.stdout == "200 \\x1b[2J\\u202eevil: stored\n"


@pytest.mark.parametrize("kind", ["dead-lettered", "failed"])
def test_a_reason_of_several_lines_is_one_line(run: Run, services: Services, endpoint: Endpoint, kind: str) -> None:
    why: dict[str, Any] = {"error": "Bad", "reason": "it\n202 evt_2: stored\r\nis", "attempt": 1, "retry_in": 9}
    endpoint.on_request = lambda request: services.log(kind, request, id="evt_1", **why)
    result = run("send", "invoice.paid", "--wait", 0.5)
    assert [line for line in result.output.splitlines() if line.startswith("202 evt_2")] == []
    assert r"it\n202 evt_2: stored" in result.output


class TestBurst:
    @pytest.fixture(autouse=True)
    def stored(self, services: Services, endpoint: Endpoint) -> None:
        endpoint.on_request = lambda request: services.log("stored", request, id=f"of {request}")

    def test_each_request_is_a_signed_event_of_its_own(self, run: Run, endpoint: Endpoint) -> None:
        result = run("burst", "--as", "stripe", "--count", 20, "--wait", 5)
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (
            0,
            "20 accepted; 20 stored, 0 duplicates, 0 waiting, 0 dead-lettered",
        )
        assert len({verified(STRIPE, endpoint, at=n) for n in range(20)}) == 20

    def test_without_a_url_it_goes_to_the_only_webhook_unsigned(self, run: Run, endpoint: Endpoint) -> None:
        result = run("burst", "--count", 2, "--id-header", "X-Id", "-H", "X-One: 1")
        assert (result.exit_code, result.stdout.splitlines()[0].partition(",")[0]) == (0, "2 of 2 accepted")
        assert [path for path, *_ in endpoint.got] == ["/prod/stripe"] * 2
        assert len({headers["X-Id"] for _, headers, _ in endpoint.got}) == 2
        assert {headers["X-One"] for _, headers, _ in endpoint.got} == {"1"}

    def test_a_duplicate_is_the_same_delivery(self, run: Run, endpoint: Endpoint) -> None:
        assert run("burst", "--as", "stripe", "--count", 40, "--duplicates", 50, "--concurrency", 1).exit_code == 0
        assert 10 < len({verified(STRIPE, endpoint, at=n) for n in range(40)}) < 30

    def test_a_payload_of_your_own_gets_a_new_id_each(self, run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
        (body := tmp_path / "body").write_text('{"id": "evt_mine", "n": 1}')
        assert run("burst", "--as", "stripe", "--count", 3, "--body", body).exit_code == 0
        assert len({verified(STRIPE, endpoint, at=n) for n in range(3)} - {"evt_mine"}) == 3
        assert all(json.loads(content)["n"] == 1 for *_, content in endpoint.got)

    @pytest.mark.parametrize("text", ["", "[]", "not JSON", "[" * 100_000])
    def test_a_payload_that_has_no_place_for_an_id_is_rejected(
        self, run: Run, endpoint: Endpoint, tmp_path: Path, text: str
    ) -> None:
        (body := tmp_path / "body").write_text(text)
        result = run("burst", "--as", "stripe", "--count", 3, "--body", body)
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "the payload must be a JSON object, since its id makes a delivery unique" in result.stderr

    def test_what_does_not_end_well_is_counted(self, run: Run, services: Services, endpoint: Endpoint) -> None:
        ends = iter(["stored", "duplicate", "dead-lettered", "unverified", "dropped", "failed"])
        endpoint.on_request = lambda request: services.log(next(ends), request)
        result = run("burst", "--count", 6, "--concurrency", 1, "--wait", 0.3)
        assert result.exit_code == 1
        assert result.stdout.splitlines()[-1] == (
            "6 accepted; 1 stored, 1 duplicate, 1 waiting, 1 dead-lettered, 1 dropped, 1 unverified"
        )

    def test_json_has_the_outcomes(self, run: Run) -> None:
        told = json.loads(run("burst", "--count", 3, "--wait", 5, "--json").stdout)
        assert (told["accepted"], told["outcomes"]) == (3, {"stored": 3, "waiting": 0})

    @pytest.mark.parametrize("more", [["--as", "stripe"], ["--wait", "1"], ["-w", "Webhook"], ["--profile", "p"]])
    def test_a_url_alone_tells_neither_secret_nor_log(self, run: Run, endpoint: Endpoint, more: list[str]) -> None:
        result = run("burst", endpoint.url, *more)
        assert (result.exit_code, endpoint.got) == (1, [])
        assert "name its webhook with --webhook instead" in result.stderr

    def test_a_consumer_of_your_own_tells_no_outcome(self, run: Run, services: Services) -> None:
        services.variables = {}
        result = run("burst", "--count", 1, "--wait", 5)
        assert (result.exit_code, "whose log tells no outcome" in result.stderr) == (1, True)


def test_lines_of_two_stages_in_any_order_have_one_end(services: Services) -> None:
    found = outcomes.Outcome()
    for kind in ("stored", "failed", "queued", "other"):
        line = outcomes.Outcome(kind, {"timestamp": "2027"})
        if outcomes._is_news(line, found):
            found = line
    assert found.kind == "stored"
