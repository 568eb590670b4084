"""Doubles for the handlers: Lambda's context, and boto3's clients of SQS, S3 and Secrets Manager."""

import io
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from webhook_runtime.clients import AwsRejected, AwsUnreachable, BotocoreClient
from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES
from webhook_runtime.contract.messages import size_of


def unreachable(code: str = "ReadTimeoutError", url: str = "https://aws") -> AwsUnreachable:
    """Return a failure of the connection."""
    return AwsUnreachable(code, f'{code} on endpoint URL: "{url}"')


def of_botocore(client: Any) -> BotocoreClient:
    """Return the client by which a function calls this one of botocore."""
    made = BotocoreClient("", read_timeout=0, attempts=0)
    made.__dict__["_client"] = client
    return made


REJECTED = AwsRejected({"Error": {"Code": "RequestThrottled", "Message": "too many"}}, "AnyOperation")


class Invocation:
    """Lambda's context. Each call returns the next of ``seconds``, and the last one from then on."""

    def __init__(self, *seconds: float) -> None:
        self._seconds = list(seconds or (30,))

    def get_remaining_time_in_millis(self) -> int:
        left = self._seconds.pop(0) if len(self._seconds) > 1 else self._seconds[0]
        return round(left * 1000)


class Sqs:
    """Records calls, each checked against botocore's model, or raises ``error``.

    ``sent`` are the messages, also those of one call, and ``batches`` the numbers of messages of such calls. ``failed``
    are receipt handles that it does not postpone, and message ids that it does not take into another queue. ``holds``
    is the size limit of a message.
    """

    def __init__(
        self, error: Exception | None = None, failed: tuple[str, ...] = (), holds: int = MAX_MESSAGE_BYTES
    ) -> None:
        self.sent: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.rejected = 0
        self._holds = holds
        self.postponed: list[list[dict[str, Any]]] = []
        self._error = error
        self._failed = failed

    def send_message(self, **call: Any) -> dict[str, str]:
        check_call("SendMessage", call)
        if size_of(call["MessageBody"], call["MessageAttributes"]) > self._holds:
            self.rejected += 1
            raise too_long(self._holds)
        self.sent.append(call)
        if self._error:
            raise self._error
        return {"MessageId": f"message-{len(self.sent)}"}

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        check_call("SendMessageBatch", call)
        entries = check_entries(call)
        self.batches.append(len(entries))
        if self._error:
            raise self._error
        sizes = {id: size_of(entry["MessageBody"], entry["MessageAttributes"]) for id, entry in entries.items()}
        if sum(sizes.values()) > MAX_MESSAGE_BYTES:
            raise AwsRejected({"Error": {"Code": "BatchRequestTooLong", "Message": "too long"}}, "SendMessageBatch")
        failed = {id: entry_too_long(self._holds) for id, size in sizes.items() if size > self._holds}
        self.rejected += len(failed)
        for id, entry in entries.items():
            if entry.get("MessageDeduplicationId", entry["MessageBody"]) in self._failed:
                failed[id] = {"Code": "InternalError", "Message": "try again"}
            elif id not in failed:
                self.sent.append({"QueueUrl": call["QueueUrl"], **entry})
        return {
            "Successful": [{"Id": id} for id in entries if id not in failed],
            "Failed": [{"Id": id, "SenderFault": True, **error} for id, error in failed.items()],
        }

    def change_message_visibility_batch(self, **call: Any) -> dict[str, Any]:
        check_call("ChangeMessageVisibilityBatch", call)
        check_entries(call)
        self.postponed.append(call["Entries"])
        if self._error:
            raise self._error
        failed = [entry for entry in call["Entries"] if entry["ReceiptHandle"] in self._failed]
        code = "ReceiptHandleIsInvalid"
        return {
            "Successful": [],
            "Failed": [{"Id": entry["Id"], "SenderFault": True, "Code": code} for entry in failed],
        }

    def delays(self) -> dict[str, int]:
        """Return the delays in seconds by receipt handle."""
        return {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entries in self.postponed for entry in entries}


class S3:
    """A bucket that checks each call against botocore's model. Raises the next of ``errors`` if there is one."""

    def __init__(self, *errors: Exception | None, bucket: str = "payloads") -> None:
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []
        self._bucket = bucket
        self._errors = list(errors)

    def put_object(self, **call: Any) -> dict[str, Any]:
        self._called("PutObject", call)
        if call.get("IfNoneMatch") == "*" and call["Key"] in self.objects:
            raise client_error("PreconditionFailed")
        self.objects[call["Key"]] = call["Body"]
        return {}

    def get_object(self, **call: Any) -> dict[str, Any]:
        self._called("GetObject", call)
        if call["Key"] not in self.objects:
            raise client_error("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[call["Key"]])}

    def delete_objects(self, **call: Any) -> dict[str, Any]:
        self._called("DeleteObjects", call)
        for entry in call["Delete"]["Objects"]:
            self.objects.pop(entry["Key"], None)
        return {}

    def _called(self, operation: str, call: dict[str, Any]) -> None:
        check_call(operation, call, "s3")
        assert call["Bucket"] == self._bucket
        self.calls.append(operation)
        error = self._errors.pop(0) if self._errors else None
        if error:
            raise error


class SecretsManager:
    """A secret by its stages, or a response in its place.

    It checks each call against botocore's model, and counts them in ``asked``.
    """

    def __init__(self, arn: str | None = None, **stages: str | Exception) -> None:
        self.stages = stages
        self.asked = 0
        self._arn = arn

    def get_secret_value(self, **call: Any) -> dict[str, Any]:
        check_call("GetSecretValue", call, "secretsmanager")
        assert self._arn in (None, call["SecretId"])
        self.asked += 1
        secret = self.stages.get(call["VersionStage"], client_error("ResourceNotFoundException"))
        if isinstance(secret, Exception):
            raise secret
        return {"SecretString": secret}


def too_long(holds: int) -> AwsRejected:
    """Return the error as LocalStack's tests recorded it from SQS, on 19 August 2025."""
    said = f"One or more parameters are invalid. Reason: Message must be shorter than {holds} bytes."
    return AwsRejected({"Error": {"Code": "InvalidParameterValue", "Message": said}}, "SendMessage")


def entry_too_long(holds: int) -> dict[str, str]:
    """Return the error of an entry as LocalStack's tests recorded it from SQS, on 30 April 2024."""
    said = f"One or more parameters cannot be validated. Reason: Message must be shorter than {holds} bytes."
    return {"Code": "InvalidParameterValue", "Message": said}


def client_error(code: str, status: int = 400) -> AwsRejected:
    answer: Any = {"Error": {"Code": code, "Message": "as asked"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return AwsRejected(answer, "AnyOperation")


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def check_call(operation: str, call: dict[str, Any], service: str = "sqs") -> None:
    report = ParamValidator().validate(call, _model(service).operation_model(operation).input_shape)
    assert not report.has_errors(), report.generate_report()


def check_entries(call: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of a call by their ids, which SQS wants to be different."""
    entries = {entry["Id"]: entry for entry in call["Entries"]}
    assert 1 <= len(entries) == len(call["Entries"]) <= 10
    return entries
