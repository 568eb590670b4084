"""Find in the templates what AWS would reject at a deployment, and the emulator does not.

Only plain values are checked. AWS knows the values of intrinsic functions and conditions only during the deployment.
docs/local-aws.md lists what is not checked.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from scalable_webhook_cli.local.assembly import Template, map_of, path_of, resources_of
from webhook_runtime.contract import variables
from webhook_runtime.contract.limits import MAX_ENVIRONMENT_BYTES

Resource = Mapping[str, Any]

_RESOURCES = 500
_TEMPLATE_BYTES = 1_048_576  # 1 MB, if it is uploaded to S3 as the CDK does it
_UNBATCHED = 10  # messages in a batch without a window, and in any batch of a FIFO queue
_KEY_CHARACTERS = 20
_KEY = "AWS::ApiGateway::ApiKey"
# The property with the name, of types whose names are unique in an account and region, or in an account.
_NAMES = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::IAM::Role": "RoleName",
    _KEY: "Value",
}
_IN_EVERY_REGION = {"AWS::S3::Bucket", "AWS::IAM::Role"}
_POLLS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
# Managed policies that are known not to permit polling.
_POLLS_NOT = re.compile(r":iam::aws:policy/service-role/AWSLambda(BasicExecution|VPCAccessExecution)Role\W*")
# The policies that are resources, and the property that names their roles.
_POLICIES = {"AWS::IAM::Policy": "Roles", "AWS::IAM::ManagedPolicy": "Roles", "AWS::IAM::RolePolicy": "RoleName"}
_QUEUE = "AWS::SQS::Queue"


def rejected(name: str, template: Template, size: int) -> list[str]:
    """Return a sentence for each reason for which AWS would reject this template."""
    resources = resources_of(template)
    return [*_too_large(name, resources, size), *(line for check in _CHECKS for line in check(resources))]


def used_twice(stacks: Iterable[tuple[str, str, Template]]) -> list[str]:
    """Return a sentence for each name or value that must be unique, but is in these templates twice.

    Each template comes after its name, and its account and region as ``aws://ACCOUNT/REGION``.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-name.html
    """
    users: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for stack, environment, template in stacks:
        for id, resource in resources_of(template).items():
            type = resource["Type"]
            where = environment.rpartition("/")[0] if type in _IN_EVERY_REGION else environment
            name = _properties(resource).get(_NAMES.get(type, ""))
            if isinstance(name, str) and "Condition" not in resource:
                users[where, type, name].append(path_of(id, resource))
        for id, output in map_of(template.get("Outputs")).items():
            name = map_of(map_of(output).get("Export")).get("Name")
            if isinstance(name, str) and "Condition" not in output:
                users[environment, "the export", name].append(f"{stack}/{id}")
    # The value of a key is a secret.
    return [
        f"{' and '.join(paths)}: "
        + ("the value of an API key" if type == _KEY else f"{type} {name}")
        + f" may be there once, got it {len(paths)} times; give each another, or none"
        for (_, type, name), paths in users.items()
        if len(paths) > 1
    ]


def _too_large(name: str, resources: Mapping[str, Resource], size: int) -> Iterator[str]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
    if len(resources) > _RESOURCES:
        yield f"{name}: a template may have {_RESOURCES} resources, got {len(resources)}; make two stacks of it"
    if size > _TEMPLATE_BYTES:
        yield f"{name}: a template may have {_TEMPLATE_BYTES:,} bytes, got {size:,}; make two stacks of it"


def _siblings(resources: Mapping[str, Resource]) -> Iterator[str]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html"""
    below: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for id, it in _of("AWS::ApiGateway::Resource", resources):
        parent = json.dumps([_properties(it).get("RestApiId"), _properties(it).get("ParentId")], sort_keys=True)
        part = _properties(it).get("PathPart")
        if isinstance(part, str) and "Condition" not in it:
            below[parent].append((part, path_of(id, it)))
    for parts in below.values():
        # One variable of any name, and each other part once.
        alike: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for part, path in sorted(parts):
            alike["a variable" if part.startswith("{") else part].append((part, path))
        for what, found in alike.items():
            if len(found) > 1:
                names, paths = (" and ".join(texts) for texts in zip(*found, strict=True))
                yield f"{paths}: below one path API Gateway has {what} once, got {names}; keep one of them"


