"""A program of ours leaves no process, whatever ends it early."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.processes import end, processes_in

from ..apps import ROOT
from ..suite import shell
from ..suite.patience import SECONDS

PYTHON = [sys.executable]
PROGRAMS = {
    # A canceled job gets its signal in make. The environment exists, so it is not created again.
    "make demo": ["make", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.ready", "demo"],
    "demo": [*PYTHON, "examples/demo.py", "--pictures", "{folder}"],
    "desk": [*PYTHON, "examples/desk.py", "{folder}/desk.svg"],
    "faults": [*PYTHON, "-m", "tests.faults", "--seed", "1", "--webhooks", "600"],
    "bench": [*PYTHON, "benchmarks/bench.py", "--rounds", "1"],
    "conformance": [*PYTHON, "-m", "scalable_webhook_cli", "conformance"],
    "local deploy": [*PYTHON, "-m", "scalable_webhook_cli", "local", "deploy", "examples/hello"],
}


@pytest.mark.slow(4)
@pytest.mark.parametrize(
    ("program", "ending"),
    [*((program, signal.SIGTERM) for program in PROGRAMS), ("local deploy", signal.SIGHUP)],
)
def test_it_leaves_no_process(program: str, ending: signal.Signals, tmp_path: Path) -> None:
    run = subprocess.Popen(
        [word.format(folder=tmp_path) for word in PROGRAMS[program]],
        cwd=ROOT,
        env=os.environ
        | {
            "TMPDIR": str(tmp_path),
            "SCALABLE_WEBHOOK_HOME": str(tmp_path / "home"),
            # As the Makefile does it.
            "PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), str(ROOT)]),
        },
        preexec_fn=shell.ignore_no_signal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        # The local AWS is running, and the CDK is working.
        assert wait_for(lambda: run.poll() is not None or any("cdk" in name for name in names(run.pid)), SECONDS)
        assert run.poll() is None, run.communicate()
        family = psutil.Process(run.pid).children(recursive=True)
        assert len(family) >= 3
        run.send_signal(ending)
        said, _ = run.communicate(timeout=SECONDS)
        assert run.returncode != 0, said
        assert [process for process in family if process.is_running()] == []
        assert processes_in(tmp_path) == []
    finally:
        end([run.pid, *(process.pid for process in processes_in(tmp_path))])


def names(pid: int) -> list[str]:
    found = []
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                found.append(" ".join(Path(word).name for word in process.cmdline()[:2]))
    return found
