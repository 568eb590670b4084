"""Webhook endpoints for the AWS CDK that do not overload the backend behind them."""

from typing import TYPE_CHECKING  # a constant of our own would work too, but jedi completes nothing behind it

if TYPE_CHECKING:
    from cdk_scalable_webhook.acknowledgement import Acknowledgement
    from cdk_scalable_webhook.alarms import AlarmOptions
    from cdk_scalable_webhook.common import CommonOptions
    from cdk_scalable_webhook.endpoint.ingress import (
        Ingress,
        IngressConfig,
        IngressOptions,
        RestApiIngress,
        RestApiIngressConfig,
    )
    from cdk_scalable_webhook.endpoint.options import ApiOptions
    from cdk_scalable_webhook.grouping import GroupBy
    from cdk_scalable_webhook.packaging.asset import RuntimeLayer
    from cdk_scalable_webhook.route.breaker import CircuitBreaker
    from cdk_scalable_webhook.route.capacity import Capacity
    from cdk_scalable_webhook.route.consumer import ConsumerOptions
    from cdk_scalable_webhook.route.queue import QueueOptions
    from cdk_scalable_webhook.route.rate import AdaptiveRate
    from cdk_scalable_webhook.route.retry import Retry
    from cdk_scalable_webhook.route.sink import Sink, SinkConfig, SinkNetwork, SinkOptions
    from cdk_scalable_webhook.route.sinks.data_api import DataApiSink
    from cdk_scalable_webhook.route.sinks.database import DatabaseSink
    from cdk_scalable_webhook.route.sinks.dynamodb import DynamoDBSink
    from cdk_scalable_webhook.route.sinks.http import HttpSink
    from cdk_scalable_webhook.route.sinks.python import PythonSink
    from cdk_scalable_webhook.sources.probe import Probe
    from cdk_scalable_webhook.sources.source import Source
    from cdk_scalable_webhook.webhook import ScalableWebhook

__all__ = [
    "Acknowledgement",
    "AdaptiveRate",
    "AlarmOptions",
    "ApiOptions",
    "Capacity",
    "CircuitBreaker",
    "CommonOptions",
    "ConsumerOptions",
    "DataApiSink",
    "DatabaseSink",
    "DynamoDBSink",
    "GroupBy",
    "HttpSink",
    "Ingress",
    "IngressConfig",
    "IngressOptions",
    "Probe",
    "PythonSink",
    "QueueOptions",
    "RestApiIngress",
    "RestApiIngressConfig",
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
    "alarms": ("AlarmOptions",),
    "common": ("CommonOptions",),
    "endpoint.ingress": (
        "Ingress",
        "IngressConfig",
        "IngressOptions",
        "RestApiIngress",
        "RestApiIngressConfig",
    ),
    "endpoint.options": ("ApiOptions",),
    "grouping": ("GroupBy",),
    "packaging.asset": ("RuntimeLayer",),
    "route.breaker": ("CircuitBreaker",),
    "route.capacity": ("Capacity",),
    "route.consumer": ("ConsumerOptions",),
    "route.queue": ("QueueOptions",),
    "route.rate": ("AdaptiveRate",),
    "route.retry": ("Retry",),
    "route.sink": (
        "Sink",
        "SinkConfig",
        "SinkNetwork",
        "SinkOptions",
    ),
    "route.sinks.data_api": ("DataApiSink",),
    "route.sinks.database": ("DatabaseSink",),
    "route.sinks.dynamodb": ("DynamoDBSink",),
    "route.sinks.http": ("HttpSink",),
    "route.sinks.python": ("PythonSink",),
    "sources.probe": ("Probe",),
    "sources.source": ("Source",),
    "webhook": ("ScalableWebhook",),
}


def __getattr__(name: str) -> object:
    """Load a module when its name is used first: importing every sink would slow each synth."""
    for module, names in _MODULES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
