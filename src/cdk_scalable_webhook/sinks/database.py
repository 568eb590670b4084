"""A table of a Postgres or MySQL server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aws_cdk import Annotations, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk_scalable_webhook import checks, distributions, grants
from cdk_scalable_webhook.function import number_text
from cdk_scalable_webhook.sink import Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.sinks.network import network, trust
from webhook_runtime.contract.limits import SOCKET_SECONDS
from webhook_runtime.contract.settings import DatabaseSettings, to_environment
from webhook_runtime.contract.table import create_table

_PORTS = {"postgres": 5432, "mysql": 3306}
# In seconds: when the consumer has given a statement up, it has to tell SQS.
_LEAST_TIMEOUT = SOCKET_SECONDS + 5
_DRIVERS = {"postgres": "pg8000", "mysql": "PyMySQL"}
# What an instance has, and a cluster; a proxy has another.
_ENDPOINTS = ("instance_endpoint", "cluster_endpoint")
# Those that make the certificates of RDS's databases.
_AUTHORITIES = Path(__file__).parents[2] / "webhook_runtime" / "sinks" / "rds-global-bundle.pem"


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
        checks.table_name(table_name)
        checks.text("database_name", database_name, 64, "orders")
        checks.text("host", host, 253, "db.example.com")
        checks.text("iam_user", iam_user, 63, "webhooks")
        checks.one_of(database=database, host=host)
        if not distributions.is_installed(_DRIVERS[engine]):
            raise ValueError(
                f"Sink.{engine}() needs {_DRIVERS[engine]} where the app is synthesised, got an environment without "
                f'it; pip install "cdk-scalable-webhook[{engine}]"'
            )
        if database is not None:
            checks.nothing_set("database", "leave {them} out: it is that of the database", port=port)
            checks.engine(engine, database)
            checks.writable(database)
            secret = secret or (None if iam_user else getattr(database, "secret", None))
            vpc = vpc or getattr(database, "vpc", None)
            if vpc is None:
                raise ValueError(
                    "vpc must be given for a database that does not tell its own, got none; "
                    "pass the VPC from which the database is reached as vpc="
                )
        else:
            checks.number("port", port, 1, 65_535)
            if iam_user is not None:
                raise ValueError(
                    f"iam_user needs a database of RDS, got {iam_user!r} with a host; pass database= instead of "
                    "host=, or secret= instead of iam_user="
                )
            if secret is None:
                raise ValueError("secret must be given for a host, got none; pass secret=, which has the login")
        checks.one_of(secret=secret, iam_user=iam_user)
        if iam_user is not None and not tls:
            raise ValueError(
                "tls must be True with iam_user, got False; leave tls out: RDS takes a token over TLS only"
            )
        if database is not None and iam_user is not None:
            checks.iam_login(database)
        elif database is not None:
            checks.password_login(database, tls=tls)
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
            with checks.taken_by_the_cdk("database"):
                self._host, self._port = _endpoint(database, usual_port)
        self._secret = secret
        self._iam_user = iam_user
        self._vpc = vpc
        self._vpc_subnets = vpc_subnets
        self._security_groups = security_groups
        self._tls = tls
        self._ca_certificates = checks.file("ca_certificates", ca_certificates)

    @property
    def create_table_statement(self) -> str:
        """The SQL of the table that the consumer stores into: run it once, or let ``create_table=True`` do so."""
        return create_table(self._engine, self._table_name)

    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """See ``Sink.bind``."""
        checks.same_environment(scope, database=self._database, secret=self._secret)
        if self._tls and self._ca_certificates is None and _is_certified_by_rds(self._database):
            checks.packed_authorities(_AUTHORITIES, Stack.of(scope).region)
        if (timeout := checks.known_seconds(options.timeout)) is not None and timeout < _LEAST_TIMEOUT:
            Annotations.of(scope).add_warning_v2(
                "cdk-scalable-webhook:databaseTimeout",
                f"timeout should be at least {_LEAST_TIMEOUT} seconds with a database, got {timeout:g}: Lambda would "
                "end the consumer while the server is still at its statement, and the next opens a connection beside.",
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
        )

    def _reaches(self) -> list[ec2.IConnectable]:
        connections: ec2.Connections | None = getattr(self._database, "connections", None)
        if connections is None:
            return []  # of an imported proxy, say, whose security groups are the user's to open
        if connections.default_port is not None:
            return [connections]
        # A proxy does not tell its port, which is that of its engine.
        port = ec2.Port.tcp(self._port)
        return [ec2.Connections(security_groups=connections.security_groups, default_port=port)]

    def grant_write(self, grantee: iam.IGrantable) -> None:
        """See ``Sink.grant_write``. What the user may do in the database is the database's own to say."""
        grants.read_secret(self._secret, grantee)
        if self._iam_user is not None:
            with checks.taken_by_the_cdk("database"):
                self._database.grant_connect(grantee, self._iam_user)


def _is_certified_by_rds(database: Any) -> bool:
    """Whether it is an instance or a cluster. A proxy has a certificate that everybody knows."""
    return any(hasattr(database, name) for name in _ENDPOINTS)


def _endpoint(database: Any, default_port: int) -> tuple[str, float]:
    """Host and port of an instance, a cluster's writer, or a proxy, which listens where its engine does."""
    for name in _ENDPOINTS:
        if (endpoint := getattr(database, name, None)) is not None:
            return endpoint.hostname, endpoint.port
    return database.endpoint, default_port
