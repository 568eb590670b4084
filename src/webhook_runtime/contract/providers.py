"""The providers that have a method of ``Source``: one record each.

The methods are generated from the records. The table and the navigation of the site, the lists of the tests, and the
signatures of the command line and of ``webhook_runtime.testing`` come from the records too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from webhook_runtime.contract.schemes import Scheme, of_ways, scheme_of

# The handshakes that API Gateway can answer itself. Every other one needs code.
ANSWERED_BY_API_GATEWAY = ("okta", "microsoft_graph")

# Seconds, as Stripe, Slack and Standard Webhooks recommend.
_FIVE_MINUTES = 300
_HUB_SIGNATURE: Mapping[str, object] = {"header": "X-Hub-Signature-256", "prefix": "sha256="}


class Accepted(NamedTuple):
    """The response that a provider accepts: ``Acknowledgement`` at synth time."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider: its signature, its endpoint verification, and the words of its method and its page.

    Args:
        name: The provider's spelling. Its method, its page and its vector are found by the name.
        documentation: The page on its signature.
        verified_by: Its own client library, by its name in the registry, that accepts the tested webhooks. Or the page
            with a signature that it has published. Empty if there is only documentation.
        ways: The ways in which it may sign, the usual one first. Each has the fields of its scheme that differ from the
            defaults. ``tolerance`` is the default of the argument of that name.
        kind: The scheme, one of ``schemes.KINDS``.
        varied: The other fields of its scheme that an argument of its method changes.
        handshakes: The requests by which it verifies the endpoint. Each is one of
            ``webhook_runtime.sources.handshakes.KINDS``, and its arguments.
        accepted: The response that it accepts, if it does not accept every 2xx.
        signs_with: The provider's name for its secret.
        signature: The place of the signature, if the header is not enough. In the form of a docstring.
        id: The id that makes a delivery unique, in the same form. Without one, the reason why each request is unique.
        endpoint_verification: The name of its endpoint verification, for the table.
        also: Others that sign in the same way, for the table.
        says: More sentences of the docstring, after its first one.
        more: One more paragraph of the docstring.
        takes_more: Whether its method has arguments of its own, and is handwritten in ``source.py``.
    """

    name: str
    documentation: str
    verified_by: str = ""
    ways: Sequence[Mapping[str, object]]
    kind: str = "hmac"
    varied: Sequence[str] = ()
    handshakes: Sequence[Sequence[str]] = ()
    accepted: Accepted | None = None
    signs_with: str
    signature: str = ""
    id: str = ""
    endpoint_verification: str = ""
    also: str = ""
    says: str = ""
    more: str = ""
    takes_more: bool = False

    @property
    def method(self) -> str:
        """Return the name of its method of ``Source``."""
        return self.name.lower().replace(" ", "_")

    @property
    def scheme(self) -> Scheme:
        """Return its scheme, with the default of each argument."""
        return scheme_of(*of_ways(self.kind, self.ways))

    @property
    def page(self) -> str:
        """Return the name of its page in docs/sources."""
        return f"{self.method.replace('_', '-')}.md"

    @property
    def signs_time(self) -> bool:
        """Return whether it signs a time, so that its method has a ``tolerance``."""
        return "tolerance" in self.ways[0]

    @property
    def minutes(self) -> float:
        """Return the default of ``tolerance``."""
        return float(str(self.ways[0]["tolerance"])) / 60

    @property
    def takes_code(self) -> bool:
        """Return whether its handshake needs code, and so a Lambda integration."""
        return any(kind not in ANSWERED_BY_API_GATEWAY for kind, *_ in self.handshakes)

    @property
    def id_of_delivery(self) -> str | None:
        """Return the header or the key of the payload that makes a delivery unique."""
        found = self.ways[0].get("id_header") or self.ways[0].get("id_field")
        return None if found is None else str(found)

    @property
    def what_is_signed(self) -> str:
        """Return the place of the signature, for a reader."""
        return self.signature or f"``{self.ways[0]['header']}``"

    @property
    def what_is_unique(self) -> str:
        """Return the id that makes a delivery unique, for a reader; or why each request is unique."""
        if self.id_of_delivery is None:
            return self.id or f"{self.name} sends no id"
        whose = "the payload's " if "id_field" in self.ways[0] else ""
        return self.id or f"{whose}``{self.id_of_delivery}``"


PROVIDERS = (
    Provider(
        name="GitHub",
        documentation="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        verified_by="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        ways=[{**_HUB_SIGNATURE, "id_header": "X-GitHub-Delivery"}],
        signs_with="The webhook's secret",
        endpoint_verification="none. A `ping` is stored like any event",
        says="A ``ping`` is stored like any event.",
    ),
    Provider(
        name="Stripe",
        documentation="https://docs.stripe.com/webhooks/signature",
        verified_by="stripe",
        ways=[
            {
                "header": "Stripe-Signature",
                "prefix": "v1=",
                "separator": ",",
                "timestamp_prefix": "t=",
                "signed": "{timestamp}.{body}",
                "tolerance": _FIVE_MINUTES,
                "id_field": "id",
            }
        ],
        signs_with="The endpoint's signing secret, ``whsec_…``",
        id="the event's ``id``",
    ),
    Provider(
        name="Slack",
        documentation="https://docs.slack.dev/authentication/verifying-requests-from-slack",
        verified_by="slack_sdk",
        ways=[
            {
                "header": "X-Slack-Signature",
                "prefix": "v0=",
                "signed": "v0:{timestamp}:{body}",
                "timestamp_header": "X-Slack-Request-Timestamp",
                "tolerance": _FIVE_MINUTES,
                "id_field": "event_id",
            }
        ],
        handshakes=[("ssl_check",), ("slack",)],
        accepted=Accepted(200),
        signs_with="The app's signing secret",
        id="the event's ``event_id``",
        endpoint_verification="`url_verification`, `ssl_check`",
        says="The ``url_verification`` is answered once its own signature is verified. The ``ssl_check``, which Slack "
        "does not sign, is answered too.",
        more="An accepted webhook gets a 200 without a body, since Slack may show the body of a slash command or an "
        "interaction.",
    ),
    Provider(
        name="Shopify",
        documentation="https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
        ways=[
            {"header": f"{start}Shopify-Hmac-Sha256", "encoding": "base64", "id_header": f"{start}Shopify-Webhook-Id"}
            for start in ("X-", "")
        ],
        signs_with="The app's client secret",
        also=", and its Events",
        says="Shopify's Events, the newer kind, have the same headers without the ``X-``.",
    ),
    Provider(
        name="Twilio",
        documentation="https://www.twilio.com/docs/usage/security",
        verified_by="twilio",
        kind="twilio",
        ways=[{"id_header": "I-Twilio-Idempotency-Token"}],
        accepted=Accepted(200, "<Response/>", "text/xml"),
        signs_with="The account's auth token",
        signature="``X-Twilio-Signature`` of URL and payload",
        more="Twilio signs the URL that you enter there. Put no proxy in front of it that changes the URL, and leave "
        "out a query: API Gateway decodes it, and its original form is a guess.\n\n"
        "An accepted webhook gets an empty TwiML response. Set another with ``acknowledgement``.",
    ),
    Provider(
        name="Standard Webhooks",
        documentation="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        verified_by="standardwebhooks",
        ways=[
            {
                "header": f"{start}-signature",
                "prefix": "v1,",
                "separator": " ",
                "encoding": "base64",
                "key": "base64",
                "signed": "{id}.{timestamp}.{body}",
                "timestamp_header": f"{start}-timestamp",
                "tolerance": _FIVE_MINUTES,
                "id_header": f"{start}-id",
            }
            for start in ("webhook", "svix")
        ],
        varied=["key"],
        signs_with="The signing secret, ``whsec_…`` or only its base64",
        signature="``webhook-signature`` or ``svix-signature``",
        id="``webhook-id`` or ``svix-id``",
        also=": Svix, OpenAI, Clerk and others",
        takes_more=True,
    ),
    Provider(
        name="Meta",
        documentation="https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        ways=[_HUB_SIGNATURE],
        handshakes=[("meta",)],
        accepted=Accepted(200),
        signs_with="A JSON secret with the app's secret and the verify token that you chose",
        endpoint_verification="`hub.challenge`",
        also=": Facebook, Instagram, WhatsApp",
        takes_more=True,
    ),
    Provider(
        name="Microsoft Graph",
        documentation="https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks",
        kind="client_state",
        ways=[{}],
        handshakes=[("microsoft_graph",)],
        signs_with="The ``clientState`` that the subscription was created with",
        signature="the ``clientState`` of each notification",
        id="it may contain several notifications",
        endpoint_verification="`validationToken`",
        also=", and SharePoint",
        says="The ``validationToken`` is answered.",
        more="The encrypted resource data of rich notifications stays unchanged. Validate its ``validationTokens`` in "
        "your own consumer.",
    ),
    Provider(
        name="Okta",
        documentation="https://developer.okta.com/docs/concepts/event-hooks/",
        kind="token",
        ways=[{"header": "Authorization", "id_field": "eventId"}],
        varied=["header"],
        handshakes=[("okta",)],
        accepted=Accepted(200),
        signs_with="The authentication secret of the event hook",
        signature="the secret, in ``Authorization``",
        id="the ``eventId``",
        endpoint_verification="the one-time verification",
        takes_more=True,
    ),
    Provider(
        name="Zoom",
        documentation="https://developers.zoom.us/docs/api/webhooks/",
        ways=[
            {
                "header": "x-zm-signature",
                "prefix": "v0=",
                "signed": "v0:{timestamp}:{body}",
                "timestamp_header": "x-zm-request-timestamp",
                "tolerance": _FIVE_MINUTES,
            }
        ],
        handshakes=[("zoom",)],
        accepted=Accepted(200),
        signs_with="The app's secret token",
        endpoint_verification="`endpoint.url_validation`",
        says="The ``endpoint.url_validation`` is answered once its own signature is verified.",
        more="An accepted webhook gets a 200: Zoom accepts only 200 and 204, and retries after any other response.",
    ),
    Provider(
        name="X",
        documentation="https://docs.x.com/x-api/webhooks/quickstart",
        ways=[
            {"header": f"x-twitter-webhooks-signature{end}", "encoding": "base64", "prefix": "sha256=", "opening": "{"}
            for end in ("", "-oauth2")
        ],
        handshakes=[("x",)],
        accepted=Accepted(200),
        signs_with="The app's consumer secret. For an app with OAuth 2.0, its client secret",
        signature="``x-twitter-webhooks-signature``, or ``X-Twitter-Webhooks-Signature-OAuth2``",
        endpoint_verification="the challenge-response check",
        says="The challenge-response check is answered.",
        more="That check signs the text of any client, with the secret of the events. So it signs no text that could "
        "be an event, which has to be a JSON object. An accepted webhook gets a 200, as X requires.",
    ),
    Provider(
        name="Linear",
        documentation="https://linear.app/developers/webhooks",
        verified_by="@linear/sdk",
        ways=[{"header": "Linear-Signature", "id_header": "Linear-Delivery"}],
        accepted=Accepted(200),
        signs_with="The webhook's signing secret",
        more="An accepted webhook gets a 200, as Linear requires. The time of sending is in the payload, as "
        "``webhookTimestamp``. It is signed, but not compared with the time of arrival.",
    ),
    Provider(
        name="PagerDuty",
        documentation="https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/04-Signatures.md",
        verified_by="https://github.com/PagerDuty/go-pagerduty/blob/main/webhookv3/webhookv3_test.go",
        ways=[
            {"header": "X-PagerDuty-Signature", "prefix": "v1=", "separator": ",", "id_header": "X-Webhook-Id"},
        ],
        signs_with="The secret of the webhook subscription",
        more="PagerDuty treats a 401 as final, so store the secret before you create the subscription. With "
        "``Ingress.direct_integration()`` no webhook gets a 401.",
    ),
    Provider(
        name="Square",
        documentation="https://developer.squareup.com/docs/webhooks/step3validate",
        verified_by="squareup",
        ways=[
            {
                "header": "x-square-hmacsha256-signature",
                "encoding": "base64",
                "signed": "{url}{body}",
                "id_field": "event_id",
            }
        ],
        signs_with="The signature key of the webhook subscription",
        signature="``x-square-hmacsha256-signature`` of URL and payload",
        more="Square signs the URL that you enter there. Put no proxy in front of it that changes the URL, and leave "
        "out a query.",
    ),
    Provider(
        name="HubSpot",
        documentation="https://developers.hubspot.com/docs/api/webhooks/validating-requests",
        verified_by="hubspot-api-client",
        ways=[
            {
                "header": "X-HubSpot-Signature-v3",
                "encoding": "base64",
                "signed": "{method}{url}{body}{timestamp}",
                "timestamp_header": "X-HubSpot-Request-Timestamp",
                "timestamp_format": "milliseconds",
                "tolerance": _FIVE_MINUTES,
            }
        ],
        signs_with="The app's client secret",
        signature="``X-HubSpot-Signature-v3`` of method, URL, payload and time",
        id="it may contain up to 100 events",
        more="HubSpot signs the URL that you enter there. Put no proxy in front of it that changes the URL, and leave "
        "out a query.",
    ),
    Provider(
        name="Paddle",
        documentation="https://developer.paddle.com/webhooks/signature-verification",
        verified_by="paddle-python-sdk",
        ways=[
            {
                "header": "Paddle-Signature",
                "prefix": "h1=",
                "separator": ";",
                "timestamp_prefix": "ts=",
                "signed": "{timestamp}:{body}",
                "tolerance": _FIVE_MINUTES,
                "id_field": "event_id",
            }
        ],
        accepted=Accepted(200),
        signs_with="The secret key of the notification destination, ``pdl_ntfset_…``",
        id="the event's ``event_id``",
        more="An accepted webhook gets a 200, as Paddle requires. Paddle's own library has a tolerance of 5 seconds.",
    ),
    Provider(
        name="Razorpay",
        documentation="https://razorpay.com/docs/webhooks/validate-test/",
        verified_by="razorpay",
        ways=[{"header": "X-Razorpay-Signature", "id_header": "X-Razorpay-Event-Id"}],
        signs_with="The webhook's secret",
        more="Razorpay signs a retry with the secret of its first try, so change the secret once a day at most.",
    ),
)

BY_METHOD = {provider.method: provider for provider in PROVIDERS}


def provider_named(name: str) -> Provider:
    """Return a provider by its name, in any spelling: ``Standard Webhooks``, ``standard-webhooks``, ``github``.

    Raises:
        ValueError: No provider has that name.
    """
    found = BY_METHOD.get(name.strip().lower().replace(" ", "_").replace("-", "_"))
    if found is None:
        raise ValueError(f"provider must be one of {', '.join(sorted(BY_METHOD))}, got {name!r}")
    return found
