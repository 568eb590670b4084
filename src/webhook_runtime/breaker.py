"""The circuit breaker: it pauses the webhook while its sink is down, and asks the sink until it is up again.

Only the event source mapping stops: while it is disabled, no webhook uses up a try. A log line of the consumer tells of
the outage. From then on a rule calls every minute. The state is in tags of the mapping, so nothing is lost if a call of
this function fails: the next one goes on.
"""

import base64
import gzip
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self

from webhook_runtime import logs
from webhook_runtime.clients import AWS_FAILED, client, code_of
from webhook_runtime.contract.pausing import (
    BREAKER,
    BREAKER_STATE,
    IS_CHANGING,
    PAUSED,
    PAUSED_AT,
    PAUSED_BY,
    PERHAPS_DOWN,
    SINK_DOWN,
    SLOW_SECONDS,
    SLOW_START,
    state_in,
    time_text,
)
from webhook_runtime.contract.settings import BreakerSettings, from_environment
from webhook_runtime.probe import DOWN, UP

# The next ping, or the one in progress, while there is one.
_PING = "scalable-webhook:ping"

# Calls that plan a ping at the same time see each other's tag after so many seconds.
_PLAN_SECONDS = 1.0
# The longest time of a ping, with a cold start of the consumer.
_PING_SECONDS = 15.0

# A rule may call a little early or late.
_EARLY_SECONDS = 30
_BETWEEN_PROBES = 2.0

_TRIES, _BETWEEN_TRIES = 10, 3.0

_ON = ("Enabled", "Enabling", "Updating", "Creating")


class _State(NamedTuple):
    """The state of a pause, in whole seconds: the wait between two probes, and the time of the next one.

    ``full`` is the concurrency before the pause, 0 if there is none. Once the webhook ``resumes``, it is set at
    ``next``.
    """

    wait: int
    next: int
    full: int
    resumes: int = 0

    def text(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self._asdict().items())

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Self | None:
        """Return the state in these tags. None: there is none, or someone has changed it."""
        try:
            return cls(**state_in(tags))
        except TypeError:
            return None


class _Ping(NamedTuple):
    """A ping that begins at this time, in seconds, and the call of this function that asks.

    ``after`` is the call that asks before, and may not have begun yet.
    """

    at: float
    by: str
    after: str = ""

    def text(self) -> str:
        return f"{self.at} {self.by} {self.after}".strip()

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Self | None:
        """Return the ping in these tags. None: there is none, or someone has changed it."""
        try:
            at, *calls = tags[_PING].split()
            return cls(float(at), *calls)
        except (KeyError, TypeError, ValueError):
            return None


