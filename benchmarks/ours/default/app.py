"""Ours with its defaults: one statement."""

from aws_cdk import App, Stack

from cdk_scalable_webhook import ScalableWebhook

app = App()
ScalableWebhook(Stack(app, "OursDefault"), "Webhook")
app.synth()
