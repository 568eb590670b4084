"""Payloads that no SQS message holds, and those that no item of a sink does: objects in a bucket."""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from webhook_runtime import logs
from webhook_runtime.clients import AWS_FAILED, Later, code_of
from webhook_runtime.contract.limits import QUEUED, STORED
from webhook_runtime.deadline import Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import SinkDown


def new_key(at: datetime) -> str:
    """A key that nobody can guess, and no other payload has."""
    return f"{QUEUED}{at:%Y/%m/%d}/{uuid.uuid4()}"


class Payloads:
    """The objects of one bucket.

    ``s3`` is a boto3 client, which checks what it sends and gets by a checksum. ``days`` is for how many of them a
    payload that is on its way is kept at least.
    """

    def __init__(self, s3: Any, bucket: str, days: int = 0) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._lifetime = timedelta(days=days)

    @classmethod
    def in_bucket(cls, bucket: str | None, days: int = 0) -> Self | None:
        """Those of a deployed function; None where large payloads are not enabled."""
        return None if bucket is None else cls(Later("s3"), bucket, days)

    def put(self, key: str, body: bytes) -> None:
        """Keep a payload for as long as it is on its way. Raises what a client raises."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes | None:
        """The payload; None where there is none. Raises SinkDown where S3 does not say."""
        try:
            return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except AWS_FAILED as error:
            # Without s3:ListBucket it would be AccessDenied, as for one that may not be read.
            if code_of(error) == "NoSuchKey":
                return None
            raise SinkDown(f"the payload could not be read from S3: {error}", error=code_of(error)) from error

    def has_expired(self, received_at: datetime) -> bool:
        """Whether the bucket need not have it any more."""
        return datetime.now(UTC) - received_at >= self._lifetime

    def delete(self, keys: Sequence[str], deadline: Deadline) -> None:
        """Those that nobody needs any more. Where that fails, the bucket's life cycle removes them later."""
        objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        try:
            with deadline.told():
                errors = self._s3.delete_objects(Bucket=self._bucket, Delete=objects).get("Errors", ())
            refused = ", ".join(sorted({error["Code"] for error in errors}))
        except (*AWS_FAILED, TimeoutError) as error:
            refused = str(error)
        if refused:
            logs.logger.warning("payloads not deleted", extra={"error": refused, "payloads": len(keys)})

    def keep(self, webhook: Webhook) -> str:
        """Keep the payload of a webhook for good, unless it is there already. Returns its URI. Raises SinkDown.

        It is named by what is in it, too: of two payloads under one key a sink takes one, and which is not known yet.
        """
        names = (hashlib.sha256(part).hexdigest() for part in (webhook.key.encode(), webhook.body))
        key = STORED + "/".join(names)
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=webhook.body, IfNoneMatch="*")
        except AWS_FAILED as error:
            if code_of(error) != "PreconditionFailed":
                raise SinkDown(f"the payload could not be kept in S3: {error}", error=code_of(error)) from error
        return f"s3://{self._bucket}/{key}"
