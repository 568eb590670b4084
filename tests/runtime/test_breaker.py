"""The circuit breaker against an AWS in memory, in which any call may fail, and other people pause and deploy."""

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_runtime.breaker import Breaker, tells_of_outage
from webhook_runtime.clients import AWS_FAILED, AwsRejected
from webhook_runtime.contract.pausing import BREAKER, PAUSED_AT, PAUSED_BY
from webhook_runtime.contract.settings import BreakerSettings

from .doubles import check_call, unreachable
from .events import log_lines

FULL, MAPPING = 7, "3b2c5a52-7d41-4f0b-9a1e-0c6c1d2e3f40"
ARN = f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{MAPPING}"
STATE, PING = "scalable-webhook:breaker", "scalable-webhook:ping"
RESOURCE_IN_USE = AwsRejected({"Error": {"Code": "ResourceInUseException", "Message": "it is changing"}}, "Update")
REJECTED = AwsRejected({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "AnyOperation")


class Aws:
    """Lambda and EventBridge. ``errors`` are raised by the next calls, one each; None is a call that works."""

    def __init__(self, full: int | None = FULL) -> None:
        self.on = True
        self.scaling = {"MaximumConcurrency": full} if full else None
        self.tags: dict[str, str] = {"team": "orders"}
        self.rule = False
        self.sink: str | None = "up"
        self.probes = 0
        self.errors: list[Exception | None] = []
        self.calls: list[str] = []
        self.now = 1_795_000_000.0

    def _called(self, service: str, operation: str, call: dict[str, Any]) -> None:
        check_call(operation, call, service)
        self.calls.append(operation)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error

    def get_event_source_mapping(self, **call: Any) -> dict[str, Any]:
        self._called("lambda", "GetEventSourceMapping", call)
        described: dict[str, Any] = {"State": "Enabled" if self.on else "Disabled", "EventSourceMappingArn": ARN}
        return described | ({"ScalingConfig": self.scaling} if self.scaling else {})

    def update_event_source_mapping(self, **call: Any) -> None:
        self._called("lambda", "UpdateEventSourceMapping", call)
        self.on = call.get("Enabled", self.on)
        self.scaling = call.get("ScalingConfig", self.scaling)

    def list_tags(self, **call: Any) -> dict[str, Any]:
        self._called("lambda", "ListTags", call)
        return {"Tags": dict(self.tags)}

    def tag_resource(self, **call: Any) -> None:
        self._called("lambda", "TagResource", call)
        self.tags |= call["Tags"]

    def untag_resource(self, **call: Any) -> None:
        self._called("lambda", "UntagResource", call)
        for key in call["TagKeys"]:
            self.tags.pop(key, None)

    def invoke(self, **call: Any) -> dict[str, Any]:
        self._called("lambda", "Invoke", call)
        assert json.loads(call["Payload"]) == {"probe": True}
        self.probes += 1
        if self.sink == "broken":
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "no module"}')}
        return {"Payload": io.BytesIO(json.dumps({"sink": self.sink}).encode())}

    def enable_rule(self, **call: Any) -> None:
        self._called("events", "EnableRule", call)
        self.rule = True

    def disable_rule(self, **call: Any) -> None:
        self._called("events", "DisableRule", call)
        self.rule = False


class World:
    """A webhook with its circuit breaker, and the clock."""

    def __init__(self, full: int | None = FULL, initial: float = 60, maximum: float = 900, successes: int = 3) -> None:
        self.aws = Aws(full)
        names = {"event_source_mapping_id": MAPPING, "consumer_name": "Consumer", "rule_name": "Rule"}
        waits = {"breaker_initial_seconds": initial, "breaker_maximum_seconds": maximum}
        self.settings = BreakerSettings(**names, **waits, breaker_successes=str(successes))  # type: ignore[arg-type]
        self.breaker = Breaker(self.settings, self.aws, self.aws, sleep=self.sleep, now=lambda: self.aws.now)

    def sleep(self, seconds: float) -> None:
        self.aws.now += seconds

    def line(self, text: str = '{"level": "ERROR", "message": "sink down"}') -> None:
        self.breaker.handle(log_lines(text), None)

    def goes_down(self) -> None:
        """Let the consumer find the sink down."""
        self.aws.sink = "down"
        self.line()

    def minutes(self, count: float = 1) -> None:
        """Let time pass: the rule calls every minute, while it is enabled."""
        for _ in range(round(count)):
            self.aws.now += 60
            if self.aws.rule:
                self.breaker.handle({"source": "aws.events"}, None)

    def is_at_rest(self) -> bool:
        return self.aws.on and not self.aws.rule and self.aws.tags == {"team": "orders"} and self.is_full()

    def is_full(self) -> bool:
        return self.aws.scaling in (None, {"MaximumConcurrency": FULL})


