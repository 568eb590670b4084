"""Databases of RDS: their properties that are known at synth."""

import re
from typing import Any

from aws_cdk import Token

from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import once_looked_up


@once_looked_up
def require_table_name(value: str) -> None:
    """Reject a table name that cannot be in a statement. It may have a schema."""
    if not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}", value):
        raise ValueError(
            "table_name must be up to 63 letters, digits and underscores, with or without a schema and a dot in front, "
            f"got {brief(value)}; for example 'webhooks' or 'orders.webhooks'"
        )


def engine_family(database: Any) -> str:
    """Return the family, such as ``POSTGRESQL``, ``MYSQL`` or ``MARIADB``, or an empty text if the CDK does not know
    it."""
    engine, resource = getattr(database, "engine", None), database.node.default_child
    told = (
        getattr(engine, "engine_family", None),
        getattr(engine, "engine_type", None),
        # For a proxy, and for resources without an engine of the CDK.
        getattr(resource, "engine_family", None),
        getattr(resource, "engine", None),
    )
    known = (str(each) for each in told if each and not Token.is_unresolved(each))
    return next(known, "").upper().removeprefix("AURORA-")


def resource_of(database: Any, type: str) -> Any:
    """Return the resource of a database of this app, if it is of this type; else None."""
    resource = database.node.default_child
    return resource if getattr(resource, "cfn_resource_type", None) == f"AWS::RDS::{type}" else None


def require_writable(database: Any) -> None:
    """Reject a replica, which is read-only."""
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
