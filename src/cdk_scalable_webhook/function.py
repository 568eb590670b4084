"""The Lambda functions of this library: one way to make them."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Token, Tokenization
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk_scalable_webhook import checks


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
    tracing: lambda_.Tracing | None,
    log_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy | None,
    reserved_concurrent_executions: float | None = None,
    **place: Any,
) -> lambda_.Function:
    """A function that runs a handler of ``webhook_runtime``, with a log group and a role of its own.

    The role may write to that log group and nothing else; the CDK's default role may write to any. ``place`` is where
    it runs: ``vpc``, ``vpc_subnets`` and ``security_groups`` of ``lambda_.Function``.
    """
    checks.environment_size(environment)
    log_group = logs.LogGroup(scope, f"{id}Logs", retention=log_retention, removal_policy=removal_policy)
    role = iam.Role(scope, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    if place:
        # As the CDK's default role has it: Lambda makes its network interfaces by the function's own role.
        vpc_access = iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWSLambdaVPCAccessExecutionRole")
        role.add_managed_policy(vpc_access)
    return lambda_.Function(
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
        tracing=tracing,
        logging_format=lambda_.LoggingFormat.JSON,
        log_group=log_group,
        role=role,
        **place,
    )


def number_text(number: float) -> str:
    """A number as the value of an environment variable, also where only deployment knows it."""
    return Tokenization.stringify_number(number) if Token.is_unresolved(number) else str(int(number))
