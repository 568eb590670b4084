"""A Python function of the user's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook import checks
from cdk_scalable_webhook.sink import Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.sinks.network import network
from webhook_runtime.contract.settings import PythonSettings, to_environment

if TYPE_CHECKING:
    from aws_cdk import aws_ec2 as ec2


class PythonSink(Sink):
    """A Python function of yours as the sink. Made by ``Sink.python()``."""

    def __init__(
        self,
        code: str | Path,
        handler: str,
        *,
        batch: bool,
        packages: Sequence[str],
        environment: Mapping[str, str],
        vpc: "ec2.IVpc | None",
        vpc_subnets: "ec2.SubnetSelection | None",
        security_groups: "Sequence[ec2.ISecurityGroup] | None",
    ) -> None:
        self._code = Path(code)
        checks.python_code(self._code, handler)
        checks.environment(environment)
        checks.packages(packages)
        self._handler = handler
        self._batch = batch
        self._packages = list(packages)
        self._environment = dict(environment)
        self._vpc = vpc
        self._vpc_subnets = vpc_subnets
        self._security_groups = security_groups

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
        """See ``Sink.grant_write``. What the function needs is granted by whoever wrote it."""
