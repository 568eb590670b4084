"""The verification, and the library of each provider, accept all that ``webhook_runtime.testing.signed()`` signs."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import stripe
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook as StandardWebhook
from twilio.request_validator import RequestValidator

from cdk_scalable_webhook import Source
from webhook_runtime import Unverified, Webhook
from webhook_runtime.contract.providers import PROVIDERS
from webhook_runtime.contract.schemes import scheme_of
from webhook_runtime.contract.signing import FORM, Request, new_secret, sign, usual
from webhook_runtime.sources.secrets import NoSecret
from webhook_runtime.sources.source import Source as Checked
from webhook_runtime.testing import signed, webhook

from ..runtime.doubles import SecretsManager
from ..signers import SIGNERS, WAYS, Signer
from .test_providers import PROVIDERS as OF_PAGE_AND_RECORD
from .test_providers import VECTORS

URL = "https://hooks.example.com/prod/provider"
EVERY = SIGNERS | WAYS
NOTIFICATIONS = st.lists(st.dictionaries(st.text(), st.integers() | st.text()), min_size=1)
SECONDS = st.floats(10**8, 9 * 10**10)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=".|,"), min_size=1)
# Secrets Manager's own text, without what is removed at the ends of a secret.
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


def described(signer: Signer) -> dict[str, Any]:
    """Return the description of the source, as a deployed function reads it."""
    secret = secretsmanager.Secret(Stack(App(), "Stack"), "Secret")
    told: dict[str, Any] = json.loads(json.dumps(signer.source(secret).describe()))
    return told


DESCRIBED = {name: described(signer) for name, signer in EVERY.items()}


def secrets(description: dict[str, Any]) -> st.SearchStrategy[str]:
    key = getattr(usual(scheme_of(description["kind"], description["scheme"])), "key", "text")
    keys = st.binary(min_size=1).filter(lambda each: bool(each.strip(b"\0")))
    if key == "hex":
        return keys.map(bytes.hex)
    return keys.map(lambda each: f"whsec_{base64.b64encode(each).decode()}") if key == "base64" else TEXTS


def bodies(name: str) -> st.SearchStrategy[bytes]:
    if name == "microsoft_graph":
        return NOTIFICATIONS.map(lambda each: json.dumps({"value": each}).encode())
    way: Any = usual(scheme_of(DESCRIBED[name]["kind"], DESCRIBED[name]["scheme"]))
    # These providers send JSON only, and the verification relies on it.
    is_json = getattr(way, "opening", "") or "{url}" in getattr(way, "signed", "")
    return st.one_of(EVERY[name].payloads, st.binary().map(lambda body: b"{" + body if is_json else body))


def admitted(description: dict[str, Any], secret: str, request: Request, at: float) -> Webhook:
    """Verify a request as a deployed function does, and return the webhook."""
    field = description["secret"].get("field")
    stored = json.dumps({field: secret}) if field else secret
    parts = urlsplit(request.url)
    sent = webhook(request.body, id="its request", headers=request.headers, received_at=datetime.fromtimestamp(at, UTC))
    arrived = sent._replace(url=f"{parts.scheme}://{parts.netloc}{parts.path}", query_string=parts.query)
    result = Checked.from_description(description, SecretsManager(AWSCURRENT=stored)).admit(arrived)
    assert isinstance(result, Webhook)
    return result


@pytest.mark.parametrize("name", EVERY)
@given(data=st.data())
def test_any_signed_request_is_verified_under_its_id(name: str, data: st.DataObject) -> None:
    description = DESCRIBED[name]
    body, secret = data.draw(bodies(name)), data.draw(secrets(description))
    at, id = data.draw(SECONDS), data.draw(IDS)
    scheme = scheme_of(description["kind"], description["scheme"])
    request = Request(body=body, url=URL)
    made = sign(scheme, request, secret, at=at, id=id)
    found = admitted(description, secret, made, at)
    assert found.body == made.body
    if usual(scheme).id_header:
        assert found.id == id
    other = sign(scheme, request, new_secret(scheme), at=at, id=id)
    with pytest.raises(NoSecret if is_object(secret) else Unverified):
        admitted(description, secret, other, at)


def is_object(secret: str) -> bool:
    """Tell whether a secret is a JSON object, which may miss its ``secret_field``: then no one is told that it is not
    theirs.
    """
    try:
        return isinstance(json.loads(secret), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("secret", ["{}", '{"":"","":0}', "[]", '"text"'])
def test_a_secret_may_be_json_itself(secret: str) -> None:
    scheme = scheme_of("hmac", {"header": "X-Signature"})
    description = {"kind": "hmac", "scheme": scheme.described(), "secret": {"arn": "ARN"}}
    made = sign(scheme, Request(body=b"{}", url=URL), secret, at=10**9, id="")
    assert admitted(description, secret, made, 10**9).body == b"{}"
    other = sign(scheme, Request(body=b"{}", url=URL), "other", at=10**9, id="")
    with pytest.raises(NoSecret if is_object(secret) else Unverified):
        admitted(description, secret, other, 10**9)


@given(fields=st.lists(st.tuples(st.text(min_size=1), st.text())), secret=TEXTS)
def test_any_form_is_signed_as_twilio_signs_it(fields: list[tuple[str, str]], secret: str) -> None:
    body = urlencode(fields)
    made = sign(
        scheme_of("twilio", {}),
        Request(body=body.encode(), url=URL, headers={"content-type": f"{FORM}; charset=utf-8"}),
        secret,
        at=0,
        id="",
    )
    admitted(DESCRIBED["twilio"], secret, made, 10**9)
    if len({name for name, _ in fields}) == len(fields):
        form = dict(parse_qsl(body, keep_blank_values=True))
        assert form or not fields
        assert RequestValidator(secret).validate(made.url, form, made.headers["X-Twilio-Signature"])


@given(body=st.text(), secret=TEXTS)
def test_stripes_library_accepts_what_is_signed(body: str, secret: str) -> None:
    headers = signed("stripe", body, secret)
    assert stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], secret, tolerance=60)


@given(body=st.text(), secret=TEXTS)
def test_slacks_library_accepts_what_is_signed(body: str, secret: str) -> None:
    assert SignatureVerifier(secret).is_valid_request(body, signed("slack", body, secret))


@given(body=st.dictionaries(st.text(), st.text()).map(json.dumps), key=st.binary(min_size=1))
def test_the_library_of_standard_webhooks_accepts_what_is_signed(body: str, key: bytes) -> None:
    if not key.strip(b"\0"):
        return
    secret = f"whsec_{base64.b64encode(key).decode()}"
    assert StandardWebhook(secret).verify(body, signed("standard_webhooks", body, secret)) == json.loads(body)


# Box writes a time zone that others do not, and so signs another text.
OF_LIBRARIES = [vector for vector in VECTORS if vector["provider"] != "Box"]


@pytest.mark.parametrize("vector", OF_LIBRARIES, ids=[f"{n}-{each['provider']}" for n, each in enumerate(OF_LIBRARIES)])
def test_the_signature_is_the_one_that_the_library_of_the_provider_has_accepted(vector: dict[str, Any]) -> None:
    description = OF_PAGE_AND_RECORD[vector["provider"]].source().describe()
    scheme = scheme_of(description["kind"], description["scheme"])
    request = Request(body=vector["payload"].encode(), url=vector["url"])
    made = sign(scheme, request, vector["secret"], at=vector["at"], id=vector["id"] or "none")
    way, theirs = usual(scheme), list(vector["headers"].values())
    for name, value in made.headers.items():
        # A vector may have a signature by another secret too, as during a rotation.
        parts = value.split(getattr(way, "separator", "") or None)
        assert all(any(part in each for each in theirs) for part in parts) or name == way.id_header, made.headers


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_a_provider_is_found_by_any_spelling_of_its_name(provider: Any) -> None:
    body = b'{"value": [{"clientState": "shh"}]}'
    secret = base64.b64encode(b"a key").decode() if provider.method == "standard_webhooks" else "shh"
    url = f"https://example.com/?bodySHA256={hashlib.sha256(body).hexdigest()}"
    for name in (provider.name, provider.method, provider.method.replace("_", "-"), provider.name.upper()):
        assert signed(name, body, secret, url=url).keys() == signed(provider.name, body, secret, url=url).keys()


def test_a_source_of_an_app_signs_by_its_own_scheme() -> None:
    secret = secretsmanager.Secret(Stack(App(), "Stack"), "Secret")
    source = Source.token(secret, header="X-Token", prefix="Bearer ")
    assert signed(source, b"", "shh", headers={"X-One": "1"}) == {"X-One": "1", "X-Token": "Bearer shh"}


def test_a_custom_source_cannot_be_signed_for(tmp_path: Any) -> None:
    (tmp_path / "bank.py").write_text("def verify(webhook, secrets): ...\n")
    source = Source.custom(tmp_path, "bank.verify")
    with pytest.raises(ValueError, match=r"only that knows the signature"):
        signed(source, b"", "shh")


@pytest.mark.parametrize(
    ("provider", "body", "secret", "message"),
    [
        ("strpe", b"", "shh", r"provider must be one of github, .*got 'strpe'"),
        ("standard_webhooks", b"", "not base64!", "the secret is not base64"),
        ("standard_webhooks", b"", "AAAA", "the secret is empty"),
        ("x", b"[]", "shh", "the payload must start with {"),
        ("microsoft_graph", b"[" * 100_000, "shh", "must be a JSON object with a list of notifications"),
        ("microsoft_graph", b'{"value": [{"clientState": "other"}]}', "shh", "as the clientState of each notification"),
        ("twilio", b"{}", "shh", r"url must have the digest .* send it to https://example.com/\?bodySHA256="),
    ],
)
def test_what_cannot_be_signed_is_told(provider: str, body: bytes, secret: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        signed(provider, body, secret)
    assert secret not in str(raised.value)


def test_a_header_that_is_given_is_kept_and_signed() -> None:
    secret = base64.b64encode(b"a key").decode()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    given_id = signed("standard_webhooks", "{}", secret, headers={"Webhook-Id": "msg_1"}, at=at)
    assert given_id == {
        "Webhook-Id": "msg_1",
        "webhook-timestamp": "1767225600",
        "webhook-signature": signed("standard_webhooks", "{}", secret, id="msg_1", at=at)["webhook-signature"],
    }
    assert webhook("{}", headers=given_id).headers["webhook-id"] == "msg_1"
