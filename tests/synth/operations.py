"""Run by itself, with the environment of a function: it takes down what the function asks of AWS in the worst of cases.

Nothing is sent: each call is answered here. What it is asked for is printed as JSON, ``service:Operation``.
"""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.awsrequest import AWSResponse

from webhook_runtime import clients, handlers, message
from webhook_runtime.message import Webhook
from webhook_runtime.sources import schemes, source
from webhook_runtime.sources.verification import Unverifiable, Unverified
from webhook_runtime.testing import sqs_event, webhook

asked: set[str] = set()
# What the services say, where nothing is said.
ANSWERS: dict[str, dict[str, Any]] = {
    "sqs:SendMessage": {"MessageId": "1"},
    "sqs:ChangeMessageVisibilityBatch": {"Successful": []},
    "secretsmanager:GetSecretValue": {
        "SecretString": json.dumps({"username": "u", "password": "p", "k": "v", "app_secret": "v", "verify_token": "v"})
    },
    "dynamodb:BatchExecuteStatement": {"Responses": [{}]},
}
# What comes then is seen as well: a first time, or always.
ONCE = {"dynamodb:BatchExecuteStatement": ("ThrottlingException", "too many")}
ALWAYS = {
    "rds-data:BatchExecuteStatement": ("DatabaseErrorException", 'relation "webhooks" does not exist; SQLState: 42P01')
}


class Body:
    def read(self) -> bytes:
        return b"x" * 500_000


def called(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """In place of the network."""
    name = f"{model.service_model.service_name}:{model.name}"
    asked.add(name)
    if failure := ONCE.pop(name, None) or ALWAYS.get(name):
        code, text = failure
        refused = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return AWSResponse("", 400, {}, None), refused
    answer = {"Body": Body()} if name == "s3:GetObject" else ANSWERS.get(name, {})
    return AWSResponse("", 200, {}, None), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


def signed(operation_name: str, **_: Any) -> None:
    """A token by which to sign in takes no call."""
    if operation_name == "connect":
        asked.add("rds:connect")


def admitted(self: source.Sources, arrived: Webhook, queued_at: float = 0) -> Webhook:
    """As if it were of its sender, once it has been verified as ever."""
    with suppress(Unverified, Unverifiable):
        by_source(self, arrived, queued_at)
    return arrived


def claim(_: schemes.Scheme, __: Webhook) -> Any:
    """What only a secret could mend, whatever the sender."""

    def fits(_: Sequence[str]) -> None:
        raise Unverified("it fits none", sure=False)

    return fits


def requests() -> Sequence[dict[str, Any]]:
    """What reaches a publisher: at each mount that is verified, small, and larger than a message."""
    mounts = json.loads(os.environ.get("WEBHOOK_SOURCES", '{"/": null}'))
    return [
        {
            "resource": mount,
            "httpMethod": "POST",
            "multiValueHeaders": headers(),
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "requestContext": {
                "extendedRequestId": f"id-{size}",
                "domainName": "abc.execute-api.us-east-1.amazonaws.com",
                "path": f"/prod{mount}",
                "requestTimeEpoch": 1_763_000_000_123,
                "identity": {"sourceIp": "203.0.113.7"},
            },
            "body": "x" * size,
        }
        for mount in mounts
        for size in (10, 2_000_000)
    ]


def headers() -> dict[str, list[str]]:
    """One of each that a source reads, so that it goes on to its secret."""
    sources = [each for each in json.loads(os.environ.get("WEBHOOK_SOURCES", "{}")).values() if each]
    names = [way.get("header") for each in sources for way in each["scheme"].get("ways", [each["scheme"]])]
    return {name: ["sha256=00"] for name in [*names, "X-Twilio-Signature"] if name}


def batches() -> Sequence[dict[str, Any]]:
    """What reaches a consumer: small, at each mount, nothing of an ingress, more than an item holds, for the last time;
    and what is in S3, alone, since a sink that is down is not asked for it."""
    mounts = json.loads(os.environ.get("WEBHOOK_SOURCES", '{"/": null}'))
    pairs = [(name, value) for name, values in headers().items() for value in values]
    arrived = [replace(webhook("x", headers=pairs), mount=mount) for mount in mounts]
    arrived += [replace(webhook("x" * 500_000), mount=next(iter(mounts))), webhook("x", attempt=1000)]
    event = sqs_event(*arrived)
    body, attribute = message.write(webhook(), "queued/2026/01/01/a")
    in_s3 = sqs_event(webhook())["Records"]
    in_s3[0]["body"], in_s3[0]["messageAttributes"]["webhook"]["stringValue"] = body, attribute
    foreign = sqs_event(webhook())["Records"]
    foreign[0]["messageAttributes"] = {}
    return [{"Records": [*foreign, *event["Records"]]}, {"Records": in_s3}]


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


if __name__ == "__main__":
    clients._session.register("before-call.*.*", called)
    clients._session.register("before-sign.*.*", signed)
    by_source = source.Sources.admit
    source.Sources.admit = admitted  # type: ignore[method-assign, assignment]
    kinds: list[Any] = [schemes.Scheme, *schemes.KINDS.values()]
    for kind in kinds:
        kind.claim = claim
    name = sys.argv[1].rpartition(".")[2]
    handler = getattr(handlers, name)
    for event in requests() if name == "publisher" else batches():
        handler(event, Context())
    print("\n" + json.dumps(sorted(asked)))
