"""What a sender writes is what the consumer reads, at its place and nowhere else: at either ingress, whatever it means
to Velocity or to SQS's Query protocol."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest

from attacks.probes import ALL
from cdk_scalable_webhook.ingress import mapping_template
from cdk_scalable_webhook.local.velocity import render
from runtime.doubles import Sqs
from runtime.events import REQUEST_ID, record, request
from suite.attacks import Attempts
from webhook_runtime import message
from webhook_runtime.message import MalformedMessage, Webhook
from webhook_runtime.publisher import Publisher
from webhook_runtime.settings import PublisherSettings

BODY = '{"order": 1}'
Sent = tuple[dict[str, str], dict[str, str], str, str]
# Where a sender writes something, and what its request is then: headers, query, path and payload.
PLACES: dict[str, Callable[[str], Sent]] = {
    "the id": lambda text: ({"X-Id": text}, {}, "hooks", BODY),
    "a header": lambda text: ({"X-Other": text}, {}, "hooks", BODY),
    "the content type": lambda text: ({"Content-Type": text}, {}, "hooks", BODY),
    "the value of a parameter": lambda text: ({}, {"a": text}, "hooks", BODY),
    "the name of a parameter": lambda text: ({}, {text: "a"}, "hooks", BODY),
    "the path": lambda text: ({}, {}, text, BODY),
    "the payload": lambda text: ({}, {}, "hooks", text),
}
TEXTS = [text for text in ALL if "\ud800" not in text]


def through_sqs(call: str) -> Webhook | None:
    """What the consumer reads of a call, which may be nothing but SendMessage with the one attribute."""
    pairs = parse_qsl(call, keep_blank_values=True, strict_parsing=True)
    parameters = dict(pairs)
    assert len(parameters) == len(pairs)
    attribute = {f"MessageAttribute.1.{name}" for name in ("Name", "Value.DataType", "Value.StringValue")}
    assert parameters.keys() <= {"Action", "Version", "MessageBody", *attribute}
    assert (parameters["Action"], parameters["MessageAttribute.1.Name"]) == ("SendMessage", "webhook")
    if "MessageBody" not in parameters:  # SQS refuses it, and its sender gets a 400
        return None
    return message.read(record(parameters["MessageBody"], parameters["MessageAttribute.1.Value.StringValue"]))


def direct(headers: dict[str, str], query: dict[str, str], path: str, body: str, *, binary: bool) -> Webhook | None:
    template = mapping_template(
        "request",
        BINARY=str(binary).lower(),
        DELIVERY_ID_HEADER="x-id",
        MOUNT="%2F",
        CREDENTIAL_HEADERS="x-api-key",
        CREDENTIAL_PARAMETERS="",
        FIFO="",
    )
    context = {
        "requestId": "forged",
        "extendedRequestId": REQUEST_ID,
        "requestTimeEpoch": 1_763_000_000_123,
        "httpMethod": "POST",
        "resourcePath": "/{proxy+}",
        "domainName": "abc.execute-api.us-east-1.amazonaws.com",
        "path": f"/prod/{path}",
        "identity": {"sourceIp": "203.0.113.7"},
    }
    seen = base64.b64encode(body.encode()).decode() if binary else body
    return through_sqs(
        render(template, body=seen, header=headers, querystring=query, path={"proxy": path}, context=context)
    )


def published(headers: dict[str, str], query: dict[str, str], path: str, body: str) -> Webhook | None:
    sqs = Sqs()
    event = request(body.encode(), proxy=path, headers=list(headers.items()), query=list(query.items()))
    Publisher(PublisherSettings("http://sqs/Queue", "x-id"), sqs).handle(event, None)
    (sent,) = sqs.sent
    assert sent.keys() == {"QueueUrl", "MessageBody", "MessageAttributes"}
    return message.read(record(sent["MessageBody"], sent["MessageAttributes"]["webhook"]["StringValue"]))


WAYS: dict[str, Callable[..., Webhook | None]] = {
    "Lambda": published,
    "direct": lambda *sent: direct(*sent, binary=False),
    "direct, any bytes": lambda *sent: direct(*sent, binary=True),
}


def is_as_sent(webhook: Webhook | None, sent: Sent) -> bool:
    """Whether all of it is there, and nothing else."""
    if webhook is None:
        return True
    headers, query, path, body = sent
    expected = {name.lower(): value for name, value in headers.items()}
    return (
        webhook.id == (headers.get("X-Id") or REQUEST_ID)
        and dict(webhook.headers) == expected
        and webhook.query == {name: [value] for name, value in query.items()}
        and webhook.path == f"/{path}"
        and webhook.body == body.encode()
        and (webhook.mount, webhook.method, webhook.source_ip) == ("/", "POST", "203.0.113.7")
        and webhook.request_id == REQUEST_ID
        and round(webhook.received_at.timestamp() * 1000) == 1_763_000_000_123
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", PLACES)
def test_what_a_sender_writes_stays_where_it_was_written(place: str, way: str, attempts: Attempts) -> None:
    through = [text for text in TEXTS if not is_as_sent(WAYS[way](*PLACES[place](text)), PLACES[place](text))]
    attempts(f"injection, {way}", len(TEXTS), through)


def mutations() -> list[dict[str, Any]]:
    """Records of the queue that no ingress has written."""
    webhook = published({"X-Id": "7"}, {"a": "1"}, "hooks", BODY)
    assert webhook is not None
    body, attribute = message.write(webhook)
    pairs = parse_qsl(attribute, keep_blank_values=True)
    made: list[dict[str, Any]] = [record(body, None), record("", ""), record(body, "&".join("x" * 9))]
    for name, _ in pairs:
        fields = {each: value for each, value in pairs if each != name}
        made.append(record(body, "&".join(f"{each}={value}" for each, value in fields.items())))
        for wrong in ("", "-1", "9" * 5000, "NaN", "s3", "base64", "\ud800", "%ff", "2", "null"):
            text = "&".join(f"{each}={wrong if each == name else value}" for each, value in pairs)
            made.append(record(body, text))
    keys = ["queued/../stored/x", "/etc/passwd", "stored/x", "", "queued", "QUEUED/x", "s3://other/queued/x"]
    made += [record(key, attribute.replace("encoding=text", "encoding=s3")) for key in keys]
    return made


def test_a_message_of_somebody_elses_is_read_or_refused_and_nothing_else(attempts: Attempts) -> None:
    made = mutations()

    def is_held(each: dict[str, Any]) -> bool:
        try:
            webhook, key = message.read_message(each)
        except MalformedMessage:
            return True
        return isinstance(webhook, Webhook) and (key is None or key.startswith("queued/"))

    attempts(
        "messages that no ingress wrote", len(made), [json.dumps(each)[:200] for each in made if not is_held(each)]
    )
