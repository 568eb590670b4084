"""Each sender's scheme, as synth time writes it and run time reads it, against what the sender's own library makes."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook as StandardWebhook

from cdk_scalable_webhook import Ingress, ScalableWebhook, Sink, Source
from webhook_runtime.message import Headers
from webhook_runtime.verify import Scheme, Secrets, Unverified, Verifier

NOW = float(int(time.time()))
BODY = '{"id": "evt_1", "event_id": "Ev1", "name": "Zoë"}'.encode()
KEY = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

Signed = dict[str, str]


@dataclass(frozen=True)
class Sender:
    """A sender: its source, its secret, what its library signs, and the id of the delivery."""

    source: Callable[[Any], Source]
    secret: str
    sign: Callable[[bytes, float], Signed]
    id: str | None


def github(body: bytes, _: float) -> Signed:
    mac = hmac.new(b"shh", body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Delivery": "72d3162e"}


def stripes(body: bytes, at: float) -> Signed:
    signature = stripe.WebhookSignature._compute_signature(f"{int(at)}.{body.decode()}", KEY)
    return {"Stripe-Signature": f"t={int(at)},v1={signature},v0={'0' * 64}"}


def slacks(body: bytes, at: float) -> Signed:
    signature = SignatureVerifier("shh").generate_signature(timestamp=str(int(at)), body=body)
    assert signature
    return {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": str(int(at))}


def standard(body: bytes, at: float) -> Signed:
    signature = StandardWebhook(KEY).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    # One of another secret before it, as while a sender rotates.
    several = f"v1,{base64.b64encode(b'x' * 32).decode()} {signature}"
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at)), "webhook-signature": several}


def shopify(body: bytes, _: float) -> Signed:
    mac = base64.b64encode(hmac.new(b"shh", body, hashlib.sha256).digest()).decode()
    return {"X-Shopify-Hmac-Sha256": mac, "X-Shopify-Webhook-Id": "b54557e4"}


def other(body: bytes, at: float) -> Signed:
    mac = hmac.new(b"shh", f"7|{int(at)}|".encode() + body, hashlib.sha512).hexdigest()
    return {"X-Sig": f"v9:{mac}", "X-At": str(int(at)), "X-Id": "7"}


def of_others(secret: Any) -> Source:
    return Source.hmac(
        secret,
        header="X-Sig",
        algorithm="sha512",
        prefix="v9:",
        signed_content="{id}|{timestamp}|{body}",
        timestamp_header="X-At",
        id_header="X-Id",
    )


SENDERS = {
    "github": Sender(Source.github, "shh", github, "72d3162e"),
    "stripe": Sender(Source.stripe, KEY, stripes, "evt_1"),
    "slack": Sender(Source.slack, "shh", slacks, "Ev1"),
    "standard_webhooks": Sender(Source.standard_webhooks, KEY, standard, "msg_1"),
    "shopify": Sender(Source.shopify, "shh", shopify, "b54557e4"),
    "hmac": Sender(of_others, "shh", other, "7"),
}
# Those whose signature covers the time.
TIMED = ["stripe", "slack", "standard_webhooks", "hmac"]


class SecretsManager:
    def __init__(self, secret: str) -> None:
        self._secret = secret

    def get_secret_value(self, *, SecretId: str, VersionStage: str) -> dict[str, str]:
        assert SecretId
        return {"SecretString": {"AWSCURRENT": self._secret}[VersionStage]}


@pytest.fixture(scope="module")
def verifiers() -> dict[str, Callable[..., Verifier]]:
    """By sender, what makes the verifier that a deployed function would have."""
    stack = Stack(App(), "Stack")
    secret = secretsmanager.Secret(stack, "Secret")

    def maker(sender: Sender) -> Callable[..., Verifier]:
        scheme = Scheme(**json.loads(sender.source(secret).environment()["WEBHOOK_SOURCE"]))
        return lambda key=sender.secret: Verifier(scheme, Secrets(SecretsManager(key), "arn", None))

    return {name: maker(sender) for name, sender in SENDERS.items()}


Verifiers = dict[str, Callable[..., Verifier]]


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_what_the_senders_own_library_signs_is_accepted(
    name: str, case: Callable[[str], str], verifiers: Verifiers
) -> None:
    sender = SENDERS[name]
    headers = Headers((case(header), value) for header, value in sender.sign(BODY, NOW).items())
    verifiers[name]().verify(headers, BODY, NOW)
    assert verifiers[name]().delivery_id(headers, BODY) == sender.id


@pytest.mark.parametrize("name", SENDERS)
def test_another_secret_a_missing_header_and_a_doubled_one_are_refused(name: str, verifiers: Verifiers) -> None:
    sender = SENDERS[name]
    signed = sender.sign(BODY, NOW)
    wrong = "whsec_" + base64.b64encode(b"another").decode() if sender.secret == KEY else "another"
    with pytest.raises(Unverified):
        verifiers[name](wrong).verify(Headers(signed.items()), BODY, NOW)
    (signature, *_) = [header for header in signed if "sig" in header.lower() or "hmac" in header.lower()]
    with pytest.raises(Unverified):
        verifiers[name]().verify(Headers((k, v) for k, v in signed.items() if k != signature), BODY, NOW)
    with pytest.raises(Unverified):
        verifiers[name]().verify(Headers([*signed.items(), (signature.lower(), signed[signature])]), BODY, NOW)


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_signature_from_another_time_is_refused(name: str, seconds: int, verifiers: Verifiers) -> None:
    signed = SENDERS[name].sign(BODY, NOW)
    with pytest.raises(Unverified):
        verifiers[name]().verify(Headers(signed.items()), BODY, NOW + seconds)
    verifiers[name]().verify(Headers(signed.items()), BODY, NOW + seconds * 300 // 301)


@pytest.mark.parametrize("name", SENDERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bit_that_is_changed_in_what_is_signed_is_noticed(
    name: str, data: st.DataObject, verifiers: Verifiers
) -> None:
    body = data.draw(st.text(max_size=200)).encode()
    signed = SENDERS[name].sign(body, NOW)
    verifiers[name]().verify(Headers(signed.items()), body, NOW)
    bit = data.draw(st.integers(0, 7))
    if body and data.draw(st.booleans()):
        changed = bytearray(body)
        changed[data.draw(st.integers(0, len(body) - 1))] ^= 1 << bit
        with pytest.raises(Unverified):
            verifiers[name]().verify(Headers(signed.items()), bytes(changed), NOW)
        return
    header, position = data.draw(st.sampled_from(signature_bits(name, signed)))
    text = bytearray(signed[header].encode("latin-1"))
    text[position] ^= 1 << bit
    with pytest.raises(Unverified):
        verifiers[name]().verify(Headers((signed | {header: text.decode("latin-1")}).items()), body, NOW)


def signature_bits(name: str, signed: Signed) -> list[tuple[str, int]]:
    """Where the signature that counts stands: header and position, any id and time that it covers included."""
    places: list[tuple[str, int]] = []
    for header, value in signed.items():
        if header in ("X-GitHub-Delivery", "X-Shopify-Webhook-Id"):
            continue  # not signed
        start, end = 0, len(value)
        if name == "standard_webhooks" and header == "webhook-signature":
            start = value.rindex("v1,")
        if name == "stripe":
            start, end = value.index("v1=") + 3, value.index(",v0=")
        places += [(header, position) for position in range(start, end)]
    return places


class TestTemplate:
    def make(self, ingress: Ingress) -> tuple[Template, dict[str, Any]]:
        stack = Stack(App(), "Stack")
        secret = secretsmanager.Secret(stack, "Secret")
        ScalableWebhook(stack, "Webhook", ingress=ingress, source=Source.github(secret, secret_field="key"))
        template = Template.from_stack(stack)
        functions = template.find_resources("AWS::Lambda::Function")
        by_id = {id: each["Properties"]["Environment"]["Variables"] for id, each in functions.items()}
        return template, by_id

    def readers(self, template: Template) -> set[str]:
        policies = template.find_resources("AWS::IAM::Policy").values()
        return {
            policy["Properties"]["Roles"][0]["Ref"].rstrip("0123456789ABCDEF")
            for policy in policies
            if "secretsmanager:GetSecretValue" in json.dumps(policy)
        }

    def test_the_door_verifies_where_it_is_a_function(self) -> None:
        template, functions = self.make(Ingress.lambda_integration())
        assert self.readers(template) == {"WebhookPublisherRole"}
        verifying = [id for id, variables in functions.items() if "WEBHOOK_SOURCE" in variables]
        assert [id.rstrip("0123456789ABCDEF") for id in verifying] == ["WebhookPublisher"]

    @pytest.mark.parametrize("binary", [True, False])
    def test_the_consumer_verifies_behind_a_direct_door(self, binary: bool) -> None:
        template, functions = self.make(Ingress.direct_integration(binary=binary))
        assert self.readers(template) == {"WebhookConsumerRole"}
        (variables,) = functions.values()
        assert variables["WEBHOOK_SOURCE_SECRET_FIELD"] == "key"

    def test_the_senders_id_is_the_doors_id_too(self) -> None:
        template, _ = self.make(Ingress.direct_integration())
        assert "x-github-delivery" in json.dumps(template.to_json()).lower()


def test_a_sink_of_any_kind_stands_behind_a_source() -> None:
    stack = Stack(App(), "Stack")
    secret = secretsmanager.Secret(stack, "Secret")
    source = Source.stripe(secret, tolerance=Duration.minutes(10))
    ScalableWebhook(stack, "Webhook", sink=Sink.http("https://example.com"), source=source)
    Template.from_stack(stack)
