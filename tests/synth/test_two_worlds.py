"""Synth time and run time share the settings of ``webhook_runtime.contract`` alone, and synth time writes each one."""

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from cdk_scalable_webhook import (
    Acknowledgement,
    AdaptiveRate,
    ApiOptions,
    CircuitBreaker,
    GroupBy,
    Ingress,
    QueueOptions,
    Retry,
    ScalableWebhook,
    Sink,
    Source,
)
from webhook_runtime.contract import settings
from webhook_runtime.contract.records import fields_of

from .strategies import built, simplest_call

SRC = Path(__file__).parents[2] / "src"
HELLO = Path(__file__).parents[2] / "examples" / "hello" / "app.py"
SINKS = sorted(path.stem for path in SRC.glob("webhook_runtime/sinks/*.py") if "\ndef deployed(" in path.read_text())
HANDLERS = ["publisher", "breaker", *SINKS]
# Values with which a handler loads, if "1" is not valid.
VALUES = {
    "WEBHOOK_HANDLER": "json.loads",
    "WEBHOOK_DATABASE_ENGINE": "mysql",
    "WEBHOOK_ACKNOWLEDGEMENT": "{}",
    "WEBHOOK_RESPONSE_HEADERS": "{}",
    "WEBHOOK_CREDENTIALS": "{}",
    "WEBHOOK_GROUP_BY": '{"mount": []}',
    "WEBHOOK_SOURCES": '{"/": {"kind": "hmac", "scheme": {"header": "X"}, "secret": {"arn": "a"}}, "/open": null}',
    "WEBHOOK_EVENT_FILTERS": '{"/": [{"headers": {"x": ["1"]}}]}',
}


def sinks(handler: str, stack: Stack, folder: Path) -> list[Sink]:
    """Return sinks whose consumer has this handler. Together they use every setting."""
    pem, module = folder / "ca.pem", folder / "orders.py"
    pem.write_text("")
    module.write_text("def handle(webhook): ...\ndef ping(): ...")
    secret = secretsmanager.Secret(stack, "Secret")
    vpc = ec2.Vpc(stack, "Vpc")
    postgres = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
    mysql = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_0)
    aurora = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6)
    host: dict[str, Any] = {"database_name": "d", "host": "h", "secret": secret, "ca_certificates": str(pem)}
    match handler:
        case "publisher" | "breaker" | "dynamodb":
            return [Sink.dynamodb(compress=True)]
        case "postgres":
            server = rds.DatabaseInstance(stack, "Server", engine=postgres, vpc=vpc)
            return [Sink.postgres(**host), Sink.postgres(server, database_name="d", iam_user="u")]
        case "mysql":
            server = rds.DatabaseInstance(stack, "Server", engine=mysql, vpc=vpc)
            return [Sink.mysql(**host), Sink.mysql(server, database_name="d", iam_user="u")]
        case "data_api":
            writer = rds.ClusterInstance.serverless_v2("Writer")
            cluster = rds.DatabaseCluster(stack, "Aurora", engine=aurora, writer=writer, vpc=vpc, enable_data_api=True)
            return [Sink.data_api(cluster, database_name="d")]
        case "http":
            url, named = "https://example.com", ["X-Real-IP"]
            return [Sink.http(url, signing_secret=secret, ca_certificates=str(pem), forward_headers=named)]
        case "python":
            return [Sink.python(str(module), "orders.handle")]
    return [built(simplest_call(f"Sink.{handler}"), stack)]


def written(handler: str, folder: Path) -> set[str]:
    """Return the variables of the function with this handler, with every setting in use."""
    # Large payloads need a Lambda integration, with which no consumer verifies.
    return _written(handler, folder, large_payloads=False) | _written(handler, folder, large_payloads=True)


