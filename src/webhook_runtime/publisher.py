"""The door as a function: one API Gateway proxy event in, one SQS message out, and an answer only once SQS has it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode

from webhook_runtime import deployed, logs, message
from webhook_runtime.clients import AWS_FAILED, client
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.contract.settings import PublisherSettings, from_environment
from webhook_runtime.message import Headers, Webhook
from webhook_runtime.outcome import Kind
from webhook_runtime.payloads import Payloads, new_key
from webhook_runtime.sources.verification import Answer, Mismatched, Unverifiable, Unverified

if TYPE_CHECKING:  # a function that verifies or filters nothing need not load them
    from webhook_runtime.filters import EventFilters
    from webhook_runtime.sources.source import Sources

Event = Mapping[str, Any]
Response = dict[str, Any]


class _Refused(Exception):
    def __init__(self, status: int, reason: str, *, secret: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.secret = secret


class Publisher:
    """Writes each request to the queue.

    ``sqs`` is a boto3 SQS client. The settings say which queue, and which header makes a delivery unique. ``sources``
    is None where anybody may send, ``event_filters`` where everything is wanted, ``payloads`` where a payload
    must fit into a message.
    """

    def __init__(
        self,
        settings: PublisherSettings,
        sqs: Any,
        sources: "Sources | None" = None,
        event_filters: "EventFilters | None" = None,
        payloads: Payloads | None = None,
    ) -> None:
        self._settings = settings
        self._sqs = sqs
        self._sources = sources
        self._event_filters = event_filters
        self._payloads = payloads
        # Until SQS says that the queue holds less.
        self._max_message_bytes = MAX_MESSAGE_BYTES
        self._headers: Mapping[str, str] = settings.response_headers or {}
        self._credentials: Mapping[str, list[str]] = settings.credentials or {}

    @classmethod
    def from_environment(cls) -> Self:
        """The publisher of a deployed function."""
        settings = from_environment(PublisherSettings)
        payloads = Payloads.in_bucket(settings.payload_bucket)
        return cls(settings, client("sqs"), deployed.sources(), deployed.event_filters(), payloads)

    def handle(self, event: Event, _context: object) -> Response:
        """The Lambda handler."""
        try:
            webhook = self._admit(self._webhook(event))
            if isinstance(webhook, Answer):
                return _handshake(event, webhook)
            webhook = self._without_signed_parameters(webhook)
            if self._event_filters is not None and not self._event_filters.want(webhook):
                logs.logger.info(Kind.DROPPED.value, extra=_line(webhook))
                # The sender has nothing to mend, and must not come again.
                return self._accepted(webhook)
            message_id = self._send(webhook)
        except _Refused as refusal:
            logs.logger.warning(
                "refused",
                extra={
                    "request_id": _request_id(event),
                    "status": refusal.status,
                    "reason": refusal.reason,
                    **({"secret": refusal.secret} if refusal.secret else {}),
                },
            )
            return self._answer(refusal.status, _json({"message": refusal.reason}))
        logs.logger.info("queued", extra=_line(webhook) | {"message_id": message_id})
        return self._accepted(webhook)

    def _accepted(self, webhook: Webhook) -> Response:
        if self._settings.acknowledgement is None:
            return self._answer(202, _json({"id": webhook.id}))
        return self._answer(**self._settings.acknowledgement)

    def _answer(self, status: int, body: str, content_type: str = "application/json") -> Response:
        return {"statusCode": status, "headers": {"Content-Type": content_type, **self._headers}, "body": body}

    def _webhook(self, event: Event) -> Webhook:
        context = event["requestContext"]
        headers = Headers(self._handed_on("headers", event.get("multiValueHeaders")))
        return Webhook(
            id=self._delivery_id(headers) or _request_id(event),
            request_id=_request_id(event),
            method=event["httpMethod"],
            mount=_mount(event),
            path=_path(event),
            url=f"https://{context['domainName']}{context['path']}",
            query_string=urlencode(self._handed_on("parameters", event.get("multiValueQueryStringParameters"))),
            headers=headers,
            body=_payload(event),
            source_ip=context["identity"]["sourceIp"],
            received_at=datetime.fromtimestamp(context["requestTimeEpoch"] / 1000, UTC),
        )

    def _handed_on(self, kind: str, values: Mapping[str, list[str]] | None) -> list[tuple[str, str]]:
        """Name and value, one pair for each value. What API Gateway asked the sender for is no part of the webhook."""
        return self._without(kind, [(name, value) for name, several in (values or {}).items() for value in several])

    def _without_signed_parameters(self, webhook: Webhook) -> Webhook:
        """The same of parameters that the source had to see, since it signs all of the query."""
        if not self._credentials.get("signed_parameters"):
            return webhook
        pairs = parse_qsl(webhook.query_string, keep_blank_values=True)
        return replace(webhook, query_string=urlencode(self._without("signed_parameters", pairs)))

    def _without(self, kind: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
        left_out = self._credentials.get(kind)
        return [pair for pair in pairs if pair[0].lower() not in left_out] if left_out else pairs

    def _admit(self, webhook: Webhook) -> Webhook | Answer:
        """Fails closed: where nothing can be verified nobody is let in."""
        if self._sources is None:
            return webhook
        try:
            return self._sources.admit(webhook)
        except Unverified as unverified:
            secret = unverified.secret if isinstance(unverified, Mismatched) else None
            if unverified.sure:
                raise _Refused(401, unverified.reason, secret=secret) from None
            # To some senders a 401 is final. While the secret may just have been rotated, and must not be asked for
            # again yet, they are to come again.
            reason = f"{unverified.reason} The secret may be new: try again."
            raise _Refused(503, reason, secret=secret) from None
        except Unverifiable as error:
            logs.logger.error("cannot verify", extra={"error": type(error).__name__, "reason": str(error)})
            raise _Refused(500, "The signature cannot be checked at present: try again.") from None

    def _delivery_id(self, headers: Headers) -> str | None:
        if self._settings.delivery_id_header is None:
            return None
        # The last of a repeated header, which is the one that API Gateway shows to a mapping template.
        values = headers.get_all(self._settings.delivery_id_header)
        return values[-1] if values else None

    def _send(self, webhook: Webhook) -> str:
        body, attribute = message.write(webhook)
        fits = message.size(body, attribute) <= self._max_message_bytes
        if not fits and self._payloads is not None:
            body, attribute = self._put_aside(webhook, self._payloads)
            fits = message.size(body, attribute) <= self._max_message_bytes
        if not fits:
            raise _Refused(413, "The payload is too large for a message of the queue, headers included.")
        # Every request is its own message: two equal payloads are two webhooks unless their delivery ids say otherwise.
        fifo = {"MessageGroupId": "webhook", "MessageDeduplicationId": webhook.request_id}
        try:
            sent = self._sqs.send_message(
                QueueUrl=self._settings.queue_url,
                MessageBody=body,
                MessageAttributes={message.ATTRIBUTE: {"DataType": "String", "StringValue": attribute}},
                **(fifo if self._settings.queue_url.endswith(".fifo") else {}),
            )
        except AWS_FAILED as error:
            holds = message.limit_in(error)
            if holds is not None and holds < self._max_message_bytes:
                self._max_message_bytes = holds
                return self._send(webhook)
            logs.logger.error("SQS did not take the message", extra=logs.names(webhook) | {"error": str(error)})
            raise _Refused(503, "The webhook could not be queued: try again.") from error
        return str(sent["MessageId"])

    def _put_aside(self, webhook: Webhook, payloads: Payloads) -> tuple[str, str]:
        """The message for a payload that is in S3 before the queue knows of it. Where SQS then says that it has not
        taken the message it may have: the object stays, and the bucket's life cycle removes it."""
        key = new_key(webhook.received_at)
        try:
            payloads.put(key, webhook.body)
        except AWS_FAILED as error:
            logs.logger.error("S3 did not take the payload", extra=logs.names(webhook) | {"error": str(error)})
            raise _Refused(503, "The webhook could not be queued: try again.") from error
        return message.write(webhook, key)


