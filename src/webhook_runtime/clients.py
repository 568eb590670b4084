"""Clients of AWS, and the two ways in which a call fails. No other module knows botocore.

The services that a function calls for each webhook have a client of our own. The others are botocore's, which is loaded
at the first call: only for what is rare.
"""

from collections.abc import Callable
from functools import cache, cached_property
from io import BytesIO
from typing import Any

from webhook_runtime.aws import CONNECT_SECONDS, SERVICES, USER_AGENT, AwsRejected, AwsUnreachable, JsonClient, endpoint

__all__ = ["AWS_FAILED", "AwsRejected", "AwsUnreachable", "client", "code_of", "is_temporary", "message_of", "told"]

AWS_FAILED: tuple[Any, ...] = (AwsRejected, AwsUnreachable)


def client(service: str, *, read_timeout: float = 5, attempts: int = 2) -> Any:
    """Create a client that gives up well before the function does, so that the failure can still be reported."""
    url = endpoint(service) if service in SERVICES else None
    if url is not None:
        return JsonClient(service, url, read_timeout=read_timeout, attempts=attempts)
    return BotocoreClient(service, read_timeout=read_timeout, attempts=attempts)


class BotocoreClient:
    """A client of botocore, which is created on first use, and fails in our two ways."""

    def __init__(self, service: str, *, read_timeout: float, attempts: int) -> None:
        self._service = service
        self._read_timeout = read_timeout
        self._attempts = attempts

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=self._read_timeout,
            retries={"mode": "standard", "total_max_attempts": self._attempts},
            # Validation takes a quarter of a batch's time. The tests check every call against the service's model
            # instead.
            parameter_validation=False,
            # A fixed user agent is not rebuilt for each call, which takes a tenth of the publisher's time.
            user_agent=USER_AGENT,
        )
        return _session().create_client(self._service, config=config)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)

        def call(*arguments: Any, **named: Any) -> Any:
            from botocore.exceptions import BotoCoreError, ClientError

            try:
                answer = getattr(self._client, operation)(*arguments, **named)
                # A body is a part of the answer, and fails in the same ways.
                for name in ("Body", "Payload"):
                    if isinstance(answer, dict) and hasattr(answer.get(name), "read"):
                        answer[name] = BytesIO(answer[name].read())
            except ClientError as error:
                raise AwsRejected(error.response, error.operation_name) from error
            except BotoCoreError as error:
                raise AwsUnreachable(type(error).__name__, str(error)) from error
            return answer

        return call


@cache
def _session() -> Any:
    """Return the one session, so that each client loads only the model of its own service.

    Not boto3: importing it takes longer than creating a client.
    """
    import botocore.session

    return botocore.session.get_session()


def code_of(error: Exception) -> str:
    """Return the error code of AWS, or the class name of any other error."""
    match error:
        case AwsRejected():
            return str(error.response["Error"]["Code"])
        case AwsUnreachable():
            return error.code
    return type(error).__name__


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
