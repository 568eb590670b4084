"""Store the total of each order."""

import os
from decimal import Decimal, InvalidOperation

import boto3
from botocore.exceptions import ClientError

from webhook_runtime import Permanent, SinkDown, Webhook

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handle(webhook: Webhook) -> None:
    """Store one order. A webhook may arrive twice, so an order that is stored already stays as it is."""
    item = {"id": webhook.key, "total": total(webhook), "received_at": webhook.received_at.isoformat()}
    try:
        table.put_item(Item=item, ConditionExpression="attribute_not_exists(id)")
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return
    except ClientError as error:
        raise SinkDown(error.response["Error"]["Code"]) from error


def total(webhook: Webhook) -> Decimal:
    """Add up the items of an order. A retry cannot help an order without prices, so the error is permanent."""
    try:
        items = webhook.json()["items"]
        return sum((Decimal(str(item["price"])) * int(item["quantity"]) for item in items), Decimal(0))
    except (ValueError, TypeError, KeyError, InvalidOperation):
        raise Permanent("an order has items, each with price and quantity") from None
