"""Synth-time guardrails: a wrong argument is a ValueError in the constructor, never a failed deployment.

Every message names the argument, the limit, the value that it got and what to do instead. Values that are known only at
deployment (tokens) pass. The limits are those of
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html.
"""

import ast
import functools
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from aws_cdk import CfnResource, Duration, Reference, RemovalPolicy, Resource, Stack, Token, Tokenization
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import distributions
from cdk_scalable_webhook.arguments import brief
from webhook_runtime.contract import variables
from webhook_runtime.contract.headers import ADDED, NEVER_ARRIVE
from webhook_runtime.signed import OF_URLS, around

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_ec2 as ec2

_STANDARD_MAX_BATCH = 10_000
_FIFO_MAX_BATCH = 10
_MAX_WINDOW = Duration.minutes(5)
_QUEUE_DEFAULT_VISIBILITY = 30
_QUEUE_DEFAULT_RETENTION = 4 * 24 * 3600
_TOKEN_LENGTH = 100
_MAX_ACKNOWLEDGEMENT = 1024
_MAX_ID = 190
_Check = TypeVar("_Check", bound=Callable[..., None])

# What the CDK gives for a parameter of SSM that it has not looked up yet.
_DUMMY = "dummy-value-for-"


def _once_looked_up(check: _Check) -> _Check:
    """Refuse no text that stands for what is still looked up: the CDK synthesises with a dummy, looks up, and
    synthesises anew.

    https://docs.aws.amazon.com/cdk/v2/guide/get-context-var.html
    """

    @functools.wraps(check)
    def checked(*args: Any, **kwargs: Any) -> None:
        if not any(_is_dummy(value) for value in [*args, *kwargs.values()]):
            check(*args, **kwargs)

    return cast(_Check, checked)


def _is_dummy(value: object) -> bool:
    values = [value] if isinstance(value, str) else value if isinstance(value, Sequence) else []
    return any(isinstance(each, str) and _DUMMY in each for each in values)


def place(scope: Construct, id: str) -> None:
    """A place in the tree where a construct can be."""
    if "${Token[" in id or not id or not id.isprintable():
        raise ValueError(f"id must be printable and known at synth, got {brief(id)}; for example 'Webhook'")
    if scope.node.try_find_child(id) is not None:
        raise ValueError(
            f"id must be new in {scope.node.path!r}, got {brief(id)}, which is there already; take {_free(scope, id)!r}"
        )
    try:
        Stack.of(scope)
    except RuntimeError:  # the CDK's
        raise ValueError(
            f"scope must be a Stack, or a construct in one, got {scope.node.path!r}, which is in none; pass a Stack"
        ) from None
    # The CDK makes names and descriptions of it, with more around it, which AWS limits to 255.
    size = len(re.sub("[^A-Za-z0-9]", "", scope.node.path + id))
    if size > _MAX_ID:
        raise ValueError(
            f"id must be {_MAX_ID} letters and digits at most together with the path of scope, got {size:,}; shorten it"
        )


def _free(scope: Construct, id: str) -> str:
    return next(name for number in count(2) if scope.node.try_find_child(name := f"{id}{number}") is None)


def number(argument: str, value: float | None, low: float, high: float, remedy: str = "") -> None:
    """Refuse a number outside its limits. ``remedy`` is for one that is too low, where that is not to raise it."""
    if value is None or Token.is_unresolved(value) or low <= value <= high:
        return
    remedy = "lower it" if value > high else remedy or "raise it"
    raise ValueError(f"{argument} must be between {low:,} and {high:,}, got {value:,}; {remedy}")


def duration(argument: str, value: Duration | None, low: Duration, high: Duration) -> None:
    """Refuse a duration outside its limits, or of less than whole seconds, which neither SQS nor Lambda counts."""
    if value is not None and value.is_unresolved() and not _is_in_seconds(value):
        raise ValueError(
            f"{argument} must be in seconds where only deployment knows it, got another unit; say Duration.seconds(…)"
        )
    seconds = known_seconds(value)
    if seconds is None:
        return
    if not known(low) <= seconds <= known(high):
        limits = f"between {show(low)} and {show(high)}"
        remedy = "lower it" if seconds > known(high) else "raise it"
        raise ValueError(f"{argument} must be {limits}, got {show(value)}; {remedy}")
    if seconds % 1:
        raise ValueError(f"{argument} must be in whole seconds, got {seconds:g} seconds; round it")


def _is_in_seconds(value: Duration) -> bool:
    """Whether a duration that only deployment knows can be counted in seconds: nobody multiplies it there."""
    try:
        return bool(value.to_seconds())
    except RuntimeError:  # the CDK's
        return False


def period(value: Duration | None) -> None:
    """What one point of a metric may stand for. Those of SQS, Lambda and a log come once a minute: an alarm that asks
    more often finds none.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-cloudwatch-alarm-metricstat.html
    """
    seconds = known_seconds(value)
    if seconds is not None and (seconds < 60 or seconds % 60):
        raise ValueError(
            f"period must be in whole minutes, got {seconds:g} seconds; there is one point a minute: take "
            "Duration.minutes(1)"
        )


def removal_policy(value: RemovalPolicy | None) -> None:
    """Nothing that a webhook has can be kept as a snapshot."""
    if value is RemovalPolicy.SNAPSHOT:
        raise ValueError(
            "removal_policy must be DESTROY, RETAIN or RETAIN_ON_UPDATE_OR_DELETE, got SNAPSHOT, which neither table, "
            "queues, bucket nor log groups have; take RemovalPolicy.RETAIN"
        )


def max_concurrency(value: int) -> None:
    """The event source mapping's own limits."""
    number(
        "max_concurrency",
        value,
        2,
        1000,
        "for one at a time leave it out and bring a FIFO queue: an endpoint sends all in one message group",
    )


def batching(batch_size: int, window: Duration | None, *, fifo: bool) -> None:
    """Batch size and window, which depend on each other and on the kind of queue."""
    if fifo and window is not None and known_seconds(window) != 0:
        raise ValueError(
            f"max_batching_window must not be set for a FIFO queue, got {show(window)}; "
            "leave it out: Lambda does not support a window there"
        )
    if fifo:
        number("batch_size of a FIFO queue", batch_size, 1, _FIFO_MAX_BATCH)
    number("batch_size", batch_size, 1, _STANDARD_MAX_BATCH)
    duration("max_batching_window", window, Duration.seconds(0), _MAX_WINDOW)
    if Token.is_unresolved(batch_size) or batch_size <= _FIFO_MAX_BATCH:
        return
    if window is None or known_seconds(window) == 0:
        raise ValueError(
            f"batch_size above 10 needs a max_batching_window of at least 1 second, got batch_size {batch_size:,} and "
            f"{'no window' if window is None else show(window)}; add max_batching_window=Duration.seconds(1)"
        )


