"""Queue each request."""

import json
import os

import boto3

sqs = boto3.client("sqs")


def handler(event, _context):
    """Send one message for a request."""
    id = event["requestContext"]["requestId"]
    message = {"id": id, "path": event["path"], "body": event["body"]}
    sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(message))
    print(f"queued {id}")
    return {"statusCode": 202, "body": json.dumps({"id": id})}
