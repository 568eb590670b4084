"""The suite itself: its shell, its end and its report of the time."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from scalable_webhook_cli.observe import wait_for

from ..apps import ROOT
from . import shell
from .patience import SECONDS

# Variables that a user may have set for other reasons.
HOSTILE = {
    "PYTEST_ADDOPTS": "-q --maxfail=1",
    "PYTEST_PLUGINS": "no_such_plugin",
    "PYTHONPATH": "/somewhere/else",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL": "https://example.com",
    "CDK_OUTDIR": "/somewhere/else",
    "CDK_VALIDATION": "true",
    "JSII_DEBUG": "1",
    "SCALABLE_WEBHOOK_HOME": "/somewhere/else",
    "GIT_DIR": "/somewhere/else",
    "MAKEFLAGS": "--jobs=8",
    "PGHOST": "db.example.com",
    "FORCE_COLOR": "1",
    "COLUMNS": "20",
    "LC_ALL": "de_DE.UTF-8",
    "LANG": "de_DE.UTF-8",
}


def test_only_the_variables_that_a_machine_needs_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])  # it is set below
    for name, value in (HOSTILE | {"PIP_CERT": "/a/file", "https_proxy": "http://proxy"}).items():
        monkeypatch.setenv(name, value)
    shell.forget()
    left = {name for name, value in HOSTILE.items() if os.environ.get(name) == value}
    assert left == set()
    assert {"PATH", "HOME", "PIP_CERT", "https_proxy"} <= os.environ.keys()


def test_this_run_does_not_see_the_variables_of_its_shell() -> None:
    assert not HOSTILE.keys() & os.environ.keys() - {"CDK_VALIDATION", "LANG"}


def test_make_passes_no_preference_for_python() -> None:
    show = ["make", "--silent", "--eval", "show: ; env", "show"]
    shown = subprocess.run(show, cwd=ROOT, env=os.environ | HOSTILE, capture_output=True, text=True, check=True)
    assert "MAKELEVEL=1" in shown.stdout.splitlines()
    assert not re.findall(r"^PYTHON\w+", shown.stdout, re.MULTILINE)


def outlives_sigterm(pid: Path, command: list[str], **environment: str) -> bool:
    """Tell whether the process whose id a command writes into a file outlives the end of the command by SIGTERM."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        preexec_fn=shell.ignore_no_signal,
        stderr=subprocess.DEVNULL,
    ) as run:
        wait_for(pid.exists, SECONDS)
        started = psutil.Process(int(pid.read_text()))
        run.terminate()
        assert run.wait(SECONDS) != 0
    return started.is_running()


@pytest.mark.parametrize(
    "target",
    ["bench", "demo", "docs", "faults", "hostile", "pictures", "release-check", "test", "test-all", "vectors"],
)
def test_a_target_hands_sigterm_on_to_its_run(target: str, tmp_path: Path) -> None:
    """Its environments have a Python of our own, which builds nothing, and otherwise waits."""
    program = (
        f'#!/bin/sh\ncase "$*" in tools/build.py*) exit 0;; esac\n'
        f"echo $$ > {tmp_path}/written\nmv {tmp_path}/written {tmp_path}/pid\nexec sleep 60\n"
    )
    environments = []
    for name in ("VENV", "BENCH", "BACKEND"):
        environments.append(f"{name}={tmp_path / name}")
        for folder in (".", "bin", "checkov", "lambda", "npm"):
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / folder / ".ready").touch()
        (tmp_path / name / "bin" / "python").write_text(program)
        (tmp_path / name / "bin" / "python").chmod(0o755)
    assert not outlives_sigterm(tmp_path / "pid", ["make", "--silent", *environments, target])


def test_a_canceled_check_of_a_release_ends_what_its_command_has_started(tmp_path: Path) -> None:
    started = tmp_path / "started"
    program = (
        "from release_check.rejected import run\n"
        "from scalable_webhook_cli.signals import interrupt_on_termination\n"
        "interrupt_on_termination()\n"
        f"run(['sh', '-c', 'sleep 60 & echo $! > {started}.new; mv {started}.new {started}; wait'])\n"
    )
    assert not outlives_sigterm(started, [sys.executable, "-c", program], PYTHONPATH=str(ROOT / "tools"))


def pytest_of(folder: Path, test: str, *options: str) -> "subprocess.Popen[str]":
    """Run a file of tests with the plugins of every run."""
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow(seconds)\n")
    (folder / "tmp").mkdir()
    plugins = [word for name in ("ending", "order", "timing", "variables") for word in ("-p", f"tests.suite.{name}")]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins, *options, "test_it.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp")},
        preexec_fn=shell.ignore_no_signal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


LEAVES_A_PROCESS = """
import subprocess, sys

def test_that_leaves_a_process(tmp_path):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path, start_new_session=True)
"""


@pytest.mark.parametrize("options", [[], ["-n1"]], ids=["alone", "with workers"])
def test_a_test_that_leaves_a_process_fails_the_run_and_the_process_is_ended(
    options: list[str], tmp_path: Path
) -> None:
    run = pytest_of(tmp_path, LEAVES_A_PROCESS, *options)
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 1
    assert "1 passed" in said
    (line,) = [line for line in said.splitlines() if "time.sleep(60)" in line]
    assert not psutil.pid_exists(int(line.partition(":")[0]))
    assert list((tmp_path / "tmp").iterdir()) == []


