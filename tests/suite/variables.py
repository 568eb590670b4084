"""Fail a test that leaves the environment changed: it would decide about the tests that follow."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _same_for_the_next() -> Iterator[None]:
    before = _variables()
    yield
    changed = sorted({name for name, _ in before.items() ^ _variables().items()})
    assert not changed, f"the test leaves {', '.join(changed)} changed"


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
