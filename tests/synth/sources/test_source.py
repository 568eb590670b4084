"""Each provider's scheme, as synth writes it and run time reads it, against signatures of the provider's library."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aws_cdk import Annotations as CdkAnnotations
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from cdk_scalable_webhook import (
    Acknowledgement,
    Ingress,
    QueueOptions,
    ScalableWebhook,
    Sink,
    Source,
)
from webhook_runtime import Answer, Unverified, Webhook
from webhook_runtime.contract.providers import BY_METHOD, PROVIDERS
from webhook_runtime.sources.secrets import NoSecret
from webhook_runtime.sources.source import Source as Checked
from webhook_runtime.testing import webhook

from ...runtime.doubles import SecretsManager
from ...runtime.events import by_function_url
from ...signers import BODY, KEY, SECRET, SIGNERS, WAYS, Signed, Signer, of_others, of_token

NOW = float(int(time.time()))
URL = "https://abc.execute-api.us-east-1.amazonaws.com/prod/sms"
ALL = SIGNERS | WAYS
# Their signatures cover the time.
TIMED = [
    *(provider.method for provider in PROVIDERS if provider.signs_time),
    *("hmac", "svix", "a standard webhook with a key of text"),
    *("milliseconds and base64url in one header", "an ISO time", "URL and method"),
]
WITH_HEADERS = [name for name in ALL if name != "microsoft_graph"]


Check = Callable[..., Webhook | Answer]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack(App(), "Stack")


@pytest.fixture(scope="module", params=["api", "function url"])
def checks(stack: Stack, request: pytest.FixtureRequest) -> dict[str, Check]:
    """Return the check of each signer, as a deployed function does it for the requests of each ingress with code."""
    secret = secretsmanager.Secret(stack, f"Secret of an {request.param}")
    arrives: Callable[[Webhook], Webhook] = by_function_url if request.param == "function url" else lambda sent: sent

    def maker(signer: Signer) -> Check:
        described = json.loads(json.dumps(signer.source(secret).describe()))

        def check(signed: Any, body: bytes, at: float = NOW, secret: str = signer.secret) -> Webhook | Answer:
            source = Checked.from_description(described, SecretsManager(AWSCURRENT=secret))
            request = webhook(body, id="its request", headers=signed, received_at=datetime.fromtimestamp(at, UTC))
            return source.admit(arrives(request._replace(url=URL, query_string=signer.query(body))))

        return check

    return {name: maker(signer) for name, signer in ALL.items()}


Checks = dict[str, Check]


def test_every_provider_has_a_signer() -> None:
    providers = {name: getattr(Source, name) for name in BY_METHOD}
    # The generic sources need arguments.
    expected = providers | {"hmac": of_others, "token": of_token}
    assert {name: signer.source for name, signer in SIGNERS.items()} == expected


def test_every_scheme_with_a_tolerance_is_tested_at_another_time(stack: Stack) -> None:
    secret = secretsmanager.Secret(stack, "SecretOfTimed")
    schemes = {name: signer.source(secret).describe()["scheme"] for name, signer in ALL.items()}
    ways = {name: scheme.get("ways", [scheme]) for name, scheme in schemes.items()}
    assert {name for name, each in ways.items() if any(way.get("tolerance") for way in each)} == set(TIMED)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_a_signature_of_the_providers_library_is_accepted(
    name: str, case: Callable[[str], str], checks: Checks
) -> None:
    signer = ALL[name]
    headers = {case(header): value for header, value in signer.sign(BODY, NOW, URL).items()}
    admitted = checks[name](headers, BODY)
    assert isinstance(admitted, Webhook)
    assert admitted.id == (signer.id or "its request")
    assert admitted.body == BODY
    # A secret that is sent as it is must not reach the sink.
    assert signer.secret not in admitted.headers.values()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("pasted", ["{}\n", "{}\r\n", " {}", "\t{} \n\n", "\ufeff{}\r\n", "\u00a0{}\u200b"])
def test_white_space_around_a_secret_is_ignored(name: str, pasted: str, checks: Checks) -> None:
    signer = ALL[name]
    if name == "meta":  # its secret is JSON with two fields
        fields = {field: pasted.format(value) for field, value in json.loads(signer.secret).items()}
        secret = json.dumps(fields)
    else:
        secret = pasted.format(signer.secret)
    assert isinstance(checks[name](signer.sign(BODY, NOW, URL), BODY, secret=secret), Webhook)


@pytest.mark.parametrize("form", ["whsec_{}", "v1,whsec_{}", "{}", "whsec_{}\n", "v1,{}"])
@pytest.mark.parametrize("padded", [True, False])
def test_a_key_of_standard_webhooks_is_accepted_in_each_form(form: str, padded: bool, checks: Checks) -> None:
    signer = SIGNERS["standard_webhooks"]
    key = KEY.removeprefix("whsec_")
    secret = form.format(key if padded else key.rstrip("="))
    assert isinstance(checks["standard_webhooks"](signer.sign(BODY, NOW, URL), BODY, secret=secret), Webhook)


@pytest.mark.parametrize("name", [name for name in ALL if name != "meta" and ALL[name].secret == SECRET])
def test_a_secret_in_json_without_secret_field_accepts_no_request_and_names_the_argument(
    name: str, checks: Checks
) -> None:
    signer = ALL[name]
    with pytest.raises(NoSecret, match="secret_field"):
        checks[name](signer.sign(BODY, NOW, URL), BODY, secret=json.dumps({"secret": signer.secret}))


@pytest.mark.parametrize("name", ALL)
def test_another_secret_is_rejected(name: str, checks: Checks) -> None:
    signer = ALL[name]
    # This is a valid text, and a valid key in hex and base64.
    other = b"yet another".hex()
    wrong = signer.secret.replace(SECRET, other) if SECRET in signer.secret else other
    with pytest.raises(Unverified):
        checks[name](signer.sign(BODY, NOW, URL), BODY, secret=wrong)


@pytest.mark.parametrize("name", WITH_HEADERS)
def test_a_missing_header_is_rejected(name: str, checks: Checks) -> None:
    signed = ALL[name].sign(BODY, NOW, URL)
    for header in signed.keys() - set(ALL[name].unsigned):
        with pytest.raises(Unverified):
            checks[name]({k: v for k, v in signed.items() if k != header}, BODY)


# A function URL joins them, which may be a header with two valid signatures.
@pytest.mark.parametrize("checks", ["api"], indirect=True)
@pytest.mark.parametrize("name", WITH_HEADERS)
def test_a_repeated_header_is_rejected(name: str, checks: Checks) -> None:
    signed = ALL[name].sign(BODY, NOW, URL)
    for header in signed.keys() - set(ALL[name].unsigned):
        with pytest.raises(Unverified):
            checks[name]([*signed.items(), (header.lower(), signed[header])], BODY)


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_signature_from_another_time_is_rejected(name: str, seconds: int, checks: Checks) -> None:
    signed = ALL[name].sign(BODY, NOW, URL)
    with pytest.raises(Unverified):
        checks[name](signed, BODY, NOW + seconds)
    checks[name](signed, BODY, NOW + seconds * 300 // 301)


@pytest.mark.parametrize("name", WITH_HEADERS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_changed_bit_of_the_payload_or_the_signature_is_rejected(
    name: str, data: st.DataObject, checks: Checks
) -> None:
    signer = ALL[name]
    body = data.draw(signer.payloads)
    signed = signer.sign(body, NOW, URL)
    checks[name](signed, body)
    bit = data.draw(st.integers(0, 7))
    if signer.is_body_signed and body and data.draw(st.booleans()):
        changed = bytearray(body)
        changed[data.draw(st.integers(0, len(body) - 1))] ^= 1 << bit
        with pytest.raises(Unverified):
            checks[name](signed, bytes(changed))
        return
    header, position = data.draw(st.sampled_from(signature_bits(name, signed)))
    text = bytearray(signed[header].encode("latin-1"))
    text[position] ^= 1 << bit
    with pytest.raises(Unverified):
        checks[name](signed | {header: text.decode("latin-1")}, body)


def signature_bits(name: str, signed: Signed) -> list[tuple[str, int]]:
    """Return the header and the position of each character of the signature that counts, its id and its time."""
    places: list[tuple[str, int]] = []
    for header, value in signed.items():
        if header in ALL[name].unsigned:
            continue
        counted = re.search(ALL[name].signature, value)
        assert counted
        places += [(header, position) for position in range(*counted.span())]
    return places


class Form(dict[str, Any]):
    """A form as Django parses it, with several values of a name."""

    def getlist(self, name: str) -> list[str]:
        return self[name] if isinstance(self[name], list) else [self[name]]


class TestTwilio:
    """Twilio's forms: its library signs parameters, and its examples are parsed forms."""

    def request(
        self, form: dict[str, Any], *, url: str = URL, query: str = "", algorithm: str | None = None, settings: str = ""
    ) -> Webhook:
        called = f"{url}?{query}" if query else url
        headers = {
            "X-Twilio-Signature": RequestValidator(SECRET).compute_signature(called, Form(form), algorithm),
            "Content-Type": "application/x-www-form-urlencoded",
        } | ({"X-Twilio-Webhooks-Signature-Settings": settings} if settings else {})
        return webhook(urlencode(form, doseq=True), headers=headers)._replace(url=URL, query_string=query)

    def check(self, stack: Stack) -> Callable[[Webhook], Webhook | Answer]:
        secret = secretsmanager.Secret.from_secret_name_v2(stack, f"Twilio{time.monotonic_ns()}", "twilio")
        described = json.loads(json.dumps(Source.twilio(secret).describe()))
        return Checked.from_description(described, SecretsManager(AWSCURRENT=SECRET)).admit

    @pytest.mark.parametrize(
        "form",
        [
            {},
            {"Body": "Zoë & co +1", "From": "+15017122661", "Empty": ""},
            {"b": "2", "a": "1", "A": "0"},
            {"MediaUrl": ["two", "one", "one"]},
        ],
    )
    def test_a_form_is_signed_with_its_parameters(self, form: dict[str, Any], stack: Stack) -> None:
        request = self.request(form)
        assert self.check(stack)(request)
        with pytest.raises(Unverified, match="does not match URL and payload"):
            self.check(stack)(request._replace(body=request.body + b"&Extra=1"))

    @pytest.mark.parametrize("query", ["a=1&b=2", "text=one+two", "text=one%20two", "flag="])
    def test_the_query_is_signed_as_it_was_written(self, query: str, stack: Stack) -> None:
        assert self.check(stack)(self.request({"Body": "hi"}, query=query))

    def test_a_url_with_its_port_is_the_same_url(self, stack: Stack) -> None:
        with_port = URL.replace(".com/", ".com:443/")
        assert self.check(stack)(self.request({"Body": "hi"}, url=with_port))

    def test_the_algorithm_of_a_shared_key_is_accepted_and_no_other(self, stack: Stack) -> None:
        settings = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
        assert self.check(stack)(self.request({"Body": "hi"}, algorithm="HMAC_SHA256", settings=settings))
        with pytest.raises(Unverified, match="does not match"):
            self.check(stack)(self.request({"Body": "hi"}, algorithm="HMAC_SHA256"))
        with pytest.raises(Unverified, match="algorithm"):
            self.check(stack)(self.request({"Body": "hi"}, settings="algorithm=NONE"))

    def test_another_url_is_rejected(self, stack: Stack) -> None:
        with pytest.raises(Unverified):
            self.check(stack)(self.request({"Body": "hi"}, url=URL.replace("prod", "test")))

    @pytest.mark.parametrize("body", [b"Body=%ff", b"\xff=1"])
    def test_a_form_that_is_not_utf_8_is_rejected(self, body: bytes, stack: Stack) -> None:
        with pytest.raises(Unverified, match="not UTF-8"):
            self.check(stack)(self.request({"Body": "hi"})._replace(body=body))

    @pytest.mark.parametrize("other", [b"", b"=", b"&", b"&=&", b"{}", b'{"a": 2}'])
    @pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
    def test_another_payload_than_that_of_the_signed_digest_is_rejected(
        self, stack: Stack, content_type: str, other: bytes
    ) -> None:
        body = b'{"a": 1}'
        at = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        signed = {"X-Twilio-Signature": RequestValidator(SECRET).compute_signature(at, {})}
        request = webhook(body, headers=signed)._replace(url=URL, query_string=at.partition("?")[2])
        assert self.check(stack)(request)
        changed = webhook(other, headers={**signed, "Content-Type": content_type})
        with pytest.raises(Unverified):
            self.check(stack)(request._replace(body=other, headers=changed.headers))

    def test_a_form_without_fields_has_to_be_empty(self, stack: Stack) -> None:
        signed = {"X-Twilio-Signature": RequestValidator(SECRET).compute_signature(URL, {})}
        form = webhook(headers={**signed, "Content-Type": "application/x-www-form-urlencoded"})._replace(url=URL)
        assert self.check(stack)(form)
        for body in (b"=", b"&"):
            with pytest.raises(Unverified, match="bodySHA256"):
                self.check(stack)(form._replace(body=body))

    def test_a_payload_that_is_no_form_needs_its_digest(self, stack: Stack) -> None:
        request = self.request({})
        headers = {"X-Twilio-Signature": request.headers["X-Twilio-Signature"], "Content-Type": "application/json"}
        with pytest.raises(Unverified, match="bodySHA256"):
            self.check(stack)(webhook(b"{}", headers=headers)._replace(url=URL))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"value": []}',
        b'{"value": {"clientState": "hush hush"}}',
        b'{"value": [{"clientState": "hush hush"}, {"clientState": "other"}]}',
        b'{"value": [{"clientState": "hush hush"}, {}]}',
        b'{"value": [{"clientState": ["hush hush"]}]}',
        b'{"value": ["hush hush"]}',
        b"[" * 100_000,
    ],
)
def test_a_notification_of_microsoft_graph_without_its_client_state_is_rejected(body: bytes, checks: Checks) -> None:
    with pytest.raises(Unverified):
        checks["microsoft_graph"]({}, body)