def _line(webhook: Webhook) -> dict[str, object]:
    """What the log says of every webhook that was let in."""
    request = {"method": webhook.method, "path": webhook.path, "bytes": len(webhook.body)}
    return logs.names(webhook) | request


def _mount(event: Event) -> str:
    return str(event["resource"]).removesuffix("{proxy+}").rstrip("/") or "/"


def _path(event: Event) -> str:
    # Not event["path"], which has the base path of a custom domain in it: the resource is where the door is mounted.
    path = str(event["resource"]).replace("{proxy+}", (event.get("pathParameters") or {}).get("proxy", ""))
    # A slash at the end is no part of {proxy+}.
    is_cut = event["requestContext"]["path"].endswith("/") and not path.endswith("/")
    return f"{path}/" if is_cut else path


def _payload(event: Event) -> bytes:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(body)
    # Only an API without binary media types hands over text, and it has then replaced what was not UTF-8 by U+FFFD.
    if "\ufffd" in body:
        raise _Refused(
            400, "The payload is not UTF-8, and this API has no binary media types: add */* to carry any bytes."
        )
    return body.encode()


def _request_id(event: Event) -> str:
    """The request's id that API Gateway made. The other one, ``requestId``, a sender may choose, by a header.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
    """
    return str(event["requestContext"]["extendedRequestId"])


def _handshake(event: Event, answer: Answer) -> Response:
    logs.logger.info("handshake", extra={"request_id": _request_id(event), "status": answer.status})
    # What it echoes was chosen by whoever asked: no browser may take it for a page.
    headers = {**answer.headers, "Content-Type": answer.content_type, "X-Content-Type-Options": "nosniff"}
    return {"statusCode": answer.status, "headers": headers, "body": answer.body}


def _json(body: Mapping[str, str]) -> str:
    return json.dumps(body, separators=(",", ":"))
