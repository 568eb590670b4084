"""The edge: who may come to the door at all, by what API Gateway and WAF check before any code of ours runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from aws_cdk import Annotations, Names, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_scalable_webhook import checks
from cdk_scalable_webhook.stack import named_after

if TYPE_CHECKING:  # importing it costs every synth
    from aws_cdk import aws_wafv2 as wafv2

# AWS's managed rules that suit a webhook, and those of them that only count. What looks into a payload, or limits it,
# must not refuse it: a payload is data that is stored and never interpreted here, so that an issue with ${jndi:…} in
# its title would be a webhook lost, and a limit of 8 KB many. A sender may have no User-Agent. The list of anonymous
# and hosting addresses is not among them, since that is where senders live.
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


class Throttle(NamedTuple):
    """What each method of the stage lets in: requests a second, and at once."""

    rate_limit: float
    burst_limit: int

    @classmethod
    def of(cls, rate_limit: float | None, burst_limit: int | None, *, fifo: bool) -> Self:
        """What somebody said, each of the two by itself. Else what a burst of webhooks needs, and of what all APIs of
        the account share in a region a tenth for each of the two methods of an endpoint, so that none takes it all;
        before a FIFO queue what that takes.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
        """
        checks.number("throttling_rate_limit", rate_limit, 1, 100_000)
        checks.number("throttling_burst_limit", burst_limit, 1, 100_000)
        default = cls(300, 300) if fifo else cls(1000, 2000)
        return cls(
            default.rate_limit if rate_limit is None else rate_limit,
            default.burst_limit if burst_limit is None else burst_limit,
        )


@dataclass(frozen=True)
class Edge:
    """What the API asks of a sender; every field is the argument of ``ScalableWebhook`` of its name. All but ``cors``
    guards every endpoint of the API."""

    api_key: apigateway.IApiKey | bool | None
    allowed_ip_ranges: Sequence[str] | None
    iam_authorization: bool
    web_acl: "wafv2.CfnWebACL | bool | None"
    domain_name: apigateway.DomainNameOptions | None
    cors: apigateway.CorsOptions | None

    def __post_init__(self) -> None:
        """Check the values."""
        checks.ip_ranges("allowed_ip_ranges", self.allowed_ip_ranges)
        checks.web_acl(self.web_acl)
        checks.domain_name(self.domain_name)
        checks.cors(self.cors)

    def guards(self) -> dict[str, object]:
        """What was asked for to guard the whole API; None for what was not."""
        return {name: value or None for name, value in vars(self).items() if name != "cors"}

    def of_further_endpoint(self) -> "Edge":
        """The same guards, and no pages of an origin that may send: nobody has said so of this endpoint."""
        return replace(self, cors=None)

    def at(self, mount: apigateway.IResource) -> "Edge":
        """The same at a resource of an API, which may have preflights by default: it answers them by itself, and our
        answers say the same."""
        preflight = mount.default_cors_preflight_options
        if preflight is None:
            return self
        if self.cors is not None:
            checks.cors_of_preflight(self.cors, preflight)
            return self
        if len(preflight.allow_origins) != 1 or Token.is_unresolved(preflight.allow_origins):
            Annotations.of(mount).add_warning_v2(
                "cdk-scalable-webhook:corsOrigins",
                "cors should name one origin, got an api whose preflight has another number of them: no answer of the "
                "endpoint says which page may read it, so that a page takes each webhook for failed, and may send it "
                "again.",
            )
            return self
        return replace(self, cors=preflight)

    @property
    def proves_sender(self) -> bool:
        """Whether a sender has to prove who it is: by a signature of IAM's, or by a certificate."""
        return self.iam_authorization or (self.domain_name is not None and self.domain_name.mtls is not None)

    def resource_policy(self, mount: str) -> iam.PolicyDocument | None:
        """Who may call from where. ``mount`` is where the endpoint is that ``cors`` is for.

        Without a policy API Gateway lets everybody in, with one nobody who is not allowed. With IAM authorization it is
        the caller's own policy that allows: within an account either of the two suffices, so an Allow for everybody
        here would let in whoever can sign. A browser's preflight is never signed.

        See: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
        """
        statements = []
        if self.allowed_ip_ranges is not None:
            elsewhere = {"NotIpAddress": {"aws:SourceIp": list(self.allowed_ip_ranges)}}
            statements.append(_statement(iam.Effect.DENY, "execute-api:/*", conditions=elsewhere))
        if self.iam_authorization and self.cors is not None:
            preflights = [f"execute-api:/*/OPTIONS{path}" for path in paths(mount)]
            statements.append(_statement(iam.Effect.ALLOW, *preflights))
        elif self.allowed_ip_ranges is not None and not self.iam_authorization:
            statements.append(_statement(iam.Effect.ALLOW, "execute-api:/*"))
        return iam.PolicyDocument(statements=statements) if statements else None

    def method_options(self) -> dict[str, Any]:
        """What each method of the door asks for."""
        options: dict[str, Any] = {}
        if self.iam_authorization:
            options["authorization_type"] = apigateway.AuthorizationType.IAM
        if self.api_key:
            options["api_key_required"] = True
        return options

    def response_headers(self) -> dict[str, str]:
        """What a browser must find on an answer before it shows it to its page."""
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


