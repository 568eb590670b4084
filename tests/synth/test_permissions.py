"""No permission has a wildcard unless AWS requires it.

The tests read every policy of every example, of the maximal app, and of the app with the most permissions.
"""

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import App

from .. import apps
from .policies import Statement, listed, statements

# The actions, the resource in the template, and the page on which AWS requires the wildcard.
REQUIRED = {
    # Some of the six accept no other resource: see docs/checkers.md.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    (
        "ec2:AssignPrivateIpAddresses ec2:CreateNetworkInterface ec2:DeleteNetworkInterface "
        "ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:UnassignPrivateIpAddresses",
        "*",
    ),
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    ("xray:PutTelemetryRecords xray:PutTraceSegments", "*"),
    # The ARN of an object ends with its key, which is unknown at synth.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/security_iam_service-with-iam.html
    ("s3:DeleteObject s3:GetObject", "<bucket>/queued/*"),
    ("s3:PutObject", "<bucket>/queued/*"),
    ("s3:PutObject", "<bucket>/stored/*"),
    # Only the alias of the key is known, so a condition requires it. Only the name of the secret is known.
    # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
    ("kms:Decrypt", "arn:<reference>:kms:<reference>:<reference>:key/*"),
    ("secretsmanager:GetSecretValue", "arn:<reference>:secretsmanager:<reference>:<reference>:secret:theirs-??????"),
    # The resource is relative: API Gateway adds the ARN of the API that has the policy.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html
    ("execute-api:Invoke", "execute-api:/*/OPTIONS/hooks"),
    ("execute-api:Invoke", "execute-api:/*/OPTIONS/hooks/*"),
    ("execute-api:Invoke", "execute-api:/*"),
}
# The key policy of an existing key has "*" for the key itself, and lets the account administer it.
KEY = "AWS::KMS::Key"


Resource = dict[str, Any]


def synthesised() -> Iterator[tuple[str, App]]:
    for name in apps.APPS:
        yield name, apps.run(name)
        yield f"{name}, flags of cdk init", apps.run(name, context=apps.INIT_FLAGS)
    yield "strict", runpy.run_path(str(apps.STRICT))["app"]


def written(resource: Any) -> str:
    """Return a resource as text, without the names of its references. A bucket becomes ``<bucket>``."""
    text = json.dumps(resource)
    # The id of a stack, in the name of a rule.
    text = re.sub(
        r'\{"Fn::Select": \[2, \{"Fn::Split": \["/", \{"Ref": "AWS::StackId"\}\]\}\]\}', '"<reference>"', text
    )
    text = re.sub(r'\{"Fn::(GetAtt|ImportValue)": (\[[^]]*\]|"[^"]*")\}|\{"Ref": "[^"]*"\}', '"<reference>"', text)
    parts = json.loads(text)
    flat = "".join(parts["Fn::Join"][1]) if isinstance(parts, dict) else parts
    assert isinstance(flat, str), resource
    return re.sub(r"^<reference>(/(queued|stored)/\*)$", r"<bucket>\1", flat)


@pytest.fixture(scope="module")
def resources() -> list[tuple[str, str, Resource]]:
    """Return the resources of all apps: the app, the logical id and the resource."""
    return [
        (name, id, resource)
        for name, app in synthesised()
        for stack in app.synth().stacks
        for id, resource in stack.template["Resources"].items()
    ]


@pytest.fixture(scope="module")
def allowed(resources: list[tuple[str, str, Resource]]) -> list[tuple[str, Statement]]:
    """Return each statement that allows something, with its place."""
    return [
        (f"{name}: {id}", statement)
        for name, id, resource in resources
        if resource["Type"] != KEY
        for statement in statements(resource.get("Properties", {}))
        if statement["Effect"] == "Allow"
    ]


@pytest.mark.slow(7)
@pytest.mark.smoke
def test_no_action_has_a_wildcard(allowed: list[tuple[str, Statement]]) -> None:
    found = {
        (where, action) for where, each in allowed for action in listed(each["Action"]) if re.search(r"[*?]", action)
    }
    assert found == set()
    assert not [where for where, each in allowed if "NotAction" in each or "NotResource" in each]


def test_no_resource_has_a_wildcard_unless_aws_requires_it(allowed: list[tuple[str, Statement]]) -> None:
    found = {
        (" ".join(sorted(listed(each["Action"]))), named)
        for _, each in allowed
        for named in map(written, listed(each.get("Resource", [])))
        if re.search(r"[*?]", named)
    }
    # AWS requires each wildcard, and each entry of the list is needed.
    assert found == REQUIRED


def test_the_role_for_logs_is_the_only_one_of_the_construct_with_a_managed_policy(
    resources: list[tuple[str, str, Resource]],
) -> None:
    managed = {
        (re.sub(r"[0-9A-F]{8}$", "", id), written(arn).rpartition("/")[2])
        for _, id, resource in resources
        if resource["Type"] == "AWS::IAM::Role"
        for arn in resource["Properties"].get("ManagedPolicyArns", [])
    }
    of_construct = {policy for role, policy in managed if role == "ScalableWebhookLogsRole"}
    assert of_construct == {"AmazonAPIGatewayPushToCloudWatchLogs"}
    # An existing API and an existing function have roles that the CDK creates.
    assert {role for role, _ in managed} == {"ScalableWebhookLogsRole", "ApiCloudWatchRole", "ConsumerServiceRole"}


def test_the_apps_have_a_statement_of_each_kind(allowed: list[tuple[str, Statement]]) -> None:
    actions = {action for _, each in allowed for action in listed(each["Action"])}
    assert {
        *("sqs:SendMessage", "sqs:ReceiveMessage", "dynamodb:PartiQLInsert", "dynamodb:PutItem"),
        *("kms:Decrypt", "kms:GenerateDataKey", "secretsmanager:GetSecretValue", "rds-db:connect"),
        *("rds-data:BatchExecuteStatement", "logs:PutLogEvents", "sts:AssumeRole", "s3:ListBucket"),
    } <= actions
