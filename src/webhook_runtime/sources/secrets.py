"""The secrets that senders sign with: as they are and, while one is rotated, as they were before."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from webhook_runtime.clients import code_of, may_pass
from webhook_runtime.sources.verification import Unverifiable

# A secret that has been asked for is taken at its word for so long. One that made no signature match is asked for again
# at once, since it may have been rotated, but not so often that a stranger's requests could wear Secrets Manager out.
_KNOWN_SECONDS = 300
_PROVOKED_SECONDS = 10
# In a FIFO queue everybody waits for who has to be judged first; and there is one consumer, so one that asks.
_PROVOKED_SECONDS_IN_ORDER = 1
# One that cannot be had is not asked for again by the rest of a batch: each call that times out costs the function time
# in which it has to say what failed.
_REFUSED_SECONDS = 5


class NoSecret(Unverifiable):
    """The secret cannot be had."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


def secret_text(answer: Mapping[str, Any]) -> str:
    """The text in an answer of GetSecretValue, where it was stored as bytes too. No sender's secret has at its ends
    what an editor leaves there: a line break, or a byte order mark. Raises KeyError, or ValueError."""
    text = answer["SecretString"] if "SecretString" in answer else answer["SecretBinary"].decode()
    return _without_ends(text)


def _without_ends(text: str) -> str:
    # To HMAC, which fills a key up with them, one of NULs alone is an empty one: everybody knows it.
    return text.strip().strip("\ufeff\u200b\u2060\0").strip()


def standard_key(secret: str) -> bytes:
    """The key of Standard Webhooks as people paste it: with ``whsec_`` before it or without, with the ``v1,`` that some
    write before that, padded or not. Raises NoSecret."""
    text = "".join(secret.split()).removeprefix("v1,").removeprefix("whsec_").rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise NoSecret("the secret is not base64") from None
    return _known_to_few(key)


def hex_key(secret: str) -> bytes:
    """A key that is written in hex. Raises NoSecret."""
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        raise NoSecret("the secret is not hex") from None
    return _known_to_few(key)


def _known_to_few(key: bytes) -> bytes:
    """Not the empty one, nor one of NULs alone, which is the same to HMAC."""
    if not key.strip(b"\0"):
        raise NoSecret("the secret is empty")
    return key


class Secrets:
    """AWSCURRENT and AWSPREVIOUS of one secret, from Secrets Manager. ``field`` is its key in JSON. ``in_order`` is
    whether the webhooks come out of a FIFO queue."""

    def __init__(
        self,
        client: Any,
        arn: str,
        field: str | None,
        now: Callable[[], float] = time.time,
        *,
        in_order: bool = False,
    ) -> None:
        self._client = client
        self.arn = arn
        self._field = field
        self._now = now
        self._in_order = in_order
        self._provoked_seconds = _PROVOKED_SECONDS_IN_ORDER if in_order else _PROVOKED_SECONDS
        self._known: list[str] = []
        self._asked_at = self._provoked_at = self._refused_at = float("-inf")
        self._refusal = self._missing = ""

    def current(self) -> list[str]:
        """The newest first. Raises NoSecret."""
        if self._now() - self._asked_at > _KNOWN_SECONDS:
            self._ask()
        return self._known

    def are_newer_than(self, at: float) -> bool:
        """Whether what is known was asked for after that time; it is asked for now, unless that was just done for
        another request. Raises NoSecret where the one before the newest, which there may be, is not known."""
        if (self._asked_at < at or self._missing) and self._now() - self._provoked_at >= self._provoked_seconds:
            self._provoked_at = self._now()
            try:
                self._ask()
            except NoSecret as refusal:
                raise self._later(str(refusal)) from None
        if self._missing:
            raise self._later(self._missing)
        return self._asked_at >= at

    def wait_for(self, at: float) -> float:
        """After how many seconds a request of that time is judged for sure, whichever environment has it then."""
        return min(max(at + self._provoked_seconds - self._now(), 0), self._provoked_seconds)

    def _later(self, reason: str) -> NoSecret:
        """In a FIFO queue who cannot be judged holds everybody. Elsewhere it holds nobody, and lasts longer by the
        backoff of its tries."""
        return NoSecret(reason, _REFUSED_SECONDS if self._in_order else None)

    def _ask(self) -> None:
        if self._now() - self._refused_at < _REFUSED_SECONDS:
            raise NoSecret(self._refusal)
        try:
            known = [self._value("AWSCURRENT")]
        except NoSecret as refusal:
            self._refusal, self._refused_at = str(refusal), self._now()
            raise
        try:
            known.append(self._value("AWSPREVIOUS"))
            self._missing = ""
        except NoSecret as refusal:
            self._missing = str(refusal)
        if not any(known):
            raise NoSecret("the secret is empty")
        self._known, self._asked_at = [value for value in known if value], self._now()

    def _value(self, stage: str) -> str | None:
        try:
            text = secret_text(self._client.get_secret_value(SecretId=self.arn, VersionStage=stage))
            value = json.loads(text)[self._field] if self._field else text
            if type(value) not in (str, int):  # null, as text, is one that anybody can guess
                raise TypeError
            value = _without_ends(str(value))
            value.encode()  # JSON may hold half of a surrogate pair, which is no key
            return value
        except Exception as error:
            # One that was never rotated has none; but whether it has one, a call that failed does not say.
            if stage == "AWSPREVIOUS" and not may_pass(error):
                return None
            # Not the whole of it: what json says would quote the secret.
            raise NoSecret(code_of(error)) from None
