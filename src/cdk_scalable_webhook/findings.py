"""What checkers find in what this library makes, and why it is as it is.

Each finding is acknowledged by its exact rule, at the one resource that has it, where it is made: a checker still tells
what your own code adds. cdk-nag reads it from the construct's metadata, which is in no template; checkov and cfn-lint
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
    """Rules that ask for the same, and why it is not done. ``{}`` in a rule is what the finding is about."""

    rules: tuple[str, ...]
    reason: str

    def about(self, stack: Stack, value: object) -> "Finding":
        """The finding about an ARN."""
        named = _flat(stack.resolve(value))
        return replace(self, rules=tuple(rule.format(named) for rule in self.rules))


# The API.
ANY_PAYLOAD = Finding(
    ("AwsSolutions-APIG2",),
    "A webhook is whatever its sender's schema says: source verifies it, event_filters drop what is not wanted.",
)
LOG_ROLE = Finding(
    ("AwsSolutions-IAM4[Policy::{}]",),
    "API Gateway writes logs by one role of the whole account, and this is the policy that AWS has for it.",
)
NO_CACHE = Finding(("CKV_AWS_120",), "Every webhook is stored; none may be answered from a cache.")
NO_EXECUTION_LOGS = Finding(
    ("AwsSolutions-APIG6",),
    "Execution logs hold headers, in which signatures and tokens are. The access log has a line for every request.",
)
NO_TRACING = Finding(("CKV_AWS_73",), "tracing=Tracing.ACTIVE turns it on; it costs by the trace.")
NO_WEB_ACL = Finding(("AwsSolutions-APIG3",), "web_acl=True puts one before the API; it costs by the rule and request.")

# A method of the endpoint. One of the last three, or iam_authorization, controls who may send.
NO_COGNITO = Finding(("AwsSolutions-COG4",), "The provider is a service, which has no user in a pool of Cognito.")
_UNAUTHORIZED = ("AwsSolutions-APIG4", "CKV_AWS_59")
SIGNED = Finding(
    _UNAUTHORIZED,
    "The source verifies each webhook, most of them by a payload, which no authorizer sees. Nothing else is stored.",
)
CERTIFIED = Finding(_UNAUTHORIZED, "Mutual TLS lets in only clients of the certificate authorities in the truststore.")
OPEN = Finding(
    _UNAUTHORIZED,
    "There is no source, so anyone who knows the URL may send. Synth warns: cdk-scalable-webhook:missingSource.",
)

# A function, its logs and its role.
SYNCHRONOUS = Finding(
    ("CKV_AWS_116",),
    "Only an asynchronous invocation needs it. Here the queue has a dead-letter queue, or the provider gets an error.",
)
THROTTLED_BY_MAPPING = Finding(
    ("CKV_AWS_115",),
    "max_concurrency of the event source mapping limits it; reserved_concurrent_executions would as well, and take "
    "from the account's other functions.",
)
THROTTLED_BY_STAGE = Finding(
    ("CKV_AWS_115",),
    "The throttle of its stage answers 429: a new API has one, an existing API if you set it. A reservation would "
    "answer 500, and take from the account's other functions.",
)
NO_VPC = Finding(("CKV_AWS_117",), "It calls nothing but public endpoints, by TLS; a VPC is where the sink needs one.")
AFTER_ITS_ROLE = Finding(
    ("W3005",), "The CDK lets a function wait for its role by name as well, which it refers to anyway: no harm is done."
)
NO_SECRETS = Finding(
    ("CKV_AWS_173",), "It holds names, ARNs and settings; secrets stay in Secrets Manager. Lambda encrypts it anyway."
)
LOGS_ENCRYPTED = Finding(
    ("CKV_AWS_158",),
    "CloudWatch Logs encrypts it by a key of its own; the construct writes no payload and no secret to it.",
)
NETWORK_INTERFACES = Finding(
    ("AwsSolutions-IAM5[Resource::*]", "CKV_AWS_111"),
    "Lambda makes a function's network interfaces by its role, and asks for them as AWS documents it: for any.",
)
TRACES = Finding(("AwsSolutions-IAM5[Resource::*]",), "X-Ray has no resource that a trace could be written to.")
OBJECTS = Finding(
    ("AwsSolutions-IAM5[Resource::{}]",), "Each payload is an object of its own, and nothing else is below this prefix."
)

KEY_OF_AN_ALIAS = Finding(
    ("AwsSolutions-IAM5[Resource::{}]",), "Its alias is all that is known of the key, and a condition asks for that."
)

# Queues, table and bucket.
QUEUE_ENCRYPTED = Finding(
    ("CKV_AWS_27",),
    "SQS encrypts it by keys of its own, which the rule does not know; for your own key, set encryption_key.",
)
NOTHING_BEHIND_IT = Finding(
    ("AwsSolutions-SQS3",), "Only a person receives from it: unverified messages are kept there for 4 days."
)
TABLE_ENCRYPTED = Finding(
    ("CKV_AWS_119",), "DynamoDB encrypts it by a key of its own; for your own key, set encryption_key."
)
NO_BUCKET_LOGS = Finding(
    ("AwsSolutions-S1", "CKV_AWS_18"),
    "Two functions reach it, and log each webhook by its id. If you need logs, pass a bucket that has them.",
)
NO_VERSIONS = Finding(
    ("CKV_AWS_21",),
    "A payload on its way is deleted once it is stored, and has to be gone then; none is ever overwritten.",
)


def acknowledge(construct: IConstruct, *findings: Finding) -> None:
    """Say of a resource why it is as it is. Once each: of what is in the template, the last is kept."""
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):  # a role that is made elsewhere, as by iam.Role.customize_roles()
        return
    reasons = {rule: finding.reason for finding in findings for rule in finding.rules}

    def of(checker: str) -> dict[str, str]:
        return {rule: reason for rule, reason in reasons.items() if rule.startswith(checker)}

    if of_cdk_nag := of("AwsSolutions-"):
        # What Validations.acknowledge() writes, which at the floor of our range refuses a rule with an ARN in it.
        resource.node.add_metadata(_key(), of_cdk_nag)
    if of_checkov := of("CKV_"):
        skip = [{"id": rule, "comment": reason} for rule, reason in of_checkov.items()]
        resource.add_metadata("checkov", {"skip": skip})
    if of_cfn_lint := of("W"):
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": list(of_cfn_lint)}})


def acknowledge_policy(principal: iam.IPrincipal, finding: Finding) -> None:
    """Say it of the policy beside a role, which has what was granted; one that is made elsewhere has it there."""
    policy = principal.node.try_find_child("DefaultPolicy") if isinstance(principal, iam.Role) else None
    if policy is not None:
        acknowledge(policy, finding)


@cache
def _key() -> str:
    return Validations.ACKNOWLEDGED_RULES_METADATA_KEY


def _flat(value: Any) -> str:
    """An ARN with references in it, as cdk-nag writes it."""
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
