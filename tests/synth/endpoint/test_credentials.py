"""The credentials of a client for API Gateway are no part of the webhook, at each ingress."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import SecretValue, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from cdk_scalable_webhook import ApiOptions, Ingress, ScalableWebhook, Source
from webhook_runtime import Webhook
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.publisher import Publisher

from ...runtime.doubles import Sqs
from ...runtime.events import request
from ..grouped import grouped

Names = tuple[list[str], list[str]]
Api = Callable[[Stack], apigateway.RestApi]

SIGNED = (
    ["authorization", "x-amz-security-token"],
    ["x-amz-credential", "x-amz-security-token", "x-amz-signature"],
)
INGRESSES = {"Lambda": Ingress.lambda_integration(), "direct": Ingress.direct_integration(binary=True)}
ingresses = pytest.mark.parametrize("ingress", INGRESSES.values(), ids=INGRESSES)


def withheld(template: Template) -> Names:
    """Return the names of the headers and query parameters that an ingress leaves out."""
    variables = [
        resource["Properties"]["Environment"]["Variables"]
        for resource in template.find_resources("AWS::Lambda::Function").values()
        if resource["Properties"]["Handler"].startswith("webhook_runtime")
    ]
    if told := [json.loads(each["WEBHOOK_CREDENTIALS"]) for each in variables if "WEBHOOK_CREDENTIALS" in each]:
        (names,) = told
        return names["headers"], names["parameters"]
    direct = [
        json.dumps(method["Properties"]["Integration"]["RequestTemplates"])
        for method in template.find_resources("AWS::ApiGateway::Method").values()
        if "SendMessage" in json.dumps(method)
    ]
    if not direct:
        return [], []
    headers, parameters = re.findall(r'#set\(\$credentials = \\" ([^"\\]*) \\"\)', direct[0])[:2]
    return headers.split(), parameters.split()


def existing(stack: Stack, **defaults: Any) -> apigateway.RestApi:
    return apigateway.RestApi(
        stack,
        "Own",
        binary_media_types=["*/*"],
        default_method_options=apigateway.MethodOptions(**defaults),
    )


def function(stack: Stack) -> lambda_.Function:
    code = lambda_.Code.from_inline("exports.handler = async () => ({})")
    return lambda_.Function(stack, "Authorize", runtime=lambda_.Runtime.NODEJS_22_X, handler="index.handler", code=code)


def by_token(stack: Stack) -> apigateway.RestApi:
    return existing(stack, authorizer=apigateway.TokenAuthorizer(stack, "Authorizer", handler=function(stack)))


def by_request(stack: Stack) -> apigateway.RestApi:
    places = apigateway.IdentitySource
    sources = [places.header("X-Tenant-Token"), places.query_string("Token"), places.context("identity.sourceIp")]
    authorizer = apigateway.RequestAuthorizer(stack, "Authorizer", handler=function(stack), identity_sources=sources)
    return existing(stack, authorizer=authorizer)


def by_cognito(stack: Stack) -> apigateway.RestApi:
    pools = [cognito.UserPool(stack, "Pool")]
    return existing(
        stack, authorizer=apigateway.CognitoUserPoolsAuthorizer(stack, "Authorizer", cognito_user_pools=pools)
    )


def by_authorizers_key(stack: Stack) -> apigateway.RestApi:
    api = by_token(stack)
    resource = api.node.default_child
    assert isinstance(resource, apigateway.CfnRestApi)
    resource.api_key_source_type = "AUTHORIZER"
    return api


@ingresses
@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ([], [])),
        ({"api_key": True}, (["x-api-key"], [])),
        ({"iam_authorization": True}, SIGNED),
        ({"iam_authorization": True, "api_key": True}, (sorted([*SIGNED[0], "x-api-key"]), SIGNED[1])),
    ],
)
def test_credentials_for_the_access_control_are_left_out(
    stack: Stack, ingress: Ingress, asked: dict[str, Any], names: Names
) -> None:
    ScalableWebhook(stack, "Webhook", ingress=ingress, **grouped(asked))
    assert withheld(Template.from_stack(stack)) == names


@ingresses
@pytest.mark.parametrize(
    ("api", "names"),
    [
        (existing, ([], [])),
        (lambda stack: existing(stack, api_key_required=True), (["x-api-key"], [])),
        (lambda stack: existing(stack, authorization_type=apigateway.AuthorizationType.IAM), SIGNED),
        (by_token, (["authorization"], [])),
        (by_request, (["x-tenant-token"], ["token"])),
        (by_cognito, (["authorization"], [])),
        (by_authorizers_key, (["authorization"], [])),
    ],
)
def test_credentials_for_an_existing_api_are_left_out(stack: Stack, ingress: Ingress, api: Api, names: Names) -> None:
    ScalableWebhook(stack, "Webhook", ingress=ingress, api=api(stack), path="/hooks")
    assert withheld(Template.from_stack(stack)) == names


@ingresses
def test_a_further_endpoint_leaves_them_out_too(stack: Stack, ingress: Ingress, secret: Any) -> None:
    webhook = ScalableWebhook(
        stack, "Webhook", ingress=Ingress.direct_integration(binary=True), api=ApiOptions(api_key=True)
    )
    webhook.add_source("/more", Source.github(secret), ingress=ingress)
    text = json.dumps(Template.from_stack(stack).to_json())
    assert text.count("x-api-key") >= 4  # each endpoint has two methods


@ingresses
def test_a_credential_that_the_source_verifies_is_kept(stack: Stack, ingress: Ingress, secret: Any) -> None:
    source = Source.token(secret, header="Authorization", prefix="Bearer ")
    ScalableWebhook(stack, "Webhook", ingress=ingress, api=by_token(stack), path="/hooks", source=source)
    assert withheld(Template.from_stack(stack)) == ([], [])


def test_a_credential_in_a_signed_url_is_left_out_after_the_verification(stack: Stack, secret: Any) -> None:
    source = Source.twilio(secret)
    ScalableWebhook(stack, "Webhook", api=by_request(stack), path="/hooks", source=source)
    (told,) = re.findall(r'WEBHOOK_CREDENTIALS": "(.*?[^\\])"', json.dumps(Template.from_stack(stack).to_json()))
    told = json.loads(told.replace('\\"', '"'))
    assert told == {"headers": ["x-tenant-token"], "signed_parameters": ["token"]}

    class Admitting:
        def admit(self, arrived: Webhook) -> Webhook:
            assert arrived.query == {"Token": ["hush"], "a": ["1"]}
            return arrived

    sqs, sources = Sqs(), Admitting()
    settings = PublisherSettings("http://sqs/Queue", None, credentials=told)
    event = request(b"x", headers=[("X-Tenant-Token", "hush")], query=[("Token", "hush"), ("a", "1")])
    Publisher(settings, sqs, sources).handle(event, None)  # type: ignore[arg-type]
    assert "hush" not in str(sqs.sent)
    assert "query=a=1" in str(sqs.sent)


@pytest.fixture
def secret(stack: Stack) -> secretsmanager.Secret:
    return secretsmanager.Secret(stack, "Secret", secret_string_value=SecretValue.unsafe_plain_text("x"))
