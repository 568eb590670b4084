"""Each scheme accepts the signatures of its provider, and nothing else."""

import asyncio
import base64
import hmac
import sys
import tracemalloc
import types
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from webhook_runtime.message import Webhook
from webhook_runtime.sources.schemes import AnyOf, Claim, ClientState, Custom, Fits, Hmac, Scheme, Twilio, _urls
from webhook_runtime.sources.secrets import NoSecret, Secrets
from webhook_runtime.sources.source import Source
from webhook_runtime.sources.verification import Answer, Mismatched, Unverifiable, Unverified
from webhook_runtime.testing import webhook

from ..doubles import SecretsManager, client_error, unreachable

NOW = 1_763_000_000.0
# Errors of Secrets Manager.
PASSING = [
    unreachable("ConnectTimeoutError", "https://secretsmanager"),
    client_error("ThrottlingException"),
    client_error("InternalServiceError", 500),
]
BODY = '{"id": "evt_1", "event_id": "Ev1", "name": "Zoë"}'.encode()


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def source(scheme: Scheme, secret: str = "shh", **stages: str | Exception) -> Source:
    return Source(scheme, Secrets(SecretsManager("arn", AWSCURRENT=secret, **stages), "arn", None, Time()))


def sent(headers: list[tuple[str, str]], body: bytes, at: float = NOW) -> Webhook:
    return webhook(body, id="its request", headers=headers, received_at=datetime.fromtimestamp(at, UTC))


def admitted(by: Source, headers: list[tuple[str, str]], body: bytes, at: float = NOW) -> str:
    """Return the id under which the webhook is admitted."""
    result = by.admit(sent(headers, body, at))
    assert isinstance(result, Webhook)
    return result.id


def hex_of(content: bytes, secret: bytes = b"shh", algorithm: str = "sha256") -> str:
    return hmac.new(secret, content, algorithm).hexdigest()


def base64_of(content: bytes, secret: bytes = b"shh") -> str:
    return base64.b64encode(hmac.new(secret, content, "sha256").digest()).decode()


PLAIN = Hmac(header="X-Signature")
TIMED = Hmac(header="X-Signature", signed="{timestamp}.{body}", timestamp_header="X-Time", tolerance=300)


