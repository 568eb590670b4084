"""The REST API that takes the requests, and the methods that pass them to the ingress."""

import json
import re
from collections.abc import Sequence
from typing import Any, cast

import jsii
from aws_cdk import Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable, IValidation

from cdk_scalable_webhook import findings
from cdk_scalable_webhook.checks.cdk import properties, require_same_environment, taken_by_the_cdk
from cdk_scalable_webhook.checks.types import brief
from cdk_scalable_webhook.checks.values import once_looked_up
from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.endpoint.access import Access, add_gateway_responses, add_preflights
from cdk_scalable_webhook.endpoint.address import is_closed, mappings, stage_of
from cdk_scalable_webhook.endpoint.ingress import RestApiIngress, RestApiIngressConfig
from cdk_scalable_webhook.endpoint.options import ApiOptions, Throttle
from cdk_scalable_webhook.stack import log_account, named_after

# One line a request, without payload, headers or query. request_id is in the lines of the functions too. It is the
# extended id, since a client may choose the other one, requestId. error is the type of a rejection, whose message may
# quote the Authorization header. A client must not control any value, since AWS does not document that values are
# escaped. So the path is that of the resource, and the lines of the functions have the client's.
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
    scope: Construct, access: Access, throttle: Throttle, *, ingress: RestApiIngress, mount: str, common: CommonOptions
) -> apigateway.RestApi:
    """Create a regional REST API with access logs. ``mount`` and ``ingress`` are those of the webhook's own
    endpoint."""
    options = access.options
    require_same_environment(
        scope,
        api_key=options.api_key,
        web_acl=options.web_acl,
        **({"the certificate of domain_name": options.certificate} if options.certificate is not None else {}),
    )
    access_logs = logs.LogGroup(
        scope, "AccessLogs", retention=common.log_retention, removal_policy=common.removal_policy
    )
    api = apigateway.RestApi(
        scope,
        "Api",
        rest_api_name=scope.node.path,
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        binary_media_types=list(ingress.binary_media_types) or None,
        policy=access.resource_policy(mount),
        # A client must not bypass mutual TLS by API Gateway's own host name. Always set: CloudFormation keeps the value
        # of a property that is removed, and an API that loses its domain would have no host name at all.
        disable_execute_api_endpoint=options.domain_name is not None,
        cloud_watch_role=False,
        deploy_options=apigateway.StageOptions(
            access_log_destination=apigateway.LogGroupLogDestination(access_logs),
            access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            throttling_rate_limit=throttle.rate_limit,
            throttling_burst_limit=throttle.burst_limit,
            tracing_enabled=common.tracing is lambda_.Tracing.ACTIVE,
        ),
    )
    stage = api.deployment_stage
    stage.node.add_dependency(log_account(api))
    # The output of our construct has the path of the endpoint as well.
    api.node.try_remove_child("Endpoint")
    add_gateway_responses(api, access)
    if options.domain_name is not None:
        with taken_by_the_cdk("domain_name"):
            named = api.add_domain_name("CustomDomain", **properties(options.domain_name))
        domain = named.node.default_child
        if options.domain_name.security_policy is None and isinstance(domain, apigateway.CfnDomainName):
            domain.security_policy = "TLS_1_2"
        for mapping, *_ in mappings(named):
            mapping.override_logical_id(named_after(named, "Mapping"))
    findings.acknowledge(access_logs, findings.LOGS_ENCRYPTED)
    _acknowledge(api, stage, options, common)
    return api


def _acknowledge(api: apigateway.RestApi, stage: apigateway.Stage, options: ApiOptions, common: CommonOptions) -> None:
    findings.acknowledge(api, findings.ANY_PAYLOAD)
    of_stage = [findings.NO_CACHE, findings.NO_EXECUTION_LOGS]
    if common.tracing is not lambda_.Tracing.ACTIVE:
        of_stage.append(findings.NO_TRACING)
    if not options.web_acl:
        of_stage.append(findings.NO_WEB_ACL)
    findings.acknowledge(stage, *of_stage)


