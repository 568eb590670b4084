"""Follow webhooks that were sent until each has ended, by the log lines of their stages."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from scalable_webhook_cli import log_lines
from scalable_webhook_cli.cloudwatch import Denied
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.events import message_of
from webhook_runtime.contract.settings import ConsumerSettings

# Nothing is left to do for these.
ENDED_WELL = ("stored", "duplicate", "dropped", "handshake")
# No other line follows these.
ENDED = (*ENDED_WELL, "dead-lettered", "unverified", "rejected")
_RANKS = {"queued": 1, "failed": 2, **dict.fromkeys(ENDED, 3)}
# Seconds by which the clock of this machine may be wrong.
_CLOCKS_DIFFER = 60.0


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
    waiting = set(outcomes)
    only = next(iter(outcomes)) if len(outcomes) == 1 else None
    try:
        for line in log_lines.lines(webhook, since - _CLOCKS_DIFFER, only, follow=seconds, hold=0):
            id, found = line.name("request_id"), Outcome(message_of(line), line.fields)
            if id in outcomes and _is_news(found, outcomes[id]):
                outcomes[id] = found
                tell(id, found)
                if found.has_ended:
                    waiting.discard(id)
            if not waiting:
                break
    except Denied as error:
        raise CliError(f"{error}, or pass --wait 0") from None
    return outcomes


def _is_news(found: Outcome, known: Outcome) -> bool:
    """Tell whether a line says more than the known one: those of two stages come in any order."""
    rank, before = _RANKS.get(found.kind, 0), _RANKS.get(known.kind, 0)
    is_later = found.kind == "failed" and str(found.fields.get("timestamp")) > str(known.fields.get("timestamp"))
    return rank > before or (rank == before and is_later)
