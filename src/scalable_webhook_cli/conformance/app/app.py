"""The app of ``scalable-webhook conformance``: each ingress, each answer and each kind of sink without a database."""

from pathlib import Path

from aws_cdk import Annotations, App, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import (
    Acknowledgement,
    ApiOptions,
    GroupBy,
    Ingress,
    QueueOptions,
    Retry,
    ScalableWebhook,
    Sink,
    Source,
)

TEXT, BINARY, LAMBDA = (
    Ingress.direct_integration(),
    Ingress.direct_integration(binary=True),
    Ingress.lambda_integration(),
)
# Each has one field more than `kind`, so that no payload of another filter matches it.
FILTERS = [
    {"body": {"kind": ["number"], "total": [300]}},
    {"body": {"kind": ["dots"], "data": {"object": ["x"]}}},
    {"body": {"kind": ["operators"], "name": [{"suffix": ".png"}], "state": [{"anything-but": ["draft"]}]}},
    {"body": {"kind": ["case"], "name": [{"equals-ignore-case": "Zoë"}]}},
    {"body": {"kind": ["or"], "$or": [{"a": [1]}, {"b": [{"exists": False}], "c": [1]}]}},
]
OWN = """
import json
def handler(event, context):
    return json.loads(event["Records"][0]["body"])
"""

app = App()
stack = Stack(app, "ScalableWebhookConformance", description="scalable-webhook conformance: delete it at any time")
secret = secretsmanager.Secret(stack, "Secret", removal_policy=RemovalPolicy.DESTROY)
key = kms.Key(stack, "Key", removal_policy=RemovalPolicy.DESTROY, pending_window=Duration.days(7))
# A region has one role by which API Gateway writes logs. One that is there stays.
if role := app.node.try_get_context("log_role"):
    apigateway.CfnAccount(stack, "LogRole", cloud_watch_role_arn=role).apply_removal_policy(RemovalPolicy.RETAIN)


def webhook(id: str, **arguments: object) -> ScalableWebhook:
    """Create a webhook of which nothing is left."""
    return ScalableWebhook(stack, id, removal_policy=RemovalPolicy.DESTROY, **arguments)  # type: ignore[arg-type]


# Their messages stay in the queue, and are compared there.
held = {
    "Text": webhook("Text", ingress=TEXT, enabled=False, tracing=lambda_.Tracing.ACTIVE),
    "Binary": webhook("Binary", ingress=BINARY, enabled=False),
    "Lambda": webhook("Lambda", ingress=LAMBDA, enabled=False),
}
for name, each in held.items():
    orders = Source.token(secret, header="X-Token")
    each.add_source("/orders", orders if name != "Lambda" else Source.github(secret))
    if name == "Lambda":
        continue
    each.add_source("/ids", orders, delivery_id_header="Idempotency-Key")
    each.add_source("/okta", Source.okta(secret))
    each.add_source("/graph", Source.microsoft_graph(secret))
    each.add_source("/text", orders, acknowledgement=Acknowledgement(200, "<ok>$x #if é</ok>", "text/xml"))
    each.add_source("/silent", orders, acknowledgement=Acknowledgement(204))

# Access control, each in an API of its own.
keyed = webhook(
    "Keyed",
    ingress=BINARY,
    enabled=False,
    cors=apigateway.CorsOptions(allow_origins=["https://example.com"], allow_headers=["x-api-key"]),
    api=ApiOptions(
        api_key=True,
        allowed_ip_ranges=["0.0.0.0/0", "::/0"],
        throttling_rate_limit=5,
        throttling_burst_limit=5,
    ),
)
assert keyed.api_key
CfnOutput(stack, "ApiKey", value=keyed.api_key.key_id)
webhook("Elsewhere", ingress=TEXT, enabled=False, api=ApiOptions(allowed_ip_ranges=["203.0.113.0/24"]))
webhook("Signed", ingress=LAMBDA, enabled=False, api=ApiOptions(iam_authorization=True))

# A consumer of one's own, which answers what its payload says.
own = lambda_.Function(
    stack,
    "OwnConsumer",
    runtime=lambda_.Runtime.PYTHON_3_13,
    handler="index.handler",
    code=lambda_.Code.from_inline(OWN),
    timeout=Duration.seconds(2),
    log_group=logs.LogGroup(stack, "OwnLogs", removal_policy=RemovalPolicy.DESTROY),
)

# Behind a direct integration.
text = {"api": held["Text"].api, "ingress": TEXT}
webhook("Fifo", **text, path="/fifo", enabled=False, max_concurrency=1)
webhook(
    "Groups",
    **text,
    path="/groups",
    delivery_id_header="Idempotency-Key",
    queue=QueueOptions(ordered=GroupBy.header("X-Group")),
    max_concurrency=5,
)
webhook("Filtered", **text, path="/filtered", event_filters=FILTERS)
webhook("Absent", **text, path="/absent", event_filters=[{"body": {"kind": [{"exists": False}]}}])
webhook("Own", **text, path="/own", consumer=own, batch_size=1, queue=QueueOptions(max_receive_count=1))
webhook("Broken", **text, path="/broken", enabled=False)

# Behind a Lambda integration.
code = {"api": held["Lambda"].api, "ingress": LAMBDA}
webhook("Dropped", **code, path="/dropped", event_filters=FILTERS)
webhook("Stored", **code, path="/stored", delivery_id_header="Idempotency-Key", max_batching_window=Duration.seconds(1))
webhook("Large", **code, path="/large", encryption_key=key, large_payloads=True)
handler = webhook(
    "Handler",
    **code,
    path="/handler",
    sink=Sink.python(Path(__file__).parent / "handler" / "handler.py", "handler.handle"),
    max_concurrency=5,
    retry=Retry(initial=Duration.seconds(2), maximum=Duration.seconds(4)),
    queue=QueueOptions(max_receive_count=3),
)
for id in ("missingSource", "outage"):
    Annotations.of(app).acknowledge_warning(f"cdk-scalable-webhook:{id}")
app.synth()
