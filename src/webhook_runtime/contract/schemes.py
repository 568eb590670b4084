"""The signature schemes as data: synth time describes a provider by these fields, ``sources.schemes`` verifies by them,
and ``signing`` signs by them.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, dataclass_transform

from webhook_runtime.contract.records import Record, given_in
from webhook_runtime.contract.signed import Around, around


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _Described(Record):
    """For type checkers, each scheme is a frozen dataclass."""


class Scheme(_Described):
    """A way to sign.

    ``id_header`` or ``id_field``, of a JSON payload, holds the event id. The field is a key, or several keys from the
    outside in with dots between them.
    """

    kind: ClassVar[str]

    id_header: str | None = None
    id_field: str | None = None

    def described(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults. Run time creates the same scheme from them."""
        return given_in(self)


class Hmac(Scheme):
    """An HMAC in a header.

    ``signed`` is the signed text: ``{body}``, and around it ``{timestamp}``, ``{id}``, ``{url}`` and ``{method}``.
    ``separator`` separates the parts of the header: signatures, each after ``prefix``, and the time after
    ``timestamp_prefix``. ``key`` says how the secret is written: ``text``, ``hex`` or ``base64``. ``opening`` is the
    start of every payload. It is set if the provider's handshake signs any other text on request.
    """

    kind = "hmac"

    header: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    separator: str = ""
    signed: str = "{body}"
    key: str = "text"
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    timestamp_format: str = "seconds"
    tolerance: float | None = None
    opening: str = ""

    @cached_property
    def around(self) -> tuple[Around, Around]:
        """The texts before and behind the payload, in the signed text."""
        return around(self.signed)

    def written(self, mac: bytes) -> str:
        """Return a MAC as its header has it."""
        if self.encoding == "hex":
            return mac.hex()
        if self.encoding == "base64":
            return base64.b64encode(mac).decode()
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


class AnyOf(Scheme):
    """Several ways to sign, each with the fields of an ``Hmac``. A request is verified if one of them fits."""

    kind = "any_of"

    ways: Sequence[Mapping[str, Any]]


class Twilio(Scheme):
    """Twilio signs the URL that it called, by HMAC-SHA1 unless a header says otherwise.

    With it, it signs the parameters of a form. For any other payload, the query of the URL has its SHA-256.

    https://www.twilio.com/docs/usage/security#validating-requests
    """

    kind = "twilio"
    header: ClassVar[str] = "X-Twilio-Signature"
    # The parameter of the query with the SHA-256 of a payload that is no form.
    digest: ClassVar[str] = "bodySHA256"

    @staticmethod
    def fields(form: Iterable[tuple[str, str]]) -> bytes:
        """Return the signed text of a form, which follows the URL."""
        return "".join(name + value for name, value in sorted(set(form))).encode()


class Token(Scheme):
    """The secret itself in a header, after ``prefix``."""

    kind = "token"

    header: str
    prefix: str = ""


class ClientState(Scheme):
    """The secret itself in every notification of a payload of Microsoft Graph.

    https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks
    """

    kind = "client_state"


class Custom(Scheme):
    """The user's function ``module.function``.

    It gets the webhook and the secrets. It raises Unverified, or returns the event id, an Answer or None.
    """

    kind = "custom"

    handler: str


KINDS: Mapping[str, type[Scheme]] = {each.kind: each for each in (Hmac, AnyOf, Twilio, Token, ClientState, Custom)}


def scheme_of(kind: str, fields: Mapping[str, Any]) -> Scheme:
    """Return the scheme of this kind with these fields."""
    return KINDS[kind](**fields)


def of_ways(kind: str, ways: Sequence[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Return the kind and the fields of the scheme of a provider that may sign in several ways."""
    return (kind, ways[0]) if len(ways) == 1 else (AnyOf.kind, {"ways": ways})
