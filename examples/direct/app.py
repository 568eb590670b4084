"""An app without a function between API Gateway and SQS, with the settings of a production stack."""

from aws_cdk import Annotations, App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk_scalable_webhook import (
    ApiOptions,
    ConsumerOptions,
    Ingress,
    QueueOptions,
    ScalableWebhook,
    Sink,
)


class Orders(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        table = dynamodb.Table(
            self,
            "Orders",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=RemovalPolicy.DESTROY,  # an example deletes everything; keep your orders
        )
        # checkov requires a key of your own. This acknowledges the finding.
        reason = {"id": "CKV_AWS_119", "comment": "DynamoDB encrypts it with a key of its own, at no cost."}
        table.node.default_child.add_metadata("checkov", {"skip": [reason]})
        webhook = ScalableWebhook(
            self,
            "Webhook",
            ingress=Ingress.direct_integration(),
            path="/orders",
            delivery_id_header="Idempotency-Key",
            sink=Sink.dynamodb(table),
            # The load that the sink can handle: at most 4 batches at a time, each of up to 25 webhooks.
            max_concurrency=4,
            batch_size=25,
            max_batching_window=Duration.seconds(1),
            consumer=ConsumerOptions(timeout=Duration.seconds(20), memory_size=512),
            # The tries and the time before a webhook needs your attention.
            queue=QueueOptions(max_receive_count=8, retention_period=Duration.days(7)),
            # The requests that the API accepts before it answers 429.
            api=ApiOptions(throttling_rate_limit=1000, throttling_burst_limit=500),
            log_retention=logs.RetentionDays.ONE_WEEK,
            removal_policy=RemovalPolicy.DESTROY,
        )
        # Name your SNS topic: add_alarms(topic).
        webhook.add_alarms()


app = App()
Orders(app, "Direct")
# This example accepts webhooks from anyone. In your own app set source=Source.github(…).
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
