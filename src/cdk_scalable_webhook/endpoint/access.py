"""Access control: the checks of a caller by API Gateway and WAF, before any code runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Names, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook.checks.cdk import properties, taken_by_the_cdk
from cdk_scalable_webhook.endpoint.options import ApiOptions, Throttle
from cdk_scalable_webhook.stack import named_after

if TYPE_CHECKING:  # importing it slows each synth, and most have no web ACL
    from aws_cdk import aws_wafv2 as wafv2

# AWS's managed rules that suit a webhook, and those of them that only count. A rule about the payload must not block,
# since payloads are stored and never interpreted here. Else an issue with ${jndi:…} in its title would be lost, and so
# would every payload above 8 KB. A provider may send no User-Agent. The group for anonymous and hosting addresses is
# left out, since providers send from there.
# See: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
_MANAGED_RULES = {
    "AWSManagedRulesAmazonIpReputationList": [],
    "AWSManagedRulesKnownBadInputsRuleSet": ["JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY"],
    "AWSManagedRulesCommonRuleSet": [
        "CrossSiteScripting_BODY",
        "EC2MetaDataSSRF_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "NoUserAgent_HEADER",
        "SizeRestrictions_BODY",
    ],
}


@dataclass(frozen=True)
class Access:
    """The access control of one endpoint: the options of its API, and CORS of the endpoint itself."""

    options: ApiOptions
    cors: apigateway.CorsOptions | None

    def __post_init__(self) -> None:
        """Check the values."""
        _require_cors(self.cors)

    def at(self, mount: apigateway.IResource) -> "Access":
        """Return the access control at a resource of an API. If the API has preflights by default, the answers of the
        endpoint get the same CORS headers."""
        preflight = mount.default_cors_preflight_options
        if preflight is None:
            return self
        if self.cors is not None:
            _require_cors_of_preflight(self.cors, preflight)
            return self
        if len(preflight.allow_origins) != 1 or Token.is_unresolved(preflight.allow_origins):
            Annotations.of(mount).add_warning_v2(
                "cdk-scalable-webhook:corsOrigins",
                "cors should name one origin, got an api whose preflight has another number of them. No answer of the "
                "endpoint has CORS headers, so a page reads each webhook as failed, and may send it again.",
            )
            return self
        return replace(self, cors=preflight)

    def resource_policy(self, mount: str) -> iam.PolicyDocument | None:
        """Return the resource policy of the API. ``mount`` is the path of the endpoint that ``cors`` is for.

        Without a policy API Gateway lets every caller in, with one only those that it allows. With IAM authorization
        the caller's own policy allows. Within an account one of the two is enough, so a policy that allows every caller
        would let in anyone who can sign. A browser's preflight is never signed.

        See: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
        """
        statements = []
        if self.options.allowed_ip_ranges is not None:
            elsewhere = {"NotIpAddress": {"aws:SourceIp": list(self.options.allowed_ip_ranges)}}
            statements.append(_statement(iam.Effect.DENY, "execute-api:/*", conditions=elsewhere))
        if self.options.iam_authorization and self.cors is not None:
            preflights = [f"execute-api:/*/OPTIONS{path}" for path in paths(mount)]
            statements.append(_statement(iam.Effect.ALLOW, *preflights))
        elif self.options.allowed_ip_ranges is not None and not self.options.iam_authorization:
            statements.append(_statement(iam.Effect.ALLOW, "execute-api:/*"))
        return iam.PolicyDocument(statements=statements) if statements else None

    def method_options(self) -> dict[str, Any]:
        """Return the options of each method of the endpoint."""
        options: dict[str, Any] = {}
        if self.options.iam_authorization:
            options["authorization_type"] = apigateway.AuthorizationType.IAM
        if self.options.api_key:
            options["api_key_required"] = True
        return options

    def response_headers(self) -> dict[str, str]:
        """Return the headers that an answer needs before a browser shows it to its page."""
        if self.cors is None:
            return {}
        (origin,) = self.cors.allow_origins
        headers = {"Access-Control-Allow-Origin": origin}
        if origin != "*":
            headers["Vary"] = "Origin"
        if self.cors.allow_credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        if self.cors.expose_headers:
            headers["Access-Control-Expose-Headers"] = ",".join(self.cors.expose_headers)
        return headers


def add_preflights(resources: Sequence[apigateway.IResource], access: Access) -> None:
    """Add answers to a browser's preflights, unless an existing API has its own by default."""
    for resource in resources:
        preflight = resource.node.try_find_child("OPTIONS") if resource.default_cors_preflight_options else None
        if preflight is None and access.cors is not None:
            with taken_by_the_cdk("cors"):
                preflight = resource.add_cors_preflight(**properties(access.cors))
        method = preflight.node.default_child if preflight is not None else None
        if isinstance(method, apigateway.CfnMethod):
            # If every media type is binary, API Gateway otherwise fails on the mock's own template with 500.
            method.add_property_override("Integration.ContentHandling", "CONVERT_TO_TEXT")


def add_gateway_responses(api: apigateway.RestApi, access: Access) -> None:
    """Add the CORS headers to the errors of API Gateway itself, so that a page can read them."""
    headers = quoted(access.response_headers())
    if headers:
        api.add_gateway_response("Refused", type=apigateway.ResponseType.DEFAULT_4_XX, response_headers=headers)
        api.add_gateway_response("Failed", type=apigateway.ResponseType.DEFAULT_5_XX, response_headers=headers)


