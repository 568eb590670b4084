"""Store each message, and report those that failed."""

import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event, _context):
    """Make one put a record."""
    failed = []
    for record in event["Records"]:
        try:
            table.put_item(Item={"id": record["messageId"], "payload": record["body"]})
        except Exception as error:
            print(f"failed {record['messageId']}: {error}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
