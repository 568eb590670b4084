"""Ours with several settings of the throttle, into one Postgres on this machine."""

import json

from aws_cdk import App, Duration, SecretValue, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import Ingress, QueueOptions, Retry, ScalableWebhook, Sink

app = App()
stack = Stack(app, "OursPlanned")
host, _, port = app.node.get_context("server").partition(":")
login = json.dumps({"username": "webhooks", "password": app.node.get_context("password")})
secret = secretsmanager.Secret(stack, "Login", secret_string_value=SecretValue.unsafe_plain_text(login))
sink = Sink.postgres(
    host=host, port=int(port), database_name="postgres", table_name="webhooks", secret=secret, tls=False
)
for setting in app.node.get_context("settings").split():
    concurrency, size = map(int, setting.split("x"))
    ScalableWebhook(
        stack,
        f"At{concurrency}Of{size}",
        ingress=Ingress.direct_integration(),
        delivery_id_header="Idempotency-Key",
        sink=sink,
        max_concurrency=concurrency,
        batch_size=size,
        max_batching_window=Duration.seconds(1) if size > 10 else None,
        # A short outage, so that the measurement is short.
        queue=QueueOptions(max_receive_count=100),
        retry=Retry(initial=Duration.seconds(1), maximum=Duration.seconds(2)),
        # It would pause for a minute, and the model of the retries is what is measured.
        breaker=False,
    )
app.synth()
