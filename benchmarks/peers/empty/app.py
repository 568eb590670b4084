"""An app without resources: the time that every CDK app needs."""

from aws_cdk import App, Stack

app = App()
Stack(app, "Empty")
app.synth()
