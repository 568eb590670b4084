"""Unusual stacks: precreated roles, Aspects, property injectors, nested stacks, full stacks and stacks that move."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsii
import pytest
from aws_cdk import (
    App,
    Aspects,
    CfnResource,
    Duration,
    Environment,
    IAspect,
    IPropertyInjector,
    NestedStack,
    PropertyInjectors,
    RemovalPolicies,
    Stack,
    Stage,
)
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template
from constructs import Construct, IConstruct

from cdk_scalable_webhook import ApiOptions, CircuitBreaker, Ingress, ScalableWebhook, Sink, Source

from .grouped import grouped
from .policies import listed

ENV = Environment(account="1" * 12, region="eu-west-1")


def secret(stack: Construct) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "Stripe", "stripe")


# These arguments together create most kinds of resources.
EVERYTHING: dict[str, Callable[[Construct], Mapping[str, Any]]] = {
    "default": lambda scope: {},
    "no publisher": lambda scope: {"ingress": Ingress.direct_integration(), "source": Source.stripe(secret(scope))},
    "many options": lambda scope: {
        "source": Source.stripe(secret(scope)),
        "large_payloads": True,
        "encryption_key": kms.Key(scope, "Key"),
        "tracing": lambda_.Tracing.ACTIVE,
        "event_filters": [{"body": {"type": ["paid"]}}],
        "api_key": True,
        "web_acl": True,
        "cors": apigateway.CorsOptions(allow_origins=["https://shop.example.com"]),
        "sink": Sink.http("https://example.com", vpc=ec2.Vpc(scope, "Vpc", nat_gateways=1)),
    },
}


@pytest.mark.parametrize("arguments", EVERYTHING.values(), ids=list(EVERYTHING))
@pytest.mark.parametrize("precreated", [True, False], ids=["precreated", "not created yet"])
def test_precreated_roles_replace_the_roles_of_the_template(
    arguments: Callable[[Construct], Mapping[str, Any]], *, precreated: bool
) -> None:
    """https://docs.aws.amazon.com/cdk/v2/guide/define-iam-l2.html#define-iam-l2-roles"""
    app = App()
    ids = ("PublisherRole", "Default/ConsumerRole", "IngressRole")
    roles = {f"Stack/Webhook/{id}": f"precreated-{id.rpartition('/')[2]}" for id in ids} | {
        "Stack/ScalableWebhook Logs/Role": "precreated-logs"
    }
    if precreated:
        iam.Role.customize_roles(app, use_precreated_roles=roles)
    else:
        iam.Role.customize_roles(app)
    stack = Stack(app, "Stack", env=ENV)
    ScalableWebhook(stack, "Webhook", **grouped(arguments(stack)))
    template = app.synth().get_stack_by_name("Stack").template
    assert not [each for each in template["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert ("precreated-ConsumerRole" in json.dumps(template)) == precreated


LAYER = "arn:aws:lambda:eu-west-1:111111111111:layer:agent:1"
BOUNDARY = "arn:aws:iam::111111111111:policy/boundary"
KEY_OF_LOGS = "arn:aws:kms:eu-west-1:111111111111:key/company"


@jsii.implements(IAspect)
class Company:
    """Change every stack as a company's platform team does."""

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, lambda_.CfnFunction):
            node.runtime = "python3.13"
            node.add_property_override("Layers", [LAYER])
        if isinstance(node, iam.CfnRole):
            node.permissions_boundary = BOUNDARY
            node.add_property_override("RoleName", f"company-{node.node.addr[:8]}")
        if isinstance(node, logs.CfnLogGroup):
            node.kms_key_id = KEY_OF_LOGS
        if isinstance(node, CfnResource) and node.cfn_resource_type == "AWS::ApiGateway::Account":
            assert node.node.scope
            node.node.scope.node.try_remove_child(node.node.id)  # the company sets it elsewhere


@pytest.mark.parametrize("arguments", EVERYTHING.values(), ids=list(EVERYTHING))
def test_an_aspect_may_change_any_resource(arguments: Callable[[Construct], Mapping[str, Any]]) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    ScalableWebhook(stack, "Webhook", **grouped(arguments(stack)))
    Aspects.of(stack).add(Company())
    RemovalPolicies.of(stack).destroy()
    template = Template.from_stack(stack)
    template.all_resources_properties("AWS::Lambda::Function", {"Runtime": "python3.13", "Layers": [LAYER]})
    template.all_resources_properties("AWS::IAM::Role", {"PermissionsBoundary": BOUNDARY})
    template.all_resources_properties("AWS::Logs::LogGroup", {"KmsKeyId": KEY_OF_LOGS})
    template.resource_count_is("AWS::ApiGateway::Account", 0)


@jsii.implements(IPropertyInjector)
class CompanyQueues:
    """Set a company's properties for every queue."""

    @property
    def construct_unique_id(self) -> str:
        return str(sqs.Queue.PROPERTY_INJECTION_ID)

    def inject(self, original_props: Any, *, id: str, scope: Construct) -> Any:
        return {**original_props, "enforceSSL": True, "removalPolicy": "retain"}


def test_a_property_injector_may_change_every_queue() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    PropertyInjectors.of(stack).add(CompanyQueues())
    ScalableWebhook(stack, "Webhook")
    Template.from_stack(stack).all_resources("AWS::SQS::Queue", {"DeletionPolicy": "Retain"})


def accounts(app: App) -> dict[str, int]:
    """Return how often each stack and each nested stack sets the role of the account."""
    found = {}
    for each in app.node.find_all():
        if isinstance(each, Stack):
            in_template = [
                child
                for child in each.node.find_all()
                if isinstance(child, apigateway.CfnAccount) and Stack.of(child) is each
            ]
            found[each.node.path] = len(in_template)
    return found


def test_a_stack_and_its_nested_stacks_share_one_role_for_logs() -> None:
    app = App()
    stack = Stack(app, "Stack", env=ENV)
    nested = [NestedStack(stack, f"Nested{each}") for each in range(3)]
    for each in nested:
        ScalableWebhook(each, "Webhook")
    inner = NestedStack(nested[0], "Inner")
    ScalableWebhook(inner, "Webhook")
    assert accounts(app) == {"Stack": 1} | {each.node.path: 0 for each in [*nested, inner]}

    template = app.synth().get_stack_by_name("Stack").template["Resources"]
    (account,) = [id for id, each in template.items() if each["Type"] == "AWS::ApiGateway::Account"]
    waiting = {id: each["DependsOn"] for id, each in template.items() if each["Type"] == "AWS::CloudFormation::Stack"}
    assert len(waiting) == 3
    assert all(account in listed(waits) for waits in waiting.values())
    # An account without any API needs another resource of API Gateway first.
    (before,) = listed(template[account]["DependsOn"])
    assert template[before]["Type"] == "AWS::ApiGateway::ApiKey"
    assert template[before]["Properties"]["Enabled"] is False


def test_the_construct_uses_the_role_for_logs_of_an_existing_api() -> None:
    app = App()
    stack = Stack(app, "Stack", env=ENV)
    apigateway.RestApi(stack, "Theirs", cloud_watch_role=True).root.add_method("GET")
    ScalableWebhook(stack, "Webhook")
    assert accounts(app) == {"Stack": 1}
    stage = {"DependsOn": Match.array_with([Match.string_like_regexp("^TheirsAccount")])}
    Template.from_stack(stack).has_resource("AWS::ApiGateway::Stage", stage)


def test_a_later_api_sets_its_role_for_logs_after_the_construct() -> None:
    app = App()
    stack = Stack(app, "Stack", env=ENV)
    ScalableWebhook(stack, "Webhook")
    apigateway.RestApi(stack, "Theirs", cloud_watch_role=True).root.add_method("GET")
    theirs = {"DependsOn": Match.array_with([Match.string_like_regexp("^ScalableWebhookLogsAccount")])}
    Template.from_stack(stack).has_resource("AWS::ApiGateway::Account", theirs)


def test_a_stack_with_too_many_resources_is_rejected_with_a_remedy() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    for each in range(24):
        ScalableWebhook(stack, f"Webhook{each}")
    with pytest.raises(RuntimeError) as error:
        Template.from_stack(stack)
    message = str(error.value)
    assert "stack must have 500 resources at most, which is CloudFormation's limit, got " in message
    assert "in Stack, 528 of them of 24 ScalableWebhooks; put a ScalableWebhook into another stack" in message


def test_thirty_endpoints_of_one_webhook_fit_into_a_stack() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    webhook = ScalableWebhook(stack, "Webhook", source=Source.stripe(secret(stack)))
    for each in range(30):
        webhook.add_source(f"/sources/{each}", Source.stripe(secret(Construct(stack, f"Of{each}"))))
    template = Template.from_stack(stack).to_json()["Resources"]
    assert len(template) <= 500
    assert len(template) <= 25 + 30 * 10 + 1


def test_a_stack_without_a_resource_limit_may_have_more_than_500_resources() -> None:
    stack = Stack(App(context={"@aws-cdk/core:stackResourceLimit": 0}), "Stack", env=ENV)
    for each in range(24):
        ScalableWebhook(stack, f"Webhook{each}")
    assert len(Template.from_stack(stack).to_json()["Resources"]) > 500


def test_a_stack_that_moves_into_a_stage_keeps_the_resources_that_must_be_unique() -> None:
    """A usage plan accepts a key once, and CloudFormation creates the new resource before it deletes the old one."""

    def of(scope: Construct) -> set[str]:
        stack = Stack(scope, "Stack", env=ENV, stack_name="Orders")
        ScalableWebhook(stack, "Webhook", api=ApiOptions(api_key=True), source=Source.stripe(secret(stack)))
        stage = Stage.of(stack)
        assert stage
        (assembly,) = stage.synth().stacks
        return {f"{each['Type']} {id}" for id, each in assembly.template["Resources"].items()}

    before, after = of(App()), of(Stage(App(), "Prod"))
    moved = {each.partition(" ")[0] for each in before ^ after}
    # A function accepts a permission twice, and any change creates a new deployment.
    assert moved <= {"AWS::ApiGateway::Deployment", "AWS::Lambda::Permission"}


def test_webhooks_of_two_stages_may_use_queues_of_the_same_name() -> None:
    """The same name means another queue in another account."""
    app = App()
    for name, account in (("Beta", "1" * 12), ("Prod", "2" * 12)):
        stack = Stack(Stage(app, name, env=Environment(account=account, region="eu-west-1")), "Stack")
        arn = stack.format_arn(service="sqs", resource="orders")
        ScalableWebhook(stack, "Webhook", queue=sqs.Queue.from_queue_arn(stack, "Queue", arn))
    agnostic = App()
    for name in ("Beta", "Prod"):
        stack = Stack(agnostic, name)
        arn = stack.format_arn(service="sqs", resource="orders")
        ScalableWebhook(stack, "Webhook", queue=sqs.Queue.from_queue_arn(stack, "Queue", arn))
    assert app.synth()
    assert agnostic.synth()


def test_the_app_has_access_to_each_publisher() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    webhook = ScalableWebhook(stack, "Webhook", source=Source.stripe(secret(stack)))
    webhook.add_source("/github", Source.github(secret(Construct(stack, "Of"))))
    webhook.add_source(
        "/okta", Source.okta(secret(Construct(stack, "Too"))), ingress=Ingress.direct_integration(binary=True)
    )
    assert webhook.publisher is not None
    webhook.publisher.add_environment("TEAM", "orders")
    assert webhook.publishers.keys() == {"/", "/github"}
    variables = {"Environment": {"Variables": Match.object_like({"TEAM": "orders"})}}
    Template.from_stack(stack).resource_properties_count_is("AWS::Lambda::Function", variables, 1)
    assert ScalableWebhook(stack, "Direct", ingress=Ingress.direct_integration()).publisher is None


def test_grant_invoke_works_with_an_api_that_uses_iam_authorization_by_default() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    options = apigateway.MethodOptions(authorization_type=apigateway.AuthorizationType.IAM)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], default_method_options=options)
    webhook = ScalableWebhook(stack, "Webhook", api=api, path="/hooks")
    user = iam.User(stack, "Client")
    webhook.grant_invoke(user)
    allowed = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": Match.any_value()}
    policy = {"PolicyDocument": {"Statement": Match.array_with([allowed])}}
    Template.from_stack(stack).has_resource_properties("AWS::IAM::Policy", policy)


