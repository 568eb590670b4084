"""The resources of `ScalableWebhook(stack, "Webhook")` by hand with the CDK's own constructs: the same kinds and
numbers, with the same settings."""

import json
from pathlib import Path

from aws_cdk import App, CfnOutput, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "source_ip": "$context.identity.sourceIp",
    "latency": "$context.responseLatency",
    "integration_status": "$context.integration.status",
    "error": "$context.error.message",
}

app = App()
stack = Stack(app, "Handwritten")
dead_letters = sqs.Queue(
    stack,
    "DeadLetterQueue",
    encryption=sqs.QueueEncryption.SQS_MANAGED,
    enforce_ssl=True,
    max_message_size_bytes=1_048_576,
    retention_period=Duration.days(14),
)
queue = sqs.Queue(
    stack,
    "Queue",
    encryption=sqs.QueueEncryption.SQS_MANAGED,
    enforce_ssl=True,
    max_message_size_bytes=1_048_576,
    visibility_timeout=Duration.minutes(3),
    dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
)
table = dynamodb.Table(
    stack,
    "Table",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
    point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
)


def function(name: str, handler: str, timeout: Duration, environment: dict[str, str]) -> lambda_.Function:
    """Create a function with a log group and a role of its own."""
    log_group = logs.LogGroup(stack, f"{name}Logs", retention=logs.RetentionDays.ONE_MONTH)
    role = iam.Role(stack, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    return lambda_.Function(
        stack,
        name,
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        code=lambda_.Code.from_asset(str(Path(__file__).parent / "handler"), exclude=["__pycache__"]),
        handler=handler,
        environment=environment,
        timeout=timeout,
        memory_size=256,
        logging_format=lambda_.LoggingFormat.JSON,
        log_group=log_group,
        role=role,
    )


publisher = function("Publisher", "publish.handler", Duration.seconds(20), {"QUEUE_URL": queue.queue_url})
queue.grant_send_messages(publisher)
consumer = function("Consumer", "consume.handler", Duration.seconds(30), {"TABLE_NAME": table.table_name})
table.grant(consumer, "dynamodb:PutItem")
dead_letters.grant_send_messages(consumer)
queue.grant_consume_messages(consumer)
lambda_.EventSourceMapping(
    stack,
    "EventSourceMapping",
    target=consumer,
    event_source_arn=queue.queue_arn,
    batch_size=10,
    max_concurrency=2,
    report_batch_item_failures=True,
)
api = apigateway.RestApi(
    stack,
    "Api",
    endpoint_types=[apigateway.EndpointType.REGIONAL],
    binary_media_types=["*/*"],
    cloud_watch_role=True,
    deploy_options=apigateway.StageOptions(
        access_log_destination=apigateway.LogGroupLogDestination(
            logs.LogGroup(stack, "AccessLogs", retention=logs.RetentionDays.ONE_MONTH)
        ),
        access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
    ),
)
integration = apigateway.LambdaIntegration(publisher, scope_permission_to_method=False)
api.root.add_method("ANY", integration)
api.root.add_resource("{proxy+}").add_method("ANY", integration)
CfnOutput(stack, "Url", value=api.url)
app.synth()
