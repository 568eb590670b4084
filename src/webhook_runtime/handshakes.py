"""What senders ask before they send, or now and then between: is this endpoint yours? Each kind in a class."""

import base64
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from webhook_runtime.admission import Answer, Unverified
from webhook_runtime.message import Webhook


class Handshake(Protocol):
    """``is_signed`` tells whether the request is verified first, as any of its sender's."""

    is_signed: bool

    def answer(self, webhook: Webhook, secrets: Sequence[str], tokens: Sequence[str]) -> Answer | None:
        """The answer, or None where the request is no handshake. ``secrets`` are those of the source, or the one that
        the request was signed with; ``tokens`` those that only the handshake knows. Raises Unverified."""
        ...


class Slack:
    """https://docs.slack.dev/reference/events/url_verification"""

    is_signed = True

    def answer(self, webhook: Webhook, _secrets: Sequence[str], _tokens: Sequence[str]) -> Answer | None:
        payload = _payload(webhook)
        challenge = payload.get("challenge")
        if payload.get("type") != "url_verification" or not isinstance(challenge, str):
            return None
        return Answer(challenge)


class Zoom:
    """https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint"""

    is_signed = True

    def answer(self, webhook: Webhook, secrets: Sequence[str], _tokens: Sequence[str]) -> Answer | None:
        payload = _payload(webhook)
        asked = payload.get("payload")
        token = asked.get("plainToken") if isinstance(asked, dict) else None
        if payload.get("event") != "endpoint.url_validation" or not isinstance(token, str):
            return None
        encrypted = hmac.new(secrets[0].encode(), token.encode(errors="surrogatepass"), "sha256").hexdigest()
        return _json({"plainToken": token, "encryptedToken": encrypted})


class Okta:
    """https://developer.okta.com/docs/concepts/event-hooks/#one-time-verification-request"""

    is_signed = True

    def answer(self, webhook: Webhook, _secrets: Sequence[str], _tokens: Sequence[str]) -> Answer | None:
        challenge = webhook.headers.get("x-okta-verification-challenge")
        if webhook.method != "GET" or not challenge:
            return None
        return _json({"verification": challenge})


class Meta:
    """https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests"""

    is_signed = False

    def answer(self, webhook: Webhook, _secrets: Sequence[str], tokens: Sequence[str]) -> Answer | None:
        asked = {name: values[0] for name, values in webhook.query.items()}
        if webhook.method != "GET" or asked.get("hub.mode") != "subscribe":
            return None
        given = asked.get("hub.verify_token", "").encode(errors="surrogatepass")
        if not any(hmac.compare_digest(token.encode(), given) for token in tokens):
            raise Unverified("The hub.verify_token is not the one of this endpoint.")
        return Answer(asked.get("hub.challenge", ""))


class MicrosoftGraph:
    """https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks#notificationurl-validation"""

    is_signed = False

    def answer(self, webhook: Webhook, _secrets: Sequence[str], _tokens: Sequence[str]) -> Answer | None:
        token = webhook.query.get("validationToken", [""])[-1]
        return Answer(token) if token else None


class X:
    """The challenge-response check. It signs what anybody asks it to, with the secret that events are signed with: so
    only what no event can be. An event is a JSON object.

    https://docs.x.com/x-api/webhooks/quickstart
    """

    is_signed = False
    _TOKEN = re.compile(r"[A-Za-z0-9+/=_.~-]{1,512}")

    def answer(self, webhook: Webhook, secrets: Sequence[str], _tokens: Sequence[str]) -> Answer | None:
        token = webhook.query.get("crc_token", [""])[0]
        if webhook.method != "GET" or not self._TOKEN.fullmatch(token):
            return None
        mac = hmac.digest(secrets[0].encode(), token.encode(), "sha256")
        return _json({"response_token": f"sha256={base64.b64encode(mac).decode()}"})


KINDS: Mapping[str, Handshake] = {
    "slack": Slack(),
    "zoom": Zoom(),
    "okta": Okta(),
    "meta": Meta(),
    "microsoft_graph": MicrosoftGraph(),
    "x": X(),
}


def _payload(webhook: Webhook) -> Mapping[str, object]:
    try:
        value = webhook.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _json(value: Mapping[str, str]) -> Answer:
    return Answer(json.dumps(value, separators=(",", ":")), "application/json")