def test_the_url_of_an_api_with_neither_endpoint_nor_domain_is_rejected() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], disable_execute_api_endpoint=True)
    webhook = ScalableWebhook(stack, "Webhook", api=api, path="/hooks")
    outputs = Template.from_stack(stack).find_outputs("*").values()
    # The API has one of its own, without a description.
    described = [output["Description"] for output in outputs if "Description" in output]
    assert described == ["Event source mapping of Stack/Webhook"]
    with pytest.raises(RuntimeError, match="url needs a domain that api knows if its execute-api endpoint is disabled"):
        stack.resolve(webhook.url)


def test_the_dummy_of_a_pending_parameter_lookup_is_accepted() -> None:
    """The CDK synthesises with a dummy, looks the value up, and synthesises again."""
    from aws_cdk import aws_ssm as ssm

    stack = Stack(App(), "Stack", env=ENV)

    def pending(name: str) -> str:
        found: str = ssm.StringParameter.value_from_lookup(stack, f"/orders/{name}")
        assert found.startswith("dummy-value-for-")
        return found

    ScalableWebhook(
        stack,
        "Webhook",
        path=pending("path"),
        api=ApiOptions(allowed_ip_ranges=[pending("ranges")]),
        delivery_id_header=pending("header"),
        sink=Sink.http(pending("url"), timeout=Duration.seconds(5)),
    )
    database = Sink.postgres(
        host=pending("host"), database_name=pending("name"), table_name=pending("table"), secret=secret(stack)
    )
    ScalableWebhook(stack, "Database", sink=database)
    hmac = Source.hmac(secret(Construct(stack, "Hmac")), header=pending("signature"))
    ScalableWebhook(stack, "Hmac2", source=hmac)
    assert Template.from_stack(stack)


