"""A webhook as its sink has stored it: the item of a DynamoDB table."""

from botocore.exceptions import ClientError

from scalable_webhook_cli.dead_letters.payloads import read
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.shown import shown
from webhook_runtime.contract.items import payload_object, stored_payload
from webhook_runtime.contract.settings import DynamoDBSettings


def payload_of(webhook: DeployedWebhook, mount: str, id: str) -> bytes:
    """Return the payload of a stored webhook, byte for byte.

    Args:
        webhook: The deployed webhook.
        mount: The path of its endpoint.
        id: The id of the webhook.

    Raises:
        CliError: The sink is another one, or the item is not there or may not be read.
    """
    if webhook.sink != "dynamodb":
        raise CliError(f"the sink of {webhook.name} is no DynamoDB table; look there for the id {shown(id)}")
    table = webhook.settings(DynamoDBSettings).table_name
    dynamodb = webhook.target.client("dynamodb")
    try:
        item = dynamodb.get_item(TableName=table, Key={"id": {"S": f"{mount}#{id}"}}, ConsistentRead=True).get("Item")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        raise CliError(
            f"the table {table} cannot be read: allow dynamodb:GetItem on it, and kms:Decrypt on its key if it has one"
        ) from error
    if item is None:
        raise CliError(f"the table {table} does not have {shown(id)}: it is not stored, or has been deleted since")
    if "payload_object" in item:
        return read(webhook.target, *payload_object(item))
    return stored_payload(item)