def test_the_published_vector_of_github_is_known() -> None:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation"""
    scheme = Hmac(header="X-Hub-Signature-256", prefix="sha256=", id_header="X-GitHub-Delivery")
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = [("x-hub-signature-256", signature), ("X-GitHub-Delivery", "72d3162e")]
    assert admitted(source(scheme, "It's a Secret to Everybody"), headers, b"Hello, World!") == "72d3162e"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_each_algorithm_is_known(algorithm: str) -> None:
    headers = [("X-Signature", hex_of(BODY, algorithm=algorithm))]
    admitted(source(Hmac(header="X-Signature", algorithm=algorithm)), headers, BODY)


def test_base64_is_known() -> None:
    headers = [("X-Signature", base64_of(BODY))]
    admitted(source(Hmac(header="X-Signature", encoding="base64")), headers, BODY)


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"{body}{timestamp}", BODY])
def test_any_payload_can_be_signed(body: bytes) -> None:
    headers = [("X-Signature", hex_of(b"1763000000." + body)), ("X-Time", "1763000000")]
    admitted(source(TIMED), headers, body)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "must be there, and once"),
        ([("X-Signature", hex_of(BODY)), ("x-signature", hex_of(BODY))], "must be there, and once"),
        ([("X-Signature", "")], "must be there, and once"),
        ([("X-Signature", hex_of(BODY).upper())], "does not match"),
        ([("X-Signature", f" {hex_of(BODY)}")], "does not match"),
        ([("X-Signature", hex_of(BODY)[:-1])], "does not match"),
        ([("X-Signature", hex_of(BODY) + "00")], "does not match"),
        ([("X-Signature", "é")], "does not match"),
        ([("X-Signature", hex_of(BODY, b"other"))], "does not match"),
    ],
)
def test_any_other_signature_is_rejected(headers: list[tuple[str, str]], reason: str) -> None:
    with pytest.raises(Unverified, match=reason):
        admitted(source(PLAIN), headers, BODY)


def test_every_bit_of_payload_and_signature_counts() -> None:
    signature = hex_of(BODY)
    plain = source(PLAIN)
    for position in range(len(BODY)):
        for bit in range(8):
            changed = bytearray(BODY)
            changed[position] ^= 1 << bit
            with pytest.raises(Unverified):
                admitted(plain, [("X-Signature", signature)], bytes(changed))
    for position in range(len(signature)):
        for bit in range(7):
            text = bytearray(signature.encode())
            text[position] ^= 1 << bit
            with pytest.raises(Unverified):
                admitted(plain, [("X-Signature", text.decode())], BODY)


@pytest.mark.parametrize("seconds", [-301, 301, -(10**9), 10**9])
def test_a_signature_from_another_time_is_rejected(seconds: int) -> None:
    timestamp = str(int(NOW) + seconds)
    headers = [("X-Signature", hex_of(timestamp.encode() + b"." + BODY)), ("X-Time", timestamp)]
    with pytest.raises(Unverified, match="not be older or younger than 300 seconds"):
        admitted(source(TIMED), headers, BODY)


@pytest.mark.parametrize("timestamp", ["", "now", "-1763000000", "1763000000.0", "١٧٦٣٠٠٠٠٠٠", "1e9", "9" * 400])
def test_a_time_that_is_no_number_of_seconds_is_rejected(timestamp: str) -> None:
    headers = [("X-Signature", hex_of(timestamp.encode() + b"." + BODY)), ("X-Time", timestamp)]
    with pytest.raises(Unverified):
        admitted(source(TIMED), headers, BODY)


def test_a_time_is_signed_with_the_payload() -> None:
    headers = [("X-Signature", hex_of(b"1763000000." + BODY)), ("X-Time", "1763000001")]
    with pytest.raises(Unverified, match="does not match"):
        admitted(source(TIMED), headers, BODY)


@pytest.mark.parametrize(
    ("format", "timestamp"),
    [
        ("milliseconds", "1763000000999"),
        ("milliseconds", "1763000299999"),
        ("iso8601", "2025-11-13T02:13:20Z"),
        ("iso8601", "2025-11-13T02:13:20.123456789Z"),
        ("iso8601", "2025-11-12T18:13:20-08:00"),
    ],
)
def test_a_time_may_be_written_in_other_ways(format: str, timestamp: str) -> None:
    timed = Hmac(**TIMED.described() | {"timestamp_format": format})
    headers = [("X-Signature", hex_of(timestamp.encode() + b"." + BODY)), ("X-Time", timestamp)]
    admitted(source(timed), headers, BODY)
    with pytest.raises(Unverified, match="older or younger"):
        admitted(source(timed), headers, BODY, NOW + 700)


@pytest.mark.parametrize(
    ("format", "timestamp", "says"),
    [
        ("seconds", "1763000000999", "must be a number of seconds, and this one is of milliseconds"),
        ("milliseconds", "1763000000", "must be a number of milliseconds, and this one is of seconds"),
        ("milliseconds", "2025-11-13T02:13:20Z", "must be a number of milliseconds"),
        *(
            ("iso8601", timestamp, "must be a time of ISO 8601 with its time zone")
            for timestamp in (
                "1763000000",
                "2025-11-13T02:13:20",
                "2025-11-13",
                "now",
                "９",
            )
        ),
    ],
)
def test_a_time_that_is_written_in_another_way_is_rejected_and_named(format: str, timestamp: str, says: str) -> None:
    headers = [("X-Signature", hex_of(timestamp.encode() + b"." + BODY)), ("X-Time", timestamp)]
    with pytest.raises(Unverified, match=says):
        admitted(source(Hmac(**TIMED.described() | {"timestamp_format": format})), headers, BODY)


PARTS = Hmac(
    header="X-Signature",
    prefix="v1=",
    separator=",",
    timestamp_prefix="t=",
    signed="{timestamp}.{body}",
    tolerance=300,
)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("t=1763000000,v1={}", None),
        ("v1={} , t=1763000000", None),
        ("t=1763000000,v0={},v1=0,v1={},v1=", None),
        ("t=1763000000,v0={}", "holds no signature"),
        ("t=1763000000", "holds no signature"),
        ("v1={}", "one timestamp"),
        ("t=1763000000,t=1763000000,v1={}", "one timestamp"),
        ("t=1763000000;v1={}", "seconds"),
        ("t=1763000001,v1={}", "does not match"),
        ("t=1762999000,v1={}", "older or younger"),
        ("t=,v1={}", "seconds"),
    ],
)
def test_a_header_of_several_parts_is_read_part_by_part(value: str, says: str | None) -> None:
    headers = [("X-Signature", value.replace("{}", hex_of(b"1763000000." + BODY)))]
    if says is None:
        admitted(source(PARTS), headers, BODY)
        return
    with pytest.raises(Unverified, match=says):
        admitted(source(PARTS), headers, BODY)


@pytest.mark.parametrize("pad", ["", "="])
def test_base64url_is_known_with_its_padding_or_without(pad: str) -> None:
    body = next(body for n in range(99) if {"+", "/"} <= set(base64_of(body := b"%d" % n)))
    written = base64_of(body).replace("+", "-").replace("/", "_").rstrip("=")
    by = source(Hmac(header="X-Signature", encoding="base64url"))
    admitted(by, [("X-Signature", written + pad)], body)
    with pytest.raises(Unverified):
        admitted(by, [("X-Signature", base64_of(body))], body)


@pytest.mark.parametrize("secret", ["zz", "abc", "Zoë", "0x00"])
def test_a_key_that_is_not_hex_accepts_no_request(secret: str) -> None:
    with pytest.raises(NoSecret, match="not hex"):
        admitted(source(Hmac(header="X-Signature", key="hex"), secret), [("X-Signature", hex_of(BODY))], BODY)


class TestAnyOf:
    """If a provider has several ways to sign, one of them has to fit."""

    WAYS = (
        {"header": "X-New", "id_header": "X-New-Id"},
        {"header": "X-Old", "id_header": "X-Old-Id", "algorithm": "sha1"},
    )

    def source(self) -> Source:
        return source(AnyOf(ways=self.WAYS))

    def test_each_way_is_good_and_has_its_own_id(self) -> None:
        new = [("X-New", hex_of(BODY)), ("X-New-Id", "n"), ("X-Old-Id", "o")]
        old = [("X-Old", hex_of(BODY, algorithm="sha1")), ("X-New-Id", "n"), ("X-Old-Id", "o")]
        assert admitted(self.source(), new, BODY) == "n"
        assert admitted(self.source(), old, BODY) == "o"
        # During a migration from one to the other, one of them may be wrong.
        assert admitted(self.source(), [*new[1:], *old, ("X-New", "0")], BODY) == "o"

    def test_no_way_accepts_a_signature_of_another_way(self) -> None:
        with pytest.raises(Unverified, match="in X-Old does not match"):
            admitted(self.source(), [("X-Old", hex_of(BODY))], BODY)

    def test_the_rejection_is_about_the_way_that_was_used(self) -> None:
        with pytest.raises(Unverified, match="header X-New must be there, and once"):
            admitted(self.source(), [], BODY)
        with pytest.raises(Unverified, match="header X-Old must be there, and once"):
            admitted(self.source(), [("X-Old", "0"), ("X-Old", "1")], BODY)

    def test_a_rotated_secret_is_read_again(self) -> None:
        secrets = SecretsManager("arn", AWSCURRENT="old")
        time = Time()
        by = Source(AnyOf(ways=self.WAYS), Secrets(secrets, "arn", None, time))
        admitted(by, [("X-Old", hex_of(BODY, b"old", "sha1"))], BODY)
        secrets.stages = {"AWSCURRENT": "new"}
        time.now += 1
        admitted(by, [("X-Old", hex_of(BODY, b"new", "sha1"))], BODY, NOW + 0.5)


class TestOneReading:
    """A signed text can be read in one way only: no id, time or URL takes a part of the payload."""

    TIME = "1763000000"

    def admit(self, template: str, parts: dict[str, str], shown: dict[str, str], format: str = "seconds") -> None:
        """Sign the text that ``parts`` make, and send the one that ``shown`` makes."""
        scheme = Hmac(
            header="X-Signature",
            signed=template,
            timestamp_header="X-Time" if "{timestamp}" in template else None,
            timestamp_format=format,
            tolerance=300 if "{timestamp}" in template else None,
            id_header="X-Id",
        )
        headers = {
            "X-Signature": hex_of(template.format(**parts).encode()),
            "X-Id": shown.get("id", ""),
            "X-Time": shown.get("timestamp", ""),
        }
        request = webhook(
            shown["body"],
            method=shown.get("method", "POST"),
            headers={name: value for name, value in headers.items() if value},
            received_at=datetime.fromtimestamp(NOW, UTC),
        )
        source(scheme).admit(request._replace(url=shown.get("url", "https://a.example/in")))

    @pytest.mark.parametrize(
        ("template", "shown", "other"),
        [
            ("{id}.{timestamp}.{body}", {"id": "a", "body": f"x.{TIME}.y"}, {"id": f"a.{TIME}.x", "body": "y"}),
            ("{id}.{body}", {"id": "a", "body": "b.c"}, {"id": "a.b", "body": "c"}),
            ("{id}--{body}", {"id": "a", "body": "-b"}, {"id": "a-", "body": "b"}),
            ("{body}.{id}", {"id": "c", "body": "a.b"}, {"id": "b.c", "body": "a"}),
            ("{body}--{id}", {"id": "b", "body": "a-"}, {"id": "-b", "body": "a"}),
            ("{timestamp}{body}", {"body": "0{}"}, {"timestamp": f"{TIME}0", "body": "{}"}),
            ("{timestamp}{body}", {"body": "{}"}, {"timestamp": TIME[:-1], "body": "0{}"}),
            ("{body}{timestamp}", {"body": "[0"}, {"timestamp": f"0{TIME}", "body": "["}),
            ("{url}{body}", {"body": "{}"}, {"url": "https://a.example/in{", "body": "}"}),
            ("{url}{body}", {"body": "{}"}, {"url": "https://a.example/i", "body": "n{}"}),
            ("{url}.{body}", {"body": "{}"}, {"url": "https://a", "body": "example/in.{}"}),
            ("{url}|{body}", {"body": "{|"}, {"url": "https://a.example/in|{", "body": ""}),
            ("{body}{url}", {"body": "{}"}, {"url": "}https://a.example/in", "body": "{"}),
            ("{method}{url}{body}", {"body": "{}"}, {"url": "https://a.example/in{", "body": "}"}),
        ],
    )
    def test_the_same_text_is_good_for_no_other_parts(
        self, template: str, shown: dict[str, str], other: dict[str, str]
    ) -> None:
        shown = {"timestamp": self.TIME, "method": "POST", "url": "https://a.example/in", **shown}
        self.admit(template, shown, shown)
        assert template.format(**shown | other) == template.format(**shown)
        with pytest.raises(Unverified) as rejected:
            self.admit(template, shown, shown | other)
        assert rejected.value.sure

    @pytest.mark.parametrize("template", ["{timestamp}{body}", "{body}{timestamp}"])
    @pytest.mark.parametrize("shift", range(-8, 9))
    @pytest.mark.parametrize("time", ["2025-11-13T02:13:20+00:00", "2025-11-13T02:13:20.5Z", "2025-11-13T02:13:20Z"])
    def test_a_time_of_iso_8601_has_one_end(self, template: str, shift: int, time: str) -> None:
        for around in ("00:00:00.000000", "Z", "+00:00"):
            if template.startswith("{body}"):
                text, at = around + time, len(around) + shift
                other = {"body": text[:at], "timestamp": text[at:]}
                shown = {"body": around, "timestamp": time}
            else:
                text, at = time + around, len(time) + shift
                other = {"body": text[at:], "timestamp": text[:at]}
                shown = {"body": around, "timestamp": time}
            self.admit(template, shown, shown, "iso8601")
            if other["timestamp"] != time:
                with pytest.raises(Unverified):
                    self.admit(template, shown, other, "iso8601")

    @pytest.mark.parametrize("body", ["", "{}", "[1]", "<a/>", '"a"', "é"])
    def test_a_url_next_to_the_payload_is_known_where_it_shows_where_it_ends(self, body: str) -> None:
        shown = {"url": "https://a.example/in?", "body": body}
        self.admit("{url}{body}", shown, shown)
        if body and body[-1] in '}]>"é':
            shown = {"url": "https://a.example/in", "body": body}
            self.admit("{body}{url}", shown, shown)


def test_the_same_mac_is_made_once_however_many_headers_may_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    digest = hmac.digest
    monkeypatch.setattr(hmac, "digest", lambda key, content, way: made.append(key) or digest(key, content, way))  # type: ignore[func-returns-value]
    ways = [{"header": f"X-{number}", "signed": "{url}{body}"} for number in range(5)]
    request = webhook(b"{}", headers={f"X-{number}": "0" for number in range(5)})
    with pytest.raises(Unverified):
        AnyOf(ways=ways).claim(request)(["one", "other"])
    # The URL with and without its port.
    assert made == [b"one"] * 2 + [b"other"] * 2


class TestUrl:
    """A signed URL: API Gateway passes its query decoded."""

    BY = Hmac(header="X-Signature", signed="{method} {url} {body}")

    def admit(self, url: str, query: Sequence[tuple[str, str]], written: str, body: bytes = b"") -> None:
        called = f"{url}?{written}" if written else url
        mac = hex_of(f"PUT {called} ".encode() + body)
        request = webhook(
            body, method="PUT", headers={"X-Signature": mac}, received_at=datetime.fromtimestamp(NOW, UTC)
        )
        source(self.BY).admit(request._replace(url="https://api.example.com/in/a%20b", query_string=urlencode(query)))

    @pytest.mark.parametrize(
        ("query", "written"),
        [
            ([], ""),
            ([("a", "1"), ("b", "")], "a=1&b="),
            ([("debug", "")], "debug"),
            ([("a", "x y")], "a=x+y"),
            ([("a", "x y")], "a=x%20y"),
            ([("t", "foo'bar")], "t=foo'bar"),
            ([("t", "foo'bar")], "t=foo%27bar"),
            ([("Caller", "sip:12@209.1.1.1")], "Caller=sip:12@209.1.1.1"),
            ([("Caller", "sip:12@209.1.1.1")], "Caller=sip%3A12%40209.1.1.1"),
            ([("a", "~*()!")], "a=~*()!"),
            ([("a", "~*")], "a=%7E*"),
            ([("cb", "https://a.b/c,d")], "cb=https://a.b/c,d"),
            ([("cb", "https://a.b/c,d")], "cb=https%3A%2F%2Fa.b%2Fc%2Cd"),
            ([("to", "+1 (2)"), ("City", "Trezzo Sull'Adda")], "to=%2B1+%282%29&City=Trezzo+Sull'Adda"),
            ([("name", "Zoë 😀")], "name=Zo%C3%AB+%F0%9F%98%80"),
            *(
                ([("Body", "Hi! (it's 5:30, ok?) ~ *$1; a/b @me")], f"Body={written}")
                for written in (
                    "Hi%21+%28it's+5%3A30%2C+ok%3F%29+%7E+%2A%241%3B+a%2Fb+%40me",
                    "Hi%21+%28it%27s+5:30%2C+ok%3F%29+~+*%241%3B+a%2Fb+@me",
                    "Hi!%20(it's%205%3A30%2C%20ok%3F)%20~%20*%241%3B%20a%2Fb%20%40me",
                )
            ),
        ],
    )
    def test_it_is_found_however_its_query_was_written(self, query: list[tuple[str, str]], written: str) -> None:
        self.admit("https://api.example.com/in/a%20b", query, written)
        self.admit("https://api.example.com:443/in/a%20b", query, written)

    def test_with_a_payload_as_common_encoders_write_it(self) -> None:
        for written in ("t=foo'bar*", "t=foo%27bar*", "t=foo%27bar%2A"):
            self.admit("https://api.example.com/in/a%20b", [("t", "foo'bar*")], written, BODY)

    @pytest.mark.parametrize("written", ["a=2", "a=1&b=2", "", "A=1"])
    def test_another_query_is_rejected(self, written: str) -> None:
        with pytest.raises(Unverified, match="does not match URL and payload"):
            self.admit("https://api.example.com/in/a%20b", [("a", "1")], written)

    @pytest.mark.parametrize(
        "url",
        ["https://api.example.com/in/a b", "http://api.example.com/in/a%20b", "https://evil.example.com/in/a%20b"],
    )
    def test_another_url_is_rejected(self, url: str) -> None:
        with pytest.raises(Unverified):
            self.admit(url, [], "")

    def test_a_query_of_many_odd_characters_costs_no_more_than_a_few_hashes(self) -> None:
        odd = [(str(n), "~!$'()*,;:@/? ") for n in range(50)]
        for body, most in ((b"x", 32), (b"", 512)):
            assert (
                len(_urls(webhook(body)._replace(url="https://api.example.com/", query_string=urlencode(odd)))) <= most
            )


class TestRotation:
    def secrets(self, **stages: str | Exception) -> tuple[Secrets, SecretsManager, Time]:
        manager, time = SecretsManager("arn", **stages), Time()
        return Secrets(manager, "arn", None, time), manager, time

    def accepts(self, secrets: Secrets, secret: bytes, at: float) -> bool:
        try:
            admitted(Source(PLAIN, secrets), [("X-Signature", hex_of(BODY, secret))], BODY, at)
        except Unverified:
            return False
        return True

    def test_the_secret_and_the_previous_one_are_both_valid(self) -> None:
        secrets, manager, _ = self.secrets(AWSCURRENT="new", AWSPREVIOUS="old")
        assert self.accepts(secrets, b"new", NOW)
        assert self.accepts(secrets, b"old", NOW)
        assert not self.accepts(secrets, b"older", NOW)
        assert manager.asked == 2

    @pytest.mark.parametrize("later", [0.1, 11])
    def test_a_secret_that_was_rotated_meanwhile_is_read_at_once(self, later: float) -> None:
        secrets, manager, time = self.secrets(AWSCURRENT="old")
        assert self.accepts(secrets, b"old", time.now)
        manager.stages = {"AWSCURRENT": "new", "AWSPREVIOUS": "old"}
        time.now += later
        assert self.accepts(secrets, b"new", time.now)
        assert self.accepts(secrets, b"old", time.now)

    def test_forged_requests_cause_few_reads_of_the_secret(self) -> None:
        secrets, manager, time = self.secrets(AWSCURRENT="secret")
        for _ in range(100):
            time.now += 0.05
            assert not self.accepts(secrets, b"guess", time.now)
        assert manager.asked == 4  # both stages each time

    @pytest.mark.parametrize(("arrived", "sure"), [(NOW, True), (NOW - 3600, True), (NOW + 1, False)])
    def test_a_request_newer_than_the_cached_secret_is_not_certainly_wrong(self, arrived: float, sure: bool) -> None:
        secrets, _, time = self.secrets(AWSCURRENT="old")
        assert self.accepts(secrets, b"old", NOW)
        assert not self.accepts(secrets, b"guess", NOW + 0.5)
        time.now += 2
        with pytest.raises(Unverified) as error:
            admitted(Source(PLAIN, secrets), [("X-Signature", hex_of(BODY, b"new"))], BODY, arrived)
        assert error.value.sure is sure

    @pytest.mark.parametrize(("in_order", "longest"), [(False, 10), (True, 1)])
    def test_a_mismatch_says_when_it_will_be_certain_in_every_environment(
        self, longest: float, *, in_order: bool
    ) -> None:
        manager, time = SecretsManager("arn", AWSCURRENT="old"), Time()
        asking = Secrets(manager, "arn", None, time, in_order=in_order)
        assert not self.accepts(asking, b"guess", NOW + 0.01)
        for arrived in (NOW + 0.1, NOW + 0.4, NOW + 30):
            time.now = NOW + 0.5
            with pytest.raises(Mismatched) as error:
                admitted(Source(PLAIN, asking), [("X-Signature", hex_of(BODY, b"new"))], BODY, arrived)
            assert error.value.retry_after is not None
            assert error.value.retry_after == pytest.approx(min(arrived + longest - time.now, longest))
        time.now += longest
        for secrets in (asking, other := Secrets(manager, "arn", None, time, in_order=in_order)):
            assert other
            with pytest.raises(Mismatched) as error:
                admitted(Source(PLAIN, secrets), [("X-Signature", hex_of(BODY, b"new"))], BODY, NOW + 0.4)
            assert (error.value.sure, error.value.retry_after) == (True, None)

    @pytest.mark.parametrize(("in_order", "after"), [(False, None), (True, 5)])
    @pytest.mark.parametrize("stage", ["AWSCURRENT", "AWSPREVIOUS"])
    def test_if_the_secret_cannot_be_read_only_fifo_queues_retry_soon(
        self, stage: str, after: float | None, *, in_order: bool
    ) -> None:
        manager, time = SecretsManager("arn", AWSCURRENT="old"), Time()
        secrets = Secrets(manager, "arn", None, time, in_order=in_order)
        assert self.accepts(secrets, b"old", NOW)
        manager.stages[stage] = PASSING[0]
        with pytest.raises(NoSecret) as error:
            admitted(Source(PLAIN, secrets), [("X-Signature", hex_of(BODY, b"new"))], BODY, NOW + 1)
        assert error.value.retry_after == after
        # While no secret is known, nothing is rejected: the backoff extends the tries.
        time.now += 301
        manager.stages["AWSCURRENT"] = PASSING[0]
        with pytest.raises(NoSecret) as error:
            admitted(Source(PLAIN, secrets), [("X-Signature", hex_of(BODY, b"old"))], BODY, time.now)
        assert error.value.retry_after is None

    def test_an_unsigned_request_is_rejected_without_a_secret(self) -> None:
        manager = SecretsManager("arn", AWSCURRENT=PASSING[0])
        with pytest.raises(Unverified, match="must be there, and once"):
            admitted(Source(PLAIN, Secrets(manager, "arn", None, Time())), [], BODY)
        assert manager.asked == 0

    def test_a_claim_is_parsed_once_for_all_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read: list[str] = []

        class Read(Hmac):
            def read(self, webhook: Webhook) -> Fits:
                fits = super().read(webhook)
                return lambda secret: read.append(secret) or fits(secret)  # type: ignore[func-returns-value]

            def claim(self, webhook: Webhook) -> Claim:
                read.append("the claim")
                return super().claim(webhook)

        secrets, manager, time = self.secrets(AWSCURRENT="b", AWSPREVIOUS="a")
        checked = Source(Read(header="X-Signature"), secrets)
        with pytest.raises(Unverified):
            admitted(checked, [("X-Signature", "0")], BODY)
        manager.stages = {"AWSCURRENT": "c", "AWSPREVIOUS": "b"}
        time.now += 20
        admitted(checked, [("X-Signature", hex_of(BODY, b"c"))], BODY, time.now)
        assert read == ["the claim", "b", "a", "the claim", "b", "a", "c"]

    def test_a_fixed_secret_is_read_again_for_a_redrive(self) -> None:
        secrets, manager, time = self.secrets(AWSCURRENT="wrong")
        time.now += 20
        arrived = sent([("X-Signature", hex_of(BODY, b"right"))], BODY, NOW)
        with pytest.raises(Mismatched) as error:
            Source(PLAIN, secrets).admit(arrived, NOW)
        assert error.value.sure
        manager.stages = {"AWSCURRENT": "right"}
        time.now += 20
        assert Source(PLAIN, secrets).admit(arrived, time.now - 1)

    def test_a_secret_is_read_again_after_a_while(self) -> None:
        secrets, manager, time = self.secrets(AWSCURRENT="leaked")
        assert self.accepts(secrets, b"leaked", time.now)
        manager.stages = {"AWSCURRENT": "new"}
        time.now += 301
        assert not self.accepts(secrets, b"leaked", time.now)

    @pytest.mark.parametrize("trouble", PASSING, ids=str)
    def test_while_the_previous_secret_cannot_be_read_its_requests_are_not_rejected(self, trouble: Exception) -> None:
        secrets, manager, time = self.secrets(AWSCURRENT="new", AWSPREVIOUS=trouble)
        assert self.accepts(secrets, b"new", NOW)
        with pytest.raises(NoSecret):
            self.accepts(secrets, b"old", NOW)
        manager.stages["AWSPREVIOUS"] = "old"
        time.now += 11
        assert self.accepts(secrets, b"old", NOW)
        assert not self.accepts(secrets, b"older", NOW)

    def test_a_previous_secret_of_another_kind_is_ignored(self) -> None:
        """AWSPREVIOUS may be the random initial value, before the provider's secret was stored."""
        signed = base64_of(BODY, b"new")
        scheme = Hmac(header="X-Signature", encoding="base64", key="base64")
        checked = source(scheme, base64.b64encode(b"new").decode(), AWSPREVIOUS="*random*")
        admitted(checked, [("X-Signature", signed)], BODY)
        with pytest.raises(Unverified):
            admitted(checked, [("X-Signature", signed[1:])], BODY)

    def test_an_unreadable_secret_is_read_once_a_batch(self) -> None:
        secrets, manager, time = self.secrets(AWSCURRENT=PASSING[0])
        for _ in range(10):
            with pytest.raises(NoSecret, match="ConnectTimeoutError"):
                self.accepts(secrets, b"new", NOW)
        assert manager.asked == 1
        manager.stages = {"AWSCURRENT": "new"}
        time.now += 6
        assert self.accepts(secrets, b"new", NOW)


