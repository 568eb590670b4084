"""Payloads that fit no SQS message, or no item of a sink: objects in a bucket."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from webhook_runtime import logs
from webhook_runtime.clients import AWS_FAILED, code_of
from webhook_runtime.contract.limits import QUEUED, STORED
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import SinkDown

if TYPE_CHECKING:  # only for types: a publisher does not load it
    from webhook_runtime.deadline import Deadline


class Payloads:
    """The objects of one bucket.

    ``s3`` is a boto3 client, which verifies by checksum. ``days`` is how long the payload of a queued message is kept
    at least.
    """

    def __init__(self, s3: Any, bucket: str, days: int = 0) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._lifetime = timedelta(days=days)

    def uri(self, key: str) -> str:
        """Return the URI of an object, which a line about it names."""
        return f"s3://{self._bucket}/{key}"

    @staticmethod
    def new_key(at: datetime) -> str:
        """Return a key for the payload of a queued message, which no one can guess, and no other payload has."""
        return f"{QUEUED}{at:%Y/%m/%d}/{secrets.token_hex(16)}"

    def put(self, key: str, body: bytes) -> None:
        """Keep the payload of a queued message. Raise the error of the client."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes | None:
        """Return the payload, or None if it does not exist. Raise SinkDown if S3 does not say."""
        try:
            return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except AWS_FAILED as error:
            # Without s3:ListBucket, S3 would say AccessDenied instead.
            if code_of(error) == "NoSuchKey":
                return None
            reason = f"the payload could not be read from {self.uri(key)}: {error}"
            raise SinkDown(reason, error=code_of(error)) from error

    def has_expired(self, received_at: datetime) -> bool:
        """Tell whether the bucket may have deleted the payload of a webhook."""
        return datetime.now(UTC) - received_at >= self._lifetime

    def delete(self, keys: Sequence[str], deadline: "Deadline") -> None:
        """Delete payloads that are no longer needed. If that fails, the bucket's lifecycle removes them later."""
        objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        try:
            with deadline.told():
                errors = self._s3.delete_objects(Bucket=self._bucket, Delete=objects).get("Errors", ())
            failed = ", ".join(sorted({error["Code"] for error in errors}))
        except (*AWS_FAILED, TimeoutError) as error:
            failed = str(error)
        if failed:
            told = {"bucket": self._bucket, "error": failed, "payloads": len(keys)}
            logs.logger.warning("payloads not deleted", extra=told)

    def keep(self, webhook: Webhook) -> str:
        """Keep the payload of a webhook for good, unless it exists. Return its URI. Raise SinkDown.

        Its name has a hash of its content: of two payloads with one key the sink stores one, and which is not known
        yet.
        """
        names = (hashlib.sha256(part).hexdigest() for part in (webhook.key.encode(), webhook.body))
        key = STORED + "/".join(names)
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=webhook.body, IfNoneMatch="*")
        except AWS_FAILED as error:
            if code_of(error) != "PreconditionFailed":
                reason = f"the payload could not be kept at {self.uri(key)}: {error}"
                raise SinkDown(reason, error=code_of(error)) from error
        return self.uri(key)
