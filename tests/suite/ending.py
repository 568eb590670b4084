"""Leave nothing of a run, however it ends.

All processes of the tests run from a temporary folder, or have one in their command line, and all of these are in one
folder of the run. So a process that a test leaves behind is found, ended, and fails the run.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scalable_webhook_cli.local.emulator import down
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.processes import end, processes_in
from scalable_webhook_cli.signals import interrupt_on_termination

from .shared import folder, local_aws

_JSII, _JSII_PROGRAM = "/bin/jsii-runtime.js", "/lib/program.js"
_BEGINS_SECONDS = 10
_LEFT = pytest.StashKey[list[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # A shell ignores Ctrl-C for background processes, and their children would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt_on_termination()
    if not _is_worker(config):
        os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix="tests-")
    folder().mkdir(exist_ok=True)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    if _is_worker(session.config):
        return (yield)
    family = []
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        family = psutil.Process().children(recursive=True)
        for worker in psutil.Process().children():
            # The signal may have reached this process only. A process that has it ignores a second one.
            with suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGINT)
    try:
        return (yield)
    finally:
        down(local_aws())
        end(process.pid for process in family if process.is_running())
        left = {process: _described(process) for process in processes_in(Path(tempfile.gettempdir()))}
        # The CDK's Node ends with the process that imported it, which may be this one.
        left = {process: what for process, what in left.items() if not what.endswith((_JSII, _JSII_PROGRAM))}
        session.config.stash[_LEFT] = list(left.values())
        end(process.pid for process in left)
        if left and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left := config.stash.get(_LEFT, []):
        terminalreporter.section("left running by the tests, and ended now", red=True)
        for each in left:
            terminalreporter.line(each)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _described(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        # A process that has only just begun its program has no command line yet.
        wait_for(lambda: bool(process.cmdline()), _BEGINS_SECONDS)
        return f"{process.pid}: {' '.join(process.cmdline())[-200:]}"
    return f"{process.pid}: gone by now"