def _redrives(resources: Mapping[str, Resource]) -> Iterator[str]:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"""
    for id, queue in _of(_QUEUE, resources):
        target = _arn_of(map_of(_properties(queue).get("RedrivePolicy")).get("deadLetterTargetArn"), resources)
        if target is None or resources[target]["Type"] != _QUEUE:
            continue
        dead_letters = resources[target]
        pair = f"{path_of(id, queue)}: its dead-letter queue {path_of(target, dead_letters)} must"
        fifos = [_is_fifo(it) for it in (queue, dead_letters)]
        if None not in fifos and fifos[0] != fifos[1]:
            kinds = ["FIFO" if fifo else "standard" for fifo in fifos]
            yield f"{pair} be {kinds[0]} as the queue is, got {kinds[1]}; make them alike"
        allows = map_of(_properties(dead_letters).get("RedriveAllowPolicy"))
        permission = allows.get("redrivePermission")
        sources = allows.get("sourceQueueArns", [])
        named = [_arn_of(source, resources) for source in sources] if isinstance(sources, list) else [None]
        if permission == "denyAll" or (permission == "byQueue" and id not in named and None not in named):
            yield f"{pair} let it in, got a redrive-allow policy of {permission} without it; allow the queue there"


def _queues(resources: Mapping[str, Resource]) -> Iterator[str]:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues.html"""
    for id, queue in _of(_QUEUE, resources):
        name, fifo = _properties(queue).get("QueueName"), _is_fifo(queue)
        if isinstance(name, str) and fifo is not None and name.endswith(".fifo") != fifo:
            kind, remedy = ("FIFO", "end") if fifo else ("standard", "not end")
            yield f"{path_of(id, queue)}: the name of a {kind} queue must {remedy} with .fifo, got {name}; name it so"


def _mappings(resources: Mapping[str, Resource]) -> Iterator[str]:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    known: dict[str, str] = {}
    for id, mapping in _of("AWS::Lambda::EventSourceMapping", resources):
        properties = _properties(mapping)
        path, size = path_of(id, mapping), _number(properties.get("BatchSize"), 10)
        queue = resources.get(_arn_of(properties.get("EventSourceArn"), resources) or "")
        function = resources.get(_arn_of(properties.get("FunctionName"), resources) or "")
        if queue is None or queue["Type"] != _QUEUE:
            continue
        both = json.dumps([properties.get("EventSourceArn"), properties.get("FunctionName")], sort_keys=True)
        if "Condition" not in mapping:
            if both in known:
                yield f"{path}: a function may have one mapping of a queue, got {known[both]} as well; keep one"
            known[both] = path
        fifo, window = _is_fifo(queue), _number(properties.get("MaximumBatchingWindowInSeconds"), 0)
        if size is not None and size > _UNBATCHED and (fifo or (fifo is False and window == 0)):
            remedy = "take fewer" if fifo else "take fewer, or set a batching window"
            kind = "FIFO queue" if fifo else "queue without a batching window"
            yield f"{path}: a batch of a {kind} may have {_UNBATCHED} messages, got {size:g}; {remedy}"
        if function is None or function["Type"] != "AWS::Lambda::Function":
            continue
        hidden = _number(_properties(queue).get("VisibilityTimeout"), 30)
        timeout = _number(_properties(function).get("Timeout"), 3)
        if hidden is not None and timeout is not None and hidden < timeout:
            yield (
                f"{path}: the queue's visibility timeout must be the function's timeout or more, {timeout:g} seconds, "
                f"got {hidden:g}; AWS advises six times as much"
            )
        missing = _may_not_poll(function, resources)
        if missing:
            yield f"{path}: the function's role must be allowed {', '.join(missing)}, got a role without; grant them"