class Breaker:
    """``sleep`` and ``now`` are those of ``time``."""

    def __init__(
        self,
        settings: BreakerSettings,
        lambda_: Any,
        events: Any,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._lambda = lambda_
        self._events = events
        self._sleep = sleep
        self._now = now

    @classmethod
    def from_environment(cls) -> Self:
        """Create the circuit breaker of a deployed function."""
        # The consumer may need a cold start, and has 10 seconds for a probe.
        lambda_ = client("lambda", read_timeout=30, attempts=4)
        return cls(from_environment(BreakerSettings), lambda_, client("events", attempts=4))

    def handle(self, event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
        """Handle lines of the consumer's log, or a call of the rule."""
        try:
            if "awslogs" not in event:
                self._look()
            elif tells_of_outage(event["awslogs"]["data"]):
                self._open()
        except AWS_FAILED as error:
            what = {"event_source_mapping": self._settings.event_source_mapping_id, "rule": self._settings.rule_name}
            logs.logger.error("cannot pause", extra=what | {"error": code_of(error), "reason": str(error)})
            raise
        return {}

    def _open(self) -> None:
        """Pause the webhook, unless it is paused already, or its sink is up."""
        mapping = self._mapping()
        if mapping["State"] not in _ON:
            return
        with self._turn(mapping) as is_mine:
            # Another call of this function may have paused it meanwhile: each environment logs the outage.
            if not is_mine or self._mapping()["State"] not in _ON:
                return
            sink = self._sink()
        if sink == DOWN:
            self._pause_unless_off()
        else:
            logs.logger.warning("not paused", extra={"reason": "the sink is up, or did not say how it is"})

    def _pause_unless_off(self) -> None:
        """Pause the webhook, unless a person has done so while the sink was asked."""
        mapping = self._mapping()
        if mapping["State"] in _ON:
            self._pause(mapping, _State.of(self._tags(mapping)))

    def _pause(self, mapping: Mapping[str, Any], before: _State | None) -> None:
        """Pause the webhook, and probe the sink after the wait.

        The rule first: whatever fails then, it calls, and ``_look`` goes on. And once more at the end, since another
        call of this function may just have ended one.
        """
        now, full = int(self._now()), _concurrency(mapping)
        wait = int(self._settings.breaker_initial_seconds)
        if before is not None:
            full = before.full if full == SLOW_START else full
            # A sink that goes down while the webhook resumes has not been up for long.
            wait = self._longer(before.wait) if before.resumes else before.wait
        state = _State(wait, now + wait, full)
        self._call_every_minute()
        self._tag(mapping, {PAUSED_BY: BREAKER, PAUSED_AT: time_text(now), BREAKER_STATE: state.text()})
        self._update(Enabled=False, **_at(full))
        self._call_every_minute()
        _tell_paused(state, now)

    def _look(self) -> None:
        """Go on with a pause, once a minute."""
        mapping = self._mapping()
        tags = self._tags(mapping)
        state, is_on, is_ours = _State.of(tags), mapping["State"] in _ON, tags.get(PAUSED_BY) == BREAKER
        if state is not None and state.resumes:
            if is_ours and not is_on:  # the call that began to resume it has failed
                self._resume(mapping, state)
            elif self._is_due(state):
                # Also if a person has paused it meanwhile. A person's number stays.
                if _concurrency(mapping) == SLOW_START:
                    self._update(**_at(state.full))
                self._end(mapping, tags)
        elif not is_ours:
            self._end(mapping, tags)  # a person has resumed it, or paused it
        elif is_on:
            # A deployment has resumed it, or the call that began to pause it has failed.
            with self._turn(mapping) as is_mine:
                sink = self._sink() if is_mine else None
            if sink == DOWN:
                self._pause_unless_off()
            elif is_mine:
                self._end(mapping, tags)
        elif state is None:
            self._pause(mapping, None)
        elif not self._is_due(state):
            _tell_paused(state, self._now())
        elif self._is_up():
            self._resume(mapping, state)
        else:
            wait = self._longer(state.wait)
            state = state._replace(wait=wait, next=int(self._now()) + wait)
            self._tag(mapping, {BREAKER_STATE: state.text()})
            _tell_paused(state, self._now())

    def _resume(self, mapping: Mapping[str, Any], state: _State) -> None:
        """Resume the webhook: slowly, and at its full concurrency a minute later."""
        tags = self._tags(mapping)
        if tags.get(PAUSED_BY) != BREAKER:  # a person has paused it while the sink was probed
            return
        # That of the mapping: a person may have changed it in the pause.
        state = _State(state.wait, int(self._now()) + SLOW_SECONDS, _concurrency(mapping) or state.full, resumes=1)
        self._tag(mapping, {BREAKER_STATE: state.text()})
        self._update(Enabled=True, **_at(min(state.full, SLOW_START)))
        self._untag(mapping, PAUSED_BY, PAUSED_AT)
        logs.logger.info("resumed", extra={"paused_at": tags.get(PAUSED_AT)})

    def _end(self, mapping: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """End a pause: nothing calls any more. Unless another call of this function has just paused the webhook."""
        own = (BREAKER_STATE, _PING, PAUSED_BY, PAUSED_AT) if tags.get(PAUSED_BY) == BREAKER else (BREAKER_STATE, _PING)
        if self._tags(mapping) != tags:
            return
        self._untag(mapping, *own)
        self._events.disable_rule(Name=self._settings.rule_name)
        now = self._mapping()
        if now["State"] not in _ON and self._tags(now).get(PAUSED_BY) == BREAKER:
            self._call_every_minute()

    @contextmanager
    def _turn(self, mapping: Mapping[str, Any]) -> Iterator[bool]:
        """Wait until no other call of this function asks the sink. False: another one asks, later than now.

        Each ping in progress takes an environment of the consumer, which keeps its connection.
        """
        began, name = self._now(), secrets.token_hex(4)
        try:
            is_mine = self._wait_for_turn(mapping, name, began)
            if is_mine is None:
                is_mine = self._wait_for_turn(mapping, name, began)
            # None: if tags are late, several calls ask, and no one waits for ever.
            yield is_mine is not False
        finally:
            with suppress(*AWS_FAILED):
                ping = _Ping.of(self._tags(mapping))
                if ping is not None and ping.by == name:
                    self._untag(mapping, _PING)

    def _wait_for_turn(self, mapping: Mapping[str, Any], name: str, began: float) -> bool | None:
        """Tag the mapping with a ping of this call, and look later whether it is still there: the last to write asks.

        A ping is void after its time, so a call that fails does not hold up the next one for long. None: the ping is
        gone, since another call has ended at that moment.
        """
        now, ping = self._now(), _Ping.of(self._tags(mapping))
        if ping is not None and began <= ping.at <= now + _PING_SECONDS + _PLAN_SECONDS:
            return False
        if ping is not None and now - _PING_SECONDS < ping.at < now:
            own = _Ping(ping.at + _PING_SECONDS + _PLAN_SECONDS, name, after=ping.by)
        else:
            own = _Ping(now + _PLAN_SECONDS, name)
        self._tag(mapping, {_PING: own.text()})
        self._sleep(max(own.at - self._now(), _PLAN_SECONDS))
        ping = _Ping.of(self._tags(mapping))
        if ping is None:
            return None
        # The next one is planned behind this one.
        return name in (ping.by, ping.after) or not began <= ping.at <= own.at + 2 * _PING_SECONDS

    def _is_up(self) -> bool:
        """Probe the sink until it was up so many times in a row. While it is down, it is asked once."""
        for number in range(int(self._settings.breaker_successes)):
            if number:
                self._sleep(_BETWEEN_PROBES)
            if self._sink() != UP:
                return False
        return True

    def _sink(self) -> str | None:
        """Ask the consumer how its sink is. None: it did not say."""
        try:
            answer = self._lambda.invoke(FunctionName=self._settings.consumer_name, Payload=b'{"probe": true}')
            said = json.loads(answer["Payload"].read())
        except (*AWS_FAILED, ValueError) as error:
            self._no_probe(code_of(error), str(error))
            return None
        if "FunctionError" in answer or not isinstance(said, dict):
            self._no_probe(answer.get("FunctionError", "BadAnswer"), "the consumer failed")
            return None
        return said.get("sink")

    def _no_probe(self, error: str, reason: str) -> None:
        told = {"consumer": self._settings.consumer_name, "error": error, "reason": reason}
        logs.logger.warning("no probe", extra=told)

    def _is_due(self, state: _State) -> bool:
        return self._now() >= state.next - _EARLY_SECONDS

    def _longer(self, wait: int) -> int:
        return min(2 * wait, int(self._settings.breaker_maximum_seconds))

    # The event source mapping, its tags, and the rule.

    def _mapping(self) -> Mapping[str, Any]:
        mapping: Mapping[str, Any] = self._lambda.get_event_source_mapping(UUID=self._settings.event_source_mapping_id)
        return mapping

    def _update(self, **change: Any) -> None:
        """Change the mapping. While it is changing otherwise, wait for that."""
        for tries_left in reversed(range(_TRIES)):
            try:
                self._lambda.update_event_source_mapping(UUID=self._settings.event_source_mapping_id, **change)
            except AWS_FAILED as error:
                if code_of(error) not in IS_CHANGING or not tries_left:
                    raise
            else:
                return
            self._sleep(_BETWEEN_TRIES)

    def _tags(self, mapping: Mapping[str, Any]) -> Mapping[str, str]:
        tags: Mapping[str, str] = self._lambda.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
        return tags

    def _tag(self, mapping: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        self._lambda.tag_resource(Resource=mapping["EventSourceMappingArn"], Tags=tags)

    def _untag(self, mapping: Mapping[str, Any], *names: str) -> None:
        self._lambda.untag_resource(Resource=mapping["EventSourceMappingArn"], TagKeys=list(names))

    def _call_every_minute(self) -> None:
        self._events.enable_rule(Name=self._settings.rule_name)


def handler() -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """Return the handler of a deployed function."""
    return Breaker.from_environment().handle


def _concurrency(mapping: Mapping[str, Any]) -> int:
    """Return the number of batches at a time. 0: the mapping has none, since the queue has one group."""
    return int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0))


def _at(concurrency: int) -> dict[str, Any]:
    """Return the change of a mapping to this concurrency."""
    return {"ScalingConfig": {"MaximumConcurrency": concurrency}} if concurrency else {}


def tells_of_outage(data: str) -> bool:
    """Tell whether lines of a log have the consumer's own one. A line that has its words elsewhere starts nothing.

    See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
    """
    events = json.loads(gzip.decompress(base64.b64decode(data)))["logEvents"]
    return any(_is_outage(event["message"]) for event in events)


def _is_outage(text: str) -> bool:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(line, dict) and line.get("level") == "ERROR" and line.get("message") in (SINK_DOWN, PERHAPS_DOWN)


def _tell_paused(state: _State, now: float) -> None:
    """Log once a minute that the webhook is paused. An error, so that no log level hides it."""
    logs.logger.error(PAUSED, extra={"wait": state.wait, "next_probe_in": max(0, round(state.next - now))})