def visibility_timeout(value: Duration | None, timeout: Duration | None, window: Duration | None) -> None:
    """A message must stay invisible while it is worked on, retries of throttled batches included."""
    duration("visibility_timeout", value, Duration.seconds(0), Duration.hours(12))
    visible, busy, waiting = known_seconds(value), known_seconds(timeout), known_seconds(window) or 0
    if visible is None or busy is None:
        return
    if visible < busy:
        raise ValueError(
            f"visibility_timeout must not be shorter than the consumer's timeout of {show(timeout)}, "
            f"got {show(value)}; leave it out: 6 x timeout + max_batching_window is right"
        )
    if visible < 6 * busy + waiting:
        raise ValueError(
            "visibility_timeout must be at least 6 x timeout + max_batching_window, "
            f"here {6 * busy + waiting:.0f} seconds, got {show(value)}; leave it out, or shorten timeout"
        )


def brought_queue_visibility(queue: sqs.IQueue, timeout: Duration | None, window: Duration | None) -> None:
    """The same of a queue that was brought."""
    visible, busy = _property(queue, "visibility_timeout", _QUEUE_DEFAULT_VISIBILITY), known_seconds(timeout)
    needed = None if busy is None else 6 * busy + (known_seconds(window) or 0)
    if visible is not None and needed is not None and visible < needed:
        raise ValueError(
            "the visibility timeout of queue must be at least 6 x timeout + max_batching_window, here "
            f"{needed:.0f} seconds, got {visible:.0f} seconds; create the queue with "
            f"visibility_timeout=Duration.seconds({needed:.0f}), or shorten timeout"
        )


def api_stack(scope: Construct, api: apigateway.RestApi) -> None:
    """The API's methods name the function or the role of the door, whose permission names the API."""
    if Stack.of(api) is not Stack.of(scope):
        raise ValueError(
            f"api must be in the stack of the ScalableWebhook, got {api.node.path} for {scope.node.path}; "
            "put the ScalableWebhook into the stack of the API, and bring queue or sink from another"
        )


def free_path(path: str, taken: Any) -> None:
    """A place in an API that nobody else serves."""
    if taken is None:
        return
    remedy = "take another path"
    if path == "/" and isinstance(getattr(taken, "api", None), apigateway.LambdaRestApi):
        remedy = "create the LambdaRestApi with proxy=False: it takes no other path, either"
    raise ValueError(f"path must be free in api, got {path!r}, which has {taken.node.id} already; {remedy}")


def no_cache(path: str, stage: apigateway.Stage | None) -> None:
    """A webhook that is answered from a cache is not stored.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
    """
    resource = stage.node.default_child if stage is not None else None
    told = Stack.of(resource).resolve(resource.method_settings) if isinstance(resource, apigateway.CfnStage) else None
    of_endpoint = ("/*", path, f"{path.rstrip('/')}/{{proxy+}}")
    for each in told or []:
        where = "/" + str(each.get("resourcePath", "")).replace("~1", "/").strip("/")
        if each.get("cachingEnabled") is True and where in of_endpoint:
            raise ValueError(
                f"api must not answer an endpoint from a cache, got a stage with caching_enabled for {where}, and with "
                f"it for {path}; leave it out of the stage, and switch it on by method_options for the methods that "
                "want it"
            )


def no_variable_below(path: str, mount: apigateway.IResource) -> None:
    """API Gateway takes one variable at a place, and an endpoint is every path below it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
    """
    for child in mount.node.children:
        below = child.path if isinstance(child, apigateway.Resource) else ""
        if re.search(r"/{[^/+]+\+?}$", below) and not below.endswith("/{proxy+}"):
            raise ValueError(
                f"path must have no variable below it in api, got {path!r}, which has {below}; take another path: "
                "API Gateway takes one variable at a place, and the endpoint needs {proxy+} there"
            )


def same_environment(scope: Construct, **things: object) -> None:
    """What was made in this app for another account or region: the CDK would say so at the end of the synth, and not
    which argument it was. What is imported is where its ARN says, which may be another account."""
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
            # SQS moves messages within an account.
            if argument != "dead_letter_queue" and (other.region == own.region or Token.is_unresolved(other.region)):
                remedy += ", or import it by a method from_…() of its class"
            raise ValueError(
                f"{argument} must be of the account and the region of the ScalableWebhook, {_env(own)}, got "
                f"{thing.node.path} of {_env(other)}; {remedy}"
            )


def certificate_of(domain_name: apigateway.DomainNameOptions | None) -> dict[str, object]:
    """The certificate of a domain that is in the region of its API. One at the edge has its own in us-east-1.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains-prerequisites.html
    """
    if domain_name is None or domain_name.endpoint_type is apigateway.EndpointType.EDGE:
        return {}
    return {"the certificate of domain_name": domain_name.certificate}


def _same_region(own: Stack, argument: str, imported: Any) -> None:
    """Functions ask in their own region for what they are given, and Lambda polls no queue of another. The region is
    known where the CDK reads it in an ARN.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    region = getattr(getattr(imported, "env", None), "region", None)
    # Of a certificate the CDK does not look into the ARN.
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
    """The key that an alias is of, or the key itself; and the name of an alias of which nothing else is known."""
    alias = getattr(key, "alias_name", None)
    if alias is None:
        return key, None
    try:
        return key.alias_target_key, None
    except RuntimeError:  # the CDK's, of one that was imported
        return key, alias


def encryption_key(key: Any) -> None:
    """A key that queues, table and bucket can be encrypted by.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    if key is None:
        return
    key, alias = of_alias(key)
    if alias is not None and not Token.is_unresolved(alias) and alias.startswith("alias/aws/"):
        raise ValueError(
            f"encryption_key must be a key of yours, got {alias}, which AWS manages for one of its services; create a "
            "kms.Key, or leave it out: AWS's own keys encrypt then"
        )
    resource = key.node.default_child
    spec, usage = getattr(resource, "key_spec", None), getattr(resource, "key_usage", None)
    symmetric = spec in (None, "SYMMETRIC_DEFAULT") and usage in (None, "ENCRYPT_DECRYPT")
    if not symmetric and not Token.is_unresolved(spec) and not Token.is_unresolved(usage):
        raise ValueError(
            f"encryption_key must be symmetric and for encryption, got {spec or usage}; create it without key_spec and "
            "key_usage"
        )
    if getattr(resource, "enabled", None) is False:
        raise ValueError(f"encryption_key must be enabled, got {key.node.path}, which is not; leave enabled out of it")


