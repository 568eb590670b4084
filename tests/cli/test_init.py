"""``scalable-webhook init`` writes an app that synthesises. README.md and docs/index.md deploy what it writes."""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scalable_webhook_cli import samples
from scalable_webhook_cli.commands import app
from webhook_runtime.contract.providers import PROVIDERS, Provider

from ..docs.commands import check
from ..docs.pages import ROOT, fences
from ..suite.patience import SECONDS


def init(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["init", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_it_writes_an_app_that_synthesises(tmp_path: Path) -> None:
    folder = tmp_path / "my orders"
    assert init(str(folder)) == (
        f"wrote {folder}/app.py and {folder}/cdk.json; next:\n"
        f"  scalable-webhook local deploy {shlex.quote(str(folder))}\n"
        "  scalable-webhook send\n"
    )
    command = json.loads((folder / "cdk.json").read_text())["app"]
    assert command == "python3 app.py"
    environment = os.environ | {"CDK_OUTDIR": str(tmp_path / "out")}
    run = [sys.executable, *command.split()[1:]]
    subprocess.run(run, cwd=folder, env=environment, check=True, timeout=SECONDS)
    template = json.loads((tmp_path / "out" / "MyOrders.template.json").read_text())
    assert "AWS::SQS::Queue" in {resource["Type"] for resource in template["Resources"].values()}


@pytest.mark.parametrize("name", ["app.py", "cdk.json"])
def test_it_overwrites_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    said = init(str(tmp_path), code=1)
    assert said == (
        f"scalable-webhook: {tmp_path / name} is there already, and init overwrites nothing; name another folder\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["1", "éà", "7 dwarfs", "a" * 200, "-x-", "Ünder_score"])
def test_any_folder_gives_a_name_that_cloudformation_accepts(tmp_path: Path, name: str) -> None:
    init(str(tmp_path / name))
    (stack,) = re.findall(r'Stack\(app, "(.*)"\)', (tmp_path / name / "app.py").read_text())
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", stack)


def test_its_answer_for_a_program_names_the_files(tmp_path: Path) -> None:
    assert json.loads(init(str(tmp_path), "--json")) == {
        "files": [str(tmp_path / "app.py"), str(tmp_path / "cdk.json")]
    }


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the app of each provider."""
    folder = tmp_path_factory.mktemp("apps")
    for provider in PROVIDERS:
        init(str(folder / "hooks" / provider.method), "--provider", provider.name)
    return {each.method: (folder / "hooks" / each.method / "app.py").read_text("utf-8") for each in PROVIDERS}


@pytest.mark.slow(15)
def test_the_app_of_each_provider_synthesises_without_a_warning(apps: dict[str, str], tmp_path: Path) -> None:
    for provider, text in apps.items():
        (tmp_path / "app.py").write_text(text, "utf-8")
        (stack,) = runpy.run_path(str(tmp_path / "app.py"))["app"].synth().stacks
        assert list(stack.messages) == [], provider
        assert "WEBHOOK_SOURCES" in str(stack.template), provider


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda each: each.method)
def test_the_secret_has_the_name_that_the_page_of_the_provider_stores(provider: Provider, apps: dict[str, str]) -> None:
    (name,) = re.findall(r'from_secret_name_v2\(stack, "Secret", "(.+)"\)', apps[provider.method])
    page = (ROOT / "docs" / "sources" / provider.page).read_text()
    stored = re.findall(r"(?:create-secret --name|--secret-id) (\S+)", page)
    assert {each for each in stored if not each.startswith("$")} <= {name}


def test_the_first_event_of_the_provider_is_the_next_command(tmp_path: Path) -> None:
    for provider in PROVIDERS:
        said = init(str(tmp_path / provider.method), "--provider", provider.method).splitlines()
        assert said[-1] == f"  scalable-webhook send {provider.method} {samples.names(provider.method)[0]}"
        for line in said[1:]:
            check(line.strip())


def test_an_unknown_provider_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    said = init(str(tmp_path / "shop"), "--provider", "strip", code=1)
    assert said.startswith("scalable-webhook: provider must be one of github, ")
    assert said.endswith("got 'strip'\n")
    assert not (tmp_path / "shop").exists()


def test_the_tutorial_shows_what_init_writes(tmp_path: Path) -> None:
    init(str(tmp_path / "hello"))
    shown = {fence.title: fence.text for fence in fences(ROOT / "docs" / "index.md")}
    for name in ("app.py", "cdk.json"):
        assert (tmp_path / "hello" / name).read_text() == shown[name]
