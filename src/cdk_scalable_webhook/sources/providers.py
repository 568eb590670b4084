"""The providers that have a method of ``Source``: one record each, and below the records the generated methods.

`make generate` writes the methods, so that editors and type checkers know them. `make check` compares them with the
records. The table and the navigation of the site, and the lists of the tests, come from the records too.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from aws_cdk import Duration
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook.acknowledgement import Acknowledgement
from cdk_scalable_webhook.checks.types import typed

# The handshakes that API Gateway can answer itself. Every other one needs code.
ANSWERED_BY_API_GATEWAY = ("okta", "microsoft_graph")

# Seconds, as Stripe, Slack and Standard Webhooks recommend.
_FIVE_MINUTES = 300
_HUB_SIGNATURE: Mapping[str, object] = {"header": "X-Hub-Signature-256", "prefix": "sha256="}


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider: its signature, its endpoint verification, and the words of its method and its page.

    Args:
        name: The provider's spelling. Its method, its page and its vector are found by the name.
        documentation: The page on its signature.
        verified_by: Its own client library, by its name in the registry, that accepts the tested webhooks. Or the page
            with a signature that it has published. Empty if there is only documentation.
        ways: The ways in which it may sign: for each, the fields of its scheme that differ from the defaults.
            ``tolerance`` is the default of the argument of that name.
        kind: The scheme, one of ``webhook_runtime.sources.schemes.KINDS``.
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
    handshakes: Sequence[Sequence[str]] = ()
    accepted: Acknowledgement | None = None
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
        accepted=Acknowledgement(200),
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
        accepted=Acknowledgement(200, "<Response/>", "text/xml"),
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
        accepted=Acknowledgement(200),
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
        handshakes=[("okta",)],
        accepted=Acknowledgement(200),
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
        accepted=Acknowledgement(200),
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
        accepted=Acknowledgement(200),
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
        accepted=Acknowledgement(200),
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
        accepted=Acknowledgement(200),
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


class _Made(ABC):
    @classmethod
    @abstractmethod
    def _of(
        cls,
        method: str,
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        secret_field: str | None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Make the source of a provider, by the name of its method."""


# Generated from here on: run `make generate`.