def dead_letter_account(scope: Construct, dead_letter_queue: sqs.IQueue) -> None:
    """SQS moves messages within an account.

    https://docs.aws.amazon.com/sdk-for-java/v1/developer-guide/examples-sqs-dead-letter-queues.html
    """
    own, other = Stack.of(scope).account, dead_letter_queue.env.account
    if not Token.is_unresolved(own) and not Token.is_unresolved(other) and own != other:
        raise ValueError(
            f"dead_letter_queue must be of the account of the ScalableWebhook, {own}, got "
            f"{dead_letter_queue.node.path} of {other}; bring one of this account, or leave it out"
        )


def _env(stack: Stack) -> str:
    return stack.environment.removeprefix("aws://")


def consumer_stack(scope: Construct, consumer: lambda_.Function, queue: sqs.IQueue | None) -> None:
    """The consumer's permissions name the queue, and what delivers the queue names the consumer: neither of two stacks
    could be deployed before the other."""
    is_here = queue is None or (queue.node.default_child is not None and Stack.of(queue) is Stack.of(scope))
    if is_here and Stack.of(consumer) is not Stack.of(scope):
        raise ValueError(
            f"consumer must be in the stack of the queue, got {consumer.node.path} for a queue of "
            f"{Stack.of(scope).node.path}; put the ScalableWebhook into the stack of the consumer, or bring a queue "
            "of that stack"
        )
    role = consumer.role
    is_made = isinstance(role, iam.Role) and Resource.is_owned_resource(role)
    if is_here and is_made and role is not None and Stack.of(role) is not Stack.of(scope):
        raise ValueError(
            f"consumer must have a role of the stack of the queue, got {role.node.path} for a queue of "
            f"{Stack.of(scope).node.path}; give the function a role of that stack, or import the role there by "
            "iam.Role.from_role_arn()"
        )


# The child of an app that knows which queues have a consumer.
_CONSUMED = "ScalableWebhook Queues"


def free_queue(queue: sqs.IQueue) -> None:
    """Two consumers of one queue would each get what is meant for the other. A queue may be here under several names:
    made, and imported, by several stacks.
    """
    root = cast(Construct, queue.node.root)
    consumed = root.node.try_find_child(_CONSUMED) or Construct(root, _CONSUMED)
    for name in sorted(_names(queue)):
        if consumed.node.try_find_child(name) is not None:
            raise ValueError(
                f"queue must have one consumer, got {queue.node.path}, which another ScalableWebhook has already; "
                "call add_source() of that one, which shares queue and consumer"
            )
        Construct(cast(Construct, consumed), name)


def _names(queue: sqs.IQueue) -> set[str]:
    """Every ARN by which a queue is known here. One that only deployment knows says nothing to another stack."""
    stack, resource = Stack.of(queue), queue.node.default_child
    arns = [queue.queue_arn]
    if isinstance(resource, sqs.CfnQueue) and (name := stack.resolve(resource.queue_name)) is not None:
        arns.append(stack.format_arn(service="sqs", resource=name))
    return {_spelled(stack, arn) for arn in arns}


def _spelled(stack: Stack, text: str) -> str:
    """Service, region, account and name of an ARN: the same text for the same thing, however it was written."""
    # What is of another stack is named by that, and an export by its account and region, where these are known.
    for token in Tokenization.reverse_string(text).tokens:
        if Reference.is_reference(token):
            stack = Stack.of(cast(Reference, token).target)
    arn = stack.resolve(text)
    if isinstance(arn, dict) and "Fn::ImportValue" in arn and not Token.is_unresolved(stack.account):
        return f"{stack.environment} {json.dumps(arn, sort_keys=True)}"
    parts = arn["Fn::Join"][1] if isinstance(arn, dict) and "Fn::Join" in arn else [arn]
    partition = {"Ref": "AWS::Partition"}
    if any(part != partition and not isinstance(part, str) for part in parts):
        return f"{stack.node.path} {json.dumps(arn, sort_keys=True)}"
    return ":".join("".join("aws" if part == partition else part for part in parts).split(":")[2:])


def reserved_concurrency(
    reserved: float | None,
    max_concurrency: int,
    *,
    argument: str = "reserved_concurrent_executions",
    remedy: str = "leave it out",
) -> None:
    """Reserved concurrency below the mapping's maximum throttles the function, and throttled messages get lost in the
    DLQ."""
    if reserved is None or Token.is_unresolved(reserved) or Token.is_unresolved(max_concurrency):
        return
    if reserved < max_concurrency:
        raise ValueError(
            f"{argument} must be at least max_concurrency ({max_concurrency:,}), got {reserved:,.0f}; "
            f"{remedy}: max_concurrency alone throttles the consumer"
        )


def brought_consumer_concurrency(consumer: lambda_.Function, max_concurrency: int, *, fifo: bool) -> None:
    """The same of a function that was brought. A FIFO queue has one batch at a time, whatever the maximum says."""
    resource = consumer.node.default_child
    reserved = resource.reserved_concurrent_executions if isinstance(resource, lambda_.CfnFunction) else None
    if not fifo:
        argument, remedy = "reserved_concurrent_executions of consumer", "raise it, or leave it out"
        reserved_concurrency(reserved, max_concurrency, argument=argument, remedy=remedy)


def dead_letter_retention(dead_letter_queue: sqs.IQueue, needed: float | None) -> None:
    """A message keeps its age when it moves: with a shorter retention than its queue's, in seconds, it would be deleted
    on arrival."""
    kept = retention_of(dead_letter_queue)
    if kept is not None and needed is not None and kept < needed:
        raise ValueError(
            f"the retention period of dead_letter_queue must not be shorter than the queue's {needed:.0f} seconds, "
            f"got {kept:.0f} seconds; give the dead-letter queue retention_period=Duration.days(14)"
        )


