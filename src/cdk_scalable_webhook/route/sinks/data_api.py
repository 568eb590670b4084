"""The sink for a table of an Aurora cluster, by the RDS Data API."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk_scalable_webhook import grants
from cdk_scalable_webhook.checks.cdk import require_same_environment
from cdk_scalable_webhook.checks.values import require_text
from cdk_scalable_webhook.route.sink import Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.route.sinks.rds import engine_family, require_table_name, require_writable, resource_of
from webhook_runtime.contract.settings import DataApiSettings, to_environment
from webhook_runtime.contract.table import create_table

_ENGINES = {"POSTGRESQL": "postgres", "MYSQL": "mysql"}


class DataApiSink(Sink):
    """A table of an Aurora cluster as the sink. Made by ``Sink.data_api()``."""

    def __init__(
        self,
        cluster: rds.IDatabaseCluster,
        *,
        database_name: str,
        table_name: str,
        create_table: bool,
        secret: secretsmanager.ISecret | None,
    ) -> None:
        require_table_name(table_name)
        require_text("database_name", database_name, 64, "orders")
        _require_data_api(cluster)
        require_writable(cluster)
        self._cluster = cluster
        self._engine = _ENGINES[engine_family(cluster)]
        self._database_name = database_name
        self._table_name = table_name
        self._create_table = create_table
        found = secret or getattr(cluster, "secret", None)
        if found is None:
            raise ValueError(
                "secret must be given for a cluster that has none in this app, got none; pass its secret as secret="
            )
        self._secret: secretsmanager.ISecret = found

    @property
    def create_table_statement(self) -> str:
        """The SQL of the table that the consumer stores into. Run it once, or set ``create_table=True``."""
        return create_table(self._engine, self._table_name)

    @property
    def can_be_pinged(self) -> bool:
        """See ``Sink.can_be_pinged``."""
        return True

    def bind(self, scope: Construct, _options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        require_same_environment(scope, cluster=self._cluster, secret=self._secret)
        return SinkConfig(
            "data_api",
            to_environment(
                DataApiSettings(
                    cluster_arn=self._cluster.cluster_arn,
                    secret_arn=self._secret.secret_arn,
                    database_engine=self._engine,
                    database_name=self._database_name,
                    table_name=self._table_name,
                    create_table=self._create_table,
                )
            ),
        )

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """See ``Sink.grant_write``."""
        # The CDK's own grant also permits transactions and single statements.
        actions = ["rds-data:BatchExecuteStatement", *(["rds-data:ExecuteStatement"] if self._create_table else [])]
        iam.Grant.add_to_principal(grantee=grantee, actions=actions, resource_arns=[self._cluster.cluster_arn])
        grants.read_secret(self._secret, grantee)


def _require_data_api(cluster: Any) -> None:
    """Reject a cluster whose Data API is off, or whose engine the Data API does not support."""
    resource = resource_of(cluster, "DBCluster")
    # The CDK sets it late: until then it is a token that can be resolved.
    if resource is not None and not Stack.of(cluster).resolve(resource.enable_http_endpoint):
        raise ValueError(
            "cluster must have the Data API, got one without; create it with enable_data_api=True, "
            "or take Sink.postgres() or Sink.mysql()"
        )
    family = engine_family(cluster)
    if family not in ("POSTGRESQL", "MYSQL"):
        raise ValueError(
            f"cluster must tell that it is Aurora Postgres or Aurora MySQL, got {family or 'no engine'}; import it by "
            "from_database_cluster_attributes(engine=rds.DatabaseClusterEngine.aurora_postgres(version=…), …), since "
            "from_lookup() does not tell it"
        )
