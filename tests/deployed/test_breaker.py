"""The circuit breaker of a deployed webhook, whose Postgres goes down; and pings of other sinks.

Nothing waits for the rule, which calls each minute: the tests call the circuit breaker as the rule does.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import postgres_server
import pytest
from demo_outage import Deployed, deployed
from postgres_server import PostgresServer
from typer.testing import CliRunner

from scalable_webhook_cli.burst import ID_HEADER
from scalable_webhook_cli.commands import app
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import wait_for
from webhook_runtime.contract.pausing import BREAKER, PAUSED_BY
from webhook_runtime.contract.settings import DataApiSettings, DynamoDBSettings
from webhook_runtime.deadline import Deadline
from webhook_runtime.outcome import SinkDown
from webhook_runtime.sinks.data_api import DataApiSink
from webhook_runtime.sinks.dynamodb import DynamoDBSink

from ..runtime.doubles import Invocation, of_botocore
from ..suite.patience import SECONDS, http

STATE = "scalable-webhook:breaker"
# As in the app.
TRIES = 5


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server.running() as server:
        yield server


class Webhook:
    """A deployed webhook with a circuit breaker, and its Postgres."""

    def __init__(self, side: Deployed, emulator: Emulator) -> None:
        self.side = side
        self.observed = side.observed
        self.emulator = emulator
        self.lambda_ = emulator.client("lambda")
        self.sent = 0

    def send(self, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            answer = http.post(self.side.url, content=b"{}", headers={ID_HEADER: str(self.sent)})
            assert answer.status_code == 202

    def all_stored(self) -> bool:
        return self.side.stored() == self.sent

    def tags(self) -> dict[str, str]:
        tags: dict[str, str] = self.lambda_.list_tags(Resource=self.arn)["Tags"]
        return tags

    @property
    def arn(self) -> str:
        return str(self.side.throttle.describe()["EventSourceMappingArn"])

    def is_paused_by_breaker(self) -> bool:
        return self.side.is_paused() and self.tags().get(PAUSED_BY) == BREAKER and STATE in self.tags()

    def minute(self) -> None:
        """Call the circuit breaker as the rule does once a probe is due."""
        state = self.tags().get(STATE, "")
        if state:
            pairs = dict(pair.split("=") for pair in state.split()) | {"next": "1"}
            text = " ".join(f"{name}={value}" for name, value in pairs.items())
            self.lambda_.tag_resource(Resource=self.arn, Tags={STATE: text})
        name = self.observed.physical("AWS::Lambda::Function", f"{self.observed.id}Breaker")
        event = {"source": "aws.events", "detail-type": "Scheduled Event"}
        answer = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()

    def is_at_rest(self) -> bool:
        mapping, name = self.side.throttle.describe(), self.observed.physical("AWS::Events::Rule", self.observed.id)
        rule = self.emulator.client("events").describe_rule(Name=name)
        return (
            mapping["State"] == "Enabled"
            and mapping["ScalingConfig"]["MaximumConcurrency"] == 3
            and not {STATE, PAUSED_BY} & set(self.tags())
            and rule["State"] == "DISABLED"
        )

    def lines(self, construct: str, message: str) -> list[dict[str, Any]]:
        return [line for line in self.observed.log(construct) if line.get("message") == message]


@pytest.fixture(scope="module")
def deployed_webhook(emulator: Emulator, postgres: PostgresServer) -> Webhook:
    arguments = {"breaker": True, "at_a_time": 3, "retry_seconds": 1}
    return Webhook(deployed(emulator, {"Tested": postgres}, {"Tested": arguments})["Tested"], emulator)


@pytest.fixture
def webhook(deployed_webhook: Webhook, postgres: PostgresServer) -> Webhook:
    """The webhook at rest: it has stored something, and no call of the rule is due."""
    if postgres.pid is None:
        postgres.start()
    deployed_webhook.minute()
    deployed_webhook.send(1)
    assert wait_for(deployed_webhook.all_stored, SECONDS)
    assert wait_for(deployed_webhook.is_at_rest, SECONDS)
    return deployed_webhook


@pytest.fixture
def run(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that runs a command of the command line."""
    monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(emulator.home))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.mark.slow(8)
@pytest.mark.smoke
def test_a_database_that_goes_down_pauses_the_webhook_and_uses_up_no_webhook(
    webhook: Webhook, postgres: PostgresServer
) -> None:
    postgres.stop()
    webhook.send(30)
    assert wait_for(webhook.is_paused_by_breaker, SECONDS)
    webhook.send(5)
    webhook.minute()  # a probe that fails
    assert webhook.is_paused_by_breaker()
    assert "wait=120 " in webhook.tags()[STATE]
    postgres.start()
    webhook.minute()
    mapping = webhook.side.throttle.describe()
    assert (mapping["State"], mapping["ScalingConfig"]) == ("Enabled", {"MaximumConcurrency": 2})
    webhook.minute()
    assert webhook.is_at_rest()
    assert wait_for(webhook.all_stored, SECONDS)
    assert webhook.observed.dead_letters() == 0
    assert max(line["attempt"] for line in webhook.lines("ConsumerLogs", "failed")) < TRIES


