"""What the faults strike: API Gateway, a publisher, a queue, a consumer, and a Postgres on this machine."""

import json
from typing import cast

from aws_cdk import Annotations, App, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from cdk_scalable_webhook import Retry, ScalableWebhook, Sink

app = App()
stack = Stack(app, "Faults")
host, _, port = app.node.get_context("server").partition(":")
login = json.dumps({"username": "webhooks", "password": app.node.get_context("password")})
webhook = ScalableWebhook(
    stack,
    "Webhook",
    delivery_id_header="Idempotency-Key",
    sink=Sink.postgres(
        host=host,
        port=int(port),
        database_name="postgres",
        secret=secretsmanager.Secret(stack, "Login", secret_string_value=SecretValue.unsafe_plain_text(login)),
        tls=False,
    ),
    queue=sqs.Queue(
        stack,
        "WebhookQueue",
        # What a killed consumer had comes back after this time; short, since everybody waits for it.
        visibility_timeout=Duration.seconds(24),
        dead_letter_queue=sqs.DeadLetterQueue(
            queue=sqs.Queue(stack, "WebhookDeadLetterQueue"),
            # Each fault costs a message a try, and a good one shall not end as a dead letter: the redrive policy would
            # take it without a reason, and while it is worked on.
            max_receive_count=40,
        ),
    ),
    max_concurrency=5,
    batch_size=10,
    # Longer than a statement may take, so that a hanging disk is noticed by the consumer, and not by Lambda.
    timeout=Duration.seconds(24),
    retry=Retry(initial=Duration.seconds(1), maximum=Duration.seconds(8)),
    removal_policy=RemovalPolicy.DESTROY,
)
# Both functions reach SQS by the link that can be slow, and everything else as ever.
for function in (webhook.consumer, webhook.node.find_child("Publisher")):
    cast(lambda_.Function, function).add_environment("AWS_ENDPOINT_URL_SQS", app.node.get_context("sqs"))
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:openDoor")
app.synth()
