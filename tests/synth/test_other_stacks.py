"""Stacks of other people: roles that are made elsewhere, what an Aspect or an injector changes, nesting, a stack that
is full, a stack that moves."""

import json
import re
from collections.abc import Callable, Mapping
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

from cdk_scalable_webhook import ApiOptions, Ingress, ScalableWebhook, Sink, Source

from .grouped import grouped
from .policies import listed

ENV = Environment(account="1" * 12, region="eu-west-1")


def secret(stack: Construct) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "Stripe", "stripe")


# What makes most of what has a child that somebody could look for.
EVERYTHING: dict[str, Callable[[Construct], Mapping[str, Any]]] = {
    "the default": lambda scope: {},
    "no publisher": lambda scope: {"ingress": Ingress.direct_integration(), "source": Source.stripe(secret(scope))},
    "the rest": lambda scope: {
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
@pytest.mark.parametrize("are_there", [True, False], ids=["there already", "not there yet"])
def test_roles_that_are_made_elsewhere(arguments: Callable[[Construct], Mapping[str, Any]], *, are_there: bool) -> None:
    """https://docs.aws.amazon.com/cdk/v2/guide/define-iam-l2.html#define-iam-l2-roles"""
    app = App()
    ids = ("PublisherRole", "Default/ConsumerRole", "IngressRole")
    roles = {f"Stack/Webhook/{id}": f"made-elsewhere-{id.rpartition('/')[2]}" for id in ids} | {
        "Stack/ScalableWebhook Logs/Role": "made-elsewhere-logs"
    }
    if are_there:
        iam.Role.customize_roles(app, use_precreated_roles=roles)
    else:
        iam.Role.customize_roles(app)
    stack = Stack(app, "Stack", env=ENV)
    ScalableWebhook(stack, "Webhook", **grouped(arguments(stack)))
    template = app.synth().get_stack_by_name("Stack").template
    assert not [each for each in template["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert ("made-elsewhere-ConsumerRole" in json.dumps(template)) == are_there


@jsii.implements(IAspect)
class Company:
    """What a company's platform team does to every stack."""

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, lambda_.CfnFunction):
            node.runtime = "python3.13"
            node.add_property_override("Layers", ["arn:aws:lambda:eu-west-1:111111111111:layer:agent:1"])
        if isinstance(node, iam.CfnRole):
            node.permissions_boundary = "arn:aws:iam::111111111111:policy/boundary"
            node.add_property_override("RoleName", f"company-{node.node.addr[:8]}")
        if isinstance(node, logs.CfnLogGroup):
            node.kms_key_id = "arn:aws:kms:eu-west-1:111111111111:key/company"
        if isinstance(node, CfnResource) and node.cfn_resource_type == "AWS::ApiGateway::Account":
            assert node.node.scope
            node.node.scope.node.try_remove_child(node.node.id)  # the company has set it


@pytest.mark.parametrize("arguments", EVERYTHING.values(), ids=list(EVERYTHING))
def test_an_aspect_changes_what_it_likes(arguments: Callable[[Construct], Mapping[str, Any]]) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    webhook = ScalableWebhook(stack, "Webhook", **grouped(arguments(stack)))
    Aspects.of(stack).add(Company())
    RemovalPolicies.of(stack).destroy()
    template = Template.from_stack(stack)
    template.all_resources_properties("AWS::Lambda::Function", {"Runtime": "python3.13"})
    template.resource_count_is("AWS::ApiGateway::Account", 0)
    assert webhook.url


@jsii.implements(IPropertyInjector)
class Own:
    """Properties that a company sets for every queue."""

    @property
    def construct_unique_id(self) -> str:
        return str(sqs.Queue.PROPERTY_INJECTION_ID)

    def inject(self, original_props: Any, *, id: str, scope: Construct) -> Any:
        return {**original_props, "enforceSSL": True, "removalPolicy": "retain"}


def test_an_injector_changes_what_it_likes() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    PropertyInjectors.of(stack).add(Own())
    ScalableWebhook(stack, "Webhook")
    Template.from_stack(stack).all_resources("AWS::SQS::Queue", {"DeletionPolicy": "Retain"})


def accounts(app: App) -> dict[str, int]:
    """How often each stack and each template that is nested in one sets the account's role."""
    found = {}
    for each in app.node.find_all():
        if isinstance(each, Stack):
            is_account = [
                child
                for child in each.node.find_all()
                if isinstance(child, apigateway.CfnAccount) and Stack.of(child) is each
            ]
            found[each.node.path] = len(is_account)
    return found


def test_one_role_for_logs_of_a_stack_and_what_is_nested_in_it() -> None:
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
    # An account that never had an API needs something of API Gateway's before it.
    (before,) = listed(template[account]["DependsOn"])
    assert template[before]["Type"] == "AWS::ApiGateway::ApiKey"
    assert template[before]["Properties"]["Enabled"] is False


def test_an_api_of_the_users_that_has_set_the_role_is_enough() -> None:
    app = App()
    stack = Stack(app, "Stack", env=ENV)
    apigateway.RestApi(stack, "Theirs", cloud_watch_role=True).root.add_method("GET")
    ScalableWebhook(stack, "Webhook")
    assert accounts(app) == {"Stack": 1}
    stage = {"DependsOn": Match.array_with([Match.string_like_regexp("^TheirsAccount")])}
    Template.from_stack(stack).has_resource("AWS::ApiGateway::Stage", stage)


def test_an_api_that_sets_the_role_after_ours_waits_for_it() -> None:
    app = App()
    stack = Stack(app, "Stack", env=ENV)
    ScalableWebhook(stack, "Webhook")
    apigateway.RestApi(stack, "Theirs", cloud_watch_role=True).root.add_method("GET")
    theirs = {"DependsOn": Match.array_with([Match.string_like_regexp("^ScalableWebhookLogsAccount")])}
    Template.from_stack(stack).has_resource("AWS::ApiGateway::Account", theirs)


def test_a_stack_that_is_full_says_so_in_our_words() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    for each in range(24):
        ScalableWebhook(stack, f"Webhook{each}")
    with pytest.raises(RuntimeError) as refusal:
        Template.from_stack(stack)
    said = str(refusal.value)
    assert "stack must have 500 resources at most, which is CloudFormation's limit, got " in said
    assert "in Stack, 528 of them of 24 ScalableWebhooks; put a ScalableWebhook into another stack" in said


def test_endpoints_of_one_webhook_fit_in_where_webhooks_do_not() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    webhook = ScalableWebhook(stack, "Webhook", source=Source.stripe(secret(stack)))
    for each in range(30):
        webhook.add_source(f"/sources/{each}", Source.stripe(secret(Construct(stack, f"Of{each}"))))
    template = Template.from_stack(stack).to_json()["Resources"]
    assert len(template) <= 500
    assert len(template) <= 25 + 30 * 10 + 1


def test_a_limit_that_was_taken_off_is_none_of_ours() -> None:
    stack = Stack(App(context={"@aws-cdk/core:stackResourceLimit": 0}), "Stack", env=ENV)
    for each in range(24):
        ScalableWebhook(stack, f"Webhook{each}")
    assert len(Template.from_stack(stack).to_json()["Resources"]) > 500


def test_a_stack_that_moves_into_a_stage_keeps_what_aws_takes_once() -> None:
    """API Gateway has a key in a plan once: a second name of the pair would be made before the first goes."""

    def of(scope: Construct) -> set[str]:
        stack = Stack(scope, "Stack", env=ENV, stack_name="Orders")
        ScalableWebhook(stack, "Webhook", api=ApiOptions(api_key=True), source=Source.stripe(secret(stack)))
        stage = Stage.of(stack)
        assert stage
        (assembly,) = stage.synth().stacks
        return {f"{each['Type']} {id}" for id, each in assembly.template["Resources"].items()}

    before, after = of(App()), of(Stage(App(), "Prod"))
    moved = {each.partition(" ")[0] for each in before ^ after}
    # A function takes a permission twice, and a deployment is made anew at any change.
    assert moved <= {"AWS::ApiGateway::Deployment", "AWS::Lambda::Permission"}


def test_two_webhooks_of_one_stage_and_of_another() -> None:
    """The same queue is another in another account."""
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


def test_a_function_of_the_users_gets_at_the_publisher() -> None:
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


def test_who_is_asked_by_the_api_itself_may_be_let_in() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    asked = apigateway.MethodOptions(authorization_type=apigateway.AuthorizationType.IAM)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], default_method_options=asked)
    webhook = ScalableWebhook(stack, "Webhook", api=api, path="/hooks")
    user = iam.User(stack, "Sender")
    webhook.grant_invoke(user)
    allowed = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": Match.any_value()}
    policy = {"PolicyDocument": {"Statement": Match.array_with([allowed])}}
    Template.from_stack(stack).has_resource_properties("AWS::IAM::Policy", policy)


def test_a_closed_api_has_the_url_of_a_domain_that_comes_later_or_says_so() -> None:
    stack = Stack(App(), "Stack", env=ENV)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], disable_execute_api_endpoint=True)
    webhook = ScalableWebhook(stack, "Webhook", api=api, path="/hooks")
    assert not Template.from_stack(stack).find_outputs("Webhook*")
    with pytest.raises(RuntimeError, match="url needs a domain that api knows if its execute-api endpoint is disabled"):
        stack.resolve(webhook.url)