@pytest.mark.parametrize(
    ("stages", "field"),
    [
        ({}, None),
        ({"AWSCURRENT": ""}, None),
        ({"AWSCURRENT": "\0"}, None),
        ({"AWSCURRENT": "\ufeff\0\u2060\n"}, None),
        ({"AWSCURRENT": "no JSON"}, "key"),
        ({"AWSCURRENT": '{"other": "x"}'}, "key"),
        ({"AWSCURRENT": '{"key": ""}'}, "key"),
        ({"AWSCURRENT": '{"key": null}'}, "key"),
        ({"AWSCURRENT": '{"key": true}'}, "key"),
        ({"AWSCURRENT": '{"key": {}}'}, "key"),
        ({"AWSCURRENT": r'{"key": "\u0000"}'}, "key"),
        ({"AWSCURRENT": r'{"key": "\ud800"}'}, "key"),
    ],
)
@pytest.mark.parametrize("guess", [b"", b"None", b"True", b"{}"])
def test_without_a_secret_no_request_is_accepted_and_nothing_is_leaked(
    stages: dict[str, str | Exception], field: str | None, guess: bytes
) -> None:
    checked = Source(PLAIN, Secrets(SecretsManager("arn", **stages), "arn", field, Time()))
    with pytest.raises(NoSecret) as error:
        admitted(checked, [("X-Signature", hex_of(BODY, guess))], BODY)
    assert "no JSON" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "secret"),
    [*(("base64", secret) for secret in ("whsec_", "*random*", "Zoë", "whsec_AAAA")), ("hex", "00"), ("hex", "no hex")],
)
def test_a_secret_that_holds_no_key_accepts_no_request(key: str, secret: str) -> None:
    checked = source(Hmac(header="X-Signature", encoding="base64", key=key), secret)
    with pytest.raises(NoSecret):
        admitted(checked, [("X-Signature", base64_of(BODY, b""))], BODY)


