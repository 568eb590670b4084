"""Databases of RDS: what can be known of them at synth."""

import re
from typing import Any

from aws_cdk import Token

from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import once_looked_up


@once_looked_up
def require_table_name(value: str) -> None:
    """A name that can stand in a statement, with a schema or not."""
    if not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}", value):
        raise ValueError(
            f"table_name must be letters, digits and underscores, 63 at most, with a schema and a dot before or not, "
            f"got {brief(value)}; for example 'webhooks' or 'orders.webhooks'"
        )


def engine_family(database: Any) -> str:
    """POSTGRESQL, MYSQL, MARIADB, …, or nothing where the CDK does not know."""
    engine, resource = getattr(database, "engine", None), database.node.default_child
    told = (
        getattr(engine, "engine_family", None),
        getattr(engine, "engine_type", None),
        # Of a proxy, and of what is older than the CDK's engines.
        getattr(resource, "engine_family", None),
        getattr(resource, "engine", None),
    )
    known = (str(each) for each in told if each and not Token.is_unresolved(each))
    return next(known, "").upper().removeprefix("AURORA-")


def resource_of(database: Any, type: str) -> Any:
    """The resource of a database that is made in this app, where it is of this type; else None."""
    resource = database.node.default_child
    return resource if getattr(resource, "cfn_resource_type", None) == f"AWS::RDS::{type}" else None


def require_writable(database: Any) -> None:
    """A replica takes no row."""
    instance, cluster = resource_of(database, "DBInstance"), resource_of(database, "DBCluster")
    sources = [
        *((instance.source_db_instance_identifier, instance.source_db_cluster_identifier) if instance else ()),
        *((cluster.replication_source_identifier,) if cluster else ()),
    ]
    if any(source is not None for source in sources):
        raise ValueError(
            f"database must be one that can be written to, got {database.node.path}, which is a replica of another; "
            "pass the one that it replicates"
        )
