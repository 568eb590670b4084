"""The code that runs in Lambda, and the types that your handler gets. It needs the standard library and boto3, never
aws_cdk.
"""

from webhook_runtime.contract.items import stored_payload
from webhook_runtime.message import Headers, MalformedMessage, Webhook, read
from webhook_runtime.outcome import Permanent, RetryAfter, SinkDown
from webhook_runtime.sources.verification import Answer, Unverified

__all__ = [
    "Answer",
    "Headers",
    "MalformedMessage",
    "Permanent",
    "RetryAfter",
    "SinkDown",
    "Unverified",
    "Webhook",
    "read",
    "stored_payload",
]
