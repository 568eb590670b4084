"""Type checkers on a user's app with the wheel installed: they find each mistake, and nothing in correct code."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from webhook_runtime.contract.providers import PROVIDERS

from .. import apps

HERE = Path(__file__).parent
APP = sorted((HERE / "app").glob("*.py"))
WRONG = HERE / "wrong.py"
BIN = Path(sys.executable).parent

# The file and the line of a finding, and its name in the checker.
Found = set[tuple[str, int, str]]


def mypy(python: Path, files: list[Path]) -> Found:
    # Most of the time is for the CDK, which is always the same. `make check` may have a cache of it.
    cache = apps.ROOT / ".mypy_cache" / "installed"
    known = cache.with_name(f"{sys.version_info.major}.{sys.version_info.minor}")
    if known.exists() and not cache.exists():
        shutil.copytree(known, cache / known.name)
    options = ["--strict", "--config-file=", "--output=json", f"--python-executable={python}", f"--cache-dir={cache}"]
    command = [sys.executable, "-m", "mypy", *options, *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=python.parent)
    assert not run.stderr
    errors = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.returncode == (1 if errors else 0), run.stdout
    return {(Path(each["file"]).name, each["line"], each["code"]) for each in errors if each["severity"] == "error"}


def pyright(python: Path, files: list[Path]) -> Found:
    command = [str(BIN / "pyright"), "--outputjson", "--pythonpath", str(python), *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=python.parent)
    report = json.loads(run.stdout)
    assert report["summary"]["filesAnalyzed"] == len(files)
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each.get("rule", each["message"]))
        for each in report["generalDiagnostics"]
    }


Check = Callable[[Path, list[Path]], Found]


def by_each_checker(*of_pyright: pytest.MarkDecorator) -> pytest.MarkDecorator:
    checks = [
        pytest.param(mypy, marks=pytest.mark.slow(40), id="mypy"),
        pytest.param(pyright, marks=[pytest.mark.slow(9), *of_pyright], id="pyright"),
    ]
    return pytest.mark.parametrize("check", checks)


@by_each_checker()  # not in `make test`, since `make check` runs pyright on this app
def test_an_app_that_uses_everything_is_clean(check: Check, installed: Path, tmp_path: Path) -> None:
    assert check(installed, [*APP, _of_each_provider(tmp_path)]) == set()


def _of_each_provider(folder: Path) -> Path:
    lines = [
        "from aws_cdk import Duration, Stack",
        "from aws_cdk import aws_secretsmanager as secretsmanager",
        "from cdk_scalable_webhook import Source",
        'secret = secretsmanager.Secret(Stack(), "Secret")',
    ]
    for provider in PROVIDERS:
        tolerance = ", tolerance=Duration.minutes(1)" if provider.signs_time else ""
        lines.append(f'{provider.method}: Source = Source.{provider.method}(secret, secret_field="key"{tolerance})')
    (file := folder / "each_provider.py").write_text("\n".join([*lines, ""]))
    return file


@by_each_checker(pytest.mark.smoke)
def test_each_mistake_is_found_in_its_line_and_nothing_else(check: Check, installed: Path) -> None:
    remarks = re.compile(rf"# .*\b{check.__name__}: ([a-zA-Z, -]+)")
    expected = {
        (WRONG.name, number, code)
        for number, line in enumerate(WRONG.read_text().splitlines(), 1)
        for remark in remarks.findall(line)
        for code in remark.split(", ")
    }
    assert len(expected) > 50
    assert check(installed, [WRONG]) == expected


@pytest.mark.slow(1)
def test_without_the_marker_in_the_wheel_its_types_are_unknown(installed: Path, tmp_path: Path) -> None:
    unmarked = tmp_path / "venv"
    shutil.copytree(installed.parent.parent, unmarked, symlinks=True)
    for marker in unmarked.glob("lib/*/site-packages/*/py.typed"):
        marker.unlink()
    assert {code for _, _, code in mypy(unmarked / "bin" / "python", APP)} >= {"import-untyped"}


@pytest.mark.parametrize("package", ["cdk_scalable_webhook", "webhook_runtime"])
@pytest.mark.slow(6)
def test_every_public_name_has_an_explicit_type(package: str, installed: Path, tmp_path: Path) -> None:
    """Another checker might infer another type."""
    command = [str(BIN / "pyright"), "--outputjson", "--ignoreexternal", "--verifytypes", package]
    environment = {**os.environ, "PATH": f"{installed.parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    symbols = json.loads(run.stdout)["typeCompleteness"]["symbols"]
    assert len(symbols) > 100
    # Lambda calls the handlers, not the user.
    mine = [each for each in symbols if each["isExported"] and ".handlers." not in each["name"]]
    assert [each["name"] for each in mine if not each["isTypeKnown"] or each["isTypeAmbiguous"]] == []