def test_a_list_known_only_at_deployment_remains_a_list() -> None:
    from aws_cdk import CfnParameter

    stack = Stack(App(), "Stack", env=ENV)
    ranges = CfnParameter(stack, "Ranges", type="CommaDelimitedList").value_as_list
    ScalableWebhook(stack, "Webhook", api=ApiOptions(allowed_ip_ranges=ranges))
    template = json.dumps(Template.from_stack(stack).find_resources("AWS::ApiGateway::RestApi"))
    assert '"aws:SourceIp": {"Ref": "Ranges"}' in template


DOCUMENTED = re.search(
    r"a webhook takes (\d+), with a direct integration (\d+)\. A \[circuit breaker\]\([^)]+\) takes (\d+) more\. "
    r"The first of a stack takes (\d+) more\. "
    r"A further endpoint of `add_source\(\)` takes (\d+), a direct one (\d+), "
    r"and the first of these with a source (\d+) more\. "
    r"`add_alarms\(\)` takes (\d+), and `add_dashboard\(\)` (\d+), with a circuit breaker",
    (Path(__file__).parents[2] / "docs" / "limits-and-costs.md").read_text(),
)


def test_the_documented_number_of_resources_of_a_webhook_is_right() -> None:
    def size(
        webhooks: int, endpoints: int, ingress: Callable[[], Ingress], watched: Sequence[str] = (), **arguments: Any
    ) -> int:
        stack = Stack(App(), "Stack", env=ENV)
        for each in range(webhooks):
            webhook = ScalableWebhook(stack, f"Webhook{each}", ingress=ingress(), **arguments)
        for each in range(endpoints):
            webhook.add_source(f"/{each}", Source.stripe(secret(Construct(stack, f"Of{each}"))))
        for method in watched:
            getattr(webhook, method)()
        return len(Template.from_stack(stack).to_json()["Resources"])

    lambda_integration, direct = Ingress.lambda_integration, Ingress.direct_integration
    assert DOCUMENTED
    told = map(int, DOCUMENTED.groups())
    webhook, webhook_direct, breaker, once, endpoint, endpoint_direct, verified, alarms, dashboard = told
    assert size(2, 0, lambda_integration) - size(1, 0, lambda_integration) == webhook
    assert size(1, 0, lambda_integration) == webhook + once
    assert size(1, 0, direct, breaker=CircuitBreaker()) - size(1, 0, direct) == breaker
    assert size(2, 0, direct) - size(1, 0, direct) == webhook_direct
    assert size(1, 2, lambda_integration) - size(1, 1, lambda_integration) == endpoint
    assert size(1, 2, direct) - size(1, 1, direct) == endpoint_direct
    assert size(1, 1, direct) - size(1, 0, direct) == endpoint_direct + verified
    guarded = size(1, 0, direct, breaker=CircuitBreaker())
    assert size(1, 0, direct, ["add_alarms"], breaker=CircuitBreaker()) - guarded == alarms
    assert size(1, 0, direct, ["add_dashboard"], breaker=CircuitBreaker()) - guarded == dashboard


