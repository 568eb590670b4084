"""The function of an ingress: it sends each request to SQS, and answers once SQS has it."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from webhook_runtime import deployed, logs, message
from webhook_runtime.clients import AWS_FAILED, client
from webhook_runtime.contract.groups import NO_GROUP, ONE_GROUP
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.contract.settings import PublisherSettings, from_environment
from webhook_runtime.message import Headers, Webhook
from webhook_runtime.outcome import Kind
from webhook_runtime.requests import Event, OfFunctionUrl, OfRestApi, Pairs, Rejected, Request, Requests
from webhook_runtime.sources.verification import Answer, Mismatched, Unverifiable, Unverified

if TYPE_CHECKING:  # only for types: a function that verifies or filters nothing does not load them
    from webhook_runtime.filters import EventFilters
    from webhook_runtime.grouping import Grouping
    from webhook_runtime.payloads import Payloads
    from webhook_runtime.sources.source import Sources

Response = dict[str, Any]


class Publisher:
    """Sends each request to the queue.

    ``sqs`` is a boto3 SQS client. The settings name the queue, and the header that has the delivery id. ``sources`` and
    ``event_filters`` are None if nothing is verified or dropped here. ``payloads`` is None if a payload must fit into a
    message, ``grouping`` if webhooks form no groups.
    """

    def __init__(
        self,
        settings: PublisherSettings,
        sqs: Any,
        sources: "Sources | None" = None,
        event_filters: "EventFilters | None" = None,
        payloads: "Payloads | None" = None,
        grouping: "Grouping | None" = None,
    ) -> None:
        self._settings = settings
        self._sqs = sqs
        self._sources = sources
        self._event_filters = event_filters
        self._payloads = payloads
        self._grouping = grouping
        self._requests: Requests = OfFunctionUrl(settings.mount) if settings.mount else OfRestApi()
        # Until SQS says that the queue takes less.
        self._max_message_bytes = MAX_MESSAGE_BYTES
        self._headers: Mapping[str, str] = settings.response_headers or {}
        self._credentials: Mapping[str, list[str]] = settings.credentials or {}

    @classmethod
    def from_environment(cls) -> Self:
        """Create the publisher of a deployed function."""
        settings = from_environment(PublisherSettings)
        return cls(
            settings,
            client("sqs"),
            deployed.sources(),
            deployed.event_filters(),
            deployed.payloads(settings.payload_bucket),
            deployed.grouping(settings.group_by),
        )

    def handle(self, event: Event, _context: object) -> Response:
        """Handle a request of API Gateway, or of a function URL."""
        request_id = self._requests.id(event)
        try:
            request = self._requests.read(event)
            self._require_exact(request)
            webhook = self._admit(self._webhook(request_id, request))
            if isinstance(webhook, Answer):
                return _handshake(request_id, webhook)
            webhook = self._without_signed_parameters(webhook)
            if self._event_filters is not None and not self._event_filters.want(webhook):
                logs.logger.info(Kind.DROPPED.value, extra=_line(webhook))
                # The provider has nothing to fix, and must not retry.
                return self._accepted(webhook)
            message_id = self._send(webhook)
        except Rejected as rejection:
            logs.logger.warning(
                "rejected",
                extra={
                    "request_id": request_id,
                    "status": rejection.status,
                    "reason": rejection.reason,
                    **({"secret": rejection.secret} if rejection.secret else {}),
                },
            )
            return self._answer(rejection.status, _json({"message": rejection.reason}))
        logs.logger.info("queued", extra=_line(webhook) | {"message_id": message_id})
        return self._accepted(webhook)

    def _accepted(self, webhook: Webhook) -> Response:
        if self._settings.acknowledgement is None:
            return self._answer(202, _json({"id": webhook.id}))
        return self._answer(**self._settings.acknowledgement)

    def _answer(self, status: int, body: str, content_type: str = "application/json") -> Response:
        return {"statusCode": status, "headers": {"Content-Type": content_type, **self._headers}, "body": body}

    def _webhook(self, request_id: str, request: Request) -> Webhook:
        headers = Headers(self._without("headers", request.headers))
        return Webhook(
            id=self._delivery_id(headers) or request_id,
            request_id=request_id,
            method=request.method,
            mount=request.mount,
            path=request.path,
            url=request.url,
            query_string=message.form(self._without("parameters", request.parameters)),
            headers=headers,
            body=request.body,
            source_ip=request.source_ip,
            received_at=request.received_at,
        )

    def _require_exact(self, request: Request) -> None:
        """Reject a payload that may have arrived with other bytes, unless a signature covers them."""
        if request.doubt and not (self._sources is not None and self._sources.cover_payload(request.mount)):
            raise Rejected(400, request.doubt)

    def _without_signed_parameters(self, webhook: Webhook) -> Webhook:
        """Remove the credentials that the source had to see, since it verifies the whole query."""
        if not self._credentials.get("signed_parameters"):
            return webhook
        pairs = parse_qsl(webhook.query_string, keep_blank_values=True)
        return webhook._replace(query_string=message.form(self._without("signed_parameters", pairs)))

    def _without(self, kind: str, pairs: Pairs) -> Pairs:
        """Return the pairs without the credentials that API Gateway asks for."""
        left_out = self._credentials.get(kind)
        return [pair for pair in pairs if pair[0].lower() not in left_out] if left_out else pairs

    def _admit(self, webhook: Webhook) -> Webhook | Answer:
        """Verify the request, and fail closed: if nothing can be verified, no request is accepted."""
        if self._sources is None:
            return webhook
        try:
            return self._sources.admit(webhook)
        except Unverified as unverified:
            secret = unverified.secret if isinstance(unverified, Mismatched) else None
            if unverified.sure:
                raise Rejected(401, unverified.reason, secret=secret) from None
            # To some providers, a 401 is final. The secret may just have been rotated, but must not be read again yet,
            # so ask for a retry.
            reason = f"{unverified.reason} The secret may be new: try again."
            raise Rejected(503, reason, secret=secret) from None
        except Unverifiable as error:
            told = {"request_id": webhook.request_id, "error": type(error).__name__, "reason": str(error)}
            logs.logger.error("cannot verify", extra=told)
            raise Rejected(500, "The signature cannot be checked at present: try again.") from None

    def _delivery_id(self, headers: Headers) -> str | None:
        if self._settings.delivery_id_header is None:
            return None
        # Of a repeated header, the last value, which a mapping template also gets.
        values = headers.get_all(self._settings.delivery_id_header)
        return values[-1] if values else None

    def _send(self, webhook: Webhook) -> str:
        body, attribute = message.write(webhook)
        fits = message.fits(body, attribute, self._max_message_bytes)
        if not fits and self._payloads is not None:
            body, attribute = self._put_aside(webhook, self._payloads)
            fits = message.fits(body, attribute, self._max_message_bytes)
        if not fits:
            raise Rejected(413, "The payload is too large for a message of the queue, headers included.")
        try:
            sent = self._sqs.send_message(
                QueueUrl=self._settings.queue_url,
                MessageBody=body,
                MessageAttributes={message.ATTRIBUTE: {"DataType": "String", "StringValue": attribute}},
                **self._order(webhook),
            )
        except AWS_FAILED as error:
            holds = message.limit_in(error)
            if holds is not None and holds < self._max_message_bytes:
                self._max_message_bytes = holds
                return self._send(webhook)
            told = {"queue": self._settings.queue_url, "error": str(error)}
            logs.logger.error("SQS did not take the message", extra=logs.names(webhook) | told)
            raise Rejected(503, "The webhook could not be queued: try again.") from error
        return str(sent["MessageId"])

    def _order(self, webhook: Webhook) -> dict[str, str]:
        """Return the group of a message, and in a FIFO queue its deduplication id."""
        group = self._grouping.group(webhook) if self._grouping is not None else None
        if not self._settings.queue_url.endswith(".fifo"):
            return {"MessageGroupId": group} if group else {}
        group = group or (ONE_GROUP if self._grouping is None else NO_GROUP)
        # Each request is a message of its own: two equal payloads are two webhooks unless their delivery ids are equal.
        return {"MessageGroupId": group, "MessageDeduplicationId": webhook.request_id}

    def _put_aside(self, webhook: Webhook, payloads: "Payloads") -> tuple[str, str]:
        """Put the payload into S3, and return the message for it.

        If SQS then fails, it may have taken the message all the same. So the object stays until the bucket's lifecycle
        removes it.
        """
        key = payloads.new_key(webhook.received_at)
        try:
            payloads.put(key, webhook.body)
        except AWS_FAILED as error:
            told = {"payload": payloads.uri(key), "error": str(error)}
            logs.logger.error("S3 did not take the payload", extra=logs.names(webhook) | told)
            raise Rejected(503, "The webhook could not be queued: try again.") from error
        return message.write(webhook, key)


def handler() -> Callable[[Event, object], Response]:
    """Return the handler of a deployed function."""
    return Publisher.from_environment().handle


def _line(webhook: Webhook) -> dict[str, object]:
    """Return the log fields of a webhook that was accepted."""
    request = {"method": webhook.method, "path": webhook.path, "bytes": len(webhook.body)}
    return logs.names(webhook) | request


def _handshake(request_id: str, answer: Answer) -> Response:
    logs.logger.info("handshake", extra={"request_id": request_id, "status": answer.status})
    # The client chose the text, so no browser may take it for a page.
    headers = {**answer.headers, "Content-Type": answer.content_type, "X-Content-Type-Options": "nosniff"}
    return {"statusCode": answer.status, "headers": headers, "body": answer.body}


def _json(body: Mapping[str, str]) -> str:
    return json.dumps(body, separators=(",", ":"))
