"""How senders prove who they are, as data: the fields of each way and what they are by default. Synth time describes a
sender by them, and ``sources.schemes`` checks by the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """``id_header`` or ``id_field``, of a JSON payload, is what makes a delivery unique. The latter is a key, or keys
    from the outside in with dots between."""

    kind: ClassVar[str]

    id_header: str | None = None
    id_field: str | None = None

    def described(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by which run time makes the same scheme."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in values.items() if value != defaults[name]}


@dataclass(frozen=True, kw_only=True)
class Hmac(Scheme):
    """An HMAC in a header.

    ``signed`` is what it is of: ``{body}``, and around it ``{timestamp}``, ``{id}``, ``{url}`` and ``{method}``.
    ``separator`` stands between the parts of a header that has several: signatures, each after ``prefix``, and the time
    after ``timestamp_prefix``. ``key`` is how the secret is written: ``text``, ``hex`` or ``base64``. ``opening`` is
    how every payload starts, where a handshake signs anything else for anybody.
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


@dataclass(frozen=True, kw_only=True)
class AnyOf(Scheme):
    """A sender that has several ways to sign. Each of ``ways`` is the fields of an ``Hmac``; a request is its sender's
    where one of them says so."""

    kind = "any_of"

    ways: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Twilio(Scheme):
    """Twilio signs the URL that it called, and with it the parameters of a form, or the SHA-256 of another payload that
    is in the URL's query: by HMAC-SHA1, or as a header of its own says.

    https://www.twilio.com/docs/usage/security#validating-requests
    """

    kind = "twilio"


@dataclass(frozen=True, kw_only=True)
class Token(Scheme):
    """The secret itself, in a header, after ``prefix``."""

    kind = "token"

    header: str
    prefix: str = ""


@dataclass(frozen=True, kw_only=True)
class ClientState(Scheme):
    """The secret itself, in every notification of a payload of Microsoft Graph's.

    https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks
    """

    kind = "client_state"


@dataclass(frozen=True, kw_only=True)
class Custom(Scheme):
    """A function of the user's, ``module.function``: it is given the webhook and the secrets, raises Unverified, and
    returns the delivery's id, an Answer or None."""

    kind = "custom"

    handler: str
