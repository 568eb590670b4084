"""Ours without a function between API Gateway and SQS."""

from aws_cdk import App, Stack

from cdk_scalable_webhook import Ingress, ScalableWebhook

app = App()
ScalableWebhook(Stack(app, "OursDirect"), "Webhook", ingress=Ingress.direct_integration())
app.synth()
