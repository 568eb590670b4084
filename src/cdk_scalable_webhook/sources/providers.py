"""The providers that have a method of ``Source``: one record each, and below them the methods, which are made of it.

`make generate` writes the methods, so that editors and type checkers know them, and `make check` holds them to the
records. The site's table and navigation, and the lists of the tests, are made of the records too.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from aws_cdk import Duration

from cdk_scalable_webhook.acknowledgement import Acknowledgement
from cdk_scalable_webhook.checks.types import typed

if TYPE_CHECKING:  # importing it costs every synth
    from aws_cdk import aws_secretsmanager as secretsmanager

# The handshakes that API Gateway answers by itself: every other takes code.
ANSWERED_BY_API_GATEWAY = ("okta", "microsoft_graph")

# Seconds: as Stripe, Slack and Standard Webhooks recommend.
_FIVE_MINUTES = 300
_HUB_SIGNATURE: Mapping[str, object] = {"header": "X-Hub-Signature-256", "prefix": "sha256="}


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider: how it signs, what it asks, and what its method and its page say of it.

    Args:
        name: As it writes it. Its method, its page and its vector are found by that.
        documentation: Where it says how it signs.
        verified_by: Its own client library that accepts what is tried here, as its registry calls it; or where it has
            published a signature. Empty where its documentation is all that there is.
        ways: How it signs: the fields of its scheme that differ from the defaults, once for each way that it may sign.
            ``tolerance`` is the default of the argument of that name.
        kind: The scheme, of ``webhook_runtime.sources.schemes.KINDS``.
        handshakes: What it sends to see whether somebody is there: each a kind of
            ``webhook_runtime.sources.handshakes.KINDS``, and what that is made of.
        accepted: What it takes for accepted, where that is not every 2xx.
        signs_with: What its secret is, as it calls it.
        signature: Where the signature is, where the header alone does not tell. As in a docstring.
        id: What makes a delivery unique, in the same way; or, where it gives none, why each request is its own.
        asks: What it asks, for the table.
        also: Who else sends like that, for the table.
        says: What the docstring says besides, after its first sentence.
        more: A further paragraph of it.
        takes_more: Whether its method has arguments of its own, and so is written by hand in ``source.py``.
    """

    name: str
    documentation: str
    verified_by: str = ""
    ways: Sequence[Mapping[str, object]]
    kind: str = "hmac"
    handshakes: Sequence[Sequence[str]] = ()
    accepted: Acknowledgement | None = None
    signs_with: str
    signature: str = ""
    id: str = ""
    asks: str = ""
    also: str = ""
    says: str = ""
    more: str = ""
    takes_more: bool = False

    @property
    def method(self) -> str:
        """The name of its method of ``Source``."""
        return self.name.lower().replace(" ", "_")

    @property
    def page(self) -> str:
        """The name of its page in docs/sources."""
        return f"{self.method.replace('_', '-')}.md"

    @property
    def signs_time(self) -> bool:
        """Whether what it signs has a time, so that its method has a ``tolerance``."""
        return "tolerance" in self.ways[0]

    @property
    def minutes(self) -> float:
        """The default of ``tolerance``."""
        return float(str(self.ways[0]["tolerance"])) / 60

    @property
    def takes_code(self) -> bool:
        """Whether its handshake takes code, and so a Lambda integration."""
        return any(kind not in ANSWERED_BY_API_GATEWAY for kind, *_ in self.handshakes)

    @property
    def id_of_delivery(self) -> str | None:
        """The header or the key of the payload that makes a delivery unique."""
        found = self.ways[0].get("id_header") or self.ways[0].get("id_field")
        return None if found is None else str(found)

    @property
    def what_is_signed(self) -> str:
        """Where the signature is, for a reader."""
        return self.signature or f"``{self.ways[0]['header']}``"

    @property
    def what_is_unique(self) -> str:
        """What makes a delivery unique, for a reader; or why each request is its own."""
        if self.id_of_delivery is None:
            return self.id or f"{self.name} gives none an id"
        whose = "the payload's " if "id_field" in self.ways[0] else ""
        return self.id or f"{whose}``{self.id_of_delivery}``"


