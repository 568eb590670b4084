"""The bucket for payloads that do not fit into an SQS message."""

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook import findings, grants
from cdk_scalable_webhook.common import CommonOptions
from webhook_runtime.contract.limits import QUEUED, STORED

if TYPE_CHECKING:  # importing it slows each synth, and most need no bucket
    from aws_cdk import aws_s3 as s3

    from cdk_scalable_webhook.route.queue import Queues


def payload_bucket(
    scope: Construct,
    wanted: "bool | s3.IBucket",
    queues: "Queues",
    common: CommonOptions,
) -> "s3.IBucket | None":
    """Return the existing bucket, or a new one: encrypted, for TLS only, with a lifecycle that deletes payloads in
    flight once none can be. None if payloads must fit into a message."""
    if not isinstance(wanted, bool):
        return wanted
    if not wanted:
        return None
    from aws_cdk import aws_s3 as s3

    bucket = s3.Bucket(
        scope,
        "Payloads",
        encryption=s3.BucketEncryption.KMS if common.encryption_key else s3.BucketEncryption.S3_MANAGED,
        encryption_key=common.encryption_key,
        bucket_key_enabled=True if common.encryption_key else None,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[
            s3.LifecycleRule(prefix=QUEUED, expiration=Duration.days(queues.days)),
            s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)),
        ],
        removal_policy=common.removal_policy,
    )
    findings.acknowledge(bucket, findings.NO_BUCKET_LOGS, findings.NO_VERSIONS)
    return bucket


def grant_put(bucket: "s3.IBucket", publisher: iam.IGrantable) -> None:
    """Permit putting payloads of messages in flight.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    # The grants of the CDK permit more: retention, legal holds and tags of the bucket, and decryption with the key.
    _grant(bucket, publisher, ["s3:PutObject"], QUEUED)
    grants.use_key(bucket.encryption_key, publisher, "kms:GenerateDataKey")


def grant_take(bucket: "s3.IBucket", consumer: iam.IGrantable) -> None:
    """Permit fetching payloads in flight, and deleting those that are stored."""
    # The CDK's own grants permit all versions, and the settings of the bucket.
    _grant(bucket, consumer, ["s3:GetObject", "s3:DeleteObject"], QUEUED)
    # Without s3:ListBucket, S3 answers 403 for a missing object, as it does for a missing permission. A condition on
    # s3:prefix would never match, since GetObject does not have that key.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    iam.Grant.add_to_principal(grantee=consumer, actions=["s3:ListBucket"], resource_arns=[bucket.bucket_arn])
    grants.use_key(bucket.encryption_key, consumer, "kms:Decrypt")


def grant_keep(bucket: "s3.IBucket", consumer: iam.IGrantable) -> None:
    """Permit a sink to keep payloads for good."""
    _grant(bucket, consumer, ["s3:PutObject"], STORED)
    grants.use_key(bucket.encryption_key, consumer, "kms:GenerateDataKey")


def _grant(bucket: "s3.IBucket", grantee: iam.IGrantable, actions: list[str], prefix: str) -> None:
    arns = [bucket.arn_for_objects(f"{prefix}*")]
    iam.Grant.add_to_principal(grantee=grantee, actions=actions, resource_arns=arns)
    stack = Stack.of(cast(Construct, grantee))
    findings.acknowledge_policy(grantee.grant_principal, findings.OBJECTS.about(stack, arns[0]))


def require_code_at_both_ends(*, ingress_takes_them: bool, own_consumer: bool) -> None:
    """Require code of this library at both ends of the queue: only then can a payload go through S3."""
    if not ingress_takes_them:
        raise ValueError(
            "large_payloads must not be set for an ingress without code, which cannot put a payload into S3, got both; "
            "take Ingress.lambda_integration()"
        )
    if own_consumer:
        raise ValueError(
            "large_payloads must not be set together with consumer, which would get the key of a payload instead of "
            "the payload, got both; take Sink.python(), whose handler gets the payload itself"
        )
