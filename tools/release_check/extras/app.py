"""An app that needs every extra: a webhook for each driver, and the smallest one, which the local AWS can run."""

import json

from aws_cdk import Annotations, App, SecretValue, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import Ingress, ScalableWebhook, Sink

app = App()
stack = Stack(app, "Extras")
host, port = app.node.get_context("server").split(":")
login = json.dumps({"username": "webhooks", "password": app.node.get_context("password")})
secret = secretsmanager.Secret(stack, "Login", secret_string_value=SecretValue.unsafe_plain_text(login))

ScalableWebhook(stack, "DynamoDB", sink=Sink.dynamodb())
ScalableWebhook(
    stack,
    "Postgres",
    ingress=Ingress.direct_integration(binary=True),
    sink=Sink.postgres(
        host=host, port=int(port), database_name="postgres", create_table=True, secret=secret, tls=False
    ),
)
# PyPI has no server for it. tests/sinks tests that it stores; this tests that its driver is packed.
ScalableWebhook(stack, "MySQL", sink=Sink.mysql(host=host, database_name="orders", secret=secret))
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