def _environments(resources: Mapping[str, Resource]) -> Iterator[str]:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    for id, function in _of("AWS::Lambda::Function", resources):
        told = map_of(map_of(_properties(function).get("Environment")).get("Variables"))
        for name in sorted(told):
            if name in variables.RESERVED or not variables.NAME.fullmatch(name):
                why = "is reserved" if name in variables.RESERVED else "must be letters, digits and _ after a letter"
                yield f"{path_of(id, function)}: an environment variable of that name {why}, got {name}; rename it"
        size = sum(len(f"{name}{value}".encode()) for name, value in told.items() if isinstance(value, str))
        if size > MAX_ENVIRONMENT_BYTES:
            yield (
                f"{path_of(id, function)}: its environment may have {MAX_ENVIRONMENT_BYTES:,} bytes, got {size:,}; put "
                "what is long into Parameter Store or the code"
            )


def _keys(resources: Mapping[str, Resource]) -> Iterator[str]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html"""
    for id, key in _of(_KEY, resources):
        value = _properties(key).get("Value")
        if isinstance(value, str) and len(value) < _KEY_CHARACTERS:
            yield f"{path_of(id, key)}: an API key must have {_KEY_CHARACTERS} characters or more, got {len(value)}"


_CHECKS: tuple[Callable[[Mapping[str, Resource]], Iterator[str]], ...] = (
    _siblings,
    _redrives,
    _queues,
    _mappings,
    _environments,
    _keys,
)


def _may_not_poll(function: Resource, resources: Mapping[str, Resource]) -> list[str]:
    """Return the actions that a mapping needs, and the role of its function does not permit on any queue."""
    role_id = _arn_of(_properties(function).get("Role"), resources)
    if role_id is None or resources[role_id]["Type"] != "AWS::IAM::Role":
        return []
    role = _properties(resources[role_id])
    inline, managed = role.get("Policies") or [], role.get("ManagedPolicyArns") or []
    if not isinstance(inline, list) or not isinstance(managed, list) or any(map(_may_let_poll, managed)):
        return []
    documents = [map_of(policy).get("PolicyDocument") for policy in inline]
    for type, whose in _POLICIES.items():
        for _, policy in _of(type, resources):
            if any(_may_be(role_id, name, resources) for name in _several(_properties(policy).get(whose))):
                documents.append(_properties(policy).get("PolicyDocument"))
    allowed: list[str] = []
    for document in documents:
        for statement in _several(map_of(document).get("Statement", {})):
            effect, actions = map_of(statement).get("Effect"), _several(map_of(statement).get("Action", {}))
            if effect == "Deny":
                continue
            if effect != "Allow" or not all(isinstance(action, str) for action in actions):
                return []  # NotAction, or a value that only the deployment knows
            allowed += [action.lower() for action in actions]
    return [action for action in _POLLS if not any(fnmatchcase(action.lower(), pattern) for pattern in allowed)]


def _may_let_poll(managed: Any) -> bool:
    """Tell whether a managed policy may permit polling, by its ARN."""
    match managed:
        case str() | {"Fn::Sub": str()} | {"Fn::Join": [_, [*_]]}:
            text = json.dumps(managed)
            return "Fn::If" in text or not _POLLS_NOT.search(text)
    return True


def _may_be(role_id: str, name: Any, resources: Mapping[str, Resource]) -> bool:
    """Tell whether a name may be that of this role."""
    match name:
        case {"Ref": str(id)} if id in resources:
            return id == role_id
        case str():
            own = _properties(resources[role_id]).get("RoleName")
            return own == name or not isinstance(own, str)
    return True


def _of(type: str, resources: Mapping[str, Resource]) -> Iterator[tuple[str, Resource]]:
    return ((id, resource) for id, resource in resources.items() if resource["Type"] == type)


def _properties(resource: Resource) -> dict[str, Any]:
    return map_of(resource.get("Properties"))


def _arn_of(value: Any, resources: Mapping[str, Resource]) -> str | None:
    """Return the resource of this template that a Ref or a Fn::GetAtt of its ARN names, or None."""
    match value:
        case {"Ref": str(id)} | {"Fn::GetAtt": [str(id), "Arn"]} if id in resources:
            return id
    return None


def _is_fifo(queue: Resource) -> bool | None:
    """Tell whether a queue is a FIFO queue. None: only the deployment knows it."""
    return {"true": True, "false": False}.get(str(_properties(queue).get("FifoQueue", False)).lower())


def _number(value: Any, default: float) -> float | None:
    """Return a number of a template, its default, or None if only the deployment knows it."""
    if value is None:
        return default
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
