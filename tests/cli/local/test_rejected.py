"""Templates that AWS rejects and the emulator does not: for each rule, one that breaks it and one that does not."""

import copy
import functools
import json
import operator
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalable_webhook_cli.local.rejected import rejected, used_twice


def template(**resources: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"Resources": {id: {"Type": f"AWS::{type}", "Properties": it} for id, (type, it) in resources.items()}}


def arn(id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [id, "Arn"]}


def lines(**resources: tuple[str, dict[str, Any]]) -> list[str]:
    return rejected("Stack", template(**resources), 1000)


def part(name: str, parent: Any = None) -> tuple[str, dict[str, Any]]:
    return "ApiGateway::Resource", {
        "RestApiId": {"Ref": "Api"},
        "ParentId": parent or {"Ref": "Hooks"},
        "PathPart": name,
    }


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            ["{tenant}", "{proxy+}"],
            "P1 and P0: below one path API Gateway has a variable once, got {proxy+} and {tenant}",
        ),
        (["{a}", "{b}", "c"], "P0 and P1: below one path API Gateway has a variable once, got {a} and {b}"),
        (["in", "in"], "P0 and P1: below one path API Gateway has in once, got in and in"),
        (["{proxy+}", "in", "out"], None),
    ],
)
def test_a_path_has_one_variable_below_it(parts: list[str], said: str | None) -> None:
    found = lines(**{f"P{number}": part(name) for number, name in enumerate(parts)})
    assert [said in line for line in found] == [True] if said else found == []


def test_variables_below_different_paths_are_independent() -> None:
    assert lines(A=part("{a}"), B=part("{b}", {"Ref": "Others"})) == []


def queue(**properties: Any) -> tuple[str, dict[str, Any]]:
    return "SQS::Queue", properties


TO_DEAD = {"RedrivePolicy": {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 3}}


