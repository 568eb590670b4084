"""The targets of the faults: two webhooks in front of a Postgres on this machine.

One has a publisher. The other has none, and a pooler in front of the Postgres.
"""

import json
from typing import cast

from aws_cdk import Annotations, App, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from cdk_scalable_webhook import ConsumerOptions, Ingress, Retry, ScalableWebhook, Sink

app = App()
stack = Stack(app, "Faults")
login = json.dumps({"username": "webhooks", "password": app.node.get_context("password")})
secret = secretsmanager.Secret(stack, "Login", secret_string_value=SecretValue.unsafe_plain_text(login))
for id, ingress, server in (
    ("Lambda", Ingress.lambda_integration(), "server"),
    ("Direct", Ingress.direct_integration(binary=True), "pooler"),
):
    host, _, port = app.node.get_context(server).partition(":")
    webhook = ScalableWebhook(
        stack,
        id,
        ingress=ingress,
        delivery_id_header="Idempotency-Key",
        # Its pauses would keep most faults from the consumer. tests/deployed/test_breaker.py is about it.
        breaker=False,
        sink=Sink.postgres(host=host, port=int(port), database_name="postgres", secret=secret, tls=False),
        queue=sqs.Queue(
            stack,
            f"{id}Queue",
            visibility_timeout=Duration.seconds(144),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=sqs.Queue(stack, f"{id}DeadLetterQueue"),
                # Each fault costs a message a try, and a good one must not reach the dead-letter queue. The redrive
                # policy would move it without a reason, and while it is in progress.
                max_receive_count=40,
            ),
        ),
        max_concurrency=5,
        batch_size=10,
        # Longer than a statement may take, so that the consumer notices a hanging disk, and not Lambda.
        consumer=ConsumerOptions(timeout=Duration.seconds(24)),
        retry=Retry(initial=Duration.seconds(1), maximum=Duration.seconds(8)),
        removal_policy=RemovalPolicy.DESTROY,
    )
    # After this time, the messages of a killed consumer are retried. It is short, since the run waits for it, and
    # shorter than a ScalableWebhook permits.
    cast(sqs.CfnQueue, webhook.queue.node.default_child).visibility_timeout = 24
    # Functions reach SQS by the weak link.
    for function in (webhook.consumer, webhook.node.try_find_child("Publisher")):
        if function is not None:
            sqs_url = app.node.get_context("sqs")
            cast(lambda_.Function, function).add_environment("AWS_ENDPOINT_URL_SQS", sqs_url)
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
