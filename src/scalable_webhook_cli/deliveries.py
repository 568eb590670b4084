"""Deliveries to an endpoint: an event or a payload of your own, signed as its provider signs it, and the answer."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx

from scalable_webhook_cli import burst
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.recipients import Recipient
from scalable_webhook_cli.samples import Event
from scalable_webhook_cli.target import http_options
from webhook_runtime.contract import signing
from webhook_runtime.contract.providers import Provider
from webhook_runtime.contract.schemes import Scheme

_TIMEOUT = 60.0


@dataclass(frozen=True)
class Answer:
    """The answer to a delivery. ``request_id`` is empty if something in front of API Gateway has answered."""

    status: int
    text: str
    request_id: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def id(self) -> str:
        """The webhook's id, if the answer has it."""
        return _text_at(self.text, "id")

    @property
    def reason(self) -> str:
        """Its message, in a line."""
        return _text_at(self.text, "message") or " ".join(self.text.split())


def default_body(scheme: Scheme | None) -> bytes:
    """Return a payload for an endpoint whose provider is not known."""
    return with_id(signing.dumps({"event": "test"}), scheme)


def with_id(body: bytes, scheme: Scheme | None) -> bytes:
    """Return a payload with a new id where the scheme has it, if that is in the payload.

    Raises:
        CliError: It is no JSON object.
    """
    usual = None if scheme is None else signing.usual(scheme)
    if usual is None or usual.id_field is None:
        return body
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise CliError(f"the payload must be a JSON object, since its {usual.id_field} makes a delivery unique")
    *outer, last = [usual.id_field] if usual.id_field in payload else usual.id_field.split(".")
    inner = payload
    for key in outer:
        if not isinstance(inner.get(key), dict):
            inner[key] = {}
        inner = inner[key]
    inner[last] = str(uuid.uuid4())
    return signing.dumps(payload)


def signed(
    recipient: Recipient, event: Event, secret: str | None, headers: Mapping[str, str], provider: Provider | None = None
) -> burst.Request:
    """Return the request with an event, signed by the scheme of the endpoint.

    Without a secret it is not signed. It then has the delivery id that its provider would give it. A provider does not
    sign each verification of an endpoint.

    Raises:
        CliError: The scheme cannot sign it with this secret.
    """
    url = f"{recipient.called}?{urlencode(event.query)}" if event.query else recipient.called
    request = signing.Request(body=event.body, url=url, method=event.method, headers=event.headers).having(**headers)
    id = str(uuid.uuid4())
    if not event.is_signed:
        pass
    elif recipient.scheme is not None and secret is not None:
        try:
            request = signing.sign(recipient.scheme, request, secret, at=time.time(), id=id)
        except ValueError as error:
            raise CliError(f"{recipient.name}: {error}") from None
    else:
        usual = None if provider is None else signing.usual(provider.scheme)
        header = (usual and usual.id_header) or burst.ID_HEADER
        if request.header(header) is None:
            request = request.having(**{header: id})
    query = urlsplit(request.url).query
    path = f"?{query}" if query else ""
    return burst.Request(request.method, path, request.headers, request.body)


def deliver(url: str, request: burst.Request) -> Answer:
    """Send a request, and return the answer.

    Raises:
        CliError: There is none.
    """
    headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    try:
        with httpx.Client(timeout=_TIMEOUT, **http_options(url)) as http:
            answer = http.request(request.method, request.at(url), headers=headers, content=request.content)
    except httpx.HTTPError as error:
        raise CliError(f"no answer from {url}: {type(error).__name__}: {error}") from None
    return Answer(answer.status_code, answer.text, burst.request_id(answer.headers))


def _text_at(text: str, key: str) -> str:
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""
