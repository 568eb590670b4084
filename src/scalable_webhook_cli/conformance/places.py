"""The places where the app can be deployed: the local AWS, and an account."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from scalable_webhook_cli import cdk
from scalable_webhook_cli.conformance.world import STACK
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import deploy as deployments
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.target import Target

APP: Path = Path(__file__).parent / "app"
# API Gateway deletes one API in 30 seconds.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_DELETED_SECONDS = 1800
_OF_A_SIGN_IN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Place(Protocol):
    """An AWS for the app."""

    @property
    def target(self) -> Target: ...

    def deploy(self) -> None:
        """Deploy the app, or bring the one that is there up to date."""

    @property
    def by_hand(self) -> str:
        """The command that destroys it by hand."""


@dataclass(frozen=True)
class Local:
    """The local AWS."""

    emulator: Emulator
    verbose: bool = False

    @property
    def target(self) -> Target:
        return self.emulator.within(self.emulator.region)

    def deploy(self) -> None:
        deployments.deploy(self.emulator, APP, verbose=self.verbose)

    @property
    def by_hand(self) -> str:
        return f"scalable-webhook local destroy {APP}"


@dataclass(frozen=True)
class Account:
    """An account, by a profile, or by the credentials that boto3 finds."""

    target: Target
    verbose: bool = False

    def deploy(self) -> None:
        role = [f"log_role={self.log_role}"] if self.log_role else []
        with tempfile.TemporaryDirectory() as assembly:
            options = ["deploy", STACK, "--require-approval", "never", "--output", assembly, *cdk.context(role)]
            cdk.run(APP, options, self._environment, verbose=self.verbose, program=self.program)

    @property
    def by_hand(self) -> str:
        profile = f" --profile {self.target.profile}" if self.target.profile else ""
        return f"aws cloudformation delete-stack --stack-name {STACK} --region {self.region}{profile}"

    @cached_property
    def region(self) -> str:
        return str(self.target.client("cloudformation").meta.region_name)

    @cached_property
    def id(self) -> str:
        return str(self.target.client("sts").get_caller_identity()["Account"])

    @cached_property
    def program(self) -> str:
        """The CDK CLI that is first on the path: an account may trust AWS's own alone."""
        return shutil.which("cdk") or cdk.require("cdk", self._environment["PATH"])

    @cached_property
    def log_role(self) -> str | None:
        """The role by which API Gateway writes logs in the region. One that is there is kept."""
        role: str | None = self.target.client("apigateway").get_account().get("cloudwatchRoleArn")
        return role or None

    def require_bootstrapped(self) -> None:
        """
        Raises:
            CliError: The CDK cannot deploy to this region yet.
        """
        ssm = self.target.client("ssm")
        try:
            ssm.get_parameter(Name=cdk.BOOTSTRAPPED)
        except ssm.exceptions.ParameterNotFound:
            raise CliError(
                f"the CDK needs a bootstrapped region, got {self.region} without; run: cdk bootstrap "
                f"aws://{self.id}/{self.region}"
            ) from None

    @cached_property
    def _environment(self) -> dict[str, str]:
        here = {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        if self.target.profile is None:
            return cdk.environment(here, without=())
        # Credentials in the environment would win over the profile.
        return cdk.environment(here | {"AWS_PROFILE": self.target.profile}, without=_OF_A_SIGN_IN)


def destroy(target: Target) -> None:
    """Destroy the app, without the CDK: that may be what failed.

    Raises:
        CliError: CloudFormation could not delete a resource.
    """
    cloudformation = target.client("cloudformation")
    _empty_buckets(target)
    cloudformation.delete_stack(StackName=STACK)

    def is_gone() -> bool:
        stack = described(target)
        if stack is not None and stack["StackStatus"] == "DELETE_FAILED":
            raise CliError(f"CloudFormation says: {stack.get('StackStatusReason', 'DELETE_FAILED')}")
        return stack is None

    if not wait_for(is_gone, _DELETED_SECONDS, longest_pause=5):
        raise CliError(f"{STACK} is still there after {_DELETED_SECONDS // 60} minutes")


def described(target: Target) -> Mapping[str, Any] | None:
    """Return the description of the app's stack, or None if it is not deployed."""
    try:
        (stack,) = target.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if stack["StackStatus"] == "DELETE_COMPLETE" else dict(stack)


def _empty_buckets(target: Target) -> None:
    """Delete all objects of the app's bucket, which CloudFormation would else keep."""
    if described(target) is None:
        return
    s3 = target.client("s3")
    for page in target.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK):
        for resource in page["StackResourceSummaries"]:
            # Without an id it is not there yet.
            if resource["ResourceType"] == "AWS::S3::Bucket" and (bucket := resource.get("PhysicalResourceId")):
                for objects in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                    if keys := [{"Key": each["Key"]} for each in objects.get("Contents", [])]:
                        s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
