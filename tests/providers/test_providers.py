"""The webhooks of a provider's library are accepted by its method of Source, or its lines in docs/sources/providers.md.

Nothing else is accepted. `make vectors` writes vectors.json with the webhooks that the libraries accept.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import Acknowledgement, Ingress, Probe, ScalableWebhook, Source
from webhook_runtime import Answer, Unverified, Webhook
from webhook_runtime.contract.providers import BY_METHOD
from webhook_runtime.contract.providers import PROVIDERS as RECORDS
from webhook_runtime.contract.providers import Provider as Record
from webhook_runtime.sources.source import Source as Checked
from webhook_runtime.testing import webhook

from ..runtime.doubles import SecretsManager
from ..signers import OF_CASES

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "sources" / "providers.md"
VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text())
NAMES = {
    "Acknowledgement": Acknowledgement,
    "Duration": Duration,
    "Ingress": Ingress,
    "Probe": Probe,
    "Source": Source,
}
ITS_REQUEST = "its request"


@dataclass(frozen=True)
class Provider:
    """A provider as the page has it: its documentation, the webhook to copy, and the table below it."""

    documentation: str
    lines: str
    told: dict[str, str]

    def made(self, by: Callable[..., Any]) -> Any:
        """Evaluate the lines with another function in the place of ScalableWebhook."""
        stack = Stack(App(), "Stack")
        secret = secretsmanager.Secret(stack, "Secret")
        return eval(self.lines, {**NAMES, "ScalableWebhook": by, "stack": stack, "secret": secret})

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the ScalableWebhook in the lines."""
        made: dict[str, Any] = self.made(lambda _stack, _id, **arguments: arguments)
        return made

    def source(self) -> Source:
        made: Source = self.arguments()["source"]
        return made


def providers() -> dict[str, Provider]:
    page = PAGE.read_text()
    sections = re.findall(
        r"^## ([^\n]+)\n\n\[Documentation\]\((\S+)\)\n\n```python\n(ScalableWebhook\([^`]+)```\n\n((?:\|.+\n)+)",
        page,
        re.MULTILINE,
    )
    rows = re.findall(r"^\| \[([^]]+)\]\((\S+)\) \| `(Source\..+?)` \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    told = {
        name: Provider(url, lines, dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", table, re.MULTILINE)))
        for name, url, lines, table in sections
    }
    standard = {
        name: Provider(
            url,
            f'ScalableWebhook(stack, "Webhook", path="/hooks", source={lines})',
            {"secret": secret, "idempotency key": "`webhook-id`", "tested with": by},
        )
        for name, url, lines, secret, by in rows
    }
    # The whole app at the start of the page has one more.
    assert len(told) == page.count("\nScalableWebhook(") - 1
    return told | standard


# Providers with lines on the page, and providers with a method of Source.
OF_PAGE = providers()
OF_RECORD = {
    record.name: Provider(
        record.documentation,
        f'ScalableWebhook(stack, "Webhook", path="/{record.method}", source=Source.{record.method}(secret))',
        {},
    )
    for record in RECORDS
}
PROVIDERS = OF_PAGE | OF_RECORD
each_provider = pytest.mark.parametrize("name", OF_PAGE)
each_vector = pytest.mark.parametrize(
    "vector", VECTORS, ids=[f"{number}-{vector['provider']}" for number, vector in enumerate(VECTORS)]
)


def checked(source: Source, secret: str) -> Checked:
    return Checked.from_description(json.loads(json.dumps(source.describe())), SecretsManager(AWSCURRENT=secret))


def sent(vector: dict[str, Any], **changed: Any) -> Webhook:
    vector = {**vector, **changed}
    body = vector["payload"]
    return webhook(
        body,
        id=ITS_REQUEST,
        method=vector["method"],
        headers=vector["headers"],
        received_at=datetime.fromtimestamp(vector["at"], UTC),
    )._replace(url=vector["url"])


def is_accepted(vector: dict[str, Any], *, secret: str | None = None, **changed: Any) -> bool:
    """Tell whether the source of a provider accepts the webhook. Any other error is a failure."""
    source = checked(PROVIDERS[vector["provider"]].source(), secret or vector["secret"])
    try:
        return isinstance(source.admit(sent(vector, **changed)), Webhook)
    except Unverified:
        return False


def test_each_provider_has_a_vector_and_each_vector_a_provider() -> None:
    # tests/signers.py signs with the libraries of the others.
    assert {vector["provider"] for vector in VECTORS} == OF_PAGE.keys() | {BY_METHOD[name].name for name in OF_CASES}
    assert OF_PAGE.keys().isdisjoint(OF_RECORD)
    assert len(PROVIDERS) > 70


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_names_the_library_or_signature_that_verified_it(record: Record) -> None:
    """The library or signature is in the vectors, or in the tests that sign with it."""
    vectors = [vector for vector in VECTORS if vector["provider"] == record.name]
    own = {library["name"] for vector in vectors for library in vector["libraries"] if library["is_its_own"]}
    tests = [TESTS / "signers.py", *TESTS.glob("runtime/**/test_schemes.py")]
    told = record.verified_by
    assert vectors == [] or told in own | {vector.get("published") for vector in vectors}
    assert vectors or not told or any(re.search(rf"\b{re.escape(told)}\b", file.read_text()) for file in tests)


def test_the_app_at_the_start_has_the_lines_of_a_provider() -> None:
    assert PAGE.read_text().partition("app.synth()")[0].endswith(OF_PAGE["Mux"].lines)


def test_the_providers_are_in_alphabetical_order() -> None:
    headings = [name for name in re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE) if name in OF_PAGE]
    assert headings == sorted(headings, key=str.lower)


