"""Store each message once, and report those that failed."""

import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
duplicate = table.meta.client.exceptions.ConditionalCheckFailedException


def handler(event, _context):
    """Make one conditional put a record."""
    failed = []
    for record in event["Records"]:
        try:
            table.put_item(Item=json.loads(record["body"]), ConditionExpression="attribute_not_exists(id)")
            print(f"stored {record['messageId']}")
        except duplicate:
            print(f"duplicate {record['messageId']}")
        except Exception as error:
            print(f"failed {record['messageId']}: {error}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
