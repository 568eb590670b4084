"""The payload of a message: in the message, or in the bucket of large payloads."""

from botocore.exceptions import ClientError

from scalable_webhook_cli.dead_letters.message import Message
from scalable_webhook_cli.dead_letters.queue import DENIED
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target

_ABSENT = ("NoSuchKey", "404")


def payload_of(message: Message, webhook: DeployedWebhook) -> bytes:
    """Return the payload, byte for byte.

    Raises:
        CliError: It is in S3 no longer, or may not be read, or has an encoding that no webhook has.
    """
    key = message.payload_key
    if key is None:
        return message.payload
    bucket = webhook.variables_of(webhook.consumer).get("WEBHOOK_PAYLOAD_BUCKET")
    if bucket is None:
        raise CliError(f"the payload is in S3, at {key}, and {webhook.name} has no large_payloads; switch it on again")
    return read(webhook.target, bucket, key)


def read(target: Target, bucket: str, key: str) -> bytes:
    """Return an object.

    Raises:
        CliError: It is there no longer, or may not be read.
    """
    where = f"s3://{bucket}/{key}"
    try:
        return bytes(target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in _ABSENT:
            raise CliError(
                f"the payload is no longer in S3, at {where}: the lifecycle of the bucket has deleted it"
            ) from error
        if code in DENIED:
            # Without s3:ListBucket S3 denies a missing object as well.
            raise CliError(
                f"the payload is in S3, at {where}, and reading it needs s3:GetObject there, s3:ListBucket on the "
                f"bucket, and kms:Decrypt on its key if it has one: {said}"
            ) from error
        raise