@pytest.fixture
def world() -> World:
    return World()


def test_it_pauses_while_the_sink_is_down_and_tells_who_did_it(world: World) -> None:
    world.goes_down()
    assert (world.aws.on, world.aws.rule) == (False, True)
    assert world.aws.tags[PAUSED_BY] == BREAKER
    assert world.aws.tags[PAUSED_AT] == "2026-11-18T11:06:41Z"


@pytest.mark.parametrize("sink", ["up", None, "broken"])
def test_it_pauses_only_if_the_sink_itself_does_not_answer(sink: str | None, world: World) -> None:
    """One webhook on which the sink chokes stops no other one."""
    world.aws.sink = sink
    world.line()
    assert world.is_at_rest()
    assert world.aws.probes == 1


@pytest.mark.parametrize(
    "text",
    [
        "sink down",
        '"sink down"',
        '["ERROR", "sink down"]',
        "[" * 100_000,
        '{"level": "WARNING", "message": "sink down"}',
        '{"level": "ERROR", "message": "the sink down there"}',
        '{"level": "INFO", "message": "failed", "reason": "sink down"}',
        '{"level": "ERROR", "message": {"message": "sink down"}}',
        '{"level": "ERROR", "message": "sink down"',
        '{"x": {"level": "ERROR", "message": "sink down"}}',
    ],
)
def test_a_line_that_has_the_words_elsewhere_starts_nothing(text: str, world: World) -> None:
    world.aws.sink = "down"
    world.line(text)
    assert world.aws.calls == []


def test_a_line_about_single_webhooks_is_looked_at_too(world: World) -> None:
    world.aws.sink = "down"
    world.line('{"level": "ERROR", "message": "perhaps sink down"}')
    assert not world.aws.on


def test_one_line_among_others_is_enough() -> None:
    told = ["START", '{"level": "INFO", "message": "batch"}', '{"message": "sink down", "level": "ERROR"}']
    assert tells_of_outage(log_lines(*told)["awslogs"]["data"])
    assert not tells_of_outage(log_lines(*told[:2])["awslogs"]["data"])


def test_the_waits_double_up_to_the_maximum_and_it_never_gives_up(world: World) -> None:
    world.goes_down()
    probed, before = [], world.aws.probes
    for minute in range(1, 24 * 60):
        world.minutes()
        if world.aws.probes > before:
            probed.append(minute)
            before = world.aws.probes
    assert probed[:8] == [1, 3, 7, 15, 30, 45, 60, 75]
    assert world.aws.probes == 1 + len(probed)  # one connection each, and no more than one a minute
    world.aws.sink = "up"
    world.minutes(16)
    assert world.is_at_rest()


def test_it_resumes_two_at_a_time_and_a_minute_later_all_of_them(world: World) -> None:
    world.goes_down()
    world.aws.sink = "up"
    world.minutes()
    assert (world.aws.on, world.aws.scaling) == (True, {"MaximumConcurrency": 2})
    assert PAUSED_BY not in world.aws.tags
    world.minutes()
    assert world.is_at_rest()


@pytest.mark.parametrize("full", [None, 2])
def test_one_group_has_no_concurrency_to_set(full: int | None) -> None:
    world = World(full)
    before = world.aws.scaling
    world.goes_down()
    world.aws.sink = "up"
    for _ in range(3):
        world.minutes()
        assert world.aws.scaling == before
    assert world.aws.on
    assert not world.aws.rule


@pytest.mark.parametrize("successes", [1, 3, 10])
def test_it_resumes_after_so_many_probes_in_a_row(successes: int) -> None:
    world = World(successes=successes)
    world.goes_down()
    world.aws.sink = "up"
    world.minutes()
    assert world.aws.probes == 1 + successes
    assert world.aws.on


