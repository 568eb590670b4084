"""A function's policy decides which calls API Gateway may make: in the policy, and at the local gateway."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from scalable_webhook_cli.gateway.permission import _allows
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import wait_for

from ...suite.patience import SECONDS, http

CALL = "arn:aws:execute-api:us-east-1:000000000000:a1b2/prod/POST/hooks/in"
OF_GATEWAY: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "apigateway.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
}


def of(source: str) -> dict[str, Any]:
    """Return a condition in the form of AddPermission."""
    return {"Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:execute-api:us-east-1:000000000000:{source}"}}}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({}, True),
        (of("a1b2/prod/POST/hooks/in"), True),
        (of("a1b2/prod/POST/hooks/*"), True),
        (of("a1b2/*/*/*"), True),
        (of("*"), True),
        (of("a1b2/dev/POST/hooks/in"), False),
        (of("a1b2/test-invoke-stage/*/*"), False),
        (of("a1b2/prod/GET/hooks/in"), False),
        (of("a1b2/prod/POST/hooks"), False),
        (of("c3d4/*/*/*"), False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:eu-west-1:*:a1b2/*/*/*"}}}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:*/prod/POST/hooks/in"}}}, False),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "000000000000"}}}, True),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "111122223333"}}}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": "events.amazonaws.com"}}, False),
        ({"Principal": {"AWS": "000000000000"}}, False),
        ({"Action": "lambda:*"}, True),
        ({"Action": "lambda:GetFunction"}, False),
        ({"Effect": "Deny"}, False),
        ({"Principal": "*", "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}}, False),
    ],
)
def test_a_policy_allows_what_it_names(statement: dict[str, Any], allowed: bool) -> None:
    assert _allows(OF_GATEWAY | statement, CALL) is allowed


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running() as started:
        yield started


OK = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"


def zipped(code: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.py", code)
    return file.getvalue()


@pytest.fixture(scope="module")
def api(emulator: Emulator) -> str:
    """Create an API with two stages. The function permits one of them, for POST below /hooks."""
    functions = emulator.client("lambda")
    gateway = emulator.client("apigateway")
    logs = emulator.client("logs")
    role = f"arn:aws:iam::{emulator.account}:role/any"
    function = functions.create_function(
        FunctionName="called", Runtime="python3.11", Handler="index.handler", Role=role, Code={"ZipFile": zipped(OK)}
    )["FunctionArn"]
    id = str(gateway.create_rest_api(name="calls")["id"])
    root = gateway.get_resources(restApiId=id)["items"][0]["id"]
    hooks = gateway.create_resource(restApiId=id, parentId=root, pathPart="hooks")["id"]
    below = gateway.create_resource(restApiId=id, parentId=hooks, pathPart="{proxy+}")["id"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    for resource in (hooks, below):
        method = {"restApiId": id, "resourceId": resource, "httpMethod": "ANY"}
        gateway.put_method(**method, authorizationType="NONE")
        gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    logs.create_log_group(logGroupName="access")
    arn = f"arn:aws:logs:us-east-1:{emulator.account}:log-group:access"
    line = (
        '{"stage": "$context.stage", "why": "$context.integrationErrorMessage", "type": "$context.error.responseType"}'
    )
    for stage in ("blue", "green"):
        gateway.create_deployment(restApiId=id, stageName=stage)
        paths = {"/accessLogSettings/destinationArn": arn, "/accessLogSettings/format": line}
        changes = [{"op": "replace", "path": path, "value": value} for path, value in paths.items()]
        gateway.update_stage(restApiId=id, stageName=stage, patchOperations=changes)
    functions.add_permission(
        FunctionName="called",
        StatementId="blue",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{emulator.account}:{id}/blue/POST/hooks/*",
    )
    return id


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("POST blue/hooks/in", 200),
        ("POST green/hooks/in", 500),
        ("PUT blue/hooks/in", 500),
        ("POST blue/hooks", 500),
    ],
)
def test_a_function_is_called_only_if_its_policy_permits_it(
    emulator: Emulator, api: str, call: str, status: int
) -> None:
    verb, path = call.split()
    answer = http.request(verb, f"{emulator.endpoint}/_aws/execute-api/{api}/{path}")
    assert answer.status_code == status
    assert answer.text == "ok" if status == 200 else answer.json() == {"message": "Internal server error"}


def test_the_access_log_has_the_reason_for_a_rejected_call(emulator: Emulator, api: str) -> None:
    http.post(f"{emulator.endpoint}/_aws/execute-api/{api}/green/hooks/in")
    logs = emulator.client("logs")

    def told() -> list[dict[str, str]]:
        events = logs.filter_log_events(logGroupName="access")["events"]
        return [line for line in map(json.loads, (event["message"] for event in events)) if line["stage"] == "green"]

    assert wait_for(lambda: bool(told()), SECONDS)
    said = {"stage": "green", "why": "Invalid permissions on Lambda function", "type": "INTEGRATION_FAILURE"}
    assert said in told()
