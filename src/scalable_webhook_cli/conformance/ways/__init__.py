"""The ways in which cases are tried. Each takes its cases, and yields what was seen of each at each endpoint."""

from collections.abc import Mapping

from scalable_webhook_cli.conformance.ways import consumer, logs, requests
from scalable_webhook_cli.conformance.ways.common import Way, each

__all__ = ["WAYS", "Way"]

# In this order: those that leave a backlog, delete a queue or read what all have written come last.
WAYS: Mapping[str, Way] = {
    "message": requests.message,
    "throttle": each(requests.throttle),
    "events": requests.events,
    "item": each(consumer.item),
    "twice": each(consumer.twice),
    "partial": each(consumer.partial),
    "letter": each(consumer.letter),
    "retry": each(consumer.retry),
    "redrive": each(consumer.redrive),
    "own": requests.own,
    "sqs": each(requests.sqs),
    "move": each(consumer.move),
    "limits": each(consumer.limits),
    "one": each(consumer.one),
    "groups": each(consumer.groups),
    "burst": each(consumer.burst),
    "pause": each(consumer.pause),
    "broken": each(requests.broken),
    "lines": each(logs.lines),
    "access": each(logs.access),
    "metric": each(logs.metric),
}
