"""What a queue asks for, by name: the CDK's own grants have wildcards, and actions that nobody calls."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs


def send(queue: sqs.IQueue, sender: iam.IGrantable) -> None:
    """Permit sending.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    queue.grant(sender, "sqs:SendMessage")
    if queue.encryption_master_key is not None:
        queue.encryption_master_key.grant(sender, "kms:Decrypt", "kms:GenerateDataKey")


def consume(queue: sqs.IQueue, consumer: iam.IGrantable) -> None:
    """Permit what an event source mapping asks of its function's role, and saying when a message may come back.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    mapping = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    queue.grant(consumer, *mapping, "sqs:ChangeMessageVisibility")
    if queue.encryption_master_key is not None:
        queue.encryption_master_key.grant(consumer, "kms:Decrypt")
