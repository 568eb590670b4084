"""Store webhooks in Postgres, with at most 5 connections at a time.

`cdk deploy` creates an RDS instance in a VPC. To try it without AWS, run `python examples/postgres_server.py`, and
follow its output.
"""

import json

from aws_cdk import Acknowledgment, Annotations, App, Duration, RemovalPolicy, SecretValue, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from cdk_scalable_webhook import Ingress, QueueOptions, Retry, ScalableWebhook, Sink


class Orders(Stack):
    """The webhook. The subclasses have the database."""

    def receive(self, sink: Sink, retry: Retry) -> None:
        ScalableWebhook(
            self,
            "Webhook",
            ingress=Ingress.direct_integration(),
            delivery_id_header="Idempotency-Key",
            sink=sink,
            # The load that the database can handle: 5 connections, each with batches of up to 10 rows.
            max_concurrency=5,
            batch_size=10,
            # The tries and their delays: the time that the database may be down.
            queue=QueueOptions(max_receive_count=20),
            retry=retry,
            removal_policy=RemovalPolicy.DESTROY,
        )


class Deployed(Orders):
    """An RDS instance, in subnets that only the VPC reaches."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,  # for the consumer to reach SQS and Secrets Manager
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
            iam_authentication=True,  # for people; the webhook has the secret
            removal_policy=RemovalPolicy.DESTROY,  # an example deletes everything; keep your orders
        )
        sink = Sink.postgres(database, database_name="orders", table_name="orders", create_table=True)
        self.receive(sink, Retry(initial=Duration.seconds(10), maximum=Duration.minutes(15)))
        go_without(vpc, "AwsSolutions-VPC7", reason="An example pays for no flow logs.")
        go_without(database, "AwsSolutions-RDS10", reason="An example deletes everything.")
        go_without(database, "AwsSolutions-RDS11", reason="An unusual port hides nothing.")
        single = "An example pays for one small instance; webhooks wait in the queue while it is down."
        go_without(database, "AwsSolutions-RDS3", "CKV_AWS_157", "CKV_AWS_118", reason=single)
        login = database.node.find_child("Secret")
        no_rotation = "An example runs for an hour; rotate your own: database.add_rotation_single_user()."
        go_without(login, "AwsSolutions-SMG4", reason=no_rotation)
        go_without(login, "CKV_AWS_149", reason="Secrets Manager encrypts it with a key of its own, at no cost.")


def go_without(construct: IConstruct, *rules: str, reason: str) -> None:
    """Acknowledge findings of cdk-nag and checkov in your own resource."""
    of_checkov = [{"id": rule, "comment": reason} for rule in rules if rule.startswith("CKV_")]
    if of_checkov:
        construct.node.default_child.add_metadata("checkov", {"skip": of_checkov})
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule in rules if not rule.startswith("CKV_"))
    )


class Local(Orders):
    """An existing server on this machine. On premises, pass `vpc=`, and leave `tls` out."""

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
# This example accepts webhooks from anyone. In your own app set source=Source.github(…).
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
