"""The settings that synth time writes into a function's environment, and run time reads.

A field is the variable of its name: ``queue_url`` is ``WEBHOOK_QUEUE_URL``. A field with its default value is left out.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, dataclass_transform

from webhook_runtime.contract.records import Record, fields_of, given_in

# A number, or the CDK's token for one that only deployment knows, which is a text.
Number: TypeAlias = int | str
Json: TypeAlias = Mapping[str, Any]
Texts: TypeAlias = Sequence[str]


@dataclass_transform(frozen_default=True)
class Settings(Record):
    """The settings of a function, or a part of them."""


Kind = TypeVar("Kind", bound=Settings)

# By the type of a field.
_PARSE: Mapping[object, Any] = {
    str: str,
    str | None: str,
    Number: int,
    Number | None: int,
    float: float,
    float | None: float,
    bool: lambda text: text != "false",  # off only if it was set to false
    Texts: str.split,
    Json | None: json.loads,
}
# Written without blanks, since these grow with each endpoint, and an environment holds 4 KB.
_DENSE = ("sources", "event_filters")


def from_environment(kind: type[Kind], environment: Mapping[str, str] = os.environ) -> Kind:
    """Read the settings of this class from an environment. Raise KeyError if a required one is missing."""
    values = {
        field: _PARSE[of](environment[name])
        for field, of in fields_of(kind).items()
        if (name := _variable(field)) in environment or not hasattr(kind, field)
    }
    return kind(**values)


def to_environment(settings: Settings) -> dict[str, str]:
    """Return the environment from which ``from_environment`` reads these settings."""
    return {_variable(field): _text(field, value) for field, value in given_in(settings).items()}


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


class SourceSettings(Settings):
    """``sources`` has the description of each source by the path of its endpoint. None: nothing is verified here."""

    sources: Json | None = None


class FilterSettings(Settings):
    """``event_filters`` has the patterns of each endpoint by its path. None: this function drops nothing."""

    event_filters: Json | None = None


class PublisherSettings(Settings):
    """The settings of a publisher.

    ``acknowledgement`` has status, body and content type, ``response_headers`` names and values. None is the default
    response. ``payload_bucket`` is None unless large payloads are enabled. ``credentials`` has the names of ``headers``
    and ``parameters`` that API Gateway asks clients for. Its ``signed_parameters`` are removed only after the source
    has verified the request. ``group_by`` is the value by which webhooks form groups. None: a FIFO queue has one group.
    ``mount`` is the path of the endpoint behind a function URL. None: each event of an API tells it.
    """

    queue_url: str
    delivery_id_header: str | None = None
    acknowledgement: Json | None = None
    response_headers: Json | None = None
    credentials: Json | None = None
    payload_bucket: str | None = None
    group_by: Json | None = None
    mount: str | None = None


class ConsumerSettings(Settings):
    """``max_receive_count`` is None if an existing queue does not tell.

    ``payload_days`` is the number of days for which ``payload_bucket`` keeps the payload of a queued message. Both are
    None unless large payloads are enabled.
    """

    queue_url: str
    retry_initial_seconds: float
    retry_maximum_seconds: float
    dead_letter_queue_url: str | None = None
    max_receive_count: Number | None = None
    payload_bucket: str | None = None
    payload_days: Number | None = None


class PaceSettings(Settings):
    """The least seconds from one webhook to the next, of one batch at a time. None: as fast as the sink answers.

    With ``target_seconds`` the pace adapts: it slows down if a call to the sink takes longer. ``longest_each`` is then
    the slowest pace, at which a whole batch still ends in time.
    """

    seconds_each: float | None = None
    target_seconds: float | None = None
    longest_each: float = 0


class OutageSettings(Settings):
    """The batches in a row that find the sink down before the circuit breaker looks. None: there is no breaker."""

    breaker_failures: Number | None = None


class BreakerSettings(Settings):
    """The settings of the circuit breaker's function. ``rule_name`` is the rule that calls it every minute while the
    webhook is paused.
    """

    event_source_mapping_id: str
    consumer_name: str
    rule_name: str
    breaker_initial_seconds: float
    breaker_maximum_seconds: float
    breaker_successes: Number


class UnverifiedSettings(Settings):
    """The queue for messages that are certainly not from their provider. None: the consumer verifies nothing."""

    unverified_queue_url: str | None = None


class DynamoDBSettings(Settings):
    """``payload_bucket`` is None unless large payloads are enabled. ``compress_payloads`` is for large texts."""

    table_name: str
    payload_bucket: str | None = None
    compress_payloads: bool = False


class DatabaseSettings(Settings):
    """``secret_arn`` is a secret with user and password.

    If it is None, ``database_user`` signs in by IAM. ``ca_certificates`` is a file in the function's asset.
    """

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
        # A final dot names the same host, but no certificate has it.
        return self.database_host.removesuffix(".")

    @property
    def port(self) -> int:
        return int(self.database_port)


class DataApiSettings(Settings):
    """``database_engine`` is ``postgres`` or ``mysql``."""

    cluster_arn: str
    secret_arn: str
    database_engine: str
    database_name: str
    table_name: str
    create_table: bool


class HttpSettings(Settings):
    """``signing_secret_arn`` is None if requests are not signed.

    ``forward_headers`` are forwarded although the service might trust them.
    """

    url: str
    timeout_seconds: float
    signing_secret_arn: str | None = None
    ca_certificates: str | None = None
    forward_headers: Texts = ()


class PythonSettings(Settings):
    """``handler`` is ``module.function``. ``handler_batch`` says whether it takes a list."""

    handler: str
    handler_batch: bool
