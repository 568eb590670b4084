"""What was tried against the library, and how often it held: a table at the end of a run. The page that tells of it,
docs/security.md, is held to the run."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "security.md"

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


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that tried every kind of the page fails where it tried less than that says."""
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
    """How many attempts the page tells, by their kind."""
    table = _PAGE.read_text().partition("| kind | attempts, at least |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([0-9,]+) \|", table, re.MULTILINE)
    return {kind: int(number.replace(",", "")) for kind, number in rows}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if counted := _counted(terminalreporter):
        terminalreporter.section("attacks")
        for kind, (tried, held) in sorted(counted.items()):
            terminalreporter.line(f"{tried:6} tried, {held:6} held  {kind}")


def _counted(terminalreporter: pytest.TerminalReporter) -> Mapping[str, list[int]]:
    """How many were tried, and how many held, by their kind."""
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
