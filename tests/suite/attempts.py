"""What was tried, and how often it held: a table at the end of a run."""

from collections import defaultdict
from collections.abc import Callable

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
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, value in report.user_properties:
                    if name == _ATTEMPTS:
                        what, tried, held = value  # type: ignore[misc]
                        counted[what][0] += tried
                        counted[what][1] += held
    if counted:
        terminalreporter.section("attacks")
        for what, (tried, held) in sorted(counted.items()):
            terminalreporter.line(f"{tried:6} tried, {held:6} held  {what}")
