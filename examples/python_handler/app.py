"""Webhooks to a Python function of your own, `handler/orders.py`, which is tried by `handler/test_orders.py`."""

from pathlib import Path

from aws_cdk import Annotations, App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb

from cdk_scalable_webhook import QueueOptions, Retry, ScalableWebhook, Sink

app = App()
stack = Stack(app, "PythonHandler")
totals = dynamodb.Table(
    stack,
    "Totals",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
    point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
    removal_policy=RemovalPolicy.DESTROY,
)
# checkov would have a key of yours. This is how a resource of your own tells it why not.
reason = {"id": "CKV_AWS_119", "comment": "DynamoDB encrypts it by a key of its own, at no cost."}
totals.node.default_child.add_metadata("checkov", {"skip": [reason]})
webhook = ScalableWebhook(
    stack,
    "Webhook",
    delivery_id_header="Idempotency-Key",
    sink=Sink.python(
        Path(__file__).parent / "handler" / "orders.py",
        "orders.handle",
        environment={"TABLE_NAME": totals.table_name},
    ),
    retry=Retry(initial=Duration.seconds(2), maximum=Duration.minutes(5)),
    queue=QueueOptions(max_receive_count=10),
    removal_policy=RemovalPolicy.DESTROY,
)
totals.grant(webhook, "dynamodb:PutItem")
# An example takes webhooks from anybody. Yours says who sends: source=Source.github(…).
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
