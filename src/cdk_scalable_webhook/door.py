"""The door: the REST API that takes the requests, and the methods that hand them to the ingress."""

import json
from collections.abc import Sequence
from typing import cast

import jsii
from aws_cdk import RemovalPolicy, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable, IValidation

from cdk_scalable_webhook import checks, findings
from cdk_scalable_webhook.address import is_closed, mappings, stage_of
from cdk_scalable_webhook.edge import Edge, Throttle, add_gateway_responses, add_preflights
from cdk_scalable_webhook.ingress import Ingress, IngressConfig
from cdk_scalable_webhook.stack import log_account, named_after

# One line a request, without payload, headers or query. request_id is in the lines of every later stage
# too: API Gateway's own, since the other one, requestId, a sender may choose. error is the type of a refusal, whose
# message may quote the Authorization header. Nothing in it is a sender's to write, since AWS does not say that what it
# fills in is escaped: the path is the resource's, and the sender's is in the lines of the later stages.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
_ACCESS_LOG = {
    "request_id": "$context.extendedRequestId",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "source_ip": "$context.identity.sourceIp",
    "latency": "$context.responseLatency",
    "integration_status": "$context.integration.status",
    "error": "$context.error.responseType",
}


def create_api(
    scope: Construct,
    *,
    edge: Edge,
    mount: str,
    binary_media_types: Sequence[str],
    throttle: Throttle,
    log_retention: logs.RetentionDays,
    removal_policy: RemovalPolicy | None,
    tracing: lambda_.Tracing | None,
) -> apigateway.RestApi:
    """A regional REST API with access logs. ``mount`` is where the webhook's own endpoint is."""
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
            throttling_rate_limit=throttle.rate_limit,
            throttling_burst_limit=throttle.burst_limit,
            tracing_enabled=tracing is lambda_.Tracing.ACTIVE,
        ),
    )
    api.deployment_stage.node.add_dependency(log_account(api))
    # The construct's own output has the path of the mount as well.
    api.node.try_remove_child("Endpoint")
    add_gateway_responses(api, edge)
    if edge.domain_name is not None:
        with checks.taken_by_the_cdk("domain_name"):
            named = api.add_domain_name("CustomDomain", **checks.properties(edge.domain_name))
        domain = named.node.default_child
        if edge.domain_name.security_policy is None and isinstance(domain, apigateway.CfnDomainName):
            domain.security_policy = "TLS_1_2"
        for mapping, *_ in mappings(named):
            mapping.override_logical_id(named_after(named, "Mapping"))
    findings.acknowledge(access_logs, findings.LOGS_ENCRYPTED)
    _acknowledge(api, edge, tracing)
    return api


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
        # CloudFormation takes the slash in the spelling of JSON Pointer, too.
        ingress.check_api(api, binary_media_types=[each.replace("~1", "/") for each in declared or []])
    return api


def place(api: apigateway.RestApi, path: str) -> apigateway.IResource:
    """The resource of a mount, which nobody else serves."""
    with checks.taken_by_the_cdk("api"):
        mount = api.root.resource_for_path(path) if path != "/" else api.root
    checks.free_path(path, mount.get_resource("{proxy+}"))
    # API Gateway prefers a method that is named to ANY: a POST that is there would get the webhooks.
    _require_free(path, mount, "ANY", "POST")
    return mount


def _require_free(path: str, mount: apigateway.IResource, *methods: str) -> None:
    for method in methods:
        checks.free_path(path, mount.node.try_find_child(method))
    checks.no_variable_below(path, mount)
    checks.no_cache(path, stage_of(mount.api))


def open_door(
    mount: apigateway.IResource,
    config: IngressConfig,
    edge: Edge,
    *,
    verified: bool,
    after: Sequence[IDependable],
) -> str:
    """Any method on the mount and on every path below it, for whom the edge lets pass. ``verified`` is whether there is
    a source, ``after`` what has to be there before the first request, whatever the ingress.

    Returns:
        What API Gateway asks of a sender by itself, such as ``AWS_IAM``: what was said here, or by the API's defaults;
        ``MTLS`` for a certificate.
    """
    asked = "MTLS" if _is_certified(mount.api) else "NONE"
    preflight = ["OPTIONS"] if edge.cors and not mount.default_cors_preflight_options else []
    for method in (*preflight, *config.methods):
        checks.free_path(mount.path, mount.node.try_find_child(method))
    with checks.taken_by_the_cdk("api"):
        resources = (mount, mount.add_resource("{proxy+}"))
        for resource in resources:
            for method, each in {"ANY": config, **config.methods}.items():
                responses = list(each.method_responses)
                opened = resource.add_method(
                    method, each.integration, method_responses=responses, **edge.method_options()
                )
                opened.node.add_dependency(*each.after, *after)
                asked = _asked(opened) or asked
                findings.acknowledge(opened, findings.NO_COGNITO, *_who_may_send(asked, edge, verified=verified))
    add_preflights(resources, edge)
    cast(Construct, mount).node.add_validation(_StillFree(mount))
    return asked


@jsii.implements(IValidation)
class _StillFree:
    """Asked by the CDK once everything is made: somebody may have taken a part of the mount later."""

    def __init__(self, mount: apigateway.IResource) -> None:
        self._mount = mount

    def validate(self) -> list[str]:
        try:
            _require_free(self._mount.path, self._mount, "POST")
        except ValueError as refusal:
            return [str(refusal)]
        return []


def _asked(method: apigateway.Method) -> str | None:
    """The authorization of a method. One that an API has by default is not among our own arguments."""
    resource = method.node.default_child
    told = resource.authorization_type if isinstance(resource, apigateway.CfnMethod) else None
    return None if told == "NONE" else told


def _is_certified(api: apigateway.IRestApi) -> bool:
    """Whether there is no other way into an API than a domain that asks for a certificate."""
    domain = api.domain_name.node.default_child if isinstance(api, apigateway.RestApi) and api.domain_name else None
    asks = isinstance(domain, apigateway.CfnDomainName) and domain.mutual_tls_authentication is not None
    return asks and is_closed(api)


def _who_may_send(asked: str, edge: Edge, *, verified: bool) -> list[findings.Finding]:
    if asked not in ("NONE", "MTLS"):
        return []
    if verified:
        return [findings.SIGNED]
    return [findings.CERTIFIED if asked == "MTLS" or edge.proves_sender else findings.OPEN]
