"""Processes and ports of this machine: what a command started, it finds again and ends."""

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
    """A process of ours. The time of its creation tells it from another that got the same id later."""

    pid: int
    created: float

    def find(self) -> psutil.Process | None:
        """The process, if it still lives."""
        try:
            process = psutil.Process(self.pid)
            # The system derives this time from its clock, which may be set a little meanwhile.
            same = abs(process.create_time() - self.created) < 2
            alive = same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


def identify(process: subprocess.Popen[bytes]) -> Process:
    """The process, to be found again."""
    try:
        return Process(process.pid, psutil.Process(process.pid).create_time())
    except psutil.NoSuchProcess:
        return Process(process.pid, 0)


def end(pids: Iterable[int]) -> None:
    """End these processes and all that they started, and wait until they are gone. Who leads a process group is ended
    with it, in one call: what is started meanwhile belongs to the group, though nobody may be left as its parent."""
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
        # What was started while it was ended.
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
    """The processes that run from a temporary folder or are named something of it, whoever their parents are."""
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
    """A socket of loopback, at a port of its own."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(_BACKLOG)
    return listening


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with listening() as probe:
        return int(probe.getsockname()[1])
