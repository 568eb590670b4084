from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_runtime import message
from webhook_runtime.message import Headers, MalformedMessage, Webhook
from webhook_runtime.testing import webhook as a_webhook

from .events import record

header_names = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]))
webhooks = st.builds(
    Webhook,
    id=texts,
    request_id=st.uuids().map(str),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    mount=texts,
    path=texts,
    url=texts,
    query_string=st.lists(st.tuples(texts, texts)).map(
        lambda pairs: "&".join(f"{n}={v}" for n, v in pairs).lstrip("&")
    ),
    headers=st.lists(st.tuples(header_names, texts)).map(Headers),
    body=st.one_of(st.binary(), texts.map(str.encode)),
    source_ip=st.ip_addresses().map(str),
    received_at=st.datetimes(
        min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
    ).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
    message_id=st.just("059f36b4-87a3-44ab-83d2-661975830a7d"),
    attempt=st.just(1),
)


@given(webhooks)
def test_settings_are_read_as_they_were_written(webhook: Webhook) -> None:
    body, attribute = message.write(webhook)
    read = message.read(record(body, attribute))

    assert all(read.headers.get_all(name) == webhook.headers.get_all(name) for name in webhook.headers)
    assert dict(read.headers) == dict(webhook.headers)
    assert read == webhook._replace(headers=read.headers)


@given(st.one_of(st.text("%+&=;C3aA9E2820é€ "), texts))
def test_a_form_is_read_as_the_standard_library_reads_it(form: str) -> None:
    assert message.form_pairs(form) == parse_qsl(form, keep_blank_values=True)


@given(st.lists(st.tuples(*[st.one_of(st.text("%+&=;C3aA9.~_-é€ "), texts)] * 2)))
def test_a_form_is_written_as_the_standard_library_writes_it(pairs: list[tuple[str, str]]) -> None:
    assert message.form(pairs) == urlencode(pairs)


@given(webhooks, st.text("%+&=;/:?é ", min_size=1))
def test_metadata_is_a_form_for_any_reader(webhook: Webhook, id: str) -> None:
    _, attribute = message.write(webhook._replace(id=id))
    told = parse_qsl(attribute, keep_blank_values=True, strict_parsing=True)
    assert dict(told)["id"] == id
    assert [(name[2:], value) for name, value in told if name.startswith("h.")] == [*webhook.headers.pairs()]
    assert ";" not in attribute


def test_metadata_can_be_read_by_a_person() -> None:
    _, attribute = message.write(a_webhook(b"", path="/orders", headers={"Accept": "*/*", "Digest": "a=b,c=d; e"}))
    assert "&path=/orders&url=https://example.com/orders&" in attribute
    assert "&h.accept=*/*&h.digest=a=b,c=d%3B+e" in attribute


@given(
    st.one_of(st.binary(), texts.map(str.encode), st.text("a\t\n\r\0\x0b\x1f\x7f\ufffd\ufffe\uffff😀").map(str.encode))
)
def test_a_payload_travels_as_text_if_sqs_takes_it_as_it_is(payload: bytes) -> None:
    body, attribute = message.write(a_webhook(payload))
    text = payload.decode(errors="surrogateescape")
    is_text = bool(payload) and message.sqs_text(text) == text
    assert ("encoding=text" in attribute, body == text) == (is_text, is_text or payload == b"-")
    assert message.read(record(body, attribute)).body == payload


mounts = st.one_of(st.just("/"), st.from_regex(r"(/[A-Za-z0-9._:-]{1,20}){1,3}", fullmatch=True))  # synth: any other
# Ids that a provider may choose, and that would make another key if only a separator told path and id apart.
ids = st.one_of(texts, st.builds("{}{}{}".format, mounts, st.sampled_from(["#", "/", " ", "", "%23", "\0"]), texts))


@given(mounts, ids, mounts, ids)
def test_a_key_is_that_of_one_mount_and_one_id(mount: str, id: str, other_mount: str, other_id: str) -> None:
    key = a_webhook(mount=mount, id=id).key
    assert key.partition("#") == (mount, "#", id)
    is_same = (mount, id) == (other_mount, other_id)
    assert (key == a_webhook(mount=other_mount, id=other_id).key) is is_same


def test_a_key_is_the_path_of_the_endpoint_and_the_providers_id() -> None:
    assert a_webhook(mount="/stripe", id="evt_1").key == "/stripe#evt_1"
    assert a_webhook(id="evt_1").key == "/#evt_1"


