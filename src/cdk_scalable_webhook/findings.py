"""Findings of cdk-nag, checkov and cfn-lint in this library's resources, and the reason for each.

Each finding is suppressed by its exact rule on one resource, so checkers still report your own resources. cdk-nag reads
it from the construct's metadata, which is in no template. checkov and cfn-lint read it from the template. None of them
is needed to synthesise.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from aws_cdk import CfnResource, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct


@dataclass(frozen=True)
class Finding:
    """Rules that ask for the same, and why the resource does not do it. ``{}`` in a rule stands for an ARN."""

    rules: tuple[str, ...]
    reason: str

    def about(self, stack: Stack, value: object) -> "Finding":
        """Return the finding about an ARN."""
        named = _flat(stack.resolve(value))
        return replace(self, rules=tuple(rule.format(named) for rule in self.rules))


# The API.
ANY_PAYLOAD = Finding(
    ("AwsSolutions-APIG2",),
    "The provider decides what a webhook contains. source verifies it, and event_filters drop unwanted events.",
)
LOG_ROLE = Finding(
    ("AwsSolutions-IAM4[Policy::{}]",),
    "API Gateway writes logs with one role of the whole account, and this is the AWS managed policy for it.",
)
NO_CACHE = Finding(("CKV_AWS_120",), "Every webhook is stored, so a cache must not answer any.")
NO_EXECUTION_LOGS = Finding(
    ("AwsSolutions-APIG6",),
    "Execution logs contain headers with signatures and tokens. The access log has a line for every request.",
)
NO_TRACING = Finding(("CKV_AWS_73",), "tracing=Tracing.ACTIVE turns it on. Each trace costs money.")
NO_WEB_ACL = Finding(("AwsSolutions-APIG3",), "web_acl=True adds one. Each rule and request costs money.")

# A method of the endpoint. One of the last three, or iam_authorization, says who may send.
NO_COGNITO = Finding(("AwsSolutions-COG4",), "The provider is a service, and has no user in a Cognito user pool.")
_UNAUTHORIZED = ("AwsSolutions-APIG4", "CKV_AWS_59")
SIGNED = Finding(
    _UNAUTHORIZED,
    "The source verifies each webhook, mostly by its payload, which no authorizer sees. Nothing else is stored.",
)
CERTIFIED = Finding(_UNAUTHORIZED, "Mutual TLS lets in only clients of the certificate authorities in the truststore.")
OPEN = Finding(
    _UNAUTHORIZED,
    "There is no source, so anyone who knows the URL can send. Synth warns: cdk-scalable-webhook:missingSource.",
)

# A function, its logs and its role.
SYNCHRONOUS = Finding(
    ("CKV_AWS_116",),
    "Only asynchronous invocations use one. Here the queue has a dead-letter queue, or the provider gets an error.",
)
THROTTLED_BY_MAPPING = Finding(
    ("CKV_AWS_115",),
    "max_concurrency of the event source mapping limits it. reserved_concurrent_executions would too, and would take "
    "concurrency from the account's other functions.",
)
THROTTLED_BY_STAGE = Finding(
    ("CKV_AWS_115",),
    "The rate limit of the stage answers 429: always set on a new API, by you on an existing one. Reserved concurrency "
    "would answer 500, and take from the account's other functions.",
)
UNRESERVED = Finding(
    ("CKV_AWS_115",),
    "reserved_concurrency=False leaves it out, for an account whose quota is too small to reserve any.",
)
PUBLIC_URL = Finding(
    ("CKV_AWS_258",), "No provider signs by IAM. The source verifies each webhook, and nothing else is stored."
)
RARELY_CALLED = Finding(
    ("CKV_AWS_115",), "Only a log line of the consumer and a rule call it, the rule once a minute at most."
)
CALLED_AGAIN = Finding(
    ("CKV_AWS_116",), "If a call fails, the rule calls again a minute later, and the state is kept in tags."
)
NO_VPC = Finding(
    ("CKV_AWS_117",), "It calls only public endpoints, over TLS. It is in a VPC only if the sink needs one."
)
AFTER_ITS_ROLE = Finding(
    ("W3005",), "The CDK adds a dependency on the role, although the function refers to it anyway. It does no harm."
)
NO_SECRETS = Finding(
    ("CKV_AWS_173",),
    "Its variables are names, ARNs and settings. Secrets stay in Secrets Manager. Lambda encrypts them anyway.",
)
LOGS_ENCRYPTED = Finding(
    ("CKV_AWS_158",),
    "CloudWatch Logs encrypts it with its own key. This library writes no payload and no secret to it.",
)
NETWORK_INTERFACES = Finding(
    ("AwsSolutions-IAM5[Resource::*]", "CKV_AWS_111"),
    "Lambda creates the network interfaces with the function's role, and AWS documents that it needs any resource.",
)
TRACES = Finding(
    ("AwsSolutions-IAM5[Resource::*]",), "X-Ray has no resource that a permission to write traces could name."
)
OBJECTS = Finding(
    ("AwsSolutions-IAM5[Resource::{}]",), "Each payload is an object of its own, and nothing else is under this prefix."
)

KEY_OF_AN_ALIAS = Finding(
    ("AwsSolutions-IAM5[Resource::{}]",), "Only the alias of the key is known, and a condition requires that alias."
)

# Storage.
QUEUE_ENCRYPTED = Finding(
    ("CKV_AWS_27",),
    "SQS encrypts it with its own keys, which the rule does not know. encryption_key sets your own key.",
)
NOTHING_BEHIND_IT = Finding(
    ("AwsSolutions-SQS3",), "Only a person receives from it. It keeps unverified messages for a while."
)
TABLE_ENCRYPTED = Finding(("CKV_AWS_119",), "DynamoDB encrypts it with its own key. encryption_key sets your own key.")
NO_BUCKET_LOGS = Finding(
    ("AwsSolutions-S1", "CKV_AWS_18"),
    "Only two functions access it, and they log each webhook by its id. For access logs, pass an existing bucket "
    "that has them.",
)
NO_VERSIONS = Finding(
    ("CKV_AWS_21",),
    "A payload is deleted once it is stored, and must be gone then. No payload is ever overwritten.",
)


def acknowledge(construct: IConstruct, *findings: Finding) -> None:
    """Acknowledge the findings of a resource. Call it once per resource: in the template the last call wins."""
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):  # a role made elsewhere, as by iam.Role.customize_roles()
        return
    reasons = {rule: finding.reason for finding in findings for rule in finding.rules}

    def of(checker: str) -> dict[str, str]:
        return {rule: reason for rule, reason in reasons.items() if rule.startswith(checker)}

    if of_cdk_nag := of("AwsSolutions-"):
        # As Validations.acknowledge() does: the oldest supported CDK rejects a rule with an ARN in it.
        resource.node.add_metadata(_key(), of_cdk_nag)
    if of_checkov := of("CKV_"):
        skip = [{"id": rule, "comment": reason} for rule, reason in of_checkov.items()]
        resource.add_metadata("checkov", {"skip": skip})
    if of_cfn_lint := of("W"):
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": list(of_cfn_lint)}})


def acknowledge_policy(principal: iam.IPrincipal, finding: Finding) -> None:
    """Acknowledge a finding of the role's default policy, which holds the grants. Skip a role made elsewhere."""
    policy = principal.node.try_find_child("DefaultPolicy") if isinstance(principal, iam.Role) else None
    if policy is not None:
        acknowledge(policy, finding)


@cache
def _key() -> str:
    return Validations.ACKNOWLEDGED_RULES_METADATA_KEY


def _flat(value: Any) -> str:
    """Write an ARN with references as cdk-nag does."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    match function:
        case "Fn::Join":
            return "".join(map(_flat, argument[1]))
        case "Fn::GetAtt":
            return f"<{argument[0]}.{argument[1]}>"
        case "Ref":
            return f"<{argument}>"
    return str(value)
