"""One client with one call: no function with boto3 can start sooner."""

from typing import Any

import boto3

sqs = boto3.client("sqs")


def handler(event: dict[str, Any], _context: object) -> None:
    sqs.send_message(**event)
