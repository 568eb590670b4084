"""The endpoints of a queue, and the tasks that their ingresses leave to its consumer: verification and filters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdk_scalable_webhook.filters import EventFilters
from cdk_scalable_webhook.sources.source import Source


@dataclass(frozen=True)
class Endpoint:
    """The facts about an endpoint that the consumer of a queue needs.

    Attributes:
        source: The provider that the consumer verifies; None if the ingress verifies, or anyone may send.
        filters: The webhooks to keep; None: all.
        ingress_filters: Whether the ingress itself drops the others.
        as_text: Whether each payload is in the queue as text, which an event source mapping can read.
    """

    source: Source | None
    filters: EventFilters | None
    ingress_filters: bool
    as_text: bool

    @property
    def of_ingress(self) -> EventFilters | None:
        """The filters that the ingress applies."""
        return self.filters if self.ingress_filters else None

    def suits_mapping(self, filters: EventFilters) -> bool:
        """Check whether an event source mapping with these filters keeps exactly the webhooks of this endpoint's
        filters. A mapping looks at the bodies of messages only."""
        is_readable = self.as_text and not self.ingress_filters and not filters.need_headers
        return is_readable and self.filters is not None and self.filters.is_same(filters)


def unverified(endpoints: Mapping[str, Endpoint]) -> dict[str, Source | None]:
    """Return the source that the consumer verifies for each path; None if it verifies none."""
    return {mount: endpoint.source for mount, endpoint in endpoints.items()}


@dataclass(frozen=True)
class Dropping:
    """The filters behind the ingresses: those of the event source mapping, or those of the consumer by path."""

    mapping: EventFilters | None = None
    consumer: Mapping[str, EventFilters] = field(default_factory=dict)


def dropping(endpoints: Mapping[str, Endpoint], *, own_consumer: bool) -> Dropping:
    """Decide where webhooks are dropped that no ingress drops.

    The mapping has one list of filters for the whole queue, and cannot see an endpoint. So it drops only if all
    endpoints have the same filters. Otherwise the consumer drops, which can distinguish endpoints.

    Args:
        endpoints: Every endpoint of the queue, by its path.
        own_consumer: Whether the consumer is the user's own function, which does not filter.

    Raises:
        ValueError: The filters of an endpoint cannot be applied anywhere.
    """
    left = {mount: each.filters for mount, each in endpoints.items() if each.filters and not each.ingress_filters}
    if not left:
        return Dropping()
    first, filters = next(iter(left.items()))
    if all(each.suits_mapping(filters) for each in endpoints.values()):
        return Dropping(mapping=filters)
    if own_consumer:
        others = " and ".join(mount for mount in endpoints if mount != first)
        got = "headers" if filters.need_headers else f"{others} as well" if others else "a binary ingress"
        raise ValueError(
            f"event_filters of {first} must be on payloads that are text in the queue, and the same for every "
            "endpoint, if consumer is your own function, got "
            f"{got}; take Ingress.lambda_integration() for {first}, or filter in your function"
        )
    return Dropping(consumer=left)
