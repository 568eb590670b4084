"""GitHub's webhooks through both kinds of ingress into two sinks, with an endpoint for each combination."""

import json

from aws_cdk import App, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import ConsumerOptions, Ingress, Retry, ScalableWebhook, Sink, Source

app = App()
stack = Stack(app, "GitHub")


def secret(id: str, text: str) -> secretsmanager.Secret:
    return secretsmanager.Secret(stack, id, secret_string_value=SecretValue.unsafe_plain_text(text))


host, _, port = app.node.get_context("server").partition(":")
login = secret("Login", json.dumps({"username": "webhooks", "password": app.node.get_context("password")}))
source = Source.github(secret("Key", app.node.get_context("key")))
ingresses = {"Lambda": Ingress.lambda_integration(), "Direct": Ingress.direct_integration()}
for name, ingress in ingresses.items():
    postgres = Sink.postgres(
        host=host,
        port=int(port),
        database_name="postgres",
        table_name=name,
        create_table=True,
        secret=login,
        tls=False,
    )
    for kind, sink in {"Postgres": postgres, "DynamoDB": Sink.dynamodb()}.items():
        ScalableWebhook(
            stack,
            name + kind,
            ingress=ingress,
            source=source,
            sink=sink,
            max_concurrency=4,
            # More than DynamoDB takes in one round trip.
            batch_size=50,
            max_batching_window=Duration.seconds(1),
            consumer=ConsumerOptions(timeout=Duration.seconds(20)),
            retry=Retry(initial=Duration.seconds(2), maximum=Duration.seconds(10)),
            removal_policy=RemovalPolicy.DESTROY,
        )
app.synth()
