"""The original pattern in Python, by its published description: any URL goes to a publisher, which sends it to a queue.
A subscriber with reserved concurrency receives it from there and inserts it into DynamoDB.

No MaximumConcurrency, no partial answers, no dead-letter queue, one put a record.
"""

from pathlib import Path

from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs

app = App()
stack = Stack(app, "Original")
code = lambda_.Code.from_asset(str(Path(__file__).parent / "handler"), exclude=["__pycache__"])
table = dynamodb.Table(
    stack,
    "Messages",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
    removal_policy=RemovalPolicy.DESTROY,
)
queue = sqs.Queue(stack, "Queue", visibility_timeout=Duration.seconds(300))
publisher = lambda_.Function(
    stack,
    "Publisher",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="publish.handler",
    code=code,
    environment={"QUEUE_URL": queue.queue_url},
)
queue.grant_send_messages(publisher)
subscriber = lambda_.Function(
    stack,
    "Subscriber",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="subscribe.handler",
    code=code,
    environment={"TABLE_NAME": table.table_name},
    timeout=Duration.minutes(3),
    reserved_concurrent_executions=2,
)
subscriber.add_event_source(event_sources.SqsEventSource(queue))
table.grant_read_write_data(subscriber)
apigateway.LambdaRestApi(stack, "Endpoint", handler=publisher)
app.synth()