def test_a_published_vector_of_shopifys_scheme_is_accepted(checks: Checks) -> None:
    """Shopify publishes none. This one is in SQLPage's documentation of its hmac()."""
    body = b'{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}'
    signature = "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw="
    assert checks["shopify"]({"X-Shopify-Hmac-Sha256": signature}, body, secret="test-webhook-secret")


@settings(max_examples=200)
@given(token=st.one_of(st.text(max_size=40), st.from_regex(r"[A-Za-z0-9+/=_.~-]{1,40}", fullmatch=True)))
def test_the_answer_to_a_challenge_of_x_is_no_signature_of_an_event(token: str, stack: Stack) -> None:
    """Anyone can get an answer to a challenge, which is a signature. It must not be valid for an event."""
    secret = secretsmanager.Secret.from_secret_name_v2(stack, f"X{time.monotonic_ns()}", "x")
    x = Checked.from_description(json.loads(json.dumps(Source.x(secret).describe())), SecretsManager(AWSCURRENT=SECRET))
    try:
        answer = x.admit(webhook(method="GET", query={"crc_token": token}))
    except Unverified:
        return  # it signed nothing
    assert isinstance(answer, Answer)
    signature = json.loads(answer.body)["response_token"]
    with pytest.raises(Unverified):
        x.admit(webhook(token.encode(), headers={"x-twitter-webhooks-signature": signature}))


