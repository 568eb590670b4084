from collections.abc import Iterator
from typing import Any

import pytest

from scalable_webhook_cli.observe import ObservedWebhook, log_streams, peak, sampled, steps, wait_for
from scalable_webhook_cli.target import Target

from ..suite.patience import SECONDS


def batch(started: int, ended: int) -> dict[str, object]:
    return {"message": "batch", "started": started, "ended": ended}


def test_the_peak_is_the_most_batches_at_the_same_time() -> None:
    assert peak([]) == 0
    assert peak([batch(0, 10), batch(10, 20)]) == 1
    assert peak([batch(0, 10), batch(5, 20), batch(8, 9), batch(30, 40)]) == 3
    assert peak([{"message": "stored", "id": "a"}, batch(0, 1)]) == 1


def test_steps_say_how_many_are_in_flight_from_each_moment_at_which_that_changes() -> None:
    assert steps([]) == []
    assert steps([(0, 10), (5, 20), (10, 12)]) == [(0, 1), (5, 2), (10, 2), (12, 1), (20, 0)]


class Services:
    """CloudFormation and CloudWatch, which count their calls."""

    calls = 0

    def filter_log_events(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        events = [{"timestamp": at, "message": f"{at}", "logStreamName": f"invocation {at % 3}"} for at in range(9)]
        return {"events": events}

    def describe_stack_resources(self, StackName: str) -> dict[str, Any]:
        self.calls += 1
        names = {"WebhookQueue12345678": "a queue", "WebhookDeadLetterQueue87654321": "its dead-letter queue"}
        resources = [
            {"ResourceType": "AWS::SQS::Queue", "LogicalResourceId": id, "PhysicalResourceId": name}
            for id, name in names.items()
        ]
        return {"StackResources": resources}


def test_all_streams_of_a_log_are_read_in_one_call() -> None:
    logs = Services()
    assert list(log_streams(logs, "group")) == [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]
    assert logs.calls == 1


def test_the_resources_of_a_webhook_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudformation = Services()
    monkeypatch.setattr(Target, "client", lambda *_: cloudformation)
    webhook = ObservedWebhook(Target(), "Stack", "Webhook")
    assert [webhook.queue_url, webhook.dead_letter_queue_url] == ["a queue", "its dead-letter queue"]
    assert cloudformation.calls == 1


def test_a_sampler_looks_until_its_block_ends_and_skips_errors() -> None:
    looks: Iterator[int | Exception] = iter([1, ConnectionError("it is down"), 3, *[2] * 100_000])

    def look() -> int:
        seen = next(looks)
        if isinstance(seen, Exception):
            raise seen
        return seen

    with sampled(look, every=0.001, unanswered=(ConnectionError,)) as samples:
        assert wait_for(lambda: len(samples.points) > 2, SECONDS)
    assert [value for _, value in samples.points[:3]] == [1, 3, 2]
    assert samples.highest == 3
    moments = [moment for moment, _ in samples.points]
    assert moments == sorted(moments)
    seen = len(samples.points)
    assert not wait_for(lambda: len(samples.points) > seen, 0.1)


def test_a_sampler_that_fails_fails_the_block() -> None:
    def look() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), sampled(look):
        pass
