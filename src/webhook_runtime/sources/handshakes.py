"""Endpoint verification: requests by which a provider checks the endpoint, before or between events. A class for each
kind.
"""

import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qs

from webhook_runtime.message import Webhook, is_form
from webhook_runtime.sources.verification import Answer, Unverified

# Reads secrets, only for a handshake that needs them.
Ask = Callable[[], Sequence[str]]


class Handshake(Protocol):
    """``is_signed`` says whether the request has to be verified first, like any other of its provider."""

    is_signed: bool

    def answer(self, webhook: Webhook, secrets: Ask, tokens: Ask) -> Answer | None:
        """Return the answer, or None if the request is no handshake. Raise Unverified.

        ``secrets`` are those of the source, or the one that signed the request. ``tokens`` are those that only the
        handshake uses.
        """
        ...


class Slack:
    """https://docs.slack.dev/reference/events/url_verification"""

    is_signed = True

    def answer(self, webhook: Webhook, _secrets: Ask, _tokens: Ask) -> Answer | None:
        payload = _payload(webhook)
        challenge = payload.get("challenge")
        if payload.get("type") != "url_verification" or not isinstance(challenge, str):
            return None
        try:
            return Answer(challenge)
        except ValueError:  # half of a surrogate pair, or megabytes
            raise Unverified("The challenge cannot be answered.") from None


class SslCheck:
    """Slack's check of the certificate: an unsigned form with a field for it.

    https://docs.slack.dev/interactivity/implementing-slash-commands
    """

    is_signed = False

    def answer(self, webhook: Webhook, _secrets: Ask, _tokens: Ask) -> Answer | None:
        return Answer("") if _form(webhook).get("ssl_check") == ["1"] else None


class Zoom:
    """https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint"""

    is_signed = True

    def answer(self, webhook: Webhook, secrets: Ask, _tokens: Ask) -> Answer | None:
        payload = _payload(webhook)
        asked = payload.get("payload")
        token = asked.get("plainToken") if isinstance(asked, dict) else None
        if payload.get("event") != "endpoint.url_validation" or not isinstance(token, str):
            return None
        encrypted = hmac.new(secrets()[0].encode(), token.encode(errors="surrogatepass"), "sha256").hexdigest()
        return _json({"plainToken": token, "encryptedToken": encrypted})


class Okta:
    """https://developer.okta.com/docs/concepts/event-hooks/#one-time-verification-request"""

    is_signed = True

    def answer(self, webhook: Webhook, _secrets: Ask, _tokens: Ask) -> Answer | None:
        challenge = webhook.headers.get("x-okta-verification-challenge")
        if webhook.method != "GET" or not challenge:
            return None
        return _json({"verification": challenge})


class Meta:
    """https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests"""

    is_signed = False

    def answer(self, webhook: Webhook, _secrets: Ask, tokens: Ask) -> Answer | None:
        asked = {name: values[0] for name, values in webhook.query.items()}
        if webhook.method != "GET" or asked.get("hub.mode") != "subscribe":
            return None
        given = asked.get("hub.verify_token", "").encode(errors="surrogatepass")
        if not any(hmac.compare_digest(token.encode(), given) for token in tokens()):
            raise Unverified("The hub.verify_token is not the one of this endpoint.")
        return Answer(asked.get("hub.challenge", ""))


class MicrosoftGraph:
    """https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks#notificationurl-validation"""

    is_signed = False

    def answer(self, webhook: Webhook, _secrets: Ask, _tokens: Ask) -> Answer | None:
        # SharePoint writes the name in lower case.
        tokens = [values[-1] for name, values in webhook.query.items() if name.lower() == "validationtoken"]
        return Answer(tokens[-1]) if tokens and tokens[-1] else None


class X:
    """The challenge-response check, which signs any text with the secret of the events.

    So it signs only a text that cannot be an event, which is a JSON object.

    https://docs.x.com/x-api/webhooks/quickstart
    """

    is_signed = False
    _TOKEN = re.compile(r"[A-Za-z0-9+/=_.~-]{1,512}")

    def answer(self, webhook: Webhook, secrets: Ask, _tokens: Ask) -> Answer | None:
        token = webhook.query.get("crc_token", [""])[0]
        if webhook.method != "GET" or not self._TOKEN.fullmatch(token):
            return None
        mac = hmac.digest(secrets()[0].encode(), token.encode(), "sha256")
        return _json({"response_token": f"sha256={base64.b64encode(mac).decode()}"})


class Head:
    """A request without a payload, by which some providers check that the endpoint exists."""

    is_signed = False

    def answer(self, webhook: Webhook, _secrets: Ask, _tokens: Ask) -> Answer | None:
        return Answer("") if webhook.method == "HEAD" else None


class Echo:
    """A parameter of the query that is sent back as text."""

    is_signed = False

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter

    def answer(self, webhook: Webhook, _secrets: Ask, _tokens: Ask) -> Answer | None:
        values = webhook.query.get(self.parameter, [""])
        return Answer(values[-1]) if webhook.method == "GET" and values[-1] else None


class Form:
    """A form with this field and no other."""

    is_signed = False

    def __init__(self, field: str) -> None:
        self.field = field

    def answer(self, webhook: Webhook, _secrets: Ask, _tokens: Ask) -> Answer | None:
        return Answer("") if list(_form(webhook)) == [self.field] else None


KINDS: Mapping[str, Callable[..., Handshake]] = {
    "slack": Slack,
    "ssl_check": SslCheck,
    "zoom": Zoom,
    "okta": Okta,
    "meta": Meta,
    "microsoft_graph": MicrosoftGraph,
    "x": X,
    "head": Head,
    "echo": Echo,
    "form": Form,
}


# Bytes. An unsigned request is read only if it is as small as a probe.
_MAX_FORM = 64 * 1024


def _form(webhook: Webhook) -> Mapping[str, list[str]]:
    """Return the fields of a small form that was sent by POST."""
    if webhook.method != "POST" or len(webhook.body) > _MAX_FORM or not is_form(webhook.headers):
        return {}
    return parse_qs(webhook.body.decode(errors="replace"), keep_blank_values=True)


def _payload(webhook: Webhook) -> Mapping[str, object]:
    try:
        value = webhook.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _json(value: Mapping[str, str]) -> Answer:
    return Answer(json.dumps(value, separators=(",", ":")), "application/json")
