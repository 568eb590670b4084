"""Sign payloads as each provider does, with its own library if it has one."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import stripe
from hypothesis import strategies as st
from provider_vectors.cases import CASES
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook as StandardWebhook
from twilio.request_validator import RequestValidator

from cdk_scalable_webhook import Source
from webhook_runtime.contract.providers import PROVIDERS, Provider

# With a space, so that no random id in a log contains it.
SECRET = "hush hush"
STATES = [{"clientState": SECRET, "resource": "me"}, {"clientState": SECRET, "resource": "you"}]
BODY = json.dumps({"id": "evt_1", "event_id": "Ev1", "eventId": "Ok1", "value": STATES, "name": "Zoë"}).encode()
KEY = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

Signed = dict[str, str]
Sign = Callable[[bytes, float, str], Signed]


@dataclass(frozen=True)
class Signer:
    """The way in which a provider signs.

    ``sign`` signs a payload at a time to a URL, and ``id`` is the id of the event. ``unsigned`` are headers that no
    signature covers. ``query`` returns the query that the provider adds to the URL. ``accepted`` is the status that it
    requires. ``signature`` matches the part of a header that counts. ``sends`` tells whether the provider sends such a
    payload.
    """

    source: Callable[[Any], Source]
    secret: str
    sign: Sign
    id: str | None = None
    query: Callable[[bytes], str] = lambda _: ""
    unsigned: tuple[str, ...] = ()
    payloads: st.SearchStrategy[bytes] = field(default_factory=lambda: st.text(max_size=200).map(str.encode))
    is_body_signed: bool = True
    accepted: int = 202
    signature: str = ".+"
    sends: Callable[[bytes], bool] = lambda _: True


def hub(body: bytes, _: float, __: str) -> Signed:
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Delivery": "72d3162e"}


def stripes(body: bytes, at: float, _: str) -> Signed:
    signature = stripe.WebhookSignature._compute_signature(f"{int(at)}.{body.decode()}", KEY)
    return {"Stripe-Signature": f"t={int(at)},v1={signature},v0={'0' * 64}"}


def slacks(body: bytes, at: float, _: str) -> Signed:
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=str(int(at)), body=body)
    assert signature
    return {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": str(int(at))}


def standard(body: bytes, at: float, _: str) -> Signed:
    signature = StandardWebhook(KEY).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    # During a rotation, a signature by another secret is added.
    several = f"v1,{base64.b64encode(b'x' * 32).decode()} {signature}"
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at)), "webhook-signature": several}


def shopify(body: bytes, _: float, __: str) -> Signed:
    mac = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    return {"X-Shopify-Hmac-Sha256": mac, "X-Shopify-Webhook-Id": "b54557e4"}


def twilio_query(body: bytes) -> str:
    return urlencode({"bodySHA256": hashlib.sha256(body).hexdigest()}) if body else ""


def twilios(body: bytes, _: float, url: str) -> Signed:
    called = f"{url}?{twilio_query(body)}" if body else url
    signature = RequestValidator(SECRET).compute_signature(called, {})
    return {"X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": "Tw1", "Content-Type": "application/json"}


def zooms(body: bytes, at: float, _: str) -> Signed:
    """https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events"""
    mac = hmac.new(SECRET.encode(), f"v0:{int(at)}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-zm-signature": f"v0={mac}", "x-zm-request-timestamp": str(int(at))}


def xs(body: bytes, _: float, __: str) -> Signed:
    """https://docs.x.com/x-api/webhooks/quickstart"""
    mac = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    return {"x-twitter-webhooks-signature": f"sha256={mac}"}


def other(body: bytes, at: float, _: str) -> Signed:
    mac = hmac.new(SECRET.encode(), f"7|{int(at)}|".encode() + body, hashlib.sha512).hexdigest()
    return {"X-Sig": f"v9:{mac}", "X-At": str(int(at)), "X-Id": "7"}


def of_others(secret: Any) -> Source:
    return Source.hmac(
        secret,
        header="X-Sig",
        algorithm="sha512",
        prefix="v9:",
        signed_content="{id}|{timestamp}|{body}",
        timestamp_header="X-At",
        id_header="X-Id",
    )


