"""Nothing but the CDK: what every app waits for, whatever it makes."""

from aws_cdk import App, Stack

app = App()
Stack(app, "Empty")
app.synth()
