"""Where the time of a run went, after pytest's own list of the slowest: by folder, and what takes long without being
marked so."""

from collections import Counter
from collections.abc import Iterator

import pytest

# What takes longer than that by itself is to be marked as slow.
SECONDS = 5


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.option.durations is None:
        return
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    unmarked: Counter[str] = Counter()
    for report in _reports(terminalreporter):
        folder = "/".join(report.nodeid.partition("::")[0].split("/")[:2])
        seconds[folder] += report.duration
        tests[folder] += report.when == "call"
        if report.when == "call" and report.duration > SECONDS and "slow" not in report.keywords:
            unmarked[report.nodeid] = report.duration
    terminalreporter.section("where the time went")
    for folder, each in seconds.most_common():
        terminalreporter.line(f"{each:7.1f} s  {tests[folder]:5} tests  {folder}")
    terminalreporter.line(f"{seconds.total():7.1f} s  {tests.total():5} tests  of all workers together")
    if unmarked:
        terminalreporter.section(f"longer than {SECONDS} s, and not marked slow", yellow=True)
        for name, each in unmarked.most_common():
            terminalreporter.line(f"{each:7.1f} s  {name}")


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    for reports in terminalreporter.stats.values():
        yield from (report for report in reports if isinstance(report, pytest.TestReport))
