"""Who sends: how the sender signs, and what makes one of its deliveries unique."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_iam as iam

from cdk_scalable_webhook import checks

if TYPE_CHECKING:  # importing it costs every synth
    from aws_cdk import aws_secretsmanager as secretsmanager

# What Stripe, Slack and Standard Webhooks recommend.
_TOLERANCE = Duration.minutes(5)


class Source:
    """Who sends: how requests are signed, and which of them is which delivery.

    What is not signed by the secret is refused: with ``Ingress.lambda_integration()`` at the door, by 401, and with
    ``Ingress.direct_integration()`` by the consumer, which sends it to the dead-letter queue before any sink sees it.
    Where the secret cannot be read nobody is let in. After a rotation in Secrets Manager both secrets are good, the new
    one and the one before it.

    Every ``secret`` is one of Secrets Manager, as plain text, or JSON with the secret in ``secret_field``.
    """

    def __init__(
        self, scheme: Mapping[str, object], secret: "secretsmanager.ISecret", secret_field: str | None = None
    ) -> None:
        """Not called by itself: the static methods know each sender's scheme.

        Args:
            scheme: The fields of ``webhook_runtime.verify.Scheme`` that differ from its defaults.
            secret: The secret.
            secret_field: Its key, where the secret is JSON.
        """
        self._scheme = scheme
        self._secret = secret
        self._secret_field = secret_field

    @staticmethod
    def github(secret: "secretsmanager.ISecret", *, secret_field: str | None = None) -> "Source":
        """GitHub: ``X-Hub-Signature-256``, and ``X-GitHub-Delivery`` as the delivery's id.

        Args:
            secret: The webhook's secret.
            secret_field: Its key, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        See: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
        """
        scheme = {"header": "X-Hub-Signature-256", "prefix": "sha256=", "id_header": "X-GitHub-Delivery"}
        return Source(scheme, secret, secret_field)

    @staticmethod
    def stripe(
        secret: "secretsmanager.ISecret", *, secret_field: str | None = None, tolerance: Duration | None = None
    ) -> "Source":
        """Stripe: ``Stripe-Signature``, and the event's ``id`` as the delivery's id.

        Args:
            secret: The endpoint's signing secret, ``whsec_…``.
            secret_field: Its key, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``tolerance`` is out of its limits.

        See: https://docs.stripe.com/webhooks/signature
        """
        scheme = {
            "header": "Stripe-Signature",
            "form": "stripe",
            "signed": "{timestamp}.{body}",
            "tolerance": _seconds(tolerance or _TOLERANCE),
            "id_field": "id",
        }
        return Source(scheme, secret, secret_field)

    @staticmethod
    def slack(
        secret: "secretsmanager.ISecret", *, secret_field: str | None = None, tolerance: Duration | None = None
    ) -> "Source":
        """Slack: ``X-Slack-Signature``, and the event's ``event_id`` as the delivery's id.

        Args:
            secret: The app's signing secret.
            secret_field: Its key, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``tolerance`` is out of its limits.

        See: https://docs.slack.dev/authentication/verifying-requests-from-slack
        """
        scheme = {
            "header": "X-Slack-Signature",
            "prefix": "v0=",
            "signed": "v0:{timestamp}:{body}",
            "timestamp_header": "X-Slack-Request-Timestamp",
            "tolerance": _seconds(tolerance or _TOLERANCE),
            "id_field": "event_id",
        }
        return Source(scheme, secret, secret_field)

    @staticmethod
    def shopify(secret: "secretsmanager.ISecret", *, secret_field: str | None = None) -> "Source":
        """Shopify: ``X-Shopify-Hmac-Sha256``, and ``X-Shopify-Webhook-Id`` as the delivery's id.

        Args:
            secret: The app's client secret.
            secret_field: Its key, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        See: https://shopify.dev/docs/apps/build/webhooks/subscribe/https
        """
        scheme = {"header": "X-Shopify-Hmac-Sha256", "encoding": "base64", "id_header": "X-Shopify-Webhook-Id"}
        return Source(scheme, secret, secret_field)

    @staticmethod
    def standard_webhooks(
        secret: "secretsmanager.ISecret", *, secret_field: str | None = None, tolerance: Duration | None = None
    ) -> "Source":
        """Standard Webhooks, which many follow: ``webhook-signature``, ``webhook-timestamp``, and ``webhook-id`` as the
        delivery's id.

        Args:
            secret: The signing secret, ``whsec_…`` or its base64 alone.
            secret_field: Its key, where the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the arrival, 1 second to 1 day. Default: 5 minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``tolerance`` is out of its limits.

        See: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        """
        scheme = {
            "header": "webhook-signature",
            "form": "standard",
            "encoding": "base64",
            "key": "base64",
            "signed": "{id}.{timestamp}.{body}",
            "timestamp_header": "webhook-timestamp",
            "tolerance": _seconds(tolerance or _TOLERANCE),
            "id_header": "webhook-id",
        }
        return Source(scheme, secret, secret_field)

    @staticmethod
    def hmac(
        secret: "secretsmanager.ISecret",
        *,
        header: str,
        algorithm: str = "sha256",
        encoding: str = "hex",
        prefix: str = "",
        signed_content: str = "{body}",
        timestamp_header: str | None = None,
        tolerance: Duration | None = None,
        id_header: str | None = None,
        secret_field: str | None = None,
    ) -> "Source":
        """Any other sender that signs with an HMAC.

        Args:
            secret: The secret that both sides share.
            header: The header with the signature.
            algorithm: ``sha1``, ``sha256``, ``sha384`` or ``sha512``. Default: ``sha256``.
            encoding: ``hex``, in lower case, or ``base64``. Default: ``hex``.
            prefix: What stands before the signature in its header, such as ``sha256=``. Default: nothing.
            signed_content: What is signed: ``{body}``, and around it ``{timestamp}`` and ``{id}``, the values of their
                headers. Default: the payload alone.
            timestamp_header: The header with the time of signing, in seconds since 1970. Default: none, so that a
                request may be replayed; its ``id_header`` then has to keep it from being stored again.
            tolerance: How far that time may be from the arrival, 1 second to 1 day. Default: 5 minutes.
            id_header: The header that makes a delivery unique. Default: each request is its own delivery.
            secret_field: Its key, where the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: An argument is none of those, or ``signed_content`` does not cover what it should.
        """
        for name, value in {"header": header, "timestamp_header": timestamp_header, "id_header": id_header}.items():
            checks.header_name(name, value)
        checks.choice("algorithm", algorithm, ("sha1", "sha256", "sha384", "sha512"))
        checks.choice("encoding", encoding, ("hex", "base64"))
        checks.signed_content(signed_content, timestamp_header=timestamp_header, id_header=id_header)
        if timestamp_header is None:
            checks.nothing_set("no timestamp_header", tolerance=tolerance)
        scheme = {
            "header": header,
            "algorithm": algorithm,
            "encoding": encoding,
            "prefix": prefix,
            "signed": signed_content,
            "timestamp_header": timestamp_header,
            "tolerance": _seconds(tolerance or _TOLERANCE) if timestamp_header else None,
            "id_header": id_header,
        }
        return Source(scheme, secret, secret_field)

    @property
    def delivery_id_header(self) -> str | None:
        """The header that makes a delivery unique, where it is one."""
        header = self._scheme.get("id_header")
        return None if header is None else str(header)

    def environment(self) -> Mapping[str, str]:
        """What the function that verifies has to know."""
        field = {"WEBHOOK_SOURCE_SECRET_FIELD": self._secret_field} if self._secret_field else {}
        scheme = json.dumps(self._scheme, separators=(",", ":"))
        return {"WEBHOOK_SOURCE": scheme, "WEBHOOK_SOURCE_SECRET_ARN": self._secret.secret_arn, **field}

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Permit reading the secret.

        Args:
            grantee: The function that verifies.
        """
        self._secret.grant_read(grantee)


def _seconds(tolerance: Duration) -> float:
    checks.known_duration("tolerance", tolerance)
    checks.duration("tolerance", tolerance, Duration.seconds(1), Duration.days(1))
    return checks.known(tolerance)