@each_provider
def test_the_page_names_the_library_or_signature_that_verified_it(name: str) -> None:
    """The page names exactly the libraries and signatures of the vectors."""
    vectors = [vector for vector in VECTORS if vector["provider"] == name]
    published = {vector["published"] for vector in vectors if "published" in vector}
    libraries = {
        f"{'its own library' if library['is_its_own'] else 'a third-party library'}, "
        f"`{library['name']}` {library['version']} from {library['registry']}"
        for vector in vectors
        for library in vector["libraries"]
    }
    verified = {f"[its published signatures]({url})" for url in published} | libraries
    told = OF_PAGE[name].told["tested with"]
    assert set(told.split("; ")) == (
        verified or {"its documentation only: no library and no published signature was found"}
    )


@each_provider
def test_its_documentation_is_linked(name: str) -> None:
    assert OF_PAGE[name].documentation.startswith("https://")


@pytest.mark.slow(10)
def test_the_lines_of_each_provider_make_a_webhook() -> None:
    for provider in OF_PAGE.values():
        assert isinstance(provider.made(ScalableWebhook), ScalableWebhook)


def test_each_provider_has_its_own_path() -> None:
    paths = [provider.arguments()["path"] for provider in OF_PAGE.values() if "/hooks" not in provider.lines]
    assert len(set(paths)) == len(paths)


@each_provider
def test_the_table_agrees_with_the_lines(name: str) -> None:
    provider = OF_PAGE[name]
    made = provider.arguments()
    scheme = made["source"].describe()["scheme"]
    way = scheme.get("ways", [scheme])[0]
    unique = way.get("id_header") or way.get("id_field")
    told = provider.told["idempotency key"]
    assert f"`{unique}`" in told if unique else told.startswith("none: ")
    assert ("acknowledgement" in made) == ("response" in provider.told)
    assert not made["source"].handshakes or "endpoint verification" in provider.told


@each_vector
def test_a_webhook_that_the_library_accepts_is_accepted_with_its_id(vector: dict[str, Any]) -> None:
    admitted = checked(PROVIDERS[vector["provider"]].source(), vector["secret"]).admit(sent(vector))
    assert isinstance(admitted, Webhook)
    assert admitted.id == (vector["id"] or ITS_REQUEST)
    assert admitted.body == vector["payload"].encode()


@each_vector
def test_another_secret_is_rejected(vector: dict[str, Any]) -> None:
    other = vector["secret"][:-3] + ("AAA" if vector["secret"][-3:] != "AAA" else "BBB")
    assert not is_accepted(vector, secret=other)


@each_vector
def test_a_changed_bit_of_the_payload_or_the_signature_is_rejected(vector: dict[str, Any]) -> None:
    source = PROVIDERS[vector["provider"]].source()
    check = checked(source, vector["secret"])
    if vector["is_signed"]:
        body = vector["payload"].encode()
        for position in range(len(body)):
            changed = bytearray(body)
            changed[position] ^= 1
            with pytest.raises(Unverified):
                check.admit(sent(vector)._replace(body=bytes(changed)))
    scheme = source.describe()["scheme"]
    name = [
        name
        for way in scheme.get("ways", [scheme])
        for name in vector["headers"]
        if name.lower() == way["header"].lower()
    ][-1]
    value = vector["headers"][name]
    # The signature that counts is the end of this header. It may have the padding of base64.
    for position in range(len(value) - 20, len(value) - 2):
        other = value[:position] + ("a" if value[position] != "a" else "b") + value[position + 1 :]
        with pytest.raises(Unverified):
            check.admit(sent(vector, headers={**vector["headers"], name: other}))


@each_vector
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_signed_time_outside_of_the_tolerance_is_rejected(vector: dict[str, Any], sign: int) -> None:
    scheme = PROVIDERS[vector["provider"]].source().describe()["scheme"]
    tolerance = scheme.get("ways", [scheme])[0].get("tolerance")
    assert is_accepted(vector, at=vector["at"] + sign * (tolerance or 10**6))
    if tolerance:
        assert not is_accepted(vector, at=vector["at"] + sign * (tolerance + 1))


PROBES: dict[str, dict[str, Any]] = {
    "head": {"method": "HEAD"},
    "echo": {"method": "GET"},
    "form": {"headers": {"Content-Type": "application/x-www-form-urlencoded"}, "payload": "webhook_id=1"},
}
ASKING = {
    name: provider.source().describe()["handshakes"]
    for name, provider in PROVIDERS.items()
    if "probe=" in provider.lines
}


@pytest.mark.parametrize("name", ASKING)
def test_the_endpoint_verification_of_a_provider_is_answered(name: str) -> None:
    ((kind, *arguments),) = ASKING[name]
    vector = next(vector for vector in VECTORS if vector["provider"] == name)
    asked = sent({**vector, "headers": {}, "payload": "", **PROBES[kind]})
    query = f"{arguments[0]}=a%26b" if kind == "echo" else ""
    answer = checked(PROVIDERS[name].source(), vector["secret"]).admit(asked._replace(query_string=query))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (200, "a&b" if kind == "echo" else "")


def test_each_provider_verifies_the_endpoint_as_its_documentation_says() -> None:
    head, echo, form = [["head"]], [["echo", "challenge"]], [["form", "webhook_id"]]
    assert json.loads(json.dumps(ASKING)) == {"Dropbox": echo, "Intercom": head, "Trello": head, "WooCommerce": form}


def test_a_header_without_a_unique_id_is_not_recommended() -> None:
    """These ids are the same for two events, or another one at each retry."""
    for header in ("X-WC-Webhook-Delivery-ID", "BOX-DELIVERY-ID"):
        assert all(f'id_header="{header}"' not in provider.lines for provider in PROVIDERS.values())