def of_token(secret: Any) -> Source:
    return Source.token(secret, header="X-Token", prefix="Bearer ", id_field="id")


def of_case(provider: Provider) -> Signer:
    """Return the signer of a provider from the case of tools/provider_vectors, which its own library has accepted."""
    case = next(case for case in CASES if case.provider == provider.name)
    secret = SECRET if case.key == "text" else case.secret

    def sign(body: bytes, at: float, url: str) -> Signed:
        sent = replace(case, payload=body.decode(), secret=secret, at=int(at), url=url, signature="")
        return {name: value for name, value in sent.vector()["headers"].items() if name in case.headers}

    way = provider.ways[0]
    separator, text = str(way.get("separator", "")), st.text(max_size=200)
    return Signer(
        getattr(Source, provider.method),
        secret,
        sign,
        id=json.loads(BODY)[way["id_field"]] if "id_field" in way else case.id,
        unsigned=tuple(case.headers.keys() - case.signed_headers),
        # A brace has to separate the payload from a signed URL.
        payloads=(text.map(lambda each: f"{{{each}}}") if "{url}" in case.content else text).map(str.encode),
        is_body_signed=case.is_signed,
        accepted=provider.accepted.status if provider.accepted else 202,
        signature=f"[^{separator}]+$" if separator else ".+",
        sends=(lambda body: body.startswith((b"{", b"["))) if "{url}" in case.content else lambda _: True,
    )


SIGNERS = {
    "github": Signer(Source.github, SECRET, hub, "72d3162e", unsigned=("X-GitHub-Delivery",)),
    "stripe": Signer(Source.stripe, KEY, stripes, "evt_1", signature="(?<=v1=)[^,]+"),
    "slack": Signer(Source.slack, SECRET, slacks, "Ev1", accepted=200),
    "standard_webhooks": Signer(Source.standard_webhooks, KEY, standard, "msg_1", signature="[^ ]+$"),
    "shopify": Signer(Source.shopify, SECRET, shopify, "b54557e4", unsigned=("X-Shopify-Webhook-Id",)),
    "twilio": Signer(
        Source.twilio,
        SECRET,
        twilios,
        "Tw1",
        query=twilio_query,
        unsigned=("I-Twilio-Idempotency-Token", "Content-Type"),
        accepted=200,
    ),
    "meta": Signer(
        Source.meta,
        json.dumps({"app_secret": SECRET, "verify_token": "t"}),
        hub,
        unsigned=("X-GitHub-Delivery",),
        accepted=200,
    ),
    "microsoft_graph": Signer(Source.microsoft_graph, SECRET, lambda *_: {}, is_body_signed=False),
    "okta": Signer(
        Source.okta, SECRET, lambda *_: {"Authorization": SECRET}, "Ok1", is_body_signed=False, accepted=200
    ),
    "zoom": Signer(Source.zoom, SECRET, zooms, accepted=200),
    "x": Signer(
        Source.x,
        SECRET,
        xs,
        payloads=st.text(max_size=200).map(lambda text: f"{{{text}".encode()),
        accepted=200,
        sends=lambda body: body.startswith(b"{"),
    ),
    "hmac": Signer(of_others, SECRET, other, "7"),
    "token": Signer(
        of_token, SECRET, lambda *_: {"X-Token": f"Bearer {SECRET}"}, "evt_1", is_body_signed=False, unsigned=()
    ),
}

OF_CASES = {provider.method: of_case(provider) for provider in PROVIDERS if provider.method not in SIGNERS}
SIGNERS |= OF_CASES


def mac_of(content: bytes, key: bytes = SECRET.encode()) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


def svix(body: bytes, at: float, url: str) -> Signed:
    return {name.replace("webhook-", "svix-"): value for name, value in standard(body, at, url).items()}


def standard_by_text(body: bytes, at: float, _: str) -> Signed:
    key = base64.b64encode(SECRET.encode()).decode()
    signature = StandardWebhook(key).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at)), "webhook-signature": signature}


def shopify_events(body: bytes, at: float, url: str) -> Signed:
    return {name.removeprefix("X-"): value for name, value in shopify(body, at, url).items()}


