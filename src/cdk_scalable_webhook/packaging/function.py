"""The Lambda functions of this library."""

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
    """Create a function that runs a handler of ``webhook_runtime``, with a log group and a role of its own.

    The role may write to that log group only, while the CDK's default role may write to any. ``place`` is its network:
    ``vpc``, ``vpc_subnets`` and ``security_groups`` of ``lambda_.Function``. ``accepted`` has the findings of checkers
    in this function alone.
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
        handler=f"webhook_runtime.handlers.{handler}",
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
        # At the role itself and not at its other policies, in which a checker should report the user's own statements.
        findings.acknowledge(role, findings.NETWORK_INTERFACES)
    if common.tracing in (lambda_.Tracing.ACTIVE, lambda_.Tracing.PASS_THROUGH):
        of_flag = function.node.try_find_child("inlinePolicyAddedToExecutionRole-0")
        policy = of_flag or role.node.try_find_child("DefaultPolicy")
        if policy is not None:
            findings.acknowledge(policy, findings.TRACES)
    return function


def _network_interfaces() -> iam.PolicyDocument:
    """Permit Lambda to create network interfaces. AWS's managed policy also permits writing to any log group.

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
    """Return a number as the value of an environment variable, also if only deployment knows it."""
    return Tokenization.stringify_number(number) if Token.is_unresolved(number) else str(int(number))


_TOKEN_LENGTH = 100


def require_room(values: Mapping[str, str], *, others: int = 0, remedy: str = "shorten them") -> None:
    """Require that all variables of a function fit into 4 KB together. ``others`` is the size of other variables.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    # A token is a name or an ARN, mostly shorter than this.
    texts = [re.sub(r"\$\{Token\[[^]]+\]\}", "x" * _TOKEN_LENGTH, text) for pair in values.items() for text in pair]
    size = others + sum(len(text.encode()) for text in texts)
    if size > MAX_ENVIRONMENT_BYTES:
        raise ValueError(
            "source, event_filters, acknowledgement and the arguments of sink must fit into the "
            f"{MAX_ENVIRONMENT_BYTES:,} bytes of a function's environment together, got about {size:,}; {remedy}"
        )
