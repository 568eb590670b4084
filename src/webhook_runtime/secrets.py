"""The secrets that senders sign with: as they are and, while one is rotated, as they were before."""

import json
import time
from collections.abc import Callable
from typing import Any

# A secret that has been asked for is taken at its word for so long. One that made no signature match is asked for again
# at once, since it may have been rotated, but not so often that a stranger's requests could wear Secrets Manager out.
_KNOWN_SECONDS = 300
_PROVOKED_SECONDS = 10


class Unverifiable(Exception):
    """Whether the request is of its sender cannot be told at present, so nobody is let in."""


class NoSecret(Unverifiable):
    """The secret cannot be had."""


class Secrets:
    """AWSCURRENT and AWSPREVIOUS of one secret, from Secrets Manager. ``field`` is its key in JSON."""

    def __init__(self, client: Any, arn: str, field: str | None, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._arn = arn
        self._field = field
        self._now = now
        self._known: list[str] = []
        self._asked_at = self._provoked_at = float("-inf")

    def current(self) -> list[str]:
        """The newest first. Raises NoSecret."""
        if self._now() - self._asked_at > _KNOWN_SECONDS:
            self._ask()
        return self._known

    def are_newer_than(self, at: float) -> bool:
        """Whether what is known was asked for after that time; it is asked for now, unless that was just done for
        another request."""
        if self._asked_at < at and self._now() - self._provoked_at >= _PROVOKED_SECONDS:
            self._provoked_at = self._now()
            self._ask()
        return self._asked_at >= at

    def _ask(self) -> None:
        known = [value for stage in ("AWSCURRENT", "AWSPREVIOUS") if (value := self._value(stage))]
        if not known:
            raise NoSecret("the secret is empty")
        self._known, self._asked_at = known, self._now()

    def _value(self, stage: str) -> str | None:
        try:
            text = self._client.get_secret_value(SecretId=self._arn, VersionStage=stage)["SecretString"]
            return str(json.loads(text)[self._field]) if self._field else str(text)
        except Exception as error:
            if stage == "AWSPREVIOUS":  # one that was never rotated has none
                return None
            # Not the whole of it: what json says would quote the secret. A ClientError has a response; botocore, which
            # has the ClientError, is not there where an app is synthesised, which imports this package.
            said: dict[str, Any] = getattr(error, "response", {})
            raise NoSecret(said["Error"]["Code"] if "Error" in said else type(error).__name__) from None
