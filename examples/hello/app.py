"""The smallest app: one statement stores webhooks to any path of a new API in a new DynamoDB table, each once."""

from aws_cdk import Annotations, App, Stack

from cdk_scalable_webhook import ScalableWebhook

app = App()
stack = Stack(app, "Hello")
ScalableWebhook(stack, "Webhook", delivery_id_header="Idempotency-Key")
# This example accepts webhooks from anyone. In your own app set source=Source.github(…).
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