@pytest.mark.parametrize("field", ["v", "encoding", "id", "mount", "time"])
def test_a_repeated_field_is_malformed(field: str) -> None:
    body, attribute = message.write(a_webhook(b"{}", headers=[("X-A", "1"), ("X-A", "2")]))
    assert message.read(record(body, attribute)).headers.get_all("X-A") == ["1", "2"]
    with pytest.raises(MalformedMessage, match=f"'{field}' twice"):
        message.read(record(body, f"{attribute}&{field}=1"))


def test_sqs_accepts_the_documented_characters() -> None:
    """#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"""
    documented = {0x9, 0xA, 0xD, *range(0x20, 0xD800), *range(0xE000, 0xFFFE), *range(0x10000, 0x110000)}
    every = [chr(code) for code in range(0x110000)]

    assert {ord(each) for each in every if message.sqs_text(each) == each} == documented
    # So a printable payload is not searched for others.
    assert {ord(each) for each in every if each.isprintable()} <= documented


@given(webhooks)
def test_a_message_is_nothing_that_sqs_rejects_or_alters(webhook: Webhook) -> None:
    body, attribute = message.write(webhook)

    assert body
    assert attribute.isascii()
    assert all(c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000" for c in body)


@pytest.mark.parametrize(
    ("payload", "encoding"),
    [
        (b"", "empty"),
        (b"-", "text"),
        (b'{"a": "\xc3\xa9"}', "text"),
        ("😀".encode(), "text"),
        (b"line\r\nline\t", "text"),
        (b"\xef\xbf\xbd", "text"),
        (b"\x00", "base64"),
        (b"\x1b[31m", "base64"),
        (b"\xff\xfe", "base64"),
        ("\uffff".encode(), "base64"),
    ],
)
def test_a_payload_travels_as_text_exactly_where_sqs_can_carry_it(payload: bytes, encoding: str) -> None:
    body, attribute = message.write(_webhook(payload))

    assert parse_qs(attribute)["encoding"] == [encoding]
    assert message.read(record(body, attribute)).body == payload


def test_header_names_are_compared_without_regard_to_case() -> None:
    headers = Headers([("X-GitHub-Event", "push"), ("x-github-event", "ping")])

    assert headers["x-GITHUB-event"] == "push, ping"
    assert headers.get_all("X-GITHUB-EVENT") == ["push", "ping"]
    assert "X-Github-Event" in headers
    assert "absent" not in headers
    assert list(headers) == ["x-github-event"]


def test_the_query_keeps_every_value_of_a_repeated_parameter() -> None:
    assert _webhook(b"", query_string="a=1&a=2&b=").query == {"a": ["1", "2"], "b": [""]}


def test_a_payload_is_there_as_text_and_as_json() -> None:
    webhook = _webhook('{"name": "Zoë"}'.encode())

    assert webhook.text == '{"name": "Zoë"}'
    assert webhook.json() == {"name": "Zoë"}
    with pytest.raises(UnicodeDecodeError):
        _ = _webhook(b"\xff").text


@pytest.mark.parametrize(
    ("body", "attribute", "reason"),
    [
        ("hello", None, "no message attribute 'webhook'"),
        ("hello", "v=2&encoding=text", "message format '2', this consumer reads '1'"),
        ("hello", "", "message format None"),
        ("hello", "v=1&encoding=text", "no 'id'"),
        (
            "no base64!",
            "v=1&encoding=base64&id=a&request=b&time=1&ip=c&method=d&mount=m&path=e&url=u&query=",
            "not base64",
        ),
        (
            "hello",
            "v=1&encoding=zip&id=a&request=b&time=1&ip=c&method=d&mount=m&path=e&url=u&query=",
            "unknown encoding 'zip'",
        ),
        ("hello", "v=1&encoding=text&id=a&request=b&time=noon&ip=c&method=d&mount=m&path=e&url=u&query=", "noon"),
    ],
)
def test_a_message_that_no_ingress_wrote_is_malformed_and_says_why(
    body: str, attribute: str | None, reason: str
) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        message.read(record(body, attribute))


def test_the_size_counts_what_sqs_counts() -> None:
    assert message.size("é", "abc") == len("é".encode()) + len("webhook") + len("String") + 3


@given(texts, texts, st.integers(0, 500))
def test_a_message_fits_if_its_size_does(body: str, attribute: str, most: int) -> None:
    assert message.fits(body, attribute, most) == (message.size(body, attribute) <= most)


def _webhook(body: bytes, query_string: str = "") -> Webhook:
    return Webhook(
        id="a",
        request_id="b",
        method="POST",
        mount="/",
        path="/",
        url="https://example.com/",
        query_string=query_string,
        headers=Headers(),
        body=body,
        source_ip="127.0.0.1",
        received_at=datetime.now(UTC),
    )
