"""A source: the signature of a provider, the id of its deliveries, and its endpoint verification."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import grants
from cdk_scalable_webhook.acknowledgement import Acknowledgement
from cdk_scalable_webhook.checks.cdk import require_same_environment
from cdk_scalable_webhook.checks.signing import require_header_names, require_parts, require_signed_content
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import (
    DAY,
    MINUTE,
    in_seconds,
    require_at_most_one,
    require_choice,
    require_duration,
    require_header_of_provider,
    require_known,
    require_text,
    require_unset,
)
from cdk_scalable_webhook.monitoring import count, counted
from cdk_scalable_webhook.packaging.handler import require_handler, require_packages
from cdk_scalable_webhook.sources.probe import MAX_FIELD, Probe
from cdk_scalable_webhook.sources.providers import Providers
from webhook_runtime.contract.providers import BY_METHOD
from webhook_runtime.contract.schemes import of_ways
from webhook_runtime.contract.settings import SourceSettings, to_environment

if TYPE_CHECKING:  # importing it slows each synth
    from aws_cdk import aws_cloudwatch as cloudwatch

_TOLERANCE = 5 * MINUTE


@typed
class Source(Providers):
    """A provider of webhooks: its signature, and the id of its deliveries.

    A request without a valid signature is rejected. With ``Ingress.lambda_integration()`` the endpoint answers 401.
    With ``Ingress.direct_integration()`` the consumer sends it to ``unverified_queue`` before any sink sees it. If the
    secret cannot be read, no request is let in. After a rotation in Secrets Manager two secrets are valid, the new one
    and the previous one.

    Each ``secret`` is in Secrets Manager, as plain text, or as JSON with the secret in ``secret_field``. It need not
    exist yet when you deploy the stack.

    Some providers verify the endpoint before they send webhooks. Such a handshake is answered, and not stored. It
    mostly needs code, so ``Ingress.lambda_integration()``. With ``Ingress.direct_integration()`` API Gateway itself
    answers those of ``okta`` and ``microsoft_graph``.

    See: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
    """

    def __init__(
        self,
        kind: str,
        scheme: Mapping[str, object],
        secret: secretsmanager.ISecret | secretsmanager.Secret | None,
        secret_field: str | None = None,
        *,
        handshakes: Sequence[Sequence[str]] = (),
        token_field: str | None = None,
        packages: Sequence[str] = (),
        code: Path | None = None,
        acknowledgement: Acknowledgement | None = None,
    ) -> None:
        """Do not call this: use the static methods, which know the scheme of each provider.

        Args:
            kind: The scheme of the signature, one of ``webhook_runtime.contract.schemes.KINDS``.
            scheme: The fields of that kind that differ from its defaults.
            secret: The secret.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.
            handshakes: The requests by which the provider verifies the endpoint. Each is one of
                ``webhook_runtime.sources.handshakes.KINDS``, and its arguments. Default: none.
            token_field: The key, in the same secret, of a token for the handshake only. Default: no such token.
            packages: The packages, besides boto3, that the verifying function imports. Default: none.
            code: The user's folder or file that goes into that function. Default: none.
            acknowledgement: The response that the provider accepts, if it does not accept every 2xx. Default: 202 and
                ``{"id": …}``.

        Raises:
            ValueError: ``secret_field`` is too long or not printable.
        """
        require_text("secret_field", secret_field, MAX_FIELD, "signing_secret")
        self._kind = kind
        self._scheme = scheme
        self._secret = secret
        self._secret_field = secret_field
        self._handshakes = handshakes
        self._token_field = token_field
        self._packages = packages
        self._code = code
        self._acknowledgement = acknowledgement

    @staticmethod
    def standard_webhooks(
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        key_encoding: str = "base64",
        secret_field: str | None = None,
        tolerance: Duration | None = None,
    ) -> "Source":
        """Standard Webhooks: ``webhook-signature``, ``webhook-timestamp``, and ``webhook-id`` as the delivery's id.

        Svix's names for these headers are known as well: ``svix-signature`` and so on.

        Args:
            secret: The signing secret, ``whsec_…`` or only its base64.
            key_encoding: The encoding of the key in the secret: ``base64``, as in the specification, or ``text``, for
                providers that sign with the text of the secret itself. Default: ``base64``.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.
            tolerance: How far the signature's timestamp may be from the time of arrival, 1 second to 1 day. Default: 5
                minutes.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``key_encoding`` is neither, or ``tolerance`` or ``secret_field`` is out of its limits.

        See: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        """
        require_choice("key_encoding", key_encoding, ("base64", "text"))
        return Source._of("standard_webhooks", secret, secret_field, tolerance, key=key_encoding)

    @staticmethod
    def meta(
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        secret_field: str = "app_secret",  # noqa: S107 (a key, as the next)
        verify_token_field: str = "verify_token",  # noqa: S107
    ) -> "Source":
        """Meta: ``X-Hub-Signature-256``. A ``hub.challenge`` with the right ``hub.verify_token`` is answered.

        Each request is its own delivery: Meta sends no id. An accepted webhook gets a 200, as Meta requires.

        Args:
            secret: A JSON secret with the app's secret and the verify token that you chose.
            secret_field: The key of the app's secret in it, up to 256 characters. Default: ``app_secret``.
            verify_token_field: The key of the verify token in it, up to 256 characters. Default: ``verify_token``.

        Returns:
            The source, for ``ScalableWebhook(source=…)`` with a Lambda integration.

        Raises:
            ValueError: ``secret_field`` or ``verify_token_field`` is too long or not printable.

        See: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
        """
        require_text("verify_token_field", verify_token_field, MAX_FIELD, "verify_token")
        return Source._of("meta", secret, secret_field, token_field=verify_token_field)

    @staticmethod
    def okta(
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        header: str = "Authorization",
        secret_field: str | None = None,
    ) -> "Source":
        """Okta's event hooks: the secret itself in a header, and the ``eventId`` as the delivery's id. The one-time
        verification is answered.

        With ``Ingress.direct_integration()`` API Gateway answers it, and every other GET, from any client.

        An accepted webhook gets a 200: Okta accepts only 200 and 204.

        Args:
            secret: The authentication secret of the event hook.
            header: The authentication field of the event hook. Default: ``Authorization``.
            secret_field: The secret's key, up to 256 characters, if it is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``header`` is not a header name, or ``secret_field`` is out of its limits.

        See: https://developer.okta.com/docs/concepts/event-hooks/
        """
        require_header_of_provider("header", header)
        return Source._of("okta", secret, secret_field, header=header)

    @staticmethod
    def hmac(
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        header: str | Sequence[str],
        algorithm: str = "sha256",
        encoding: str = "hex",
        prefix: str = "",
        separator: str | None = None,
        signed_content: str = "{body}",
        key_encoding: str = "text",
        timestamp_header: str | None = None,
        timestamp_prefix: str | None = None,
        timestamp_format: str | None = None,
        tolerance: Duration | None = None,
        id_header: str | None = None,
        id_field: str | None = None,
        probe: Probe | None = None,
        secret_field: str | None = None,
    ) -> "Source":
        """Any other provider that signs with an HMAC.

        Args:
            secret: The secret that both sides share.
            header: The header with the signature; or up to 5, if one of several may match.
            algorithm: ``sha1``, ``sha256``, ``sha384`` or ``sha512``. Default: ``sha256``.
            encoding: ``hex``, in lower case, ``base64`` or ``base64url``. Default: ``hex``.
            prefix: The text before each signature in its header, such as ``sha256=``, up to 256 characters. Default:
                nothing.
            separator: The text between the parts of a header, if it has several, such as ``,``, up to 8 characters.
                Parts without the ``prefix`` are no signatures, and one match is enough. Default: the header is one
                signature.
            signed_content: The signed content, up to 256 characters: ``{body}``, and around it ``{timestamp}`` and
                ``{id}`` of the headers, ``{method}``, and ``{url}`` of the request. Between ``{id}`` and ``{body}``
                there must be a text. An id that contains that text is rejected. So is a payload next to ``{url}`` that
                starts or ends there with a character that a URL may contain. Default: only the payload.
            key_encoding: The encoding of the key in the secret: ``text``, ``hex`` or ``base64``. Default: ``text``.
            timestamp_header: The header with the time of signing. Default: none, so a recorded request may be replayed.
                Then it is a duplicate only if it has the same ``id_header`` or ``id_field``.
            timestamp_prefix: The text before that time in ``header`` itself, between its separators, such as ``t=``, up
                to 256 characters. Default: it is not there.
            timestamp_format: The format of that time: ``seconds`` since 1970, ``milliseconds``, or ``iso8601``.
                Default: ``seconds``.
            tolerance: How far that time may be from the time of arrival, 1 second to 1 day. Default: 5 minutes.
            id_header: The header that makes a delivery unique. Default: each request is its own delivery.
            id_field: The key of a JSON payload, a text or a whole number, that makes a delivery unique, up to 256
                characters. For a nested one, the keys from the outside in, with dots between, such as ``action.id``.
                Default: each request is its own delivery.
            probe: The unsigned request by which the provider verifies the endpoint. It is answered, and not stored.
                Default: none.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``. A ``probe`` needs ``Ingress.lambda_integration()``.

        Raises:
            ValueError: An argument has another value, one header has two meanings, or ``signed_content`` leaves out a
                part, or is ambiguous.

        Example:
            ```python
            Source.hmac(
                secret,
                header="Mux-Signature",
                prefix="v1=",
                separator=",",
                timestamp_prefix="t=",
                signed_content="{timestamp}.{body}",
                id_field="id",
            )
            ```
        """
        headers = [header] if isinstance(header, str) else list(header)
        require_header_names(header=headers, timestamp_header=timestamp_header, id_header=id_header)
        require_choice("algorithm", algorithm, ("sha1", "sha256", "sha384", "sha512"))
        require_choice("encoding", encoding, ("hex", "base64", "base64url"))
        require_choice("key_encoding", key_encoding, ("text", "hex", "base64"))
        require_choice("timestamp_format", timestamp_format or "seconds", ("seconds", "milliseconds", "iso8601"))
        require_text("prefix", prefix or None, MAX_FIELD, "sha256=")
        require_text("separator", separator, 8, ",")
        require_text("timestamp_prefix", timestamp_prefix, MAX_FIELD, "t=")
        require_text("signed_content", signed_content, MAX_FIELD, "{timestamp}.{body}")
        require_text("id_field", id_field, MAX_FIELD, "id")
        require_at_most_one(id_header=id_header, id_field=id_field)
        require_at_most_one(timestamp_header=timestamp_header, timestamp_prefix=timestamp_prefix)
        require_parts(prefix=prefix, separator=separator, timestamp_prefix=timestamp_prefix)
        is_timed = timestamp_header is not None or timestamp_prefix is not None
        require_signed_content(signed_content, is_timed=is_timed, id_header=id_header)
        if not is_timed:
            without = "no timestamp_header and no timestamp_prefix"
            remedy = "say where the time is, and put {timestamp} into signed_content, or leave {them} out"
            require_unset(without, remedy, tolerance=tolerance, timestamp_format=timestamp_format)
        scheme = {
            "algorithm": algorithm,
            "encoding": encoding,
            "prefix": prefix,
            "separator": separator or "",
            "signed": signed_content,
            "key": key_encoding,
            "timestamp_header": timestamp_header,
            "timestamp_prefix": timestamp_prefix,
            "timestamp_format": timestamp_format or "seconds",
            "tolerance": _seconds(tolerance, _TOLERANCE) if is_timed else None,
            "id_header": id_header,
            "id_field": id_field,
        }
        kind, of_all = of_ways("hmac", [{"header": each, **scheme} for each in headers])
        return Source(kind, of_all, secret, secret_field, handshakes=[probe.describe()] if probe else [])

    @staticmethod
    def token(
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        *,
        header: str,
        prefix: str = "",
        id_header: str | None = None,
        id_field: str | None = None,
        probe: Probe | None = None,
        secret_field: str | None = None,
    ) -> "Source":
        """Any other provider that signs nothing, and sends the secret itself in a header. No sink gets that header.

        Args:
            secret: The secret that both sides share.
            header: The header with the secret.
            prefix: The text before the secret in its header, such as ``Bearer ``, up to 256 characters. Default:
                nothing.
            id_header: The header that makes a delivery unique. Default: each request is its own delivery.
            id_field: The key of a JSON payload, a text or a whole number, that makes a delivery unique, up to 256
                characters. For a nested one, the keys from the outside in, with dots between, such as ``action.id``.
                Default: each request is its own delivery.
            probe: The request, without the secret, by which the provider verifies the endpoint. It is answered, and not
                stored. Default: none.
            secret_field: Its key, up to 256 characters, if the secret is JSON. Default: plain text.

        Returns:
            The source, for ``ScalableWebhook(source=…)``. A ``probe`` needs ``Ingress.lambda_integration()``.

        Raises:
            ValueError: An argument has another value, or one header has two meanings.

        Example:
            ```python
            Source.token(secret, header="X-Telegram-Bot-Api-Secret-Token", id_field="update_id")
            ```
        """
        require_header_names(header=[header], id_header=id_header)
        require_text("prefix", prefix or None, MAX_FIELD, "Bearer ")
        require_text("id_field", id_field, MAX_FIELD, "id")
        require_at_most_one(id_header=id_header, id_field=id_field)
        scheme = {"header": header, "prefix": prefix, "id_header": id_header, "id_field": id_field}
        return Source("token", scheme, secret, secret_field, handshakes=[probe.describe()] if probe else [])

    @staticmethod
    def custom(
        code: str | Path,
        handler: str,
        *,
        secret: secretsmanager.ISecret | secretsmanager.Secret | None = None,
        secret_field: str | None = None,
        packages: Sequence[str] = (),
    ) -> "Source":
        """Your own Python function that verifies requests, for a signature that no other source knows.

        It is called with the ``Webhook`` and the list of its secrets, the newest first. To reject a request, raise
        ``Unverified(reason)`` of ``webhook_runtime``. Return the id that makes the delivery unique, or None. For a
        handshake return an ``Answer``, which the provider gets and which is not stored. If the function fails in any
        other way, no request is let in: the endpoint answers 500, and behind a direct integration the webhook is
        retried.

        Args:
            code: The folder whose content goes into the verifying function, or one ``.py`` file. Files that are never
                code of a function are left out: see ``Sink.python()``.
            handler: ``module.function`` in it.
            secret: The secret that it needs. Default: none, so its list is empty.
            secret_field: The secret's key, up to 256 characters, if it is JSON. Default: plain text.
            packages: The packages that it imports, pure Python, and installed in the environment of the synthesis.
                Leave out boto3, which is there: see ``Sink.python()``. Default: none.

        Returns:
            The source, for ``ScalableWebhook(source=…)``.

        Raises:
            ValueError: ``code`` has no such function; a package, or one that it requires, is not installed; or
                ``secret_field`` has no secret.

        Example:
            ```python
            Source.custom("verify", "bank.verify", secret=certificate)
            ```
        """
        require_handler(Path(code), handler)
        require_packages(packages)
        if secret is None:
            require_unset("no secret", secret_field=secret_field)
        return Source("custom", {"handler": handler}, secret, secret_field, packages=packages, code=Path(code))

    @classmethod
    def _of(
        cls,
        method: str,
        secret: secretsmanager.ISecret | secretsmanager.Secret,
        secret_field: str | None,
        tolerance: Duration | None = None,
        token_field: str | None = None,
        **others: object,
    ) -> Self:
        """Make the source of a provider. ``others`` are fields of its scheme that differ from its record."""
        provider = BY_METHOD[method]
        if provider.signs_time:
            others["tolerance"] = _seconds(tolerance, provider.minutes * MINUTE)
        kind, scheme = of_ways(provider.kind, [{**way, **others} for way in provider.ways])
        return cls(
            kind,
            scheme,
            secret,
            secret_field,
            handshakes=provider.handshakes,
            token_field=token_field,
            acknowledgement=Acknowledgement(*provider.accepted) if provider.accepted else None,
        )

    @property
    def delivery_id_header(self) -> str | None:
        """Return the header that makes a delivery unique, if there is one. The first way to sign counts."""
        header = self._ways[0].get("id_header")
        return None if header is None else str(header)

    @property
    def headers(self) -> frozenset[str]:
        """Return the headers that prove the provider, in lower case."""
        named = (way.get(name) for way in self._ways for name in ("header", "timestamp_header", "id_header"))
        return frozenset(str(name).lower() for name in named if name is not None)

    @property
    def id_headers(self) -> set[str]:
        """Return the headers that make a delivery unique, in lower case."""
        return {str(way["id_header"]).lower() for way in self._ways if way.get("id_header") is not None}

    @property
    def signs_url(self) -> bool:
        """Return whether the signature covers the URL too, and so all of its query."""
        return self._kind == "twilio" or any("{url}" in str(way.get("signed", "")) for way in self._ways)

    @property
    def _ways(self) -> Sequence[Mapping[str, object]]:
        return cast(Sequence[Mapping[str, object]], self._scheme.get("ways", [self._scheme]))

    @property
    def handshakes(self) -> Sequence[str]:
        """Return the kinds of requests by which the provider verifies the endpoint."""
        return [kind for kind, *_ in self._handshakes]

    @property
    def gives_ids(self) -> bool:
        """Return whether the provider gives each delivery an id, in a header or in the payload."""
        return any(way.get(name) is not None for way in self._ways for name in ("id_header", "id_field"))

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        """Return the response that the provider accepts, if it does not accept every 2xx."""
        return self._acknowledgement

    @property
    def secret_arn(self) -> str | None:
        """Return the ARN of the secret, if there is one, as the verifying function knows it."""
        return None if self._secret is None else self._secret.secret_arn

    @property
    def packages(self) -> Sequence[str]:
        """Return the packages, besides boto3, that the verifying function imports."""
        return self._packages

    @property
    def code(self) -> Path | None:
        """Return the user's folder or file that goes into the verifying function."""
        return self._code

    def describe(self) -> Mapping[str, Any]:
        """Describe the source for the verifying function.

        Returns:
            Values for JSON: the scheme, the handshakes, and the ARN of the secret. Never the secret itself.
        """
        described: dict[str, Any] = {"kind": self._kind, "scheme": self._scheme}
        if self._secret is not None:
            described["secret"] = _secret(self._secret, self._secret_field)
        if self._secret is not None and self._token_field is not None:
            described["token"] = _secret(self._secret, self._token_field)
        if self._handshakes:
            described["handshakes"] = self._handshakes
        return described

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Grant permission to read the secret, if there is one.

        Args:
            grantee: The verifying function.

        Raises:
            ValueError: The secret is in another account or region than the function.
        """
        if self._secret is not None:
            require_same_environment(cast(Construct, grantee), secret=self._secret)
            grants.read_secret(self._secret, grantee)


def count_mismatched(function: lambda_.Function, queue: sqs.IQueue, sources: Iterable[Source]) -> None:
    """Make a metric of the log lines that report a secret that matches no signature."""
    if any(source.secret_arn for source in sources):
        lines = logs.FilterPattern.exists("$.secret")
        count("Mismatched", function, queue, lines, dimensions={"Secret": "$.secret"})


def metric_mismatched(queue: sqs.IQueue, secret_arn: str, period: Duration | None) -> "cloudwatch.Metric":
    """Return the count of one secret, in any function of this queue."""
    return counted("Mismatched", queue, period, {"Secret": secret_arn})


def environment(sources: Mapping[str, Source | None]) -> dict[str, str]:
    """Return the environment of the function that verifies these endpoints, by path. A source of None needs no check.
    Return nothing if no endpoint needs one."""
    described = {mount: source and source.describe() for mount, source in sources.items()}
    return to_environment(SourceSettings(described if any(described.values()) else None))


def _secret(secret: secretsmanager.ISecret | secretsmanager.Secret, field: str | None) -> dict[str, str]:
    return {"arn": secret.secret_arn} | ({"field": field} if field else {})


def _seconds(tolerance: Duration | None, default: float) -> int:
    require_known("tolerance", tolerance)
    require_duration("tolerance", tolerance, 1, DAY)
    return int(default if tolerance is None else in_seconds(tolerance))
