"""Checks of objects of the CDK: a place in the tree, an environment, a struct."""

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from aws_cdk import CfnResource, Resource, Stack, Token
from constructs import Construct

from cdk_scalable_webhook.checks.types import brief

_MAX_ID = 190


def require_place(scope: Construct, id: str) -> None:
    """Reject a place in the tree where a construct cannot be."""
    if "${Token[" in id or not id or not id.isprintable():
        raise ValueError(f"id must be printable and known at synth, got {brief(id)}; for example 'Webhook'")
    if scope.node.try_find_child(id) is not None:
        raise ValueError(
            f"id must be new in {scope.node.path!r}, got {brief(id)}, which exists already; take {_free(scope, id)!r}"
        )
    try:
        Stack.of(scope)
    except RuntimeError:  # the CDK's
        raise ValueError(
            f"scope must be a Stack, or a construct in one, got {scope.node.path!r}, which is in none; pass a Stack"
        ) from None
    # The CDK builds names and descriptions from it, which AWS limits to 255 characters.
    size = len(re.sub("[^A-Za-z0-9]", "", scope.node.path + id))
    if size > _MAX_ID:
        raise ValueError(
            f"id must be {_MAX_ID} letters and digits at most together with the path of scope, got {size:,}; shorten it"
        )


def _free(scope: Construct, id: str) -> str:
    return next(name for number in count(2) if scope.node.try_find_child(name := f"{id}{number}") is None)


def require_same_environment(scope: Construct, **things: object) -> None:
    """Reject constructs of this app of another account or region: the CDK would fail at the end of the synth, without
    naming the argument. An imported resource may be of another account."""
    own = Stack.of(scope)
    for argument, thing in things.items():
        is_here = isinstance(thing, CfnResource) or (isinstance(thing, Construct) and Resource.is_owned_resource(thing))
        if not is_here:
            _same_region(own, argument, thing)
            continue
        assert isinstance(thing, Construct)
        other = Stack.of(thing)
        if other.environment != own.environment:
            remedy = "give both stacks the same env"
            # SQS moves messages to a dead-letter queue within an account only.
            if argument != "dead_letter_queue" and (other.region == own.region or Token.is_unresolved(other.region)):
                remedy += ", or import it by a method from_…() of its class"
            raise ValueError(
                f"{argument} must be of the account and the region of the ScalableWebhook, {_env(own)}, got "
                f"{thing.node.path} of {_env(other)}; {remedy}"
            )


def _same_region(own: Stack, argument: str, imported: Any) -> None:
    """Reject an imported resource of another region: functions call services in their own region, and Lambda polls no
    queue of another. The region is known if the CDK reads it from an ARN.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    region = getattr(getattr(imported, "env", None), "region", None)
    # The CDK does not read the region from the ARN of a certificate.
    arn = getattr(imported, "certificate_arn", None)
    if arn is not None and not Token.is_unresolved(arn):
        region = arn.split(":")[3]
    if region is None or Token.is_unresolved(region) or Token.is_unresolved(own.region) or region == own.region:
        return
    raise ValueError(
        f"{argument} must be of the region of the ScalableWebhook, {own.region}, got {imported.node.path} of {region}; "
        "put the ScalableWebhook into a stack of that region, or import one of this"
    )


def of_alias(key: Any) -> tuple[Any, str | None]:
    """Return the key of an alias, or the key itself; and the name of an alias whose key is not known."""
    alias = getattr(key, "alias_name", None)
    if alias is None:
        return key, None
    try:
        return key.alias_target_key, None
    except RuntimeError:  # the CDK's, for an imported alias
        return key, alias


def _env(stack: Stack) -> str:
    return stack.environment.removeprefix("aws://")


def properties(struct: object) -> dict[str, Any]:
    """Return the properties of a struct of the CDK, to pass as keywords."""
    return {name: getattr(struct, name) for name in inspect.signature(type(struct)).parameters}


@contextmanager
def taken_by_the_cdk(argument: str) -> Iterator[None]:
    """Turn an error of the CDK about an argument, which has a JavaScript trace, into a ValueError."""
    try:
        yield
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{argument} must be accepted by the CDK, got one of which it says: {said}") from None
