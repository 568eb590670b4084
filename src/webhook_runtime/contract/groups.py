"""Message groups of SQS: in a FIFO queue they keep an order each, in a standard queue they share it fairly.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

import hashlib
import re

# The group of all webhooks, where there is one, and of those that name none in a FIFO queue, which needs one.
ONE_GROUP = "webhook"
NO_GROUP = "-"

MAX_LENGTH = 128
_ALLOWED = re.compile(f"[!-~]{{1,{MAX_LENGTH}}}")


def is_group(text: str) -> bool:
    """Tell whether SQS takes a text as a group."""
    return _ALLOWED.fullmatch(text) is not None


def group_of(text: str) -> str:
    """Return a text as a group: as it is, or its SHA-256 if SQS does not take it."""
    return text if is_group(text) else hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
