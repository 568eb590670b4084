"""``scalable-webhook init`` writes an app that synthesises."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scalable_webhook_cli.commands import app

from ..suite.patience import SECONDS


def init(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["init", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_it_writes_an_app_that_synthesises(tmp_path: Path) -> None:
    folder = tmp_path / "my orders"
    assert init(str(folder)).splitlines()[-1] == f"next: scalable-webhook local deploy {folder}"
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
