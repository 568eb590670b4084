"""The endpoints of a queue, and what their ingresses leave to its consumer: verification and filters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdk_scalable_webhook.filters import EventFilters
from cdk_scalable_webhook.sources.source import Source


@dataclass(frozen=True)
class Endpoint:
    """What the consumer of a queue has to know of an endpoint.

    Attributes:
        source: Who the consumer has to verify; None where the ingress verifies, or anyone may send.
        filters: The webhooks that are wanted; None: all.
        ingress_filters: Whether the ingress drops the others itself.
        as_text: Whether each payload is in the queue as text, which is what an event source mapping can read.
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
        """Whether an event source mapping with these filters keeps exactly the webhooks that the endpoint wants: it
        looks at the bodies of messages only."""
        is_readable = self.as_text and not self.ingress_filters and not filters.need_headers
        return is_readable and self.filters is not None and self.filters.is_same(filters)


def unverified(endpoints: Mapping[str, Endpoint]) -> dict[str, Source | None]:
    """The source that the consumer verifies for each mount; None where it verifies none."""
    return {mount: endpoint.source for mount, endpoint in endpoints.items()}


@dataclass(frozen=True)
class Dropping:
    """Who drops unwanted webhooks behind the ingresses: the event source mapping, or the consumer by mount."""

    mapping: EventFilters | None = None
    consumer: Mapping[str, EventFilters] = field(default_factory=dict)


def dropping(endpoints: Mapping[str, Endpoint], *, own_consumer: bool) -> Dropping:
    """Decide who drops what no ingress does.

    The mapping has one list of filters for the whole queue, and cannot see an endpoint. So it drops only where every
    endpoint wants the same; else the consumer does, which can tell endpoints apart.

    Args:
        endpoints: Every endpoint of the queue, by its mount.
        own_consumer: Whether the consumer is the user's own function, which does not filter.

    Raises:
        ValueError: Nobody can apply the filters of an endpoint.
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
            "endpoint, since the event source mapping applies them where consumer is a function of yours, got "
            f"{got}; take Ingress.lambda_integration() for {first}, or filter in your function"
        )
    return Dropping(consumer=left)