def test_a_lookup_of_a_parameter_that_is_not_there_yet_refuses_nothing() -> None:
    """The CDK synthesises with a dummy, looks up, and synthesises anew."""
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


def test_a_list_that_only_deployment_knows_is_a_list() -> None:
    from aws_cdk import CfnParameter

    stack = Stack(App(), "Stack", env=ENV)
    ranges = CfnParameter(stack, "Ranges", type="CommaDelimitedList").value_as_list
    ScalableWebhook(stack, "Webhook", api=ApiOptions(allowed_ip_ranges=ranges))
    template = json.dumps(Template.from_stack(stack).find_resources("AWS::ApiGateway::RestApi"))
    assert '"aws:SourceIp": {"Ref": "Ranges"}' in template


DOCUMENTED = re.search(
    r"a webhook takes (\d+), with a direct ingress (\d+)\. The first of a stack takes (\d+) more\. A further endpoint "
    r"of `add_source\(\)` takes (\d+), a direct one (\d+), and the first of these with a source (\d+) more",
    (Path(__file__).parents[2] / "docs" / "limits-and-costs.md").read_text(),
)


def test_the_documentation_knows_how_many_resources_a_webhook_takes() -> None:
    def size(webhooks: int, endpoints: int, ingress: Callable[[], Ingress]) -> int:
        stack = Stack(App(), "Stack", env=ENV)
        for each in range(webhooks):
            webhook = ScalableWebhook(stack, f"Webhook{each}", ingress=ingress())
        for each in range(endpoints):
            webhook.add_source(f"/{each}", Source.stripe(secret(Construct(stack, f"Of{each}"))))
        return len(Template.from_stack(stack).to_json()["Resources"])

    by_function, direct = Ingress.lambda_integration, Ingress.direct_integration
    assert DOCUMENTED
    webhook, webhook_direct, once, endpoint, endpoint_direct, verified = map(int, DOCUMENTED.groups())
    assert size(2, 0, by_function) - size(1, 0, by_function) == webhook
    assert size(1, 0, by_function) == webhook + once
    assert size(2, 0, direct) - size(1, 0, direct) == webhook_direct
    assert size(1, 2, by_function) - size(1, 1, by_function) == endpoint
    assert size(1, 2, direct) - size(1, 1, direct) == endpoint_direct
    assert size(1, 1, direct) - size(1, 0, direct) == endpoint_direct + verified


