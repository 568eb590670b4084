"""What a queue, a secret or a key asks of a role, by name.

The CDK's own grants have wildcards, and actions that nobody calls. That of a secret writes into the policy of its key,
which may be another stack's, and that of an alias from elsewhere is dropped without a word. Here everything is said on
the role, and nothing is changed but the role.
"""

from typing import TYPE_CHECKING, cast

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import findings
from cdk_scalable_webhook.checks.cdk import of_alias

if TYPE_CHECKING:  # importing it costs every synth
    from aws_cdk import aws_secretsmanager as secretsmanager


def send(queue: sqs.IQueue, sender: iam.IGrantable) -> None:
    """Permit sending.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    queue.grant(sender, "sqs:SendMessage")
    use_key(queue.encryption_master_key, sender, "kms:Decrypt", "kms:GenerateDataKey")


def consume(queue: sqs.IQueue, consumer: iam.IGrantable) -> None:
    """Permit what an event source mapping asks of its function's role, and saying when a message may come back.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    mapping = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    queue.grant(consumer, *mapping, "sqs:ChangeMessageVisibility")
    use_key(queue.encryption_master_key, consumer, "kms:Decrypt")


def read_secret(secret: "secretsmanager.ISecret | None", reader: iam.IGrantable) -> None:
    """Permit reading the value of a secret, where there is one.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    if secret is None:
        return
    # One that is known by its name alone has six characters more in its ARN, which nobody here knows.
    arn = secret.secret_full_arn or f"{secret.secret_arn}-??????"
    iam.Grant.add_to_principal(grantee=reader, actions=["secretsmanager:GetSecretValue"], resource_arns=[arn])
    use_key(secret.encryption_key, reader, "kms:Decrypt", via="secretsmanager")


def use_key(key: kms.IKey | None, user: iam.IGrantable, *actions: str, via: str | None = None) -> None:
    """Permit using a key, where there is one: on the role, whose account the key's own policy has to trust, as it does
    unless somebody says otherwise. ``via`` is the one service that may use it in the role's name."""
    if key is None:
        return
    stack = Stack.of(cast(Construct, user))
    # The call comes from the region of the role. In China the name of a service has an end of its own.
    service = f"{via}.{stack.region}.amazonaws.com*"
    conditions: dict[str, object] = {"StringLike": {"kms:ViaService": service}} if via else {}
    target, alias = of_alias(key)
    arn = target.key_arn
    if alias is not None:
        # IAM knows a key by its own ARN only, which nobody here knows: which alias it has is asked for instead.
        # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        arn = Stack.of(target).format_arn(service="kms", resource="key", resource_name="*")
        conditions["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": alias}
    statement = iam.PolicyStatement(actions=list(actions), resources=[arn], conditions=conditions)
    user.grant_principal.add_to_principal_policy(statement)
    if alias is not None:
        findings.acknowledge_policy(user.grant_principal, findings.KEY_OF_AN_ALIAS.about(stack, arn))
