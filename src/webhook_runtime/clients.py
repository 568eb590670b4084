"""Clients of AWS, and the two ways in which a call fails. No other module knows botocore.

Create botocore clients directly: importing boto3 takes longer than creating one.
"""

from functools import cached_property
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# AWS answered with an error.
AwsRejected: Any = ClientError
# AWS did not answer, or the request could not be sent.
AwsUnreachable: Any = BotoCoreError
AWS_FAILED: tuple[Any, ...] = (AwsRejected, AwsUnreachable)

# Shared by all clients, so that each loads only the model of its own service.
_session = botocore.session.get_session()


def client(service: str, *, read_timeout: float = 5, attempts: int = 2) -> Any:
    """Create a client that gives up well before the function does, so that the failure can still be reported."""
    config = Config(
        connect_timeout=2,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Validation takes a quarter of a batch's time. The tests check every call against the service's model instead.
        parameter_validation=False,
        # A fixed user agent is not rebuilt for each call, which takes a tenth of the publisher's time.
        user_agent="cdk-scalable-webhook",
    )
    return _session.create_client(service, config=config)


class LazyClient:
    """A client that is created on first use, for a service that a function rarely needs."""

    def __init__(self, service: str) -> None:
        self._service = service

    @cached_property
    def _client(self) -> Any:
        return client(self._service)

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)


def code_of(error: Exception) -> str:
    """Return the error code of AWS, or the class name of any other error."""
    return str(error.response["Error"]["Code"]) if isinstance(error, AwsRejected) else type(error).__name__


def message_of(error: Exception) -> str:
    """Return the message of AWS without the operation around it, or the text of any other error."""
    return str(error.response["Error"].get("Message", "")) if isinstance(error, AwsRejected) else str(error)


def told(error: Exception) -> str:
    """Return code and message of a call that failed. Neither quotes a secret or a payload.

    Of any other error return the class alone: its text may quote what could not be read.
    """
    return f"{code_of(error)}: {message_of(error)}" if isinstance(error, AWS_FAILED) else code_of(error)


def is_temporary(error: Exception) -> bool:
    """Tell whether another try of the call may succeed."""
    if not isinstance(error, AwsRejected):
        return isinstance(error, AwsUnreachable)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return bool(status >= 500) or code_of(error) == "ThrottlingException"
