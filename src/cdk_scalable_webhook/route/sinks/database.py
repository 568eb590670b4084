"""The sink for a table of a Postgres or MySQL server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aws_cdk import Annotations, Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk_scalable_webhook import grants
from cdk_scalable_webhook.checks.cdk import require_same_environment, taken_by_the_cdk
from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import (
    known_seconds,
    require_file,
    require_number,
    require_one_of,
    require_text,
    require_unset,
)
from cdk_scalable_webhook.packaging import distributions
from cdk_scalable_webhook.packaging.function import number_text
from cdk_scalable_webhook.route.sink import Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.route.sinks.network import network, trust
from cdk_scalable_webhook.route.sinks.rds import engine_family, require_table_name, require_writable, resource_of
from webhook_runtime.contract.authorities import authorities_of, region_of
from webhook_runtime.contract.limits import SOCKET_SECONDS
from webhook_runtime.contract.settings import DatabaseSettings, to_environment
from webhook_runtime.contract.table import create_table

_PORTS = {"postgres": 5432, "mysql": 3306}
# In seconds: after giving up a statement, the consumer still needs time to tell SQS.
_LEAST_TIMEOUT = SOCKET_SECONDS + 5
_DRIVERS = {"postgres": "pg8000", "mysql": "PyMySQL"}
# The attributes of an instance and of a cluster; that of a proxy is another.
_ENDPOINTS = ("instance_endpoint", "cluster_endpoint")


class DatabaseSink(Sink):
    """A table of a Postgres or MySQL server as the sink. Made by ``Sink.postgres()`` and ``Sink.mysql()``."""

    def __init__(
        self,
        engine: str,
        database: Any,
        *,
        database_name: str,
        table_name: str,
        create_table: bool,
        host: str | None,
        port: int | None,
        secret: secretsmanager.ISecret | None,
        iam_user: str | None,
        vpc: ec2.IVpc | None,
        vpc_subnets: ec2.SubnetSelection | None,
        security_groups: Sequence[ec2.ISecurityGroup] | None,
        tls: bool,
        ca_certificates: str | Path | None,
    ) -> None:
        require_table_name(table_name)
        require_text("database_name", database_name, 64, "orders")
        require_text("host", host, 253, "db.example.com")
        require_text("iam_user", iam_user, 63, "webhooks")
        require_one_of(database=database, host=host)
        if not distributions.is_installed(_DRIVERS[engine]):
            raise ValueError(
                f"Sink.{engine}() needs {_DRIVERS[engine]} where the app is synthesised, got an environment without "
                f'it; pip install "cdk-scalable-webhook[{engine}]"'
            )
        if database is not None:
            require_unset("database", "leave {them} out: it is that of the database", port=port)
            _require_engine(engine, database)
            require_writable(database)
            secret = secret or (None if iam_user else getattr(database, "secret", None))
            vpc = vpc or getattr(database, "vpc", None)
            if vpc is None:
                raise ValueError(
                    "vpc must be given for a database that does not tell its own, got none; "
                    "pass the VPC from which the database is reached as vpc="
                )
        else:
            require_number("port", port, 1, 65_535)
            if iam_user is not None:
                raise ValueError(
                    f"iam_user needs a database of RDS, got {iam_user!r} with a host; pass database= instead of "
                    "host=, or secret= instead of iam_user="
                )
            if secret is None:
                raise ValueError("secret must be given for a host, got none; pass secret=, which has the login")
        require_one_of(secret=secret, iam_user=iam_user)
        if iam_user is not None and not tls:
            raise ValueError(
                "tls must be True with iam_user, got False; leave tls out: RDS takes a token over TLS only"
            )
        if database is not None and iam_user is not None:
            _require_iam_login(database)
        elif database is not None:
            _require_password_login(database, tls=tls)
        self._engine = engine
        self._database = database
        self._database_name = database_name
        self._table_name = table_name
        self._create_table = create_table
        usual_port = _PORTS[engine]
        self._host: str
        self._port: float
        if host is not None:
            self._host, self._port = host, port or usual_port
        else:
            with taken_by_the_cdk("database"):
                self._host, self._port = _endpoint(database, usual_port)
        self._secret = secret
        self._iam_user = iam_user
        self._vpc = vpc
        self._vpc_subnets = vpc_subnets
        self._security_groups = security_groups
        self._tls = tls
        self._ca_certificates = require_file("ca_certificates", ca_certificates)

    @property
    def create_table_statement(self) -> str:
        """The SQL of the table that the consumer stores into. Run it once, or set ``create_table=True``."""
        return create_table(self._engine, self._table_name)

    @property
    def can_be_pinged(self) -> bool:
        """See ``Sink.can_be_pinged``."""
        return True

    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        require_same_environment(scope, database=self._database, secret=self._secret)
        regions = self._certificate_regions(Stack.of(scope).region)
        _require_certificate_authorities(regions or ())
        if (timeout := known_seconds(options.timeout)) is not None and timeout < _LEAST_TIMEOUT:
            Annotations.of(scope).add_warning_v2(
                "cdk-scalable-webhook:databaseTimeout",
                f"timeout should be at least {_LEAST_TIMEOUT} seconds with a database, got {timeout:g}: Lambda would "
                "stop the consumer during a statement, and the next invocation would open an extra connection.",
            )
        trusted, files = trust(self._ca_certificates)
        settings = DatabaseSettings(
            database_host=self._host,
            database_port=number_text(self._port),
            database_name=self._database_name,
            database_tls=self._tls,
            table_name=self._table_name,
            create_table=self._create_table,
            secret_arn=self._secret.secret_arn if self._secret is not None else None,
            database_user=self._iam_user,
            ca_certificates=trusted,
        )
        return SinkConfig(
            self._engine,
            to_environment(settings),
            packages=[_DRIVERS[self._engine]],
            files=files,
            network=network(scope, self._vpc, self._vpc_subnets, self._security_groups, self._reaches()),
            certificate_regions=regions,
            database=self._database,
        )

    def _certificate_regions(self, region: str) -> list[str] | None:
        """Return the regions whose certificate authorities may have certified the database. None: any.

        ``region`` is that of the stack.
        """
        if not self._tls or self._ca_certificates is not None:
            return []
        if not Token.is_unresolved(self._host):
            named = region_of(self._host)
            return [] if named is None else [named]
        if self._database is not None and not _is_certified_by_rds(self._database):
            return []
        return None if self._database is None or Token.is_unresolved(region) else [region]

    def _reaches(self) -> list[ec2.IConnectable]:
        connections: ec2.Connections | None = getattr(self._database, "connections", None)
        if connections is None:
            return []  # such as an imported proxy, whose security groups the user has to open
        if connections.default_port is not None:
            return [connections]
        # A proxy does not tell its port: it is that of its engine.
        port = ec2.Port.tcp(self._port)
        return [ec2.Connections(security_groups=connections.security_groups, default_port=port)]

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """See ``Sink.grant_write``. The permissions of the database user are set in the database."""
        grants.read_secret(self._secret, grantee)
        if self._iam_user is not None:
            with taken_by_the_cdk("database"):
                self._database.grant_connect(grantee, self._iam_user)


def _is_certified_by_rds(database: Any) -> bool:
    """Check whether a database is an instance or a cluster. A proxy has a publicly trusted certificate."""
    return any(hasattr(database, name) for name in _ENDPOINTS)


def _endpoint(database: Any, default_port: int) -> tuple[str, float]:
    """Return host and port of an instance, a cluster's writer, or a proxy, which has the port of its engine."""
    for name in _ENDPOINTS:
        if (endpoint := getattr(database, name, None)) is not None:
            return endpoint.hostname, endpoint.port
    return database.endpoint, default_port


