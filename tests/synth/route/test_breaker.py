"""The circuit breaker: which webhooks have one, and what it may do."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack, Token
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_scalable_webhook import CircuitBreaker, QueueOptions, Retry, ScalableWebhook, Sink, SinkConfig

from ..test_existing import function, queue, redrive_policy

HTTP = Sink.http("https://orders.example.com")
SHORT = Retry(initial=Duration.seconds(1), maximum=Duration.seconds(1))


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def python(folder: Path, code: str) -> Sink:
    (folder / "orders.py").write_text(f"def handle(webhook): ...\n{code}\n")
    return Sink.python(folder, "orders.handle")


def postgres(stack: Stack) -> Sink:
    return Sink.postgres(host="db.example.com", database_name="d", secret=secretsmanager.Secret(stack, "Secret"))


def variables(stack: Stack, handler: str) -> dict[str, Any]:
    found = Template.from_stack(stack).find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": f"webhook_runtime.handlers.{handler}"}}
    )
    (only,) = found.values()
    return dict(only["Properties"]["Environment"]["Variables"])


def warnings(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("outage|maxReceiveCount"))
    return [str(each.entry.data) for each in found]


def test_a_database_and_a_service_have_one_by_default(stack: Stack, tmp_path: Path) -> None:
    assert ScalableWebhook(stack, "Http", sink=HTTP, path="/http").breaker
    assert ScalableWebhook(stack, "Postgres", sink=postgres(stack)).breaker
    assert ScalableWebhook(stack, "Python", sink=python(tmp_path, "def ping(): ...")).breaker
    assert not ScalableWebhook(stack, "Table").breaker
    assert not ScalableWebhook(stack, "Existing", consumer=function(stack)).breaker


@pytest.mark.parametrize(
    "code", ["", "import ping", "def ping(host): ...", "def ping(*, host): ...", "async def ping(): ...", "ping = 1"]
)
def test_a_handler_without_a_ping_has_none(code: str, stack: Stack, tmp_path: Path) -> None:
    assert not ScalableWebhook(stack, "Webhook", sink=python(tmp_path, code)).breaker


def test_it_can_be_left_out_and_a_table_can_have_one(stack: Stack) -> None:
    off = ScalableWebhook(stack, "Off", sink=HTTP, breaker=False, path="/off")
    assert off.breaker is None
    assert "WEBHOOK_BREAKER_FAILURES" not in variables(stack, "http")
    assert ScalableWebhook(stack, "Table", breaker=CircuitBreaker()).breaker


def test_a_sink_of_yours_has_one_if_it_can_be_pinged(stack: Stack) -> None:
    class Own(Sink):
        def __init__(self, can_be_pinged: bool) -> None:
            self._can_be_pinged = can_be_pinged

        @property
        def can_be_pinged(self) -> bool:
            return self._can_be_pinged

        def bind(self, scope: Any, options: Any) -> SinkConfig:
            return SinkConfig("http", {})

        def grant_write(self, grantee: Any) -> None: ...

    assert ScalableWebhook(stack, "Pinged", sink=Own(True)).breaker
    assert not ScalableWebhook(stack, "Silent", sink=Own(False)).breaker


def test_its_function_has_the_ids_from_the_template(stack: Stack) -> None:
    breaker = CircuitBreaker(failures=2, initial=Duration.minutes(2), maximum=Duration.hours(1), successes=5)
    webhook = ScalableWebhook(stack, "Webhook", sink=HTTP, breaker=breaker)
    found = variables(stack, "breaker")
    assert found["WEBHOOK_EVENT_SOURCE_MAPPING_ID"] == stack.resolve(
        webhook.event_source_mapping.event_source_mapping_id
    )
    assert found["WEBHOOK_CONSUMER_NAME"] == stack.resolve(webhook.consumer.function_name)
    assert (found["WEBHOOK_BREAKER_INITIAL_SECONDS"], found["WEBHOOK_BREAKER_MAXIMUM_SECONDS"]) == ("120", "3600")
    assert found["WEBHOOK_BREAKER_SUCCESSES"] == "5"
    assert variables(stack, "http")["WEBHOOK_BREAKER_FAILURES"] == "2"
    assert "ListEventSourceMappings" not in json.dumps(Template.from_stack(stack).to_json())


def test_no_deployment_forgets_a_pause(stack: Stack) -> None:
    """A rule with a state in the template would be disabled by a deployment that changes it, during a pause too."""
    ScalableWebhook(stack, "Webhook", sink=HTTP)
    (rule,) = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    assert "State" not in rule["Properties"]
    assert rule["Properties"]["ScheduleExpression"] == "rate(1 minute)"


def test_the_name_of_the_rule_is_that_of_no_other_stack(stack: Stack) -> None:
    long = "A" * 100
    ScalableWebhook(stack, long, sink=HTTP)
    ScalableWebhook(stack, long + "B", sink=HTTP)
    rules = Template.from_stack(stack).find_resources("AWS::Events::Rule")
    names = [each["Properties"]["Name"]["Fn::Join"][1] for each in rules.values()]
    assert len({prefix for prefix, _ in names}) == 2
    assert all(len(prefix) + len("3b2c5a52-7d41-4f0b-9a1e-0c6c1d2e3f40") <= 64 for prefix, _ in names)
    assert {json.dumps(id) for _, id in names} == {'{"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}'}


def test_the_consumer_of_a_vpc_gets_no_permission_for_it(stack: Stack) -> None:
    with_it, without = (ScalableWebhook(stack, name, sink=HTTP, breaker=on) for name, on in (("A", True), ("B", False)))
    assert with_it.breaker
    policies = Template.from_stack(stack).find_resources("AWS::IAM::Policy")
    kinds = [
        [statement["Action"] for statement in each["Properties"]["PolicyDocument"]["Statement"]]
        for id, each in policies.items()
        if "ConsumerRole" in id
    ]
    assert kinds[0] == kinds[1]
    assert without.breaker is None


@pytest.mark.parametrize(("tries", "failures"), [(2, "1"), (3, "2"), (4, "3"), (5, "3"), (100, "3")])
def test_the_default_suits_the_tries(tries: int, failures: str, stack: Stack) -> None:
    webhook = ScalableWebhook(stack, "Webhook", sink=HTTP, queue=QueueOptions(max_receive_count=tries))
    assert webhook.breaker
    assert variables(stack, "http")["WEBHOOK_BREAKER_FAILURES"] == failures


def test_one_try_is_too_few_for_one(stack: Stack) -> None:
    webhook = ScalableWebhook(stack, "Webhook", sink=HTTP, queue=QueueOptions(max_receive_count=1))
    assert webhook.breaker is None
    assert len(warnings(stack)) == 2


def test_a_queue_that_keeps_webhooks_for_a_shorter_time_than_a_wait_has_none(stack: Stack) -> None:
    options = QueueOptions(retention_period=Duration.minutes(15), max_receive_count=5)
    assert ScalableWebhook(stack, "Webhook", sink=HTTP, queue=options, retry=SHORT).breaker is None


def test_numbers_that_only_deployment_knows_are_taken(stack: Stack) -> None:
    tries: Any = Token.as_number({"Ref": "Tries"})
    webhook = ScalableWebhook(stack, "Webhook", sink=HTTP, queue=QueueOptions(max_receive_count=tries))
    assert webhook.breaker
    assert webhook.outage_tolerance
    assert variables(stack, "http")["WEBHOOK_BREAKER_FAILURES"] == "3"


def test_an_outage_may_be_as_long_as_the_queue_keeps_webhooks(stack: Stack) -> None:
    def tolerance(name: str, **arguments: Any) -> Duration | None:
        return ScalableWebhook(stack, name, **{"sink": HTTP, **arguments}).outage_tolerance

    with_it = tolerance("Default")
    assert with_it
    assert with_it.to_days() == 4
    longest = tolerance("Longest", queue=QueueOptions(retention_period=Duration.days(14)))
    assert longest
    assert longest.to_days() == 14
    known = queue(stack, retention_period=Duration.days(2), dead_letter_queue=redrive_policy(stack))
    existing = tolerance("Of a queue", queue=known)
    assert existing
    assert existing.to_days() == 2
    imported = sqs.Queue.from_queue_arn(stack, "Imported", "arn:aws:sqs:us-east-1:123456789012:Orders")
    assert tolerance("Imported webhook", queue=imported) is None
    without = tolerance("Without", breaker=False)
    assert without
    assert without.to_seconds() == 225


def test_the_warnings_about_outages_follow(stack: Stack) -> None:
    few = QueueOptions(max_receive_count=3)
    ScalableWebhook(stack, "With", sink=HTTP, queue=few, retry=SHORT)
    assert warnings(stack) == []
    ScalableWebhook(stack, "Without", sink=HTTP, queue=few, retry=SHORT, breaker=False)
    found = warnings(stack)
    assert len(found) == 2
    assert any("breaker=CircuitBreaker()" in each for each in found)


def test_its_metrics_count_lines(stack: Stack) -> None:
    webhook = ScalableWebhook(stack, "Webhook", sink=HTTP)
    for metric in (webhook.metric_paused(), webhook.metric_paused(), webhook.metric_sink_down()):
        assert metric.statistic == "Sum"
    filters = Template.from_stack(stack).find_resources("AWS::Logs::MetricFilter").values()
    found = {each["Properties"]["FilterPattern"]: each["Properties"]["LogGroupName"]["Ref"] for each in filters}
    assert {pattern: name.rpartition("Logs")[0] for pattern, name in found.items()} == {
        '{ $.message = "paused" }': "WebhookBreaker",
        '{ $.message = "sink down" }': "WebhookConsumer",
    }


def test_a_log_group_has_two_filters_at_most() -> None:
    """Two of the user's fit only without the circuit breaker."""

    def synthesised(filters: int, breaker: bool) -> None:
        app = App()
        stack = Stack(app, "Stack")
        webhook = ScalableWebhook(stack, "Webhook", sink=HTTP, breaker=breaker)
        for number in range(filters):
            logs.CfnSubscriptionFilter(
                stack,
                f"Filter{number}",
                destination_arn="arn:aws:lambda:us-east-1:123456789012:function:Theirs",
                filter_pattern="",
                log_group_name=webhook.consumer.log_group.log_group_name,
            )
        app.synth()

    synthesised(1, True)
    synthesised(2, False)
    with pytest.raises(
        RuntimeError,
        match="the log group of the consumer must have 2 subscription filters at most, got 3 in Stack/Webhook, one of "
        "them that of its circuit breaker; leave one out, or set breaker=False",
    ):
        synthesised(2, True)
