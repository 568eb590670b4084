"""Ours with a publisher, which verifies GitHub's signature."""

from aws_cdk import App, SecretValue, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import ScalableWebhook, Source

app = App()
stack = Stack(app, "OursSigned")
secret = secretsmanager.Secret(stack, "Secret", secret_string_value=SecretValue.unsafe_plain_text("shh"))
ScalableWebhook(stack, "Webhook", source=Source.github(secret))
app.synth()