def test_a_secret_may_be_stored_as_bytes() -> None:
    """A secret may be stored by --secret-binary, or by a program."""

    class Binary(SecretsManager):
        def get_secret_value(self, **asked: str) -> dict[str, Any]:
            return {"SecretBinary": super().get_secret_value(**asked)["SecretString"].encode()}

    secrets = Secrets(Binary("arn", AWSCURRENT="\ufeffshh\n"), "arn", None, Time())
    admitted(Source(PLAIN, secrets), [("X-Signature", hex_of(BODY))], BODY)


def test_a_secret_may_be_a_field_of_json() -> None:
    secrets = Secrets(SecretsManager("arn", AWSCURRENT='{"key": "shh"}'), "arn", "key", Time())
    admitted(Source(PLAIN, secrets), [("X-Signature", hex_of(BODY))], BODY)


@pytest.mark.parametrize(
    ("body", "id"),
    [
        (b'{"id": "evt_1"}', "evt_1"),
        (b'{"id": 7}', "7"),
        (b'{"id": 0}', "0"),
        (b'{"id": 7.0}', None),
        (b'{"id": true}', None),
        (b'{"id": {}}', None),
        (b'{"id": ""}', None),
        (b"{}", None),
        (b"[]", None),
        (b"no JSON", None),
    ],
)
def test_a_delivery_id_may_be_a_field_of_the_payload(body: bytes, id: str | None) -> None:
    assert Hmac(header="X", id_field="id").delivery_id(sent([], body)) == id


