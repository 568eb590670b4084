"""The pattern as published: the function behind API Gateway queues a message for each request."""

import json
import os
import uuid
from typing import Any

import boto3

sqs = boto3.client("sqs")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    print("request:", json.dumps(event))
    message = {"id": str(uuid.uuid4()), "message": f"hello from {event['path']}"}
    sent = sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(message))
    print("message sent:", sent["MessageId"])
    return {"statusCode": 200, "body": json.dumps({"message": f"added a message from {event['path']}"})}