def dead_letters_let_in(dead_letter_queue: sqs.IQueue, queue: sqs.IQueue | None) -> None:
    """SQS refuses a redrive policy that the dead-letter queue does not allow. ``queue`` is None for one that is about
    to be made, which no list can have in it.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    resource = dead_letter_queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        return
    stack, policy = Stack.of(dead_letter_queue), resource.redrive_allow_policy
    told = policy if isinstance(policy, Mapping) else {}
    permission, allowed = told.get("redrivePermission"), told.get("sourceQueueArns", [])
    if permission not in ("denyAll", "byQueue") or not isinstance(allowed, list):
        return
    if queue is not None and not _names(queue).isdisjoint(_spelled(stack, arn) for arn in allowed):
        return
    got = "nobody" if permission == "denyAll" else f"{len(allowed)} others"
    raise ValueError(
        f"the redrive-allow policy of dead_letter_queue must let the queue in, got one that lets in {got}; create the "
        "dead-letter queue without redrive_allow_policy, or with sqs.RedrivePermission.ALLOW_ALL in it"
    )


def same_kind(queue_fifo: bool, dead_letter_queue: sqs.IQueue | None) -> None:
    """SQS wants the dead-letter queue of a FIFO queue to be FIFO, and of a standard queue to be standard."""
    if dead_letter_queue is None or dead_letter_queue.fifo == queue_fifo:
        return
    kinds = {True: "FIFO", False: "standard"}
    raise ValueError(
        f"dead_letter_queue must be a {kinds[queue_fifo]} queue like the queue that it serves, "
        f"got a {kinds[dead_letter_queue.fifo]} queue; bring a {kinds[queue_fifo]} one, or leave it out"
    )


def nothing_set(brought: str, remedy: str = "", /, **settings: object) -> None:
    """Refuse settings that would shape a thing which was brought, and which nobody would apply. The remedy is for those
    that the thing does not have either; ``{them}`` in it is how to speak of the settings."""
    given = [name for name, value in settings.items() if value is not None]
    if given:
        them = "it" if len(given) == 1 else "them"
        if not remedy and brought.startswith("no "):
            remedy = f"pass {brought.removeprefix('no ')} as well, or leave {{them}} out"
        remedy = remedy or f"set {{them}} on what you pass as {brought}, or leave {brought} out"
        raise ValueError(
            f"{' and '.join(given)} must not be set together with {brought}, got {', '.join(given)}; "
            f"{remedy.replace('{them}', them)}"
        )


def large_payloads(door_takes_them: bool, consumer: object) -> None:
    """A payload goes through S3 only where there is code of ours at both ends of the queue."""
    if not door_takes_them:
        raise ValueError(
            "large_payloads must not be set for an ingress without code, which cannot put a payload into S3, got both; "
            "take Ingress.lambda_integration()"
        )
    if consumer is not None:
        raise ValueError(
            "large_payloads must not be set together with consumer, which would get the key of a payload and not the "
            "payload, got both; take Sink.python(), whose handler gets the payload itself"
        )


@_once_looked_up
def header_name(argument: str, value: str | None) -> None:
    """A header's name, as it goes into a mapping template and an environment variable."""
    if value is not None and value.lower() in NEVER_ARRIVE:
        raise ValueError(
            f"{argument} must be a header that API Gateway hands on, got {brief(value)}, which it drops; "
            "name another header that the sender writes"
        )
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        raise ValueError(
            f"{argument} must be 1 to 128 letters, digits, hyphens or underscores, got {brief(value)}; "
            "name one header, for example 'Idempotency-Key'"
        )


@_once_looked_up
def header_of_the_sender(argument: str, value: str | None) -> None:
    """A header that the sender writes, and nobody else on the way: the others are the same in many requests, and
    webhooks of one id are stored once."""
    header_name(argument, value)
    if value is not None and value.lower() in ADDED:
        raise ValueError(
            f"{argument} must be a header that the sender writes, got {brief(value)}, which API Gateway does; "
            "name another header"
        )


# Each has to be tried.
_MAX_HEADERS = 5


@_once_looked_up
def header_names(*, header: Sequence[str], **others: str | None) -> None:
    """Names of headers, each of which holds something of its own."""
    if not 1 <= len(header) <= _MAX_HEADERS:
        raise ValueError(
            f"header must be 1 to {_MAX_HEADERS} names of headers, got {len(header)}; name those with a signature"
        )
    names = [*(("header", name) for name in header), *others.items()]
    seen: dict[str, str] = {}
    for argument, name in names:
        header_of_the_sender(argument, name)
        if name is not None and (other := seen.setdefault(name.lower(), argument)) is not argument:
            raise ValueError(
                f"{argument} must be another header than {other}, got {brief(name)} for both; "
                f"name the header that the sender has for {argument}, or leave {argument} out"
            )


def at_most_one(**settings: object) -> None:
    """Refuse two answers to one question."""
    given = [name for name, value in settings.items() if value is not None]
    if len(given) > 1:
        raise ValueError(
            f"{' and '.join(given)} must not be set together, got both; leave out {given[0]}, or leave out {given[1]}"
        )


@_once_looked_up
def parts_of_a_header(*, prefix: str, separator: str | None, timestamp_prefix: str | None) -> None:
    """A header that has several parts is told how they are kept apart."""
    if timestamp_prefix is not None and separator is None:
        raise ValueError(
            "separator must be given together with timestamp_prefix, got none; "
            "say what stands between the parts of the header, for example ','"
        )
    if timestamp_prefix is not None and timestamp_prefix == prefix:
        raise ValueError(
            f"timestamp_prefix must not be the prefix of the signature, got {brief(prefix)} for both; "
            "take what stands before the time, for example 't='"
        )


