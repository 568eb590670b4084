"""The requests in the events of a function: those of a REST API, and those of a function URL.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

Event = Mapping[str, Any]
Pairs = list[tuple[str, str]]

_NOT_BINARY = "The payload is not UTF-8, and this API has no binary media types: add */* to carry any bytes."
_NOT_TEXT = "The payload is not UTF-8, although its Content-Type is that of a text: send another to carry any bytes."


class Rejected(Exception):
    """A request that is answered with ``status``. ``secret`` is the one that its signature does not match."""

    def __init__(self, status: int, reason: str, *, secret: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.secret = secret


class Request(NamedTuple):
    """A request, before anything is removed from it.

    ``doubt`` is set if the payload has U+FFFD, which may stand for bytes that were not UTF-8. It is the reason of the
    400, unless a signature covers the payload.
    """

    method: str
    mount: str
    path: str
    url: str
    parameters: Pairs
    headers: Pairs
    body: bytes
    source_ip: str
    received_at: datetime
    doubt: str | None


class Requests(Protocol):
    """The requests of one kind of event."""

    def id(self, event: Event) -> str:
        """Return the id that AWS gave the request."""

    def read(self, event: Event) -> Request:
        """Return the request. Raise Rejected if it is none for this endpoint."""


class OfRestApi:
    """The requests of a REST API. Each event tells the path of its endpoint."""

    def id(self, event: Event) -> str:
        """Return API Gateway's extended request id. A client can choose the other one, ``requestId``, by a header.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
        """
        return str(event["requestContext"]["extendedRequestId"])

    def read(self, event: Event) -> Request:
        context, resource = event["requestContext"], str(event["resource"])
        # Not event["path"], which includes the base path of a custom domain.
        path = resource.replace("{proxy+}", (event.get("pathParameters") or {}).get("proxy", ""))
        # A final slash is not part of {proxy+}.
        is_cut = context["path"].endswith("/") and not path.endswith("/")
        # Only an API without binary media types passes text.
        body, doubt = _payload(event, _NOT_BINARY)
        return Request(
            method=event["httpMethod"],
            mount=resource.removesuffix("{proxy+}").rstrip("/") or "/",
            path=f"{path}/" if is_cut else path,
            url=f"https://{context['domainName']}{context['path']}",
            parameters=_pairs(event.get("multiValueQueryStringParameters")),
            headers=_pairs(event.get("multiValueHeaders")),
            body=body,
            source_ip=context["identity"]["sourceIp"],
            received_at=_moment(context["requestTimeEpoch"]),
            doubt=doubt,
        )


class OfFunctionUrl:
    """The requests of a function URL, whose endpoint is at ``mount``. Names of headers are in lower case, and values of
    the same name are joined by commas."""

    def __init__(self, mount: str) -> None:
        self._mount = mount

    def id(self, event: Event) -> str:
        return str(event["requestContext"]["requestId"])

    def read(self, event: Event) -> Request:
        context, path = event["requestContext"], str(event["rawPath"])
        if not f"{path}/".startswith(f"{self._mount.rstrip('/')}/"):
            raise Rejected(404, f"There is no webhook at this path: send to {self._mount}.")
        headers = list(event["headers"].items())
        if cookies := event.get("cookies"):
            headers = [*((name, value) for name, value in headers if name != "cookie"), ("cookie", "; ".join(cookies))]
        body, doubt = _payload(event, _NOT_TEXT)
        return Request(
            method=context["http"]["method"],
            mount=self._mount,
            path=path,
            url=f"https://{context['domainName']}{path}",
            parameters=parse_qsl(event.get("rawQueryString", ""), keep_blank_values=True),
            headers=headers,
            body=body,
            source_ip=context["http"]["sourceIp"],
            received_at=_moment(context["timeEpoch"]),
            doubt=doubt,
        )


def _pairs(values: Mapping[str, list[str]] | None) -> Pairs:
    """Return name and value, one pair for each value."""
    return [(name, value) for name, several in (values or {}).items() for value in several]


def _payload(event: Event, doubt: str) -> tuple[bytes, str | None]:
    """Return the payload, and the doubt if some of it may stand for other bytes."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(body), None
    return body.encode(), doubt if "\ufffd" in body else None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