def usage_plan(
    scope: Construct, api: apigateway.RestApi, options: ApiOptions, throttle: Throttle
) -> tuple[apigateway.IApiKey | None, apigateway.UsagePlan | None]:
    """Return the key that a request needs, and the usage plan that connects it to the stage of the API."""
    if not options.api_key:
        return None, None
    key = options.api_key if not isinstance(options.api_key, bool) else apigateway.ApiKey(scope, "ApiKey")
    plan = apigateway.UsagePlan(
        scope,
        "UsagePlan",
        api_stages=[apigateway.UsagePlanPerApiStage(api=api, stage=api.deployment_stage)],
        throttle=apigateway.ThrottleSettings(rate_limit=throttle.rate_limit, burst_limit=throttle.burst_limit),
    )
    plan.add_api_key(key, override_logical_id=named_after(plan, "Key"))
    return key, plan


def web_acl_of_stage(scope: Construct, api: apigateway.RestApi, options: ApiOptions) -> "wafv2.CfnWebACL | None":
    """Add a web ACL to the stage of the API."""
    if not options.web_acl:
        return None
    from aws_cdk import aws_wafv2 as wafv2

    acl = options.web_acl if not isinstance(options.web_acl, bool) else _managed_rules(scope)
    wafv2.CfnWebACLAssociation(
        scope, "WebAclAssociation", resource_arn=api.deployment_stage.stage_arn, web_acl_arn=acl.attr_arn
    )
    return acl


def quoted(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as the literals of a parameter mapping."""
    return {name: f"'{value}'" for name, value in headers.items()}


def paths(mount: str) -> list[str]:
    """Return the paths of an endpoint as a policy has them: its own, and every path below."""
    return ["/*"] if mount == "/" else [mount, f"{mount}/*"]


def _statement(effect: iam.Effect, *resources: str, **properties: Any) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        effect=effect,
        principals=[iam.StarPrincipal()],
        actions=["execute-api:Invoke"],
        # API Gateway adds the ARN of the API in front, which the template of the API cannot name yet.
        resources=list(resources),
        **properties,
    )


def _managed_rules(scope: Construct) -> "wafv2.CfnWebACL":
    from aws_cdk import aws_wafv2 as wafv2

    def visible(name: str) -> "wafv2.CfnWebACL.VisibilityConfigProperty":
        return wafv2.CfnWebACL.VisibilityConfigProperty(
            cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
        )

    def rule(priority: int, group: str, counted: Sequence[str]) -> "wafv2.CfnWebACL.RuleProperty":
        count = wafv2.CfnWebACL.RuleActionProperty(count={})
        overrides = [wafv2.CfnWebACL.RuleActionOverrideProperty(name=name, action_to_use=count) for name in counted]
        return wafv2.CfnWebACL.RuleProperty(
            name=group,
            priority=priority,
            statement=wafv2.CfnWebACL.StatementProperty(
                managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                    vendor_name="AWS", name=group, rule_action_overrides=overrides or None
                )
            ),
            override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
            visibility_config=visible(group),
        )

    return wafv2.CfnWebACL(
        scope,
        "WebAcl",
        scope="REGIONAL",
        default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
        rules=[rule(priority, *group) for priority, group in enumerate(_MANAGED_RULES.items())],
        visibility_config=visible(Names.unique_resource_name(scope, max_length=128)),
    )


def _require_cors(value: apigateway.CorsOptions | None) -> None:
    """Require one origin, since the answers of the endpoint name it without looking at the request."""
    if value is None:
        return
    if Token.is_unresolved(value.allow_origins) or Token.is_unresolved(value.expose_headers):
        raise ValueError(
            "cors must have lists of allow_origins and expose_headers that are known at synth, got one that only "
            "deployment knows; write out the list: its elements may be such values"
        )
    if len(value.allow_origins) != 1:
        raise ValueError(
            f"cors must have one origin in allow_origins, got {', '.join(value.allow_origins) or 'none'}; "
            "name one, or '*' for any"
        )
    (origin,) = value.allow_origins
    if value.allow_credentials and origin == "*":
        raise ValueError(
            "cors must name the origin if allow_credentials is True, got '*'; "
            "name it, or leave allow_credentials out: no browser accepts the two together"
        )
    if not Token.is_unresolved(origin) and (origin != origin.lower() or origin.endswith("/")):
        raise ValueError(
            f"cors must have its origin as browsers write it, got {origin!r}; write it in lower case and without a "
            "path, for example 'https://example.com'"
        )
    lists = (each for each in (value.allow_headers, value.allow_methods) if each and not Token.is_unresolved(each))
    for text in [origin, *(value.expose_headers or []), *chain(*lists)]:
        if not Token.is_unresolved(text) and not re.fullmatch(r"[\x21-\x26\x28-\x7e]+", text):
            raise ValueError(
                "cors must have printable ASCII without quotes and spaces in its origin, methods and headers, got "
                f"{text!r}; for example 'https://example.com'"
            )


def _require_cors_of_preflight(value: apigateway.CorsOptions, preflight: apigateway.CorsOptions) -> None:
    """Reject an origin that the preflight of the API does not allow: a browser sends that first."""
    (origin,) = value.allow_origins
    if Token.is_unresolved(preflight.allow_origins) or not {origin, "*"}.isdisjoint(preflight.allow_origins):
        return
    raise ValueError(
        f"cors must name an origin that the preflight of api allows, got {origin}, and it allows "
        f"{', '.join(preflight.allow_origins)}; name one of these, or leave default_cors_preflight_options of api out"
    )
