"""The responses that API Gateway creates itself, and the headers of each response."""

import base64
import json
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping

from starlette.responses import Response

# Type and x-amzn-ErrorType of an error, by its text. "Missing Authentication Token" and "Internal server error" are
# recorded, see tests/recorded. The others are as users report them. Any other text is from a policy, and names the
# resource.
_ERRORS = {
    "Endpoint request timed out": ("INTEGRATION_TIMEOUT", "InternalServerErrorException"),
    "Forbidden": ("INVALID_API_KEY", "ForbiddenException"),
    "Internal server error": ("INTEGRATION_FAILURE", "InternalServerErrorException"),
    "Missing Authentication Token": ("MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException"),
    "Request Too Long": ("REQUEST_TOO_LARGE", "RequestTooLargeException"),
    "Too Many Requests": ("THROTTLED", "TooManyRequestsException"),
    "Unsupported Media Type": ("UNSUPPORTED_MEDIA_TYPE", "BadRequestException"),
}
_BY_A_POLICY = ("ACCESS_DENIED", "AccessDeniedException")

# Recorded from AWS: response headers that arrive as x-amzn-Remapped-…, and one that does not arrive.
_REMAPPED = {
    *("authorization", "connection", "content-length", "content-md5", "date", "expect", "host", "max-forwards"),
    *("proxy-authenticate", "server", "trailer", "upgrade", "user-agent", "www-authenticate"),
}
_NOT_ANSWERED = "transfer-encoding"


class GatewayResponse(Exception):
    """A response that API Gateway creates itself."""

    def __init__(self, status: int, message: str, field: str = "message") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field

    @property
    def type(self) -> str:
        """https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html"""
        return _ERRORS.get(self.message, _BY_A_POLICY)[0]

    def response(self) -> Response:
        error_type = _ERRORS.get(self.message, _BY_A_POLICY)[1]
        return json_answer(self.status, {self.field: self.message}, {"x-amzn-errortype": error_type})


def json_answer(status: int, body: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status_code=status, headers=headers, media_type="application/json")


def answered(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the headers of a response under the names by which they arrive."""
    for name, value in headers:
        if name.lower() != _NOT_ANSWERED:
            yield (f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name), value


def numbered(response: Response, id: str | None = None, extended_id: str | None = None) -> Response:
    """Add the ids that every response of API Gateway has."""
    response.headers["x-amzn-requestid"] = id or str(uuid.uuid4())
    response.headers["x-amz-apigw-id"] = extended_id or new_extended_id()
    return response


def new_extended_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
