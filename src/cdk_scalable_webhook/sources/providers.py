"""The methods of ``Source``, one for each provider that ``webhook_runtime.contract.providers`` has a record of.

`make generate` writes the methods, so that editors and type checkers know them. `make check` compares them with the
records.
"""

from abc import ABC, abstractmethod
from typing import Self

from aws_cdk import Duration
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook.checks.types import typed


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
