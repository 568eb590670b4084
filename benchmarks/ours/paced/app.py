"""Ours with a delivery rate."""

from aws_cdk import App, Stack

from cdk_scalable_webhook import ScalableWebhook

app = App()
rate = float(app.node.try_get_context("rate"))
ScalableWebhook(Stack(app, f"OursPaced{rate:g}"), "Webhook", max_delivery_rate=rate, batch_size=5)
app.synth()
