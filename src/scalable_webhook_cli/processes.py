"""Processes and ports of this machine: find and end the processes that a command started."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_STOP_SECONDS = 10
_BACKLOG = 1024


@dataclass(frozen=True)
class Process:
    """A process that we started. Its creation time tells it from a later one with the same id."""

    pid: int
    created: float

    def find(self) -> psutil.Process | None:
        """Return the process if it is alive."""
        try:
            process = psutil.Process(self.pid)
            # The system derives this time from its clock, which may have been set since.
            same = abs(process.create_time() - self.created) < 2
            alive = same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


def identify(process: subprocess.Popen[bytes]) -> Process:
    """Return the id and creation time of a process."""
    try:
        return Process(process.pid, psutil.Process(process.pid).create_time())
    except psutil.NoSuchProcess:
        return Process(process.pid, 0)


def end(pids: Iterable[int]) -> None:
    """End these processes and all that they started, and wait until they are gone.

    The leader of a process group is ended with its group, in one call. A process that is started meanwhile belongs to
    the group, even if its parent is gone.
    """
    family = list({member.pid: member for pid in pids for member in _family(pid)}.values())
    groups = {process.pid for process in family if _leads_a_group(process.pid)}
    for ask in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with suppress(OSError):
                os.killpg(group, ask)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(ask)
        _, family = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        # Processes that were started during the end.
        family += [child for process in family for child in _family(process.pid)[1:]] + _in_groups(groups)
    psutil.wait_procs(family, timeout=_STOP_SECONDS)


def _leads_a_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid != os.getpgrp()
    except OSError:
        return False


def _in_groups(groups: set[int]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that run from a temporary folder, or have it in their command line."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            named = "\n".join([process.cwd(), *process.cmdline()])
            if str(folder) in named and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def listening() -> socket.socket:
    """Return a socket that listens on a free port of loopback."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(_BACKLOG)
    return listening


def free_port() -> int:
    """Return a free port of loopback."""
    with listening() as probe:
        return int(probe.getsockname()[1])
