"""The settings that every part of a webhook shares."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, Token
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from cdk_scalable_webhook.checks.cdk import of_alias


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """The settings that every part of a webhook shares, for an ``Ingress`` or a ``Sink`` of your own.

    Attributes:
        encryption_key: The key for queues, table and bucket. Default: AWS's own keys.
        log_retention: The time for which log groups keep their logs. Default: one month.
        removal_policy: The fate of stateful resources when the stack is deleted. Default: the CDK's own for each.
        tracing: X-Ray tracing of functions and API. Default: none.

    Raises:
        ValueError: A value is out of its limits.

    See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """

    encryption_key: kms.IKey | None = None
    log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH
    removal_policy: RemovalPolicy | None = None
    tracing: lambda_.Tracing | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        _require_removal_policy(self.removal_policy)
        _require_encryption_key(self.encryption_key)


def _require_removal_policy(value: RemovalPolicy | None) -> None:
    """Reject SNAPSHOT: no resource of a webhook has snapshots."""
    if value is RemovalPolicy.SNAPSHOT:
        raise ValueError(
            "removal_policy must be DESTROY, RETAIN or RETAIN_ON_UPDATE_OR_DELETE, got SNAPSHOT, which neither table, "
            "queues, bucket nor log groups have; take RemovalPolicy.RETAIN"
        )


def _require_encryption_key(key: kms.IKey | None) -> None:
    """Reject a key that queues, table and bucket cannot be encrypted with.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    if key is None:
        return
    target, alias = of_alias(key)
    if alias is not None and not Token.is_unresolved(alias) and alias.startswith("alias/aws/"):
        raise ValueError(
            f"encryption_key must be your own key, got {alias}, which AWS manages for one of its services; create a "
            "kms.Key, or leave it out: then AWS's own keys encrypt"
        )
    resource = target.node.default_child
    spec, usage = getattr(resource, "key_spec", None), getattr(resource, "key_usage", None)
    symmetric = spec in (None, "SYMMETRIC_DEFAULT") and usage in (None, "ENCRYPT_DECRYPT")
    if not symmetric and not Token.is_unresolved(spec) and not Token.is_unresolved(usage):
        raise ValueError(
            f"encryption_key must be symmetric and for encryption, got {spec or usage}; create it without key_spec and "
            "key_usage"
        )
    if getattr(resource, "enabled", None) is False:
        raise ValueError(
            f"encryption_key must be enabled, got {target.node.path}, which is not; leave enabled out of it"
        )
