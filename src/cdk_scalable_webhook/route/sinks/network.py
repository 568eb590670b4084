"""The network from which the consumer function reaches a sink, and the certificates that it trusts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Annotations
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from cdk_scalable_webhook.checks.cdk import properties, require_same_environment, taken_by_the_cdk
from cdk_scalable_webhook.checks.values import require_unset
from cdk_scalable_webhook.route.sink import SinkNetwork

_CA_CERTIFICATES = "ca-certificates.pem"


def network(
    scope: Construct,
    vpc: ec2.IVpc | None,
    vpc_subnets: ec2.SubnetSelection | None,
    security_groups: Sequence[ec2.ISecurityGroup] | None,
    reaches: Sequence[ec2.IConnectable] = (),
) -> SinkNetwork | None:
    """Return the network of the function, or None without a VPC."""
    if vpc is None:
        require_unset("no vpc", vpc_subnets=vpc_subnets, security_groups=security_groups)
        return None
    require_same_environment(scope, vpc=vpc)
    isolated = ec2.SubnetType.PRIVATE_ISOLATED
    if vpc_subnets is None and not vpc.private_subnets and vpc.isolated_subnets:
        vpc_subnets = ec2.SubnetSelection(subnet_type=isolated)
    _require_subnets(vpc, vpc_subnets)
    if vpc_subnets is not None and vpc_subnets.subnet_type == isolated:
        Annotations.of(scope).add_warning_v2(
            "cdk-scalable-webhook:isolatedSubnets",
            "the consumer is in isolated subnets, and needs interface endpoints for SQS and Secrets Manager there: "
            "vpc.add_interface_endpoint(…). Acknowledge this warning once they exist.",
        )
    return SinkNetwork(vpc, vpc_subnets, security_groups, reaches)


def trust(ca_certificates: Path | None) -> tuple[str | None, Mapping[str, Path]]:
    """Return the name and the files by which the function finds the user's certificate authorities."""
    if ca_certificates is None:
        return None, {}
    return _CA_CERTIFICATES, {_CA_CERTIFICATES: ca_certificates}


def _require_subnets(vpc: ec2.IVpc, vpc_subnets: ec2.SubnetSelection | None) -> None:
    """Reject subnets that do not exist, or that a function cannot use."""
    argument = "vpc" if vpc_subnets is None else "vpc_subnets"
    with taken_by_the_cdk(argument):
        selected = vpc.select_subnets(**(properties(vpc_subnets) if vpc_subnets is not None else {}))
    # The CDK synthesises with a dummy first, looks the VPC up, and synthesises again.
    if selected.is_pending_lookup:
        return
    if selected.has_public or not selected.subnets:
        got = "public ones, from which a function reaches nothing" if selected.has_public else "none"
        has_some = vpc_subnets is not None and (vpc.private_subnets or vpc.isolated_subnets)
        remedy = "leave vpc_subnets out" if has_some else "pass a vpc with subnets of SubnetType.PRIVATE_WITH_EGRESS"
        raise ValueError(f"{argument} must have private or isolated subnets, got {got}; {remedy}")
