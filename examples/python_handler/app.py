"""Send webhooks to your own Python function, `handler/orders.py`, which `handler/test_orders.py` tests."""

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
# checkov requires a key of your own. This acknowledges the finding.
reason = {"id": "CKV_AWS_119", "comment": "DynamoDB encrypts it with a key of its own, at no cost."}
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
# This example accepts webhooks from anyone. In your own app set source=Source.github(…).
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