def variables(template: Template) -> dict[str, dict[str, Any]]:
    """Return the variables of each function by its name, with the sources parsed."""
    told = {}
    for id, function in template.find_resources("AWS::Lambda::Function").items():
        own = function["Properties"]["Environment"]["Variables"]
        if "WEBHOOK_SOURCES" in own:
            sources = own["WEBHOOK_SOURCES"]
            parts = sources["Fn::Join"][1] if isinstance(sources, dict) else [sources]
            own["WEBHOOK_SOURCES"] = json.loads("".join(part if isinstance(part, str) else "an ARN" for part in parts))
        told[id.rstrip("0123456789ABCDEF")] = own
    return told


def readers(template: Template) -> set[str]:
    """Return the roles that may read a secret."""
    policies = template.find_resources("AWS::IAM::Policy").values()
    return {
        policy["Properties"]["Roles"][0]["Ref"].rstrip("0123456789ABCDEF")
        for policy in policies
        if "secretsmanager:GetSecretValue" in json.dumps(policy)
    }


def methods(template: Template) -> list[str]:
    return sorted(
        each["Properties"]["HttpMethod"] for each in template.find_resources("AWS::ApiGateway::Method").values()
    )


DIRECT = Ingress.direct_integration()


class TestTemplate:
    @pytest.fixture
    def stack(self) -> Stack:
        return Stack(App(), "Stack")

    @pytest.fixture
    def secret(self, stack: Stack) -> secretsmanager.Secret:
        return secretsmanager.Secret(stack, "Secret")

    def test_with_a_lambda_integration_the_publisher_verifies(self, stack: Stack, secret: Any) -> None:
        ScalableWebhook(stack, "Webhook", source=Source.github(secret, secret_field="key"))
        template = Template.from_stack(stack)
        assert readers(template) == {"WebhookPublisherRole"}
        told = variables(template)
        assert told["WebhookPublisher"]["WEBHOOK_SOURCES"]["/"]["secret"] == {"arn": "an ARN", "field": "key"}
        assert "WEBHOOK_SOURCES" not in told["WebhookConsumer"]

    @pytest.mark.parametrize("key", [None, "a key"])
    def test_a_consumer_that_verifies_has_an_unverified_queue(self, stack: Stack, secret: Any, key: str | None) -> None:
        webhook = ScalableWebhook(
            stack,
            "Webhook",
            path="/own",
            source=Source.github(secret),
            encryption_key=kms.Key(stack, "Key") if key else None,
            queue=sqs.Queue(stack, "Fifo", fifo=True, visibility_timeout=Duration.minutes(3)),
        )
        assert webhook.unverified_queue is None
        for path in ("/one", "/two"):
            webhook.add_source(path, Source.github(secret), ingress=Ingress.direct_integration(binary=True))
        assert webhook.unverified_queue is not None
        webhook.metric_unverified().create_alarm(stack, "Alarm", threshold=1, evaluation_periods=1)
        template = Template.from_stack(stack)
        (name,) = (each for each in template.find_resources("AWS::SQS::Queue") if "Unverified" in each)
        properties = template.to_json()["Resources"][name]["Properties"]
        encryption = {"KmsMasterKeyId": Match.any_value()} if key else {"SqsManagedSseEnabled": True}
        template.has_resource_properties(
            "AWS::SQS::Queue", {"MessageRetentionPeriod": 4 * 24 * 3600, "MaximumMessageSize": 2**20, **encryption}
        )
        assert "FifoQueue" not in properties
        denied = {"Action": "sqs:*", "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        template.has_resource_properties(
            "AWS::SQS::QueuePolicy",
            {"Queues": [{"Ref": name}], "PolicyDocument": {"Statement": [Match.object_like(denied)]}},
        )
        assert variables(template)["WebhookConsumer"]["WEBHOOK_UNVERIFIED_QUEUE_URL"] == {"Ref": name}
        (counter,) = (
            each["Properties"]
            for each in template.find_resources("AWS::Logs::MetricFilter").values()
            if each["Properties"]["FilterPattern"] == '{ $.message = "unverified" }'
        )
        (counted,) = counter["MetricTransformations"]
        template.has_resource_properties(
            "AWS::CloudWatch::Alarm", {"MetricName": counted["MetricName"], "Namespace": counted["MetricNamespace"]}
        )

    def test_with_a_lambda_integration_there_is_no_unverified_queue(self, stack: Stack, secret: Any) -> None:
        webhook = ScalableWebhook(
            stack, "Webhook", source=Source.github(secret), queue=QueueOptions(unverified_queue=sqs.Queue(stack, "Q"))
        )
        assert webhook.unverified_queue is None
        assert "UNVERIFIED" not in json.dumps(Template.from_stack(stack).to_json())

    def test_an_existing_unverified_queue_is_used(self, stack: Stack, secret: Any) -> None:
        existing = sqs.Queue(stack, "Existing")
        webhook = ScalableWebhook(
            stack,
            "Webhook",
            source=Source.github(secret),
            ingress=Ingress.direct_integration(),
            queue=QueueOptions(unverified_queue=existing),
        )
        assert webhook.unverified_queue is existing
        assert not [
            each for each in Template.from_stack(stack).find_resources("AWS::SQS::Queue") if "Unverified" in each
        ]

    def test_mismatches_are_counted_for_each_secret(self, stack: Stack, secret: Any) -> None:
        other = Source.token(secretsmanager.Secret.from_secret_name_v2(stack, "Other", "other"), header="X-Token")
        webhook = ScalableWebhook(stack, "Webhook", path="/own", source=Source.github(secret))
        for path in ("/one", "/two"):
            webhook.add_source(path, other, ingress=Ingress.direct_integration(binary=True))
        metrics = [webhook.metric_mismatched(), webhook.metric_mismatched(other, period=Duration.minutes(1))]
        for n, metric in enumerate(metrics):
            metric.create_alarm(stack, f"Alarm{n}", threshold=1, evaluation_periods=1)
        template = Template.from_stack(stack)
        counters = [
            each["Properties"]
            for name, each in template.find_resources("AWS::Logs::MetricFilter").items()
            if "Mismatched" in name
        ]
        groups = sorted(each["LogGroupName"]["Ref"].rstrip("0123456789ABCDEF") for each in counters)
        assert groups == ["WebhookConsumerLogs", "WebhookPublisherLogs"]
        assert {each["FilterPattern"] for each in counters} == {'{ $.secret = "*" }'}
        (counted,) = {json.dumps(each["MetricTransformations"], sort_keys=True) for each in counters}
        (transformation,) = json.loads(counted)
        assert transformation["Dimensions"] == [{"Key": "Secret", "Value": "$.secret"}]
        assert "DefaultValue" not in transformation  # CloudWatch rejects it together with dimensions
        arns = [each.dimensions["Secret"] for each in metrics if each.dimensions]
        told = [source.describe()["secret"]["arn"] for source in (Source.github(secret), other)]
        assert stack.resolve(arns) == stack.resolve(told)
        for alarm in template.find_resources("AWS::CloudWatch::Alarm").values():
            assert alarm["Properties"]["MetricName"] == transformation["MetricName"]

    def test_without_a_secret_there_is_no_metric_of_mismatches(self, stack: Stack, tmp_path: Path) -> None:
        (tmp_path / "check.py").write_text("def verify(webhook, secrets): ...")
        open = ScalableWebhook(stack, "Open")
        own = ScalableWebhook(stack, "Own", source=Source.custom(str(tmp_path), "check.verify"))
        assert Template.from_stack(stack).find_resources("AWS::Logs::MetricFilter") == {}
        with pytest.raises(ValueError, match="metric_mismatched needs a source with a secret, got none; pass"):
            open.metric_mismatched()
        with pytest.raises(ValueError, match="metric_mismatched needs a source with a secret, got one without; pass"):
            own.metric_mismatched()

    @pytest.mark.parametrize("binary", [True, False])
    def test_with_a_direct_integration_the_consumer_verifies(self, binary: bool, stack: Stack, secret: Any) -> None:
        ingress = Ingress.direct_integration(binary=binary)
        ScalableWebhook(stack, "Webhook", path="/in", ingress=ingress, source=Source.github(secret))
        template = Template.from_stack(stack)
        assert readers(template) == {"WebhookConsumerRole"}
        assert variables(template)["WebhookConsumer"]["WEBHOOK_SOURCES"].keys() == {"/in"}

    def test_a_direct_integration_reads_the_event_id_of_the_provider(self, stack: Stack, secret: Any) -> None:
        ScalableWebhook(stack, "Webhook", ingress=DIRECT, source=Source.github(secret))
        assert "x-github-delivery" in json.dumps(Template.from_stack(stack).to_json())

    def test_a_source_and_an_http_sink_can_be_combined(self, stack: Stack, secret: Any) -> None:
        source = Source.stripe(secret, tolerance=Duration.minutes(10))
        ScalableWebhook(stack, "Webhook", sink=Sink.http("https://example.com"), source=source)
        template = Template.from_stack(stack)
        for name in ("WEBHOOK_SOURCES", "WEBHOOK_URL"):
            variables = {"Environment": {"Variables": {name: Match.any_value()}}}
            template.resource_properties_count_is("AWS::Lambda::Function", variables, 1)

    def test_an_endpoint_without_a_source_gives_a_warning_that_can_be_acknowledged(
        self, stack: Stack, secret: Any
    ) -> None:
        ScalableWebhook(stack, "Signed", source=Source.github(secret))
        open = ScalableWebhook(stack, "Open")
        warned = Annotations.from_stack(stack).find_warning(
            "*", Match.string_like_regexp("source should name the provider")
        )
        assert [warning.id for warning in warned] == ["/Stack/Open"]
        CdkAnnotations.of(open).acknowledge_warning("cdk-scalable-webhook:missingSource")
        assert Annotations.from_stack(stack).find_warning("*", Match.any_value()) == []

    @pytest.mark.parametrize("name", [provider.method for provider in PROVIDERS if provider.takes_code])
    def test_a_handshake_that_needs_code_is_rejected_with_a_direct_integration(
        self, name: str, stack: Stack, secret: Any
    ) -> None:
        source = getattr(Source, name)(secret)
        with pytest.raises(ValueError, match=rf"lambda_integration\(\).*got .*'{name}'; take"):
            ScalableWebhook(stack, "Webhook", ingress=DIRECT, source=source)
        ScalableWebhook(stack, "Another", source=source)

    @pytest.mark.parametrize("name", SIGNERS)
    def test_an_accepted_webhook_is_acknowledged_as_the_provider_requires(
        self, name: str, stack: Stack, secret: Any
    ) -> None:
        signer = SIGNERS[name]
        chosen = signer.source(secret).acknowledgement
        assert (202 if chosen is None else chosen.status) == signer.accepted
        ScalableWebhook(stack, "Own", source=signer.source(secret))
        ScalableWebhook(stack, "Told", source=signer.source(secret), acknowledgement=Acknowledgement(204))
        first = ScalableWebhook(stack, "First", acknowledgement=Acknowledgement(203))
        first.add_source("/second", signer.source(secret))
        functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
        told = [
            json.loads(variables["WEBHOOK_ACKNOWLEDGEMENT"])["status"]
            for variables in (each["Properties"].get("Environment", {}).get("Variables", {}) for each in functions)
            if "WEBHOOK_ACKNOWLEDGEMENT" in variables
        ]
        assert sorted(told) == [*([signer.accepted] * 2 if chosen else []), 203, 204]

    def test_a_direct_integration_acknowledges_as_the_provider_requires(self, stack: Stack, secret: Any) -> None:
        ScalableWebhook(stack, "Webhook", ingress=DIRECT, source=Source.okta(secret))
        template = Template.from_stack(stack).find_resources("AWS::ApiGateway::Method").values()
        answered = [
            [answer["StatusCode"] for answer in each["Properties"]["Integration"]["IntegrationResponses"]]
            for each in template
            if each["Properties"]["HttpMethod"] == "ANY"
        ]
        assert answered == [["503", "200", "400"]] * 2

    def test_okta_is_answered_by_a_mock_integration(self, stack: Stack, secret: Any) -> None:
        ScalableWebhook(stack, "Webhook", ingress=DIRECT, source=Source.okta(secret))
        template = Template.from_stack(stack)
        assert methods(template) == ["ANY", "ANY", "GET", "GET"]
        mocks = template.find_resources("AWS::ApiGateway::Method", {"Properties": {"Integration": {"Type": "MOCK"}}})
        assert len(mocks) == 2

    @pytest.mark.parametrize("name", ["github", "microsoft_graph"])
    def test_a_direct_integration_may_make_its_calls_of_sqs_and_no_others(
        self, name: str, stack: Stack, secret: Any
    ) -> None:
        ScalableWebhook(stack, "Webhook", ingress=DIRECT, source=getattr(Source, name)(secret))
        template = Template.from_stack(stack).to_json()["Resources"]
        integrations = [each["Properties"]["Integration"] for each in template.values() if "Method" in each["Type"]]
        (asked,) = {
            frozenset(re.findall(r"Action=(\w+)", each["RequestTemplates"]["$default"])) for each in integrations
        }
        (role,) = {each["Credentials"]["Fn::GetAtt"][0] for each in integrations}
        (policy,) = [each for each in template.values() if each["Properties"].get("Roles") == [{"Ref": role}]]
        allowed = [each["Action"] for each in policy["Properties"]["PolicyDocument"]["Statement"]]
        assert sorted(json.dumps(allowed).split('"')[1::2]) == sorted(f"sqs:{action}" for action in asked)

    def test_the_token_of_microsoft_graph_is_answered_without_a_message(self, stack: Stack, secret: Any) -> None:
        ScalableWebhook(stack, "Webhook", ingress=DIRECT, source=Source.microsoft_graph(secret))
        template = Template.from_stack(stack)
        assert methods(template) == ["ANY", "ANY"]
        of_the_ingress = {"Properties": {"Roles": [{"Ref": Match.string_like_regexp("IngressRole")}]}}
        (permitted,) = template.find_resources("AWS::IAM::Policy", of_the_ingress).values()
        for action in ("GetQueueAttributes", "SendMessage"):
            assert f"Action={action}&" in json.dumps(template.to_json())
            assert f'"sqs:{action}"' in json.dumps(permitted)


