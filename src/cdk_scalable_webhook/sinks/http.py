"""An HTTP service."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aws_cdk import Annotations, Duration, Token
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook import checks, grants
from cdk_scalable_webhook.arguments import brief
from cdk_scalable_webhook.sink import Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.sinks.network import network, trust
from webhook_runtime.contract.forwarded import OF_THE_CONNECTION, is_trusted, plain
from webhook_runtime.contract.settings import HttpSettings, to_environment

if TYPE_CHECKING:
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_secretsmanager as secretsmanager


class HttpSink(Sink):
    """An HTTP service as the sink. Made by ``Sink.http()``."""

    def __init__(
        self,
        url: str,
        *,
        timeout: Duration | None,
        signing_secret: "secretsmanager.ISecret | None",
        vpc: "ec2.IVpc | None",
        vpc_subnets: "ec2.SubnetSelection | None",
        security_groups: "Sequence[ec2.ISecurityGroup] | None",
        ca_certificates: str | Path | None,
        forward_headers: Sequence[str],
    ) -> None:
        checks.url("url", url)
        for name in forward_headers:
            _require_left_out(name)
        self._forward_headers = sorted({plain(name) for name in forward_headers})
        self._url = url
        self._timeout = checks.known_duration("timeout of Sink.http()", timeout) or Duration.seconds(10)
        self._signing_secret = signing_secret
        self._vpc = vpc
        self._vpc_subnets = vpc_subnets
        self._security_groups = security_groups
        self._ca_certificates = checks.file("ca_certificates", ca_certificates)

    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        checks.same_environment(scope, signing_secret=self._signing_secret)
        checks.http_timeout(self._timeout, options.timeout)
        if not Token.is_unresolved(self._url) and urlsplit(self._url).scheme == "http":
            Annotations.of(scope).add_warning_v2(
                "cdk-scalable-webhook:plainHttp",
                "url should be https, got http: payloads and headers travel unencrypted, and nobody is verified.",
            )
        trusted, files = trust(self._ca_certificates)
        settings = HttpSettings(
            url=self._url,
            timeout_seconds=checks.known(self._timeout),
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
        """See ``Sink.grant_write``. The service itself knows nothing of AWS's permissions."""
        grants.read_secret(self._signing_secret, grantee)


# What the sink itself says, in place of whatever a sender wrote.
_OURS = {"idempotency-key", "x-forwarded-for", "x-original-method", "x-original-uri"}


def _require_left_out(name: str) -> None:
    """
    Raises:
        ValueError: It is no header that ``forward_headers`` could make a difference to.
    """
    checks.header_name("forward_headers", name)
    compared = plain(name)
    if compared in _OURS or compared in OF_THE_CONNECTION:
        whose = "the connection's" if compared in OF_THE_CONNECTION else "the sink's own"
        raise ValueError(
            f"forward_headers must name headers of a sender, got {brief(name)}, which is {whose}; leave it out"
        )
    if not is_trusted(compared):
        raise ValueError(
            "forward_headers must name headers that are left out unless it does, got "
            f"{brief(name)}, which goes on anyway; leave it out"
        )