LATER: dict[str, Callable[[apigateway.IResource], object]] = {
    "path must be free in api, got '/hooks', which has POST already": lambda hooks: hooks.add_method(
        "POST", apigateway.MockIntegration()
    ),
    "path must have no variable below it in api, got '/hooks', which has /hooks/{tenant}": lambda hooks: (
        hooks.add_resource("{tenant}").add_method("GET", apigateway.MockIntegration())
    ),
}


@pytest.mark.parametrize("message", LATER)
def test_a_method_or_variable_that_is_added_to_an_endpoint_later_is_rejected(message: str) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"])
    ScalableWebhook(stack, "Webhook", api=api, path="/hooks")
    hooks = api.root.get_resource("hooks")
    assert hooks
    assert hooks.add_resource("health").add_method("GET", apigateway.MockIntegration())
    LATER[message](hooks)
    with pytest.raises(RuntimeError, match=re.escape(message)):
        Template.from_stack(stack)


@pytest.mark.parametrize("cached", ["/other/GET", "/hooks2/GET", "/hooks/health/GET"])
def test_a_cache_for_another_path_is_accepted(cached: str) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    options = {cached: apigateway.MethodDeploymentOptions(caching_enabled=True)}
    stage = apigateway.StageOptions(method_options=options)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], deploy_options=stage)
    api.root.resource_for_path(cached.removesuffix("/GET")).add_method("GET", apigateway.MockIntegration())
    ScalableWebhook(stack, "Webhook", api=api, path="/hooks")
    assert Template.from_stack(stack)


