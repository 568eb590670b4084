"""The events of the command line are those of a provider, and each is new."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from scalable_webhook_cli import samples
from webhook_runtime import Answer, Webhook
from webhook_runtime.contract.providers import BY_METHOD, PROVIDERS
from webhook_runtime.contract.signing import Request, sign, usual
from webhook_runtime.sources.source import Source
from webhook_runtime.testing import webhook

from ..runtime.doubles import SecretsManager

EVENTS = [(provider.method, name) for provider in PROVIDERS for name in samples.names(provider.method)]
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
URL = "https://hooks.example.com/prod/provider"


def admitted(provider: str, event: samples.Event, id: str) -> Webhook | Answer:
    """Return what a deployed function makes of the event, signed now."""
    record, now = BY_METHOD[provider], datetime.now(UTC)
    url = f"{URL}?{urlencode(event.query)}" if event.query else URL
    request = Request(body=event.body, url=url, method=event.method, headers=event.headers)
    made = sign(record.scheme, request, SECRET, at=now.timestamp(), id=id) if event.is_signed else request
    described = {
        "kind": record.scheme.kind,
        "scheme": record.scheme.described(),
        "secret": {"arn": "arn"},
        "token": {"arn": "arn"},
        "handshakes": record.handshakes,
    }
    query = urlsplit(made.url).query
    arrived = webhook(
        made.body, method=made.method, headers=made.headers, query=[(k, v[0]) for k, v in parse_qs(query).items()]
    )
    source = Source.from_description(described, SecretsManager(AWSCURRENT=SECRET))
    return source.admit(arrived._replace(url=URL, received_at=now))


@pytest.mark.parametrize(("provider", "name"), EVENTS)
def test_an_event_is_verified_under_a_new_id(provider: str, name: str) -> None:
    first, second = (admitted(provider, samples.event(provider, name, lambda: SECRET), id) for id in ("id-1", "id-2"))
    if samples.event(provider, name).is_verification:
        assert isinstance(first, Answer)
        assert first.status == 200
        return
    assert isinstance(first, Webhook)
    assert isinstance(second, Webhook)
    scheme = usual(BY_METHOD[provider].scheme)
    if scheme.id_field:
        value = json.loads(first.body)[scheme.id_field]
        assert first.id == value
    assert first.id != second.id


@pytest.mark.parametrize(("provider", "name"), EVENTS)
def test_no_placeholder_is_left_in_an_event(provider: str, name: str) -> None:
    event = samples.event(provider, name)
    assert samples._PLACEHOLDER.search(event.body.decode() + "".join(event.headers.values())) is None
    assert event.name == name


def test_each_provider_has_events_and_each_file_a_provider() -> None:
    found = {path.name.removesuffix(".json") for path in files(samples.__name__).iterdir()}
    assert set(BY_METHOD) <= found
    assert {name for name in found if "." not in name and name != "__pycache__"} == set(BY_METHOD)
    assert all(len(samples.names(method)) >= 4 for method in ("stripe", "github", "shopify", "slack"))


def test_each_provider_that_verifies_its_endpoint_has_that_request() -> None:
    verifying = {provider for provider, name in EVENTS if samples.event(provider, name).is_verification}
    assert verifying == {provider.method for provider in PROVIDERS if provider.handshakes}
    assert samples.event("meta", "hub.challenge", lambda: "shh").query["hub.verify_token"] == "shh"


def test_the_headers_of_an_event_tell_its_name() -> None:
    assert samples.event("github", "push").headers["X-GitHub-Event"] == "push"
    assert samples.headers("github", "release")["X-GitHub-Event"] == "release"
    assert "X-GitHub-Event" not in samples.headers("github", None)
    assert samples.event("shopify", "orders/create").headers["X-Shopify-Topic"] == "orders/create"
    assert samples.event("twilio", "call").headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_numbers_and_times_are_those_of_now() -> None:
    told = json.loads(samples.event("stripe", "invoice.paid").body)
    assert abs(told["created"] - datetime.now(UTC).timestamp()) < 60
    assert isinstance(json.loads(samples.event("shopify", "orders/create").body)["id"], int)