def xs_of_oauth_2(body: bytes, at: float, url: str) -> Signed:
    (signature,) = xs(body, at, url).values()
    return {"X-Twitter-Webhooks-Signature-OAuth2": signature}


def in_milliseconds(body: bytes, at: float, _: str) -> Signed:
    milliseconds = int(at * 1000)
    mac = base64.urlsafe_b64encode(mac_of(b"%d.%s" % (milliseconds, body))).decode().rstrip("=")
    return {"X-Signature": f"t={milliseconds}, v1={mac}"}


def rotating(body: bytes, _: float, __: str) -> Signed:
    return {"X-Signature": f"v1={'0' * 64}, v1={mac_of(body).hex()}"}


def of_two_keys(body: bytes, _: float, __: str) -> Signed:
    one, other = (base64.b64encode(mac_of(body, key)).decode() for key in (b"another", SECRET.encode()))
    return {"X-Signature-1": one, "X-Signature-2": other}


def in_iso_time(body: bytes, at: float, _: str) -> Signed:
    time = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    mac = base64.b64encode(mac_of(time.encode() + body, b"hush hush")).decode()
    return {"X-Signature": mac, "X-Time": time}


def of_the_url(body: bytes, at: float, url: str) -> Signed:
    milliseconds = str(int(at * 1000))
    content = f"POST{url}".encode() + body + milliseconds.encode()
    return {"X-Signature": base64.b64encode(mac_of(content)).decode(), "X-Time": milliseconds}


def _hmac(**arguments: Any) -> Callable[[Any], Source]:
    return lambda secret: Source.hmac(secret, **arguments)


# Other ways in which these providers sign, and variants of HMAC.
WAYS = {
    "svix": Signer(Source.standard_webhooks, KEY, svix, "msg_1", signature="[^ ]+$"),
    "a standard webhook with a key of text": Signer(
        lambda secret: Source.standard_webhooks(secret, key_encoding="text"), SECRET, standard_by_text, "msg_1"
    ),
    "shopify's events": Signer(Source.shopify, SECRET, shopify_events, "b54557e4", unsigned=("Shopify-Webhook-Id",)),
    "x with OAuth 2": Signer(Source.x, SECRET, xs_of_oauth_2, payloads=SIGNERS["x"].payloads, accepted=200),
    "milliseconds and base64url in one header": Signer(
        _hmac(
            header="X-Signature",
            prefix="v1=",
            separator=",",
            timestamp_prefix="t=",
            timestamp_format="milliseconds",
            encoding="base64url",
            signed_content="{timestamp}.{body}",
            id_field="id",
        ),
        SECRET,
        in_milliseconds,
        "evt_1",
    ),
    "several signatures in one header": Signer(
        _hmac(header="X-Signature", prefix="v1=", separator=","), SECRET, rotating, signature="(?<=, v1=).+"
    ),
    "several headers": Signer(
        _hmac(header=["X-Signature-1", "X-Signature-2"], encoding="base64"),
        SECRET,
        of_two_keys,
        unsigned=("X-Signature-1",),
    ),
    "a key in hex": Signer(
        _hmac(header="X-Hub-Signature-256", prefix="sha256=", key_encoding="hex"),
        SECRET.encode().hex(),
        hub,
        unsigned=("X-GitHub-Delivery",),
    ),
    "a key in base64": Signer(
        _hmac(header="X-Hub-Signature-256", prefix="sha256=", key_encoding="base64"),
        base64.b64encode(SECRET.encode()).decode(),
        hub,
        unsigned=("X-GitHub-Delivery",),
    ),
    "an ISO time": Signer(
        _hmac(
            header="X-Signature",
            encoding="base64",
            signed_content="{timestamp}{body}",
            timestamp_header="X-Time",
            timestamp_format="iso8601",
        ),
        SECRET,
        in_iso_time,
    ),
    "URL and method": Signer(
        _hmac(
            header="X-Signature",
            encoding="base64",
            signed_content="{method}{url}{body}{timestamp}",
            timestamp_header="X-Time",
            timestamp_format="milliseconds",
        ),
        SECRET,
        of_the_url,
        payloads=st.text(max_size=200).map(lambda text: f"{{{text}}}".encode()),
    ),
}
