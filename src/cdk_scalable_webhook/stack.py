"""The concerns that webhooks of a stack share: the role for API Gateway's logs, and the limits of a stack."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import cast

import jsii
from aws_cdk import CfnElement, CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct, IValidation

from cdk_scalable_webhook import findings

# The child of a stack with the account's role for logs.
_LOGS = "ScalableWebhook Logs"
_WATCHED = "ScalableWebhook Stack"
# The child of a webhook that is the circuit breaker's subscription filter.
BREAKER_FILTER = "BreakerFilter"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_MAX_RESOURCES = 500
_LIMIT_OF_THE_CDK = "@aws-cdk/core:stackResourceLimit"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
_MAX_FILTERS = 2


def log_account(api: apigateway.RestApi) -> IConstruct:
    """Return the account's role for API Gateway's logs, without which API Gateway writes none.

    A stack and its nested stacks have one, since AWS rejects a second change of the role within 20 seconds. If an API
    of the user has set it, that one is returned. It stays when the stack is deleted: other APIs may use it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigateway-account.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    """
    stack = _outermost(api.stack)
    if (shared := stack.node.try_find_child(_LOGS)) is not None:
        return shared.node.try_find_child("Account") or shared
    for theirs in _accounts(stack):
        if Stack.of(theirs) in (stack, api.stack):
            return theirs
    scope = Construct(stack, _LOGS)
    policy = iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonAPIGatewayPushToCloudWatchLogs")
    role = iam.Role(
        scope, "Role", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"), managed_policies=[policy]
    )
    account = apigateway.CfnAccount(scope, "Account", cloud_watch_role_arn=role.role_arn)
    # Before its first API, an AWS account does not have this setting. The API of a nested stack would come too late,
    # since its stack waits for this one. A disabled API key has the same effect.
    account.node.add_dependency(
        api.node.find_child("Resource")
        if api.stack is stack
        else apigateway.CfnApiKey(scope, "First", enabled=False, description="Nothing uses it")
    )
    for each in (role, account):
        each.apply_removal_policy(RemovalPolicy.RETAIN)
    findings.acknowledge(role, findings.LOG_ROLE.about(stack, policy.managed_policy_arn))
    return account


def watch(webhook: Construct) -> None:
    """Check the stack of a webhook once it is complete."""
    own = Stack.of(webhook)
    for stack in {own, _outermost(own)}:
        if stack.node.try_find_child(_WATCHED) is None:
            Construct(stack, _WATCHED).node.add_validation(_Watch(stack, type(webhook)))


def named_after(construct: IConstruct, what: str) -> str:
    """Return a logical id that does not change with the path of the stack. When a stack moves into a Stage, such a
    resource would otherwise be created again before the old one is deleted, and AWS takes it only once."""
    return f"{Stack.of(construct).get_logical_id(cast(CfnElement, construct.node.default_child))}{what}"


def _outermost(stack: Stack) -> Stack:
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    return stack


def _accounts(stack: Stack) -> list[apigateway.CfnAccount]:
    return [each for each in stack.node.find_all() if isinstance(each, apigateway.CfnAccount)]


@jsii.implements(IValidation)
class _Watch:
    """The checks that the CDK runs before it writes the template."""

    def __init__(self, stack: Stack, webhook: type[Construct]) -> None:
        self._stack = stack
        self._webhook = webhook

    def validate(self) -> list[str]:
        constructs = self._stack.node.find_all()
        self._one_account_at_a_time(constructs)
        return [*self._too_many_filters(constructs), *self._too_many_resources(constructs)]

    def _too_many_filters(self, constructs: list[IConstruct]) -> Iterator[str]:
        """Reject a log group with more subscription filters than it can have, if one is that of a circuit breaker."""
        filters = [each for each in constructs if isinstance(each, logs.CfnSubscriptionFilter)]
        of_group = Counter(self._group(each) for each in filters)
        for each in filters:
            if each.node.id == BREAKER_FILTER and (count := of_group[self._group(each)]) > _MAX_FILTERS:
                webhook = each.node.path.rpartition("/")[0].removesuffix("/Default")
                yield (
                    f"the log group of the consumer must have {_MAX_FILTERS} subscription filters at most, got {count} "
                    f"in {webhook}, one of them that of its circuit breaker; leave one out, or set breaker=False"
                )

    def _group(self, each: logs.CfnSubscriptionFilter) -> str:
        return json.dumps(self._stack.resolve(each.log_group_name), sort_keys=True)

    def _too_many_resources(self, constructs: list[IConstruct]) -> list[str]:
        limit = self._stack.node.try_get_context(_LIMIT_OF_THE_CDK)
        limit = _MAX_RESOURCES if limit is None else int(limit)
        # Those of nested stacks included: whose each one is takes a call of the CDK, and most stacks are small.
        if sum(isinstance(each, CfnResource) for each in constructs) <= limit:
            return []
        count = self._resources(constructs)
        if not limit or count <= limit:
            return []
        sizes = [
            self._resources(each.node.find_all())
            for each in constructs
            if isinstance(each, self._webhook) and Stack.of(each) is self._stack
        ]
        webhooks = f"{len(sizes)} ScalableWebhook{'s' if len(sizes) > 1 else ''}"
        return [
            f"stack must have {limit} resources at most, which is CloudFormation's limit, got {count:,} in "
            f"{self._stack.node.path}, {sum(sizes):,} of them of {webhooks}; put a ScalableWebhook into another stack "
            "or a nested one. An endpoint of add_source() needs fewer resources than a ScalableWebhook of its own"
        ]

    def _resources(self, constructs: list[IConstruct]) -> int:
        return sum(isinstance(each, CfnResource) and Stack.of(each) is self._stack for each in constructs)

    def _one_account_at_a_time(self, constructs: list[IConstruct]) -> None:
        """Let the account's role of another API, made after ours, wait for ours."""
        ours = self._stack.node.try_find_child(_LOGS)
        account = ours.node.try_find_child("Account") if ours is not None else None
        if not isinstance(account, CfnResource):
            return
        for theirs in constructs:
            if isinstance(theirs, apigateway.CfnAccount) and theirs is not account:
                # Our oldest CDK version has the second name only.
                wait = getattr(theirs, "add_resource_dependency", None) or theirs.add_dependency
                wait(account)