@pytest.mark.parametrize(
    ("body", "id"),
    [
        (b'{"action": {"id": "a1"}}', "a1"),
        (b'{"action": {"id": 7}}', "7"),
        (b'{"action.id": "whole", "action": {"id": "a1"}}', "whole"),
        (b'{"action.id": null, "action": {"id": "a1"}}', None),
        (b'{"action": {"id": {}}}', None),
        (b'{"action": "id"}', None),
        (b'{"action": [{"id": "a1"}]}', None),
        (b'{"id": "a1"}', None),
        (b"{}", None),
    ],
)
def test_a_delivery_id_may_be_a_nested_field(body: bytes, id: str | None) -> None:
    assert Hmac(header="X", id_field="action.id").delivery_id(sent([], body)) == id


def test_an_id_that_no_message_can_hold_is_ignored() -> None:
    body = b'{"id": "\\ud800"}'
    checked = source(Hmac(header="X-Signature", id_field="id"))
    assert admitted(checked, [("X-Signature", hex_of(body))], body) == "its request"


class TestCustom:
    """A user's function, as the function's settings name it."""

    def source(self, function: Any, *, secrets: bool = True) -> Source:
        module = types.ModuleType("bank")
        module.verify = function  # type: ignore[attr-defined]
        sys.modules["bank"] = module
        known = Secrets(SecretsManager("arn", AWSCURRENT="new", AWSPREVIOUS="old"), "arn", None, Time())
        return Source(Custom(handler="bank.verify"), known if secrets else None)

    def test_a_function_gets_webhook_and_secrets_and_returns_the_id(self) -> None:
        def verify(webhook: Webhook, secrets: list[str]) -> str:
            assert secrets == ["new", "old"]
            return f"of {webhook.text}"

        assert admitted(self.source(verify), [], b"7") == "of 7"

    def test_without_an_id_each_request_is_its_own_delivery(self) -> None:
        assert admitted(self.source(lambda webhook, secrets: None, secrets=False), [], b"7") == "its request"

    def test_a_function_may_return_an_answer(self) -> None:
        source = self.source(lambda webhook, secrets: Answer("pong", status=200))
        assert source.admit(sent([], b"ping")) == Answer("pong")

    @pytest.mark.parametrize(("secrets", "sure"), [(True, False), (False, True)])
    def test_a_rejection_of_the_function_is_a_rejection(self, secrets: bool, sure: bool) -> None:
        def verify(webhook: Webhook, secrets: list[str]) -> None:
            raise Unverified("The seal is broken.")

        with pytest.raises(Unverified, match="The seal is broken") as error:
            self.source(verify, secrets=secrets).admit(sent([], b"", NOW + 1))
        # With secrets, another one might fit.
        assert error.value.sure is sure

    @pytest.mark.parametrize("said", [True, False, "", 7, b"id", (1,)])
    def test_any_other_result_accepts_no_request(self, said: object) -> None:
        with pytest.raises(Unverifiable):
            self.source(lambda webhook, secrets: said).admit(sent([], b""))

    def test_an_error_accepts_no_request_and_leaks_no_payload(self, caplog: pytest.LogCaptureFixture) -> None:
        payload = "marked"
        source = self.source(lambda webhook, secrets: 1 / 0)
        with pytest.raises(Unverifiable, match="ZeroDivisionError"):
            source.admit(sent([], payload.encode()))
        assert "ZeroDivisionError" in caplog.text
        assert payload not in caplog.text

    @pytest.mark.parametrize("exit", [SystemExit(), asyncio.CancelledError()])
    def test_an_exit_accepts_no_request_and_ends_no_batch(self, exit: BaseException) -> None:
        def verify(webhook: Webhook, secrets: list[str]) -> None:
            raise exit

        with pytest.raises(Unverifiable):
            self.source(verify).admit(sent([], b""))

    def test_a_reason_may_be_the_error_that_was_the_cause(self) -> None:
        def verify(webhook: Webhook, secrets: list[str]) -> None:
            raise Unverified(ValueError("The seal is broken."))  # type: ignore[arg-type]

        with pytest.raises(Unverified) as error:
            self.source(verify).admit(sent([], b""))
        assert error.value.reason == "The seal is broken."

    def test_an_async_function_has_verified_nothing(self) -> None:
        async def verify(webhook: Webhook, secrets: list[str]) -> None:
            raise Unverified("never reached")

        source = self.source(verify)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the warning that it was never awaited
            with pytest.raises(Unverifiable):
                source.admit(sent([], b""))

    def test_a_missing_function_is_reported_when_it_is_loaded(self) -> None:
        with pytest.raises(ModuleNotFoundError):
            Custom(handler="no_such_module.verify")


