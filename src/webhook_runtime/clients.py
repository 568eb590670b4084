"""The boto3 clients of the handlers."""

from typing import Any

import boto3
from botocore.config import Config


def client(service: str, *, read_timeout: float = 5, attempts: int = 2) -> Any:
    """A client that gives up well before the function does, so that what failed can still be reported."""
    retries = {"mode": "standard", "total_max_attempts": attempts}
    config = Config(connect_timeout=2, read_timeout=read_timeout, retries=retries)
    return boto3.client(service, config=config)