@_once_looked_up
def mount_path(value: str) -> None:
    """The path of a door: fixed segments, since the door itself is every path below. Two paths API Gateway keeps for
    itself, at the root of a custom domain, which an API may get at any time.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
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
        remedy = "leave {parameters} out: every path below the mount comes in, and is stored with the webhook"
    raise ValueError(f"path must be '/' or fixed segments such as '/hooks/github', got {brief(value)}; {remedy}")


@_once_looked_up
def ip_ranges(argument: str, values: Sequence[str] | None) -> None:
    """CIDR ranges of IPv4 or IPv6."""
    if values is None or Token.is_unresolved(list(values)):
        return
    if not values:
        raise ValueError(
            f"{argument} must be a list of one CIDR range or more, got {values!r}; "
            "for example ['203.0.113.0/24'], or leave it out: anybody may call"
        )
    for value in values:
        if Token.is_unresolved(value):
            continue
        try:
            ip_network(value)
            if not re.fullmatch(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", value):  # Python reads masks and zones, too
                raise ValueError("it is not written as a CIDR range")
        except ValueError as error:
            raise ValueError(
                f"{argument} must hold CIDR ranges of IPv4 or IPv6, got {brief(value)}: {error}; "
                "for example '203.0.113.0/24' or '2001:db8::/32'"
            ) from None


def web_acl(value: Any) -> None:
    """A stage of a REST API takes a web ACL of its region."""
    scope = getattr(value, "scope", None)
    if scope is not None and not Token.is_unresolved(scope) and scope != "REGIONAL":
        raise ValueError(
            f"web_acl must have the scope REGIONAL, got {scope}; create it with scope='REGIONAL', or pass True"
        )


def domain_name(value: apigateway.DomainNameOptions | None) -> None:
    """A domain as DNS and a certificate have it, and no URL. Capitals the CDK refuses."""
    name = "" if value is None else value.domain_name
    label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    if value is None or Token.is_unresolved(name) or _is_dummy(name):
        return
    if len(name) > 253 or not re.fullmatch(rf"(\*\.)?({label}\.)+{label}", name):
        raise ValueError(
            f"domain_name must have a domain's name without scheme and path, got {brief(name)}; "
            "for example 'hooks.example.com'"
        )


def cors(value: apigateway.CorsOptions | None) -> None:
    """One origin, since the answers of the door say it without having seen the request."""
    if value is None:
        return
    if Token.is_unresolved(value.allow_origins) or Token.is_unresolved(value.expose_headers):
        raise ValueError(
            "cors must have lists of allow_origins and expose_headers that are known at synth, got one that only "
            "deployment knows; write the list out: an element of it may be such a value"
        )
    if len(value.allow_origins) != 1:
        raise ValueError(
            f"cors must have one origin in allow_origins, got {', '.join(value.allow_origins) or 'none'}; "
            "name one, or '*' for any"
        )
    (origin,) = value.allow_origins
    if value.allow_credentials and origin == "*":
        raise ValueError(
            "cors must name the origin where allow_credentials is True, got '*'; "
            "name it, or leave allow_credentials out: no browser takes the two together"
        )
    if not Token.is_unresolved(origin) and (origin != origin.lower() or origin.endswith("/")):
        raise ValueError(
            f"cors must have its origin as browsers write it, got {origin!r}; write it in small letters and without a "
            "path, for example 'https://example.com'"
        )
    lists = (each for each in (value.allow_headers, value.allow_methods) if each and not Token.is_unresolved(each))
    for text in [origin, *(value.expose_headers or []), *chain(*lists)]:
        if not Token.is_unresolved(text) and not re.fullmatch(r"[\x21-\x26\x28-\x7e]+", text):
            raise ValueError(
                "cors must have printable ASCII without quotes and spaces in its origin, methods and headers, got "
                f"{text!r}; for example 'https://example.com'"
            )


def cors_of_preflight(value: apigateway.CorsOptions, preflight: apigateway.CorsOptions) -> None:
    """A browser asks the preflight of the API first, and the endpoint then."""
    (origin,) = value.allow_origins
    if Token.is_unresolved(preflight.allow_origins) or not {origin, "*"}.isdisjoint(preflight.allow_origins):
        return
    raise ValueError(
        f"cors must name an origin that the preflight of api allows, got {origin}, and it allows "
        f"{', '.join(preflight.allow_origins)}; name one of these, or leave default_cors_preflight_options of api out"
    )


@_once_looked_up
def acknowledgement(status: int, body: str, content_type: str) -> None:
    """An answer that both doors can give."""
    if Token.is_unresolved(status) or Token.is_unresolved(body):
        raise ValueError(
            "status and body of an acknowledgement must be known at synth, got a value that only deployment knows; "
            "write them out"
        )
    number("status of an acknowledgement", status, 200, 299)
    if status in (204, 205) and body:
        raise ValueError(
            f"body of an acknowledgement must be empty with status {status}, got {body!r}; leave it out, or take 200"
        )
    if len(body.encode()) > _MAX_ACKNOWLEDGEMENT:
        raise ValueError(
            f"body of an acknowledgement must be {_MAX_ACKNOWLEDGEMENT:,} bytes at most, got {len(body.encode()):,}; "
            "shorten it"
        )
    # Without quotes: it is a literal in a parameter mapping. Without line breaks: it is a header.
    name = r"[A-Za-z0-9!#$&^_.+-]+"
    if not re.fullmatch(rf"{name}/{name}(; ?{name}={name})*", content_type):
        raise ValueError(
            f"content_type of an acknowledgement must be a media type, got {content_type!r}; "
            "for example 'application/json' or 'text/plain; charset=utf-8'"
        )


def subnets(vpc: "ec2.IVpc", vpc_subnets: "ec2.SubnetSelection | None") -> None:
    """Subnets that there are, and that a function can be in."""
    argument = "vpc" if vpc_subnets is None else "vpc_subnets"
    with taken_by_the_cdk(argument):
        selected = vpc.select_subnets(**(properties(vpc_subnets) if vpc_subnets is not None else {}))
    # The CDK synthesises with a dummy first, looks the VPC up, and synthesises anew.
    if selected.is_pending_lookup:
        return
    if selected.has_public or not selected.subnets:
        got = "public ones, from which a function reaches nothing" if selected.has_public else "none"
        has_some = vpc_subnets is not None and (vpc.private_subnets or vpc.isolated_subnets)
        remedy = "leave vpc_subnets out" if has_some else "pass a vpc with subnets of SubnetType.PRIVATE_WITH_EGRESS"
        raise ValueError(f"{argument} must have private or isolated subnets, got {got}; {remedy}")


def properties(struct: object) -> dict[str, Any]:
    """The properties of a struct of the CDK's, to be passed as keywords."""
    return {name: getattr(struct, name) for name in inspect.signature(type(struct)).parameters}


@contextmanager
def of_endpoint(mount: str) -> Iterator[None]:
    """Say which endpoint a refusal is about."""
    try:
        yield
    except ValueError as refusal:
        raise ValueError(f"endpoint {mount}: {refusal}") from None


@contextmanager
def taken_by_the_cdk(argument: str) -> Iterator[None]:
    """The CDK checks what is handed on to it, and refuses it with a trace of JavaScript's."""
    try:
        yield
    except RuntimeError as refusal:
        said = " ".join(str(refusal).split())
        raise ValueError(f"{argument} must be what the CDK takes, got one of which it says: {said}") from None


def table_key(table: "dynamodb.ITable") -> None:
    """The table's key is the webhook's, or an insert cannot be conditional on it."""
    resource: Any = table.node.default_child
    if not hasattr(resource, "key_schema"):  # neither a table nor one of the second kind, but imported
        return
    stack = Stack.of(table)
    schema, attributes = stack.resolve(resource.key_schema), stack.resolve(resource.attribute_definitions)
    types = {each["attributeName"]: each["attributeType"] for each in attributes}
    keys = [(each["attributeName"], types.get(each["attributeName"])) for each in schema]
    if keys == [("id", "S")]:
        _indices(types)
        return
    got = " and ".join(f"{name} ({_KEY_TYPES.get(str(type), type)})" for name, type in keys)
    raise ValueError(
        f"table must have the string partition key 'id' and no sort key, got {got}; create one with "
        "partition_key=dynamodb.Attribute(name='id', type=dynamodb.AttributeType.STRING), or write into this one by "
        "Sink.python()"
    )