def existing_api(scope: Construct, api: apigateway.RestApi, ingress: RestApiIngress) -> apigateway.RestApi:
    """Return an existing API. Reject one of another stack, or one that would pass on other bytes than it got."""
    if Stack.of(api) is not Stack.of(scope):
        # The methods of the API refer to the function or role of the endpoint, whose permission refers to the API.
        raise ValueError(
            f"api must be in the stack of the ScalableWebhook, got {api.node.path} for {scope.node.path}; "
            "put the ScalableWebhook into the stack of the API, and pass queue or sink from another"
        )
    require_ingress(api, ingress)
    return api


def require_ingress(api: apigateway.RestApi, ingress: RestApiIngress) -> None:
    """Reject an ingress whose integration would get other bytes than the API did."""
    resource = api.node.default_child
    declared = resource.binary_media_types if isinstance(resource, apigateway.CfnRestApi) else None
    if not Token.is_unresolved(declared):
        # CloudFormation accepts the slash in the spelling of JSON Pointer, too.
        ingress.check_api(api, binary_media_types=[each.replace("~1", "/") for each in declared or []])


def place(api: apigateway.RestApi, path: str, *, is_new: bool) -> apigateway.IResource:
    """Return the resource of a path. Reject a path that something else serves, unless the API has served none yet."""
    with taken_by_the_cdk("api"):
        mount = api.root.resource_for_path(path) if path != "/" else api.root
    if is_new:
        return mount
    _require_free_path(path, mount.get_resource("{proxy+}"))
    # API Gateway prefers a named method to ANY, so an existing POST would get the webhooks.
    _require_free(path, mount, "ANY", "POST")
    return mount


def _require_free(path: str, mount: apigateway.IResource, *methods: str) -> None:
    for method in methods:
        _require_free_path(path, mount.node.try_find_child(method))
    _require_no_variable_below(path, mount)
    _require_no_cache(path, stage_of(mount.api))


def open_endpoint(
    mount: apigateway.IResource,
    config: RestApiIngressConfig,
    access: Access,
    *,
    verified: bool,
    after: Sequence[IDependable],
) -> str:
    """Add the methods of an endpoint, at its path and at every path below it. ``verified`` tells whether there is a
    source. ``after`` has the resources that must exist before the first request, for any ingress.

    Returns:
        The authorization that API Gateway requires, such as ``AWS_IAM``, by the options or the API's defaults; ``MTLS``
        for a client certificate.
    """
    asked = "MTLS" if _is_certified(mount.api) else "NONE"
    preflight = ["OPTIONS"] if access.cors and not mount.default_cors_preflight_options else []
    for method in (*preflight, *config.methods):
        _require_free_path(mount.path, mount.node.try_find_child(method))
    with taken_by_the_cdk("api"):
        resources = (mount, mount.add_resource("{proxy+}"))
        for resource in resources:
            for method, each in {"ANY": config, **config.methods}.items():
                responses = list(each.method_responses)
                opened = resource.add_method(
                    method, each.integration, method_responses=responses, **access.method_options()
                )
                if needed := [*each.after, *after]:
                    opened.node.add_dependency(*needed)
                if isinstance(told := opened.node.default_child, apigateway.CfnMethod):
                    asked = _asked(told) or asked
                    may_send = _who_may_send(asked, access.options, verified=verified)
                    findings.acknowledge(told, findings.NO_COGNITO, *may_send)
    add_preflights(resources, access)
    cast(Construct, mount).node.add_validation(_StillFree(mount))
    return asked


@jsii.implements(IValidation)
class _StillFree:
    """The check of an endpoint once the app is complete: a later method may have taken a part of it."""

    def __init__(self, mount: apigateway.IResource) -> None:
        self._mount = mount

    def validate(self) -> list[str]:
        try:
            _require_free(self._mount.path, self._mount, "POST")
        except ValueError as error:
            return [str(error)]
        return []


def _asked(method: apigateway.CfnMethod) -> str | None:
    """Return the authorization of a method: it may be a default of the API, which our own arguments do not show."""
    told = method.authorization_type
    return None if told == "NONE" else told


