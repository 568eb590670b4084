"""A webhook endpoint in front of something that does not scale, for the AWS CDK."""

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is, without importing it
if TYPE_CHECKING:
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

_MODULES = {"ingress": ("Ingress", "IngressConfig", "IngressOptions"), "webhook": ("ScalableWebhook",)}


def __getattr__(name: str) -> object:
    """Load the construct when it is asked for: the command line and the local door do without aws_cdk."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = next((module for module, names in _MODULES.items() if name in names), "sink")
    return getattr(import_module(f"{__name__}.{module}"), name)
