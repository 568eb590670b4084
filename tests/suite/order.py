"""Run the slowest files first, so that none is left over at the end, and files that wait next to files that compute."""

from collections import defaultdict
from pathlib import Path

import pytest

# Their tests wait for servers most of the time.
WAITING = ("deployed", "docs")
# The time of a test without a mark.
SECONDS = 0.2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if vague := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"{vague[0]} has another name in each worker; give its parameters ids")
    seconds: dict[Path, float] = defaultdict(float)
    for item in items:
        slow = item.get_closest_marker("slow")
        seconds[item.path] += slow.args[0] if slow else SECONDS
    # The share of the time of its kind that has passed when a file starts.
    passed: dict[Path, float] = {}
    for waits in (True, False):
        kind = [path for path in seconds if (path.parent.name in WAITING) == waits]
        before = 0.0
        for path in sorted(kind, key=lambda path: -seconds[path]):
            passed[path] = before / sum(seconds[each] for each in kind)
            before += seconds[path]
    items.sort(key=lambda item: passed[item.path])