def _is_certified(api: apigateway.IRestApi) -> bool:
    """Check whether the only way into an API is a domain that requires a client certificate."""
    domain = api.domain_name.node.default_child if isinstance(api, apigateway.RestApi) and api.domain_name else None
    asks = isinstance(domain, apigateway.CfnDomainName) and domain.mutual_tls_authentication is not None
    return asks and is_closed(api)


def _who_may_send(asked: str, options: ApiOptions, *, verified: bool) -> list[findings.Finding]:
    if asked not in ("NONE", "MTLS"):
        return []
    if verified:
        return [findings.SIGNED]
    return [findings.CERTIFIED if asked == "MTLS" or options.proves_caller else findings.OPEN]


def _require_free_path(path: str, taken: Any) -> None:
    """Reject a path of an API that something else serves."""
    if taken is None:
        return
    remedy = "take another path"
    if path == "/" and isinstance(getattr(taken, "api", None), apigateway.LambdaRestApi):
        remedy = "create the LambdaRestApi with proxy=False: it takes no other path, either"
    raise ValueError(f"path must be free in api, got {path!r}, which has {taken.node.id} already; {remedy}")


def _require_no_cache(path: str, stage: apigateway.Stage | None) -> None:
    """Reject a stage that caches an endpoint: a webhook that is answered from a cache is not stored.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
    """
    resource = stage.node.default_child if stage is not None else None
    settings = resource.method_settings if isinstance(resource, apigateway.CfnStage) else None
    # Most stages have no cache. To resolve settings, the CDK is called for each property of each.
    if resource is None or (
        isinstance(settings, list) and not any(getattr(each, "caching_enabled", True) for each in settings)
    ):
        return
    of_endpoint = ("/*", path, f"{path.rstrip('/')}/{{proxy+}}")
    for each in Stack.of(resource).resolve(settings) or []:
        where = "/" + str(each.get("resourcePath", "")).replace("~1", "/").strip("/")
        if each.get("cachingEnabled") is True and where in of_endpoint:
            raise ValueError(
                f"api must not answer an endpoint from a cache, got a stage with caching_enabled for {where}, and with "
                f"it for {path}; leave it out of the stage, and turn it on by method_options for the methods that "
                "need it"
            )


def _require_no_variable_below(path: str, mount: apigateway.IResource) -> None:
    """Reject a path with a variable below it: API Gateway allows one in a place, and an endpoint needs ``{proxy+}``.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
    """
    for child in mount.node.children:
        below = child.path if isinstance(child, apigateway.Resource) else ""
        if re.search(r"/{[^/+]+\+?}$", below) and not below.endswith("/{proxy+}"):
            raise ValueError(
                f"path must have no variable below it in api, got {path!r}, which has {below}; take another path: "
                "API Gateway allows one variable in a place, and the endpoint needs {proxy+} there"
            )


def mount_of(path: str) -> str:
    """Return the path of an endpoint in its API: fixed segments, since the endpoint serves every path below as well."""
    _require_path(path)
    return "/" + path.strip("/")


@once_looked_up
def _require_path(value: str) -> None:
    """Reject what is no path of fixed segments, and the two paths that API Gateway reserves under a custom domain.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    """
    if value.strip("/") in ("ping", "sping"):
        raise ValueError(
            f"path must not be /ping or /sping, which API Gateway answers by itself under a custom domain, "
            f"got {brief(value)}; take another, for example '/webhooks'"
        )
    segments = value.strip("/").split("/")
    if value == "/" or (value.startswith("/") and all(re.fullmatch(r"[A-Za-z0-9._:-]+", name) for name in segments)):
        return
    remedy = "start it with a slash, and write letters, digits and . _ : - between single slashes"
    if "{" in value:
        remedy = "leave {parameters} out: the endpoint serves every path below it, and stores it with the webhook"
    raise ValueError(f"path must be '/' or fixed segments such as '/hooks/github', got {brief(value)}; {remedy}")
