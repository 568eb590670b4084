"""The app with the most permissions: a source, and payloads in S3."""

from aws_cdk import App, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import ScalableWebhook, Source

app = App()
stack = Stack(app, "Strict")
secret = secretsmanager.Secret(stack, "Secret", secret_string_value=SecretValue.unsafe_plain_text("shh"))
source = Source.hmac(secret, header="X-Signature", id_header="Idempotency-Key")
ScalableWebhook(stack, "Webhook", source=source, large_payloads=True, removal_policy=RemovalPolicy.DESTROY)
app.synth()
