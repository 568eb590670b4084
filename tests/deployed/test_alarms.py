"""The alarms of a webhook on a local AWS: each goes off at its threshold, not below, and tells someone.

MiniStack evaluates an alarm when data arrive, over all resources that have the metric, so it is an AWS of its own here.
It evaluates no missing data.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import wait_for

from ..suite.patience import SECONDS

APP = """
from aws_cdk import App, Stack
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from cdk_scalable_webhook import ScalableWebhook, Sink

app = App()
stack = Stack(app, "Orders")
topic = sns.Topic(stack, "Paged")
topic.add_subscription(subscriptions.SqsSubscription(sqs.Queue(stack, "Pager", queue_name="pager")))
webhook = ScalableWebhook(stack, "Webhook", sink=Sink.http("http://127.0.0.1:9"))
webhook.add_alarms(topic)
webhook.add_dashboard("Orders")
app.synth()
"""


class Watched:
    """A deployed webhook with alarms."""

    def __init__(self, emulator: Emulator) -> None:
        self.cloudwatch = emulator.client("cloudwatch")
        self.sqs = emulator.client("sqs")
        self.pager = self.sqs.get_queue_url(QueueName="pager")["QueueUrl"]

    def alarms(self) -> dict[str, dict[str, Any]]:
        """Return the alarms by their names in the app."""
        found = self.cloudwatch.describe_alarms()["MetricAlarms"]
        return {each["AlarmName"].partition("Alarms")[2].partition("-")[0][:-8]: each for each in found}

    def state(self, name: str) -> str:
        return str(self.alarms()[name]["StateValue"])

    def put(self, alarm: dict[str, Any], value: float) -> None:
        """Write a point of the metric that an alarm watches."""
        names = {each: alarm[each] for each in ("MetricName", "Dimensions")}
        self.cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[names | {"Value": value}])

    def told(self) -> list[dict[str, Any]]:
        """Receive what was published to the topic."""
        found = self.sqs.receive_message(QueueUrl=self.pager, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            self.sqs.delete_message(QueueUrl=self.pager, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(json.loads(each["Body"])["Message"]) for each in found]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder: Path = tmp_path_factory.mktemp("app")
    (folder / "app.py").write_text(APP)
    (folder / "cdk.json").write_text('{"app": "python3 app.py"}')
    with running() as emulator:
        deploy(emulator, folder)
        yield Watched(emulator)


@pytest.mark.slow(9)
def test_each_alarm_goes_off_at_its_threshold_and_tells_what_to_do(watched: Watched) -> None:
    alarms = watched.alarms()
    assert len(alarms) == 11
    # Some watch one metric: the lowest threshold first.
    for name, alarm in sorted(alarms.items(), key=lambda each: each[1]["Threshold"]):
        threshold = alarm["Threshold"]
        watched.put(alarm, threshold - 1)
        assert watched.state(name) == "OK", name
        watched.put(alarm, threshold if alarm["Statistic"] == "Maximum" else 1)
        assert watched.state(name) == "ALARM", name
        told: list[dict[str, Any]] = []

        def is_told(name: str = name, told: list[dict[str, Any]] = told) -> bool:
            told += watched.told()
            return any(each["AlarmName"] == alarms[name]["AlarmName"] for each in told)

        assert wait_for(is_told, SECONDS), name
        assert alarm["AlarmDescription"] in [each["AlarmDescription"] for each in told]


@pytest.mark.slow(9)
def test_the_local_aws_has_the_dashboard(watched: Watched) -> None:
    body = json.loads(watched.cloudwatch.get_dashboard(DashboardName="Orders")["DashboardBody"])
    titles = [each["properties"].get("title") for each in body["widgets"]]
    assert titles[:3] == [None, "Alarms", "Endpoint: requests"]
    (shown,) = (each["properties"]["alarms"] for each in body["widgets"] if each["type"] == "alarm")
    assert len(shown) == 11
    assert all(each.startswith("arn:aws:cloudwatch:us-east-1:") for each in shown)
