"""Record the operations that functions call in the worst case, each function in a process of its own.

Run this module with handlers and their environments as JSON. It answers each call itself and sends nothing. It prints
the operations of each as JSON, as ``service:Operation``. The processes are forks, which have botocore already.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from botocore.awsrequest import AWSResponse

from tests.runtime.events import log_lines, request, url_event
from webhook_runtime import clients, handlers, message
from webhook_runtime.aws import AwsRejected, JsonClient
from webhook_runtime.message import Webhook
from webhook_runtime.sources import schemes, source
from webhook_runtime.sources.verification import Unverifiable, Unverified
from webhook_runtime.testing import sqs_event, webhook

asked: set[str] = set()
# Responses of the services. The others are empty.
ANSWERS: dict[str, dict[str, Any]] = {
    "sqs:SendMessage": {"MessageId": "1"},
    "sqs:SendMessageBatch": {"Successful": [{"Id": str(number)} for number in range(10)]},
    "sqs:ChangeMessageVisibilityBatch": {"Successful": []},
    "secretsmanager:GetSecretValue": {
        "SecretString": json.dumps({"username": "u", "password": "p", "k": "v", "app_secret": "v", "verify_token": "v"})
    },
    "dynamodb:BatchExecuteStatement": {"Responses": [{}]},
    "lambda:GetEventSourceMapping": {"State": "Enabled", "EventSourceMappingArn": "arn:mapping"},
    "lambda:ListTags": {"Tags": {}},
}
# Errors of the services, once or always, so that the calls after an error are recorded too.
ONCE = {"dynamodb:BatchExecuteStatement": ("ThrottlingException", "too many")}
ALWAYS = {
    "rds-data:BatchExecuteStatement": ("DatabaseErrorException", 'relation "webhooks" does not exist; SQLState: 42P01')
}


# By service, the error of every call while it is down.
outage: dict[str, tuple[str, str]] = {}


class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self) -> bytes:
        return self._content


def called(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """Answer a call of botocore in place of the network."""
    status, answer = answered(model.service_model.service_name, model.name)
    return AWSResponse("", status, {}, None), answer | {"ResponseMetadata": {"HTTPStatusCode": status}}


def called_directly(self: JsonClient, operation: str, _arguments: Any) -> dict[str, Any]:
    """Answer a call of our own client in place of the network."""
    status, answer = answered(self._service, operation)
    if status == 400:
        raise AwsRejected(answer, operation)
    return answer


def answered(service: str, operation: str) -> tuple[int, dict[str, Any]]:
    name = f"{service}:{operation}"
    asked.add(name)
    if failure := ONCE.pop(name, None) or ALWAYS.get(name) or outage.get(service):
        code, text = failure
        return 400, {"Error": {"Code": code, "Message": text}}
    answer = ANSWERS.get(name, {})
    if name == "s3:GetObject":
        answer = {"Body": Body(b"x" * 500_000)}
    if name == "lambda:Invoke":
        answer = {"Payload": Body(b'{"sink": "down"}')}
    return 200, dict(answer)


def signed(operation_name: str, **_: Any) -> None:
    """Record a login with a token, which makes no call."""
    if operation_name == "connect":
        asked.add("rds:connect")


def admitted(self: source.Sources, arrived: Webhook, queued_at: float = 0) -> Webhook:
    """Admit a webhook after its verification, whatever the result."""
    with suppress(Unverified, Unverifiable):
        by_source(self, arrived, queued_at)
    return arrived


def claim(_: schemes.Scheme, __: Webhook) -> Any:
    """Return a check that no secret passes, so that the secret is read again."""

    def fits(_: Sequence[str]) -> None:
        raise Unverified("no secret fits", sure=False)

    return fits


def requests() -> Sequence[dict[str, Any]]:
    """Return a publisher's requests: for each endpoint, a small one and one that is larger than a message."""
    mounts = json.loads(os.environ.get("WEBHOOK_SOURCES", '{"/": null}'))
    sizes = (10, 2_000_000)
    if mount := os.environ.get("WEBHOOK_MOUNT"):
        return [url_event(b"x" * size, path=mount, headers=headers()) for size in sizes]
    return [request(mount=mount, proxy=None, headers=headers(), text="x" * size) for mount in mounts for size in sizes]


