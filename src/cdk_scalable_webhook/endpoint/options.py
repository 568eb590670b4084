"""The settings of a new REST API: its throttle, and its access control by API Gateway and WAF."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from aws_cdk import Token
from aws_cdk import aws_apigateway as apigateway

from cdk_scalable_webhook.checks.types import brief, typed
from cdk_scalable_webhook.checks.values import is_dummy, once_looked_up, require_number

if TYPE_CHECKING:  # importing it slows each synth
    from aws_cdk import aws_wafv2 as wafv2


@typed
@dataclass(frozen=True, kw_only=True)
class ApiOptions:
    """The settings of a new REST API, for ``ScalableWebhook(api=…)``. They apply to every endpoint of the API.

    Attributes:
        throttling_rate_limit: The requests a second that the API accepts before it answers 429: 1 to 100,000. It
            applies to each method of the stage: the path of an endpoint, and all paths below it. A limit above the
            account's has no effect. In front of a FIFO queue with one group it is 300 at most, since SQS takes no more
            there. Default: 1,000, a tenth of the limit that all APIs of an account share in a region; 300 in front of
            one group.
            See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
        throttling_burst_limit: The requests at once that the API accepts before it answers 429: 1 to 100,000, for each
            method of the stage. Default: 2,000; 300 in front of a FIFO queue with one group.
        api_key: Whether a request needs an ``x-api-key``, else 403: True for a new key, or an existing key. It
            identifies a caller and meters its requests, by a usage plan with the throttle of the API. AWS advises
            against it for authentication. It is no part of the webhook: it is neither stored nor passed on. Default: no
            key.
            See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
        allowed_ip_ranges: The CIDR ranges of IPv4 or IPv6 that may call, such as ``["203.0.113.0/24"]``. Other
            addresses get 403. To remove them later, set ``["0.0.0.0/0", "::/0"]``, since CloudFormation keeps the
            policy of an API that had one. Default: any address.
            See: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html
        iam_authorization: Whether a request must be signed with AWS Signature Version 4 by a principal that has
            ``grant_invoke()``; else 403. The signature is no part of the webhook. Default: no.
            See: https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
        web_acl: A web ACL of WAF in front of the API: True for a new one with AWS managed rules for webhooks, or an
            existing one of the scope REGIONAL. The rules of a new one that look into a payload, or limit it, only
            count. Default: none.
            See: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-aws-waf.html
        domain_name: Your own domain with its certificate. With ``mtls`` it has the certificate authorities whose
            clients may call; upload their file before you deploy. The API then has no other host name. The minimum is
            TLS 1.2 unless ``security_policy`` is set. Create the DNS record yourself, to ``webhook.api.domain_name``.
            Default: API Gateway's own host name.
            See: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html

    Raises:
        ValueError: A value is out of its limits.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-to-api.html
    """

    throttling_rate_limit: float | None = None
    throttling_burst_limit: int | None = None
    api_key: apigateway.IApiKey | bool = False
    allowed_ip_ranges: Sequence[str] | None = None
    iam_authorization: bool = False
    web_acl: "wafv2.CfnWebACL | bool" = False
    domain_name: apigateway.DomainNameOptions | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        require_number("throttling_rate_limit", self.throttling_rate_limit, 1, 100_000)
        require_number("throttling_burst_limit", self.throttling_burst_limit, 1, 100_000)
        _require_ip_ranges("allowed_ip_ranges", self.allowed_ip_ranges)
        _require_web_acl(self.web_acl)
        _require_domain_name(self.domain_name)

    @property
    def proves_caller(self) -> bool:
        """Whether a caller has to prove its identity, by a signature of IAM or by a certificate."""
        return self.iam_authorization or (self.domain_name is not None and self.domain_name.mtls is not None)

    @property
    def certificate(self) -> object | None:
        """The certificate of the domain, if it has to be in the region of the API. An edge-optimized domain has its
        certificate in us-east-1.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains-prerequisites.html
        """
        domain = self.domain_name
        is_regional = domain is not None and domain.endpoint_type is not apigateway.EndpointType.EDGE
        return domain.certificate if domain is not None and is_regional else None


# The messages a second that SQS takes in one group of a FIFO queue. It answers 503 to the others.
_OF_ONE_GROUP = 300


class Throttle(NamedTuple):
    """The limits of each method of the stage: requests a second, and requests at once."""

    rate_limit: float
    burst_limit: int

    @classmethod
    def of(cls, options: ApiOptions, *, one_group: bool) -> Self:
        """Return the limits of the options, or the default of each. The default rate is a tenth of the limit that all
        APIs of the account share in a region, so that no endpoint uses it up. One group of a FIFO queue takes less.

        Raises:
            ValueError: One group does not take so many.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
        """
        if one_group:
            for name in ("throttling_rate_limit", "throttling_burst_limit"):
                require_number(f"{name} in front of one message group", getattr(options, name), 1, _OF_ONE_GROUP)
        default = cls(_OF_ONE_GROUP, _OF_ONE_GROUP) if one_group else cls(1000, 2000)
        return cls(
            default.rate_limit if options.throttling_rate_limit is None else options.throttling_rate_limit,
            default.burst_limit if options.throttling_burst_limit is None else options.throttling_burst_limit,
        )


@once_looked_up
def _require_ip_ranges(argument: str, values: Sequence[str] | None) -> None:
    """Reject values that are no CIDR ranges of IPv4 or IPv6."""
    if values is None or Token.is_unresolved(list(values)):
        return
    if not values:
        raise ValueError(
            f"{argument} must be a list of one CIDR range or more, got {values!r}; "
            "for example ['203.0.113.0/24'], or leave it out: any address may call"
        )
    for value in values:
        if Token.is_unresolved(value):
            continue
        try:
            ip_network(value)
            if not re.fullmatch(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", value):  # Python accepts masks and zones, too
                raise ValueError("it is not written as a CIDR range")
        except ValueError as error:
            raise ValueError(
                f"{argument} must hold CIDR ranges of IPv4 or IPv6, got {brief(value)}: {error}; "
                "for example '203.0.113.0/24' or '2001:db8::/32'"
            ) from None


def _require_web_acl(value: Any) -> None:
    """Reject a web ACL that a stage of a REST API cannot have."""
    scope = getattr(value, "scope", None)
    if scope is not None and not Token.is_unresolved(scope) and scope != "REGIONAL":
        raise ValueError(
            f"web_acl must have the scope REGIONAL, got {scope}; create it with scope='REGIONAL', or pass True"
        )


def _require_domain_name(value: apigateway.DomainNameOptions | None) -> None:
    """Reject a URL and anything else that is no domain name. The CDK rejects capitals."""
    name = "" if value is None else value.domain_name
    label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    if value is None or Token.is_unresolved(name) or is_dummy(name):
        return
    if len(name) > 253 or not re.fullmatch(rf"(\*\.)?({label}\.)+{label}", name):
        raise ValueError(
            f"domain_name must have a domain's name without scheme and path, got {brief(name)}; "
            "for example 'hooks.example.com'"
        )
