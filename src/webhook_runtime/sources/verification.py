"""The reasons for which a request is not accepted, and the answer to a handshake."""

import re
from collections.abc import Mapping


class Unverified(Exception):
    """The request is not from its provider, as far as is known.

    Args:
        reason: The reason. It is sent to the provider and logged, so keep secret and payload out of it.
        sure: Whether no other secret could make a difference. With False, the secret is read again if it may have
            been rotated. Default: True.
    """

    def __init__(self, reason: str, *, sure: bool = True) -> None:
        super().__init__(reason)
        self.reason: str = str(reason)
        self.sure = sure


class Mismatched(Unverified):
    """No signature of the request fits the secret with the ARN ``secret``.

    The log has the ARN: if no request fits it, the secret is wrong. If it is not certain yet, it will be after
    ``retry_after`` seconds.
    """

    def __init__(self, reason: str, *, sure: bool, secret: str, retry_after: float | None = None) -> None:
        super().__init__(reason, sure=sure)
        self.secret = secret
        self.retry_after = retry_after


class Unverifiable(Exception):
    """The request cannot be verified at present, so it is not accepted.

    ``retry_after`` is the number of seconds until the next try, if that is known.
    """

    retry_after: float | None = None


class Answer:
    """The answer to a request that only checks the endpoint: nothing is stored.

    Args:
        body: The body: a text of at most 5 MB.
        content_type: Its content type. Default: ``text/plain``.
        status: The HTTP status, 200 to 599. Default: 200.
        headers: More headers by name, which some providers ask for in a handshake. Default: none.

    Raises:
        ValueError: API Gateway would reject or change the answer.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    """

    def __init__(
        self,
        body: str,
        content_type: str = "text/plain",
        status: int = 200,
        headers: Mapping[str, str] = {},
    ) -> None:
        # No text here quotes a value: an answer often repeats the request, and this text is logged.
        if not isinstance(body, str):
            raise ValueError(f"body must be a text, got {type(body).__name__}; json.dumps() makes one of JSON")
        if (size := len(body.encode(errors="surrogatepass"))) > _MAX_BODY:
            raise ValueError(f"body must be at most {_MAX_BODY} bytes, got {size}")
        if re.search("[\ud800-\udfff]", body):
            raise ValueError("body must be Unicode, got half of a surrogate pair in it")
        if type(status) is not int or not 200 <= status < 600:
            raise ValueError(f"status must be an int from 200 to 599, got {_shown(status)}")
        if not isinstance(headers, Mapping):
            raise ValueError(f"headers must map names to texts, got {type(headers).__name__}")
        self.body: str = body
        self.content_type: str = content_type
        self.status: int = status
        # A copy, so that the checked headers are those that are sent.
        self.headers: Mapping[str, str] = dict(headers)
        for name, value in [("content_type", content_type), *self.headers.items()]:
            if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name):
                raise ValueError(f"the name of a header must be a token of HTTP, got {_shown(name)}")
            if name.lower() in _RESERVED:
                raise ValueError(f"headers must not have {name}, which API Gateway sets or renames")
            if not isinstance(value, str):
                raise ValueError(f"{name} must be a text, got {type(value).__name__}")
            if not re.fullmatch(r"[\t -~]*", value):
                raise ValueError(f"{name} must be of printable ASCII characters, got others")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and vars(self) == vars(other)


# The response of a function is at most 6 MB of JSON, which takes more room than the text itself.
_MAX_BODY = 5_000_000
# API Gateway renames or drops these. The content type has an argument of its own.
_RESERVED = {
    *("authorization", "connection", "content-length", "content-md5", "content-type", "date", "expect", "host"),
    *("max-forwards", "proxy-authenticate", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    *("www-authenticate", "x-content-type-options"),
}


def _shown(value: object) -> str:
    return repr(value)[:50] if isinstance(value, str | int | float) else type(value).__name__
