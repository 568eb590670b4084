"""The findings of checkers in the resources of this library, and the reason for each.

Each finding is acknowledged by its exact rule, at the one resource that has it, so a checker still reports the findings
of your own code. cdk-nag reads it from the construct's metadata, which is in no template; checkov and cfn-lint
read it from the template. None of them is needed to synthesise.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from aws_cdk import CfnResource, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct


@dataclass(frozen=True)
class Finding:
    """Rules that require the same, and the reason not to do it. ``{}`` in a rule is the ARN of the finding."""

    rules: tuple[str, ...]
    reason: str

    def about(self, stack: Stack, value: object) -> "Finding":
        """Return the finding about an ARN."""
        named = _flat(stack.resolve(value))
        return replace(self, rules=tuple(rule.format(named) for rule in self.rules))


# The API.
ANY_PAYLOAD = Finding(
    ("AwsSolutions-APIG2",),
    "The provider decides the schema of a webhook: source verifies it, event_filters drop unwanted ones.",
)
LOG_ROLE = Finding(
    ("AwsSolutions-IAM4[Policy::{}]",),
    "API Gateway writes logs with one role of the whole account, and this is the policy that AWS has for it.",
)
NO_CACHE = Finding(("CKV_AWS_120",), "Every webhook is stored; none may be answered from a cache.")
NO_EXECUTION_LOGS = Finding(
    ("AwsSolutions-APIG6",),
    "Execution logs have headers, so signatures and tokens. The access log has a line for every request.",
)
NO_TRACING = Finding(("CKV_AWS_73",), "tracing=Tracing.ACTIVE turns it on; each trace costs money.")
NO_WEB_ACL = Finding(("AwsSolutions-APIG3",), "web_acl=True adds one; each rule and request costs money.")

# A method of the endpoint. It has one of the last three, or iam_authorization.
NO_COGNITO = Finding(("AwsSolutions-COG4",), "The provider is a service, which has no user in a pool of Cognito.")
_UNAUTHORIZED = ("AwsSolutions-APIG4", "CKV_AWS_59")
SIGNED = Finding(
    _UNAUTHORIZED,
    "The source verifies each webhook, mostly by its payload, which no authorizer sees. Nothing else is stored.",
)
CERTIFIED = Finding(_UNAUTHORIZED, "Mutual TLS lets in only clients of the certificate authorities in the truststore.")
OPEN = Finding(
    _UNAUTHORIZED,
    "There is no source, so anyone who knows the URL may send. Synth warns: cdk-scalable-webhook:missingSource.",
)

# A function, its logs and its role.
SYNCHRONOUS = Finding(
    ("CKV_AWS_116",),
    "Only asynchronous invocations use it. Here the queue has a dead-letter queue, or the provider gets an error.",
)
THROTTLED_BY_MAPPING = Finding(
    ("CKV_AWS_115",),
    "max_concurrency of the event source mapping limits it; reserved_concurrent_executions would too, but would take "
    "concurrency from other functions of the account.",
)
THROTTLED_BY_STAGE = Finding(
    ("CKV_AWS_115",),
    "The throttle of its stage answers 429: a new API has one, an existing one if you set it. A reservation would "
    "answer 500, and take concurrency from other functions of the account.",
)
NO_VPC = Finding(("CKV_AWS_117",), "It calls public endpoints only, over TLS; it is in a VPC if the sink needs one.")
AFTER_ITS_ROLE = Finding(
    ("W3005",), "The CDK makes a function wait for its role by name, although it refers to it: this is harmless."
)
NO_SECRETS = Finding(
    ("CKV_AWS_173",), "It has names, ARNs and settings; secrets stay in Secrets Manager. Lambda encrypts it anyway."
)
LOGS_ENCRYPTED = Finding(
    ("CKV_AWS_158",),
    "CloudWatch Logs encrypts it with a key of its own; this library writes neither payloads nor secrets to it.",
)
NETWORK_INTERFACES = Finding(
    ("AwsSolutions-IAM5[Resource::*]", "CKV_AWS_111"),
    "Lambda creates the network interfaces of a function with its role, and AWS documents these actions for *.",
)
TRACES = Finding(("AwsSolutions-IAM5[Resource::*]",), "X-Ray has no resource that a trace is written to.")
OBJECTS = Finding(
    ("AwsSolutions-IAM5[Resource::{}]",), "Each payload is an object of its own, and nothing else is below this prefix."
)

KEY_OF_AN_ALIAS = Finding(
    ("AwsSolutions-IAM5[Resource::{}]",), "Only the alias of the key is known, and a condition requires that alias."
)

# The queues, the table and the bucket.
QUEUE_ENCRYPTED = Finding(
    ("CKV_AWS_27",), "SQS encrypts it with keys of its own, which the rule ignores; encryption_key sets your own."
)
NOTHING_BEHIND_IT = Finding(
    ("AwsSolutions-SQS3",), "No function receives from it: it keeps webhooks that fail verification for people to read."
)
TABLE_ENCRYPTED = Finding(("CKV_AWS_119",), "DynamoDB encrypts it with a key of its own; encryption_key sets your own.")
NO_BUCKET_LOGS = Finding(
    ("AwsSolutions-S1", "CKV_AWS_18"),
    "Two functions use it, and log each webhook by its id. For access logs, pass an existing bucket that has them.",
)
NO_VERSIONS = Finding(
    ("CKV_AWS_21",),
    "A payload in flight is deleted once it is stored, and has to be gone then; none is ever overwritten.",
)


def acknowledge(construct: IConstruct, *findings: Finding) -> None:
    """Acknowledge findings at a resource. Call it once a resource: a second call replaces the first in the template."""
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):  # a role that is created elsewhere, as by iam.Role.customize_roles()
        return
    reasons = {rule: finding.reason for finding in findings for rule in finding.rules}

    def of(checker: str) -> dict[str, str]:
        return {rule: reason for rule, reason in reasons.items() if rule.startswith(checker)}

    if of_cdk_nag := of("AwsSolutions-"):
        # As Validations.acknowledge() does, which in our oldest CDK version rejects a rule with an ARN in it.
        resource.node.add_metadata(_key(), of_cdk_nag)
    if of_checkov := of("CKV_"):
        skip = [{"id": rule, "comment": reason} for rule, reason in of_checkov.items()]
        resource.add_metadata("checkov", {"skip": skip})
    if of_cfn_lint := of("W"):
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": list(of_cfn_lint)}})


def acknowledge_policy(principal: iam.IPrincipal, finding: Finding) -> None:
    """Acknowledge a finding at the default policy of a role. A role that is created elsewhere has its policy there."""
    policy = principal.node.try_find_child("DefaultPolicy") if isinstance(principal, iam.Role) else None
    if policy is not None:
        acknowledge(policy, finding)


@cache
def _key() -> str:
    return Validations.ACKNOWLEDGED_RULES_METADATA_KEY


def _flat(value: Any) -> str:
    """Return an ARN with references in it, as cdk-nag writes it."""
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
