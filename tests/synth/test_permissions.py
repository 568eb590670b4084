"""No permission has a wildcard but those that AWS forces: every policy of every example, of the maximal app, and of the
app that asks for the most."""

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import App

from .. import apps
from .policies import Statement, listed, statements

# Actions, the resource as it is written, and where AWS says that it has to be so.
FORCED = {
    # Some of the six take no other, as docs/checkers.md says.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    (
        "ec2:AssignPrivateIpAddresses ec2:CreateNetworkInterface ec2:DeleteNetworkInterface "
        "ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:UnassignPrivateIpAddresses",
        "*",
    ),
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    ("xray:PutTelemetryRecords xray:PutTraceSegments", "*"),
    # An object is named by its key.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/security_iam_service-with-iam.html
    ("s3:DeleteObject s3:GetObject", "<bucket>/queued/*"),
    ("s3:PutObject", "<bucket>/queued/*"),
    ("s3:PutObject", "<bucket>/stored/*"),
    # Of a key its alias is known alone, which a condition asks for; of a secret its name.
    # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
    ("kms:Decrypt", "arn:<reference>:kms:<reference>:<reference>:key/*"),
    ("secretsmanager:GetSecretValue", "arn:<reference>:secretsmanager:<reference>:<reference>:secret:theirs-??????"),
    # The API of which it is the policy: its ARN comes before it.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html
    ("execute-api:Invoke", "execute-api:/*/OPTIONS/hooks"),
    ("execute-api:Invoke", "execute-api:/*/OPTIONS/hooks/*"),
    ("execute-api:Invoke", "execute-api:/*"),
}
# A policy of a key names the key itself so, and lets its account administer it: the user's key, which was brought.
OF_KEYS = "AWS::KMS::Key"


def synthesised() -> Iterator[tuple[str, App]]:
    for name in apps.APPS:
        yield name, apps.run(name)
        yield f"{name}, flags of cdk init", apps.run(name, context=apps.INIT_FLAGS)
    yield "strict", runpy.run_path(str(apps.STRICT))["app"]


def written(resource: Any) -> str:
    """A resource with its references left out, and a bucket named as one."""
    text = json.dumps(resource)
    text = re.sub(r'\{"Fn::(GetAtt|ImportValue)": (\[[^]]*\]|"[^"]*")\}|\{"Ref": "[^"]*"\}', '"<reference>"', text)
    parts = json.loads(text)
    flat = "".join(parts["Fn::Join"][1]) if isinstance(parts, dict) else parts
    assert isinstance(flat, str), resource
    return re.sub(r"^<reference>(/(queued|stored)/\*)$", r"<bucket>\1", flat)


@pytest.fixture(scope="module")
def allowed() -> list[tuple[str, Statement]]:
    """What is allowed, and where."""
    return [
        (f"{name}: {id}", statement)
        for name, app in synthesised()
        for stack in app.synth().stacks
        for id, resource in stack.template["Resources"].items()
        if resource["Type"] != OF_KEYS
        for statement in statements(resource.get("Properties", {}))
        if statement["Effect"] == "Allow"
    ]


def test_no_action_has_a_wildcard(allowed: list[tuple[str, Statement]]) -> None:
    found = {
        (where, action) for where, each in allowed for action in listed(each["Action"]) if re.search(r"[*?]", action)
    }
    assert found == set()
    assert not [where for where, each in allowed if "NotAction" in each or "NotResource" in each]


def test_no_resource_has_one_but_where_aws_forces_it(allowed: list[tuple[str, Statement]]) -> None:
    found = {
        (" ".join(sorted(listed(each["Action"]))), named)
        for _, each in allowed
        for named in map(written, listed(each.get("Resource", [])))
        if re.search(r"[*?]", named)
    }
    # None that is not forced, and none on the list that is not needed.
    assert found == FORCED


def test_no_role_has_a_managed_policy_but_that_by_which_api_gateway_logs() -> None:
    managed = {
        (re.sub(r"[0-9A-F]{8}$", "", id), written(arn).rpartition("/")[2])
        for name in apps.APPS
        for stack in apps.run(name).synth().stacks
        for id, resource in stack.template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
        for arn in resource["Properties"].get("ManagedPolicyArns", [])
    }
    of_ours = {policy for role, policy in managed if role == "ScalableWebhookLogsRole"}
    assert of_ours == {"AmazonAPIGatewayPushToCloudWatchLogs"}
    # An API and a function that were brought have the CDK's own roles.
    assert {role for role, _ in managed} == {"ScalableWebhookLogsRole", "ApiCloudWatchRole", "ConsumerServiceRole"}


def test_a_statement_of_each_kind_is_among_them(allowed: list[tuple[str, Statement]]) -> None:
    actions = {action for _, each in allowed for action in listed(each["Action"])}
    assert {
        *("sqs:SendMessage", "sqs:ReceiveMessage", "dynamodb:PartiQLInsert", "dynamodb:PutItem"),
        *("kms:Decrypt", "kms:GenerateDataKey", "secretsmanager:GetSecretValue", "rds-db:connect"),
        *("rds-data:BatchExecuteStatement", "logs:PutLogEvents", "sts:AssumeRole", "s3:ListBucket"),
    } <= actions
