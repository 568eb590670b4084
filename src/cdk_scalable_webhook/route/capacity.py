"""The capacity of a database: the connections that it takes, by all that is known of it at synth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aws_cdk import Annotations, Reference, Stack, Token, Tokenization
from constructs import Construct, IConstruct, Node

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.route.sinks.rds import resource_of
from webhook_runtime.contract import connections
from webhook_runtime.contract.connections import Engine, Limit

if TYPE_CHECKING:  # importing it slows each synth
    from aws_cdk import aws_rds as rds

_ENGINES: Mapping[str, Engine] = {name: name for name in connections.ENGINES} | {"aurora": "aurora-mysql"}
_OLD_MARIADB = ("10.0", "10.1", "10.2", "10.3", "10.4")

# The defaults of Aurora Serverless v2 in the CDK.
_MIN_UNITS, _MAX_UNITS = 0.5, 2


@typed
@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The connections that a database takes, and where each number is from. ``Capacity.of()`` makes it.

    Attributes:
        max_connections: The connections of the server, 1 or more. If they depend on the memory that RDS leaves to a
            class, which AWS does not document, it is an estimate that is rather too low. None if nothing is known.
        reserved: The connections that applications cannot count on, by their purpose: 3 of AWS's automation, and with
            Postgres 5 of superusers by default.
        usable: ``max_connections`` without ``reserved``, 0 or more. Through a proxy it is the proxy's share. None if
            nothing is known.
        usable_at_most: The number that ``usable`` certainly does not exceed, 0 or more. It equals ``usable`` if that is
            certain.
        source: Where ``max_connections`` is from: a ``parameter group``, AWS's ``documented default`` for the class or
            the capacity units, or an estimate by ``class memory``. None if nothing is known.
        reason: The same in words, with the numbers.

    See: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
    """

    max_connections: int | None
    reserved: Mapping[str, int]
    usable: int | None
    usable_at_most: int | None
    source: str | None
    reason: str

    @staticmethod
    def of(database: "rds.IDatabaseInstance | rds.IDatabaseCluster | rds.IDatabaseProxy") -> "Capacity":
        """Return the capacity of a database.

        Args:
            database: An instance, a cluster or a proxy of RDS or Aurora. Its class, capacity units and parameter group
                count as they are now. The CDK does not tell an override by ``add_property_override()``, so set the
                property itself. Nothing is known of an imported database.

        Returns:
            The capacity. Its numbers are None for an unknown class, for a parameter group of another app, and for
            values that only deployment knows.
        """
        server = _server_of(database)
        return _UNKNOWN if server is None else _of_server(server)

    def recommended_concurrency(self, share: float = 0.25) -> int | None:
        """Return a ``max_concurrency`` that leaves room for other applications, and for the environments of the last
        deployment, which keep their connections for some minutes.

        Args:
            share: The part of the usable connections that the webhook may have: above 0, up to 1. Default: 0.25, so
                that half of them stay free even after a deployment.

        Returns:
            The number of batches at a time: 2 to 1000, or 1 if there is one connection. None if nothing is known of
            the database, or no connection is left.

        Raises:
            ValueError: ``share`` is out of its limits.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {share:g}; for example 0.25")
        return connections.recommended(self.usable, share) or None if self.usable is not None else None


_UNKNOWN = Capacity(
    max_connections=None,
    reserved={},
    usable=None,
    usable_at_most=None,
    source=None,
    reason="its class, or its parameter group, is not known",
)


class _Server(NamedTuple):
    """A server of this app: the resource of an instance or a cluster, the construct around it, and the percentage of
    its connections that a proxy may open."""

    resource: Any
    construct: Any
    percent: float = 100


def _server_of(database: Any) -> _Server | None:
    """Return the server of a database, or the one behind it if it is a proxy. None if it is not of this app."""
    for kind in ("DBInstance", "DBCluster"):
        if (resource := resource_of(database, kind)) is not None:
            return _Server(resource, database)
    if resource_of(database, "DBProxy") is None:
        return None
    for group in _resources(database, "DBProxyTargetGroup"):
        pool = Stack.of(group).resolve(group.connection_pool_configuration_info) or {}
        percent = pool.get("maxConnectionsPercent", 100)
        for name in [*(group.db_cluster_identifiers or []), *(group.db_instance_identifiers or [])]:
            if (target := _referred(name)) is not None and isinstance(percent, int | float):
                return _Server(target, _around(target), percent)
    return None


def _of_server(server: _Server) -> Capacity:
    """Return the capacity of a server. Any instance of a cluster may become its writer, so the smallest one counts."""
    found = [_of_instance(server, instance) for instance in _instances(server)]
    known = [each for each in found if each is not None]
    if not known or len(known) < len(found):
        return _UNKNOWN

    def usable(number: int, reserved: Mapping[str, int]) -> int:
        return max(0, min(number - sum(reserved.values()), math.floor(number * server.percent / 100)))

    limit, reserved = min(known, key=lambda each: usable(each[0].expected, each[1]))
    through = "" if server.percent == 100 else f"; the proxy may open {server.percent:g}% of them"
    return Capacity(
        max_connections=limit.expected,
        reserved=reserved,
        usable=usable(limit.expected, reserved),
        usable_at_most=max(usable(each.at_most, kept) for each, kept in known),
        source=limit.origin,
        reason=f"{limit.reason}{through}",
    )


def _instances(server: _Server) -> list[Any]:
    """Return the resources that have a class and a parameter group."""
    cluster = server.resource
    if cluster.cfn_resource_type == "AWS::RDS::DBInstance" or cluster.db_cluster_instance_class is not None:
        return [cluster]
    return [] if server.construct is cluster else _resources(server.construct, "DBInstance")


def _of_instance(server: _Server, instance: Any) -> tuple[Limit, dict[str, int]] | None:
    """Return the limit of an instance, and the connections that are reserved. None if one of them is not known."""
    engine = _engine(server.resource)
    parameters = _parameters(server.resource, instance)
    if engine is None or parameters is None:
        return None
    stack = Stack.of(instance)
    given = (getattr(instance, each, None) for each in ("db_instance_class", "db_cluster_instance_class"))
    name = stack.resolve(next(filter(None, given), None))
    units = _units(server) if name == "db.serverless" else None
    limit = _limit(engine, name if isinstance(name, str) else "", units, parameters.get("max_connections"))
    return None if limit is None else (limit, connections.reserved(engine, parameters))


def _limit(engine: Engine, name: str, units: tuple[float, float] | None, parameter: str | None) -> Limit | None:
    if units is None and name == "db.serverless":
        return None
    if parameter is None:
        return connections.of_class(engine, name) if units is None else connections.of_serverless(engine, *units)
    gib = connections.memory(name) if units is None else units[1] * connections.GIB_OF_A_UNIT
    limit = connections.of_parameter(parameter, gib)
    return limit if units is None or limit is None else connections.capped(engine, units[0], limit)


def _engine(resource: Any) -> Engine | None:
    name, version = resource.engine, resource.engine_version
    if name == "mariadb" and isinstance(version, str) and version.startswith(_OLD_MARIADB):
        return "mysql"
    return _ENGINES.get(name)


def _units(server: _Server) -> tuple[float, float] | None:
    """Return the minimum and the maximum of Aurora Serverless v2, or None if only deployment knows them. The CDK sets
    the property of the resource late."""
    scaling = server.resource.serverless_v2_scaling_configuration
    least, most = getattr(scaling, "min_capacity", None), getattr(scaling, "max_capacity", None)
    if most is None:
        least = getattr(server.construct, "_serverless_v2_min_capacity", None)
        most = getattr(server.construct, "_serverless_v2_max_capacity", None)
    units = _MIN_UNITS if least is None else least, _MAX_UNITS if most is None else most
    return None if any(map(Token.is_unresolved, units)) else units


def _parameters(*resources: Any) -> dict[str, str] | None:
    """Return the parameters on connections that the groups of a cluster and its instance set; those of the instance
    win. None if one of the groups is of another app, or if only deployment knows a value."""
    found: dict[str, str] = {}
    for resource in resources:
        for attribute in ("db_cluster_parameter_group_name", "db_parameter_group_name"):
            if (name := getattr(resource, attribute, None)) is None or name.startswith("default."):
                continue
            group = _referred(name)
            values = Stack.of(group).resolve(group.parameters) if group is not None else None
            if not isinstance(values, Mapping):
                return None
            counting = {each: value for each, value in values.items() if each.endswith("connections")}
            if any(isinstance(value, Mapping) for value in counting.values()):
                return None
            found |= {each: str(value) for each, value in counting.items()}
    return found


def _referred(name: str) -> Any:
    """Return the resource of this app that a name refers to, or None."""
    for token in Tokenization.reverse_string(name).tokens:
        if Reference.is_reference(token):
            return cast(Reference, token).target
    return None


def _around(resource: Any) -> Any:
    """Return the construct that has this resource, or the resource if it was made by itself."""
    scope = resource.node.scope
    default = scope.node.default_child
    return scope if default is not None and default.node.path == resource.node.path else resource


def _resources(construct: IConstruct, kind: str) -> list[Any]:
    return [each for each in construct.node.find_all() if getattr(each, "cfn_resource_type", "") == f"AWS::RDS::{kind}"]


class _Webhook(NamedTuple):
    """A webhook that writes to a database: its place in the app, its ``max_concurrency``, and whether its retired
    environments keep connections of the database for some minutes."""

    path: str
    concurrency: int
    keeps: bool

    @property
    def held(self) -> int:
        return 2 * self.concurrency if self.keeps else self.concurrency


def require_connections(scope: Construct, database: Any, max_concurrency: int) -> None:
    """Reject more batches at a time than the database has connections, with those of all other webhooks of the app that
    write to it. Warn if it may have fewer.

    Raises:
        ValueError: It is certain that the database does not have so many.
    """
    server = _server_of(database)
    if server is None or Token.is_unresolved(max_concurrency):
        return
    is_direct = resource_of(database, "DBProxy") is None
    engine = _engine(server.resource)
    is_postgres = engine is not None and connections.is_postgres(engine)
    # A proxy shares its connections, but with MySQL it pins them, for the settings of a session.
    keeps = is_direct or not is_postgres
    webhook = _Webhook(scope.node.path.removesuffix("/Default"), max_concurrency, keeps)
    # A proxy has a limit of its own, in addition to that of the server.
    limits = [(database.node, server)]
    if not is_direct:
        limits.append((server.construct.node, server._replace(percent=100)))
    lists = [(node, _of_server(each), _webhooks(scope, node)) for node, each in limits]
    for node, capacity, others in lists:
        _require_room(scope, node.path, capacity, webhook, others, proxy_helps=is_direct and is_postgres)
    for node, _, _ in lists:
        _record(scope, node, webhook)


def _require_room(
    scope: Construct,
    database: str,
    capacity: Capacity,
    webhook: _Webhook,
    others: Sequence[_Webhook],
    *,
    proxy_helps: bool,
) -> None:
    if capacity.usable is None or capacity.usable_at_most is None:
        return
    everyone = [webhook, *others]
    concurrency, held = sum(each.concurrency for each in everyone), sum(each.held for each in everyone)
    kept = sum(capacity.reserved.values())
    numbers = f"{capacity.reason}; {kept} of them are reserved"
    together = f" with {' and '.join(f'{each.concurrency:,} of {each.path}' for each in others)}" if others else ""
    if concurrency > capacity.usable_at_most:
        shared = " for all webhooks together" if others else ""
        lower = "lower it, or " if capacity.usable_at_most > sum(each.concurrency for each in others) else ""
        share = ", or max_connections_percent of the proxy" if "proxy" in capacity.reason else ""
        raise ValueError(
            f"max_concurrency must be at most {capacity.usable_at_most:,}{shared}, "
            f"the connections that {database} has for applications ({numbers}), got {webhook.concurrency:,}{together}; "
            f"{lower}raise max_connections in a parameter group of the database{share}"
        )
    if max(concurrency, held) > capacity.usable:
        after, remedy = "", "Lower it, or raise max_connections in a parameter group of the database"
        if concurrency <= capacity.usable:
            after = ", and up to twice as many for some minutes after a deployment"
            remedy += ", or put RDS Proxy in front of it" if proxy_helps else ""
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:connections",
            f"max_concurrency should leave {database} within the {capacity.usable:,} connections that it has for "
            f"applications ({numbers}), got {webhook.concurrency:,}{together}{after}. {remedy}.",
        )


# The child of an app that lists the webhooks of each database.
_DATABASES = "ScalableWebhook Databases"


def _webhooks(scope: Construct, database: Node) -> list[_Webhook]:
    """Return the webhooks so far that write to a database."""
    lists = cast("Construct | None", scope.node.root.node.try_find_child(_DATABASES))
    of_database = lists.node.try_find_child(database.addr) if lists is not None else None
    found = [] if of_database is None else [each.node.try_get_context("webhook") for each in of_database.node.children]
    webhooks = [_Webhook(each["path"], int(each["concurrency"]), each["keeps"]) for each in found]
    return [each for each in webhooks if _is_there(scope.node.root, each.path)]


def _is_there(root: IConstruct, path: str) -> bool:
    """Check whether a construct is still in the app: it may have been removed."""
    for id in path.split("/"):
        child = root.node.try_find_child(id)
        if child is None:
            return False
        root = child
    return True


def _record(scope: Construct, database: Node, webhook: _Webhook) -> None:
    root = cast(Construct, scope.node.root)
    lists = cast(Construct, root.node.try_find_child(_DATABASES) or Construct(root, _DATABASES))
    of_database = cast(Construct, lists.node.try_find_child(database.addr) or Construct(lists, database.addr))
    of_database.node.try_remove_child(scope.node.addr)  # of one that was removed
    Construct(of_database, scope.node.addr).node.set_context("webhook", webhook._asdict())
