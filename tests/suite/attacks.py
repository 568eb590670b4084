"""What was tried against the library, and how often it held: a table at the end of a run."""

from collections import defaultdict
from collections.abc import Callable

import pytest

# Kind, how many were tried, and those that got through by what they are.
Attempts = Callable[[str, int, list[str]], None]
_ATTEMPTS = "attempts"
_SHOWN = 10


@pytest.fixture
def attempts(request: pytest.FixtureRequest) -> Attempts:
    """Takes down how many attempts of a kind were made; none may get through, and there has to be one."""

    def take_down(kind: str, tried: int, through: list[str]) -> None:
        request.node.user_properties.append((_ATTEMPTS, (kind, tried, tried - len(through))))
        assert tried > 0, kind
        assert not through, f"{kind}: {len(through)} of {tried} got through: {through[:_SHOWN]}"

    return take_down


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, value in report.user_properties:
                    if name == _ATTEMPTS and isinstance(value, list | tuple):
                        kind, tried, held = value
                        counted[kind][0] += tried
                        counted[kind][1] += held
    if counted:
        terminalreporter.section("attacks")
        for kind, (tried, held) in sorted(counted.items()):
            terminalreporter.line(f"{tried:6} tried, {held:6} held  {kind}")