def headers() -> list[tuple[str, str]]:
    """Return each header that a source reads, so that the verification reaches the secret."""
    sources = [each for each in json.loads(os.environ.get("WEBHOOK_SOURCES", "{}")).values() if each]
    names = [way.get("header") for each in sources for way in each["scheme"].get("ways", [each["scheme"]])]
    return [(name, "sha256=00") for name in dict.fromkeys([*names, "X-Twilio-Signature"]) if name]


def batches() -> Sequence[dict[str, Any]]:
    """Return a consumer's batches.

    The first has a message of no ingress, a small message for each endpoint, one that is larger than a DynamoDB item,
    and one at its last try. The second has a payload in S3: it is alone, since the consumer reads no payload for a sink
    that is down.
    """
    mounts = json.loads(os.environ.get("WEBHOOK_SOURCES", '{"/": null}'))
    arrived = [webhook("x", headers=headers())._replace(mount=mount) for mount in mounts]
    arrived += [webhook("x" * 500_000)._replace(mount=next(iter(mounts))), webhook("x", attempt=1000)]
    event = sqs_event(*arrived)
    body, attribute = message.write(webhook(), "queued/2026/01/01/a")
    in_s3 = sqs_event(webhook())["Records"]
    in_s3[0]["body"], in_s3[0]["messageAttributes"]["webhook"]["stringValue"] = body, attribute
    foreign = sqs_event(webhook())["Records"]
    foreign[0]["messageAttributes"] = {}
    return [{"Records": [*foreign, *event["Records"]]}, {"Records": in_s3}]


def calls() -> Sequence[dict[str, Any]]:
    """Return the calls of a circuit breaker: a line of the consumer's log, and the rule."""
    return [log_lines('{"level": "ERROR", "message": "sink down"}'), {"source": "aws.events"}]


EVENTS = {"publisher": requests, "breaker": calls}


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


# The services of the run time, whose models all forks share.
SERVICES = ("dynamodb", "events", "lambda", "rds-data", "s3", "secretsmanager", "sqs")


def record(handler: str) -> list[str]:
    """Call the handler of this process, and return its operations."""
    name = handler.rpartition(".")[2]
    handle = getattr(handlers, name)
    events = EVENTS.get(name, batches)
    for event in events():
        handle(event, Context())
    if events is batches:
        with suppress(NotImplementedError):  # the user's handler is not available
            handle({"probe": True}, Context())
    # Again while everything except SQS is down.
    outage.update(dict.fromkeys(("dynamodb", "rds-data", "s3", "secretsmanager"), ("ServiceUnavailable", "try again")))
    for event in events():
        handle(event, Context())
    return sorted(asked)


def of_a_fork(handler: str, environment: dict[str, str]) -> list[str]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.environ.update(environment)
        try:
            os.write(writing, json.dumps(record(handler)).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        found = told.read()
    os.wait()
    assert found, f"{handler} failed with {environment}"
    operations: list[str] = json.loads(found)
    return operations


if __name__ == "__main__":
    clients._session().register("before-call.*.*", called)
    clients._session().register("before-sign.*.*", signed)
    JsonClient._call = called_directly  # type: ignore[method-assign, assignment]
    by_source = source.Sources.admit
    source.Sources.admit = admitted  # type: ignore[method-assign, assignment]
    kinds: list[Any] = [schemes.Scheme, *schemes.KINDS.values()]
    for kind in kinds:
        kind.claim = claim
    for service in SERVICES:
        clients._session().create_client(service)
    print("\n" + json.dumps([of_a_fork(*each) for each in json.load(sys.stdin)]))
