"""A function URL in the template: no API, both permissions, and the concurrency that bounds it."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from cdk_scalable_webhook import (
    GroupBy,
    Ingress,
    IngressConfig,
    IngressOptions,
    QueueOptions,
    ScalableWebhook,
    Source,
)


def webhook(stack: Stack, ingress: Ingress | None = None, **arguments: Any) -> ScalableWebhook:
    source = Source.github(secretsmanager.Secret(stack, "GitHub"))
    return ScalableWebhook(stack, "Webhook", source=source, ingress=ingress or Ingress.function_url(), **arguments)


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def test_there_is_no_api_and_both_permissions_are_there(stack: Stack) -> None:
    made = webhook(stack)
    template = Template.from_stack(stack)
    assert [each["Type"] for each in template.to_json()["Resources"].values() if "ApiGateway" in each["Type"]] == []
    template.has_resource_properties("AWS::Lambda::Url", {"AuthType": "NONE", "Cors": Match.absent()})
    # https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    for permission in (
        {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
        {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
    ):
        template.has_resource_properties("AWS::Lambda::Permission", {"Principal": "*", **permission})
    template.resource_count_is("AWS::Lambda::Permission", 2)
    assert made.publisher is not None
    assert (made.api_key, made.usage_plan, made.web_acl) == (None, None, None)


def test_each_endpoint_has_a_url_of_its_own_with_its_path(stack: Stack) -> None:
    made = webhook(stack, path="/github")
    added = made.add_source("/stripe/in", Source.stripe(secretsmanager.Secret(stack, "Stripe")))
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Lambda::Url", 2)
    urls = {str(made.url): "/github", added: "/stripe/in"}
    hosts = set()
    for url, path in urls.items():
        _, (scheme, host, end) = stack.resolve(url)["Fn::Join"]
        assert (scheme, end) == ("https://", path)
        hosts.add(str(host))
    assert len(hosts) == 2
    outputs = template.find_outputs("*", {"Description": Match.string_like_regexp("^Webhook URL of ")})
    assert [each["Value"] for each in outputs.values()] == [stack.resolve(url) for url in urls]
    mounts = [
        function["Properties"]["Environment"]["Variables"]["WEBHOOK_MOUNT"]
        for id, function in template.find_resources("AWS::Lambda::Function").items()
        if "Publisher" in id
    ]
    assert mounts == list(urls.values())
    assert set(made.publishers) == set(urls.values())


@pytest.mark.parametrize(
    ("ingress", "queue", "expected"),
    [
        (Ingress.function_url(), {}, 100),
        (Ingress.function_url(), {"ordered": True}, 30),
        (Ingress.function_url(), {"ordered": GroupBy.mount()}, 30),
        (Ingress.function_url(), {"ordered": GroupBy.header("X-Shop")}, 100),
        (Ingress.function_url(reserved_concurrency=7), {"ordered": True}, 7),
        (Ingress.function_url(reserved_concurrency=False), {}, None),
    ],
)
def test_the_reserved_concurrency_bounds_it(
    ingress: Ingress, queue: dict[str, Any], expected: int | None, stack: Stack
) -> None:
    webhook(stack, ingress, queue=QueueOptions(**queue))
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "webhook_runtime.handlers.publisher",
            "ReservedConcurrentExecutions": Match.absent() if expected is None else expected,
        },
    )


def test_filters_large_payloads_and_verification_are_done_by_the_publisher(stack: Stack) -> None:
    made = webhook(stack, event_filters=[{"body": {"action": ["opened"]}}], large_payloads=True)
    variables = Template.from_stack(stack).find_resources("AWS::Lambda::Function")
    (publisher,) = [each for id, each in variables.items() if "Publisher" in id]
    told = publisher["Properties"]["Environment"]["Variables"]
    assert {"WEBHOOK_EVENT_FILTERS", "WEBHOOK_PAYLOAD_BUCKET", "WEBHOOK_SOURCES"} <= told.keys()
    assert made.unverified_queue is None


def test_alarms_and_dashboard_watch_each_url(stack: Stack) -> None:
    made = webhook(stack)
    made.add_source("/stripe", Source.stripe(secretsmanager.Secret(stack, "Stripe")))
    alarms = made.add_alarms()
    made.add_dashboard()
    assert {"NotAccepted", "NotAccepted stripe", "Rejected", "Rejected stripe"} <= alarms.keys()
    template = Template.from_stack(stack)
    for metric in ("Url5xxCount", "Url4xxCount"):
        found = template.find_resources("AWS::CloudWatch::Alarm", {"Properties": {"MetricName": metric}})
        functions = [str(each["Properties"]["Dimensions"]) for each in found.values()]
        assert len(set(functions)) == 2
    (dashboard,) = template.find_resources("AWS::CloudWatch::Dashboard").values()
    body = str(dashboard["Properties"]["DashboardBody"])
    for metric in ("UrlRequestCount", "Url4xxCount", "Url5xxCount", "UrlRequestLatency", "requests at /stripe"):
        assert metric in body
    assert "ApiGateway" not in body


class Bridge(Ingress):
    """An ingress of a user, whose address is made elsewhere."""

    def bind(self, scope: Construct, options: IngressOptions) -> IngressConfig:
        return IngressConfig(url=f"https://hooks.example.com{options.mount}")


def test_an_ingress_of_your_own_may_have_an_address_of_its_own(stack: Stack) -> None:
    made = ScalableWebhook(stack, "Webhook", ingress=Bridge(), path="/in")
    assert made.url == "https://hooks.example.com/in"
    # AWS counts none of its requests.
    assert "NotAccepted" not in made.add_alarms()
    made.add_dashboard()
    template = Template.from_stack(stack)
    template.has_output("*", {"Value": "https://hooks.example.com/in"})
    template.resource_count_is("AWS::ApiGateway::RestApi", 0)
    (dashboard,) = template.find_resources("AWS::CloudWatch::Dashboard").values()
    body = str(dashboard["Properties"]["DashboardBody"])
    assert "Queue: webhooks" in body
    assert "Endpoint: " not in body
    # Nothing is known of who may call it.
    Annotations.from_stack(stack).has_warning("/Stack/Webhook", Match.string_like_regexp("source should name"))