FORM = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": "x", "X-Sig": "x"}
BY_URL = [Twilio(), Hmac(header="X-Sig", signed="{url}{body}")]


@pytest.mark.parametrize("scheme", BY_URL, ids=["twilio", "hmac"])
def test_the_ways_to_write_a_url_take_no_more_memory_than_one(scheme: Scheme) -> None:
    body = b"a=" + b"x" * 260_000 if isinstance(scheme, Twilio) else b"{" + b"x" * 4_000_000
    request = webhook(body, headers=FORM, query={"a": "~*'()!$ ", "b": ""})
    tracemalloc.start()
    with pytest.raises(Unverified):
        scheme.claim(request)(["one", "other"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(request.body)


@pytest.mark.parametrize(
    ("scheme", "request_", "says"),
    [
        (Twilio(), webhook(b"&a" * 1001, headers=FORM), "more than 1000 fields"),
        (Twilio(), webhook(b"a=" + b"x" * 2**18, headers=FORM), "form is larger than 262144 bytes"),
        (ClientState(), webhook(b'{"value": [%s]}' % (b" " * 2**20)), "payload is larger than 1048576 bytes"),
        (
            Hmac(header="X-Sig", prefix="v1=", separator=","),
            webhook(headers={"X-Sig": ",".join(["v1=0"] * 21)}),
            "X-Sig holds more than 20 signatures",
        ),
    ],
)
def test_a_request_above_the_limits_is_not_read(scheme: Scheme, request_: Webhook, says: str) -> None:
    with pytest.raises(Unverified, match=says) as rejected:
        scheme.claim(request_)
    assert rejected.value.sure
