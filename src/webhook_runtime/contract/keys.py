"""A signing secret as people store it in Secrets Manager, and the key in it.

No error quotes the secret.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any


class NoKey(ValueError):
    """The secret holds no key."""


def secret_value(answer: Mapping[str, Any], field: str | None) -> str:
    """Return the secret in an answer of GetSecretValue: its text, or the value of this key if it is JSON. Raise
    KeyError, TypeError or ValueError.
    """
    text = secret_text(answer)
    value = json.loads(text)[field] if field else text
    if type(value) not in (str, int):  # null as text could be guessed
        raise TypeError
    value = _without_ends(str(value))
    value.encode()  # JSON may hold half of a surrogate pair, which is no key
    return value


def secret_text(answer: Mapping[str, Any]) -> str:
    """Return the text in an answer of GetSecretValue, which may have been stored as bytes. Raise KeyError, or
    ValueError.

    Remove line breaks and a byte order mark at its ends, which editors leave there and no secret has.
    """
    text = answer["SecretString"] if "SecretString" in answer else answer["SecretBinary"].decode()
    return _without_ends(text)


def _without_ends(text: str) -> str:
    # HMAC fills up a key with NULs, so one of NULs alone equals the empty one, which everyone knows.
    return text.strip().strip("\ufeff\u200b\u2060\0").strip()


def key_of(secret: str, written: str) -> bytes:
    """Return the key in a secret, which is written as ``text``, ``hex`` or ``base64``. Raise NoKey."""
    if written == "text":
        return secret.encode()
    return _of_hex(secret) if written == "hex" else standard_key(secret)


def standard_key(secret: str) -> bytes:
    """Return the key of a Standard Webhooks secret: with or without ``whsec_``, ``v1,`` before that, and padding.

    Raise NoKey.
    """
    text = "".join(secret.split()).removeprefix("v1,").removeprefix("whsec_").rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise NoKey("the secret is not base64") from None
    return _not_empty(key)


def _of_hex(secret: str) -> bytes:
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        raise NoKey("the secret is not hex") from None
    return _not_empty(key)


def _not_empty(key: bytes) -> bytes:
    """Reject an empty key, and one of NULs alone, which is the same to HMAC."""
    if not key.strip(b"\0"):
        raise NoKey("the secret is empty")
    return key
