"""Report the time of a run by folder, and slow tests without a mark, after pytest's own list."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

# On an idle machine, a test that takes longer has to be marked as slow.
SECONDS = 5


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.option.durations is None:
        return
    seconds: dict[str, float] = defaultdict(float)
    tests: Counter[str] = Counter()
    unmarked: dict[str, float] = {}
    # If there are more workers than cores, they take turns.
    turns = max(1, (config.getoption("numprocesses", None) or 1) / (os.cpu_count() or 1))
    for report in _reports(terminalreporter):
        folder = "/".join(report.nodeid.partition("::")[0].split("/")[:2])
        seconds[folder] += report.duration
        tests[folder] += report.when == "call"
        if report.when == "call" and report.duration > SECONDS * turns and "slow" not in report.keywords:
            unmarked[report.nodeid] = report.duration
    terminalreporter.section("where the time went")
    for folder, each in _longest_first(seconds):
        terminalreporter.line(f"{each:7.1f} s  {tests[folder]:5} tests  {folder}")
    terminalreporter.line(f"{sum(seconds.values()):7.1f} s  {tests.total():5} tests  of all workers together")
    if unmarked:
        terminalreporter.section(f"longer than {SECONDS} s, and not marked slow", yellow=True)
        for name, each in _longest_first(unmarked):
            terminalreporter.line(f"{each:7.1f} s  {name}")


def _longest_first(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda each: -each[1])


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    for reports in terminalreporter.stats.values():
        yield from (report for report in reports if isinstance(report, pytest.TestReport))
