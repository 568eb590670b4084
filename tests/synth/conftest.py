import os

# The built-in validator costs a second a synth; test_validation.py has it on, in a process of its own.
os.environ.setdefault("CDK_VALIDATION", "false")
# A deprecated call of ours would be a warning in every user's synth.
os.environ["JSII_DEPRECATED"] = "fail"

from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from constructs import Construct

from cdk_scalable_webhook import ScalableWebhook

# What an app made by `cdk init` sets, as far as it changes a template of ours.
INIT_FLAGS = {
    "@aws-cdk/core:newStyleStackSynthesis": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-apigateway:disableCloudWatchRole": True,
    "@aws-cdk/aws-apigateway:requestValidatorUniqueId": True,
    "@aws-cdk/aws-lambda:createNewPoliciesWithAddToRolePolicy": True,
    "@aws-cdk/aws-lambda:useCdkManagedLogGroup": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/aws-dynamodb:resourcePolicyPerReplica": True,
}


@pytest.fixture(params=[{}, INIT_FLAGS], ids=["no feature flags", "flags of cdk init"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """A stack of its own for each test: a tree must not change once it is synthesised."""
    return Stack(App(context=request.param), "Stack")


@pytest.fixture
def synth(stack: Stack) -> Callable[..., Template]:
    """Makes a ScalableWebhook with the given arguments and returns the template."""

    def make(scope: Construct = stack, **arguments: Any) -> Template:
        ScalableWebhook(scope, "Webhook", **arguments)
        return Template.from_stack(stack)

    return make
