"""The Lambda functions of this library: one asset, one way to make them."""

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk_scalable_webhook.asset import runtime_code


def runtime_function(
    scope: Construct,
    id: str,
    *,
    handler: str,
    description: str,
    environment: Mapping[str, str],
    timeout: Duration,
    memory_size: float,
    tracing: lambda_.Tracing | None,
    log_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy | None,
    reserved_concurrent_executions: float | None = None,
) -> lambda_.Function:
    """A function that runs a handler of ``webhook_runtime``, with a log group and a role of its own.

    The role may write to that log group and nothing else; the CDK's default role may write to any.
    """
    log_group = logs.LogGroup(scope, f"{id}Logs", retention=log_retention, removal_policy=removal_policy)
    role = iam.Role(scope, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    return lambda_.Function(
        scope,
        id,
        description=description,
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        code=runtime_code(),
        handler=f"webhook_runtime.handlers.{handler}.handler",
        environment=dict(environment),
        timeout=timeout,
        memory_size=memory_size,
        reserved_concurrent_executions=reserved_concurrent_executions,
        tracing=tracing,
        logging_format=lambda_.LoggingFormat.JSON,
        log_group=log_group,
        role=role,
    )
