"""The sink for a DynamoDB table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook import findings, grants
from cdk_scalable_webhook.checks.cdk import require_same_environment
from cdk_scalable_webhook.payloads import grant_keep
from cdk_scalable_webhook.route.sink import Sink, SinkConfig, SinkOptions
from webhook_runtime.contract.settings import DynamoDBSettings, to_environment

if TYPE_CHECKING:
    from aws_cdk import aws_s3 as s3

_KEY_ACTIONS = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


class DynamoDBSink(Sink):
    """A DynamoDB table as the sink. Made by ``Sink.dynamodb()``."""

    def __init__(self, table: dynamodb.ITable | None, *, compress: bool = False) -> None:
        if table is not None:
            _require_key(table)
        self._compress = compress
        self._existing = table
        self._table = table
        self._payload_bucket: s3.IBucket | None = None

    @property
    def table(self) -> dynamodb.ITable:
        """The table. A new one exists once a ``ScalableWebhook`` has the sink.

        Raises:
            ValueError: No ``ScalableWebhook`` has it yet.
        """
        if self._table is None:
            raise ValueError("the sink has no table yet, got None; pass the sink to a ScalableWebhook first")
        return self._table

    @property
    def can_be_pinged(self) -> bool:
        """See ``Sink.can_be_pinged``."""
        return True

    @property
    def has_outages(self) -> bool:
        """See ``Sink.has_outages``. A table is managed by AWS, and takes each load."""
        return False

    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        if self._existing is None:
            if self._table is not None:
                served = self._table.node.path.rpartition("/")[0].removesuffix("/Default")
                raise ValueError(
                    f"sink must serve one ScalableWebhook, got one that serves {served}; "
                    "use one Sink.dynamodb() each, or Sink.dynamodb(table) for a table that they share"
                )
            self._table = _table(scope, options)
        require_same_environment(scope, table=self._existing)
        self._payload_bucket = options.payload_bucket
        bucket = options.payload_bucket.bucket_name if options.payload_bucket is not None else None
        return SinkConfig("dynamodb", to_environment(DynamoDBSettings(self.table.table_name, bucket, self._compress)))

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """See ``Sink.grant_write``."""
        # Each grant of the CDK with PartiQL's insert also permits reading, overwriting or deleting.
        self.table.grant(grantee, "dynamodb:PartiQLInsert")
        # The actions that DynamoDB documents, without the wildcards of the CDK's own grant of a key.
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
        grants.use_key(self.table.encryption_key, grantee, *_KEY_ACTIONS)
        if self._payload_bucket is not None:
            grant_keep(self._payload_bucket, grantee)


def _table(scope: Construct, options: SinkOptions) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        # DEFAULT is encrypted as well, with a key that AWS owns and that costs nothing.
        encryption=(
            dynamodb.TableEncryption.CUSTOMER_MANAGED
            if options.common.encryption_key
            else dynamodb.TableEncryption.DEFAULT
        ),
        encryption_key=options.common.encryption_key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=options.common.removal_policy,
    )
    if options.common.encryption_key is None:
        findings.acknowledge(table, findings.TABLE_ENCRYPTED)
    return table


_KEY_TYPES = {"S": "STRING", "N": "NUMBER", "B": "BINARY"}
# The attributes that are texts and never empty. A query, headers and a payload cannot be indexed: they may be empty, of
# another type, or too long for a key.
_INDEXED = ("id", "delivery_id", "mount", "request_id", "received_at", "method", "path", "source_ip")
_NOT_INDEXED = ("query", "headers", "payload", "encoding")


def _require_key(table: "dynamodb.ITable") -> None:
    """Require the webhook's key as the table's key: otherwise an insert cannot be conditional on it."""
    resource: Any = table.node.default_child
    if not hasattr(resource, "key_schema"):  # an imported table
        return
    stack = Stack.of(table)
    schema, attributes = stack.resolve(resource.key_schema), stack.resolve(resource.attribute_definitions)
    types = {each["attributeName"]: each["attributeType"] for each in attributes}
    keys = [(each["attributeName"], types.get(each["attributeName"])) for each in schema]
    if keys == [("id", "S")]:
        _require_indices(types)
        return
    got = " and ".join(f"{name} ({_KEY_TYPES.get(str(type), type)})" for name, type in keys)
    raise ValueError(
        f"table must have the string partition key 'id' and no sort key, got {got}; create one with "
        "partition_key=dynamodb.Attribute(name='id', type=dynamodb.AttributeType.STRING), or write into this one by "
        "Sink.python()"
    )


def _require_indices(types: Mapping[str, str]) -> None:
    """Reject an index that does not fit every item: DynamoDB rejects an item whose attribute has another type.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    for name, type in types.items():
        if name in _NOT_INDEXED or (name in _INDEXED and type != "S"):
            raise ValueError(
                f"table must have indices that every item of a webhook fits, got one on {name} "
                f"({_KEY_TYPES.get(type, type)}); index one of {', '.join(_INDEXED)} as a STRING, or write into the "
                "table by Sink.python()"
            )