@pytest.mark.parametrize(
    ("dead", "own", "said"),
    [
        (
            {"RedriveAllowPolicy": {"redrivePermission": "denyAll"}},
            {},
            "let it in, got a redrive-allow policy of denyAll",
        ),
        (
            {"RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [arn("Other")]}},
            {},
            "let it in, got a redrive-allow policy of byQueue",
        ),
        ({"FifoQueue": True}, {}, "be standard as the queue is, got FIFO"),
        ({}, {"FifoQueue": True}, "be FIFO as the queue is, got standard"),
        ({}, {}, None),
        ({"FifoQueue": True}, {"FifoQueue": "true"}, None),
        ({"RedriveAllowPolicy": {"redrivePermission": "allowAll"}}, {}, None),
        ({"RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [arn("Own")]}}, {}, None),
        # Only the deployment knows which one that is.
        ({"RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [{"Ref": "P"}]}}, {}, None),
        ({"RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": {"Ref": "P"}}}, {}, None),
    ],
)
def test_a_dead_letter_queue_has_to_accept_its_queue(
    dead: dict[str, Any], own: dict[str, Any], said: str | None
) -> None:
    found = lines(Own=queue(**TO_DEAD, **own), Dead=queue(**dead), Other=queue())
    assert [said in line for line in found] == [True] if said else found == []


def test_a_dead_letter_queue_of_another_stack_is_not_checked() -> None:
    assert lines(Own=queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::ImportValue": "Dead"}})) == []


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"FifoQueue": True, "QueueName": "orders"}, "must end with .fifo, got orders"),
        ({"QueueName": "orders.fifo"}, "must not end with .fifo, got orders.fifo"),
        ({"FifoQueue": True, "QueueName": "orders.fifo"}, None),
        ({"FifoQueue": True, "QueueName": {"Ref": "Name"}}, None),
        ({"FifoQueue": True}, None),
    ],
)
def test_the_name_of_a_queue_has_to_fit_its_kind(properties: dict[str, Any], said: str | None) -> None:
    found = lines(Own=queue(**properties))
    assert [said in line for line in found] == [True] if said else found == []


def allowed(*actions: str) -> tuple[str, dict[str, Any]]:
    statement = {"Effect": "Allow", "Action": list(actions) if len(actions) > 1 else actions[0], "Resource": "*"}
    return "IAM::Policy", {"PolicyDocument": {"Statement": [statement]}, "Roles": [{"Ref": "Role"}]}


def mapped(
    mapping: dict[str, Any] | None = None,
    queue_: dict[str, Any] | None = None,
    function: dict[str, Any] | None = None,
    **others: tuple[str, dict[str, Any]],
) -> list[str]:
    """Return the rejections of a queue with a consumer, which may poll by default."""
    ends = {"EventSourceArn": arn("Queue"), "FunctionName": {"Ref": "Function"}}
    everything = {
        "Mapping": ("Lambda::EventSourceMapping", ends | (mapping or {})),
        "Queue": queue(**(queue_ or {})),
        "Function": ("Lambda::Function", {"Role": arn("Role")} | (function or {})),
        "Role": ("IAM::Role", {}),
        "Policy": allowed("sqs:*"),
    }
    return lines(**everything | others)


@pytest.mark.parametrize(
    ("mapping", "queue_", "function", "said"),
    [
        ({}, {"VisibilityTimeout": 10}, {"Timeout": 30}, "timeout or more, 30 seconds, got 10"),
        ({}, {}, {"Timeout": 31}, "timeout or more, 31 seconds, got 30"),
        ({}, {"VisibilityTimeout": 2}, {}, "timeout or more, 3 seconds, got 2"),
        ({"BatchSize": 11}, {}, {}, "without a batching window may have 10 messages, got 11"),
        ({"BatchSize": 11, "MaximumBatchingWindowInSeconds": 0}, {}, {}, "may have 10 messages, got 11"),
        ({"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1}, {"FifoQueue": True}, {}, "FIFO queue may have 10"),
        ({}, {}, {}, None),
        ({}, {}, {"Timeout": 30}, None),
        ({}, {"VisibilityTimeout": {"Ref": "Seconds"}}, {"Timeout": 300}, None),
        ({"BatchSize": 100, "MaximumBatchingWindowInSeconds": 1}, {}, {}, None),
        ({"BatchSize": 100, "MaximumBatchingWindowInSeconds": {"Ref": "Seconds"}}, {}, {}, None),
        ({"BatchSize": 10}, {"FifoQueue": True}, {}, None),
    ],
)
def test_a_mapping_has_to_fit_its_queue_and_its_function(
    mapping: dict[str, Any], queue_: dict[str, Any], function: dict[str, Any], said: str | None
) -> None:
    found = mapped(mapping, queue_, function)
    assert [said in line for line in found] == [True] if said else found == []


def test_a_function_has_one_mapping_of_a_queue() -> None:
    ends = {"EventSourceArn": arn("Queue"), "FunctionName": {"Ref": "Function"}}
    (line,) = mapped(Again=("Lambda::EventSourceMapping", ends))
    assert "Again: a function may have one mapping of a queue, got Mapping as well" in line


MANAGED = "arn:aws:iam::aws:policy/service-role/"
POLLS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@pytest.mark.parametrize(
    ("role", "policy", "said"),
    [
        ({}, allowed("sqs:SendMessage"), "allowed sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes"),
        ({}, allowed("sqs:Get*", "sqs:receivemessage"), "allowed sqs:DeleteMessage, got a role without"),
        (
            {"ManagedPolicyArns": [f"{MANAGED}AWSLambdaBasicExecutionRole"]},
            allowed("s3:*"),
            "allowed sqs:ReceiveMessage",
        ),
        ({}, allowed(*POLLS), None),
        ({}, allowed("*"), None),
        ({"ManagedPolicyArns": [f"{MANAGED}AWSLambdaSQSQueueExecutionRole"]}, allowed("s3:*"), None),
        ({"ManagedPolicyArns": [{"Ref": "Given"}]}, allowed("s3:*"), None),
        ({"Policies": [{"PolicyDocument": allowed("sqs:*")[1]["PolicyDocument"]}]}, allowed("s3:*"), None),
    ],
)
def test_the_role_of_a_consumer_needs_permission_to_poll(
    role: dict[str, Any], policy: tuple[str, dict[str, Any]], said: str | None
) -> None:
    found = mapped(Role=("IAM::Role", role), Policy=policy)
    assert [said in line for line in found] == [True] if said else found == []


def test_a_role_of_another_stack_is_not_checked() -> None:
    assert mapped(function={"Role": "arn:aws:iam::000000000000:role/given"}) == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AWS_REGION": "eu-west-1"}, "that name is reserved, got AWS_REGION"),
        ({"1ST": "x"}, "must be letters, digits and _ after a letter, got 1ST"),
        ({"A-B": "x"}, "must be letters, digits and _ after a letter, got A-B"),
        ({"LONG": "x" * 4093}, "may have 4,096 bytes, got 4,097"),
        ({"WIDE": "ä" * 2047}, "may have 4,096 bytes, got 4,098"),
        ({"LONG": "x" * 4092}, None),
        ({"AWS_ENDPOINT_URL": "x", "a1": {"Ref": "Queue"}}, None),
    ],
)
def test_an_environment_has_to_fit_the_limits_of_lambda(variables: dict[str, Any], said: str | None) -> None:
    found = lines(Function=("Lambda::Function", {"Environment": {"Variables": variables}}))
    assert [said in line for line in found] == [True] if said else found == []


def test_a_short_api_key_is_rejected() -> None:
    (line,) = lines(Key=("ApiGateway::ApiKey", {"Value": "x" * 19}))
    assert "20 characters or more, got 19" in line
    assert lines(Key=("ApiGateway::ApiKey", {"Value": "x" * 20}), Made=("ApiGateway::ApiKey", {})) == []


def test_a_template_above_the_limits_of_cloudformation_is_rejected() -> None:
    many = template(**{f"Q{number}": queue() for number in range(501)})
    assert [line.split(";")[0] for line in rejected("Stack", many, 2_000_000)] == [
        "Stack: a template may have 500 resources, got 501",
        "Stack: a template may have 1,048,576 bytes, got 2,000,000",
    ]
    assert rejected("Stack", template(**{f"Q{number}": queue() for number in range(500)}), 1_048_576) == []


HERE, THERE = "aws://000000000000/us-east-1", "aws://000000000000/eu-west-1"


@pytest.mark.parametrize(
    ("resource", "regions", "said"),
    [
        (queue(QueueName="orders"), [HERE, HERE], "AWS::SQS::Queue orders may be there once, got it 2 times"),
        (queue(QueueName="orders"), [HERE, THERE], None),
        (("S3::Bucket", {"BucketName": "orders"}), [HERE, THERE], "AWS::S3::Bucket orders may be there once"),
        (("ApiGateway::ApiKey", {"Value": "hush"}), [HERE, HERE], "the value of an API key may be there once"),
        (queue(QueueName={"Ref": "Name"}), [HERE, HERE], None),
        (queue(), [HERE, HERE], None),
        (("ApiGateway::ApiKey", {"Name": "same"}), [HERE, HERE], None),
    ],
)
def test_a_name_that_is_used_twice_is_rejected(
    resource: tuple[str, dict[str, Any]], regions: list[str], said: str | None
) -> None:
    found = used_twice(("Stack", region, template(It=resource)) for region in regions)
    assert [said in line for line in found] == [True] if said else found == []
    assert "hush" not in str(found)


def test_a_conditional_resource_with_the_same_name_is_not_rejected() -> None:
    one = template(A=queue(QueueName="orders"))
    other = {"Resources": {"B": {**one["Resources"]["A"], "Condition": "Elsewhere"}}}
    assert used_twice([("One", HERE, one), ("Two", HERE, other)]) == []


def exporting(name: Any, **rest: Any) -> dict[str, Any]:
    return {"Resources": {}, "Outputs": {"Url": {"Value": "x", "Export": {"Name": name}, **rest}}}


def test_an_export_that_is_used_twice_is_rejected() -> None:
    found = used_twice([("One", HERE, exporting("url")), ("Two", HERE, exporting("url"))])
    assert found == [
        "One/Url and Two/Url: the export url may be there once, got it 2 times; give each another, or none"
    ]


@pytest.mark.parametrize(
    ("where", "other"),
    [
        (THERE, exporting("url")),
        (HERE, exporting("other")),
        (HERE, exporting({"Fn::Sub": "${AWS::StackName}-url"})),
        (HERE, exporting("url", Condition="Elsewhere")),
        (HERE, {"Outputs": {"Fn::Transform": []}}),
        (HERE, {"Outputs": {"Url": {"Value": "x", "Export": {"Fn::If": ["C", {"Name": "url"}, "x"]}}}}),
    ],
)
def test_a_name_that_may_be_another_export_is_not_rejected(where: str, other: dict[str, Any]) -> None:
    assert used_twice([("One", HERE, exporting("url")), ("Two", where, other)]) == []


SENDS = allowed("sqs:SendMessage")
MAY = allowed("sqs:*")[1]["PolicyDocument"]
BASIC = f"{MANAGED}AWSLambdaBasicExecutionRole"


@pytest.mark.parametrize(
    ("role", "policy"),
    [
        ({}, ("IAM::RolePolicy", {"RoleName": {"Ref": "Role"}, "PolicyDocument": MAY})),
        ({"RoleName": "consumer"}, ("IAM::Policy", {"Roles": ["consumer"], "PolicyDocument": MAY})),
        ({"RoleName": {"Ref": "P"}}, ("IAM::Policy", {"Roles": ["consumer"], "PolicyDocument": MAY})),
        ({}, ("IAM::Policy", {"Roles": {"Ref": "Names"}, "PolicyDocument": MAY})),
        ({}, ("IAM::Policy", {"Roles": {"Fn::If": ["C", [{"Ref": "Role"}], []]}, "PolicyDocument": MAY})),
        ({}, ("IAM::Policy", {"Roles": [{"Fn::If": ["C", {"Ref": "Role"}, "x"]}], "PolicyDocument": MAY})),
        ({}, ("IAM::Policy", {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Fn::If": ["C", MAY, MAY]}})),
        ({}, allowed({"Fn::If": ["C", "sqs:*", "s3:*"]})),  # type: ignore[arg-type]
        ({"Policies": {"Fn::If": ["C", [{"PolicyDocument": MAY}], []]}}, SENDS),
        ({"Policies": [{"Fn::If": ["C", {"PolicyDocument": MAY}, "x"]}]}, SENDS),
        ({"ManagedPolicyArns": {"Fn::If": ["C", ["x"], [BASIC]]}}, SENDS),
        ({"ManagedPolicyArns": [{"Fn::If": ["C", "x", BASIC]}]}, SENDS),
        ({"ManagedPolicyArns": [BASIC, {"Fn::ImportValue": "AWSLambdaBasicExecutionRole"}]}, SENDS),
        ({"ManagedPolicyArns": ["arn:aws:iam::000000000000:policy/AWSLambdaBasicExecutionRole"]}, SENDS),
    ],
)
def test_a_role_that_may_have_the_permission_is_not_rejected(
    role: dict[str, Any], policy: tuple[str, dict[str, Any]]
) -> None:
    assert mapped(Role=("IAM::Role", role), Policy=policy) == []


@pytest.mark.parametrize(
    ("role", "roles"),
    [({"RoleName": "consumer"}, ["another"]), ({}, [{"Ref": "Other"}]), ({"ManagedPolicyArns": [BASIC]}, [])],
)
def test_a_permission_of_another_role_permits_no_polling(role: dict[str, Any], roles: list[Any]) -> None:
    given = ("IAM::Policy", {"Roles": roles, "PolicyDocument": MAY})
    (line,) = mapped(Role=("IAM::Role", role), Policy=given, Other=("IAM::Role", {}))
    assert "allowed sqs:ReceiveMessage" in line


def test_a_conditional_resource_does_not_count_as_a_second_one() -> None:
    ends = {"EventSourceArn": arn("Queue"), "FunctionName": {"Ref": "Function"}}
    stack = template(
        A=part("{a}"),
        B=part("{b}"),
        Queue=queue(),
        Function=("Lambda::Function", {}),
        One=("Lambda::EventSourceMapping", ends),
        Two=("Lambda::EventSourceMapping", ends),
    )
    assert len(rejected("Stack", stack, 1000)) == 2
    for id in ("A", "One"):
        stack["Resources"][id]["Condition"] = "Here"
    assert rejected("Stack", stack, 1000) == []


def test_two_mappings_of_other_sources_are_not_rejected() -> None:
    kafka = {"FunctionName": {"Ref": "Function"}, "SelfManagedEventSource": {}}
    both = {name: ("Lambda::EventSourceMapping", kafka | {"Topics": [name]}) for name in ("One", "Two")}
    assert lines(Function=("Lambda::Function", {}), **both) == []


@pytest.mark.parametrize(
    "resources",
    [
        {"A": part({"Ref": "Part"}), "B": part({"Ref": "Other"})},  # type: ignore[arg-type]
        {"Own": queue(RedrivePolicy='{"maxReceiveCount": 3}'), "Dead": queue(RedriveAllowPolicy="{}")},
        {"Own": queue(FifoQueue={"Ref": "Fifo"}, **TO_DEAD), "Dead": queue()},
        {"Own": queue(FifoQueue={"Ref": "Fifo"}, QueueName="orders.fifo")},
        {"Own": ("Lambda::Function", {"Environment": {"Variables": {"Fn::If": ["C", {"A_B": "x"}, {}]}}})},
        {"Own": ("Lambda::Function", {"Environment": {"Ref": "AWS::NoValue"}})},
    ],
)
def test_values_that_only_the_deployment_knows_are_not_checked(resources: dict[str, Any]) -> None:
    assert lines(**resources) == []


# A template with every checked value.
WHOLE = template(
    Hook=part("{tenant}"),
    Other=part("{proxy+}"),
    Queue=queue(QueueName="orders.fifo", FifoQueue=True, VisibilityTimeout=30, **TO_DEAD),
    Dead=queue(RedriveAllowPolicy={"redrivePermission": "byQueue", "sourceQueueArns": [arn("Queue")]}),
    Function=("Lambda::Function", {"Role": arn("Role"), "Timeout": 30, "Environment": {"Variables": {"A_B": "x"}}}),
    Mapping=("Lambda::EventSourceMapping", {"EventSourceArn": arn("Queue"), "FunctionName": {"Ref": "Function"}}),
    Role=("IAM::Role", {"ManagedPolicyArns": [BASIC], "Policies": [{"PolicyDocument": SENDS[1]["PolicyDocument"]}]}),
    Policy=SENDS,
    Key=("ApiGateway::ApiKey", {"Value": "x" * 20}),
) | {"Outputs": {"Url": {"Value": "x", "Export": {"Name": "url"}}}}
INTRINSICS = st.sampled_from(
    [
        *({"Ref": "Queue"}, {"Ref": "AWS::NoValue"}, {"Fn::If": ["C", "a", {"Ref": "AWS::NoValue"}]}, arn("Role")),
        *({"Fn::GetAtt": "Queue.Arn"}, {"Fn::Sub": ["${A}", {"A": "x"}]}, {"Fn::Transform": {"Name": "AWS::Include"}}),
        *('{"as": "text"}', "", 3, True, None, [], {}, [{"Ref": "Role"}], [None]),
    ]
)


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of the plain values in a value."""
    for name, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (name,)
        yield from ((name, *rest) for rest in paths(each))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(paths(WHOLE))), INTRINSICS), min_size=1, max_size=3))
def test_any_template_is_checked_without_an_exception(edits: list[tuple[tuple[Any, ...], Any]]) -> None:
    edited = json.loads(json.dumps(WHOLE))  # without duplicate names
    for (*way, last), value in sorted(edits, key=lambda edit: -len(edit[0])):
        holder = functools.reduce(operator.getitem, way, edited)
        holder[last] = copy.deepcopy(value)
    found = [*rejected("Stack", edited, 1000), *used_twice([("Stack", HERE, edited), ("Other", HERE, edited)])]
    assert all(isinstance(line, str) and line for line in found)
