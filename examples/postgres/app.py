"""Webhooks into Postgres, never more than 5 connections at a time.

`cdk deploy` makes an RDS instance in a VPC. To try it without AWS: `python examples/postgres_server.py`, and what that
says.
"""

import json

from aws_cdk import Annotations, App, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk_scalable_webhook import Ingress, Retry, ScalableWebhook, Sink


class Orders(Stack):
    """The webhook; where the database is, its subclasses know."""

    def receive(self, sink: Sink, retry: Retry) -> None:
        ScalableWebhook(
            self,
            "Webhook",
            ingress=Ingress.direct_integration(),
            delivery_id_header="Idempotency-Key",
            sink=sink,
            # What the database bears: 5 connections, each with batches of up to 10 rows.
            max_concurrency=5,
            batch_size=10,
            # How long it may be down.
            max_receive_count=20,
            retry=retry,
            removal_policy=RemovalPolicy.DESTROY,
        )


class Deployed(Orders):
    """An instance of RDS, in subnets that only the VPC reaches."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,  # by which the consumer reaches SQS and Secrets Manager
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC),
                ec2.SubnetConfiguration(name="consumer", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
                ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            ],
        )
        database = rds.DatabaseInstance(
            self,
            "Database",
            engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6),
            instance_type=ec2.InstanceType("t4g.micro"),
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            database_name="orders",
            storage_encrypted=True,
            removal_policy=RemovalPolicy.DESTROY,  # an example leaves nothing behind; keep your orders
        )
        sink = Sink.postgres(database, database_name="orders", table_name="orders", create_table=True)
        self.receive(sink, Retry(initial=Duration.seconds(10), maximum=Duration.minutes(15)))


class Local(Orders):
    """A server that is there already. On premises it would have `vpc=` and TLS; on this machine it has neither."""

    def __init__(self, scope: Construct, id: str, *, server: str, password: str) -> None:
        super().__init__(scope, id)
        host, _, port = server.partition(":")
        login = json.dumps({"username": "webhooks", "password": password})
        secret = secretsmanager.Secret(self, "Login", secret_string_value=SecretValue.unsafe_plain_text(login))
        sink = Sink.postgres(
            host=host,
            port=int(port),
            database_name="postgres",
            table_name="orders",
            create_table=True,
            secret=secret,
            tls=False,
        )
        self.receive(sink, Retry(initial=Duration.seconds(2), maximum=Duration.seconds(10)))


app = App()
server = app.node.try_get_context("server")
if server:
    Local(app, "Postgres", server=server, password=app.node.get_context("password"))
else:
    Deployed(app, "Postgres")
# An example takes webhooks from anybody. Yours says who sends: source=Source.github(…).
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:openDoor")
app.synth()