def add_preflights(resources: Sequence[apigateway.IResource], edge: Edge) -> None:
    """The answers to a browser that asks before it sends: ours, or those that an API of the user's has by default."""
    for resource in resources:
        preflight = resource.node.try_find_child("OPTIONS") if resource.default_cors_preflight_options else None
        if preflight is None and edge.cors is not None:
            with checks.taken_by_the_cdk("cors"):
                preflight = resource.add_cors_preflight(**checks.properties(edge.cors))
        method = preflight.node.default_child if preflight is not None else None
        if isinstance(method, apigateway.CfnMethod):
            # Where every media type is binary, API Gateway else fails on the mock's own template with 500.
            method.add_property_override("Integration.ContentHandling", "CONVERT_TO_TEXT")


def add_gateway_responses(api: apigateway.RestApi, edge: Edge) -> None:
    """What API Gateway answers by itself is shown to a page as well."""
    headers = quoted(edge.response_headers())
    if headers:
        api.add_gateway_response("Refused", type=apigateway.ResponseType.DEFAULT_4_XX, response_headers=headers)
        api.add_gateway_response("Failed", type=apigateway.ResponseType.DEFAULT_5_XX, response_headers=headers)


def usage_plan(
    scope: Construct, api: apigateway.RestApi, edge: Edge, throttle: Throttle | None
) -> tuple[apigateway.IApiKey | None, apigateway.UsagePlan | None]:
    """The key that senders have to send, and the plan by which it opens the API's stage. ``throttle`` is the stage's;
    an API that was brought has none of ours, and no key."""
    if not edge.api_key or throttle is None:
        return None, None
    key = apigateway.ApiKey(scope, "ApiKey") if edge.api_key is True else edge.api_key
    plan = apigateway.UsagePlan(
        scope,
        "UsagePlan",
        api_stages=[apigateway.UsagePlanPerApiStage(api=api, stage=api.deployment_stage)],
        throttle=apigateway.ThrottleSettings(rate_limit=throttle.rate_limit, burst_limit=throttle.burst_limit),
    )
    plan.add_api_key(key, override_logical_id=named_after(plan, "Key"))
    return key, plan


def web_acl_of_stage(scope: Construct, api: apigateway.RestApi, edge: Edge) -> "wafv2.CfnWebACL | None":
    """The web ACL of the API's stage."""
    if not edge.web_acl:
        return None
    from aws_cdk import aws_wafv2 as wafv2

    acl = _managed_rules(scope) if edge.web_acl is True else edge.web_acl
    wafv2.CfnWebACLAssociation(
        scope, "WebAclAssociation", resource_arn=api.deployment_stage.stage_arn, web_acl_arn=acl.attr_arn
    )
    return acl


def quoted(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as the literals of a parameter mapping."""
    return {name: f"'{value}'" for name, value in headers.items()}


def paths(mount: str) -> list[str]:
    """All that an endpoint is, as a policy has it: its mount, and every path below."""
    return ["/*"] if mount == "/" else [mount, f"{mount}/*"]


def _statement(effect: iam.Effect, *resources: str, **properties: Any) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        effect=effect,
        principals=[iam.StarPrincipal()],
        actions=["execute-api:Invoke"],
        # API Gateway puts its own ARN before it, which the API's template cannot name yet.
        resources=list(resources),
        **properties,
    )


def _managed_rules(scope: Construct) -> "wafv2.CfnWebACL":
    from aws_cdk import aws_wafv2 as wafv2

    def visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
        return wafv2.CfnWebACL.VisibilityConfigProperty(
            cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
        )

    def rule(priority: int, group: str, counted: Sequence[str]) -> wafv2.CfnWebACL.RuleProperty:
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