def test_a_person_takes_over_a_pause_and_ends_it(
    webhook: Webhook, postgres: PostgresServer, run: Callable[..., str]
) -> None:
    postgres.stop()
    webhook.send(10)
    assert wait_for(webhook.is_paused_by_breaker, SECONDS)
    said = run("pause", "Outage/Tested")
    assert "Outage/Tested stays paused until you resume it; it was paused by the circuit breaker" in said
    postgres.start()
    webhook.minute()
    assert webhook.side.is_paused()
    assert webhook.tags()[PAUSED_BY] not in (None, BREAKER)
    assert "resumed Outage/Tested" in run("resume", "Outage/Tested")
    assert webhook.is_at_rest()
    assert wait_for(webhook.all_stored, SECONDS)


def test_resume_by_a_person_ends_a_pause_of_the_circuit_breaker(
    webhook: Webhook, postgres: PostgresServer, run: Callable[..., str]
) -> None:
    postgres.stop()
    webhook.send(3)
    assert wait_for(webhook.is_paused_by_breaker, SECONDS)
    postgres.start()
    assert "it was paused by the circuit breaker" in run("resume", "Outage/Tested")
    webhook.minute()
    assert webhook.is_at_rest()
    assert wait_for(webhook.all_stored, SECONDS)


def test_a_line_that_merely_has_the_words_starts_nothing(webhook: Webhook) -> None:
    logs = webhook.emulator.client("logs")
    group = webhook.observed.physical("AWS::Logs::LogGroup", f"{webhook.observed.id}ConsumerLogs")
    stream = str(time.time())
    logs.create_log_stream(logGroupName=group, logStreamName=stream)

    def calls() -> int:
        return sum(1 for _ in webhook.observed.invocations("BreakerLogs"))

    def put(*lines: str) -> None:
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def probes() -> int:
        return len(webhook.lines("ConsumerLogs", "probe"))

    before, probed = calls(), probes()
    words = ("sink down", '{"level": "INFO", "message": "failed", "reason": "sink down"}', '{"x": "sink down"}')
    for line in words:
        put(line)
    assert wait_for(lambda: calls() == before + len(words), SECONDS)
    assert probes() == probed
    assert webhook.is_at_rest()
    # The consumer's own line is looked at. The sink is up, so nothing is paused.
    put('{"level": "ERROR", "message": "sink down"}')
    assert wait_for(lambda: probes() == probed + 1, SECONDS)
    assert wait_for(lambda: len(webhook.lines("BreakerLogs", "not paused")) > 0, SECONDS)
    assert webhook.is_at_rest()


# The pings that only a whole AWS can answer.


def test_the_ping_of_dynamodb_stores_nothing_and_finds_a_missing_table(emulator: Emulator) -> None:
    dynamodb, table = emulator.client("dynamodb"), f"Pinged{time.time_ns()}"
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    sink = DynamoDBSink(DynamoDBSettings(table_name=table), dynamodb)
    for _ in range(3):
        sink.ping(Deadline(Invocation()))
    assert dynamodb.scan(TableName=table)["Items"] == []
    dynamodb.delete_table(TableName=table)
    with pytest.raises(SinkDown):
        sink.ping(Deadline(Invocation()))


def test_the_consumer_of_the_default_sink_tells_that_dynamodb_is_up(
    emulator: Emulator, urls: dict[str, str], observe: Callable[[str], Any]
) -> None:
    observed = observe("Ingresses/Lambda")
    name = observed.physical("AWS::Lambda::Function", "LambdaConsumer")
    answer = emulator.client("lambda").invoke(FunctionName=name, Payload=b'{"probe": true}')
    assert json.loads(answer["Payload"].read()) == {"sink": "up"}
    assert not any("ping" in item for item in observed.items())


def test_the_ping_of_the_data_api_is_down_without_its_cluster(emulator: Emulator) -> None:
    cluster = f"arn:aws:rds:{emulator.region}:{emulator.account}:cluster:missing"
    secret = f"arn:aws:secretsmanager:{emulator.region}:{emulator.account}:secret:missing-abcdef"
    settings = DataApiSettings(cluster, secret, "postgres", "orders", "webhooks", True)
    with pytest.raises(SinkDown):
        DataApiSink(settings, of_botocore(emulator.client("rds-data"))).ping(Deadline(Invocation()))
