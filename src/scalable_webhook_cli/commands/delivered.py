"""The deliveries of ``scalable-webhook send``: the outcome of each, and whether it is the wanted one."""

import time
from dataclasses import dataclass
from typing import Any

from scalable_webhook_cli import outcomes
from scalable_webhook_cli import throttle as throttles
from scalable_webhook_cli.deliveries import Answer
from scalable_webhook_cli.events import text_of
from scalable_webhook_cli.outcomes import Outcome
from scalable_webhook_cli.recipients import Recipient
from scalable_webhook_cli.samples import Event
from scalable_webhook_cli.terminal import errors, say, status_line

# By the answer of API Gateway itself to a request without the credentials that it asks for.
_HINTS = {
    "Forbidden": "if the API asks for a key, pass --header 'x-api-key: KEY'",
    "Missing Authentication Token": "the API asks for a signature of IAM, which send cannot make",
}


@dataclass(frozen=True)
class Delivered:
    """A delivery that was answered.

    Attributes:
        answer: The answer.
        outcome: The last known outcome.
        open: The reason why it has not ended, as far as is known. Empty: it has.
        is_as_wanted: Whether it ended as wanted.
    """

    answer: Answer
    outcome: Outcome
    open: str
    is_as_wanted: bool

    def show(self) -> None:
        """Print the answer, the id, and what became of it."""
        # The reason of a handler may have lines that look like ours.
        say(text_of(self._line()), style="green" if self.is_as_wanted else "red")

    def told(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {
            "status": self.answer.status,
            "id": self.outcome.fields.get("id") or self.answer.id or None,
            "request_id": self.answer.request_id or None,
            "outcome": self.outcome.kind or None,
            "error": self.outcome.fields.get("error"),
            "reason": self.outcome.fields.get("reason"),
            "answer": self.answer.text,
            "as_wanted": self.is_as_wanted,
        }

    def _line(self) -> str:
        status, kind = self.answer.status, self.outcome.kind
        if not self.answer.is_success:
            return "; ".join(filter(None, (f"{status}: {self.answer.reason}", _HINTS.get(self.answer.reason))))
        if kind == "handshake":
            return f"{status}: {self.answer.text}"
        # Without an id of its own, the request id is what to look for in the logs.
        id = self.outcome.fields.get("id") or self.answer.id or self.answer.request_id
        ended = ": ".join(filter(None, (kind, self.outcome.why)))
        return f"{f'{status} {id}'.rstrip()}: {self.open or ended}"


class Following:
    """Follows deliveries of an event to an endpoint. A verification of the endpoint ends with its answer."""

    def __init__(self, to: Recipient, event: Event, wait: float, *, is_bad: bool, is_quiet: bool) -> None:
        self._to = to
        self._event = event
        self._wait = wait
        self._is_bad = is_bad
        self._is_quiet = is_quiet
        self._since = time.time()

    def delivered(self, answer: Answer) -> Delivered:
        """Return the outcome of a delivery with this answer, after the wait for it."""
        if self._is_rejected(answer):
            outcome, is_open = Outcome("rejected", {"reason": answer.reason}), ""
        elif self._event.is_verification:
            outcome, is_open = Outcome("handshake"), ""
        elif is_open := self._not_followed(answer):
            outcome = Outcome()
        else:
            outcome = self._followed(answer)
        is_wanted = self._is_wanted(answer, outcome, is_open=bool(is_open))
        if not is_open and not outcome.has_ended:
            is_open = f"not stored after {self._wait:g} s; {self._waits_for(outcome)}"
        return Delivered(answer, outcome, is_open, is_wanted)

    def _not_followed(self, answer: Answer) -> str:
        """Return why a delivery is not followed, if it is not."""
        if not self._wait:
            return "accepted"
        if not answer.request_id:
            return "accepted; the answer has no request id, so it cannot be followed"
        if not outcomes.are_told(self._to.webhook):
            return "accepted; its consumer is a function of your own, whose log tells the rest"
        return ""

    def _is_rejected(self, answer: Answer) -> bool:
        # A signature that does not fit gets a 503 if the secret may be new, and only the log tells it from another.
        may_not_fit = self._is_bad and answer.status == 503 and not self._not_followed(answer)
        return not answer.is_success and not may_not_fit

    def _followed(self, answer: Answer) -> Outcome:
        webhook, id = self._to.webhook, answer.request_id
        with status_line(f"{answer.status} {answer.id}: waiting for its outcome", show=not self._is_quiet):
            return outcomes.follow(webhook, [id], since=self._since, seconds=self._wait, tell=self._tell)[id]

    def _is_wanted(self, answer: Answer, outcome: Outcome, *, is_open: bool) -> bool:
        if self._is_bad:
            by_signature = outcome.kind == "rejected" and "secret" in outcome.fields
            return answer.status == 401 or by_signature or outcome.kind == "unverified"
        return answer.is_success and (outcome.has_ended_well or is_open)

    def _tell(self, _id: str, outcome: Outcome) -> None:
        if outcome.kind == "failed" and not self._is_quiet:
            fields = outcome.fields
            told = f"attempt {fields.get('attempt')} failed, next in {fields.get('retry_in')} s: {outcome.why}"
            say(text_of(told), errors)

    def _waits_for(self, outcome: Outcome) -> str:
        """Return why a webhook may not have ended yet."""
        if outcome.kind == "failed":
            return f"its last try failed: {outcome.why}"
        name, mapping = self._to.webhook.name, throttles.of(self._to.webhook).describe()
        if mapping["State"] == "Disabled":
            return f"{name} is paused, resume it with: scalable-webhook resume {name}"
        if mapping.get("FilterCriteria", {}).get("Filters"):
            return "it waits in the queue, or the event_filters dropped it, of which no log tells"
        return "it waits in the queue"
