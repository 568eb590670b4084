"""Signing secrets: the current version and, during a rotation, the previous one."""

import time
from collections.abc import Callable
from typing import Any

from webhook_runtime.clients import is_temporary, told
from webhook_runtime.contract.keys import secret_value
from webhook_runtime.sources.verification import Unverifiable

# Cache a secret for so long. If no signature fits, read it again early, since it may have been rotated, but only so
# often that forged requests cannot exhaust the quota of Secrets Manager.
_KNOWN_SECONDS = 300
_PROVOKED_SECONDS = 10
# In a FIFO queue, the messages of a group wait for the one that has to be verified first. Only one consumer reads the
# secret if there is one group, else as many as work at a time.
_PROVOKED_SECONDS_IN_ORDER = 1
# A batch does not read an unavailable secret again for so long, since each call that times out costs time needed to
# report failures.
_UNAVAILABLE_SECONDS = 5


class NoSecret(Unverifiable):
    """The secret is not available."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Secrets:
    """AWSCURRENT and AWSPREVIOUS of one secret in Secrets Manager.

    ``field`` is its key if the secret is JSON. ``in_order`` says whether the webhooks are from a FIFO queue.
    """

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
        self._asked_at = self._provoked_at = self._failed_at = float("-inf")
        self._failure = self._missing = ""

    def current(self) -> list[str]:
        """Return the values, the newest first. Raise NoSecret."""
        if self._now() - self._asked_at > _KNOWN_SECONDS:
            self._ask()
        return self._known

    def are_newer_than(self, at: float) -> bool:
        """Tell whether the values were read after that time, and read them again unless that was just done.

        Raise NoSecret if AWSPREVIOUS may exist but could not be read.
        """
        if (self._asked_at < at or self._missing) and self._now() - self._provoked_at >= self._provoked_seconds:
            self._provoked_at = self._now()
            try:
                self._ask()
            except NoSecret as failure:
                raise self._later(str(failure)) from None
        if self._missing:
            raise self._later(self._missing)
        return self._asked_at >= at

    def wait_for(self, at: float) -> float:
        """Return the seconds until a request of that time can be judged for certain, in any environment."""
        return min(max(at + self._provoked_seconds - self._now(), 0), self._provoked_seconds)

    def _later(self, reason: str) -> NoSecret:
        """Wait only a short time in a FIFO queue, where this message holds all others. Elsewhere, use the backoff."""
        return NoSecret(reason, _UNAVAILABLE_SECONDS if self._in_order else None)

    def _ask(self) -> None:
        if self._now() - self._failed_at < _UNAVAILABLE_SECONDS:
            raise NoSecret(self._failure)
        try:
            known = [self._value("AWSCURRENT")]
        except NoSecret as failure:
            self._failure, self._failed_at = str(failure), self._now()
            raise
        try:
            known.append(self._value("AWSPREVIOUS"))
            self._missing = ""
        except NoSecret as failure:
            self._missing = str(failure)
        if not any(known):
            raise NoSecret("the secret is empty")
        self._known, self._asked_at = [value for value in known if value], self._now()

    def _value(self, stage: str) -> str | None:
        try:
            answer = self._client.get_secret_value(SecretId=self.arn, VersionStage=stage)
            return secret_value(answer, self._field)
        except Exception as error:
            # A secret that was never rotated has no AWSPREVIOUS. After a failed call, that is not known.
            if stage == "AWSPREVIOUS" and not is_temporary(error):
                return None
            raise NoSecret(told(error)) from None
