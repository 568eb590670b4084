"""Run the slowest files first, so that none is left over at the end, and files that wait beside files that compute."""

from collections import Counter
from pathlib import Path

import pytest

# Their tests wait for servers most of the time.
WAITING = ("deployed", "docs")
# The time of a test without a mark.
SECONDS = 0.2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seconds: Counter[Path] = Counter()
    for item in items:
        slow = item.get_closest_marker("slow")
        seconds[item.path] += slow.args[0] if slow else SECONDS
    # The part of the time of its kind that has passed when a file starts.
    passed: dict[Path, float] = {}
    for waits in (True, False):
        kind = {path: each for path, each in seconds.most_common() if (path.parent.name in WAITING) == waits}
        before = 0.0
        for path, each in kind.items():
            passed[path] = before / sum(kind.values())
            before += each
    items.sort(key=lambda item: passed[item.path])
