"""Who sends: what each request has to pass before it is a webhook, at the door or, where none verifies, behind it."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from webhook_runtime.message import Webhook
from webhook_runtime.sources.secrets import NoSecret, Secrets
from webhook_runtime.sources.verification import Answer, Mismatched, Unverified

if TYPE_CHECKING:
    from webhook_runtime.sources.handshakes import Ask, Handshake
    from webhook_runtime.sources.schemes import Scheme, Verdict


_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


class Source:
    """One sender. ``secrets`` is None where the scheme needs none; ``tokens`` are those that only a handshake knows."""

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
    def described(cls, description: Mapping[str, Any], secrets_manager: Any, *, in_order: bool = False) -> "Source":
        """The source that synth time has described. ``secrets_manager`` is a boto3 client, ``in_order`` is whether the
        webhooks come out of a FIFO queue."""
        # Every kind there is, which a function that verifies nothing need not load at each cold start.
        from webhook_runtime.sources import handshakes, schemes

        def secrets(name: str) -> Secrets | None:
            where = description.get(name)
            return Secrets(secrets_manager, where["arn"], where.get("field"), in_order=in_order) if where else None

        scheme = schemes.KINDS[description["kind"]](**description["scheme"])
        asked = [handshakes.KINDS[kind](*arguments) for kind, *arguments in description.get("handshakes", ())]
        return cls(scheme, secrets("secret"), asked, secrets("token"))

    def prepare(self) -> None:
        """Have the secret read where it is not known yet: it is no fault of a webhook that this takes time."""
        with suppress(NoSecret):
            _all(self._secrets)

    def admit(self, webhook: Webhook, queued_at: float = 0) -> Webhook | Answer:
        """The webhook, under its sender's own id; or what to answer a sender that only asks whether somebody is there.

        It is held against the time of its arrival: it may have waited in the queue for days. Where no secret fits that
        was known when it was queued, at ``queued_at`` since 1970, the secret is read anew: it may have been mended, and
        the webhook redriven. Raises Unverified, or Unverifiable, which says of which secret.
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
        # JSON may hold half of a surrogate pair: no message can, and no sink.
        if not id or _HALF_A_PAIR.search(id):
            id = webhook.id
        return replace(webhook, id=id, headers=webhook.headers.without(self._scheme.secret_header))

    def _asked(self, webhook: Webhook, secrets: "Ask", tokens: "Ask", *, is_signed: bool) -> Answer | None:
        """The answer where the request is a handshake, of those that are signed or of those that are not."""
        kinds = (each for each in self._handshakes if each.is_signed is is_signed)
        answers = (each.answer(webhook, secrets, tokens) for each in kinds)
        return next((answer for answer in answers if answer is not None), None)

    def _verify(self, webhook: Webhook, at: float) -> "Verdict":
        # Read once, and before any secret is: most of what is not signed needs none to be known for it.
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
        # A secret that was known before the request arrived may have been rotated before it, too.
        sure = self._secrets.are_newer_than(at)
        if (newer := self._secrets.current()) != known:
            try:
                return claim(newer)
            except Unverified as unverified:
                reason = unverified.reason
        wait = None if sure else self._secrets.wait_for(at)
        raise Mismatched(reason, sure=sure, secret=self._secrets.arn, retry_after=wait)


class Sources:
    """The sources of the doors that lead here, by their mounts; None for one that needs no check here: anybody may
    send, or its own door has checked."""

    def __init__(self, by_mount: Mapping[str, Source | None]) -> None:
        self._by_mount = by_mount

    @classmethod
    def described(
        cls, descriptions: Mapping[str, Mapping[str, Any] | None], secrets_manager: Any, *, in_order: bool = False
    ) -> "Sources":
        """The sources that synth time has described. See ``Source.described``."""
        return cls(
            {
                mount: None if each is None else Source.described(each, secrets_manager, in_order=in_order)
                for mount, each in descriptions.items()
            }
        )

    def prepare(self, mount: str) -> None:
        """See ``Source.prepare``."""
        source = self._by_mount.get(mount)
        if source is not None:
            source.prepare()

    def admit(self, webhook: Webhook, queued_at: float = 0) -> Webhook | Answer:
        """See ``Source.admit``."""
        if webhook.mount not in self._by_mount:
            raise Unverified("The door that it came through is not known here.", sure=False)
        source = self._by_mount[webhook.mount]
        return webhook if source is None else source.admit(webhook, queued_at)


def _all(secrets: Secrets | None) -> list[str]:
    return [] if secrets is None else secrets.current()
