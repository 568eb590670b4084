"""The sinks: destinations of webhooks, and the interface for one of your own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.common import CommonOptions

if TYPE_CHECKING:  # importing them slows each synth, and most need none of them
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_rds as rds
    from aws_cdk import aws_s3 as s3

    from cdk_scalable_webhook.route.sinks.data_api import DataApiSink
    from cdk_scalable_webhook.route.sinks.database import DatabaseSink
    from cdk_scalable_webhook.route.sinks.dynamodb import DynamoDBSink
    from cdk_scalable_webhook.route.sinks.http import HttpSink
    from cdk_scalable_webhook.route.sinks.python import PythonSink


@dataclass(frozen=True)
class SinkOptions:
    """The settings that a sink gets.

    Attributes:
        timeout: The time that the consumer may work on one batch: 1 second to 15 minutes.
        common: The settings for every resource that the sink creates, such as the encryption key.
        payload_bucket: The bucket in which a sink may keep payloads that it cannot hold, below ``stored/``; None:
            there is none.

    See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """

    timeout: Duration
    common: CommonOptions
    payload_bucket: "s3.IBucket | None"


@dataclass(frozen=True)
class SinkNetwork:
    """The network in which the consumer function reaches a sink.

    Attributes:
        vpc: The VPC.
        vpc_subnets: The subnets of the function. Default: the private ones with egress.
        security_groups: The security groups of the function. Default: a new one.
        reaches: The resources that the function connects to, on their default port. Default: none, so no security group
            changes.

    See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """

    vpc: ec2.IVpc
    vpc_subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] | None = None
    reaches: Sequence[ec2.IConnectable] = ()


@dataclass(frozen=True)
class SinkConfig:
    """The consumer function that a sink needs.

    Attributes:
        handler: The module of ``webhook_runtime.sinks`` that writes to the sink.
        environment: The environment variables that it reads.
        packages: The packages that it imports in addition to boto3, as for ``Sink.python()``. Default: none.
        code: A folder whose content goes into the asset as well, or a file, as for ``Sink.python()``. Default: none.
        files: Files that go into the asset as well, by their name there. Default: none.
        network: The network of the function. Default: outside of any VPC.
        certificate_regions: The regions of AWS in which its databases may be, whose certificate authorities go into the
            asset of a consumer that connects to one. Default: all regions.
        database: The database of RDS or Aurora to which each execution environment of the function keeps a connection.
            Its ``Capacity`` then limits ``max_concurrency``. Default: none.

    See: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
    """

    handler: str
    environment: Mapping[str, str]
    packages: Sequence[str] = ()
    code: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    network: SinkNetwork | None = None
    certificate_regions: Sequence[str] | None = None
    database: "rds.IDatabaseInstance | rds.IDatabaseCluster | rds.IDatabaseProxy | None" = None


@typed
class Sink(ABC):
    """The destination of webhooks. One sink serves one ``ScalableWebhook``."""

    @property
    def can_be_pinged(self) -> bool:
        """Whether the consumer can ask how the sink is, without a webhook. Only then ``breaker`` can be set. Default:
        no; the sinks of this library can, and so can one of your own with their handlers."""
        return False

    @property
    def has_outages(self) -> bool:
        """Whether there is a circuit breaker by default, if the sink can be pinged. Default: yes."""
        return True

    @staticmethod
    def dynamodb(table: "dynamodb.ITable | None" = None, *, compress: bool = False) -> "DynamoDBSink":
        """Store each webhook as an item of a DynamoDB table, up to 25 of them in one round trip.

        Each item is written only if its ``id`` is new, so a webhook that is delivered twice is stored once. The ``id``
        is the webhook's key: the path of the endpoint, ``#`` and the provider's event id, such as ``/stripe#evt_1``.

        The other attributes are ``delivery_id``, ``mount``, ``request_id``, ``received_at``, ``method``, ``path``,
        ``query``, ``headers``, ``payload`` and ``source_ip``. ``delivery_id`` is the event id alone, and ``mount`` the
        path of the endpoint. ``received_at`` is a text in ISO 8601 and UTC. ``headers`` is a map with names in lower
        case. ``payload`` is a string if it is UTF-8, else binary.

        A webhook that is too large for an item (400 KB) moves to the dead-letter queue with the reason. With
        ``large_payloads`` a payload above 350 KiB stays in that bucket, below ``stored/``, and its item has
        ``payload_object``, the ``s3://`` URI, instead of ``payload``.

        Args:
            table: An existing table, whose key is the string ``id`` alone. Default: a new one with on-demand capacity,
                encryption and point-in-time recovery.
            compress: Whether to compress payloads of 1 KiB or more by zlib. DynamoDB bills each KB of an item, and
                typical JSON takes a quarter. The console then shows no text. Such an item has ``encoding``, ``zlib``,
                and its ``payload`` is binary: ``webhook_runtime.stored_payload()`` reads either. Default: no.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``; its ``table`` is the table.

        Raises:
            ValueError: ``table`` has another key.

        See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
        """
        from cdk_scalable_webhook.route.sinks.dynamodb import DynamoDBSink

        return DynamoDBSink(table, compress=compress)

    @staticmethod
    def postgres(
        database: "rds.IDatabaseInstance | rds.IDatabaseCluster | rds.IDatabaseProxy | None" = None,
        *,
        database_name: str,
        table_name: str = "webhooks",
        create_table: bool = False,
        host: str | None = None,
        port: int | None = None,
        secret: secretsmanager.ISecret | secretsmanager.Secret | None = None,
        iam_user: str | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        tls: bool = True,
        ca_certificates: str | Path | None = None,
    ) -> "DatabaseSink":
        """Store each webhook as a row of a Postgres table, a batch in one round trip over one connection.

        Each execution environment of the consumer keeps one connection, so the server has at most ``max_concurrency``
        busy ones. A row is inserted only if its ``id`` is new at its endpoint, so a webhook that is delivered twice is
        stored once. A webhook that does not fit into a row fails alone, and moves to the dead-letter queue with the
        reason. If the server is down or has no connection left, the batch is retried.

        It needs ``pip install "cdk-scalable-webhook[postgres]"`` in the environment of the app: the driver, pg8000, is
        packed into the function from there. In the VPC the function also has to reach SQS and Secrets Manager, through
        a NAT gateway or interface endpoints.

        Args:
            database: A database of RDS or Aurora, or a proxy, of this app or imported. Default: none, for a server
                that is not in the CDK: set ``host``.
            database_name: The name of the database on the server.
            table_name: The table, with its schema if that is not in the search path: ``orders.webhooks``. Letters,
                digits and underscores; case matters. Default: ``webhooks``. Its columns are those of
                ``create_table_statement``, its primary key is ``id`` and ``mount``; the user needs INSERT, and SELECT
                on these two.
            create_table: Whether the consumer creates the table if it does not exist. The user then needs CREATE on the
                schema. Default: no; run ``create_table_statement`` yourself.
            host: The server's host name or address, if it is not in the CDK. Default: that of ``database``.
            port: The server's port, 1 to 65,535, with ``host``. Default: 5432.
            secret: A secret with ``username`` and ``password``, in JSON as RDS writes it. After a rotation it is read
                again. Default: that of ``database``.
            iam_user: A user of the database who signs in by IAM, without a secret. Default: none.
                See: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
            vpc: The VPC of the function. Default: that of ``database``; for a ``host`` outside of any VPC, none.
            vpc_subnets: The subnets of the function. Default: the private ones with egress; if the VPC has none, the
                isolated ones.
            security_groups: The security groups of the function. Default: a new one. In both cases those of
                ``database`` let the function in.
            tls: Whether the connection is encrypted, and the server's certificate and name verified. Default: yes,
                without a fallback to an unencrypted connection.
            ca_certificates: A PEM file with the certificate authorities of your own server, trusted instead of
                Amazon's. RDS needs it in China, GovCloud and the newest regions: AWS has a bundle for each region.
                Default: for an endpoint of RDS Amazon's certificate authorities for RDS, for any other host those that
                the Lambda runtime trusts.
                See: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``; its ``create_table_statement`` is the SQL of the table.

        Raises:
            ValueError: An argument is missing, contradicts another, or the driver is not installed.
        """
        from cdk_scalable_webhook.route.sinks.database import DatabaseSink

        return DatabaseSink(
            "postgres",
            database,
            database_name=database_name,
            table_name=table_name,
            create_table=create_table,
            host=host,
            port=port,
            secret=secret,
            iam_user=iam_user,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            security_groups=security_groups,
            tls=tls,
            ca_certificates=ca_certificates,
        )

    @staticmethod
    def mysql(
        database: "rds.IDatabaseInstance | rds.IDatabaseCluster | rds.IDatabaseProxy | None" = None,
        *,
        database_name: str,
        table_name: str = "webhooks",
        create_table: bool = False,
        host: str | None = None,
        port: int | None = None,
        secret: secretsmanager.ISecret | secretsmanager.Secret | None = None,
        iam_user: str | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        tls: bool = True,
        ca_certificates: str | Path | None = None,
    ) -> "DatabaseSink":
        """Store each webhook as a row of a MySQL or MariaDB table, a batch in one round trip over one connection.

        It works as ``Sink.postgres()``, with ``pip install "cdk-scalable-webhook[mysql]"`` and the driver PyMySQL. The
        user needs INSERT, SELECT on ``id`` and ``mount``, and UPDATE on ``id``.

        Args:
            database: A database of RDS or Aurora, or a proxy, of this app or imported. Default: none, for a server
                that is not in the CDK: set ``host``.
            database_name: The name of the database on the server.
            table_name: The table. Letters, digits and underscores. Default: ``webhooks``. Its columns are those of
                ``create_table_statement``, its primary key is ``id`` and ``mount``.
            create_table: Whether the consumer creates the table if it does not exist. The user then needs CREATE.
                Default: no; run ``create_table_statement`` yourself.
            host: The server's host name or address, if it is not in the CDK. Default: that of ``database``.
            port: The server's port, 1 to 65,535, with ``host``. Default: 3306.
            secret: A secret with ``username`` and ``password``, in JSON as RDS writes it. After a rotation it is read
                again. Default: that of ``database``.
            iam_user: A user of the database who signs in by IAM, without a secret. Default: none.
            vpc: The VPC of the function. Default: that of ``database``; for a ``host`` outside of any VPC, none.
            vpc_subnets: The subnets of the function. Default: the private ones with egress; if the VPC has none, the
                isolated ones.
            security_groups: The security groups of the function. Default: a new one. In both cases those of
                ``database`` let the function in.
            tls: Whether the connection is encrypted, and the server's certificate and name verified. Default: yes,
                without a fallback to an unencrypted connection.
            ca_certificates: A PEM file with the certificate authorities of your own server, trusted instead of
                Amazon's. RDS needs it in China, GovCloud and the newest regions: AWS has a bundle for each region.
                Default: for an endpoint of RDS Amazon's certificate authorities for RDS, for any other host those that
                the Lambda runtime trusts.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``; its ``create_table_statement`` is the SQL of the table.

        Raises:
            ValueError: An argument is missing, contradicts another, or the driver is not installed.
        """
        from cdk_scalable_webhook.route.sinks.database import DatabaseSink

        return DatabaseSink(
            "mysql",
            database,
            database_name=database_name,
            table_name=table_name,
            create_table=create_table,
            host=host,
            port=port,
            secret=secret,
            iam_user=iam_user,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            security_groups=security_groups,
            tls=tls,
            ca_certificates=ca_certificates,
        )

    @staticmethod
    def data_api(
        cluster: "rds.IDatabaseCluster",
        *,
        database_name: str,
        table_name: str = "webhooks",
        create_table: bool = False,
        secret: secretsmanager.ISecret | secretsmanager.Secret | None = None,
    ) -> "DataApiSink":
        """Store each webhook in a table of an Aurora cluster, Postgres or MySQL, by the RDS Data API: without a VPC, a
        driver or a connection.

        The table and its guarantees are those of ``Sink.postgres()`` and ``Sink.mysql()``. If the cluster is paused,
        webhooks are retried until it has resumed.

        Args:
            cluster: The cluster, with ``enable_data_api``; an imported one has to tell its ``engine``.
            database_name: The name of the database in the cluster.
            table_name: The table. Default: ``webhooks``.
            create_table: Whether the consumer creates the table if it does not exist. Default: no; run
                ``create_table_statement`` yourself.
            secret: The secret with which the Data API signs in. Default: that of ``cluster``.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``; its ``create_table_statement`` is the SQL of the table.

        Raises:
            ValueError: The cluster has no Data API, or its engine or secret is not known.

        See: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_BatchExecuteStatement.html
        """
        from cdk_scalable_webhook.route.sinks.data_api import DataApiSink

        return DataApiSink(
            cluster, database_name=database_name, table_name=table_name, create_table=create_table, secret=secret
        )

    @staticmethod
    def http(
        url: str,
        *,
        timeout: Duration | None = None,
        signing_secret: secretsmanager.ISecret | secretsmanager.Secret | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        ca_certificates: str | Path | None = None,
        forward_headers: Sequence[str] = (),
    ) -> "HttpSink":
        """Forward each webhook to an HTTP service by a POST, over a connection that is kept.

        The service gets payload and headers unchanged, and ``Idempotency-Key``, ``X-Original-Method``,
        ``X-Original-URI`` and ``X-Forwarded-For``, with the address of the client. Headers that belong to a connection
        are left out, and so are headers that services trust from a proxy, since any client can write them.

        The idempotency key is the webhook's key: the path of its endpoint, ``#`` and the provider's event id, such as
        ``/stripe#evt_1``. It is the same at every try, so a service that stores each key once stores each webhook once.

        2xx is done. 4xx moves the webhook to the dead-letter queue, except 408, 409, 425 and 429. For any other answer
        this webhook alone is retried. The rest of the batch is retried too without a connection, and after two webhooks
        in a row with the answer 429 or 503, or none. ``Retry-After`` is honoured. Redirects are not followed.

        Args:
            url: The URL to post to.
            timeout: The time that one answer may take: 1 second to 15 minutes, and below the consumer's ``timeout``.
                Default: 10 seconds.
            signing_secret: A secret, as plain text ``whsec_…`` or base64, with which every request is signed by
                Standard Webhooks: ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``. Default: not signed.
                See: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
            vpc: The VPC of the function, for a service that is reached from there only. Default: none.
                See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            vpc_subnets: The subnets of the function. Default: the private ones with egress; if the VPC has none, the
                isolated ones.
            security_groups: The security groups of the function. Default: a new one.
            ca_certificates: A PEM file with the certificate authorities of your own service, trusted instead of the
                public ones. Default: those that the Lambda runtime trusts.
            forward_headers: Headers to forward although a service might trust them, such as ``X-Forwarded-Host`` or
                ``X-HTTP-Method-Override``: anyone who may send a webhook chooses their values. Default: none of these.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``.

        Raises:
            ValueError: ``url`` is no URL, ``timeout`` is out of its limits, or one of ``forward_headers`` is always or
                never forwarded.
        """
        from cdk_scalable_webhook.route.sinks.http import HttpSink

        return HttpSink(
            url,
            timeout=timeout,
            signing_secret=signing_secret,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            security_groups=security_groups,
            ca_certificates=ca_certificates,
            forward_headers=forward_headers,
        )

    @staticmethod
    def python(
        code: str | Path,
        handler: str,
        *,
        batch: bool = False,
        packages: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
    ) -> "PythonSink":
        """Call your own Python function with each webhook.

        It is ``def handle(webhook: Webhook) -> None``, with ``from webhook_runtime import Webhook``. If it returns, the
        webhook is done. If it raises, the webhook is retried. ``Permanent("why")`` moves it to the dead-letter queue at
        once, ``RetryAfter(seconds)`` sets the delay, and ``SinkDown("why")`` lets the rest of the batch wait as well.

        Make it idempotent, since it may be called again with the same webhook: store by ``webhook.key``. The
        ``ScalableWebhook`` is an ``IGrantable``, so give it permissions by ``table.grant_write_data(webhook)``. Test it
        with ``webhook_runtime.testing.webhook()``. The text of an exception is logged, so put no payload into it.

        Args:
            code: A folder with your modules, or one ``.py`` file. A folder is packed as a whole, and a link as its
                target. Some files are left out: names that begin with a dot, bytecode, virtual environments,
                ``node_modules``, ``*.egg-info``, folders with a ``CACHEDIR.TAG``, and the CDK's own files and output.
            handler: The function, as ``module.function``.
            batch: Whether the function takes a list of webhooks. If it raises, it is called with each webhook alone.
                Default: one webhook a call.
            packages: The packages that it imports, by name, with extras as in ``"httpx[http2]"``. They are copied from
                where they are installed, editable ones from their sources, with all that they require on Lambda's
                Python. Pure Python only. boto3 is there already. Default: none.
            environment: Environment variables of the function. Default: none.
            vpc: The VPC of the function. Default: none.
                See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            vpc_subnets: The subnets of the function. Default: the private ones with egress; if the VPC has none, the
                isolated ones.
            security_groups: The security groups of the function. Default: a new one.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``.

        Raises:
            ValueError: There is no such code or function; or a package, or one that it requires, is not installed. The
                ``ScalableWebhook`` raises it if a package is not pure Python, if two files have one name, or if
                ``code`` has something that is no file, or a broken link.
        """
        from cdk_scalable_webhook.route.sinks.python import PythonSink

        return PythonSink(
            code,
            handler,
            batch=batch,
            packages=packages,
            environment=environment or {},
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            security_groups=security_groups,
        )

    @abstractmethod
    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        """Create the resources of the sink below ``scope``.

        Args:
            scope: The ``ScalableWebhook``.
            options: The settings that apply to every sink.

        Returns:
            The consumer function that the sink needs.
        """

    @abstractmethod
    def grant_write(self, grantee: iam.IGrantable) -> None:
        """Permit writing webhooks, and no other action.

        Args:
            grantee: The consumer function.
        """
