"""Where a webhook ends."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.common import CommonOptions

if TYPE_CHECKING:  # importing them costs every synth, and most need none of them
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_rds as rds
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_secretsmanager as secretsmanager

    from cdk_scalable_webhook.route.sinks.data_api import DataApiSink
    from cdk_scalable_webhook.route.sinks.database import DatabaseSink
    from cdk_scalable_webhook.route.sinks.dynamodb import DynamoDBSink
    from cdk_scalable_webhook.route.sinks.http import HttpSink
    from cdk_scalable_webhook.route.sinks.python import PythonSink


@dataclass(frozen=True)
class SinkOptions:
    """What a sink is given to work with.

    Attributes:
        timeout: How long the consumer may work on one batch: 1 second to 15 minutes.
        common: The settings for everything that the sink creates, such as the encryption key.
        payload_bucket: Where a sink may keep, below ``stored/``, payloads that it cannot hold; None: nowhere.

    See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """

    timeout: Duration
    common: CommonOptions
    payload_bucket: "s3.IBucket | None"


@dataclass(frozen=True)
class SinkNetwork:
    """Where the consumer function has to be, to reach a sink.

    Attributes:
        vpc: The VPC.
        vpc_subnets: Which of its subnets. Default: those that are private with a way out.
        security_groups: Those of the function. Default: a new one.
        reaches: What the function connects to, on its default port. Default: nothing, so no security group changes.

    See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """

    vpc: "ec2.IVpc"
    vpc_subnets: "ec2.SubnetSelection | None" = None
    security_groups: "Sequence[ec2.ISecurityGroup] | None" = None
    reaches: "Sequence[ec2.IConnectable]" = ()


@dataclass(frozen=True)
class SinkConfig:
    """What a sink asks of the consumer function.

    Attributes:
        handler: The module of ``webhook_runtime.handlers`` that writes to the sink.
        environment: The environment variables that it reads.
        packages: The distributions that it imports beside boto3, as ``Sink.python()`` takes them. Default: none.
        code: A folder whose content goes into the asset as well, or a file, as in ``Sink.python()``. Default: none.
        files: Files that go into the asset as well, by their name there. Default: none.
        network: Where the function has to be. Default: outside of any VPC.

    See: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
    """

    handler: str
    environment: Mapping[str, str]
    packages: Sequence[str] = ()
    code: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    network: SinkNetwork | None = None


@typed
class Sink(ABC):
    """Where a webhook ends. One sink serves one ``ScalableWebhook``."""

    @staticmethod
    def dynamodb(table: "dynamodb.ITable | None" = None) -> "DynamoDBSink":
        """A DynamoDB table, one item a webhook, written in one round trip for up to 25 of them.

        Each item is written only if its ``id`` is new, so what is delivered twice is stored once. That ``id`` is the
        webhook's key: the path of the endpoint, ``#`` and the sender's id, such as ``/stripe#evt_1``. The other
        attributes: ``delivery_id`` (the sender's id by itself), ``mount`` (the path of the endpoint), ``request_id``,
        ``received_at`` (ISO 8601, UTC), ``method``, ``path``, ``query``, ``headers`` (a map, names in lower case),
        ``payload`` (a string where it is UTF-8, else binary) and ``source_ip``. A webhook that no item can hold
        (400 KB) goes to the dead-letter queue with the reason; with ``large_payloads`` a payload above 350 KiB stays in
        that bucket, below ``stored/``, and its item has ``payload_object``, the ``s3://`` URI, instead of ``payload``.

        Args:
            table: A table of yours, whose key is the string ``id`` alone. Default: a new one with on-demand capacity,
                encryption and point-in-time recovery.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``; its ``table`` is the table.

        Raises:
            ValueError: ``table`` has another key.

        See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
        """
        from cdk_scalable_webhook.route.sinks.dynamodb import DynamoDBSink

        return DynamoDBSink(table)

    @staticmethod
    def postgres(
        database: "rds.IDatabaseInstance | rds.IDatabaseCluster | rds.IDatabaseProxy | None" = None,
        *,
        database_name: str,
        table_name: str = "webhooks",
        create_table: bool = False,
        host: str | None = None,
        port: int | None = None,
        secret: "secretsmanager.ISecret | secretsmanager.Secret | None" = None,
        iam_user: str | None = None,
        vpc: "ec2.IVpc | None" = None,
        vpc_subnets: "ec2.SubnetSelection | None" = None,
        security_groups: "Sequence[ec2.ISecurityGroup] | None" = None,
        tls: bool = True,
        ca_certificates: str | Path | None = None,
    ) -> "DatabaseSink":
        """A table of a Postgres server, one row a webhook, a batch in one round trip over one connection.

        Each execution environment of the consumer keeps one connection, so the server never sees more of them than
        ``max_concurrency``. A row is inserted only if its ``id`` is new at its endpoint, so what is delivered twice is
        stored once. A webhook that no row can hold fails alone, and goes to the dead-letter queue with the reason;
        where the server is down or has no connection left, the batch comes back later.

        Needs ``pip install "cdk-scalable-webhook[postgres]"`` where the app is synthesised: the driver, pg8000, goes
        into the function's asset from there. In the VPC the function also has to reach SQS and Secrets Manager, through
        a NAT gateway or interface endpoints.

        Args:
            database: A database of RDS or Aurora, or a proxy, of this app or imported. Default: none, for a server
                that is not in the CDK: say ``host``.
            database_name: The name of the database on the server.
            table_name: The table, with a schema before it where it is not in the search path: ``orders.webhooks``.
                Letters, digits and underscores; case counts. Default: ``webhooks``. Its columns are those of
                ``create_table_statement``, its primary key is ``id`` and ``mount``; the user needs INSERT, and SELECT
                on these two.
            create_table: Whether the consumer makes the table where there is none. The user then needs CREATE on the
                schema. Default: no; run ``create_table_statement`` yourself.
            host: The server's host name or address, where it is not in the CDK. Default: that of ``database``.
            port: The server's port, 1 to 65,535, with ``host``. Default: 5432.
            secret: A secret with ``username`` and ``password``, in JSON as RDS writes it. When it was rotated it is
                read again. Default: that of ``database``.
            iam_user: A user of the database's who signs in by IAM, without a secret. Default: none.
                See: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
            vpc: The VPC of the function. Default: that of ``database``; for a ``host`` outside of any VPC, none.
            vpc_subnets: The function's subnets. Default: those that are private with a way out; where the VPC has none,
                the isolated ones.
            security_groups: The function's. Default: a new one. Either way those of ``database`` let it in.
            tls: Whether the connection is encrypted, and the server's certificate and name verified. Default: yes; an
                unencrypted connection is never fallen back to.
            ca_certificates: A PEM file with the authorities of your own server, trusted instead of Amazon's. RDS needs
                it in China, GovCloud and the newest regions: AWS has a bundle for each region. Default: for an
                endpoint of RDS Amazon's authorities for RDS, for any other host those that the Lambda runtime trusts.
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
        secret: "secretsmanager.ISecret | secretsmanager.Secret | None" = None,
        iam_user: str | None = None,
        vpc: "ec2.IVpc | None" = None,
        vpc_subnets: "ec2.SubnetSelection | None" = None,
        security_groups: "Sequence[ec2.ISecurityGroup] | None" = None,
        tls: bool = True,
        ca_certificates: str | Path | None = None,
    ) -> "DatabaseSink":
        """A table of a MySQL or MariaDB server, one row a webhook, a batch in one round trip over one connection.

        As ``Sink.postgres()``, with ``pip install "cdk-scalable-webhook[mysql]"`` and the driver PyMySQL. The user
        needs INSERT, SELECT on ``id`` and ``mount``, and UPDATE on ``id``.

        Args:
            database: A database of RDS or Aurora, or a proxy, of this app or imported. Default: none, for a server
                that is not in the CDK: say ``host``.
            database_name: The name of the database on the server.
            table_name: The table. Letters, digits and underscores. Default: ``webhooks``. Its columns are those of
                ``create_table_statement``, its primary key is ``id`` and ``mount``.
            create_table: Whether the consumer makes the table where there is none. The user then needs CREATE.
                Default: no; run ``create_table_statement`` yourself.
            host: The server's host name or address, where it is not in the CDK. Default: that of ``database``.
            port: The server's port, 1 to 65,535, with ``host``. Default: 3306.
            secret: A secret with ``username`` and ``password``, in JSON as RDS writes it. When it was rotated it is
                read again. Default: that of ``database``.
            iam_user: A user of the database's who signs in by IAM, without a secret. Default: none.
            vpc: The VPC of the function. Default: that of ``database``; for a ``host`` outside of any VPC, none.
            vpc_subnets: The function's subnets. Default: those that are private with a way out; where the VPC has none,
                the isolated ones.
            security_groups: The function's. Default: a new one. Either way those of ``database`` let it in.
            tls: Whether the connection is encrypted, and the server's certificate and name verified. Default: yes; an
                unencrypted connection is never fallen back to.
            ca_certificates: A PEM file with the authorities of your own server, trusted instead of Amazon's. RDS needs
                it in China, GovCloud and the newest regions: AWS has a bundle for each region. Default: for an
                endpoint of RDS Amazon's authorities for RDS, for any other host those that the Lambda runtime trusts.

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
        secret: "secretsmanager.ISecret | secretsmanager.Secret | None" = None,
    ) -> "DataApiSink":
        """A table of an Aurora cluster, Postgres or MySQL, by the RDS Data API: without VPC, driver or connection.

        The table and its guarantees are those of ``Sink.postgres()`` and ``Sink.mysql()``. A cluster that has paused
        is waited for: its webhooks come back later.

        Args:
            cluster: The cluster, with ``enable_data_api``; an imported one has to tell its ``engine``.
            database_name: The name of the database in the cluster.
            table_name: The table. Default: ``webhooks``.
            create_table: Whether the consumer makes the table where there is none. Default: no; run
                ``create_table_statement`` yourself.
            secret: The secret by which the Data API signs in. Default: that of ``cluster``.

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
        signing_secret: "secretsmanager.ISecret | secretsmanager.Secret | None" = None,
        vpc: "ec2.IVpc | None" = None,
        vpc_subnets: "ec2.SubnetSelection | None" = None,
        security_groups: "Sequence[ec2.ISecurityGroup] | None" = None,
        ca_certificates: str | Path | None = None,
        forward_headers: Sequence[str] = (),
    ) -> "HttpSink":
        """An HTTP service, one POST a webhook, over a connection that is kept.

        The service gets payload and headers as they came, and ``Idempotency-Key``, ``X-Original-Method``,
        ``X-Original-URI`` and, with the sender's address, ``X-Forwarded-For``. Headers of another connection are left
        out, and those by which a proxy tells a service whom it serves, since any sender can write them. The key is that
        of the webhook, of the path of its endpoint and its sender's id, such as ``/stripe#evt_1``. It is the same at
        every try: a service that stores each key once stores each webhook once. 2xx is done; 4xx goes to the
        dead-letter queue, but for 408, 409, 425 and 429; everything else comes back alone. Where the service answers
        429 or 503, or not at all, to two webhooks in a row, the rest of the batch comes back as well, as it does where
        no connection is made. ``Retry-After`` is honoured. Redirections are not followed.

        Args:
            url: Where to post.
            timeout: How long one answer may take: 1 second to 15 minutes, and below the consumer's ``timeout``.
                Default: 10 seconds.
            signing_secret: A secret, as plain text ``whsec_…`` or base64, by which every request is signed as Standard
                Webhooks has it: ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``. Default: not signed.
                See: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
            vpc: The VPC of the function, for a service that is reached from there only. Default: none.
                See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            vpc_subnets: The function's subnets. Default: those that are private with a way out; where the VPC has none,
                the isolated ones.
            security_groups: The function's. Default: a new one.
            ca_certificates: A PEM file with the authorities of your own service, trusted instead of the public ones.
                Default: those that the Lambda runtime trusts.
            forward_headers: Headers that are handed on although a service might believe them, such as
                ``X-Forwarded-Host`` or ``X-HTTP-Method-Override``: whoever may send a webhook chooses what they say.
                Default: none of these.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``.

        Raises:
            ValueError: ``url`` is none, ``timeout`` is out of its limits, or one of ``forward_headers`` goes on anyway
                or never.
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
        vpc: "ec2.IVpc | None" = None,
        vpc_subnets: "ec2.SubnetSelection | None" = None,
        security_groups: "Sequence[ec2.ISecurityGroup] | None" = None,
    ) -> "PythonSink":
        """A Python function of yours, called with each webhook.

        It is ``def handle(webhook: Webhook) -> None``, with ``from webhook_runtime import Webhook``. When it returns,
        the webhook is done. When it raises, the webhook is tried again later; ``Permanent("why")`` sends it to the
        dead-letter queue now, ``RetryAfter(seconds)`` sets the delay, ``SinkDown("why")`` lets the rest of the batch
        wait as well. It may be called again with a webhook that it has had: store by ``webhook.key``. Permissions:
        ``table.grant_write_data(webhook)``, since the ``ScalableWebhook`` is an ``IGrantable``. For its tests there is
        ``webhook_runtime.testing.webhook()``. What an exception says is logged: no payload in it.

        Args:
            code: A folder with your modules, or one ``.py`` file. Of a folder everything goes into the function, and a
                link as what it points to, but for what is never code of it and changes by itself: names that begin
                with a dot, bytecode, virtual environments, ``node_modules``, ``*.egg-info``, folders with a
                ``CACHEDIR.TAG``, and the CDK's own files and output.
            handler: The function, as ``module.function``.
            batch: Whether the function takes a list of webhooks. When it raises, each is handed to it alone. Default:
                one webhook a call.
            packages: Distributions that it imports, by name, with extras as in ``"httpx[http2]"``. They are taken from
                where they are installed, editable ones from their sources, with all that they require on Lambda's
                Python; pure Python only. boto3 is there already. Default: none.
            environment: Environment variables for it. Default: none.
            vpc: The VPC of the function. Default: none.
                See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            vpc_subnets: The function's subnets. Default: those that are private with a way out; where the VPC has none,
                the isolated ones.
            security_groups: The function's. Default: a new one.

        Returns:
            The sink, for ``ScalableWebhook(sink=…)``.

        Raises:
            ValueError: There is no such code or function; or a package, or one that it requires, is not installed. The
                ``ScalableWebhook`` raises it where a package is not pure Python, where two files have one name, or
                where something in ``code`` is no file, or a link to nothing.
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
