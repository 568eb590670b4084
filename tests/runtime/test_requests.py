"""A function URL's requests: the same messages as those of an API."""

import hashlib
import hmac
import json
import logging
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.message import Webhook
from webhook_runtime.publisher import Publisher
from webhook_runtime.sources.schemes import Hmac, Scheme, Token
from webhook_runtime.sources.secrets import Secrets
from webhook_runtime.sources.source import Source, Sources

from .doubles import SecretsManager
from .events import REQUEST_ID, request, url_event
from .test_publisher import Queue

NAMES = st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True).filter(lambda name: name not in ("cookie", "content-type"))
VALUES = st.from_regex(r"[!-~]{1,10}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TYPES = [
    "application/json",
    "text/plain; charset=utf-8",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
]


def answer_to(event: dict[str, Any], queue: Queue, mount: str | None = "/", scheme: Scheme | None = None) -> Any:
    sources = None
    if scheme is not None:
        secrets = Secrets(SecretsManager(AWSCURRENT="secret"), "arn", None)
        sources = Sources({mount or "/": Source(scheme, secrets)})
    return Publisher(PublisherSettings("http://sqs/Queue", mount=mount), queue, sources).handle(event, None)


def published(event: dict[str, Any], mount: str | None = None) -> Webhook:
    queue = Queue()
    answer = answer_to(event, queue, mount)
    assert answer["statusCode"] == 202, answer
    return queue.webhook()


@given(
    body=st.binary(max_size=300) | TEXTS.map(str.encode),
    path=TEXTS.map(lambda text: quote(text, safe="/")),
    query=st.lists(st.tuples(TEXTS, TEXTS), max_size=3, unique_by=lambda pair: pair[0]),
    headers=st.dictionaries(NAMES, VALUES, max_size=3),
    mount=st.sampled_from(["/", "/hooks", "/hooks/a"]),
)
def test_a_request_becomes_the_same_message_at_a_function_url_as_at_an_api(
    body: bytes, path: str, query: list[tuple[str, str]], headers: dict[str, str], mount: str
) -> None:
    pairs = list(headers.items())
    at_the_api = published(request(body, mount=mount, proxy=path, headers=pairs, query=query))
    whole = f"{mount.rstrip('/')}/{path}"
    at_the_url = published(url_event(body, path=whole, headers=pairs, query=urlencode(query)), mount)
    assert at_the_url.url == f"https://abc.lambda-url.us-east-1.on.aws{whole}"
    for field in ("id", "request_id", "method", "mount", "path", "query_string", "body", "source_ip", "received_at"):
        assert getattr(at_the_url, field) == getattr(at_the_api, field), field
    assert dict(at_the_url.headers) == dict(at_the_api.headers)


@given(body=st.binary(max_size=100), told=st.sampled_from(TYPES))
def test_a_payload_of_any_type_is_exact_or_rejected(body: bytes, told: str) -> None:
    queue = Queue()
    answer = answer_to(url_event(body, headers=[("Content-Type", told)]), queue)
    if answer["statusCode"] == 202:
        assert queue.webhook().body == body
    else:
        assert answer["statusCode"] == 400
        assert "Content-Type" in json.loads(answer["body"])["message"]
        assert queue.sent == []
        assert b"\xef\xbf\xbd" in body.decode(errors="replace").encode()


def test_a_payload_with_a_replacement_character_of_its_own_is_stored_if_it_is_signed() -> None:
    body = '{"title": "\N{REPLACEMENT CHARACTER}"}'.encode()
    signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    json_type = ("Content-Type", "application/json")
    signed, queue = Hmac(header="X-Signature"), Queue()

    answer = answer_to(url_event(body, headers=[json_type, ("X-Signature", signature)]), queue, scheme=signed)
    assert answer["statusCode"] == 202
    assert queue.webhook().body == body

    # Other bytes arrive as the same text, and their signature does not fit it.
    others = body.replace("\N{REPLACEMENT CHARACTER}".encode(), b"\xff")
    signature = hmac.new(b"secret", others, hashlib.sha256).hexdigest()
    event = url_event(others, headers=[json_type, ("X-Signature", signature)])
    assert answer_to(event, Queue(), scheme=signed)["statusCode"] in (401, 503)

    # A token says nothing about the payload.
    event = url_event(body, headers=[json_type, ("X-Token", "secret")])
    assert answer_to(event, Queue(), scheme=Token(header="X-Token"))["statusCode"] == 400


def test_an_api_without_binary_media_types_stores_a_signed_replacement_character_too() -> None:
    text = "a \N{REPLACEMENT CHARACTER}"
    signature = hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()
    queue = Queue()
    event = request(text=text, proxy=None, headers=[("X-Signature", signature)])
    assert answer_to(event, queue, None, Hmac(header="X-Signature"))["statusCode"] == 202
    assert queue.webhook().body == text.encode()


@pytest.mark.parametrize(
    ("path", "is_served"),
    [
        ("/hooks", True),
        ("/hooks/", True),
        ("/hooks/a//b", True),
        ("/", False),
        ("/hooksome", False),
        ("/HOOKS", False),
        ("//hooks", False),
        ("/%68ooks", False),
        ("/a/hooks", False),
    ],
)
def test_only_the_path_of_the_endpoint_and_those_below_are_served(
    path: str, is_served: bool, caplog: pytest.LogCaptureFixture
) -> None:
    queue = Queue()
    with caplog.at_level(logging.INFO, "webhook"):
        answer = answer_to(url_event(b"{}", path=path), queue, "/hooks")
    assert answer["statusCode"] == (202 if is_served else 404)
    assert len(queue.sent) == is_served
    if is_served:
        assert queue.webhook().path == path
    else:
        assert json.loads(answer["body"]) == {"message": "There is no webhook at this path: send to /hooks."}
        (line,) = caplog.records
        assert (line.message, line.__dict__["status"], line.__dict__["request_id"]) == ("rejected", 404, REQUEST_ID)


def test_repeated_headers_are_one_and_cookies_are_a_header_again() -> None:
    headers = [("X-Tag", "a"), ("x-tag", "b"), ("Cookie", "a=1; b=2")]
    webhook = published(url_event(b"{}", headers=headers), "/")
    assert webhook.headers.get_all("X-Tag") == ["a,b"]
    assert webhook.headers["cookie"] == "a=1; b=2"