def test_a_sink_that_goes_down_again_between_two_probes_stays_paused(world: World) -> None:
    world.goes_down()
    world.aws.sink = "up"
    sleep, world.breaker._sleep = world.breaker._sleep, lambda _: setattr(world.aws, "sink", "down")
    world.minutes()
    world.breaker._sleep = sleep
    assert not world.aws.on
    world.aws.sink = "up"
    world.minutes(4)
    assert world.is_at_rest()


def test_a_sink_that_goes_down_while_it_resumes_waits_longer_and_gets_its_number_back(world: World) -> None:
    world.goes_down()
    world.aws.sink = "up"
    world.minutes()
    world.goes_down()
    assert not world.aws.on
    assert world.aws.tags[STATE].startswith("wait=120 ")
    world.aws.sink = "up"
    world.minutes(4)
    assert world.is_at_rest()


def test_more_lines_while_it_is_paused_change_nothing(world: World) -> None:
    world.goes_down()
    before = dict(world.aws.tags)
    world.aws.calls.clear()
    for _ in range(20):
        world.line()
    assert world.aws.tags == before
    assert set(world.aws.calls) == {"GetEventSourceMapping"}


@pytest.mark.parametrize("errors", [[], [None] * 6 + [REJECTED]], ids=["pauses it", "fails before it is paused"])
def test_calls_at_the_same_time_wait_as_one(errors: list[Exception | None], world: World) -> None:
    """Each environment logs the outage, and logs it again, until the webhook is paused."""
    world.aws.sink = "down"
    invoke, world.aws.errors = world.aws.invoke, []

    def meanwhile(**call: Any) -> dict[str, Any]:
        answer = invoke(**call)
        world.aws.invoke = invoke  # type: ignore[method-assign]
        world.aws.errors = list(errors)
        with suppress(AwsRejected):
            world.line()
        world.aws.errors = []
        return answer

    world.aws.invoke = meanwhile  # type: ignore[method-assign]
    world.line()
    assert world.aws.tags[STATE].startswith("wait=60 ")
    assert not world.aws.on
    world.aws.sink = "up"
    world.minutes(2)
    assert world.is_at_rest()


def test_a_person_who_takes_over_resumes_by_hand(world: World) -> None:
    world.goes_down()
    world.aws.tags |= {PAUSED_BY: "anna", PAUSED_AT: "now"}
    world.aws.sink = "up"
    world.minutes(60)
    assert not world.aws.on
    assert world.aws.tags == {"team": "orders", PAUSED_BY: "anna", PAUSED_AT: "now"}
    assert not world.aws.rule


def test_a_pause_by_a_person_is_never_ended(world: World) -> None:
    world.aws.on = False
    world.aws.tags[PAUSED_BY] = "anna"
    world.aws.rule = True  # a deployment has changed the rule
    world.minutes(60)
    world.line()
    assert not world.aws.on
    assert not world.aws.rule


def test_a_person_who_pauses_while_it_resumes_keeps_it_paused(world: World) -> None:
    world.goes_down()
    world.aws.sink = "up"
    world.minutes()
    world.aws.on = False
    world.aws.tags[PAUSED_BY] = "anna"
    world.minutes(60)
    assert not world.aws.on
    assert world.is_full()
    assert world.aws.tags == {"team": "orders", PAUSED_BY: "anna"}


def test_a_person_who_pauses_while_the_sink_is_probed_is_not_overruled(world: World) -> None:
    class Slow(Aws):
        def invoke(self, **call: Any) -> dict[str, Any]:
            self.on = False
            self.tags[PAUSED_BY] = "anna"
            return super().invoke(**call)

    world.aws.__class__ = Slow
    world.goes_down()
    assert world.aws.tags == {"team": "orders", PAUSED_BY: "anna"}
    world.minutes(60)
    assert not world.aws.on


def test_a_person_who_resumes_it_ends_the_pause(world: World) -> None:
    world.goes_down()
    world.aws.on = True
    del world.aws.tags[PAUSED_BY], world.aws.tags[PAUSED_AT]
    world.minutes()
    assert world.is_at_rest()


