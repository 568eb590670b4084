"""The Lambda functions of this library: one way to make them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, Token, Tokenization
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk_scalable_webhook import findings
from cdk_scalable_webhook.common import CommonOptions
from webhook_runtime.contract.limits import MAX_ENVIRONMENT_BYTES


def runtime_function(
    scope: Construct,
    id: str,
    *,
    code: lambda_.Code,
    handler: str,
    description: str,
    environment: Mapping[str, str],
    timeout: Duration,
    memory_size: float,
    common: CommonOptions,
    accepted: Sequence[findings.Finding],
    reserved_concurrent_executions: float | None = None,
    **place: Any,
) -> lambda_.Function:
    """A function that runs a handler of ``webhook_runtime``, with a log group and a role of its own.

    The role may write to that log group and nothing else; the CDK's default role may write to any. ``place`` is where
    it runs: ``vpc``, ``vpc_subnets`` and ``security_groups`` of ``lambda_.Function``. ``accepted`` is what checkers
    find in this function alone.
    """
    require_room(environment)
    log_group = logs.LogGroup(scope, f"{id}Logs", retention=common.log_retention, removal_policy=common.removal_policy)
    findings.acknowledge(log_group, findings.LOGS_ENCRYPTED)
    role = iam.Role(
        scope,
        f"{id}Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"NetworkInterfaces": _network_interfaces()} if place else None,
    )
    log_group.grant_write(role)
    function = lambda_.Function(
        scope,
        id,
        description=description,
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        code=code,
        handler=f"webhook_runtime.handlers.{handler}.handler",
        environment=dict(environment),
        timeout=timeout,
        memory_size=memory_size,
        reserved_concurrent_executions=reserved_concurrent_executions,
        tracing=common.tracing,
        logging_format=lambda_.LoggingFormat.JSON,
        log_group=log_group,
        role=role,
        **place,
    )
    everywhere = [findings.SYNCHRONOUS, findings.NO_SECRETS, findings.AFTER_ITS_ROLE]
    findings.acknowledge(function, *everywhere, *accepted, *([] if place else [findings.NO_VPC]))
    if place:
        # At the role itself, not at the policies beside it, to which you may add what a checker should tell.
        findings.acknowledge(role, findings.NETWORK_INTERFACES)
    if common.tracing in (lambda_.Tracing.ACTIVE, lambda_.Tracing.PASS_THROUGH):
        of_flag = function.node.try_find_child("inlinePolicyAddedToExecutionRole-0")
        policy = of_flag or role.node.try_find_child("DefaultPolicy")
        if policy is not None:
            findings.acknowledge(policy, findings.TRACES)
    return function


def _network_interfaces() -> iam.PolicyDocument:
    """Lambda makes them by the function's own role. AWS's managed policy would let it write to any log group as well.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    """
    actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ]
    return iam.PolicyDocument(statements=[iam.PolicyStatement(actions=actions, resources=["*"])])


def number_text(number: float) -> str:
    """A number as the value of an environment variable, also where only deployment knows it."""
    return Tokenization.stringify_number(number) if Token.is_unresolved(number) else str(int(number))


_TOKEN_LENGTH = 100


def require_room(values: Mapping[str, str], *, beside: int = 0, remedy: str = "give less of them") -> None:
    """All variables of a function together hold 4 KB; only sources and filters can come near. ``beside`` is what others
    take.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    # What only deployment knows is a name or an ARN, mostly shorter than this.
    texts = [re.sub(r"\$\{Token\[[^]]+\]\}", "x" * _TOKEN_LENGTH, text) for pair in values.items() for text in pair]
    size = beside + sum(len(text.encode()) for text in texts)
    if size > MAX_ENVIRONMENT_BYTES:
        raise ValueError(
            "source, event_filters, acknowledgement and what is given to sink must fit into the "
            f"{MAX_ENVIRONMENT_BYTES:,} bytes of a function's environment together, got about {size:,}; {remedy}"
        )