PROVIDERS = (
    Provider(
        name="GitHub",
        documentation="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        verified_by="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        ways=[{**_HUB_SIGNATURE, "id_header": "X-GitHub-Delivery"}],
        signs_with="The webhook's secret",
        asks="a `ping`, stored as any event",
        says="A ``ping`` is stored as any event.",
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
        accepted=Acknowledgement(200),
        signs_with="The app's signing secret",
        id="the event's ``event_id``",
        asks="`url_verification`, `ssl_check`",
        says="The ``url_verification`` is answered once its own signature is verified. The ``ssl_check``, which Slack "
        "does not sign, is answered too.",
        more="What is accepted is answered with 200 and no body, which a slash command and an interaction may show.",
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
        says="Shopify's Events, the newer kind, have the same without the ``X-``.",
    ),
    Provider(
        name="Twilio",
        documentation="https://www.twilio.com/docs/usage/security",
        verified_by="twilio",
        kind="twilio",
        ways=[{"id_header": "I-Twilio-Idempotency-Token"}],
        accepted=Acknowledgement(200, "<Response/>", "text/xml"),
        signs_with="The account's auth token",
        signature="``X-Twilio-Signature`` of URL and payload",
        more="The URL is the one that API Gateway was called by, so it has to be the one that Twilio was given: no "
        "proxy before it that changes it. Parameters in its query are best left out: API Gateway decodes them, and how "
        "they were written has to be guessed.\n\n"
        "What is accepted is answered with TwiML that asks for nothing, unless ``acknowledgement`` says otherwise.",
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
        signs_with="The signing secret, ``whsec_…`` or its base64 alone",
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
        accepted=Acknowledgement(200),
        signs_with="A JSON secret with the app's secret and the verify token that you chose",
        asks="`hub.challenge`",
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
        id="it may hold several notifications",
        asks="`validationToken`",
        also=", and SharePoint",
        says="The ``validationToken`` is answered.",
        more="The encrypted resource data of rich notifications stays as it is, and its ``validationTokens`` are for "
        "your consumer to validate.",
    ),
    Provider(
        name="Okta",
        documentation="https://developer.okta.com/docs/concepts/event-hooks/",
        kind="token",
        ways=[{"header": "Authorization", "id_field": "eventId"}],
        handshakes=[("okta",)],
        accepted=Acknowledgement(200),
        signs_with="The authentication secret of the event hook",
        signature="the secret, in ``Authorization``",
        id="the ``eventId``",
        asks="the one-time verification",
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
        accepted=Acknowledgement(200),
        signs_with="The app's secret token",
        asks="`endpoint.url_validation`",
        says="The ``endpoint.url_validation`` is answered once its own signature is verified.",
        more="What is accepted is answered with 200: Zoom takes 200 and 204 alone for accepted, and sends again what "
        "is answered with another.",
    ),
    Provider(
        name="X",
        documentation="https://docs.x.com/x-api/webhooks/quickstart",
        ways=[
            {"header": f"x-twitter-webhooks-signature{end}", "encoding": "base64", "prefix": "sha256=", "opening": "{"}
            for end in ("", "-oauth2")
        ],
        handshakes=[("x",)],
        accepted=Acknowledgement(200),
        signs_with="The app's consumer secret, or of an app with OAuth 2.0 its client secret",
        signature="``x-twitter-webhooks-signature``, or ``X-Twitter-Webhooks-Signature-OAuth2``",
        asks="the challenge-response check",
        says="The challenge-response check is answered.",
        more="That check signs what anybody asks, with the secret that events are signed with. So it signs nothing "
        "that could be an event, which has to be a JSON object. What is accepted is answered with 200, as X asks.",
    ),
    Provider(
        name="Linear",
        documentation="https://linear.app/developers/webhooks",
        verified_by="@linear/sdk",
        ways=[{"header": "Linear-Signature", "id_header": "Linear-Delivery"}],
        accepted=Acknowledgement(200),
        signs_with="The webhook's signing secret",
        more="What is accepted is answered with 200, as Linear asks. The time of sending is in the payload, as "
        "``webhookTimestamp``: it is signed, and is not held against the arrival.",
    ),
    Provider(
        name="PagerDuty",
        documentation="https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/04-Signatures.md",
        verified_by="https://github.com/PagerDuty/go-pagerduty/blob/main/webhookv3/webhookv3_test.go",
        ways=[
            {"header": "X-PagerDuty-Signature", "prefix": "v1=", "separator": ",", "id_header": "X-Webhook-Id"},
        ],
        signs_with="The secret of the webhook subscription",
        more="PagerDuty takes a 401 as final, so put the secret there before the subscription. With "
        "``Ingress.direct_integration()`` nothing is answered 401.",
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
        more="The URL is the one that Square was given, so API Gateway has to be called by it: no proxy before it that "
        "changes it, and no query.",
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
        id="it may hold up to 100 events",
        more="The URL is the one that HubSpot was given, so API Gateway has to be called by it: no proxy before it "
        "that changes it, and no query.",
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
        accepted=Acknowledgement(200),
        signs_with="The secret key of the notification destination, ``pdl_ntfset_…``",
        id="the event's ``event_id``",
        more="What is accepted is answered with 200, as Paddle asks. Its own library takes 5 seconds of difference.",
    ),
    Provider(
        name="Razorpay",
        documentation="https://razorpay.com/docs/webhooks/validate-test/",
        verified_by="razorpay",
        ways=[{"header": "X-Razorpay-Signature", "id_header": "X-Razorpay-Event-Id"}],
        signs_with="The webhook's secret",
        more="A retry is signed with the secret of its first try, so the secret may change once a day at most.",
    ),
)