_KEY_TYPES = {"S": "STRING", "N": "NUMBER", "B": "BINARY"}
# What an item has, as a text that is never empty. Of a query, headers and a payload no index can be made: they may be
# empty, another type, or too long for a key.
_INDEXED = ("id", "delivery_id", "mount", "request_id", "received_at", "method", "path", "source_ip")
_NOT_INDEXED = ("query", "headers", "payload")


def _indices(types: Mapping[str, str]) -> None:
    """DynamoDB refuses an item whose attribute is of another type than an index on it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    for name, type in types.items():
        if name in _NOT_INDEXED or (name in _INDEXED and type != "S"):
            raise ValueError(
                f"table must have indices that every item of a webhook fits, got one on {name} "
                f"({_KEY_TYPES.get(type, type)}); index one of {', '.join(_INDEXED)} as a STRING, or write into the "
                "table by Sink.python()"
            )


def retries(tries: int, longest: Duration, retention: float | None) -> None:
    """What waits longer than the queue keeps it is deleted, and nobody would know."""
    if retention is not None and known(longest) >= retention:
        raise ValueError(
            f"retention_period must be longer than the {show(longest)} that max_receive_count ({tries:,}) and retry "
            f"may take together, got {show(Duration.seconds(retention))}; raise it, or lower max_receive_count or the "
            "maximum of retry: SQS would delete a webhook before its last try"
        )


def retention(value: Duration | None) -> float | None:
    """The seconds for which a queue keeps messages, None where only deployment knows."""
    return _QUEUE_DEFAULT_RETENTION if value is None else known_seconds(value)


def retention_of(queue: sqs.IQueue) -> float | None:
    """The seconds for which a queue that was brought keeps messages, None where that cannot be known."""
    return _property(queue, "message_retention_period", _QUEUE_DEFAULT_RETENTION)


def message_size_of(queue: sqs.IQueue) -> float | None:
    """The bytes that a message of a queue that was brought may have, None where that cannot be known: SQS's default
    differs from account to account."""
    return _property(queue, "maximum_message_size", None)


def dead_letter_size(dead_letter_queue: sqs.IQueue, needed: float | None) -> None:
    """What does not fit into the dead-letter queue would come back until it is deleted."""
    _size(needed, "dead-letter queue", dead_letter_queue=dead_letter_queue)


def unverified_queue(
    scope: Construct,
    unverified_queue: sqs.IQueue,
    queue: sqs.IQueue | None,
    dead_letter_queue: sqs.IQueue | None,
    needed: float | None,
) -> None:
    """What a queue for it has to be: none that a consumer empties, which would get it for a webhook, and none of dead
    letters, among which nobody would look for it. Those are None where one is about to be made; ``needed`` is the bytes
    that a message of the queue may have."""
    same_environment(scope, unverified_queue=unverified_queue)
    if unverified_queue.fifo:
        raise ValueError(
            "unverified_queue must be a standard queue, which also takes what comes out of a FIFO one, got a FIFO "
            "queue; bring a standard one, or leave it out"
        )
    names = _names(unverified_queue)
    for argument, other in (("queue", queue), ("dead_letter_queue", dead_letter_queue)):
        if other is not None and not _names(other).isdisjoint(names):
            raise ValueError(
                f"unverified_queue must be another queue than {argument}, got {unverified_queue.node.path} for both; "
                "bring another one, or leave it out"
            )
    consumed = cast(Construct, scope.node.root).node.try_find_child(_CONSUMED)
    if consumed is not None and any(cast(Construct, consumed).node.try_find_child(name) for name in names):
        raise ValueError(
            f"unverified_queue must have no consumer, got {unverified_queue.node.path}, which another ScalableWebhook "
            "empties; bring another one, or leave it out"
        )
    _size(needed, "queue", unverified_queue=unverified_queue)


def _size(needed: float | None, kind: str, **queues: sqs.IQueue) -> None:
    ((argument, queue),) = queues.items()
    holds = message_size_of(queue)
    if holds is not None and needed is not None and holds < needed:
        raise ValueError(
            f"max_message_size_bytes of {argument} must not be smaller than the queue's {needed:.0f}, "
            f"got {holds:.0f}; give the {kind} max_message_size_bytes={needed:.0f}"
        )


@_once_looked_up
def table_name(value: str) -> None:
    """A name that can stand in a statement, with a schema or not."""
    if not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}", value):
        raise ValueError(
            f"table_name must be letters, digits and underscores, 63 at most, with a schema and a dot before or not, "
            f"got {brief(value)}; for example 'webhooks' or 'orders.webhooks'"
        )


def one_of(**things: object) -> None:
    """Exactly one of several arguments."""
    given = [name for name, value in things.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"one of {' and '.join(things)} must be given, got {' and '.join(given) or 'neither'}; "
            f"{'leave out' if given else 'pass'} {', or '.join(things)}"
        )


def engine_family(database: Any) -> str:
    """POSTGRESQL, MYSQL, MARIADB, …, or nothing where the CDK does not know."""
    engine, resource = getattr(database, "engine", None), database.node.default_child
    told = (
        getattr(engine, "engine_family", None),
        getattr(engine, "engine_type", None),
        # Of a proxy, and of what is older than the CDK's engines.
        getattr(resource, "engine_family", None),
        getattr(resource, "engine", None),
    )
    known = (str(each) for each in told if each and not Token.is_unresolved(each))
    return next(known, "").upper().removeprefix("AURORA-")


def database_resource(database: Any, type: str) -> Any:
    """The resource of a database that is made in this app, where it is of this type; else None."""
    resource = database.node.default_child
    return resource if getattr(resource, "cfn_resource_type", None) == f"AWS::RDS::{type}" else None


def writable(database: Any) -> None:
    """A replica takes no row."""
    instance, cluster = database_resource(database, "DBInstance"), database_resource(database, "DBCluster")
    sources = [
        *((instance.source_db_instance_identifier, instance.source_db_cluster_identifier) if instance else ()),
        *((cluster.replication_source_identifier,) if cluster else ()),
    ]
    if any(source is not None for source in sources):
        raise ValueError(
            f"database must be one that can be written to, got {database.node.path}, which is a replica of another; "
            "pass the one that it replicates"
        )


def iam_login(database: Any) -> None:
    """Whether a database takes a token of IAM's instead of a password: switched on where nobody has said so, as the CDK
    does for an instance.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
    """
    if not hasattr(database, "grant_connect"):
        raise ValueError(
            f"iam_user needs a database that IAM can let somebody into, got {brief(database)}; leave iam_user out, and "
            "pass secret="
        )
    resource = database_resource(database, "DBInstance") or database_resource(database, "DBCluster")
    if resource is not None and resource.enable_iam_database_authentication is None:
        resource.enable_iam_database_authentication = True
    off = resource is not None and resource.enable_iam_database_authentication is False
    if off or _of_proxy(database, "iamAuth") == {"DISABLED"}:
        name = "iam_auth" if resource is None else "iam_authentication"
        raise ValueError(
            f"iam_user needs a database that takes tokens of IAM, got {database.node.path}, where that is off; create "
            f"it with {name}=True, or pass secret= instead of iam_user="
        )


def password_login(database: Any, *, tls: bool) -> None:
    """What a proxy asks of a client that comes with a password.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-iam-setup.html
    """
    if "REQUIRED" in _of_proxy(database, "iamAuth"):
        raise ValueError(
            f"iam_user must be given for a proxy that takes tokens of IAM only, got {database.node.path} and a secret; "
            "pass iam_user= instead, or create the proxy with iam_auth=False"
        )
    proxy = database_resource(database, "DBProxy")
    if proxy is not None and proxy.require_tls is True and not tls:
        raise ValueError(
            f"tls must be True for a proxy that asks for it, got False for {database.node.path}; leave tls out, or "
            "create the proxy with require_tls=False"
        )


def _of_proxy(database: Any, name: str) -> set[Any]:
    """The values that the logins of a proxy have for something. Nothing where it is no proxy, or imported."""
    proxy = database_resource(database, "DBProxy")
    logins = Stack.of(database).resolve(proxy.auth) if proxy is not None else None
    return {each.get(name) for each in logins or []}


_FAMILIES = {"postgres": ("POSTGRES",), "mysql": ("MYSQL", "MARIADB")}


def engine(kind: str, database: Any) -> None:
    """A database that does not speak the sink's protocol."""
    family = engine_family(database)
    if family and not family.startswith(_FAMILIES[kind]):
        other = {"postgres": "mysql", "mysql": "postgres"}[kind]
        remedy = f"take Sink.{other}(), or " if family.startswith(_FAMILIES[other]) else "take "
        raise ValueError(
            f"database must be one that Sink.{kind}() can talk to, got one of the engine {family}; "
            f"{remedy}Sink.python() with a driver of yours"
        )


