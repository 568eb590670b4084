"""Count the attacks on the library, and those that failed, in a table at the end of a run.

docs/security.md has to agree with the run.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "security.md"

# Kind, number of attempts, and descriptions of those that succeeded.
Attempts = Callable[[str, int, list[str]], None]
_ATTEMPTS = "attempts"
_SHOWN = 10


@pytest.fixture
def attempts(request: pytest.FixtureRequest) -> Attempts:
    """Return a function that records the attempts of a kind. None may succeed, and there must be one."""

    def take_down(kind: str, tried: int, through: list[str]) -> None:
        request.node.user_properties.append((_ATTEMPTS, (kind, tried, tried - len(through))))
        assert tried > 0, kind
        assert not through, f"{kind}: {len(through)} of {tried} got through: {through[:_SHOWN]}"

    return take_down


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run of every kind of attack if one has fewer attempts than the page says."""
    terminalreporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminalreporter is None:  # a worker
        return
    counted, told = _counted(terminalreporter), _told()
    less = {
        kind: (counted[kind][0], said) for kind, said in told.items() if kind in counted and counted[kind][0] < said
    }
    untold = counted.keys() - told.keys()
    if told.keys() <= counted.keys() and (less or untold):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        terminalreporter.write_line(f"docs/security.md says more than was tried: {less}; it does not name: {untold}")


def _told() -> Mapping[str, int]:
    """Return the number of attempts on the page, by kind."""
    table = _PAGE.read_text().partition("| kind | attempts, at least |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([0-9,]+) \|", table, re.MULTILINE)
    return {kind: int(number.replace(",", "")) for kind, number in rows}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if counted := _counted(terminalreporter):
        terminalreporter.section("attacks")
        for kind, (tried, held) in sorted(counted.items()):
            terminalreporter.line(f"{tried:6} tried, {held:6} held  {kind}")


def _counted(terminalreporter: pytest.TerminalReporter) -> Mapping[str, list[int]]:
    """Return the number of attempts and of failed ones, by kind."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, value in report.user_properties:
                    if name == _ATTEMPTS and isinstance(value, list | tuple):
                        kind, tried, held = value
                        counted[kind][0] += tried
                        counted[kind][1] += held
    return counted
