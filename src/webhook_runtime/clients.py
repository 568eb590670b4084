"""AWS as this code sees it: clients, and the two ways in which a call fails. Nothing else knows botocore.

The clients are boto3's, made without boto3, whose import takes longer than a client of its own does.
"""

from functools import cached_property
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# AWS has answered, and refused.
AwsRefused: Any = ClientError
# AWS did not answer, or nothing could be sent to it.
AwsUnreachable: Any = BotoCoreError
AWS_FAILED: tuple[Any, ...] = (AwsRefused, AwsUnreachable)

# What clients share: each loads its service's model, and none loads what is common to all again.
_session = botocore.session.get_session()


def client(service: str, *, read_timeout: float = 5, attempts: int = 2) -> Any:
    """A client that gives up well before the function does, so that what failed can still be reported."""
    config = Config(
        connect_timeout=2,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # A quarter of the time that a batch takes: the tests hold every call against the service's model instead.
        parameter_validation=False,
        # One that is given is not put together anew for each call, which takes a tenth of the publisher's time.
        user_agent="cdk-scalable-webhook",
    )
    return _session.create_client(service, config=config)


class Later:
    """A client that is made when it is first called: for what a function rarely needs."""

    def __init__(self, service: str) -> None:
        self._service = service

    @cached_property
    def _client(self) -> Any:
        return client(self._service)

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)


def code_of(error: Exception) -> str:
    """What AWS calls its refusal; of any other error the name of its class."""
    return str(error.response["Error"]["Code"]) if isinstance(error, AwsRefused) else type(error).__name__


def message_of(error: Exception) -> str:
    """What AWS says of its refusal, without the operation around it; of any other error its text."""
    return str(error.response["Error"].get("Message", "")) if isinstance(error, AwsRefused) else str(error)


def may_pass(error: Exception) -> bool:
    """Whether AWS may say something else when it is asked again."""
    if not isinstance(error, AwsRefused):
        return isinstance(error, AwsUnreachable)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return bool(status >= 500) or code_of(error) == "ThrottlingException"
