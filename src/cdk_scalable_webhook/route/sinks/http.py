"""The sink for an HTTP service."""

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from aws_cdk import Annotations, Duration, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk_scalable_webhook import grants
from cdk_scalable_webhook.checks.cdk import require_same_environment
from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import (
    MINUTE,
    in_seconds,
    known_seconds,
    once_looked_up,
    require_duration,
    require_file,
    require_header_name,
    require_known,
    show,
)
from cdk_scalable_webhook.route.sink import Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.route.sinks.network import network, trust
from webhook_runtime.contract.forwarded import OF_THE_CONNECTION, is_trusted, plain
from webhook_runtime.contract.settings import HttpSettings, to_environment


class HttpSink(Sink):
    """An HTTP service as the sink. Made by ``Sink.http()``."""

    def __init__(
        self,
        url: str,
        *,
        timeout: Duration | None,
        signing_secret: secretsmanager.ISecret | None,
        vpc: ec2.IVpc | None,
        vpc_subnets: ec2.SubnetSelection | None,
        security_groups: Sequence[ec2.ISecurityGroup] | None,
        ca_certificates: str | Path | None,
        forward_headers: Sequence[str],
    ) -> None:
        _require_url("url", url)
        for name in forward_headers:
            _require_left_out(name)
        self._forward_headers = sorted({plain(name) for name in forward_headers})
        self._url = url
        self._timeout = require_known("timeout of Sink.http()", timeout) or Duration.seconds(10)
        self._signing_secret = signing_secret
        self._vpc = vpc
        self._vpc_subnets = vpc_subnets
        self._security_groups = security_groups
        self._ca_certificates = require_file("ca_certificates", ca_certificates)

    @property
    def can_be_pinged(self) -> bool:
        """See ``Sink.can_be_pinged``."""
        return True

    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        require_same_environment(scope, signing_secret=self._signing_secret)
        _require_timeout(self._timeout, options.timeout)
        if not Token.is_unresolved(self._url) and urlsplit(self._url).scheme == "http":
            Annotations.of(scope).add_warning_v2(
                "cdk-scalable-webhook:plainHttp",
                "url should be https, got http: payloads and headers travel unencrypted, and the service is not "
                "verified.",
            )
        trusted, files = trust(self._ca_certificates)
        settings = HttpSettings(
            url=self._url,
            timeout_seconds=in_seconds(self._timeout),
            signing_secret_arn=self._signing_secret.secret_arn if self._signing_secret is not None else None,
            ca_certificates=trusted,
            forward_headers=tuple(self._forward_headers),
        )
        return SinkConfig(
            "http",
            to_environment(settings),
            files=files,
            network=network(scope, self._vpc, self._vpc_subnets, self._security_groups),
        )

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """See ``Sink.grant_write``. The service itself needs no AWS permissions."""
        grants.read_secret(self._signing_secret, grantee)


# The headers that the sink itself writes, instead of those of a client.
_OURS = {"idempotency-key", "x-forwarded-for", "x-original-method", "x-original-uri"}


def _require_left_out(name: str) -> None:
    """Reject a header that is always or never forwarded, so that ``forward_headers`` cannot change it."""
    require_header_name("forward_headers", name)
    compared = plain(name)
    if compared in _OURS or compared in OF_THE_CONNECTION:
        whose = "the connection's" if compared in OF_THE_CONNECTION else "the sink's own"
        raise ValueError(
            f"forward_headers must name headers of a provider, got {brief(name)}, which is {whose}; leave it out"
        )
    if not is_trusted(compared):
        raise ValueError(
            "forward_headers must name headers that are left out by default, got "
            f"{brief(name)}, which is forwarded anyway; leave it out"
        )


@once_looked_up
def _require_url(argument: str, value: str) -> None:
    """Require an absolute http or https URL."""
    if Token.is_unresolved(value):
        return
    try:
        parts = urlsplit(value)
        is_absolute = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # for an invalid port or IPv6 address
        is_absolute = False
    # A password in it would be in the template and the environment.
    if not is_absolute or "@" in parts.netloc or not re.fullmatch(r"[\x21-\x7e]{1,2048}", value):
        raise ValueError(
            f"{argument} must be an absolute http or https URL without user and password, got {brief(value)}; "
            "for example 'https://orders.example.com/webhooks', with everything but ASCII percent-encoded"
        )


def _require_timeout(value: Duration, consumer_timeout: Duration) -> None:
    """Require that an answer times out before the consumer does."""
    limit = known_seconds(consumer_timeout)
    require_duration("timeout of Sink.http()", value, 1, 15 * MINUTE)
    if limit is not None and in_seconds(value) >= limit:
        raise ValueError(
            f"the timeout of Sink.http() must be shorter than the consumer's of {show(consumer_timeout)}, "
            f"got {show(value)}; shorten it, or raise timeout of the ScalableWebhook"
        )
