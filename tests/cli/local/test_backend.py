"""The log of a function is read to its end, even on a busy machine."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue

import pytest
from ministack.core.lambda_runtime import ProvidedWorker, Worker

from scalable_webhook_cli.local.backend import read_logs_to_the_end

# A function as MiniStack runs it: for each event it logs and then answers.
FUNCTION = r"""
import sys
for asked in sys.stdin:
    for line in range(int(asked)):
        print("line", line, "x" * 300, file=sys.stderr, flush=True)
    print("answered", flush=True)
print("the end", end="", file=sys.stderr, flush=True)
"""


class OurWorker(Worker):  # type: ignore[misc] # without a stub
    """A subclass, so that MiniStack's own class stays unchanged."""


read_logs_to_the_end(OurWorker)


@contextmanager
def busy() -> Iterator[None]:
    """Run threads that always want the interpreter, as those of a burst do."""
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=spin) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def running(kind: type[Worker]) -> Iterator[Worker]:
    with subprocess.Popen(
        [sys.executable, "-c", FUNCTION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        worker = kind("function", {}, b"")
        worker._proc, worker._stderr_queue = process, Queue()
        reader = threading.Thread(target=worker._read_stderr)
        reader.start()
        try:
            yield worker
        finally:
            worker._proc.stdin.close()
            reader.join()


def logged(worker: Worker, lines: int) -> list[str]:
    worker._proc.stdin.write(f"{lines}\n")
    worker._proc.stdin.flush()
    assert worker._proc.stdout.readline() == "answered\n"
    log: str = worker._drain_stderr_bounded()
    return log.splitlines()


@pytest.mark.parametrize("lines", [0, 1, 7, 500, 2000])
def test_each_answer_has_its_whole_log_on_a_busy_machine(lines: int) -> None:
    with busy(), running(OurWorker) as worker:
        for _ in range(5):
            assert [line.split("x")[0] for line in logged(worker, lines)] == [f"line {n} " for n in range(lines)]


def test_the_last_line_of_a_process_is_read_without_an_end_of_line() -> None:
    with running(OurWorker) as worker:
        logged(worker, 3)
    assert worker._drain_stderr_bounded() == "the end"


def test_a_custom_runtime_is_read_as_ministack_reads_it() -> None:
    class OurProvided(ProvidedWorker, OurWorker):  # type: ignore[misc]
        pass

    worker = OurProvided("function", {}, b"")
    worker._stderr_queue.put("line")
    assert worker._drain_stderr_bounded(first_line_wait=0.1) == "line"
