"""The alarms of a webhook: what each watches, from when on it goes off, and what to do then."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from aws_cdk import Duration, Token
from constructs import Construct

from cdk_scalable_webhook.checks.cdk import require_same_environment
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import (
    DAY,
    HOUR,
    MINUTE,
    in_seconds,
    require_duration,
    require_known,
    require_number,
    show,
)
from cdk_scalable_webhook.endpoint.front import Front
from cdk_scalable_webhook.route.breaker import metric_paused
from cdk_scalable_webhook.route.consumer import metric_webhook_age
from cdk_scalable_webhook.route.route import Route

if TYPE_CHECKING:  # importing these slows each synth
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_sns as sns

# A webhook that is retried is seen once a try, so less often than once a minute.
_BETWEEN_TRIES = HOUR

_BEHIND = 10 * MINUTE
_PAUSED, _SATURATED, _SILENCE = 15 * MINUTE, HOUR, DAY
_NOT_ACCEPTED, _REJECTED, _ERRORS, _THROTTLED, _DEAD_LETTERS = 5, 500, 1, 1, 1

# Nothing lasts without a gap: a batch ends, a log line is late. The alarm is one long point, whose window slides.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html
_MOST_OF_THE_TIME = 0.9

_HIGHEST = 1_000_000
# A metric's point covers a day at most.
_SHORTEST_STATE, _LONGEST_STATE = 5 * MINUTE, DAY
_LONGEST_AGE = 14 * DAY


@typed
@dataclass(frozen=True, kw_only=True)
class AlarmOptions:
    """The thresholds of the alarms, for ``add_alarms()``. ``True`` stands for the default, ``False`` for no such alarm.

    Attributes:
        not_accepted: The requests a minute that are answered with 5xx, for three minutes in a row: 1 to 1,000,000.
            Default: 5.
        rejected: The requests in a quarter of an hour that are answered with 4xx: 1 to 1,000,000. Default: 500.
        silence: The time without an accepted webhook: 5 minutes to 1 day; ``True`` is a day. Default: no such alarm,
            since many providers are silent for days.
        behind: The age of the oldest waiting webhook, for three minutes in a row: 1 minute to 14 days. Default: 10
            minutes, or half of ``retention_period`` if that is less.
        webhooks_expiring: The age of the oldest webhook that waits, or is retried, since SQS deletes it at the
            ``retention_period`` of the queue: 1 minute to 14 days. Default: half of that period; none if it is not
            known.
        paused: The time for which the circuit breaker pauses the webhook: 5 minutes to 1 day. Default: 15 minutes;
            none without a circuit breaker.
        saturated: The time for which the consumer works on ``max_concurrency`` batches: 5 minutes to 1 day. Default: 1
            hour; none if the number is known at deployment only.
        consumer_errors: The crashes of the consumer a minute, for three minutes in a row: 1 to 1,000,000. Default: 1.
        consumer_throttled: The batches a minute for which Lambda has no concurrency left, for five minutes in a row: 1
            to 1,000,000. Default: 1.
        dead_letters: The webhooks in the dead-letter queue: 1 to 1,000,000. Default: 1; none if the queue is not known.
        dead_letters_expiring: The age of the oldest webhook in the dead-letter queue, since it was moved there: 1
            minute to 14 days. Default: half of the time for which SQS certainly keeps it, 5 days with the defaults;
            none if that is not known.

    Raises:
        ValueError: A value is out of its limits, or a time is known only at deployment.

    See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
    """

    not_accepted: int | bool = True
    rejected: int | bool = True
    silence: Duration | bool = False
    behind: Duration | bool = True
    webhooks_expiring: Duration | bool = True
    paused: Duration | bool = True
    saturated: Duration | bool = True
    consumer_errors: int | bool = True
    consumer_throttled: int | bool = True
    dead_letters: int | bool = True
    dead_letters_expiring: Duration | bool = True

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("not_accepted", "rejected", "consumer_errors", "consumer_throttled", "dead_letters"):
            value = getattr(self, name)
            require_number(f"{name} of AlarmOptions", None if isinstance(value, bool) else value, 1, _HIGHEST)
        for name in ("behind", "webhooks_expiring", "dead_letters_expiring"):
            _require_time(name, getattr(self, name), MINUTE, _LONGEST_AGE)
        for name in ("silence", "paused", "saturated"):
            _require_time(name, getattr(self, name), _SHORTEST_STATE, _LONGEST_STATE)
            _require_minutes(name, getattr(self, name))


def _require_time(name: str, value: Duration | bool, low: float, high: float) -> None:
    given = None if isinstance(value, bool) else value
    require_known(f"{name} of AlarmOptions", given)
    require_duration(f"{name} of AlarmOptions", given, low, high)


def _require_minutes(name: str, value: Duration | bool) -> None:
    """Reject a time that no point of a metric covers."""
    if not isinstance(value, bool) and in_seconds(value) % 60:
        raise ValueError(f"{name} of AlarmOptions must be in whole minutes, got {show(value)}; round it")


class _Alarm(NamedTuple):
    """An alarm that goes off if so many points in a row are at the threshold or above.

    ``is_silence`` is for the one that goes off below it, and without points.
    """

    name: str
    metric: "cloudwatch.Metric"
    threshold: float
    points: int
    description: str
    is_silence: bool = False


def create_alarms(
    scope: Construct,
    front: Front,
    route: Route,
    topic: "sns.ITopic | None",
    options: AlarmOptions,
) -> "dict[str, cloudwatch.Alarm]":
    """Create the alarms, by their names. Their names in CloudWatch are made by CloudFormation, so those of two webhooks
    differ.

    Raises:
        ValueError: There are alarms already, CloudWatch cannot publish to the topic, or the webhook does not have what
            an alarm watches.
    """
    from aws_cdk import aws_cloudwatch as cloudwatch

    if scope.node.try_find_child("Alarms") is not None:
        raise ValueError(
            "topic must be given to one add_alarms() of a webhook, got a second call; add further actions to the "
            "alarms that the first returns"
        )
    if scope.node.try_find_child("Dashboard") is not None:
        raise ValueError(
            "topic must be given to add_alarms() before add_dashboard(), got it behind, so the dashboard would not "
            "show the alarms; move add_dashboard() behind it"
        )
    actions = [] if topic is None else [_publication(scope, topic)]
    wanted = list(_wanted(front, route, options, shlex.quote(scope.node.path)))
    where, made = Construct(scope, "Alarms"), {}
    for each in wanted:
        made[each.name] = each.metric.create_alarm(
            where,
            each.name,
            threshold=each.threshold,
            evaluation_periods=each.points,
            comparison_operator=(
                cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
                if each.is_silence
                else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            # SQS, Lambda and API Gateway write no points while there is nothing to tell.
            treat_missing_data=(
                cloudwatch.TreatMissingData.BREACHING if each.is_silence else cloudwatch.TreatMissingData.NOT_BREACHING
            ),
            alarm_description=each.description,
        )
        made[each.name].add_alarm_action(*actions)
    return made


def _publication(scope: Construct, topic: "sns.ITopic") -> "cloudwatch.IAlarmAction":
    from aws_cdk import aws_cloudwatch_actions as actions

    require_same_environment(scope, topic=topic)
    if topic.fifo:
        raise ValueError(
            "topic must be a standard topic, got a FIFO topic, to which CloudWatch cannot publish; pass a standard one"
        )
    return actions.SnsAction(topic)


def _wanted(front: Front, route: Route, options: AlarmOptions, name: str) -> Iterator[_Alarm]:
    """Yield the alarms in the order in which a webhook passes what they watch. ``name`` is that of the webhook, for
    commands."""
    yield from _of_endpoint(front, route, options, name)
    yield from _of_queue(route, options, name)
    yield from _of_consumer(route, options, name)
    yield from _of_dead_letters(route, options, name)


def _of_endpoint(front: Front, route: Route, options: AlarmOptions, name: str) -> Iterator[_Alarm]:
    failures = front.metrics("server_errors", period=_minute())
    if not failures:
        for argument in ("not_accepted", "rejected"):
            _require_possible(
                argument, getattr(options, argument), "an ingress whose requests AWS counts", "take another"
            )
    if requests := _number(options.not_accepted, _NOT_ACCEPTED):
        for where, metric in failures.items():
            yield _Alarm(
                f"NotAccepted{_at(where)}",
                metric,
                requests,
                3,
                "Requests are answered with 5xx, so the provider has to send them again. Their status tells why. "
                + _see(f"scalable-webhook logs {name}", "The endpoint rejects requests"),
            )
    if requests := _number(options.rejected, _REJECTED):
        for where, metric in front.metrics("client_errors", period=Duration.minutes(15)).items():
            yield _Alarm(
                f"Rejected{_at(where)}",
                metric,
                requests,
                1,
                "Unusually many requests are answered with 4xx: a scanner, or a secret that was changed at one side "
                "only. Their status tells which. "
                + _see(f"scalable-webhook logs {name}", "The endpoint rejects requests"),
            )
    if silent := _time(options.silence, _SILENCE):
        yield _Alarm(
            "Silence",
            route.queue.metric_number_of_messages_sent(statistic="Sum", period=Duration.seconds(silent)),
            1,
            1,
            f"No webhook was accepted for {show(silent)}. Look at the provider's own log, and compare the URL there. "
            + _see(f"scalable-webhook url {name}", "The endpoint rejects requests"),
            is_silence=True,
        )


def _at(mount: str) -> str:
    """Return the end of the name of an alarm of one endpoint. That of the whole front has none."""
    return f" {mount.strip('/')}" if mount.strip("/") else ""


def _of_queue(route: Route, options: AlarmOptions, name: str) -> Iterator[_Alarm]:
    age = route.queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=_minute())
    kept = route.retention
    half = None if kept is None else kept // 2
    if late := _age("behind", options.behind, min(_BEHIND, half or _BEHIND), kept):
        yield _Alarm(
            "Behind",
            age,
            late,
            3,
            f"The oldest waiting webhook is in the queue for {show(late)} or more: the consumer is too slow, or does "
            "not run. " + _see(f"scalable-webhook status {name}", "The queue grows"),
        )
    if late := _age("webhooks_expiring", options.webhooks_expiring, half, kept):
        deleted = "" if kept is None else f" SQS deletes it after {show(kept)}."
        mend = f"{deleted} Raise the retention first. " + _see(f"scalable-webhook status {name}", "The sink is down")
        yield _Alarm(
            "WebhooksExpiring",
            age,
            late,
            1,
            f"A webhook waits in the queue for {show(late)} or more.{mend}",
        )
        # SQS's own age leaves out what was received three times.
        if route.sink is not None:
            yield _Alarm(
                "RetriesExpiring",
                metric_webhook_age(route.consumer, route.queue, Duration.seconds(_BETWEEN_TRIES)),
                late,
                1,
                f"A webhook is retried for {show(late)} or more.{mend}",
            )
    if route.breaker is None:
        _require_possible("paused", options.paused, "a circuit breaker", "set breaker=CircuitBreaker()")
    elif pause := _time(options.paused, _PAUSED):
        yield _Alarm(
            "Paused",
            metric_paused(route.breaker, route.queue, Duration.seconds(pause)),
            int(_MOST_OF_THE_TIME * pause / MINUTE),
            1,
            f"The circuit breaker pauses the webhook for {show(pause)}, since its sink is down. It resumes by itself "
            "once the sink is up. " + _see(f"scalable-webhook status {name}", "The sink is down"),
        )


def _of_consumer(route: Route, options: AlarmOptions, name: str) -> Iterator[_Alarm]:
    batches = route.max_concurrency
    if Token.is_unresolved(batches):
        _require_possible("saturated", options.saturated, "a max_concurrency that is known at synth", "write it out")
    elif busy := _time(options.saturated, _SATURATED):
        yield _Alarm(
            "Saturated",
            # Not ConcurrentExecutions: its maximum is that of a moment, and 1 in each minute with a webhook.
            route.consumer.metric_duration(statistic="Sum", period=Duration.seconds(busy)),
            _MOST_OF_THE_TIME * batches * busy * 1000,
            1,
            f"The consumer works on {batches} batches at a time for {show(busy)}, as many as max_concurrency permits. "
            "If the sink can take more, raise it. " + _see(f"scalable-webhook status {name}", "The queue grows"),
        )
    if crashes := _number(options.consumer_errors, _ERRORS):
        yield _Alarm(
            "ConsumerErrors",
            route.consumer.metric_errors(period=_minute()),
            crashes,
            3,
            "The consumer crashes, or runs out of time or memory. The end of its log tells which. "
            + _see(f"scalable-webhook logs {name}", "The dead-letter queue fills"),
        )
    if throttled := _number(options.consumer_throttled, _THROTTLED):
        yield _Alarm(
            "ConsumerThrottled",
            route.consumer.metric_throttles(period=_minute()),
            throttled,
            5,
            "Lambda has no concurrency left for the consumer: raise the account's quota, or reserve some for it. "
            + _see(f"scalable-webhook status {name}", "The queue grows"),
        )


def _of_dead_letters(route: Route, options: AlarmOptions, name: str) -> Iterator[_Alarm]:
    if route.dead_letter_queue is None:
        for argument in ("dead_letters", "dead_letters_expiring"):
            _require_possible(
                argument,
                getattr(options, argument),
                "a dead-letter queue that is known",
                "create the queue in this app with dead_letter_queue=",
            )
        return
    if letters := _number(options.dead_letters, _DEAD_LETTERS):
        yield _Alarm(
            "DeadLetters",
            route.dead_letter_queue.metric_approximate_number_of_messages_visible(
                statistic="Maximum", period=_minute()
            ),
            letters,
            1,
            "Webhooks could not be stored, each with its reason. Nothing leaves the dead-letter queue by itself. "
            + _see(f"scalable-webhook dead-letters list {name}", "The dead-letter queue fills"),
        )
    kept = route.dead_letter_retention
    if late := _age("dead_letters_expiring", options.dead_letters_expiring, _notice(route), kept):
        yield _Alarm(
            "DeadLettersExpiring",
            route.dead_letter_queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=_minute()),
            late,
            1,
            f"A webhook is in the dead-letter queue for {show(late)} or more, and SQS will delete it. Redrive or "
            "delete it now. " + _see(f"scalable-webhook dead-letters list {name}", "The dead-letter queue fills"),
        )


def _notice(route: Route) -> float | None:
    """Return the age in the dead-letter queue that leaves time to act: half of the time that is certain. SQS deletes a
    webhook by the day on which it first got it, if it moves it itself from a standard queue.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
    """
    kept, before = route.dead_letter_retention, 0 if route.queue.fifo else route.retention
    return None if kept is None or before is None else max((kept - before) // 2, kept // 10)


@cache  # a call of the CDK
def _minute() -> Duration:
    return Duration.minutes(1)


def _see(command: str, chapter: str) -> str:
    return f"Run `{command} --profile NAME`. Runbook: docs/operations.md, {chapter}."


def _require_possible(name: str, value: int | Duration | bool, needed: str, remedy: str) -> None:
    """Reject a threshold for an alarm that the webhook cannot have. The default stands for no alarm then."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} of AlarmOptions needs {needed}, got none; {remedy}, or leave {name} out")


def _number(value: int | bool, default: int) -> int | None:
    """Return the threshold of an alarm, or None if it is not wanted."""
    return (default if value else None) if isinstance(value, bool) else value


def _time(value: Duration | bool, default: float | None) -> float | None:
    """Return the seconds of an alarm, or None if it is not wanted."""
    return (default if value else None) if isinstance(value, bool) else in_seconds(value)


def _age(name: str, value: Duration | bool, default: float | None, kept: float | None) -> float | None:
    """Return the age of an alarm in seconds. Reject one that no message reaches, since SQS deletes it before."""
    if not isinstance(value, bool) and kept is not None and in_seconds(value) >= kept:
        raise ValueError(
            f"{name} of AlarmOptions must be shorter than the {show(kept)} for which the queue keeps a webhook, got "
            f"{show(value)}; lower it"
        )
    return _time(value, default)