class TestAddSource:
    @pytest.fixture
    def stack(self) -> Stack:
        return Stack(App(), "Stack")

    @pytest.fixture
    def secrets(self, stack: Stack) -> list[secretsmanager.Secret]:
        return [secretsmanager.Secret(stack, f"Secret{number}") for number in range(3)]

    def test_each_endpoint_has_its_own_publisher_and_secret_and_shares_the_rest(
        self, stack: Stack, secrets: Any
    ) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/github", source=Source.github(secrets[0]))
        url = webhook.add_source("/hooks/stripe", Source.stripe(secrets[1]))
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::SQS::Queue", 2)
        template.resource_count_is("AWS::Lambda::EventSourceMapping", 1)
        template.resource_count_is("AWS::ApiGateway::RestApi", 1)
        told = variables(template)
        assert told["WebhookPublisher"]["WEBHOOK_SOURCES"].keys() == {"/github"}
        assert told["WebhookSourcehooksstripePublisher"]["WEBHOOK_SOURCES"].keys() == {"/hooks/stripe"}
        assert "WEBHOOK_SOURCES" not in told["WebhookConsumer"]
        assert stack.resolve(url)["Fn::Join"][1][-1] == "/hooks/stripe"
        for role, secret in {"WebhookPublisherRole": 0, "WebhookSourcehooksstripePublisherRole": 1}.items():
            (policy,) = (
                json.dumps(each)
                for each in template.find_resources("AWS::IAM::Policy").values()
                if each["Properties"]["Roles"][0]["Ref"].startswith(role)
            )
            readable = [number for number in range(3) if f'"Secret{number}' in policy]
            assert readable == [secret]

    def test_the_consumer_has_the_source_of_each_direct_integration(self, stack: Stack, secrets: Any) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/github", source=Source.github(secrets[0]), ingress=DIRECT)
        webhook.add_source("/stripe", Source.stripe(secrets[1]))
        webhook.add_source("/slack", Source.slack(secrets[2]), ingress=Ingress.lambda_integration())
        sources = variables(Template.from_stack(stack))["WebhookConsumer"]["WEBHOOK_SOURCES"]
        assert sources["/github"]["scheme"]["header"] == "X-Hub-Signature-256"
        assert sources["/stripe"]["scheme"]["header"] == "Stripe-Signature"
        assert sources["/slack"] is None

    def test_an_endpoint_without_a_source_stays_so_next_to_one_with_a_source(self, stack: Stack, secrets: Any) -> None:
        webhook = ScalableWebhook(stack, "Webhook", ingress=DIRECT)
        webhook.add_source("/github", Source.github(secrets[0]))
        sources = variables(Template.from_stack(stack))["WebhookConsumer"]["WEBHOOK_SOURCES"]
        assert sources["/"] is None
        assert sources["/github"]

    def test_more_sources_than_fit_the_variables_of_the_consumer_are_rejected(self, stack: Stack, secrets: Any) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/0", source=Source.stripe(secrets[0]), ingress=DIRECT)
        for number in range(1, 8):
            webhook.add_source(f"/{number}", Source.stripe(secrets[0]))
        with pytest.raises(ValueError, match=r"source, event_filters.* must fit .* got about 4,\d+; take Ingress"):
            [webhook.add_source(f"/{number}", Source.stripe(secrets[0])) for number in range(8, 50)]
        webhook.add_source("/slack", Source.slack(secrets[0]), ingress=Ingress.lambda_integration())

    def test_several_webhooks_share_an_api(self, stack: Stack, secrets: Any) -> None:
        first = ScalableWebhook(stack, "First", path="/first", source=Source.github(secrets[0]))
        ScalableWebhook(stack, "Second", path="/second", api=first.api, source=Source.github(secrets[1]))
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::ApiGateway::RestApi", 1)
        template.resource_count_is("AWS::Lambda::EventSourceMapping", 2)

    def test_a_second_consumer_of_a_queue_is_rejected(self, stack: Stack, secrets: Any) -> None:
        first = ScalableWebhook(stack, "First", path="/first", source=Source.github(secrets[0]))
        with pytest.raises(ValueError, match=r"queue must have one consumer.*add_source\(\)"):
            ScalableWebhook(stack, "Second", path="/second", queue=first.queue)

    def test_a_url_names_the_stage_that_the_api_gets_later(self, stack: Stack) -> None:
        api = apigateway.RestApi(stack, "Api", deploy=False, binary_media_types=["*/*"])
        webhook = ScalableWebhook(stack, "Webhook", api=api, path="/first")
        url = webhook.add_source("/second", Source.github(secretsmanager.Secret(stack, "Key")))
        api.deployment_stage = apigateway.Stage(stack, "Stage", deployment=apigateway.Deployment(stack, "Now", api=api))
        assert "/second" in json.dumps(stack.resolve(url))
        assert "/first" in json.dumps(stack.resolve(webhook.url))

    @pytest.mark.parametrize("name", SIGNERS)
    def test_a_delivery_id_header_is_rejected_for_a_source_with_an_event_id(
        self, name: str, stack: Stack, secrets: Any
    ) -> None:
        source = SIGNERS[name].source(secrets[0])
        webhook = ScalableWebhook(stack, "Webhook", path="/own", delivery_id_header="X-First")
        if source.gives_ids:
            with pytest.raises(ValueError, match=r"endpoint /two: delivery_id_header must not .* got 'X-Id'; leave it"):
                webhook.add_source("/two", source, delivery_id_header="X-Id")
            webhook.add_source("/two", source)
        else:
            webhook.add_source("/two", source, delivery_id_header="X-Id")
        webhook.add_source("/three", Source.meta(secrets[0]))
        told = {
            function: own.get("WEBHOOK_DELIVERY_ID_HEADER")
            for function, own in variables(Template.from_stack(stack)).items()
            if function.endswith("Publisher")
        }
        assert told == {
            "WebhookPublisher": "x-first",
            "WebhookSourcetwoPublisher": None if source.gives_ids else "x-id",
            "WebhookSourcethreePublisher": None,
        }

    def test_a_direct_integration_reads_the_delivery_id_header_of_its_endpoint(
        self, stack: Stack, secrets: Any
    ) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/own", ingress=DIRECT, delivery_id_header="X-First")
        webhook.add_source("/github", Source.github(secrets[0]))
        webhook.add_source("/graph", Source.microsoft_graph(secrets[0]), delivery_id_header="X-Id")
        webhook.add_source("/none", Source.hmac(secrets[0], header="X-Signature"))
        methods = Template.from_stack(stack).find_resources("AWS::ApiGateway::Method")
        read = {"own": "x-first", "github": "x-github-delivery", "graph": "x-id", "none": ""}
        for name, header in read.items():
            templates = [
                json.dumps(each["Properties"]["Integration"]) for id, each in methods.items() if f"Api{name}" in id
            ]
            assert len(templates) == 2
            for template in templates:
                compared = re.findall(r'toLowerCase\(\) == \\"([^\\]*)\\" &&', template)
                assert set(compared) == {header}

    def test_a_second_source_at_the_same_path_is_rejected(self, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook")
        secret = secretsmanager.Secret(stack, "Key")
        webhook.add_source("/a/b", Source.github(secret))
        for path in ("/a/b", "/a/b/", "/a--b"):  # the CDK writes a slash as two hyphens
            with pytest.raises(ValueError, match=r"path must be free in api, got '/a.*b', which another source has"):
                webhook.add_source(path, Source.github(secret))

    def test_a_path_an_ingress_or_a_source_that_is_not_possible_is_rejected(
        self, stack: Stack, secrets: Any, tmp_path: Path
    ) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/github", source=Source.github(secrets[0]), ingress=DIRECT)
        with pytest.raises(ValueError, match="path must be free in api"):
            webhook.add_source("/github", Source.github(secrets[1]))
        with pytest.raises(ValueError, match="path must be '/' or fixed segments"):
            webhook.add_source("/{tenant}", Source.github(secrets[1]))
        with pytest.raises(ValueError, match=r"take Ingress\.lambda_integration"):
            webhook.add_source("/slack", Source.slack(secrets[1]))
        with pytest.raises(ValueError, match=r"got binary=True"):
            webhook.add_source("/bytes", Source.github(secrets[1]), ingress=Ingress.direct_integration(binary=True))
        (tmp_path / "bank.py").write_text("def verify(webhook, secrets): ...")
        with pytest.raises(ValueError, match=r"endpoint /bank: source must not be Source\.custom\(\) at a further"):
            webhook.add_source("/bank", Source.custom(str(tmp_path), "bank.verify"))


class TestCustom:
    @pytest.fixture
    def stack(self) -> Stack:
        return Stack(App(), "Stack")

    @pytest.fixture
    def code(self, tmp_path: Path) -> Path:
        folder = tmp_path / "verify"
        folder.mkdir()
        (folder / "bank.py").write_text("def verify(webhook, secrets): ...")
        return folder

    def files(self, stack: Stack, function: str) -> set[str]:
        (id,) = (id for id in Template.from_stack(stack).find_resources("AWS::Lambda::Function") if function in id)
        resource = Template.from_stack(stack).to_json()["Resources"][id]
        app = stack.node.root
        assert isinstance(app, App)
        key = resource["Properties"]["Code"]["S3Key"]
        return {path.name for path in Path(app.outdir, f"asset.{key.removesuffix('.zip')}").iterdir()}

    @pytest.mark.parametrize("single", [True, False])
    def test_its_code_is_packed_with_the_function_that_verifies(self, single: bool, stack: Stack, code: Path) -> None:
        source = Source.custom(str(code / "bank.py" if single else code), "bank.verify")
        ScalableWebhook(stack, "Lambda", source=source, path="/a")
        ScalableWebhook(stack, "Direct", source=source, path="/b", ingress=DIRECT)
        assert self.files(stack, "LambdaPublisher") == {"webhook_runtime", "bank.py"}
        assert self.files(stack, "LambdaConsumer") == {"webhook_runtime"}
        assert self.files(stack, "DirectConsumer") == {"webhook_runtime", "bank.py"}

    def test_it_needs_no_secret(self, stack: Stack, code: Path) -> None:
        ScalableWebhook(stack, "Webhook", source=Source.custom(str(code), "bank.verify"))
        assert readers(Template.from_stack(stack)) == set()

    def test_it_may_be_in_the_same_folder_as_the_code_of_the_sink(self, stack: Stack, code: Path) -> None:
        (code / "orders.py").write_text("def handle(webhook): ...")
        sink, source = Sink.python(str(code), "orders.handle"), Source.custom(str(code), "bank.verify")
        ScalableWebhook(stack, "Webhook", source=source, sink=sink, ingress=DIRECT)
        assert self.files(stack, "Consumer") == {"webhook_runtime", "bank.py", "orders.py"}

    def test_a_name_that_the_code_of_the_sink_has_too_is_rejected(
        self, stack: Stack, code: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "bank.py").write_text("def handle(webhook): ...")
        sink, source = Sink.python(str(tmp_path / "bank.py"), "bank.handle"), Source.custom(str(code), "bank.verify")
        with pytest.raises(ValueError, match=r"code must have names of its own, got bank\.py in verify"):
            ScalableWebhook(stack, "Webhook", source=source, sink=sink, ingress=DIRECT)

    def test_an_invalid_handler_package_or_secret_field_is_rejected(self, code: Path) -> None:
        with pytest.raises(ValueError, match="handler must name a function"):
            Source.custom(str(code), "bank.other")
        with pytest.raises(ValueError, match="packages must be installed"):
            Source.custom(str(code), "bank.verify", packages=["no-such-package"])
        with pytest.raises(ValueError, match="no secret"):
            Source.custom(str(code), "bank.verify", secret_field="key")
