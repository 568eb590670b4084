"""What was tried, and how often it held: a table at the end of a run."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Attempts = Callable[..., None]
_ATTEMPTS = "attempts"


@pytest.fixture
def attempts(request: pytest.FixtureRequest) -> Attempts:
    """Takes down how many attempts of a kind were made, and how many of them held; all have to."""

    def count(held: int, of: int, what: str) -> None:
        request.node.user_properties.append((_ATTEMPTS, (what, of, held)))
        assert held == of, f"{what}: {of - held} of {of} got through"

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tried: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if isinstance(report, pytest.TestReport) and report.when == "call":
            for what, of, good in (value for name, value in _properties(report) if name == _ATTEMPTS):
                tried[what] += of
                held[what] += good
    if tried:
        terminalreporter.section("attacks")
        for what, count in sorted(tried.items()):
            terminalreporter.line(f"{count:6} tried, {held[what]:6} held  {what}")
        terminalreporter.line(f"{tried.total():6} tried, {held.total():6} held  in all")


def _properties(report: pytest.TestReport) -> list[tuple[str, Any]]:
    return list(report.user_properties)
