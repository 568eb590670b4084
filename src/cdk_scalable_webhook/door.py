"""The door: the REST API that takes the requests, and the methods that hand them to the ingress."""

import json
from collections.abc import Sequence

from aws_cdk import RemovalPolicy, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct, IDependable

from cdk_scalable_webhook import checks, findings
from cdk_scalable_webhook.edge import Edge, add_gateway_responses, add_preflights
from cdk_scalable_webhook.ingress import Ingress, IngressConfig

# One line a request, without payload, headers or query. request_id is in the lines of every later stage
# too: API Gateway's own, since the other one, requestId, a sender may choose. error is the type of a refusal, whose
# message may quote the Authorization header.
_ACCESS_LOG = {
    "request_id": "$context.extendedRequestId",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "source_ip": "$context.identity.sourceIp",
    "latency": "$context.responseLatency",
    "integration_status": "$context.integration.status",
    "error": "$context.error.responseType",
}

# The child of a stack that has the account's role for logs.
_LOGS = "ScalableWebhook Logs"


def create_api(
    scope: Construct,
    *,
    edge: Edge,
    mount: str,
    binary_media_types: Sequence[str],
    throttling_rate_limit: float | None,
    throttling_burst_limit: int | None,
    log_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy | None,
    tracing: lambda_.Tracing | None,
) -> apigateway.RestApi:
    """A regional REST API with access logs. ``mount`` is where the webhook's own endpoint is."""
    checks.number("throttling_rate_limit", throttling_rate_limit, 1, 100_000)
    checks.number("throttling_burst_limit", throttling_burst_limit, 1, 100_000)
    access_logs = logs.LogGroup(scope, "AccessLogs", retention=log_retention, removal_policy=removal_policy)
    api = apigateway.RestApi(
        scope,
        "Api",
        rest_api_name=scope.node.path,
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        binary_media_types=list(binary_media_types) or None,
        policy=edge.resource_policy(mount),
        # Nothing gets in beside the domain: neither past its mutual TLS nor by another name. Said in either case, since
        # CloudFormation leaves what goes from a template, and an API that loses its domain would have no name at all.
        disable_execute_api_endpoint=edge.domain_name is not None,
        cloud_watch_role=False,
        deploy_options=apigateway.StageOptions(
            access_log_destination=apigateway.LogGroupLogDestination(access_logs),
            access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            throttling_rate_limit=throttling_rate_limit,
            throttling_burst_limit=throttling_burst_limit,
            tracing_enabled=tracing is lambda_.Tracing.ACTIVE,
        ),
    )
    api.deployment_stage.node.add_dependency(_log_account(api))
    # The construct's own output has the path of the mount as well.
    api.node.try_remove_child("Endpoint")
    add_gateway_responses(api, edge)
    if edge.domain_name is not None:
        with checks.taken_by_the_cdk("domain_name"):
            named = api.add_domain_name("CustomDomain", **checks.properties(edge.domain_name))
        domain = named.node.default_child
        assert isinstance(domain, apigateway.CfnDomainName)
        if edge.domain_name.security_policy is None:
            domain.security_policy = "TLS_1_2"
    findings.acknowledge(access_logs, findings.LOGS_ENCRYPTED)
    _acknowledge(api, edge, tracing)
    return api


def _log_account(api: apigateway.RestApi) -> IConstruct:
    """The role by which API Gateway writes the logs of all APIs of the account, without which it writes none. One a
    stack, since AWS lets an account change it once in 20 seconds, and refuses the second of two webhooks. It stays when
    the stack goes: other APIs may write by it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigateway-account.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    """
    stack = api.stack
    if (shared := stack.node.try_find_child(_LOGS)) is not None:
        return shared.node.find_child("Account")
    scope = Construct(stack, _LOGS)
    policy = iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonAPIGatewayPushToCloudWatchLogs")
    role = iam.Role(
        scope, "Role", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"), managed_policies=[policy]
    )
    account = apigateway.CfnAccount(scope, "Account", cloud_watch_role_arn=role.role_arn)
    # As the CDK's own account does: an account that never had an API has nothing to set.
    account.node.add_dependency(api.node.find_child("Resource"))
    for each in (role, account):
        each.apply_removal_policy(RemovalPolicy.RETAIN)
    findings.acknowledge(role, findings.LOG_ROLE.about(stack, policy.managed_policy_arn))
    return account


def _acknowledge(api: apigateway.RestApi, edge: Edge, tracing: lambda_.Tracing | None) -> None:
    findings.acknowledge(api, findings.ANY_PAYLOAD)
    of_stage = [findings.NO_CACHE, findings.NO_EXECUTION_LOGS]
    if tracing is not lambda_.Tracing.ACTIVE:
        of_stage.append(findings.NO_TRACING)
    if not edge.web_acl:
        of_stage.append(findings.NO_WEB_ACL)
    findings.acknowledge(api.deployment_stage, *of_stage)


def brought_api(api: apigateway.RestApi, ingress: Ingress) -> apigateway.RestApi:
    """An API of the user's, unless it would hand over other bytes than it got."""
    resource = api.node.default_child
    declared = resource.binary_media_types if isinstance(resource, apigateway.CfnRestApi) else None
    if not Token.is_unresolved(declared):
        ingress.check_api(api, binary="*/*" in (declared or []))
    return api


def open_door(
    api: apigateway.RestApi,
    path: str,
    config: IngressConfig,
    edge: Edge,
    *,
    verified: bool,
    after: Sequence[IDependable],
) -> None:
    """Any method on the mount and on every path below it, for whom the edge lets pass. ``verified`` is whether there is
    a source, ``after`` what has to be there before the first request, whatever the ingress."""
    mount = api.root.resource_for_path(path) if path != "/" else api.root
    taken = mount.get_resource("{proxy+}") or mount.node.try_find_child("ANY")
    if taken is not None:
        raise ValueError(
            f"path must be free in api, got {path!r}, which has {taken.node.id} already; choose another path"
        )
    resources = (mount, mount.add_resource("{proxy+}"))
    for resource in resources:
        for method, each in {"ANY": config, **config.methods}.items():
            responses = list(each.method_responses)
            opened = resource.add_method(method, each.integration, method_responses=responses, **edge.method_options())
            opened.node.add_dependency(*each.after, *after)
            findings.acknowledge(opened, findings.NO_COGNITO, *_who_may_send(edge, verified=verified))
    add_preflights(resources, edge)


def _who_may_send(edge: Edge, *, verified: bool) -> list[findings.Finding]:
    if edge.iam_authorization:
        return []
    if verified:
        return [findings.SIGNED]
    return [findings.CERTIFIED if edge.proves_sender else findings.OPEN]


def has_stage(api: apigateway.RestApi) -> bool:
    """Whether the API has a stage, and so a URL, by now: one that is made with ``deploy=False`` has none."""
    try:
        return bool(api.deployment_stage)
    except RuntimeError:  # jsii's, for a property that must not be undefined and is
        return False
