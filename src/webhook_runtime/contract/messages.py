"""Messages of SQS: their size, as SQS counts it, and how many of them go into one call."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from webhook_runtime.contract.limits import MAX_MESSAGE_BYTES

# The most messages of a call.
ENTRIES = 10

T = TypeVar("T")


def size_of(body: str, attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the size as SQS counts it: the body, and name, type and value of each attribute."""
    return bytes_of(body) + sum(size_of_attribute(name, each) for name, each in attributes.items())


def size_of_attribute(name: str, attribute: Mapping[str, Any]) -> int:
    """Return the part of an attribute in the size of its message."""
    texts = name + attribute["DataType"] + attribute.get("StringValue", "")
    return bytes_of(texts) + len(attribute.get("BinaryValue", b""))


def bytes_of(text: str) -> int:
    """Count the bytes in UTF-8. Most text is ASCII, which need not be encoded to be counted."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def in_calls(sized: Iterable[tuple[T, int]], most_bytes: int = MAX_MESSAGE_BYTES) -> Iterator[list[T]]:
    """Yield messages, each of which comes with its size, in parts that fit into one call. Their order stays.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
    """
    call: list[T] = []
    room = most_bytes
    for message, size in sized:
        if call and (len(call) == ENTRIES or size > room):
            yield call
            call, room = [], most_bytes
        call.append(message)
        room -= size
    if call:
        yield call
