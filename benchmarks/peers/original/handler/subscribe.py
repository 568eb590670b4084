"""The pattern as published: the function behind the queue stores each record of the batch by a call of its own,
under the id that the publisher generated."""

import json
import os
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], _context: object) -> None:
    for record in event["Records"]:
        print("received message:", record["body"])
        message = json.loads(record["body"])
        item = {"id": {"S": message["id"]}, "message": {"S": message["message"]}}
        dynamodb.put_item(TableName=os.environ["TABLE_NAME"], Item=item)
        print("inserted:", message["id"])
