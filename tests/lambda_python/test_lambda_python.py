"""The tests of the run time on the Python version of its functions.

npm has this CPython as WebAssembly, Pyodide, so the machine does not need it. Pyodide has neither threads nor
processes, so tests that need them are left out.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Template

from cdk_scalable_webhook import ScalableWebhook

ROOT = Path(__file__).parents[2]
PACKAGES = Path(sys.prefix) / "lambda"
NPM = Path(sys.prefix) / "npm"
SECONDS = 900


@pytest.fixture(scope="module")
def said() -> list[str]:
    """Return the lines of the run, which has to pass."""
    if not ((PACKAGES / ".ready").exists() and (NPM / ".ready").exists()):
        pytest.skip("the Python of Lambda is not installed; `make environment` does so")
    script = Path(__file__).with_name("pyodide.mjs")
    # A worker of Node has no descriptors to capture, and no processes to end.
    options = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:tests.suite.ending",
        "--quiet",
        "--capture=sys",
        "-m",
        "not processes",
    ]
    node = [str(Path(sys.prefix) / "bin" / "node"), str(script), str(NPM), str(PACKAGES), str(ROOT)]
    run = subprocess.run([*node, *options, "tests/runtime"], capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 0, run.stdout[-10_000:] + run.stderr[-10_000:]
    return run.stdout.splitlines()


def collected(marks: str) -> list[str]:
    """Return the lines in which pytest tells the tests of the run time with these marks."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-m", marks, "tests/runtime"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.slow(40)
@pytest.mark.smoke
def test_the_run_time_is_tested_on_the_python_of_its_functions(said: list[str]) -> None:
    stack = Stack()
    ScalableWebhook(stack, "Webhook")
    functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    assert {function["Properties"]["Runtime"] for function in functions} == {said[0]}


def test_it_runs_without_the_packages_of_synth_time(said: list[str]) -> None:
    assert said
    there = {path.name for path in (PACKAGES / "packages").iterdir()}
    assert {"boto3", "pytest"} <= there
    assert not {"aws_cdk", "constructs", "jsii"} & there


def test_only_tests_that_need_processes_are_left_out(said: list[str]) -> None:
    counts = collected("not processes")[-1].split()[0]  # 500/503 tests collected (3 deselected) in 0.42s
    selected, collected_in_all = map(int, counts.split("/"))
    assert said[-1].startswith(f"{selected} passed, {collected_in_all - selected} deselected in ")
    assert 0 < selected < collected_in_all


def test_hardly_anything_but_simulations_and_sockets_needs_processes() -> None:
    left_out = [line.partition("::")[0] for line in collected("processes") if "::" in line]
    others = ("test_order.py", "test_pace.py", "test_breaker_turns.py", "test_aws.py")
    assert len([file for file in left_out if Path(file).name not in others]) < 15
