"""A publisher accepts a whole payload or rejects it as too large: never an error, and never a part."""

from itertools import product

import pytest

from webhook_runtime import message
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.payloads import Payloads
from webhook_runtime.publisher import Publisher

from ..runtime.doubles import S3, Sqs
from ..runtime.events import record, request
from ..suite.attacks import Attempts

# The limits of SQS and of Lambda's event with base64, and sizes around them.
SIZES = [
    0,
    1,
    65_536,
    262_143,
    262_144,
    262_145,
    700_000,
    786_432,
    1_040_000,
    1_048_575,
    1_048_576,
    1_048_577,
    4_500_000,
]
CONTENTS = ["x", "%", "&", "\0", "\u00e9", "\ufffe", "{", "\r\n"]
HEADERS = {
    "none": [],
    "one of 9 KB": [("X-Large", "x" * 9_000)],
    "2,000": [(f"X-{number}", "x") for number in range(2_000)],
    "one 500 times": [("X-Again", "x" * 10)] * 500,
    "escapes": [("X-Escaped", "%" * 3_000)],
    "an id of 8 KB": [("X-Id", "i" * 8_000)],
}


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("large", [False, True])
def test_an_accepted_payload_is_complete_and_fits(headers: str, large: bool, attempts: Attempts) -> None:
    through = []
    for size, content in product(SIZES, CONTENTS):
        sqs, s3 = Sqs(), S3()
        payloads = Payloads(s3, "payloads") if large else None
        publisher = Publisher(PublisherSettings("http://sqs/Queue", "x-id"), sqs, payloads=payloads)
        body = (content * (size // len(content.encode()) + 1)).encode()[:size]
        status = publisher.handle(request(body, headers=HEADERS[headers]), None)["statusCode"]
        if status == 413 and not large and not sqs.sent:
            # Bytes take a third more as base64, and headers up to 20 KB.
            assert size * 4 / 3 + 20_000 > MAX_MESSAGE_BYTES
            continue
        (sent,) = sqs.sent
        attribute = sent["MessageAttributes"]["webhook"]["StringValue"]
        webhook, key = message.read_message(record(sent["MessageBody"], attribute))
        whole = webhook.body if key is None else s3.objects[key]
        fits = message.size(sent["MessageBody"], attribute) <= MAX_MESSAGE_BYTES
        if status != 202 or whole != body or not fits or len(list(webhook.headers.pairs())) != len(HEADERS[headers]):
            through.append(f"{size} of {content!r}: {status}")
    attempts("sizes", len(SIZES) * len(CONTENTS), through)