def packed_authorities(bundle: Path, region: str) -> None:
    """RDS certifies a database by an authority of its region; those of some regions are packed nowhere but at AWS.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
    """
    if Token.is_unresolved(region) or f"Amazon RDS {region} Root CA" in bundle.read_text():
        return
    raise ValueError(
        f"ca_certificates must be given for a database in {region}, got none; download AWS's bundle of that region and "
        "pass its path, since no authority of it is packed here"
    )


def data_api(cluster: Any) -> None:
    """The Data API is off unless somebody turned it on, and speaks two languages."""
    resource = database_resource(cluster, "DBCluster")
    # The CDK decides late: what stands there is a token that can be resolved.
    if resource is not None and not Stack.of(cluster).resolve(resource.enable_http_endpoint):
        raise ValueError(
            "cluster must have the Data API, got one without; create it with enable_data_api=True, "
            "or take Sink.postgres() or Sink.mysql()"
        )
    family = engine_family(cluster)
    if family not in ("POSTGRESQL", "MYSQL"):
        raise ValueError(
            f"cluster must say that it is Aurora Postgres or Aurora MySQL, got {family or 'no engine'}; import it by "
            "from_database_cluster_attributes(engine=rds.DatabaseClusterEngine.aurora_postgres(version=…), …), since "
            "from_lookup() does not tell it"
        )


@_once_looked_up
def url(argument: str, value: str) -> None:
    """An absolute URL of HTTP's."""
    if Token.is_unresolved(value):
        return
    try:
        parts = urlsplit(value)
        is_absolute = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port or an IPv6 address that is none
        is_absolute = False
    # A password in it would be in the template, and in the environment.
    if not is_absolute or "@" in parts.netloc or not re.fullmatch(r"[\x21-\x7e]{1,2048}", value):
        raise ValueError(
            f"{argument} must be an absolute http or https URL without user and password, got {brief(value)}; "
            "for example 'https://orders.example.com/webhooks', with everything but ASCII percent-encoded"
        )


@_once_looked_up
def text(argument: str, value: str | None, high: int, example: str) -> None:
    """A text that is neither empty nor longer than what it names can be."""
    if value is None or Token.is_unresolved(value):
        return
    if not (1 <= len(value) <= high and value.isprintable()):
        raise ValueError(
            f"{argument} must be 1 to {high} printable characters, got {brief(value)}; for example {example!r}"
        )


def http_timeout(value: Duration, consumer_timeout: Duration) -> None:
    """One answer must be given up before Lambda gives up the batch."""
    limit = known_seconds(consumer_timeout)
    duration("timeout of Sink.http()", value, Duration.seconds(1), Duration.minutes(15))
    if limit is not None and known(value) >= limit:
        raise ValueError(
            f"the timeout of Sink.http() must be shorter than the consumer's of {show(consumer_timeout)}, "
            f"got {show(value)}; shorten it, or raise timeout of the ScalableWebhook"
        )


