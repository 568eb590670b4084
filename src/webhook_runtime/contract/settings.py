"""What synth time tells run time: every environment variable that this code reads, in one place.

Tuples with names: Python takes fifteen times as long to make a frozen dataclass, and does so at each cold start.
"""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self


class SourceSettings(NamedTuple):
    """``sources`` is JSON: what ``source.Sources`` is made of."""

    sources: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        sources = environment.get("WEBHOOK_SOURCES")
        return cls(sources) if sources else None


class FilterSettings(NamedTuple):
    """``event_filters`` is JSON: the patterns of each endpoint, by its mount."""

    event_filters: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        event_filters = environment.get("WEBHOOK_EVENT_FILTERS")
        return None if event_filters is None else cls(event_filters)


class PublisherSettings(NamedTuple):
    """``acknowledgement`` is JSON with status, body and content type, ``response_headers`` with names and values; None
    where the answer is the usual one, and has no more headers.
    ``payload_bucket`` is None where large payloads are not enabled. ``credentials`` is JSON, with the names of
    ``headers`` and of ``parameters`` by which API Gateway has let the sender in; ``signed_parameters`` are those that a
    source verifies first."""

    queue_url: str
    delivery_id_header: str | None
    acknowledgement: str | None = None
    response_headers: str | None = None
    payload_bucket: str | None = None
    credentials: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            queue_url=environment["WEBHOOK_QUEUE_URL"],
            delivery_id_header=environment.get("WEBHOOK_DELIVERY_ID_HEADER"),
            acknowledgement=environment.get("WEBHOOK_ACKNOWLEDGEMENT"),
            response_headers=environment.get("WEBHOOK_RESPONSE_HEADERS"),
            payload_bucket=environment.get("WEBHOOK_PAYLOAD_BUCKET"),
            credentials=environment.get("WEBHOOK_CREDENTIALS"),
        )


class ConsumerSettings(NamedTuple):
    """``max_receive_count`` is None where a queue was brought that does not tell. ``payload_days`` is for how many days
    ``payload_bucket`` keeps a payload that is on its way; both are None where large payloads are not enabled.
    ``unverified_queue_url`` is None where the consumer verifies nobody."""

    queue_url: str
    dead_letter_queue_url: str | None
    max_receive_count: int | None
    retry_initial: float
    retry_maximum: float
    payload_bucket: str | None
    payload_days: int | None
    unverified_queue_url: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        count = environment.get("WEBHOOK_MAX_RECEIVE_COUNT")
        days = environment.get("WEBHOOK_PAYLOAD_DAYS")
        return cls(
            queue_url=environment["WEBHOOK_QUEUE_URL"],
            dead_letter_queue_url=environment.get("WEBHOOK_DEAD_LETTER_QUEUE_URL"),
            max_receive_count=int(count) if count else None,
            retry_initial=float(environment["WEBHOOK_RETRY_INITIAL_SECONDS"]),
            retry_maximum=float(environment["WEBHOOK_RETRY_MAXIMUM_SECONDS"]),
            payload_bucket=environment.get("WEBHOOK_PAYLOAD_BUCKET"),
            payload_days=int(days) if days else None,
            unverified_queue_url=environment.get("WEBHOOK_UNVERIFIED_QUEUE_URL"),
        )


class DynamoDBSettings(NamedTuple):
    """``payload_bucket`` is None where large payloads are not enabled."""

    table_name: str
    payload_bucket: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            table_name=environment["WEBHOOK_TABLE_NAME"], payload_bucket=environment.get("WEBHOOK_PAYLOAD_BUCKET")
        )


class DatabaseSettings(NamedTuple):
    """``secret_arn`` holds user and password; where it is None, ``user`` signs in by IAM. ``ca_certificates`` is a file
    of the function's asset, beside those that come with this code; ``tls`` is False only where somebody said so."""

    host: str
    port: int
    database_name: str
    table_name: str
    create_table: bool
    secret_arn: str | None
    user: str | None
    tls: bool
    ca_certificates: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            # A dot ends the same name, which is in no certificate with it.
            host=environment["WEBHOOK_DATABASE_HOST"].removesuffix("."),
            port=int(environment["WEBHOOK_DATABASE_PORT"]),
            database_name=environment["WEBHOOK_DATABASE_NAME"],
            table_name=environment["WEBHOOK_TABLE_NAME"],
            create_table=environment["WEBHOOK_CREATE_TABLE"] == "true",
            secret_arn=environment.get("WEBHOOK_SECRET_ARN"),
            user=environment.get("WEBHOOK_DATABASE_USER"),
            tls=environment["WEBHOOK_DATABASE_TLS"] != "false",
            ca_certificates=environment.get("WEBHOOK_CA_CERTIFICATES"),
        )


class DataApiSettings(NamedTuple):
    """``engine`` is ``postgres`` or ``mysql``."""

    cluster_arn: str
    secret_arn: str
    engine: str
    database_name: str
    table_name: str
    create_table: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            cluster_arn=environment["WEBHOOK_CLUSTER_ARN"],
            secret_arn=environment["WEBHOOK_SECRET_ARN"],
            engine=environment["WEBHOOK_DATABASE_ENGINE"],
            database_name=environment["WEBHOOK_DATABASE_NAME"],
            table_name=environment["WEBHOOK_TABLE_NAME"],
            create_table=environment["WEBHOOK_CREATE_TABLE"] == "true",
        )


class HttpSettings(NamedTuple):
    """``timeout`` is in seconds. ``signing_secret_arn`` is None where nothing is signed. ``forward_headers`` are those
    that go on although a service might believe them."""

    url: str
    timeout: float
    signing_secret_arn: str | None
    ca_certificates: str | None
    forward_headers: Sequence[str] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            url=environment["WEBHOOK_URL"],
            timeout=float(environment["WEBHOOK_TIMEOUT_SECONDS"]),
            signing_secret_arn=environment.get("WEBHOOK_SIGNING_SECRET_ARN"),
            ca_certificates=environment.get("WEBHOOK_CA_CERTIFICATES"),
            forward_headers=environment.get("WEBHOOK_FORWARD_HEADERS", "").split(),
        )


class PythonSettings(NamedTuple):
    """``handler`` is ``module.function``; ``batch`` says whether it takes a list."""

    handler: str
    batch: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(handler=environment["WEBHOOK_HANDLER"], batch=environment["WEBHOOK_HANDLER_BATCH"] == "true")
