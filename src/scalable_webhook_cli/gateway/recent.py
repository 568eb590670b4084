"""Read what is deployed at most once a second."""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from cachetools import TTLCache, cached

# A new deployment is seen after so many seconds.
_SECONDS = 1

P = ParamSpec("P")
T = TypeVar("T")


def recent(read: Callable[P, T]) -> Callable[P, T]:
    """Return a function that reads, or returns what was read for the same arguments a moment ago."""
    reading = threading.Lock()
    read_or_known = cached(TTLCache(maxsize=256, ttl=_SECONDS))(read)

    def get(*args: P.args, **kwargs: P.kwargs) -> T:
        with reading:  # one reads, and the others use its result: a burst does not read a hundred times
            found: T = read_or_known(*args, **kwargs)
            return found

    return get
