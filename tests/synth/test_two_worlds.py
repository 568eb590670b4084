"""Synth time and run time meet only in the environment variables: both sides are held to one list here."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from cdk_scalable_webhook import Ingress, ScalableWebhook

SRC = Path(__file__).parents[2] / "src"
HANDLERS = {
    "publisher": {"WEBHOOK_QUEUE_URL", "WEBHOOK_DELIVERY_ID_HEADER"},
    "dynamodb": {"WEBHOOK_TABLE_NAME", "WEBHOOK_DEAD_LETTER_QUEUE_URL"},
}


def written(handler: str) -> set[str]:
    """The variables that the construct gives the function with this handler, with every setting in use."""
    stack = Stack(App(), "Stack")
    ScalableWebhook(stack, "Webhook", ingress=Ingress.lambda_integration(), delivery_id_header="X-Id")
    functions = Template.from_stack(stack).find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": f"webhook_runtime.handlers.{handler}.handler"}}
    )
    (function,) = functions.values()
    return set(function["Properties"]["Environment"]["Variables"])


def run(code: str, **environment: str) -> Any:
    """Python code in a process where the synth-time world cannot be imported."""
    block = (
        "import sys; sys.modules.update({n: None for n in ('aws_cdk', 'constructs', 'jsii', 'cdk_scalable_webhook')})\n"
    )
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    aws = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    return subprocess.run(
        [sys.executable, "-c", block + code],
        env=keep | aws | {"PYTHONPATH": str(SRC)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_environment_written_is_the_environment_read(handler: str) -> None:
    assert written(handler) == HANDLERS[handler]
    read = """
class Recorder(dict):
    def __getitem__(self, name): self.read.add(name); return "x"
    def get(self, name, default=None): self.read.add(name); return "x"
recorder = Recorder(); recorder.read = set()
import webhook_runtime.settings as settings
for cls in {classes}:
    getattr(settings, cls).from_environment(recorder)
print(*sorted(recorder.read))
"""
    classes = {"publisher": ["PublisherSettings"], "dynamodb": ["ConsumerSettings", "DynamoDBSettings"]}[handler]
    result = run(read.replace("{classes}", repr(classes)))
    assert set(result.stdout.split()) == HANDLERS[handler], result.stderr


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_loads_with_what_it_is_given_and_without_aws_cdk(handler: str) -> None:
    code = f"import webhook_runtime.handlers.{handler} as module; print(callable(module.handler))"
    result = run(code, **dict.fromkeys(HANDLERS[handler], "x"))
    assert result.stdout.strip() == "True", result.stderr


def test_the_run_time_imports_the_standard_library_and_boto3_only() -> None:
    allowed = sys.stdlib_module_names | {"boto3", "botocore", "webhook_runtime"}
    foreign = {
        f"{path.relative_to(SRC)}: {name}"
        for path in (SRC / "webhook_runtime").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name.split(".")[0] not in allowed
    }
    assert foreign == set()


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "." * node.level]
    return []


def test_every_run_time_test_passes_where_aws_cdk_cannot_be_imported() -> None:
    tests = Path(__file__).parents[1] / "runtime"
    code = f"import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {str(tests)!r}]))"
    result = run(code)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
