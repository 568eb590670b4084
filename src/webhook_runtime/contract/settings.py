"""What synth time tells run time: each class is some environment variables, read and written by one rule.

A field is the variable of its name: ``queue_url`` is ``WEBHOOK_QUEUE_URL``. One that has its default is not there.

Tuples with names: Python takes fifteen times as long to make a frozen dataclass, and does so at each cold start.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

# A number; or, where only deployment knows it, the CDK's token in its place, which is a text.
Number: TypeAlias = int | str
Json: TypeAlias = Mapping[str, Any]
Texts: TypeAlias = Sequence[str]

Settings = TypeVar("Settings", bound=tuple[Any, ...])

# By the type of a field.
_PARSE: Mapping[object, Any] = {
    str: str,
    str | None: str,
    Number: int,
    Number | None: int,
    float: float,
    bool: lambda text: text != "false",  # off only where somebody said so
    Texts: str.split,
    Json | None: json.loads,
}
# What grows with each endpoint is written without blanks, since an environment holds 4 KB.
_DENSE = ("sources", "event_filters")


def from_environment(kind: type[Settings], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this class in an environment. Raises KeyError where one without a default is not there."""
    types, defaults = kind.__annotations__, cast(Any, kind)._field_defaults
    values = {
        field: _PARSE[types[field]](environment[name])
        for field in types
        if (name := _variable(field)) in environment or field not in defaults
    }
    return kind(**values)


def to_environment(settings: tuple[Any, ...]) -> dict[str, str]:
    """The environment in which ``from_environment`` finds these settings."""
    fields, defaults = cast(Any, settings)._fields, cast(Any, settings)._field_defaults
    return {
        _variable(field): _text(field, value)
        for field, value in zip(fields, settings, strict=True)
        if field not in defaults or value != defaults[field]
    }


def _variable(field: str) -> str:
    return f"WEBHOOK_{field.upper()}"


def _text(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return json.dumps(value, separators=(",", ":") if field in _DENSE else None)
    return str(value) if isinstance(value, str | int) else " ".join(value)


class SourceSettings(NamedTuple):
    """``sources`` are the descriptions of which ``sources.Sources`` is made, by their mounts. None: nothing is
    verified here."""

    sources: Json | None = None


class FilterSettings(NamedTuple):
    """``event_filters`` are the patterns of each endpoint, by its mount. None: nothing is dropped here."""

    event_filters: Json | None = None


class PublisherSettings(NamedTuple):
    """``acknowledgement`` has status, body and content type, ``response_headers`` names and values; None where the
    answer is the usual one, and has no more headers. ``payload_bucket`` is None where large payloads are not enabled.
    ``credentials`` has the names of ``headers`` and of ``parameters`` by which API Gateway has let the sender in;
    ``signed_parameters`` are those that a source verifies first."""

    queue_url: str
    delivery_id_header: str | None = None
    acknowledgement: Json | None = None
    response_headers: Json | None = None
    credentials: Json | None = None
    payload_bucket: str | None = None


class ConsumerSettings(NamedTuple):
    """``max_receive_count`` is None where an existing queue does not tell. ``payload_days`` is for how many days
    ``payload_bucket`` keeps a payload that is on its way; both are None where large payloads are not enabled."""

    queue_url: str
    retry_initial_seconds: float
    retry_maximum_seconds: float
    dead_letter_queue_url: str | None = None
    max_receive_count: Number | None = None
    payload_bucket: str | None = None
    payload_days: Number | None = None


class UnverifiedSettings(NamedTuple):
    """Where goes what is surely not of its sender. None: the consumer verifies nobody."""

    unverified_queue_url: str | None = None


class DynamoDBSettings(NamedTuple):
    """``payload_bucket`` is None where large payloads are not enabled."""

    table_name: str
    payload_bucket: str | None = None


class DatabaseSettings(NamedTuple):
    """``secret_arn`` holds user and password; where it is None, ``database_user`` signs in by IAM. ``ca_certificates``
    is a file of the function's asset, beside those that come with this code."""

    database_host: str
    database_port: Number
    database_name: str
    database_tls: bool
    table_name: str
    create_table: bool
    secret_arn: str | None = None
    database_user: str | None = None
    ca_certificates: str | None = None

    @property
    def host(self) -> str:
        # A dot ends the same name, which is in no certificate with it.
        return self.database_host.removesuffix(".")

    @property
    def port(self) -> int:
        return int(self.database_port)


class DataApiSettings(NamedTuple):
    """``database_engine`` is ``postgres`` or ``mysql``."""

    cluster_arn: str
    secret_arn: str
    database_engine: str
    database_name: str
    table_name: str
    create_table: bool


class HttpSettings(NamedTuple):
    """``signing_secret_arn`` is None where nothing is signed. ``forward_headers`` are those that go on although a
    service might believe them."""

    url: str
    timeout_seconds: float
    signing_secret_arn: str | None = None
    ca_certificates: str | None = None
    forward_headers: Texts = ()


class PythonSettings(NamedTuple):
    """``handler`` is ``module.function``; ``handler_batch`` says whether it takes a list."""

    handler: str
    handler_batch: bool
