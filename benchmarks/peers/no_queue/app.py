"""The opposite of examples/postgres, for comparison: API Gateway calls a function that writes to Postgres. Each
request at the same time has a function of its own, and each function a connection of its own.
"""

from pathlib import Path

from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from cdk_scalable_webhook.packaging.asset import packed

app = App()
stack = Stack(app, "WithoutQueue")
host, _, port = app.node.get_context("server").partition(":")
# Its driver is packed as ours is.
with packed(stack, ["pg8000"], [Path(__file__).parent / "handler"]) as code:
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="store.handler",
        code=code,
        environment={"HOST": host, "PORT": port, "PASSWORD": app.node.get_context("password")},
        timeout=Duration.seconds(29),
        memory_size=256,
        log_group=logs.LogGroup(stack, "Logs", removal_policy=RemovalPolicy.DESTROY),
    )
apigateway.LambdaRestApi(stack, "Api", handler=function)
app.synth()
