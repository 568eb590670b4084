from collections.abc import Iterator

import pytest

from .simulations import simulated
from .world import Clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Let the consumer's time pass by a simulated clock."""
    with simulated() as made:
        yield made