BY_METHOD = {provider.method: provider for provider in PROVIDERS}


class _Made(ABC):
    @classmethod
    @abstractmethod
    def _of(
        cls,
        method: str,
        secret: "secretsmanager.ISecret | secretsmanager.Secret",
        secret_field: str | None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Make the source of a provider, by the name of its method."""


# From here on written by `make generate`.


@typed
class Providers(_Made):
    """The methods of ``Source`` that know a provider."""

    @classmethod
    def github(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """GitHub: ``X-Hub-Signature-256``, and ``X-GitHub-Delivery`` as the delivery's id. A ``ping`` is stored as any
        event.

        Args:
            secret: The webhook's secret.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
        """
        return cls._of("github", secret, secret_field)

    @classmethod
    def stripe(
        cls,
        secret: "secretsmanager.ISecret | secretsmanager.Secret",
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Stripe: ``Stripe-Signature``, and the event's ``id`` as the delivery's id.

        Args:
            secret: The endpoint's signing secret, ``whsec_…``.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://docs.stripe.com/webhooks/signature
        """
        return cls._of("stripe", secret, secret_field, tolerance)

    @classmethod
    def slack(
        cls,
        secret: "secretsmanager.ISecret | secretsmanager.Secret",
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Slack: ``X-Slack-Signature``, and the event's ``event_id`` as the delivery's id. The ``url_verification`` is
        answered once its own signature is verified. The ``ssl_check``, which Slack does not sign, is answered too.

        What is accepted is answered with 200 and no body, which a slash command and an interaction may show.

        Args:
            secret: The app's signing secret.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)`` with a Lambda integration.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://docs.slack.dev/authentication/verifying-requests-from-slack
        """
        return cls._of("slack", secret, secret_field, tolerance)

    @classmethod
    def shopify(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """Shopify: ``X-Shopify-Hmac-Sha256``, and ``X-Shopify-Webhook-Id`` as the delivery's id. Shopify's Events, the
        newer kind, have the same without the ``X-``.

        Args:
            secret: The app's client secret.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://shopify.dev/docs/apps/build/webhooks/subscribe/https
        """
        return cls._of("shopify", secret, secret_field)

    @classmethod
    def twilio(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """Twilio: ``X-Twilio-Signature`` of URL and payload, and ``I-Twilio-Idempotency-Token`` as the delivery's id.

        The URL is the one that API Gateway was called by, so it has to be the one that Twilio was given: no proxy
        before it that changes it. Parameters in its query are best left out: API Gateway decodes them, and how they
        were written has to be guessed.

        What is accepted is answered with TwiML that asks for nothing, unless ``acknowledgement`` says otherwise.

        Args:
            secret: The account's auth token.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://www.twilio.com/docs/usage/security
        """
        return cls._of("twilio", secret, secret_field)

    @classmethod
    def microsoft_graph(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """Microsoft Graph: the ``clientState`` of each notification. The ``validationToken`` is answered.

        Each request is its own delivery: it may hold several notifications.

        The encrypted resource data of rich notifications stays as it is, and its ``validationTokens`` are for your
        consumer to validate.

        Args:
            secret: The ``clientState`` that the subscription was created with.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks
        """
        return cls._of("microsoft_graph", secret, secret_field)

    @classmethod
    def zoom(
        cls,
        secret: "secretsmanager.ISecret | secretsmanager.Secret",
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Zoom: ``x-zm-signature``. The ``endpoint.url_validation`` is answered once its own signature is verified.

        Each request is its own delivery: Zoom gives none an id.

        What is accepted is answered with 200: Zoom takes 200 and 204 alone for accepted, and sends again what is
        answered with another.

        Args:
            secret: The app's secret token.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)`` with a Lambda integration.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://developers.zoom.us/docs/api/webhooks/
        """
        return cls._of("zoom", secret, secret_field, tolerance)

    @classmethod
    def x(cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None) -> Self:
        """X: ``x-twitter-webhooks-signature``, or ``X-Twitter-Webhooks-Signature-OAuth2``. The challenge-response check
        is answered.

        Each request is its own delivery: X gives none an id.

        That check signs what anybody asks, with the secret that events are signed with. So it signs nothing that could
        be an event, which has to be a JSON object. What is accepted is answered with 200, as X asks.

        Args:
            secret: The app's consumer secret, or of an app with OAuth 2.0 its client secret.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)`` with a Lambda integration.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://docs.x.com/x-api/webhooks/quickstart
        """
        return cls._of("x", secret, secret_field)

    @classmethod
    def linear(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """Linear: ``Linear-Signature``, and ``Linear-Delivery`` as the delivery's id.

        What is accepted is answered with 200, as Linear asks. The time of sending is in the payload, as
        ``webhookTimestamp``: it is signed, and is not held against the arrival.

        Args:
            secret: The webhook's signing secret.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://linear.app/developers/webhooks
        """
        return cls._of("linear", secret, secret_field)

    @classmethod
    def pagerduty(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """PagerDuty: ``X-PagerDuty-Signature``, and ``X-Webhook-Id`` as the delivery's id.

        PagerDuty takes a 401 as final, so put the secret there before the subscription. With
        ``Ingress.direct_integration()`` nothing is answered 401.

        Args:
            secret: The secret of the webhook subscription.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/04-Signatures.md
        """
        return cls._of("pagerduty", secret, secret_field)

    @classmethod
    def square(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """Square: ``x-square-hmacsha256-signature`` of URL and payload, and the payload's ``event_id`` as the
        delivery's id.

        The URL is the one that Square was given, so API Gateway has to be called by it: no proxy before it that changes
        it, and no query.

        Args:
            secret: The signature key of the webhook subscription.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://developer.squareup.com/docs/webhooks/step3validate
        """
        return cls._of("square", secret, secret_field)

    @classmethod
    def hubspot(
        cls,
        secret: "secretsmanager.ISecret | secretsmanager.Secret",
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """HubSpot: ``X-HubSpot-Signature-v3`` of method, URL, payload and time.

        Each request is its own delivery: it may hold up to 100 events.

        The URL is the one that HubSpot was given, so API Gateway has to be called by it: no proxy before it that
        changes it, and no query.

        Args:
            secret: The app's client secret.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://developers.hubspot.com/docs/api/webhooks/validating-requests
        """
        return cls._of("hubspot", secret, secret_field, tolerance)

    @classmethod
    def paddle(
        cls,
        secret: "secretsmanager.ISecret | secretsmanager.Secret",
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Paddle: ``Paddle-Signature``, and the event's ``event_id`` as the delivery's id.

        What is accepted is answered with 200, as Paddle asks. Its own library takes 5 seconds of difference.

        Args:
            secret: The secret key of the notification destination, ``pdl_ntfset_…``.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://developer.paddle.com/webhooks/signature-verification
        """
        return cls._of("paddle", secret, secret_field, tolerance)

    @classmethod
    def razorpay(
        cls, secret: "secretsmanager.ISecret | secretsmanager.Secret", *, secret_field: str | None = None
    ) -> Self:
        """Razorpay: ``X-Razorpay-Signature``, and ``X-Razorpay-Event-Id`` as the delivery's id.

        A retry is signed with the secret of its first try, so the secret may change once a day at most.

        Args:
            secret: The webhook's secret.
            secret_field: Its key, up to 256 characters, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://razorpay.com/docs/webhooks/validate-test/
        """
        return cls._of("razorpay", secret, secret_field)
