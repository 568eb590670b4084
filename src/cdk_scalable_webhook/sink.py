"""Where a webhook ends."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cdk_scalable_webhook import checks


@dataclass(frozen=True)
class SinkOptions:
    """What a sink is given to work with.

    Attributes:
        encryption_key: The key for what the sink creates; None: AWS's own.
        removal_policy: What happens to what the sink creates when the stack goes; None: the CDK's default.
    """

    encryption_key: kms.IKey | None
    removal_policy: RemovalPolicy | None


@dataclass(frozen=True)
class SinkConfig:
    """What a sink asks of the consumer function.

    Attributes:
        handler: The module of ``webhook_runtime.handlers`` that writes to the sink.
        environment: The environment variables that it reads.
    """

    handler: str
    environment: Mapping[str, str]


class Sink(ABC):
    """Where a webhook ends. One sink serves one ``ScalableWebhook``."""

    @staticmethod
    def dynamodb(table: dynamodb.ITable | None = None) -> "DynamoDBSink":
        """A DynamoDB table, one item a webhook, written in one round trip for up to 25 of them.

        Each item is written only if its ``id`` is new, so what is delivered twice is stored once. Its attributes:
        ``id``, ``request_id``, ``received_at`` (ISO 8601, UTC), ``method``, ``path``, ``query``, ``headers`` (a map,
        names in lower case), ``payload`` (a string where it is UTF-8, else binary) and ``source_ip``. A webhook that
        no item can hold (400 KB) goes to the dead-letter queue with the reason.

        Args:
            table: A table of yours, whose key is the string ``id`` alone. Default: a new one with on-demand capacity,
                encryption and point-in-time recovery.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``; its ``table`` is the table.

        Raises:
            ValueError: ``table`` has another key.

        See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
        """
        return DynamoDBSink(table)

    @abstractmethod
    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """Create what the sink needs below ``scope``.

        Args:
            scope: The ``ScalableWebhook``.
            options: The settings that apply to every sink.

        Returns:
            What the consumer function needs to write to it.
        """

    @abstractmethod
    def grant_write(self, grantee: iam.IGrantable) -> None:
        """Permit writing webhooks, and nothing else.

        Args:
            grantee: The consumer function.
        """


class DynamoDBSink(Sink):
    """A DynamoDB table as the sink. Made by ``Sink.dynamodb()``."""

    def __init__(self, table: dynamodb.ITable | None) -> None:
        if table is not None:
            checks.table_key(table)
        self._brought = table
        self._table = table

    @property
    def table(self) -> dynamodb.ITable:
        """The table. A new one exists once a ``ScalableWebhook`` has the sink.

        Raises:
            ValueError: No ``ScalableWebhook`` has it yet.
        """
        if self._table is None:
            raise ValueError("the sink has no table yet, got None; pass the sink to a ScalableWebhook first")
        return self._table

    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        if self._brought is None:
            if self._table is not None:
                raise ValueError(
                    f"sink must serve one ScalableWebhook, got one that serves {self._table.node.scope}; "
                    "use one Sink.dynamodb() each, or Sink.dynamodb(table) for a table that they share"
                )
            self._table = _table(scope, options)
        return SinkConfig("dynamodb", {"WEBHOOK_TABLE_NAME": self.table.table_name})

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """See ``Sink.grant_write``."""
        # No ready-made grant has PartiQL's insert without a right to read, overwrite or delete.
        self.table.grant(grantee, "dynamodb:PartiQLInsert")
        if self.table.encryption_key is not None:
            self.table.encryption_key.grant_encrypt_decrypt(grantee)


def _table(scope: Construct, options: SinkOptions) -> dynamodb.Table:
    return dynamodb.Table(
        scope,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        # DEFAULT is encrypted as well, with a key that AWS owns and that costs nothing a request.
        encryption=(
            dynamodb.TableEncryption.CUSTOMER_MANAGED if options.encryption_key else dynamodb.TableEncryption.DEFAULT
        ),
        encryption_key=options.encryption_key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=options.removal_policy,
    )
