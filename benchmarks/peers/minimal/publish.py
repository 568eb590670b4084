"""A minimal handler by boto3 that queues as much of a request as ours: the payload, and the rest as one attribute."""

import base64
import json
import os
from typing import Any

import boto3

sqs = boto3.client("sqs")


def publisher(event: dict[str, Any], _context: object) -> dict[str, Any]:
    context = event["requestContext"]
    rest = {
        "delivery_id": event["headers"]["x-github-delivery"],
        "mount": event["path"],
        "request_id": context["extendedRequestId"],
        "received_at": context["requestTimeEpoch"],
        "method": event["httpMethod"],
        "path": event["path"],
        "query": event["multiValueQueryStringParameters"],
        "headers": event["multiValueHeaders"],
        "source_ip": context["identity"]["sourceIp"],
    }
    sent = sqs.send_message(
        QueueUrl=os.environ["QUEUE_URL"],
        MessageBody=base64.b64decode(event["body"]).decode(),
        MessageAttributes={"webhook": {"DataType": "String", "StringValue": json.dumps(rest)}},
    )
    print(json.dumps({"message": "queued", "id": rest["delivery_id"], "message_id": sent["MessageId"]}))
    return {"statusCode": 202, "body": json.dumps({"id": rest["delivery_id"]})}
