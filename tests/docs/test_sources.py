"""Each provider has a page of the same form, whose table agrees with its source."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from provider_vectors.cases import CASES, WRITTEN

from cdk_scalable_webhook import Ingress, ScalableWebhook, Source
from webhook_runtime.contract.providers import BY_METHOD, PROVIDERS

FOLDER = Path(__file__).parents[2] / "docs" / "sources"
NAMES = [*BY_METHOD, "hmac", "token", "custom"]
HEADINGS = ["Set it up", "Verification", "Rotate the secret", "Try it locally"]


def page(name: str) -> str:
    return (FOLDER / f"{name.replace('_', '-')}.md").read_text()


def checked(name: str) -> dict[str, str]:
    """Return the table of the verification."""
    return dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", page(name), re.MULTILINE))


def source(name: str) -> Source:
    secret = secretsmanager.Secret(Stack(App(), "Stack"), "Secret")
    required = {"hmac": {"header": "X-Partner-Signature"}, "token": {"header": "X-Partner-Token"}}.get(name, {})
    made: Source = getattr(Source, name)(secret, **required)
    return made


def ways(made: Source) -> list[dict[str, Any]]:
    scheme = made.describe()["scheme"]
    told: list[dict[str, Any]] = scheme.get("ways", [scheme])
    return told


def providers() -> list[str]:
    return [name for name in NAMES if name != "custom"]


def test_each_source_has_a_page_and_each_page_a_source() -> None:
    pages = {file.stem.replace("-", "_") for file in FOLDER.glob("*.md")} - {"index", "providers"}
    assert pages == set(NAMES)
    index = (FOLDER / "index.md").read_text()
    listed = re.findall(r"^\| \[.*?\]\((.*?)\.md\)", index, re.MULTILINE)
    assert sorted(name.replace("-", "_") for name in listed) == sorted(pages)


@pytest.mark.parametrize("name", NAMES)
def test_the_app_of_a_page_has_its_source(name: str) -> None:
    app = page(name).partition("```python")[2].partition("```")[0]
    assert f"Source.{name}(" in app
    assert set(re.findall(r"^    +(\w+)=", app.partition("Source.hmac(")[2].partition(")")[0], re.MULTILINE)) <= set(
        inspect.signature(Source.hmac).parameters
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_page_has_the_same_chapters(name: str) -> None:
    assert re.findall(r"^## (.+)$", page(name), re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("name", providers())
def test_the_time_window_is_that_of_the_source(name: str) -> None:
    tolerance = ways(source(name))[0].get("tolerance")
    told = checked(name)["time window"]
    if name == "hmac":
        assert "none without a `timestamp_header`" in told
    else:
        assert told.startswith(f"{tolerance / 60:g} minutes" if tolerance else "none")


@pytest.mark.parametrize("name", providers())
def test_the_idempotency_key_is_that_of_the_source(name: str) -> None:
    made = source(name)
    unique = made.delivery_id_header or ways(made)[0].get("id_field")
    told = checked(name)["idempotency key"]
    if name == "hmac":
        assert "`id_header`" in told
    elif unique:
        assert f"`{unique}`" in told
    else:
        assert "is its own delivery" in told


@pytest.mark.parametrize("name", providers())
def test_the_page_names_the_possible_ingresses(name: str) -> None:
    made = source(name)

    def synth_with_a_direct_integration() -> None:
        ScalableWebhook(Stack(App(), "Stack"), "Webhook", source=made, ingress=Ingress.direct_integration())

    if checked(name)["ingress"].startswith("both"):
        synth_with_a_direct_integration()
    else:
        assert checked(name)["ingress"].startswith("the Lambda integration")
        with pytest.raises(ValueError, match="ingress"):
            synth_with_a_direct_integration()


@pytest.mark.parametrize("name", providers())
def test_the_page_names_an_endpoint_verification_if_there_is_one(name: str) -> None:
    assert checked(name)["endpoint verification"].startswith("none") == (not source(name).handshakes)


@pytest.mark.parametrize("name", BY_METHOD)
def test_the_page_names_the_library_or_signature_that_verified_the_source(name: str) -> None:
    told, verified_by = checked(name)["tested with"], BY_METHOD[name].verified_by
    if verified_by.startswith("https://"):
        assert f"({verified_by})" in told
    elif verified_by:
        assert f"`{verified_by}` from " in told
    else:
        assert told == "its documentation only"


@pytest.mark.parametrize("name", ["hmac", "token"])
def test_the_page_has_a_question_for_each_argument(name: str) -> None:
    asked = {
        argument
        for row in re.findall(r"^\| [^|]+\? \| ([^|]+) \|", page(name), re.MULTILINE)
        for argument in re.findall(r"`(\w+)", row)
    }
    assert set(inspect.signature(getattr(Source, name)).parameters) - {"secret", "secret_field"} <= asked


EXAMPLES = re.findall(r"\| `((?:header|timestamp_header|signed_content)=.+)` \|$", page("hmac"), re.MULTILINE)


@pytest.mark.parametrize("arguments", EXAMPLES)
def test_an_example_of_a_signature_makes_a_source(arguments: str) -> None:
    secret = secretsmanager.Secret(Stack(App(), "Stack"), "Secret")
    header = "" if arguments.startswith("header=") else 'header="X-Signature", '
    assert eval(f"Source.hmac(secret, {header}{arguments})", {"Source": Source, "secret": secret})


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 8


def test_the_readme_names_existing_providers() -> None:
    readme = " ".join((FOLDER.parents[1] / "README.md").read_text().split())
    (names,) = re.findall(r"\*\*Receive webhooks from (.+?) in ", readme)
    named = set(re.split(", | and ", names))
    assert len(named) >= 11
    assert named <= {provider.name for provider in PROVIDERS}


def test_the_pages_have_the_number_of_other_providers() -> None:
    others = page("providers")
    count = (
        others.count("\nScalableWebhook(") - 1 + len(re.findall(r"^\| \[.+\]\(.+\) \| `Source\.", others, re.MULTILINE))
    )
    for file in (FOLDER / "index.md", FOLDER.parents[1] / "README.md"):
        assert re.search(rf"\[{count} other", file.read_text())


def test_contributing_names_the_files_of_a_provider() -> None:
    """The fifth, a case of the provider, is made of the record."""
    root = FOLDER.parents[1]
    chapter = (root / "CONTRIBUTING.md").read_text().partition("### A new provider")[2].partition("### ")[0]
    files = re.findall(r"^\| `(.+?)` \|", chapter, re.MULTILINE)
    assert "takes four files:" in chapter
    assert len(files) == 4
    for provider in PROVIDERS:
        names = {"docs": provider.page.removesuffix(".md"), "src": provider.method}
        for file in files:
            assert (root / file.replace("<name>", names.get(file.partition("/")[0], ""))).is_file(), file
    of_records = {provider.name for provider in PROVIDERS} - {case.provider for case in WRITTEN}
    assert {case.provider for case in CASES} & of_records == {"HubSpot", "Linear", "Razorpay", "Square"}
