"""The payload in an item of the DynamoDB sink: what the sink writes, and everyone reads."""

from collections.abc import Mapping
from typing import Any

# The attribute that tells how the payload is compressed, and its value.
ENCODING = "encoding"
ZLIB = "zlib"
# A smaller payload is stored as it is: a write unit is 1 KB.
LEAST_BYTES = 1024


def stored_payload(item: Mapping[str, Any]) -> bytes:
    """Read the payload of an item that ``Sink.dynamodb()`` has stored, also if it is compressed.

    Args:
        item: The item, as a client or a resource of boto3 returns it.

    Returns:
        The payload, byte for byte.

    Raises:
        KeyError: The payload is in S3: the item has ``payload_object`` instead.
        ValueError: It is compressed in a way that this version does not know.
    """
    payload, encoding = _plain(item["payload"]), _plain(item.get(ENCODING))
    kept = payload.encode() if isinstance(payload, str) else bytes(payload)
    if encoding is None:
        return kept
    if encoding != ZLIB:
        raise ValueError(f"encoding must be {ZLIB}, got {encoding!r}; install a newer cdk-scalable-webhook")
    import zlib  # only for compressed payloads

    return zlib.decompress(kept)


def payload_object(item: Mapping[str, Any]) -> tuple[str, str]:
    """Return the bucket and the key of a payload that is in S3."""
    bucket, _, key = str(_plain(item["payload_object"])).removeprefix("s3://").partition("/")
    return bucket, key


def _plain(value: Any) -> Any:
    """Return a value without its type, which a client of boto3 has around it, and a resource around bytes."""
    if isinstance(value, Mapping):
        (value,) = value.values()
    return getattr(value, "value", value)
