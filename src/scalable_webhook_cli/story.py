"""The story of one webhook: its deliveries, each with its lines from API Gateway to the sink, and what is known now."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from scalable_webhook_cli import throttle as throttles
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.events import message_of, reason, text_of
from scalable_webhook_cli.log_lines import Line, time_text

# The state of a delivery after a line of ours.
_STATES = {
    "queued": "waiting",
    "failed": "retrying",
    "waits": "retrying",
    "rejected": "rejected",
    "handshake": "answered",
    **{same: same for same in ("stored", "duplicate", "dropped", "dead-lettered", "unverified")},
}


@dataclass(frozen=True)
class Delivery:
    """One request of a webhook.

    Attributes:
        request_id: API Gateway's id of the request; empty for a message that no endpoint sent.
        lines: Its lines, in order.
    """

    request_id: str
    lines: Sequence[Line]

    @property
    def state(self) -> str:
        """``accepted``, ``rejected``, ``answered``, ``waiting``, ``retrying``, or the outcome. ``unknown`` if no line
        tells.
        """
        return self._last[0]

    @property
    def line(self) -> Line:
        """The line that tells the state."""
        return self._last[1]

    @cached_property
    def _last(self) -> tuple[str, Line]:
        state, told = "unknown", self.lines[-1]
        for line in self.lines:
            after = _STATES.get(message_of(line)) or (_of_request(line) if state == "unknown" else None)
            if after is not None:
                state, told = after, line
            if state == "stored":  # SQS may deliver it again, which is a duplicate then
                break
        return state, told


@dataclass(frozen=True)
class Story:
    """A webhook. Ids belong to their endpoint, so ``mount`` is a part of its name. ``id`` is empty if it was not
    accepted.
    """

    webhook: str
    mount: str
    id: str
    deliveries: Sequence[Delivery]


def stories(lines: Iterable[Line]) -> list[Story]:
    """Return the webhooks that these lines are about, in the order of their first lines."""
    every = list(lines)
    # Only the functions' lines have the endpoint and the id.
    mounts = {line.name("request_id"): line.name("mount") for line in every if line.name("mount")}
    found: dict[tuple[str, str, str], dict[str, list[Line]]] = {}
    for line in every:
        request = line.name("request_id")
        key = (line.webhook, mounts.get(request, ""), line.id)
        found.setdefault(key, {}).setdefault(request, []).append(line)
    return [
        Story(*key, [Delivery(request, of_request) for request, of_request in requests.items()])
        for key, requests in found.items()
    ]


@dataclass(frozen=True)
class Route:
    """The facts about a webhook that no line tells.

    Attributes:
        paused: By whom it is paused and when, or None.
        filters: Whether its event source mapping drops events, without a line.
        hides: Why its consumer logs no webhook, or None.
    """

    paused: str | None = None
    filters: bool = False
    hides: str | None = None

    @classmethod
    def of(cls, webhook: DeployedWebhook) -> "Route":
        throttle = throttles.of(webhook)
        mapping = throttle.describe()
        paused = None
        if mapping["State"] in ("Disabled", "Disabling"):
            paused = throttle.paused_by() or "someone who left no tag"
        return cls(paused, bool(mapping.get("FilterCriteria", {}).get("Filters")), webhook.hides_webhooks)


def known(delivery: Delivery, route: Route, now: float | None = None) -> str:
    """Return what is known of a delivery, in a sentence."""
    now = time.time() if now is None else now
    line, fields = delivery.line, delivery.line.fields
    at = clock(line.at)
    why = reason(fields)
    match delivery.state:
        case "stored":
            return f"stored at {at}, on attempt {fields.get('attempt')}"
        case "duplicate":
            return f"a duplicate at {at}: a webhook with this id was stored before"
        case "dropped":
            return f"dropped at {at}: it matches no event filter"
        case "dead-lettered":
            return f"in the dead-letter queue since {at}, because {why}"
        case "unverified":
            return f"in the unverified queue since {at}, because {why}"
        case "answered":
            return f"answered at {at}: a request that checks the endpoint, and no webhook"
        case "rejected":
            told = " ".join(text_of(fields[name]) for name in ("status", "reason") if name in fields)
            return f"not accepted at {at}: {told}"
        case "retrying":
            due = line.at + _seconds(fields.get("retry_in"))
            if due > now:
                return f"waiting for the next try at {clock(due)}, in {due - now:.0f} s{_paused(route)}"
            return f"waiting: the next try was due at {clock(due)}{_paused(route) or _BEHIND}"
        case "waiting":
            return f"waiting for its first try since {at}{_paused(route) or _unseen(route)}"
        case "accepted":
            dropped = ", or dropped by an event filter of the event source mapping" if route.filters else ""
            return f"accepted at {at}; waiting for its first try{dropped}{_paused(route) or _unseen(route)}"
        case _:
            return "no line tells what became of it"


def told(story: Story, route: Route) -> dict[str, Any]:
    """Return a story for a program."""
    return {
        "webhook": story.webhook,
        "mount": story.mount,
        "id": story.id,
        "deliveries": [
            {
                "request_id": delivery.request_id,
                "state": delivery.state,
                "at": time_text(delivery.line.at),
                "known": known(delivery, route),
                "lines": [line.as_json() for line in delivery.lines],
            }
            for delivery in story.deliveries
        ],
    }


_BEHIND = "; the consumer is behind, or has crashed with it: see scalable-webhook logs --level error"


def _unseen(route: Route) -> str:
    return f"; {route.hides}" if route.hides else ""


def _paused(route: Route) -> str:
    return f"; the webhook is paused, by {route.paused}" if route.paused else ""


def clock(at: float) -> str:
    """Return a time of day, with the day unless it is today."""
    then, now = datetime.fromtimestamp(at), datetime.fromtimestamp(time.time())
    return f"{then:%H:%M:%S}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def _of_request(line: Line) -> str | None:
    """Return the state after the line of API Gateway."""
    status = str(line.fields.get("status", "")) if line.stage == "access" else ""
    return "accepted" if status.startswith("2") else "rejected" if status[:1] in ("3", "4", "5") else None


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
