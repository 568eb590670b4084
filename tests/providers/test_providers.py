"""Each provider's method of Source, or its lines in docs/sources/providers.md, lets in what its library accepts, and
nothing else.

What the libraries accept is in vectors.json, which `make vectors` writes.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import Acknowledgement, Ingress, Probe, ScalableWebhook, Source
from cdk_scalable_webhook.sources.providers import BY_METHOD
from cdk_scalable_webhook.sources.providers import PROVIDERS as RECORDS
from cdk_scalable_webhook.sources.providers import Provider as Record
from webhook_runtime import Answer, Unverified, Webhook
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
        """What the lines make, where a ScalableWebhook is made by another."""
        stack = Stack(App(), "Stack")
        secret = secretsmanager.Secret(stack, "Secret")
        return eval(self.lines, {**NAMES, "ScalableWebhook": by, "stack": stack, "secret": secret})

    def arguments(self) -> dict[str, Any]:
        """What the lines give to a ScalableWebhook."""
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
    # And the whole app at its start.
    assert len(told) == page.count("\nScalableWebhook(") - 1
    return told | standard


# By their lines; and by a method of their own.
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
    return replace(
        webhook(
            body,
            id=ITS_REQUEST,
            method=vector["method"],
            headers=vector["headers"],
            received_at=datetime.fromtimestamp(vector["at"], UTC),
        ),
        url=vector["url"],
    )


def let_in(vector: dict[str, Any], *, secret: str | None = None, **changed: Any) -> bool:
    """Whether the lines of the page let it in. Whatever else goes wrong is an error."""
    source = checked(PROVIDERS[vector["provider"]].source(), secret or vector["secret"])
    try:
        return isinstance(source.admit(sent(vector, **changed)), Webhook)
    except Unverified:
        return False


def test_each_provider_has_a_vector_and_each_vector_a_provider() -> None:
    # What the libraries of the others sign is in tests/signers.py.
    assert {vector["provider"] for vector in VECTORS} == OF_PAGE.keys() | {BY_METHOD[name].name for name in OF_CASES}
    assert OF_PAGE.keys().isdisjoint(OF_RECORD)
    assert len(PROVIDERS) > 70


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_says_who_has_verified_it(record: Record) -> None:
    """Its own library or signature: in the vectors, or in the tests that sign by it."""
    vectors = [vector for vector in VECTORS if vector["provider"] == record.name]
    own = {library["name"] for vector in vectors for library in vector["libraries"] if library["is_its_own"]}
    tests = [TESTS / "signers.py", *TESTS.glob("runtime/**/test_schemes.py")]
    told = record.verified_by
    assert vectors == [] or told in own | {vector.get("published") for vector in vectors}
    assert vectors or not told or any(re.search(rf"\b{re.escape(told)}\b", file.read_text()) for file in tests)


def test_the_app_at_the_start_has_the_lines_of_one() -> None:
    assert PAGE.read_text().partition("app.synth()")[0].endswith(OF_PAGE["Mux"].lines)


def test_they_are_in_alphabetical_order() -> None:
    headings = [name for name in re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE) if name in OF_PAGE]
    assert headings == sorted(headings, key=str.lower)


@each_provider
def test_it_says_who_has_verified_it(name: str) -> None:
    """Neither more nor less than there are vectors for."""
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
def test_the_lines_of_each_make_a_webhook() -> None:
    for provider in OF_PAGE.values():
        assert isinstance(provider.made(ScalableWebhook), ScalableWebhook)


def test_each_has_a_path_of_its_own() -> None:
    paths = [provider.arguments()["path"] for provider in OF_PAGE.values() if "/hooks" not in provider.lines]
    assert len(set(paths)) == len(paths)


@each_provider
def test_the_table_says_what_the_lines_do(name: str) -> None:
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
def test_what_its_library_accepts_is_let_in_by_its_id(vector: dict[str, Any]) -> None:
    admitted = checked(PROVIDERS[vector["provider"]].source(), vector["secret"]).admit(sent(vector))
    assert isinstance(admitted, Webhook)
    assert admitted.id == (vector["id"] or ITS_REQUEST)
    assert admitted.body == vector["payload"].encode()


@each_vector
def test_another_secret_is_refused(vector: dict[str, Any]) -> None:
    other = vector["secret"][:-3] + ("AAA" if vector["secret"][-3:] != "AAA" else "BBB")
    assert not let_in(vector, secret=other)


@each_vector
def test_each_bit_of_what_is_signed_counts(vector: dict[str, Any]) -> None:
    source = PROVIDERS[vector["provider"]].source()
    check = checked(source, vector["secret"])
    if vector["is_signed"]:
        body = vector["payload"].encode()
        for position in range(len(body)):
            changed = bytearray(body)
            changed[position] ^= 1
            with pytest.raises(Unverified):
                check.admit(replace(sent(vector), body=bytes(changed)))
    scheme = source.describe()["scheme"]
    name = [
        name
        for way in scheme.get("ways", [scheme])
        for name in vector["headers"]
        if name.lower() == way["header"].lower()
    ][-1]
    value = vector["headers"][name]
    # Each vector has the signature that counts as the last, which may end with the padding of base64.
    for position in range(len(value) - 20, len(value) - 2):
        other = value[:position] + ("a" if value[position] != "a" else "b") + value[position + 1 :]
        with pytest.raises(Unverified):
            check.admit(sent(vector, headers={**vector["headers"], name: other}))


@each_vector
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_time_that_is_signed_is_held_against_the_arrival(vector: dict[str, Any], sign: int) -> None:
    scheme = PROVIDERS[vector["provider"]].source().describe()["scheme"]
    tolerance = scheme.get("ways", [scheme])[0].get("tolerance")
    assert let_in(vector, at=vector["at"] + sign * (tolerance or 10**6))
    if tolerance:
        assert not let_in(vector, at=vector["at"] + sign * (tolerance + 1))


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
def test_its_endpoint_verification_is_answered(name: str) -> None:
    ((kind, *arguments),) = ASKING[name]
    vector = next(vector for vector in VECTORS if vector["provider"] == name)
    asked = sent({**vector, "headers": {}, "payload": "", **PROBES[kind]})
    query = f"{arguments[0]}=a%26b" if kind == "echo" else ""
    answer = checked(PROVIDERS[name].source(), vector["secret"]).admit(replace(asked, query_string=query))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (200, "a&b" if kind == "echo" else "")


def test_each_verifies_the_endpoint_as_its_documentation_says() -> None:
    head, echo, form = [["head"]], [["echo", "challenge"]], [["form", "webhook_id"]]
    assert json.loads(json.dumps(ASKING)) == {"Dropbox": echo, "Intercom": head, "Trello": head, "WooCommerce": form}


def test_ids_that_are_none_are_not_recommended() -> None:
    """They are the same for two events, or another at each try."""
    for header in ("X-WC-Webhook-Delivery-ID", "BOX-DELIVERY-ID"):
        assert all(f'id_header="{header}"' not in provider.lines for provider in PROVIDERS.values())
