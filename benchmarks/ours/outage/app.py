"""Ours with Postgres, with the circuit breaker and without one: the sides of an outage.

An outage of a minute uses up the tries. ``sides`` is a JSON object of webhooks: the arguments of ``webhook()``, by the
id of each.
"""

import json

from aws_cdk import App, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import Ingress, QueueOptions, Retry, ScalableWebhook, Sink

app = App()
stack = Stack(app, "Outage")


def webhook(id: str, *, server: str, password: str, breaker: bool, at_a_time: int = 5, retry_seconds: int = 5) -> None:
    """Add a webhook that stores into the table ``orders_<id>`` of a server."""
    host, _, port = server.partition(":")
    login = json.dumps({"username": "webhooks", "password": password})
    ScalableWebhook(
        stack,
        id,
        ingress=Ingress.direct_integration(),
        delivery_id_header="Idempotency-Key",
        sink=Sink.postgres(
            host=host,
            port=int(port),
            database_name="postgres",
            table_name=f"orders_{id.lower()}",
            create_table=True,
            secret=secretsmanager.Secret(stack, f"{id}Login", secret_string_value=SecretValue.unsafe_plain_text(login)),
            tls=False,
        ),
        max_concurrency=at_a_time,
        queue=QueueOptions(max_receive_count=5),
        retry=Retry(initial=Duration.seconds(retry_seconds), maximum=Duration.seconds(4 * retry_seconds)),
        breaker=breaker,
        removal_policy=RemovalPolicy.DESTROY,
    )


for id, arguments in json.loads(app.node.get_context("sides")).items():
    webhook(id, **arguments)
app.synth()
