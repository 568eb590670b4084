"""The metrics that AWS documents, and those of a template's metric filters: a graph of another one is empty."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aws_cdk.assertions import Template

# Namespace: the names, and the dimensions by which a resource of ours is found.
DOCUMENTED: dict[str, tuple[set[str], set[str]]] = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    "AWS/ApiGateway": (
        {"4XXError", "5XXError", "CacheHitCount", "CacheMissCount", "Count", "IntegrationLatency", "Latency"},
        {"ApiName"},
    ),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": (
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfEmptyReceives",
            "NumberOfMessagesDeleted",
            "NumberOfMessagesReceived",
            "NumberOfMessagesSent",
            "SentMessageSize",
        },
        {"QueueName"},
    ),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": (
        {"ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles", "FilteredOutEventCount"},
        {"FunctionName", "EventSourceMappingUUID"},
    ),
}
# Of the event source mapping, which has it only if it is configured to.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
OF_A_MAPPING = {"FilteredOutEventCount"}

Metric = tuple[str, str, dict[str, str]]


def assert_exists(metric: Metric, template: Template) -> None:
    """Assert that CloudWatch will have the metric: AWS documents it, and its dimension names a resource. Or a metric
    filter of the template writes it."""
    namespace, name, dimensions = metric
    if namespace == "ScalableWebhook":
        assert (name, frozenset(dimensions)) in set(filtered(template)), f"no metric filter writes {name}"
        return
    names, keys = DOCUMENTED[namespace]
    assert name in names, f"{namespace} has no {name}"
    (key,) = dimensions
    assert key in keys
    assert (key == "EventSourceMappingUUID") == (name in OF_A_MAPPING)
    of = {"QueueName": "AWS::SQS::Queue", "FunctionName": "AWS::Lambda::Function"}
    resources = template.to_json()["Resources"]
    if key == "ApiName":
        named = [
            each["Properties"]["Name"] for each in resources.values() if each["Type"] == "AWS::ApiGateway::RestApi"
        ]
        assert dimensions[key] in named
    elif key in of:
        assert resources[dimensions[key]]["Type"] == of[key]


def filtered(template: Template) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the metrics that metric filters write, with the names of their dimensions."""
    for each in template.find_resources("AWS::Logs::MetricFilter").values():
        for made in each["Properties"]["MetricTransformations"]:
            assert made["MetricNamespace"] == "ScalableWebhook"
            yield made["MetricName"], frozenset(one["Key"] for one in made.get("Dimensions", []))


def of_alarm(properties: Mapping[str, Any]) -> Metric:
    """Return the metric of an alarm, with the logical id in place of a reference."""
    dimensions = {each["Name"]: referred(each["Value"]) for each in properties.get("Dimensions", [])}
    return properties["Namespace"], properties["MetricName"], dimensions


def body_of(template: Template) -> dict[str, Any]:
    """Return the body of the dashboard, with logical ids in place of references."""
    (dashboard,) = template.find_resources("AWS::CloudWatch::Dashboard").values()
    join = dashboard["Properties"]["DashboardBody"]["Fn::Join"]
    body: dict[str, Any] = json.loads(join[0].join(referred(part) for part in join[1]))
    return body


def referred(value: Any) -> str:
    """Return a text, or the logical id of the resource to which a value refers."""
    match value:
        case str():
            return value
        case {"Ref": str(id)} | {"Fn::GetAtt": [str(id), _]}:
            return str(id)
    raise AssertionError(f"neither a text nor a reference: {value}")
