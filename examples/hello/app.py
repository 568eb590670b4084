"""The smallest: one statement, and webhooks to any URL below the API's are stored once each, in a new DynamoDB
table."""

from aws_cdk import Annotations, App, Stack

from cdk_scalable_webhook import ScalableWebhook

app = App()
stack = Stack(app, "Hello")
ScalableWebhook(stack, "Webhook", delivery_id_header="Idempotency-Key")
# An example takes webhooks from anybody. Yours says who sends: source=Source.github(…).
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
