"""Each check of an installation, and of stored webhooks, rejects a bad case."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from release_check import environments, use
from release_check.environments import Distribution, Environment
from release_check.files import digest
from release_check.registry import Registry
from release_check.rejected import Rejected

HERE = "http://127.0.0.1:9/"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    file = tmp_path / "cdk_scalable_webhook-1.2.3-py3-none-any.whl"
    file.write_bytes(b"a wheel")
    return file


def report(url: str, sha256: str, name: str = "cdk_scalable_webhook") -> list[dict[str, Any]]:
    info = {"url": url, "archive_info": {"hashes": {"sha256": sha256}}}
    return [{"metadata": {"name": name, "version": "1.2.3"}, "download_info": info}]


def test_ours_must_come_from_the_registry_with_the_bytes_that_were_built(wheel: Path, tmp_path: Path) -> None:
    served, sha256 = Registry(HERE, tmp_path), digest(wheel)
    assert sha256[:12] in environments.came_from(served, wheel, report(f"{HERE}packages/{wheel.name}", sha256))
    for other in (
        report(f"https://there.example/{wheel.name}", sha256),
        report(f"{HERE}packages/{wheel.name}", "0" * 64),
        report(f"{HERE}packages/jsii.whl", sha256, "jsii"),
    ):
        with pytest.raises(Rejected, match="pip installed"):
            environments.came_from(served, wheel, other)


BASE = {
    "cdk-scalable-webhook": [
        "aws-cdk-lib>=2",
        "constructs>=10",
        "jsii>=1",
        "rich; extra == 'local'",
        "tomli; python_version < '3.11'",
    ],
    "aws-cdk-lib": ["constructs", "publication"],
    "constructs": ["jsii"],
    "jsii": ["Typing_Extensions", "attrs"],
    "publication": [],
    "typing-extensions": [],
    "attrs": [],
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"rich": []}, "no package requires rich"),
        (
            {"cdk-scalable-webhook": [*BASE["cdk-scalable-webhook"], "rich"], "rich": []},
            "got aws-cdk-lib, constructs, jsii, rich",
        ),
        ({"cdk-scalable-webhook": ["aws-cdk-lib", "jsii"]}, "got aws-cdk-lib, jsii"),
    ],
)
def test_the_base_installation_is_the_three_with_their_dependencies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, list[str]], told: str | None
) -> None:
    installed = {
        name: Distribution.of({"version": "1", "requires_dist": requires}) for name, requires in (BASE | change).items()
    }
    monkeypatch.setattr(Environment, "distributions", lambda _: (installed, {"python_version": "3.13"}))
    environment = Environment(tmp_path)
    if told is None:
        assert environments.nothing_else(environment).startswith("7 distributions: ours, aws-cdk-lib 1, constructs 1")
    else:
        with pytest.raises(Rejected, match=told):
            environments.nothing_else(environment)


def test_a_python_is_one_that_answers_and_not_a_shim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, script in {
        "python3.12": "echo 'python3.12: command not found'; exit 127",
        "python3.13": "echo 3 13 9 final",
        "python3.14": "echo 3 14 0 candidate",
        "python3.15": "echo 3 10 0 final",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    found = [python for python in environments.interpreters((3, 11)) if python.path.is_relative_to(tmp_path)]
    assert [str(python) for python in found] == ["3.13.9"]


def test_a_stored_webhook_must_equal_the_sent_one_and_be_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use, "SECONDS", 0)
    assert "byte for byte" in use.stored_once("Here", lambda: [use.PAYLOAD])
    for found in ([], [use.PAYLOAD, use.PAYLOAD], [use.PAYLOAD + b"\n"], [use.PAYLOAD.decode("latin-1")]):
        with pytest.raises(Rejected, match="Here stored"):
            use.stored_once("Here", partial(list, found))


def test_the_app_is_that_of_init_if_the_page_begins_with_it(tmp_path: Path) -> None:
    code = use.first_code("# A\n```sh\nscalable-webhook init hello  # first\n```\n", tmp_path / "first")
    assert 'ScalableWebhook(stack, "Webhook")' in code
    with pytest.raises(Rejected, match="must begin an app by scalable-webhook init, got none"):
        use.first_code("# A\n", tmp_path / "second")