@pytest.mark.parametrize("when", ["paused", "resuming"])
def test_a_number_that_a_person_sets_meanwhile_stays(when: str, world: World) -> None:
    world.goes_down()
    if when == "paused":
        world.aws.scaling = {"MaximumConcurrency": 4}
    world.aws.sink = "up"
    world.minutes()
    if when == "resuming":
        world.aws.scaling = {"MaximumConcurrency": 4}
    world.minutes()
    assert world.aws.on
    assert world.aws.scaling == {"MaximumConcurrency": 4}


@pytest.mark.parametrize("sink", ["down", "up"])
def test_a_deployment_resumes_it_until_the_next_look(sink: str, world: World) -> None:
    world.goes_down()
    world.aws.on, world.aws.sink = True, sink
    world.minutes()
    assert world.aws.on is (sink == "up")
    world.aws.sink = "up"
    world.minutes(3)
    assert world.is_at_rest()


def test_a_rule_that_a_deployment_enables_ends_itself(world: World) -> None:
    world.aws.rule = True
    world.minutes()
    assert world.is_at_rest()


def test_a_mapping_that_is_changing_is_waited_for(world: World) -> None:
    world.aws.sink = "down"
    errors = iter([RESOURCE_IN_USE, RESOURCE_IN_USE])
    update = world.aws.update_event_source_mapping

    def too_early(**call: Any) -> None:
        for error in errors:
            raise error
        update(**call)

    world.aws.update_event_source_mapping = too_early  # type: ignore[method-assign]
    world.line()
    assert not world.aws.on


def test_a_consumer_that_does_not_answer_is_no_sink_that_is_up(world: World) -> None:
    world.goes_down()
    world.aws.sink = "broken"
    world.minutes(10)
    assert not world.aws.on
    world.aws.sink = "up"
    world.minutes(10)
    assert world.is_at_rest()


def test_a_state_that_someone_has_changed_is_made_anew(world: World) -> None:
    world.goes_down()
    for text in ("", "x", "wait=1", "wait=a next=b full=c resumes=d", "wait=1 next=2 full=3 resumes=0 more=5"):
        world.aws.tags[STATE] = text
        world.minutes()
        assert world.aws.tags[STATE].startswith("wait=60 ")
    world.aws.sink = "up"
    world.minutes(3)
    assert world.is_at_rest()


@pytest.mark.parametrize("error", [REJECTED, unreachable("ReadTimeoutError", "https://lambda")])
@pytest.mark.parametrize("failing", range(16))
@pytest.mark.parametrize("phase", ["opens", "resumes", "ends"])
def test_whatever_call_fails_it_goes_on(phase: str, failing: int, error: Exception, world: World) -> None:
    """No pause is forgotten, and neither is the number."""
    world.aws.sink = "down"
    error_in = {"opens": 0, "resumes": 1, "ends": 2}[phase]
    for step in range(3):
        world.aws.errors = [None] * failing + [error] if step == error_in else []
        with suppress(*AWS_FAILED):
            world.line() if step == 0 else world.minutes()
        if step == 0:
            world.aws.sink = "up"
    world.aws.errors = []
    world.minutes(30)
    assert world.is_at_rest()


EVENTS = ["line", "minute", "up", "down", "broken", "pause", "resume", "deploy", "fail 1", "fail 3", "fail 6"]


@given(st.lists(st.sampled_from(EVENTS), max_size=60))
@settings(max_examples=300, deadline=None)
def test_it_never_forgets_a_pause_and_never_ends_one_of_a_person(events: list[str]) -> None:
    world = World()
    aws, by_person = world.aws, False
    for event in events:
        match event.split():
            case ["pause"]:
                aws.on, by_person = False, True
                aws.tags |= {PAUSED_BY: "anna", PAUSED_AT: "now"}
            case ["resume"]:
                aws.on, by_person = True, False
                aws.tags.pop(PAUSED_BY, None)
                aws.tags.pop(PAUSED_AT, None)
            case ["deploy"]:
                if not by_person:
                    aws.on = True
            case ["fail", call]:
                aws.errors = [None] * int(call) + [REJECTED]
            case [("line" | "minute") as call]:
                with suppress(AwsRejected):
                    world.line() if call == "line" else world.minutes()
            case [state]:
                aws.sink = state
        assert not (by_person and aws.on)
    aws.errors, aws.sink = [], "up"
    world.minutes(40)
    assert not aws.rule
    assert STATE not in aws.tags
    assert aws.on is not by_person
    assert world.is_full()
