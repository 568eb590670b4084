"""Create the objects that a function's environment asks for. Load only what is needed, since each import costs cold
start.
"""

from typing import TYPE_CHECKING

from webhook_runtime.clients import client
from webhook_runtime.contract.settings import FilterSettings, Json, SourceSettings, from_environment

if TYPE_CHECKING:
    from webhook_runtime.filters import EventFilters
    from webhook_runtime.grouping import Grouping
    from webhook_runtime.payloads import Payloads
    from webhook_runtime.sources.source import Sources


def sources(*, in_order: bool = False) -> "Sources | None":
    """Return the sources, or None if nothing is verified here. ``in_order`` stands for a FIFO queue."""
    descriptions = from_environment(SourceSettings).sources
    if descriptions is None:
        return None
    from webhook_runtime.sources.source import Sources

    return Sources.from_descriptions(descriptions, client("secretsmanager"), in_order=in_order)


def event_filters() -> "EventFilters | None":
    """Return the event filters, or None if this function drops nothing."""
    by_mount = from_environment(FilterSettings).event_filters
    if by_mount is None:
        return None
    from webhook_runtime.filters import EventFilters

    return EventFilters(by_mount)


def payloads(bucket: str | None, days: int = 0) -> "Payloads | None":
    """Return the payloads in a bucket, or None if large payloads are not enabled."""
    if bucket is None:
        return None
    from webhook_runtime.payloads import Payloads

    return Payloads(client("s3"), bucket, days)


def grouping(group_by: Json | None) -> "Grouping | None":
    """Return the way in which webhooks form groups, or None if they form none."""
    if group_by is None:
        return None
    from webhook_runtime.grouping import Grouping

    return Grouping(group_by)
