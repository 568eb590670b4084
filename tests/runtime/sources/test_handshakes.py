"""Endpoint verification as each provider documents it, and requests by others that look like it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_runtime.message import Headers, Webhook
from webhook_runtime.sources.handshakes import KINDS
from webhook_runtime.sources.schemes import ClientState, Hmac, Token
from webhook_runtime.sources.secrets import Secrets
from webhook_runtime.sources.source import Source
from webhook_runtime.sources.verification import Answer, Unverified
from webhook_runtime.testing import webhook

from ..doubles import SecretsManager

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECONDS = str(int(NOW.timestamp()))


# A new secret and the previous one.
STAGES = {
    stage: json.dumps({"key": key, "token": f"{key} token"})
    for stage, key in (("AWSCURRENT", "new"), ("AWSPREVIOUS", "old"))
}


def source(handshake: str, scheme: Any, *arguments: str) -> Source:
    secrets, tokens = (Secrets(SecretsManager("arn", **STAGES), "arn", field) for field in ("key", "token"))
    return Source(scheme, secrets, [KINDS[handshake](*arguments)], tokens)


def signed(body: bytes, key: str = "new") -> Webhook:
    mac = hmac.new(key.encode(), f"v0:{SECONDS}:".encode() + body, hashlib.sha256).hexdigest()
    return webhook(body, headers={"X-Signature": f"v0={mac}", "X-Time": SECONDS}, received_at=NOW)


SIGNED = Hmac(header="X-Signature", prefix="v0=", signed="v0:{timestamp}:{body}", timestamp_header="X-Time")
BODY_ONLY = Hmac(header="X-Signature", encoding="base64", prefix="sha256=", opening="{")


def answered(by: Source, request: Webhook) -> Answer:
    answer = by.admit(request)
    assert isinstance(answer, Answer)
    assert answer.status == 200
    return answer


def accepted(by: Source, request: Webhook) -> bool:
    return isinstance(by.admit(request), Webhook)


class TestSlack:
    BODY = b'{"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": "3eZbrw1aBm2r", "type": "url_verification"}'

    def test_the_challenge_is_echoed_as_text(self) -> None:
        assert answered(source("slack", SIGNED), signed(self.BODY)) == Answer("3eZbrw1aBm2r", "text/plain")

    def test_a_challenge_that_no_response_can_hold_is_rejected(self) -> None:
        for challenge in (rb"half of a pair: \ud800", b"x" * 5_000_001):
            with pytest.raises(Unverified, match=r"cannot be answered"):
                source("slack", SIGNED).admit(signed(b'{"type": "url_verification", "challenge": "%s"}' % challenge))

    def test_an_unsigned_challenge_is_rejected(self) -> None:
        with pytest.raises(Unverified):
            source("slack", SIGNED).admit(webhook(self.BODY))

    @pytest.mark.parametrize(
        "body",
        [
            b'{"type": "event_callback", "challenge": "x"}',
            b'{"type": "url_verification"}',
            b'{"type": "url_verification", "challenge": 7}',
            b"[]",
            b"command=%2Fweather",
        ],
    )
    def test_anything_else_is_an_event(self, body: bytes) -> None:
        assert accepted(source("slack", SIGNED), signed(body))


class TestZoom:
    BODY = b'{"payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}, "event": "endpoint.url_validation"}'

    @pytest.mark.parametrize("key", ["new", "old"])
    def test_the_token_is_echoed_and_signed_with_the_secret_of_the_request(self, key: str) -> None:
        answer = answered(source("zoom", SIGNED), signed(self.BODY, key))
        encrypted = hmac.new(key.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
        assert json.loads(answer.body) == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": encrypted}
        assert answer.content_type == "application/json"

    def test_half_of_a_surrogate_pair_as_token_is_echoed(self) -> None:
        body = b'{"payload": {"plainToken": "\\ud800"}, "event": "endpoint.url_validation"}'
        assert json.loads(answered(source("zoom", SIGNED), signed(body)).body)["plainToken"] == "\ud800"

    def test_a_token_with_a_wrong_signature_is_rejected(self) -> None:
        with pytest.raises(Unverified):
            source("zoom", SIGNED).admit(signed(self.BODY, "guess"))

    @pytest.mark.parametrize(
        "body",
        [
            b'{"event": "meeting.started", "payload": {"plainToken": "x"}}',
            b'{"event": "endpoint.url_validation"}',
            b'{"event": "endpoint.url_validation", "payload": {"plainToken": 1}}',
        ],
    )
    def test_anything_else_is_an_event(self, body: bytes) -> None:
        assert accepted(source("zoom", SIGNED), signed(body))


class TestOkta:
    HEADERS = {"X-Okta-Verification-Challenge": "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg", "Authorization": "new"}

    def test_the_challenge_is_echoed_as_json(self) -> None:
        answer = answered(source("okta", Token(header="Authorization")), webhook(method="GET", headers=self.HEADERS))
        assert json.loads(answer.body) == {"verification": "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg"}
        assert answer.content_type == "application/json"

    def test_a_challenge_with_a_wrong_secret_is_rejected(self) -> None:
        with pytest.raises(Unverified):
            source("okta", Token(header="Authorization")).admit(
                webhook(method="GET", headers=self.HEADERS | {"Authorization": "guess"})
            )

    def test_an_event_is_no_handshake(self) -> None:
        assert accepted(source("okta", Token(header="Authorization")), webhook(headers=self.HEADERS))


class TestMeta:
    def asked(self, **changed: str) -> Webhook:
        query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "new token"}
        return webhook(method="GET", query=query | {f"hub.{name}": value for name, value in changed.items()})

    @pytest.mark.parametrize("token", ["new token", "old token"])
    def test_the_challenge_is_answered_if_the_token_is_right(self, token: str) -> None:
        assert answered(source("meta", BODY_ONLY), self.asked(verify_token=token)) == Answer("1158201444")

    @pytest.mark.parametrize("token", ["", "guess", "new", "\ud800", "é"])
    def test_a_challenge_with_a_wrong_token_is_rejected(self, token: str) -> None:
        asked = self.asked()
        asked = asked._replace(query_string=asked.query_string.replace("new+token", token))
        with pytest.raises(Unverified, match=r"hub\.verify_token"):
            source("meta", BODY_ONLY).admit(asked)

    def test_any_other_request_needs_a_signature(self) -> None:
        for request in (self.asked(mode="unsubscribe"), webhook(method="POST", query={"hub.mode": "subscribe"})):
            with pytest.raises(Unverified, match="X-Signature"):
                source("meta", BODY_ONLY).admit(request)


class TestMicrosoftGraph:
    def test_the_token_is_echoed_as_decoded_text(self) -> None:
        asked = webhook(query={"validationToken": "Validation: Testing client +1 <b>"})
        assert answered(source("microsoft_graph", ClientState()), asked) == Answer("Validation: Testing client +1 <b>")

    def test_the_token_of_sharepoint_has_a_name_in_lower_case(self) -> None:
        asked = webhook(query={"validationtoken": "a b"})
        assert answered(source("microsoft_graph", ClientState()), asked) == Answer("a b")

    def test_anything_else_is_a_notification(self) -> None:
        graph = source("microsoft_graph", ClientState())
        assert accepted(graph, webhook(json={"value": [{"clientState": "old"}]}, query={"validationToken": ""}))
        with pytest.raises(Unverified):
            graph.admit(webhook(json={"value": [{"clientState": "guess"}]}))


class TestX:
    def test_the_response_to_a_challenge_is_its_signature(self) -> None:
        answer = answered(source("x", BODY_ONLY), webhook(method="GET", query={"crc_token": "MzIyOGQ0-_=="}))
        mac = base64.b64encode(hmac.new(b"new", b"MzIyOGQ0-_==", hashlib.sha256).digest()).decode()
        assert json.loads(answer.body) == {"response_token": f"sha256={mac}"}

    @pytest.mark.parametrize("token", ["", "{}", '{"for_user_id":"1"}', " ", "a\n", "é", "x" * 513])
    def test_a_token_that_could_be_an_event_is_not_signed(self, token: str) -> None:
        with pytest.raises(Unverified):
            source("x", BODY_ONLY).admit(webhook(method="GET", query={"crc_token": token}))

    def test_a_signed_text_that_could_be_a_token_is_no_event(self) -> None:
        mac = base64.b64encode(hmac.new(b"new", b"12345", hashlib.sha256).digest()).decode()
        with pytest.raises(Unverified, match=r"must start with \{"):
            source("x", BODY_ONLY).admit(webhook(b"12345", headers={"X-Signature": f"sha256={mac}"}))


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}


class NoSecret:
    """A secret that does not exist yet."""

    def get_secret_value(self, **_: str) -> dict[str, str]:
        raise AssertionError("a probe needs no secret")


# Each probe, its request, and other requests: with another method, content type or name, or with more content.
PROBES: list[tuple[list[str], Webhook, str, list[Webhook]]] = [
    (
        ["ssl_check"],
        webhook("ssl_check=1&token=t", headers=FORM),
        "",
        [
            webhook("ssl_check=0&token=t", headers=FORM),
            webhook("token=t&text=ssl_check%3D1", headers=FORM),
            webhook("ssl_check=1"),
            webhook("ssl_check=1" + "&a" * 1_000_000, headers=FORM),
            webhook(method="GET", query={"ssl_check": "1"}),
            webhook(json={"ssl_check": 1}),
        ],
    ),
    (["ssl_check"], webhook("ssl_check=1&payload=%7B%7D", headers=FORM), "", []),
    (["head"], webhook(method="HEAD"), "", [webhook(method="GET"), webhook(), webhook(method="OPTIONS")]),
    (
        ["echo", "challenge"],
        webhook(method="GET", query={"challenge": "a+b <i>"}),
        "a+b <i>",
        [
            webhook(query={"challenge": "x"}),
            webhook(method="GET", query={"challenge": ""}),
            webhook(method="GET", query={"Challenge": "x"}),
            webhook(method="GET"),
        ],
    ),
    (
        ["form", "webhook_id"],
        webhook("webhook_id=12", headers=FORM),
        "",
        [
            webhook("webhook_id=12&order=1", headers=FORM),
            webhook("webhook_id=12"),
            webhook("", headers=FORM),
            webhook(b"\xff\xfe", headers=FORM),
            webhook(json={"webhook_id": 12}),
        ],
    ),
]


@pytest.mark.parametrize(("probe", "asked", "answer", "others"), PROBES)
def test_a_probe_is_answered_without_a_signature_and_any_other_request_needs_one(
    probe: list[str], asked: Webhook, answer: str, others: list[Webhook]
) -> None:
    kind, *arguments = probe
    unknown = Secrets(NoSecret(), "arn", None)
    without_secret = Source(Hmac(header="X-Signature"), unknown, [KINDS[kind](*arguments)])
    assert answered(without_secret, asked) == Answer(answer)
    checked = source(kind, Hmac(header="X-Signature"), *arguments)
    for other in others:
        with pytest.raises(Unverified):
            checked.admit(other)
        mac = hmac.new(b"new", other.body, hashlib.sha256).hexdigest()
        assert accepted(checked, other._replace(headers=Headers([*other.headers.pairs(), ("X-Signature", mac)])))