def _written(handler: str, folder: Path, *, large_payloads: bool) -> set[str]:
    stack = Stack(App(), "Stack")
    secret = secretsmanager.Secret(stack, "Shared")
    source = Source.github(secret, secret_field="key")
    # The publisher has the variables for verification and filters, or the consumer of a direct integration.
    by_publisher = handler == "publisher" or large_payloads
    ingress = Ingress.lambda_integration() if by_publisher else Ingress.direct_integration()
    for number, sink in enumerate(sinks(handler, stack, folder)):
        ScalableWebhook(
            stack,
            f"Webhook{number}",
            ingress=ingress,
            sink=sink,
            source=source,
            event_filters=[{"headers": {"X": ["1"]}}],
            retry=Retry(),
            breaker=CircuitBreaker(),
            large_payloads=large_payloads,
            acknowledgement=Acknowledgement(),
            cors=apigateway.CorsOptions(allow_origins=["*"]),
            api=ApiOptions(api_key=True),
            queue=QueueOptions(fair_by=GroupBy.mount()),
            max_delivery_rate=AdaptiveRate(maximum=100, target_latency=Duration.seconds(1)),
        )
    ScalableWebhook(stack, "Url", ingress=Ingress.function_url(), source=source, sink=Sink.dynamodb())
    ScalableWebhook(stack, "Open", delivery_id_header="Idempotency-Key", sink=Sink.dynamodb())
    functions = Template.from_stack(stack).find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": f"webhook_runtime.handlers.{handler}"}}
    )
    assert functions
    return {name for function in functions.values() for name in function["Properties"]["Environment"]["Variables"]}


def run(code: str, **environment: str) -> Any:
    """Run Python code in a process that cannot import the modules of synth time."""
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


@cache
def read(handler: str) -> set[str]:
    """Return the variables of the settings that a function reads while it starts."""
    code = f"""
import os
from webhook_runtime.contract import settings
from webhook_runtime.contract.records import fields_of
read, kinds = settings.from_environment, []
def from_environment(kind):
    kinds.append(kind)
    return read(kind)
settings.from_environment = from_environment
from webhook_runtime.handlers import {handler} as handler
assert callable(handler)
print(*(f"WEBHOOK_{{field.upper()}}" for kind in kinds for field in fields_of(kind)))
"""
    result = run(code, **dict.fromkeys(names_of_settings(), "1") | VALUES)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def names_of_settings() -> set[str]:
    """Return every variable, except that of a file, which must exist."""
    classes = settings.Settings.__subclasses__()
    return {f"WEBHOOK_{field.upper()}" for each in classes for field in fields_of(each)} - {"WEBHOOK_CA_CERTIFICATES"}


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_construct_writes_the_variables_that_a_function_reads(handler: str, tmp_path: Path) -> None:
    assert written(handler, tmp_path) == read(handler)


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_cold_start_loads_neither_botocore_nor_sources_nor_filters(handler: str) -> None:
    code = f"""
import sys
from webhook_runtime.handlers import {handler} as handler
assert callable(handler)
of_sources = {{f"webhook_runtime.sources.{{name}}" for name in ("source", "secrets", "schemes", "handshakes")}}
print({{"boto3", "botocore", "webhook_runtime.filters", *of_sources}} & {{*sys.modules}})
"""
    names = names_of_settings() - {"WEBHOOK_SOURCES", "WEBHOOK_EVENT_FILTERS"}
    result = run(code, **{name: VALUES.get(name, "1") for name in names})
    assert result.stdout.split() == ["set()"], result.stderr


def test_the_run_time_imports_only_the_standard_library_boto3_and_the_driver_of_a_sink() -> None:
    allowed = sys.stdlib_module_names | {"boto3", "botocore", "webhook_runtime"}
    # The asset has the driver of its sink. urllib3 is botocore's own HTTP client.
    drivers = {"postgres.py": {"pg8000"}, "mysql.py": {"pymysql"}, "http.py": {"urllib3"}}
    foreign = {
        f"{path.relative_to(SRC)}: {name}"
        for path in (SRC / "webhook_runtime").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name.split(".")[0] not in allowed | (drivers.get(path.name, set()) if path.parent.name == "sinks" else set())
    }
    assert foreign == set()


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "." * node.level]
    return []


@pytest.mark.slow(6)
@pytest.mark.smoke
def test_the_run_time_tests_that_need_processes_pass_without_aws_cdk() -> None:
    """All others run without it in tests/lambda_python. The simulations of a rate are imported only: they take long."""
    tests = Path(__file__).parents[1] / "runtime"
    long = ["--deselect", f"{tests.relative_to(tests.parents[1])}/test_pace.py"]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:tests.suite.ending", "-m", "processes", *long, str(tests)]
    code = f"import pytest; sys.exit(pytest.main({options}))"
    result = run(code)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


def test_an_app_is_synthesised_without_boto3(tmp_path: Path) -> None:
    code = f"""
import runpy, sys
sys.modules.update(boto3=None, botocore=None)
import webhook_runtime.testing
from cdk_scalable_webhook.route.sinks import data_api, database, dynamodb, http, python
runpy.run_path({str(HELLO)!r})
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"CDK_OUTDIR": str(tmp_path)}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert list(tmp_path.glob("*.template.json"))
