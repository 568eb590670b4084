"""AWS Solutions Constructs, composed for the same job: API Gateway writes to a queue, a function takes it from there
and inserts it into DynamoDB.

Their endpoint is one method, POST on the root. Their defaults stay, unless the job needs another value.
"""

from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_solutions_constructs.aws_apigateway_sqs import ApiGatewayToSqs
from aws_solutions_constructs.aws_lambda_dynamodb import LambdaToDynamoDB
from aws_solutions_constructs.aws_sqs_lambda import SqsToLambda

app = App()
stack = Stack(app, "SolutionsConstructs")
endpoint = ApiGatewayToSqs(
    stack,
    "Endpoint",
    allow_create_operation=True,
    allow_read_operation=False,
    allow_delete_operation=False,
    deploy_dead_letter_queue=True,
    max_receive_count=5,
    create_usage_plan=False,
    # Their default requires requests signed by IAM, which no webhook provider can send.
    api_gateway_props={"defaultMethodOptions": {"authorizationType": "NONE"}},
)
sink = LambdaToDynamoDB(
    stack,
    "Sink",
    lambda_function_props=lambda_.FunctionProps(
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="subscribe.handler",
        code=lambda_.Code.from_asset(str(Path(__file__).parent / "handler"), exclude=["__pycache__"]),
    ),
    dynamo_table_props=dynamodb.TableProps(
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    ),
    table_environment_variable_name="TABLE_NAME",
    table_permissions="Write",
)
SqsToLambda(
    stack,
    "Throttle",
    existing_queue_obj=endpoint.sqs_queue,
    existing_lambda_obj=sink.lambda_function,
    deploy_dead_letter_queue=False,
    sqs_event_source_props=event_sources.SqsEventSourceProps(
        batch_size=10, max_concurrency=2, report_batch_item_failures=True
    ),
)
app.synth()
