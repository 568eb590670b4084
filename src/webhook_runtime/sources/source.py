"""Sources: verify each request, in the publisher or, behind a direct integration, in the consumer."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from webhook_runtime.message import Webhook
from webhook_runtime.sources.secrets import NoSecret, Secrets
from webhook_runtime.sources.verification import Answer, Mismatched, Unverified

if TYPE_CHECKING:
    from webhook_runtime.sources.handshakes import Ask, Handshake
    from webhook_runtime.sources.schemes import Scheme, Verdict


_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


class Source:
    """The source of one endpoint.

    ``secrets`` is None if the scheme needs none. ``tokens`` are those that only a handshake uses.
    """

    def __init__(
        self,
        scheme: "Scheme",
        secrets: Secrets | None,
        handshakes: "Sequence[Handshake]" = (),
        tokens: Secrets | None = None,
    ) -> None:
        self._scheme = scheme
        self._secrets = secrets
        self._handshakes = handshakes
        self._tokens = tokens

    @classmethod
    def from_description(
        cls, description: Mapping[str, Any], secrets_manager: Any, *, in_order: bool = False
    ) -> "Source":
        """Create the source that synth time has described.

        ``secrets_manager`` is a boto3 client. ``in_order`` says whether the webhooks are from a FIFO queue.
        """
        # Imported here, since these are slow to load, and not every function verifies.
        from webhook_runtime.sources import handshakes, schemes

        def secrets(name: str) -> Secrets | None:
            where = description.get(name)
            return Secrets(secrets_manager, where["arn"], where.get("field"), in_order=in_order) if where else None

        scheme = schemes.KINDS[description["kind"]](**description["scheme"])
        asked = [handshakes.KINDS[kind](*arguments) for kind, *arguments in description.get("handshakes", ())]
        return cls(scheme, secrets("secret"), asked, secrets("token"))

    @property
    def covers_payload(self) -> bool:
        """Whether no other payload has the same signature."""
        return self._scheme.covers_payload

    def prepare(self) -> None:
        """Read the secret if it is not known yet. The time for it is no webhook's own."""
        with suppress(NoSecret):
            _all(self._secrets)

    def admit(self, webhook: Webhook, queued_at: float = 0) -> Webhook | Answer:
        """Verify a webhook. Return it under its provider's own id, or the answer to a handshake.

        It is verified as of its arrival, since it may have waited in the queue for days. If no secret fits that was
        known at ``queued_at``, in seconds since 1970, read the secret again: it may have been fixed before a redrive.
        Raise Unverified, or Unverifiable with the secret's ARN.
        """
        try:
            return self._admit(webhook, max(webhook.received_at.timestamp(), queued_at))
        except NoSecret as missing:
            arns = {each.arn for each in (self._secrets, self._tokens) if each is not None}
            raise NoSecret(f"{missing}, at {', '.join(arns)}", missing.retry_after) from None

    def _admit(self, webhook: Webhook, at: float) -> Webhook | Answer:
        answer = self._asked(webhook, lambda: _all(self._secrets), lambda: _all(self._tokens), is_signed=False)
        if answer is not None:
            return answer
        verdict = self._verify(webhook, at)
        if verdict.answer is not None:
            return verdict.answer
        answer = self._asked(webhook, lambda: [verdict.secret], list, is_signed=True)
        if answer is not None:
            return answer
        id = verdict.id or self._scheme.delivery_id(webhook)
        # JSON may hold half of a surrogate pair, which no message and no sink can.
        if not id or _HALF_A_PAIR.search(id):
            id = webhook.id
        return webhook._replace(id=id, headers=webhook.headers.without(self._scheme.secret_header))

    def _asked(self, webhook: Webhook, secrets: "Ask", tokens: "Ask", *, is_signed: bool) -> Answer | None:
        """Return the answer if the request is a handshake that is signed, or one that is not."""
        kinds = (each for each in self._handshakes if each.is_signed is is_signed)
        answers = (each.answer(webhook, secrets, tokens) for each in kinds)
        return next((answer for answer in answers if answer is not None), None)

    def _verify(self, webhook: Webhook, at: float) -> "Verdict":
        # Parse first and once: most unsigned requests fail here without a secret.
        claim = self._scheme.claim(webhook)
        known = _all(self._secrets)
        try:
            return claim(known)
        except Unverified as unverified:
            if unverified.sure:
                raise
            reason = unverified.reason
        if self._secrets is None:
            raise Unverified(reason)
        # A secret that was read before the request arrived may have been rotated in between.
        sure = self._secrets.are_newer_than(at)
        if (newer := self._secrets.current()) != known:
            try:
                return claim(newer)
            except Unverified as unverified:
                reason = unverified.reason
        wait = None if sure else self._secrets.wait_for(at)
        raise Mismatched(reason, sure=sure, secret=self._secrets.arn, retry_after=wait)


class Sources:
    """The sources of this function's endpoints, by their paths.

    None stands for an endpoint that is not verified here: it has no source, or its ingress has verified it.
    """

    def __init__(self, by_mount: Mapping[str, Source | None]) -> None:
        self._by_mount = by_mount

    @classmethod
    def from_descriptions(
        cls, descriptions: Mapping[str, Mapping[str, Any] | None], secrets_manager: Any, *, in_order: bool = False
    ) -> "Sources":
        """Create the sources that synth time has described. See ``Source.from_description``."""
        return cls(
            {
                mount: None if each is None else Source.from_description(each, secrets_manager, in_order=in_order)
                for mount, each in descriptions.items()
            }
        )

    def cover_payload(self, mount: str) -> bool:
        """See ``Source.covers_payload``."""
        source = self._by_mount.get(mount)
        return source is not None and source.covers_payload

    def prepare(self, mount: str) -> None:
        """See ``Source.prepare``."""
        source = self._by_mount.get(mount)
        if source is not None:
            source.prepare()

    def admit(self, webhook: Webhook, queued_at: float = 0) -> Webhook | Answer:
        """See ``Source.admit``."""
        if webhook.mount not in self._by_mount:
            raise Unverified("This function does not know the endpoint that received it.", sure=False)
        source = self._by_mount[webhook.mount]
        return webhook if source is None else source.admit(webhook, queued_at)


def _all(secrets: Secrets | None) -> list[str]:
    return [] if secrets is None else secrets.current()