def python_code(code: Path, handler: str) -> None:
    """A function that is there to be called."""
    if not _there(code.exists):
        raise ValueError(
            f"code must exist, got {brief(str(code))}, which does not: a path counts from where cdk runs; take "
            "Path(__file__).parent / …, which counts from the file that says it"
        )
    if not _there(code.is_dir) and code.suffix != ".py":
        raise ValueError(
            f"code must be a folder or a .py file, got {brief(str(code))}; name one that holds your modules"
        )
    module, _, function = handler.rpartition(".")
    if not (module and all(part.isidentifier() for part in [*module.split("."), function])):
        raise ValueError(f"handler must be 'module.function', got {brief(handler)}; for example 'orders.handle'")
    root = code if code.is_dir() else code.parent
    path = root.joinpath(*module.split("."))
    file = next((found for found in (path.with_suffix(".py"), path / "__init__.py") if _there(found.is_file)), None)
    if file is None or (code.is_file() and file != code):
        raise ValueError(
            f"handler must be in code, got {brief(handler)}, and {str(code)!r} has no module {module[:100]}; "
            "name a module that it has, or add that one"
        )
    if (root if code.is_dir() else code).joinpath("webhook_runtime").exists():
        raise ValueError("code must not hold a webhook_runtime, got one; take it out: it is packed beside your modules")
    mend = f"correct it until python -m py_compile {file.name} says nothing"
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise ValueError(
            f"code must be Python, got {file.name} with {error.msg} in line {error.lineno or 1}; {mend}"
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL in it, or brackets without end
        raise ValueError(f"code must be Python, got {file.name} with {error}; {mend}") from None
    if any(isinstance(node, ast.AsyncFunctionDef) and node.name == function for node in tree.body):
        raise ValueError(
            f"handler must be an ordinary function, got {function!r} of {file.name}, which is async; "
            "call asyncio.run() in one that is not"
        )
    defined = {name for node in tree.body for name in _defined(node)}
    if function not in defined and "*" not in defined:
        raise ValueError(
            f"handler must name a function of {file.name}, got {brief(function)}, which it does not define; "
            "define it there, or name one that it defines"
        )


def _there(look: Callable[[], bool]) -> bool:
    """Whether something is there, which a name that is too long for the file system never is."""
    try:
        return look()
    except OSError:
        return False


def packages(names: Sequence[str]) -> None:
    """Distributions that are there to be packed, with all that they require."""
    distributions.resolve(names)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return []


@_once_looked_up
def choice(argument: str, value: str, among: tuple[str, ...]) -> None:
    """One of a few words."""
    if value not in among:
        raise ValueError(
            f"{argument} must be one of {', '.join(among)}, got {brief(value)}; take the one that the sender uses"
        )


@_once_looked_up
def signed_content(value: str, *, is_timed: bool, id_header: str | None) -> None:
    """What is signed must hold the payload, and what it names must have a header."""
    rest = re.sub(r"{(body|timestamp|id|url|method)}", "", value)
    if value.count("{body}") != 1 or "{" in rest or "}" in rest:
        raise ValueError(
            "signed_content must hold {body} once, and {timestamp}, {id}, {url} and {method} or not, "
            f"got {brief(value)}; for example '{{timestamp}}.{{body}}'"
        )
    for name, header, given in (
        ("timestamp", "timestamp_header or timestamp_prefix", is_timed),
        ("id", "id_header", id_header is not None),
    ):
        if f"{{{name}}}" in value and not given:
            raise ValueError(
                f"{header} must be given for a signed_content with {{{name}}}, got none; pass {header}, or leave "
                f"{{{name}}} out of signed_content"
            )
    if is_timed and "{timestamp}" not in value:
        raise ValueError(
            "signed_content must hold {timestamp} where there is a timestamp_header or a timestamp_prefix, "
            f"got {brief(value)}; "
            "put {timestamp} where the sender signs it, or leave that time out: one that is not signed proves nothing"
        )
    _one_reading(value)


def _one_reading(signed_content: str) -> None:
    """What is signed is one text: where an id ends in it, or a URL, must show. A time and a method show it by
    themselves, and of a URL beside the payload the function that verifies looks for it."""
    for side in around(signed_content):
        if ("id", "") in side.apart:
            raise ValueError(
                "signed_content must have a text between {id} and what else is signed towards {body}, or one signature "
                f"is good for several ids, got {brief(signed_content)}; write what the sender has there, for example "
                "'{id}.{timestamp}.{body}'"
            )
        if any(name == "url" and OF_URLS.fullmatch(text) for name, text in side.apart[1:]):
            raise ValueError(
                "signed_content must have {url} beside {body}, or a character that no URL holds between {url} and what "
                f"else is signed towards {{body}}, got {brief(signed_content)}; write what the sender has there, for "
                "example '{url}|{timestamp}|{body}'"
            )


def environment(values: Mapping[str, str]) -> None:
    """Names that Lambda does not take, or that are the construct's own.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    bad = [
        name
        for name in values
        if not variables.NAME.fullmatch(name) or name.startswith("WEBHOOK_") or name in variables.RESERVED
    ]
    if bad:
        raise ValueError(
            "environment must have names of 2 or more letters, digits and underscores that neither start with WEBHOOK_ "
            f"nor are Lambda's own, got {', '.join(map(brief, bad))}; rename them, for example to 'ORDERS_TABLE'"
        )


def environment_size(values: Mapping[str, str], *, beside: int = 0, remedy: str = "give less of them") -> None:
    """All variables of a function together hold 4 KB; only sources and filters can come near. ``beside`` is what others
    take.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    # What only deployment knows is a name or an ARN, mostly shorter than this.
    texts = [re.sub(r"\$\{Token\[[^]]+\]\}", "x" * _TOKEN_LENGTH, text) for pair in values.items() for text in pair]
    size = beside + sum(len(text.encode()) for text in texts)
    if size > variables.MAX_BYTES:
        raise ValueError(
            "source, event_filters, acknowledgement and what is given to sink must fit into the "
            f"{variables.MAX_BYTES:,} bytes of a function's environment together, got about {size:,}; {remedy}"
        )


def file(argument: str, value: str | Path | None) -> Path | None:
    """A file that is there."""
    if value is not None and not _there(Path(value).is_file):
        raise ValueError(
            f"{argument} must be a file, got {brief(str(value))}, which is none: a path counts from where cdk runs; "
            "take Path(__file__).parent / …, which counts from the file that says it"
        )
    return None if value is None else Path(value)


def known_duration(argument: str, value: Duration | None) -> Duration | None:
    """A duration that is counted with at synth."""
    if value is not None and value.is_unresolved():
        raise ValueError(
            f"{argument} must be known at synth, got a value that only deployment knows; write it out, for example "
            "Duration.minutes(1)"
        )
    return value


def known_seconds(value: Duration | None) -> float | None:
    """The seconds of a duration, or None where it is absent or a token."""
    return None if value is None or value.is_unresolved() else known(value)


def known(value: Duration) -> float:
    """The seconds of a duration that is no token."""
    return value.to_seconds(integral=False)


def show(value: Duration | None) -> str:
    """A duration for a person."""
    return "no duration" if value is None else value.to_human_string()


def _property(queue: sqs.IQueue, name: str, default: float | None) -> float | None:
    """A property of a queue made in this app, the default where it is not set, None where it cannot be known."""
    resource = queue.node.default_child
    if not isinstance(resource, sqs.CfnQueue):
        return None
    value = getattr(resource, name)
    if value is None:
        return default
    return None if Token.is_unresolved(value) else float(value)
