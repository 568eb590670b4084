"""A minimal handler by boto3 that stores as much as ours: the same attributes, a batch by one call, each once."""

import json
import os
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")
_TEXTS = ("delivery_id", "mount", "request_id", "received_at", "method", "path", "query", "source_ip")
_NAMES = ", ".join(f"'{name}': ?" for name in ("id", *_TEXTS, "headers", "payload"))
_STATEMENT = f'INSERT INTO "{os.environ["TABLE_NAME"]}" VALUE {{{_NAMES}}}'


def consumer(event: dict[str, Any], _context: object) -> dict[str, Any]:
    statements = [{"Statement": _STATEMENT, "Parameters": _item(record)} for record in event["Records"]]
    answers = dynamodb.batch_execute_statement(Statements=statements)["Responses"]
    failed = [
        record["messageId"] for record, answer in zip(event["Records"], answers, strict=True) if "Error" in answer
    ]
    for record in event["Records"]:
        print(json.dumps({"message": "stored", "message_id": record["messageId"]}))
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _item(record: dict[str, Any]) -> list[dict[str, Any]]:
    rest = json.loads(record["messageAttributes"]["webhook"]["stringValue"])
    return [
        {"S": f"{rest['mount']}#{rest['delivery_id']}"},
        *({"S": rest[name]} for name in _TEXTS),
        {"M": {name: {"S": value} for name, value in rest["headers"].items()}},
        {"S": record["body"]},
    ]
