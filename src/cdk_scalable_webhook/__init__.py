"""A webhook endpoint in front of something that does not scale, for the AWS CDK."""

from typing import TYPE_CHECKING  # one of our own would do, but jedi completes nothing behind it

if TYPE_CHECKING:
    from cdk_scalable_webhook.acknowledgement import Acknowledgement
    from cdk_scalable_webhook.asset import RuntimeLayer
    from cdk_scalable_webhook.ingress import Ingress, IngressConfig, IngressOptions
    from cdk_scalable_webhook.retry import Retry
    from cdk_scalable_webhook.sink import Sink, SinkConfig, SinkNetwork, SinkOptions
    from cdk_scalable_webhook.sinks.data_api import DataApiSink
    from cdk_scalable_webhook.sinks.database import DatabaseSink
    from cdk_scalable_webhook.sinks.dynamodb import DynamoDBSink
    from cdk_scalable_webhook.sinks.http import HttpSink
    from cdk_scalable_webhook.sinks.python import PythonSink
    from cdk_scalable_webhook.source import Probe, Source
    from cdk_scalable_webhook.webhook import ScalableWebhook

__all__ = [
    "Acknowledgement",
    "DataApiSink",
    "DatabaseSink",
    "DynamoDBSink",
    "HttpSink",
    "Ingress",
    "IngressConfig",
    "IngressOptions",
    "Probe",
    "PythonSink",
    "Retry",
    "RuntimeLayer",
    "ScalableWebhook",
    "Sink",
    "SinkConfig",
    "SinkNetwork",
    "SinkOptions",
    "Source",
]

_MODULES = {
    "acknowledgement": ("Acknowledgement",),
    "asset": ("RuntimeLayer",),
    "ingress": ("Ingress", "IngressConfig", "IngressOptions"),
    "retry": ("Retry",),
    "sink": ("Sink", "SinkConfig", "SinkNetwork", "SinkOptions"),
    "sinks.data_api": ("DataApiSink",),
    "sinks.database": ("DatabaseSink",),
    "sinks.dynamodb": ("DynamoDBSink",),
    "sinks.http": ("HttpSink",),
    "sinks.python": ("PythonSink",),
    "source": ("Probe", "Source"),
    "webhook": ("ScalableWebhook",),
}


def __getattr__(name: str) -> object:
    """Load a module when its name is asked for: a synth does without the sinks that it does not use."""
    for module, names in _MODULES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