_FAMILIES = {"postgres": ("POSTGRES",), "mysql": ("MYSQL", "MARIADB")}


def _require_iam_login(database: Any) -> None:
    """Require a database that accepts tokens of IAM instead of a password. Turn them on if the user has not set it, as
    the CDK does for an instance.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
    """
    if not hasattr(database, "grant_connect"):
        raise ValueError(
            f"iam_user needs a database with logins by IAM, got {brief(database)}; leave iam_user out, and pass secret="
        )
    resource = resource_of(database, "DBInstance") or resource_of(database, "DBCluster")
    if resource is not None and resource.enable_iam_database_authentication is None:
        resource.enable_iam_database_authentication = True
    off = resource is not None and resource.enable_iam_database_authentication is False
    if off or _of_proxy(database, "iamAuth") == {"DISABLED"}:
        name = "iam_auth" if resource is None else "iam_authentication"
        raise ValueError(
            f"iam_user needs a database that accepts tokens of IAM, got {database.node.path}, where that is off; "
            f"create it with {name}=True, or pass secret= instead of iam_user="
        )


def _require_password_login(database: Any, *, tls: bool) -> None:
    """Reject a proxy that does not accept a password, or not without TLS.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-iam-setup.html
    """
    if "REQUIRED" in _of_proxy(database, "iamAuth"):
        raise ValueError(
            f"iam_user must be given for a proxy that accepts tokens of IAM only, got {database.node.path} and a "
            "secret; pass iam_user= instead, or create the proxy with iam_auth=False"
        )
    proxy = resource_of(database, "DBProxy")
    if proxy is not None and proxy.require_tls is True and not tls:
        raise ValueError(
            f"tls must be True for a proxy that requires it, got False for {database.node.path}; leave tls out, or "
            "create the proxy with require_tls=False"
        )


def _of_proxy(database: Any, name: str) -> set[Any]:
    """Return the values of a property in the logins of a proxy. None if it is no proxy, or an imported one."""
    proxy = resource_of(database, "DBProxy")
    logins = Stack.of(database).resolve(proxy.auth) if proxy is not None else None
    return {each.get(name) for each in logins or []}


def _require_engine(kind: str, database: Any) -> None:
    """Reject a database that does not speak the sink's protocol."""
    family = engine_family(database)
    if family and not family.startswith(_FAMILIES[kind]):
        other = {"postgres": "mysql", "mysql": "postgres"}[kind]
        remedy = f"take Sink.{other}(), or " if family.startswith(_FAMILIES[other]) else "take "
        raise ValueError(
            f"database must be one that Sink.{kind}() can talk to, got one of the engine {family}; "
            f"{remedy}Sink.python() with your own driver"
        )


def _require_certificate_authorities(regions: Sequence[str]) -> None:
    """Require the certificate authorities of these regions for RDS: those of some are only in bundles of their own.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
    """
    if missing := [region for region in regions if not authorities_of(region)]:
        raise ValueError(
            f"ca_certificates must be given for a database in {missing[0]}, got none; download AWS's bundle of that "
            "region and pass its path, since its CA certificate is not bundled"
        )