LEAVES_A_VARIABLE = """
import os

def test_that_leaves_a_variable():
    os.environ["AWS_REGION"] = "eu-west-1"
"""


def test_a_test_that_leaves_a_variable_fails(tmp_path: Path) -> None:
    run = pytest_of(tmp_path, LEAVES_A_VARIABLE)
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 1
    assert "the test leaves AWS_REGION changed" in said


STARTS_A_LOCAL_AWS = """
import time
from pathlib import Path
from scalable_webhook_cli.local.emulator import running, up
from tests.suite.shared import local_aws

def test_that_is_interrupted():
    with running():
        up(local_aws())
        Path("ready").touch()
        time.sleep(60)
"""


@pytest.mark.parametrize(
    ("ending", "options"),
    [(signal.SIGTERM, ["-n1"]), (signal.SIGTERM, []), (signal.SIGINT, []), (signal.SIGHUP, [])],
)
def test_a_run_that_is_ended_early_leaves_nothing(ending: signal.Signals, options: list[str], tmp_path: Path) -> None:
    run = pytest_of(tmp_path, STARTS_A_LOCAL_AWS, *options)
    assert wait_for(lambda: (tmp_path / "ready").exists(), SECONDS)
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) >= 4
    run.send_signal(ending)
    run.send_signal(ending)  # as some do that cancel a job
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert [process for process in family if process.is_running()] == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.fixture
def ci(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Run .ci/run with a make of our own that records its targets and then does this."""

    def run(does: str, *parts: str) -> "subprocess.Popen[str]":
        (tmp_path / "make").write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/asked\n{does}\n')
        (tmp_path / "make").chmod(0o755)
        return subprocess.Popen(
            ["bash", str(ROOT / ".ci" / "run"), *parts],
            env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def test_ci_runs_the_named_part_and_prints_its_time(ci: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> None:
    run = ci("exit 0", "check")
    said, _ = run.communicate(timeout=SECONDS)
    assert (run.returncode, (tmp_path / "asked").read_text().split()) == (0, ["environment", "check"])
    assert re.search(r"^\d+ s check$", said, re.MULTILINE)


def test_ci_fails_if_a_part_fails_and_still_runs_the_others(
    ci: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    run = ci('[ "$1" != check ]', "check", "release-check")
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 1
    assert said.splitlines()[-1] == "failed: check"
    assert (tmp_path / "asked").read_text().split()[-1] == "release-check"


def test_ci_rejects_an_unknown_part(ci: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> None:
    run = ci("exit 0", "check", "everything")
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 2
    assert "there is no part everything" in said
    assert not (tmp_path / "asked").exists()


def test_a_canceled_job_of_ci_ends_what_it_started(ci: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> None:
    run = ci("exec sleep 60", "check")
    assert wait_for(lambda: (tmp_path / "asked").exists(), SECONDS)
    family = psutil.Process(run.pid).children(recursive=True)
    run.terminate()
    run.communicate(timeout=SECONDS)
    assert run.returncode == 128 + signal.SIGTERM
    assert family
    assert not any(process.is_running() for process in family)


TAKES_LONG = """
import time
import pytest
from tests.suite import timing

timing.SECONDS = 0.1

def test_short():
    pass

def test_long():
    time.sleep(0.2)

@pytest.mark.slow(1)
def test_long_and_marked():
    time.sleep(0.2)
"""


def test_a_run_reports_its_time_and_slow_tests_without_a_mark(tmp_path: Path) -> None:
    said, _ = pytest_of(tmp_path, TAKES_LONG, "--durations=3").communicate(timeout=SECONDS)
    told = said.partition("where the time went")[2].partition("slowest 3 durations")[0]
    assert "3 tests  test_it.py" in told
    assert [line.split()[-1] for line in told.partition("not marked slow")[2].splitlines()[1:2]] == [
        "test_it.py::test_long"
    ]
    assert "test_long_and_marked" not in told


IN_ORDER = """
import pytest

@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow({seconds}))])
def test_{name}(number):
    pass
"""


def test_the_files_that_take_longest_come_first_and_those_that_wait_beside_the_others(tmp_path: Path) -> None:
    for name, seconds in {"a": 10, "b": 30, "c": 20, "deployed/d": 1, "deployed/e": 3}.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.with_name(f"test_{file.name}.py").write_text(IN_ORDER.format(name=file.name, seconds=seconds))
    files = [*(f"test_{name}.py" for name in "abc"), "deployed"]
    said, _ = pytest_of(tmp_path, "def test_it(): pass", "--collect-only", "-q", *files).communicate(timeout=SECONDS)
    order = [line.rpartition("test_")[2][0] for line in said.splitlines() if "::" in line]
    assert "".join(each for each in order if each in "abci") == "bcai"
    assert order[:2] in (["b", "e"], ["e", "b"])
    assert order.index("d") == 3


VAGUE = """
import pytest

@pytest.mark.parametrize("thing", [object()], ids=str)
def test_it(thing):
    pass
"""


def test_a_test_with_another_name_in_each_worker_is_rejected(tmp_path: Path) -> None:
    run = pytest_of(tmp_path, VAGUE)
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "has another name in each worker; give its parameters ids" in said
