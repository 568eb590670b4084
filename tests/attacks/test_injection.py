"""The consumer reads exactly what a client wrote, through either ingress.

Text has no meaning to Velocity or to SQS's Query protocol.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import pytest

from webhook_runtime import message
from webhook_runtime.message import MalformedMessage, Webhook

from ..runtime.events import REQUEST_ID, record
from ..suite.attacks import Attempts
from ..synth.endpoint.test_ingress import through_direct, through_lambda
from .probes import ALL

BODY = '{"order": 1}'
Sent = tuple[dict[str, str], dict[str, str], str, str]
# The places in which a client can write, and the request for each: headers, query, path and payload.
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


Way = Callable[[bytes, dict[str, str], dict[str, str], str], dict[str, Any] | None]
WAYS: dict[str, Way] = {
    "Lambda": through_lambda,
    "direct": partial(through_direct, binary=False),
    "direct, any bytes": partial(through_direct, binary=True),
}


def is_as_sent(way: Way, headers: dict[str, str], query: dict[str, str], path: str, body: str) -> bool:
    """Tell whether the consumer reads exactly the request, or SQS rejects it."""
    headers = {**headers, "Content-Length": str(len(body.encode()))}
    if (sent := way(body.encode(), headers, query, path)) is None:
        return True
    webhook = message.read(sent)
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
def test_text_of_a_client_stays_in_its_field(place: str, way: str, attempts: Attempts) -> None:
    through = [text for text in TEXTS if not is_as_sent(WAYS[way], *PLACES[place](text))]
    attempts(f"injection, {way}", len(TEXTS), through)


def mutations() -> list[dict[str, Any]]:
    """Return records that no ingress has written."""
    sent = through_lambda(BODY.encode(), {"X-Id": "7"}, {"a": "1"}, "hooks")
    body, attribute = sent["body"], sent["messageAttributes"]["webhook"]["stringValue"]
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


def test_a_foreign_message_is_read_or_rejected_and_nothing_else(attempts: Attempts) -> None:
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
