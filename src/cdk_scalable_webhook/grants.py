"""The permissions that a role needs on a queue, a secret or a key, action by action.

The CDK's own grants have wildcards, and actions that are never called. Its grant of a secret changes the policy of the
key, which may be in another stack, and its grant of an imported alias is dropped silently. These grants change the role
alone.
"""

import functools
from collections.abc import Sequence
from typing import cast

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import findings
from cdk_scalable_webhook.checks.cdk import of_alias


def send(queue: sqs.IQueue, sender: iam.IGrantable) -> None:
    """Permit sending.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    queue.grant(sender, "sqs:SendMessage")
    use_key(queue.encryption_master_key, sender, "kms:Decrypt", "kms:GenerateDataKey")


def consume(queue: sqs.IQueue, consumer: iam.IGrantable) -> None:
    """Permit the actions that an event source mapping needs, and setting the time of a retry.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    mapping = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    queue.grant(consumer, *mapping, "sqs:ChangeMessageVisibility")
    use_key(queue.encryption_master_key, consumer, "kms:Decrypt")


def pause(mapping: lambda_.IEventSourceMapping, operator: iam.IGrantable) -> iam.Grant:
    """Permit disabling and enabling an event source mapping, changing its concurrency, and telling who did it.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    """
    change = ("lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping")
    tell = ("lambda:ListTags", "lambda:TagResource", "lambda:UntagResource")
    return iam.Grant.add_to_principal(
        grantee=operator, actions=[*change, *tell], resource_arns=[mapping.event_source_mapping_arn]
    )


def redrive(
    queue: sqs.IQueue,
    aside: Sequence[sqs.IQueue],
    mapping: lambda_.IEventSourceMapping,
    consumer: lambda_.IFunction,
    operator: iam.IGrantable,
) -> iam.Grant:
    """Permit looking at the messages of the dead-letter queue, which is the first of ``aside``, and of the others, and
    moving them to the queue or deleting them.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    """
    look = ("GetQueueAttributes", "ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage")
    by_sqs = ("ListDeadLetterSourceQueues", "StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask")
    permissions = [
        (["lambda:GetEventSourceMapping"], [mapping.event_source_mapping_arn]),
        (["lambda:GetFunctionConfiguration"], [consumer.function_arn]),
        ([f"sqs:{action}" for action in look], [each.queue_arn for each in aside]),
        ([f"sqs:{action}" for action in by_sqs], [aside[0].queue_arn]),
        ([f"sqs:{action}" for action in ("GetQueueAttributes", "GetQueueUrl", "SendMessage")], [queue.queue_arn]),
    ]
    grants = [
        iam.Grant.add_to_principal(grantee=operator, actions=actions, resource_arns=arns)
        for actions, arns in permissions
    ]
    keys = {key.node.path: key for each in (queue, *aside) if (key := each.encryption_master_key)}
    for key in keys.values():
        use_key(key, operator, "kms:Decrypt", "kms:GenerateDataKey", stack=Stack.of(mapping))
    first, *rest = grants
    return functools.reduce(lambda grant, other: grant.combine(other), rest, first)


def invoke(function: lambda_.IFunction, caller: iam.IGrantable) -> None:
    """Permit invoking a function, and not its versions."""
    iam.Grant.add_to_principal(grantee=caller, actions=["lambda:InvokeFunction"], resource_arns=[function.function_arn])


def read_secret(secret: secretsmanager.ISecret | None, reader: iam.IGrantable) -> None:
    """Permit reading the value of a secret, if there is one.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    if secret is None:
        return
    # The ARN of a secret ends with six random characters, which are unknown if only its name is known.
    arn = secret.secret_full_arn or f"{secret.secret_arn}-??????"
    iam.Grant.add_to_principal(grantee=reader, actions=["secretsmanager:GetSecretValue"], resource_arns=[arn])
    use_key(secret.encryption_key, reader, "kms:Decrypt", via="secretsmanager")


def use_key(
    key: kms.IKey | None, user: iam.IGrantable, *actions: str, via: str | None = None, stack: Stack | None = None
) -> None:
    """Permit using a key, if there is one. Only the role changes, so the policy of the key has to trust the role's
    account, as it does by default. ``via`` is the one service that may use the key for the role. ``stack`` is that of
    a user that may be no construct."""
    if key is None:
        return
    stack = stack or Stack.of(cast(Construct, user))
    # The call comes from the region of the role. In China the name of a service has a suffix of its own.
    service = f"{via}.{stack.region}.amazonaws.com*"
    conditions: dict[str, object] = {"StringLike": {"kms:ViaService": service}} if via else {}
    target, alias = of_alias(key)
    arn = target.key_arn
    if alias is not None:
        # IAM takes the ARN of the key, which is unknown here, so the condition requires its alias instead.
        # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        arn = Stack.of(target).format_arn(service="kms", resource="key", resource_name="*")
        conditions["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": alias}
    statement = iam.PolicyStatement(actions=list(actions), resources=[arn], conditions=conditions)
    user.grant_principal.add_to_principal_policy(statement)
    if alias is not None:
        findings.acknowledge_policy(user.grant_principal, findings.KEY_OF_AN_ALIAS.about(stack, arn))
