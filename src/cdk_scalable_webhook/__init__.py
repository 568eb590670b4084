"""A webhook endpoint in front of something that does not scale, for the AWS CDK."""

from cdk_scalable_webhook.ingress import Ingress, IngressConfig, IngressOptions
from cdk_scalable_webhook.sink import DynamoDBSink, Sink, SinkConfig, SinkOptions
from cdk_scalable_webhook.webhook import ScalableWebhook

__all__ = [
    "DynamoDBSink",
    "Ingress",
    "IngressConfig",
    "IngressOptions",
    "ScalableWebhook",
    "Sink",
    "SinkConfig",
    "SinkOptions",
]