@typed
class Providers(_Made):
    """The methods of ``Source``, one for each provider."""

    @classmethod
    def github(cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None) -> Self:
        """GitHub: ``X-Hub-Signature-256``, and ``X-GitHub-Delivery`` as the delivery's id. A ``ping`` is stored like
        any event.

        Args:
            secret: The webhook's secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

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
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Stripe: ``Stripe-Signature``, and the event's ``id`` as the delivery's id.

        Args:
            secret: The endpoint's signing secret, ``whsec_…``.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the time of arrival, 1 second to 1 day. Default: 5
                minutes.

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
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Slack: ``X-Slack-Signature``, and the event's ``event_id`` as the delivery's id. The ``url_verification`` is
        answered once its own signature is verified. The ``ssl_check``, which Slack does not sign, is answered too.

        An accepted webhook gets a 200 without a body, since Slack may show the body of a slash command or an
        interaction.

        Args:
            secret: The app's signing secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the time of arrival, 1 second to 1 day. Default: 5
                minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)`` with a Lambda integration.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://docs.slack.dev/authentication/verifying-requests-from-slack
        """
        return cls._of("slack", secret, secret_field, tolerance)

    @classmethod
    def shopify(
        cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None
    ) -> Self:
        """Shopify: ``X-Shopify-Hmac-Sha256``, and ``X-Shopify-Webhook-Id`` as the delivery's id. Shopify's Events, the
        newer kind, have the same headers without the ``X-``.

        Args:
            secret: The app's client secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://shopify.dev/docs/apps/build/webhooks/subscribe/https
        """
        return cls._of("shopify", secret, secret_field)

    @classmethod
    def twilio(cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None) -> Self:
        """Twilio: ``X-Twilio-Signature`` of URL and payload, and ``I-Twilio-Idempotency-Token`` as the delivery's id.

        Twilio signs the URL that you enter there. Put no proxy in front of it that changes the URL, and leave out a
        query: API Gateway decodes it, and its original form is a guess.

        An accepted webhook gets an empty TwiML response. Set another with ``acknowledgement``.

        Args:
            secret: The account's auth token.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://www.twilio.com/docs/usage/security
        """
        return cls._of("twilio", secret, secret_field)

    @classmethod
    def microsoft_graph(
        cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None
    ) -> Self:
        """Microsoft Graph: the ``clientState`` of each notification. The ``validationToken`` is answered.

        Each request is its own delivery: it may contain several notifications.

        The encrypted resource data of rich notifications stays unchanged. Validate its ``validationTokens`` in your own
        consumer.

        Args:
            secret: The ``clientState`` that the subscription was created with.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

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
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Zoom: ``x-zm-signature``. The ``endpoint.url_validation`` is answered once its own signature is verified.

        Each request is its own delivery: Zoom sends no id.

        An accepted webhook gets a 200: Zoom accepts only 200 and 204, and retries after any other response.

        Args:
            secret: The app's secret token.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the time of arrival, 1 second to 1 day. Default: 5
                minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)`` with a Lambda integration.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://developers.zoom.us/docs/api/webhooks/
        """
        return cls._of("zoom", secret, secret_field, tolerance)

    @classmethod
    def x(cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None) -> Self:
        """X: ``x-twitter-webhooks-signature``, or ``X-Twitter-Webhooks-Signature-OAuth2``. The challenge-response check
        is answered.

        Each request is its own delivery: X sends no id.

        That check signs the text of any client, with the secret of the events. So it signs no text that could be an
        event, which has to be a JSON object. An accepted webhook gets a 200, as X requires.

        Args:
            secret: The app's consumer secret. For an app with OAuth 2.0, its client secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)`` with a Lambda integration.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://docs.x.com/x-api/webhooks/quickstart
        """
        return cls._of("x", secret, secret_field)

    @classmethod
    def linear(cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None) -> Self:
        """Linear: ``Linear-Signature``, and ``Linear-Delivery`` as the delivery's id.

        An accepted webhook gets a 200, as Linear requires. The time of sending is in the payload, as
        ``webhookTimestamp``. It is signed, but not compared with the time of arrival.

        Args:
            secret: The webhook's signing secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://linear.app/developers/webhooks
        """
        return cls._of("linear", secret, secret_field)

    @classmethod
    def pagerduty(
        cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None
    ) -> Self:
        """PagerDuty: ``X-PagerDuty-Signature``, and ``X-Webhook-Id`` as the delivery's id.

        PagerDuty treats a 401 as final, so store the secret before you create the subscription. With
        ``Ingress.direct_integration()`` no webhook gets a 401.

        Args:
            secret: The secret of the webhook subscription.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/04-Signatures.md
        """
        return cls._of("pagerduty", secret, secret_field)

    @classmethod
    def square(cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None) -> Self:
        """Square: ``x-square-hmacsha256-signature`` of URL and payload, and the payload's ``event_id`` as the
        delivery's id.

        Square signs the URL that you enter there. Put no proxy in front of it that changes the URL, and leave out a
        query.

        Args:
            secret: The signature key of the webhook subscription.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

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
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """HubSpot: ``X-HubSpot-Signature-v3`` of method, URL, payload and time.

        Each request is its own delivery: it may contain up to 100 events.

        HubSpot signs the URL that you enter there. Put no proxy in front of it that changes the URL, and leave out a
        query.

        Args:
            secret: The app's client secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the time of arrival, 1 second to 1 day. Default: 5
                minutes.

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
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> Self:
        """Paddle: ``Paddle-Signature``, and the event's ``event_id`` as the delivery's id.

        An accepted webhook gets a 200, as Paddle requires. Paddle's own library has a tolerance of 5 seconds.

        Args:
            secret: The secret key of the notification destination, ``pdl_ntfset_…``.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the time of arrival, 1 second to 1 day. Default: 5
                minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://developer.paddle.com/webhooks/signature-verification
        """
        return cls._of("paddle", secret, secret_field, tolerance)

    @classmethod
    def razorpay(
        cls, secret: secretsmanager.ISecret | secretsmanager.Secret, *, secret_field: str | None = None
    ) -> Self:
        """Razorpay: ``X-Razorpay-Signature``, and ``X-Razorpay-Event-Id`` as the delivery's id.

        Razorpay signs a retry with the secret of its first try, so change the secret once a day at most.

        Args:
            secret: The webhook's secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.

        See: https://razorpay.com/docs/webhooks/validate-test/
        """
        return cls._of("razorpay", secret, secret_field)
