"""Why a request is not admitted as a webhook, and what its sender is told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


class Unverified(Exception):
    """The request is not known to be of its sender.

    Args:
        reason: Why. It is for the sender too, and is logged, so no secret and no payload in it.
        sure: Whether no other secret could make a difference. Default: yes; with False the secret is read again where
            it may have been rotated.
    """

    def __init__(self, reason: str, *, sure: bool = True) -> None:
        super().__init__(reason)
        self.reason: str = str(reason)
        self.sure = sure


class Mismatched(Unverified):
    """No signature of the request fits ``secret``, an ARN for the log: a wrong one is told from a forger by whether
    anybody's fits. Where that is not sure, it will be after ``retry_after`` seconds."""

    def __init__(self, reason: str, *, sure: bool, secret: str, retry_after: float | None = None) -> None:
        super().__init__(reason, sure=sure)
        self.secret = secret
        self.retry_after = retry_after


class Unverifiable(Exception):
    """Whether the request is of its sender cannot be told at present, so nobody is let in. After ``retry_after``
    seconds it can be asked again, where that is known."""

    retry_after: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a sender is answered that only wants to know whether somebody is there: nothing is stored.

    Attributes:
        body: The answer's body, for the sender: a text of at most 5 MB.
        content_type: Its content type. Default: ``text/plain``.
        status: The HTTP status, 200 to 599. Default: 200.
        headers: More headers of the answer, by their names: what some providers ask for in a handshake. Default: none.

    Raises:
        ValueError: API Gateway would not take the answer, or would not hand it on as it is.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    """

    body: str
    content_type: str = "text/plain"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # No value is quoted: what is answered is often what was sent, and this is logged.
        if not isinstance(self.body, str):
            raise ValueError(f"body must be a text, got {type(self.body).__name__}; json.dumps() makes one of JSON")
        if (size := len(self.body.encode(errors="surrogatepass"))) > _MAX_BODY:
            raise ValueError(f"body must be at most {_MAX_BODY} bytes, got {size}")
        if _HALF_A_PAIR.search(self.body):
            raise ValueError("body must be Unicode, got half of a surrogate pair in it")
        if type(self.status) is not int or not 200 <= self.status < 600:
            raise ValueError(f"status must be an int from 200 to 599, got {_shown(self.status)}")
        if not isinstance(self.headers, Mapping):
            raise ValueError(f"headers must map names to texts, got {type(self.headers).__name__}")
        # Read once: what is checked here is what is sent.
        object.__setattr__(self, "headers", dict(self.headers))
        for name, value in [("content_type", self.content_type), *self.headers.items()]:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"the name of a header must be a token of HTTP, got {_shown(name)}")
            if name.lower() in _RESERVED:
                raise ValueError(f"headers must not have {name}, which API Gateway sets or renames")
            if not isinstance(value, str):
                raise ValueError(f"{name} must be a text, got {type(value).__name__}")
            if not _VALUE.fullmatch(value):
                raise ValueError(f"{name} must be of printable ASCII characters, got others")


# The answer of a function is 6 MB at most, in JSON, which takes more room than the text itself.
_MAX_BODY = 5_000_000
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t -~]*")
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
# What arrives under another name, or not at all; and the content type, which has an argument of its own.
_RESERVED = {
    *("authorization", "connection", "content-length", "content-md5", "content-type", "date", "expect", "host"),
    *("max-forwards", "proxy-authenticate", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    *("www-authenticate", "x-content-type-options"),
}


def _shown(value: object) -> str:
    return repr(value)[:50] if isinstance(value, str | int | float) else type(value).__name__
