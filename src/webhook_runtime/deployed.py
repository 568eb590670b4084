"""What a deployed function is made of, by its environment: what it does not need is not loaded at its cold start."""

from typing import TYPE_CHECKING

from webhook_runtime.clients import client
from webhook_runtime.contract.settings import FilterSettings, SourceSettings, from_environment

if TYPE_CHECKING:
    from webhook_runtime.filters import EventFilters
    from webhook_runtime.sources.source import Sources


def sources(*, in_order: bool = False) -> "Sources | None":
    """Who sends; ``in_order`` is whether the function empties a FIFO queue. None where it verifies nobody."""
    described = from_environment(SourceSettings).sources
    if described is None:
        return None
    from webhook_runtime.sources.source import Sources

    return Sources.described(described, client("secretsmanager"), in_order=in_order)


def event_filters() -> "EventFilters | None":
    """What is wanted. None where every webhook is."""
    by_mount = from_environment(FilterSettings).event_filters
    if by_mount is None:
        return None
    from webhook_runtime.filters import EventFilters

    return EventFilters(by_mount)
