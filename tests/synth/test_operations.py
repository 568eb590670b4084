"""Least privilege: a role has the actions that its function calls, and those that AWS performs with the role.

It has no more and no fewer. This holds for each function of each app of the tests.
"""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from aws_cdk import App, Stack

from cdk_scalable_webhook import ScalableWebhook

from .. import apps
from .policies import listed, of_role
from .strategies import ARGUMENTS, built, simplest_call

ROOT = Path(__file__).parents[2]
PREFIX = "webhook_runtime.handlers."
MORE_APPS = {"strict": apps.STRICT, "everything": ROOT / "tests/synth/everything.py"}

# The actions that authorize a call, if its own name is not the action.
# https://docs.aws.amazon.com/dynamodb/latest/developerguide/ql-iam.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.access.html
ACTIONS = {
    "dynamodb:BatchExecuteStatement": {"dynamodb:PartiQLInsert"},
    "rds:connect": {"rds-db:connect"},
    "rds-data:ExecuteStatement": {"rds-data:ExecuteStatement", "secretsmanager:GetSecretValue"},
    "rds-data:BatchExecuteStatement": {"rds-data:BatchExecuteStatement", "secretsmanager:GetSecretValue"},
    "s3:DeleteObjects": {"s3:DeleteObject"},
    "s3:GetObject": {"s3:GetObject", "s3:ListBucket"},
    "sqs:ChangeMessageVisibilityBatch": {"sqs:ChangeMessageVisibility"},
    "sqs:SendMessageBatch": {"sqs:SendMessage"},
    "lambda:Invoke": {"lambda:InvokeFunction"},
}
# The actions on an existing key that a call needs.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
KEYS = {
    "dynamodb:PartiQLInsert": {
        *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
        *("kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    },
    "sqs:SendMessage": {"kms:Decrypt", "kms:GenerateDataKey"},
    "sqs:ReceiveMessage": {"kms:Decrypt"},
    "secretsmanager:GetSecretValue": {"kms:Decrypt"},
    "s3:PutObject": {"kms:Decrypt", "kms:GenerateDataKey"},
    "s3:GetObject": {"kms:Decrypt"},
}
# AWS uses a role too: it writes logs and traces, creates network interfaces, and receives batches.
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
NETWORK = {
    *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
}
MAPPING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}


# An example grants this to its own handler, which does not run here.
BY_THE_APP = {"python_handler": {"dynamodb:PutItem"}}


@dataclass(frozen=True)
class Function:
    name: str
    handler: str
    variables: Mapping[str, Any]
    granted: frozenset[str]
    by_aws: frozenset[str]


def apps_by_name() -> Iterator[tuple[str, App]]:
    for name in apps.APPS:
        yield name, apps.run(name)
    for name, path in MORE_APPS.items():
        yield name, runpy.run_path(str(path))["app"]


def app_of_other_sinks(handlers: set[str]) -> App:
    """Return an app with each sink that has none of these handlers, with the simplest arguments."""
    app = App()
    for sink in ARGUMENTS:
        if sink.startswith("Sink.") and PREFIX + sink.removeprefix("Sink.") not in handlers:
            stack = Stack(app, sink.replace(".", "-"))
            ScalableWebhook(stack, "Webhook", sink=built(simplest_call(sink), stack))
    return app


def functions() -> Iterator[Function]:
    found = [each for name, app in apps_by_name() for each in functions_of(name, app)]
    yield from found
    yield from functions_of("other sinks", app_of_other_sinks({each.handler for each in found}))


def functions_of(name: str, app: App) -> Iterator[Function]:
    for stack in app.synth().stacks:
        resources = stack.template["Resources"]
        for id, resource in resources.items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Lambda::Function" and str(properties["Handler"]).startswith(PREFIX):
                yield Function(
                    f"{name}: {id}",
                    properties["Handler"],
                    properties["Environment"]["Variables"],
                    frozenset(granted(resources, properties["Role"]["Fn::GetAtt"][0])),
                    frozenset(by_aws(resources, id, properties)),
                )


def granted(resources: Mapping[str, Any], role: str) -> Iterator[str]:
    for statement in of_role(resources, role):
        yield from listed(statement["Action"])


def by_aws(resources: Mapping[str, Any], id: str, properties: Mapping[str, Any]) -> Iterator[str]:
    yield from LOGS
    if properties.get("TracingConfig", {}).get("Mode") == "Active":
        yield from TRACES
    if "VpcConfig" in properties:
        yield from NETWORK
    mappings = [each for each in resources.values() if each["Type"] == "AWS::Lambda::EventSourceMapping"]
    if any(each["Properties"]["FunctionName"] == {"Ref": id} for each in mappings):
        yield from MAPPING


def known(value: Any) -> str:
    """Return a value of an environment, with a queue URL for each reference."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator.join(map(known, parts)))
    return "https://sqs.us-east-1.amazonaws.com/1/Queue"


def environment_of(function: Function) -> dict[str, str]:
    """Return the environment in which a function runs here."""
    environment = {name: known(value) for name, value in function.variables.items()}
    environment |= {"WEBHOOK_DATABASE_HOST": "127.0.0.1", "WEBHOOK_DATABASE_PORT": "9"}
    environment |= {name: "bucket" for name in environment if "BUCKET" in name}
    environment.pop("WEBHOOK_CA_CERTIFICATES", None)
    if "WEBHOOK_URL" in environment:
        environment["WEBHOOK_URL"] = "http://127.0.0.1:9/"
    if "WEBHOOK_HANDLER" in environment:  # the user's handler is not available
        environment |= {"WEBHOOK_HANDLER": "operator.neg", "WEBHOOK_HANDLER_BATCH": "false"}
    if "WEBHOOK_SOURCES" in environment:
        environment["WEBHOOK_SOURCES"] = re.sub(
            r'"handler": ?"[^"]+"', '"handler": "operator.is_"', environment["WEBHOOK_SOURCES"]
        )
    environment.pop("WEBHOOK_EVENT_FILTERS", None)  # no message may be dropped
    return environment


def recorded(functions: Sequence[Function]) -> list[set[str]]:
    """Return the operations that each function calls, in a process of its own."""
    asked = [(each.handler, environment_of(each)) for each in functions]
    # Of functions that are alike, one.
    keys = [json.dumps(each, sort_keys=True) for each in asked]
    different = list(dict(zip(keys, asked, strict=True)).items())
    aws = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.devnull}
    python = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-m", "tests.synth.operations"],
        env={**aws, **credentials, **python},
        input=json.dumps([each for _, each in different]),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    by_key = {key: set(operations) for (key, _), operations in zip(different, found, strict=True)}
    return [by_key[key] for key in keys]


def actions(operations: set[str]) -> set[str]:
    return set().union(*(ACTIONS.get(each, {each}) for each in operations))


@pytest.mark.slow(40)
def test_each_role_has_the_permissions_that_its_function_needs_and_no_others() -> None:
    wrong: dict[str, Any] = {}
    every_operation: set[str] = set()
    found = list(functions())
    for each, operations in zip(found, recorded(found), strict=True):
        every_operation |= operations
        needed = actions(operations) | each.by_aws
        on_keys = set().union(*(KEYS.get(action, set()) for action in needed))
        superfluous = each.granted - needed - on_keys - BY_THE_APP.get(each.name.partition(":")[0], set())
        missing = needed - each.granted
        if superfluous or missing:
            wrong[each.name] = {"superfluous": sorted(superfluous), "missing": sorted(missing)}
    assert wrong == {}
    # Together the functions called each operation of the run time.
    assert {operation.partition(":")[2] for operation in every_operation if operation != "rds:connect"} == called()


def called() -> set[str]:
    """Return the operations that the source code of the run time names."""
    code = "\n".join(path.read_text() for path in (ROOT / "src" / "webhook_runtime").rglob("*.py"))
    names = re.findall(r"self\._(?:sqs|s3|client|secrets|dynamodb|rds_data|lambda|events)\.([a-z_]+)\(", code)
    names += re.findall(r'_call\(\s*"([a-z_]+)"', code)
    session = botocore.session.get_session()
    services = ("sqs", "s3", "secretsmanager", "dynamodb", "rds-data", "lambda", "events")
    operations = {name for service in services for name in session.get_service_model(service).operation_names}
    return {"".join(part.title() for part in name.split("_")) for name in names} & operations