LATER: dict[str, Callable[[apigateway.IResource], object]] = {
    "path must be free in api, got '/hooks', which has POST already": lambda hooks: hooks.add_method(
        "POST", apigateway.MockIntegration()
    ),
    "path must have no variable below it in api, got '/hooks', which has /hooks/{tenant}": lambda hooks: (
        hooks.add_resource("{tenant}").add_method("GET", apigateway.MockIntegration())
    ),
}


@pytest.mark.parametrize("message", LATER)
def test_what_takes_an_endpoint_later_is_refused_too(message: str) -> None:
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
def test_what_is_cached_beside_an_endpoint_is_none_of_its_affair(cached: str) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    options = {cached: apigateway.MethodDeploymentOptions(caching_enabled=True)}
    stage = apigateway.StageOptions(method_options=options)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], deploy_options=stage)
    api.root.resource_for_path(cached.removesuffix("/GET")).add_method("GET", apigateway.MockIntegration())
    ScalableWebhook(stack, "Webhook", api=api, path="/hooks")
    assert Template.from_stack(stack)


@pytest.mark.parametrize("cached", ["/hooks/*", "/hooks/{proxy+}/*"])
def test_what_is_cached_of_an_endpoint_is_refused(cached: str) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    options = {cached: apigateway.MethodDeploymentOptions(caching_enabled=True)}
    stage = apigateway.StageOptions(method_options=options)
    api = apigateway.RestApi(stack, "Api", binary_media_types=["*/*"], deploy_options=stage)
    with pytest.raises(ValueError, match="api must not answer an endpoint from a cache"):
        ScalableWebhook(stack, "Webhook", api=api, path="/hooks")


@pytest.mark.parametrize("name", ["orders", "other"])
def test_a_dead_letter_queue_may_name_its_queue_by_another_spelling(name: str) -> None:
    stack = Stack(App(), "Stack", env=ENV)
    named = sqs.Queue.from_queue_arn(stack, "Named", f"arn:aws:sqs:eu-west-1:111111111111:{name}")
    allow = sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.BY_QUEUE, source_queues=[named])
    letters = sqs.Queue(stack, "Letters", retention_period=Duration.days(14), redrive_allow_policy=allow)
    policy = sqs.DeadLetterQueue(queue=letters, max_receive_count=5)
    visible = Duration.minutes(3)
    queue = sqs.Queue(stack, "Queue", queue_name="orders", visibility_timeout=visible, dead_letter_queue=policy)
    if name == "other":
        with pytest.raises(ValueError, match="must allow the queue, got one that allows 1 others"):
            ScalableWebhook(stack, "Webhook", queue=queue)
        return
    ScalableWebhook(stack, "Webhook", queue=queue)
    assert Template.from_stack(stack)
