"""Test README's production example: it has an alarm on the first message in the dead-letter queue."""

import json
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from aws_cdk.assertions import Template

from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.dead_letters import DeadLetters
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Outcome
from webhook_runtime.redelivery import Redelivery
from webhook_runtime.sources.source import Source, Sources
from webhook_runtime.testing import sqs_event, webhook

from ..runtime.doubles import Invocation, SecretsManager, Sqs
from ..signers import SIGNERS
from .pages import ROOT, fences

SIGNER = SIGNERS["stripe"]


class _Sink:
    def store(self, webhooks: Sequence[Webhook], _deadline: Deadline) -> Iterable[Outcome]:
        return [STORED for _ in webhooks]


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    (program,) = (each for each in fences(ROOT / "README.md") if "rds.DatabaseInstance(" in each.text)
    names: dict[str, Any] = {}
    exec(compile(program.text, str(program), "exec"), names)
    made: dict[str, Any] = Template.from_stack(names["stack"]).to_json()["Resources"]
    return made


def test_requests_of_a_scanner_raise_no_alarm(resources: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "webhook")
    (told,) = (
        each["Properties"]["Environment"]["Variables"]
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::Function" and "WEBHOOK_SOURCES" in str(each)
    )
    join = told["WEBHOOK_SOURCES"]["Fn::Join"][1]
    described = json.loads("".join(part if isinstance(part, str) else "an ARN" for part in join))
    sources = Sources(
        {
            mount: Source.from_description(each, SecretsManager(AWSCURRENT=SIGNER.secret))
            for mount, each in described.items()
        }
    )
    sqs = Sqs()
    urls = {name: told[f"WEBHOOK_{name}_QUEUE_URL"]["Ref"] for name in ("DEAD_LETTER", "UNVERIFIED")}
    consumer = Consumer(
        _Sink(),
        Redelivery(sqs, "queue", Backoff(10, 300)),
        DeadLetters(sqs, urls["DEAD_LETTER"]),
        int(told["WEBHOOK_MAX_RECEIVE_COUNT"]),
        sources,
        unverified=DeadLetters(sqs, urls["UNVERIFIED"], in_order=False),
    )
    body = b'{"id": "evt_1"}'
    signed = SIGNER.sign(body, time.time(), "")
    (mount,) = described
    requests = [
        webhook(body, mount=mount, headers=signed),
        webhook(b"", mount=mount, path="/.env"),
        webhook(b"{}", mount=mount, headers=signed),
    ]
    assert consumer.handle(sqs_event(*requests), Invocation()) == {"batchItemFailures": []}
    assert [each["QueueUrl"] for each in sqs.sent] == [urls["UNVERIFIED"]] * 2
    counted = [line.message for line in caplog.records if line.message in ("stored", "unverified", "dead-lettered")]
    assert sorted(counted) == ["stored", "unverified", "unverified"]

    watched = {
        dimension["Value"]["Fn::GetAtt"][0]
        for each in resources.values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
        and each["Properties"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
        for dimension in each["Properties"]["Dimensions"]
    }
    assert watched == {urls["DEAD_LETTER"]}
