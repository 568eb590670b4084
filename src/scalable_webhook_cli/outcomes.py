"""Follow webhooks that were sent until each has ended, by the log lines of their stages."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from webhook_runtime.contract.settings import ConsumerSettings

# Nothing is left to do for these.
ENDED_WELL = ("stored", "duplicate", "dropped", "handshake")
# No other line follows these.
ENDED = (*ENDED_WELL, "dead-lettered", "unverified", "rejected")
_RANKS = {"queued": 1, "failed": 2, **dict.fromkeys(ENDED, 3)}
_STAGES = ("Publisher", "Consumer")
# Seconds. CloudWatch may show a line so long after its time, and the clock of this machine may be wrong by as much.
_LATE = 60.0


@dataclass(frozen=True)
class Outcome:
    """The last log line of a webhook: its message, and its fields. Empty, if there is none yet."""

    kind: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.kind in ENDED

    @property
    def has_ended_well(self) -> bool:
        """Whether it is stored, or the app wanted it to end before."""
        return self.kind in ENDED_WELL

    @property
    def why(self) -> str:
        """The error and the reason, if it is not stored."""
        return ": ".join(str(self.fields[name]) for name in ("error", "reason") if self.fields.get(name))


def are_told(webhook: DeployedWebhook) -> bool:
    """Tell whether the log of the consumer tells outcomes. That of an existing function need not."""
    try:
        webhook.settings(ConsumerSettings)
    except KeyError:
        return False
    return True


def follow(
    webhook: DeployedWebhook,
    request_ids: Collection[str],
    *,
    since: float,
    seconds: float,
    tell: Callable[[str, Outcome], object] = lambda _id, _outcome: None,
) -> dict[str, Outcome]:
    """Follow webhooks until each has ended, or for so many seconds.

    Args:
        webhook: The webhook that they were sent to.
        request_ids: The extended request ids of API Gateway, by which every stage names them.
        since: The time at which the first was sent, in seconds since 1970.
        seconds: The longest time to wait.
        tell: Called with each new outcome.

    Returns:
        The last known outcome of each.

    Raises:
        CliError: The logs may not be read.
    """
    outcomes = dict.fromkeys(request_ids, Outcome())
    groups = [name for name, stage in webhook.log_groups.items() if stage in _STAGES]
    # The id of a single one selects its lines, and the name of the field those about any webhook.
    pattern = f'"{next(iter(outcomes))}"' if len(outcomes) == 1 else '"request_id"'
    give_up, latest = time.monotonic() + seconds, since
    pause, longest = (0.1, 0.5) if webhook.target.endpoint else (1.0, 3.0)
    while True:
        for line, at in (each for group in groups for each in _lines(webhook, group, pattern, latest - _LATE)):
            latest = max(latest, at)
            id, found = line.get("request_id"), Outcome(str(line.get("message")), line)
            if id in outcomes and _is_news(found, outcomes[id]):
                outcomes[id] = found
                tell(id, found)
        if all(outcome.has_ended for outcome in outcomes.values()) or time.monotonic() >= give_up:
            return outcomes
        time.sleep(min(pause, max(give_up - time.monotonic(), 0)))
        pause = min(pause * 1.5, longest)


def _is_news(found: Outcome, known: Outcome) -> bool:
    """Tell whether a line says more than the known one: those of two stages come in any order."""
    rank, before = _RANKS.get(found.kind, 0), _RANKS.get(known.kind, 0)
    is_later = found.kind == "failed" and str(found.fields.get("timestamp")) > str(known.fields.get("timestamp"))
    return rank > before or (rank == before and is_later)


def _lines(
    webhook: DeployedWebhook, group: str, pattern: str, since: float
) -> Iterator[tuple[Mapping[str, Any], float]]:
    """Yield the lines of JSON in a log group, each with its time."""
    pages = webhook.target.client("logs").get_paginator("filter_log_events")
    asked = {"logGroupName": group, "startTime": max(round(since * 1000), 0), "filterPattern": pattern}
    try:
        for page in pages.paginate(**asked):
            for event in page["events"]:
                for line in event["message"].splitlines():
                    if line.startswith("{") and isinstance(parsed := _parsed(line), dict):
                        yield parsed, event["timestamp"] / 1000
    except ClientError as error:
        match error.response["Error"]["Code"]:
            case "ResourceNotFoundException":  # an existing function that was never called
                return
            case "AccessDeniedException":
                raise CliError(
                    f"the log group {group} cannot be read: allow logs:FilterLogEvents on it, or pass --wait 0"
                ) from None
        raise


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
