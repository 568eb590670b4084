"""A custom sink and a custom ingress."""

from collections.abc import Sequence

from aws_cdk import App, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from cdk_scalable_webhook import (
    IngressOptions,
    RestApiIngress,
    RestApiIngressConfig,
    ScalableWebhook,
    Sink,
    SinkConfig,
    SinkNetwork,
    SinkOptions,
)


class StreamSink(Sink):
    def __init__(self, stream: kinesis.Stream, network: SinkNetwork | None = None) -> None:
        self.stream = stream
        self.network = network

    def bind(self, scope: Construct, options: SinkOptions) -> SinkConfig:
        seconds = str(options.timeout.to_seconds())
        environment = {"STREAM": self.stream.stream_name, "SECONDS": seconds}
        return SinkConfig(handler="stream", environment=environment, network=self.network)

    def grant_write(self, grantee: iam.IGrantable) -> None:
        self.stream.grant_write(grantee)


class MockIngress(RestApiIngress):
    @property
    def binary_media_types(self) -> Sequence[str]:
        return []

    def bind(self, scope: Construct, options: IngressOptions) -> RestApiIngressConfig:
        print(options.queue.queue_name, options.mount)
        responses = [apigateway.MethodResponse(status_code="202")]
        return RestApiIngressConfig(integration=apigateway.MockIntegration(), method_responses=responses)


stack = Stack(App(), "Own")
vpc = ec2.Vpc(stack, "Vpc")
group = ec2.SecurityGroup(stack, "Group", vpc=vpc)
network = SinkNetwork(vpc, security_groups=[group], reaches=[ec2.SecurityGroup(stack, "Server", vpc=vpc)])
sink = StreamSink(kinesis.Stream(stack, "Stream"), network)
ScalableWebhook(stack, "Webhook", ingress=MockIngress(), sink=sink)