@pytest.mark.parametrize("cached", ["/hooks/*", "/hooks/{proxy+}/*"])
def test_a_cache_for_an_endpoint_is_rejected(cached: str) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    options = {cached: apigateway.MethodDeploymentOptions(caching_enabled=True)}
    stage = apigateway.StageOptions(method_options=options)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], deploy_options=stage)
    with pytest.raises(ValueError, match="api must not answer an endpoint from a cache"):
        ScalableWebhook(stack, "Webhook", api=api, path="/hooks")


@pytest.mark.parametrize("name", ["orders", "other"])
def test_a_redrive_allow_policy_may_name_the_queue_by_its_arn(name: str) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    named = sqs.Queue.from_queue_arn(stack, "Named", f"arn:aws:sqs:eu-west-1:111111111111:{name}")
    allow = sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.BY_QUEUE, source_queues=[named])
    dead_letter_queue = sqs.Queue(
        stack, "DeadLetterQueue", retention_period=Duration.days(14), redrive_allow_policy=allow
    )
    policy = sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=5)
    visible = Duration.minutes(3)
    queue = sqs.Queue(stack, "Queue", queue_name="orders", visibility_timeout=visible, dead_letter_queue=policy)
    if name == "other":
        with pytest.raises(ValueError, match="must allow the queue, got one that allows 1 others"):
            ScalableWebhook(stack, "Webhook", queue=queue)
        return
    ScalableWebhook(stack, "Webhook", queue=queue)
    assert Template.from_stack(stack)
