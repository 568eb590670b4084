"""The sink for a Python function of the user."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.packaging.handler import require_handler, require_packages
from cdk_scalable_webhook.route.sink import Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.route.sinks.network import network
from webhook_runtime.contract import variables
from webhook_runtime.contract.settings import PythonSettings, to_environment


class PythonSink(Sink):
    """Your own Python function as the sink. Made by ``Sink.python()``."""

    def __init__(
        self,
        code: str | Path,
        handler: str,
        *,
        batch: bool,
        packages: Sequence[str],
        environment: Mapping[str, str],
        vpc: ec2.IVpc | None,
        vpc_subnets: ec2.SubnetSelection | None,
        security_groups: Sequence[ec2.ISecurityGroup] | None,
    ) -> None:
        self._code = Path(code)
        self._can_be_pinged = require_handler(self._code, handler)
        _require_environment(environment)
        require_packages(packages)
        self._handler = handler
        self._batch = batch
        self._packages = list(packages)
        self._environment = dict(environment)
        self._vpc = vpc
        self._vpc_subnets = vpc_subnets
        self._security_groups = security_groups

    @property
    def can_be_pinged(self) -> bool:
        """See ``Sink.can_be_pinged``. The module of the handler has ``def ping()``."""
        return self._can_be_pinged

    def bind(self, scope: Construct, _options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        return SinkConfig(
            "python",
            {**self._environment, **to_environment(PythonSettings(self._handler, self._batch))},
            packages=self._packages,
            code=self._code,
            network=network(scope, self._vpc, self._vpc_subnets, self._security_groups),
        )

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """See ``Sink.grant_write``. The user grants the permissions that the function needs."""


def _require_environment(values: Mapping[str, str]) -> None:
    """Reject names that Lambda does not accept, or that are the construct's own.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    bad = [
        name
        for name in values
        if not variables.NAME.fullmatch(name) or name.startswith("WEBHOOK_") or name in variables.RESERVED
    ]
    if bad:
        raise ValueError(
            "environment must have names of 2 or more letters, digits and underscores that neither start with WEBHOOK_ "
            f"nor are Lambda's own, got {', '.join(map(brief, bad))}; rename them, for example to 'ORDERS_TABLE'"
        )
