"""3,000 unusual requests: none is an error of ours, and each accepted one is stored once, byte for byte.

FUZZ_EXAMPLES=4000 sends that many to each ingress.
"""

import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from scalable_webhook_cli.observe import ObservedWebhook

from ..suite.patience import SECONDS

Observe = Callable[[str], ObservedWebhook]

SEED = 20261123
MORE = int(os.environ.get("FUZZ_EXAMPLES", "0"))
REQUESTS = dict.fromkeys(["Fuzzed/Lambda", "Fuzzed/Direct", "Fuzzed/Binary"], MORE or 1000)

METHODS = ["GET", "HEAD", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"]
SEGMENTS = [
    *("a", "..", ".", "", "%2e%2e", "%2F", "%00", "%ff", "%", "%zz", "%C3%A9", "{proxy+}", "{proxy}", "$input.body"),
    *("'", "%22", "%0d%0a", "a;b=c", "a:b", "*", "~", "%F0%9F%98%80", "x" * 900, "#if(true)", "_aws", "health"),
]
QUERIES = [
    *("", "", "", "a=1", "a=1&a=2", "a", "=", "&&", "%", "a=%ff", "a=%00", "q=%26v%3D2", "proxy=x", "a[]=1", "+=+"),
    *("validationToken=x", "Action=DeleteQueue", "idempotency-key=spoofed", "$util=$input", "x" * 2000),
]
NAMES = [
    *("X-A", "x-a", "Accept", "Accept-Encoding", "Content-Encoding", "Content-Type", "X-Forwarded-For", "Cookie"),
    *("X-Amz-Invocation-Type", "X-HTTP-Method-Override", "Authorization", "!#$%&'*+-.^_`|~", "If-None-Match", "Range"),
]
VALUES = [
    *("", "x", "*/*", "text/xml", "application/json", "gzip", "application/x-www-form-urlencoded", "é", "\xff\xfe"),
    *(
        '"',
        "'",
        "\\",
        "a,b",
        ";;",
        "$input.params()",
        "#set($x = 1)",
        "&Action=DeleteQueue",
        "%0d%0aX: 1",
        "a\tb",
        "{}",
    ),
    *(
        "multipart/form-data; boundary=",
        "application/octet-stream",
        "text/plain; charset=utf-16",
        "y" * 3000,
        "bytes=0-1",
    ),
]
TEXTS = [
    *("", "{}", "-", "null", '{"a": 1}', "a=1&b=2", "&MessageBody=x", "$input.body #end", "<a/>", "\\u0000", "Zoë 😀"),
    *("\x00", "\ufffd", "\ufffe", "\r\n", " ", "[" * 5000, '"' * 3000, "\u2028", "x" * 100_000, "é" * 60_000),
]


@dataclass(frozen=True)
class Sent:
    """A request. ``id`` is the delivery id, and empty if API Gateway's own counts."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    id: str


@dataclass(frozen=True)
class Answered:
    sent: Sent
    status: int
    request_id: str
    body: bytes


def requests(ingress: str, base: str, chance: random.Random) -> list[Sent]:
    made = []
    for number in range(REQUESTS[ingress]):
        path = "/".join(chance.choices(SEGMENTS, k=chance.randint(0, 4)))
        query = chance.choice(QUERIES)
        headers = [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randint(0, 4))]
        id = chance.choice(
            ["", f"{ingress} {number}", f"{ingress} {number} é\"'$&", f"{ingress} of several {number % 50}"]
        )
        body = chance.choice([chance.choice(TEXTS).encode(), chance.randbytes(chance.randint(0, 400))])
        if id:
            # The last one of a repeated header counts.
            several = [f"not {id}"] if chance.random() < 0.1 else []
            name = chance.choice(["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
            headers += [(name, value) for value in [*several, id]]
        target = f"{base}/{path}" + (f"?{query}" if query else "")
        made.append(Sent(chance.choice(METHODS), target, headers, body, id))
    return made


class Signer(threading.local):
    """A connection for each thread."""

    def __init__(self, host: str) -> None:
        self._connection = HTTPConnection(host, timeout=SECONDS)

    def send(self, request: Sent) -> Answered:
        connection = self._connection
        connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        for name, value in [*request.headers, ("Content-Length", str(len(request.body)))]:
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        body = answer.read()
        return Answered(request, answer.status, answer.getheader("x-amz-apigw-id", ""), body)


@pytest.mark.parametrize("ingress", REQUESTS)
def test_each_oddity_is_sent_to_each_ingress(ingress: str) -> None:
    made = requests(ingress, "", random.Random(f"{SEED} {ingress}"))
    names, values = zip(*(header for request in made for header in request.headers), strict=True)
    assert {request.method for request in made} == set(METHODS)
    assert {name for request in made for name in request.target.partition("?")[0].split("/")} >= set(SEGMENTS)
    assert {request.target.partition("?")[2] for request in made} == set(QUERIES)
    assert set(names) >= set(NAMES)
    assert set(values) >= set(VALUES)
    assert {request.body for request in made} >= {text.encode() for text in TEXTS}


@pytest.mark.parametrize("ingress", REQUESTS)
@pytest.mark.slow(6)
def test_no_request_is_an_error_and_each_accepted_one_is_stored_once(
    ingress: str, urls: dict[str, str], observe: Observe
) -> None:
    url, webhook = urlsplit(urls[ingress]), observe(ingress)
    made = requests(ingress, url.path, random.Random(f"{SEED} {ingress}"))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(Signer(url.netloc).send, made))

    assert [(each.sent, each.status, each.body) for each in answers if each.status >= 500] == []
    accepted = [each for each in answers if each.status == 202]
    # Half of the payloads are not text, which an ingress without binary media types rejects.
    assert len(accepted) > len(answers) / 4, Counter(each.status for each in answers)
    for rejected in (each for each in answers if each.status != 202 and each.sent.method != "HEAD"):
        assert json.loads(rejected.body)["message"], rejected

    webhook.wait_until_drained(SECONDS)
    assert webhook.take_dead_letters() == []
    items = {item["delivery_id"]: item for item in webhook.items()}
    by_id: dict[str, list[Answered]] = {}
    for each in accepted:
        by_id.setdefault(each.sent.id or each.request_id, []).append(each)
        if each.body:
            assert json.loads(each.body) == {"id": each.sent.id or each.request_id}
    assert items.keys() == by_id.keys()
    for id, same in by_id.items():
        stored = items[id]
        payload = stored["payload"].encode() if isinstance(stored["payload"], str) else bytes(stored["payload"])
        # Of several deliveries with one id, any may have been the first.
        possible = [(each.sent.method, _as_stored(ingress, each.sent.body)) for each in same]
        assert (stored["method"], _as_stored(ingress, payload)) in possible, id
    stages = Counter(line["id"] for line in webhook.log("ConsumerLogs") if line["message"] == "stored")
    assert stages == dict.fromkeys(by_id, 1)


def _as_stored(ingress: str, payload: bytes) -> bytes:
    """Return the stored payload. The template of a text ingress cannot tell {} from an absent payload."""
    return b"" if ingress == "Fuzzed/Direct" and payload == b"{}" else payload
