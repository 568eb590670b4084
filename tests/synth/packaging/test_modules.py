"""A function has the modules of the run time that it can import, and no other. The reference is Python: what it parses,
and what it imports while a packed function runs with what Lambda has."""

import ast
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import (
    AdaptiveRate,
    ApiOptions,
    CircuitBreaker,
    ConsumerOptions,
    GroupBy,
    Ingress,
    QueueOptions,
    RuntimeLayer,
    ScalableWebhook,
    Sink,
    Source,
)
from cdk_scalable_webhook.packaging import asset, modules
from scalable_webhook_cli.processes import free_port
from webhook_runtime import message
from webhook_runtime.contract import authorities
from webhook_runtime.contract.functions import modules_of
from webhook_runtime.testing import signed, sqs_event, webhook

from ... import isolated
from ...runtime.events import log_lines, request
from ...runtime.serving import Quiet, Serving
from ..test_two_worlds import HANDLERS, SRC

RUN_TIME = SRC / "webhook_runtime"
KEY = "whsec-of-the-test"
PING = b'{"ref": "refs/heads/main"}'


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_of(file): file for file in sorted(RUN_TIME.rglob("*.py"))}


def parsed(node: ast.AST) -> Iterator[str]:
    """Yield what a module can import by its syntax tree, wherever that stands, and names in it."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert not node.level
        yield from (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))
    for child in ast.iter_child_nodes(node):
        yield from parsed(child)


@pytest.mark.parametrize("name", FILES)
def test_the_imports_in_the_text_of_a_module_are_those_that_python_parses(name: str) -> None:
    text = FILES[name].read_text()
    assert set(modules.imported(text)) & FILES.keys() == set(parsed(ast.parse(text))) & FILES.keys()


@pytest.mark.parametrize(
    "text",
    [
        "from webhook_runtime.testing import webhook",
        "from webhook_runtime import testing",
        "from webhook_runtime import read, testing as made",
        "from webhook_runtime import (\n    read,\n    testing,\n)",
        "import webhook_runtime.testing",
        "import webhook_runtime.testing as made",
        "def handle(webhook):\n\tfrom webhook_runtime.testing import webhook\n",
        "try:\n    import webhook_runtime.testing\nexcept ImportError: ...",
        "import json\r\nfrom webhook_runtime.testing import webhook\r\n",
        "from webhook_runtime import testing\ndef handle(x): return t'{x}'",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x\n\nfrom webhook_runtime import testing",
    ],
)
def test_what_code_of_a_user_imports_is_packed(text: str, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(text, newline="")
    with asset.packed(Stack(), code=[tmp_path], handler="python") as code:
        found = packed_modules(folder_of(code))
    assert {"webhook_runtime.testing", "webhook_runtime.contract.providers"} <= found


def test_without_an_import_there_are_no_testing_helpers(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("from webhook_runtime import Permanent, Webhook\n# webhook_runtime.testing\n")
    with asset.packed(Stack(), code=[tmp_path], handler="python") as code:
        assert "webhook_runtime.testing" not in packed_modules(folder_of(code))


def folder_of(code: Any) -> Path:
    return Path(code.path)


def packed_modules(folder: Path) -> set[str]:
    """Return the packed modules of the run time. There are no other files of it than their data."""
    files = [path for path in (folder / "webhook_runtime").rglob("*") if path.is_file()]
    assert {file.suffix for file in files} <= {".py", ".pem"}
    names = (file.relative_to(folder).with_suffix("") for file in files if file.suffix == ".py")
    return {".".join(name.parts).removesuffix(".__init__") for name in names}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_function_has_each_module_that_it_can_import_and_no_function_or_sink_besides(handler: str) -> None:
    with asset.packed(Stack(), handler=handler) as code:
        found = packed_modules(folder_of(code))
    for name in found:
        wanted = {each for each in parsed(ast.parse(FILES[name].read_text())) if each in FILES}
        assert wanted | {name.rpartition(".")[0]} - {""} <= found, name
    functions = {"webhook_runtime.publisher", "webhook_runtime.consumer", "webhook_runtime.breaker"}
    sinks = {f"webhook_runtime.sinks.{each}" for each in HANDLERS} & FILES.keys()
    assert found & (functions | sinks) == {*modules_of(handler)}


def test_only_a_function_that_connects_to_a_database_has_amazons_authorities_of_the_regions_that_it_may_be_in() -> None:
    whole = authorities.BUNDLE.read_text()
    for handler in HANDLERS:
        for regions, wanted in ((None, whole), (["eu-west-1"], authorities.authorities_of("eu-west-1")), ([], "")):
            with asset.packed(Stack(), handler=handler, certificate_regions=regions) as code:
                found = {path.name: path.read_text() for path in folder_of(code).rglob("*.pem")}
            assert found == ({authorities.BUNDLE.name: wanted} if handler in ("postgres", "mysql") else {}), handler


def test_the_layer_has_what_is_public(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    RuntimeLayer(Stack(app, "Stack"), "Runtime")
    app.synth()
    (folder,) = tmp_path.glob("asset.*")
    documented = [
        line[2:] for line in (SRC.parent / "API.md").read_text().splitlines() if line.startswith("# webhook_")
    ]
    assert documented == list(asset._PUBLIC)
    assert {*documented} <= packed_modules(folder / "python")
    assert "webhook_runtime.consumer" not in packed_modules(folder / "python")
    program = "from webhook_runtime import *; from webhook_runtime.testing import *; print(webhook(b'{}').json())"
    assert isolated.run(program, folder / "python").stdout == "{}\n"


def test_functions_with_the_same_modules_share_an_asset_in_any_order(tmp_path: Path) -> None:
    made = []
    for order in (1, -1):
        app = App(outdir=str(tmp_path / str(order)))
        stack = Stack(app, "Stack")
        for number in (1, 2, 3)[::order]:
            ScalableWebhook(stack, f"Webhook{number}", sink=Sink.http("https://example.com"), path=f"/{number}")
        app.synth()
        made.append({path.name for path in tmp_path.glob(f"{order}/asset.*")})
    assert made[0] == made[1]
    assert len(made[0]) == 3  # publisher, consumer and breaker


# The imports of a function while it runs.


class Aws(Quiet):
    """Answers for every service of AWS, and for an HTTP service: all goes well."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        secret = json.dumps({"username": "u", "password": "p", "key": KEY})
        answer = {"SecretString": secret, "MessageId": "m", "Responses": [{}], "updateResults": [{}]}
        mapping = {"EventSourceMappingArn": "arn", "State": "Enabled", "Tags": {}}
        body = b"" if self.command == "PUT" else json.dumps(answer | mapping).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET = do_DELETE = _answer

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    serving = Serving(Aws)
    yield serving.url
    serving.close()


@pytest.fixture(scope="module")
def lambdas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return isolated.lambdas_packages(tmp_path_factory.mktemp("lambda") / "python")


RUN = """
import importlib, json, os, pathlib
missing = []
class Missing:
    find_spec = staticmethod(lambda name, path=None, target=None: missing.append(name))
class Context:
    get_remaining_time_in_millis = staticmethod(lambda: 10_000)
sys.meta_path.append(Missing)
handler, variables, events = json.load(sys.stdin)
os.environ.update(variables)
from webhook_runtime import handlers
handle = getattr(handlers, handler)
answers = []
for event in events:
    try:
        answers.append(handle(event, Context))
    except Exception as error:
        answers.append(repr(error))
asset = pathlib.Path(sys.path[0])
for file in asset.rglob("*.py"):
    name = ".".join(file.relative_to(asset).with_suffix("").parts).removesuffix(".__init__")
    importlib.import_module(name)
print(json.dumps([answers, missing]), file=sys.__stdout__)
"""


def sink(handler: str, stack: Stack, folder: Path, url: str) -> Sink:
    """Return the sink with this handler that has the most to import, and reaches nothing but this machine."""
    closed: dict[str, Any] = {"host": "127.0.0.1", "port": free_port(), "database_name": "d"}
    secret = secretsmanager.Secret(stack, "Login")
    match handler:
        case "postgres":
            return Sink.postgres(**closed, secret=secret)
        case "mysql":
            return Sink.mysql(**closed, secret=secret)
        case "data_api":
            engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6)
            writer, vpc = rds.ClusterInstance.serverless_v2("Writer"), ec2.Vpc(stack, "Vpc")
            cluster = rds.DatabaseCluster(stack, "Aurora", engine=engine, writer=writer, vpc=vpc, enable_data_api=True)
            return Sink.data_api(cluster, database_name="d", create_table=True)
        case "http":
            return Sink.http(url, signing_secret=secret)
        case "python":
            (folder / "orders.py").write_text(
                "def handle(webhook):\n"
                "    from webhook_runtime.testing import sqs_event\n"
                "    assert sqs_event(webhook)\n"
                "def ping(): ...\n"
            )
            return Sink.python(folder / "orders.py", "orders.handle")
    return Sink.dynamodb(compress=True)


def functions(handler: str, folder: Path, url: str, *, direct: bool) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield asset and variables of the functions with this handler, of a webhook with every setting. Its sources are
    verified behind a direct integration, or in front of the queue and with large payloads."""
    app = App(outdir=str(folder / "out"), context={"aws:cdk:enable-asset-metadata": True})
    stack = Stack(app, "Stack")
    (folder / "bank.py").write_text("from webhook_runtime import Unverified\ndef verify(webhook, secrets): ...\n")
    secret = secretsmanager.Secret(stack, "Shared")
    made = ScalableWebhook(
        stack,
        "Webhook",
        ingress=Ingress.direct_integration() if direct else Ingress.lambda_integration(),
        sink=sink(handler, stack, folder, url),
        source=Source.custom(folder / "bank.py", "bank.verify", secret=secret),
        event_filters=[{"headers": {"X-Event": ["push"]}}],
        breaker=CircuitBreaker(),
        large_payloads=not direct,
        api=ApiOptions(api_key=True),
        queue=QueueOptions(fair_by=GroupBy.mount() if direct else GroupBy.field("ref")),
        max_delivery_rate=AdaptiveRate(maximum=100, target_latency=Duration.seconds(1)),
        consumer=ConsumerOptions(timeout=Duration.minutes(1)),
    )
    made.add_source("/github", Source.github(secret, secret_field="key"))
    if not direct:  # a handshake needs a function
        made.add_source("/slack", Source.slack(secret, secret_field="key"))
    for resource in app.synth().get_stack_by_name("Stack").template["Resources"].values():
        properties = resource.get("Properties", {})
        if properties.get("Handler") == f"webhook_runtime.handlers.{handler}":
            variables = {name: plain(value) for name, value in properties["Environment"]["Variables"].items()}
            yield folder / "out" / resource["Metadata"]["aws:asset:path"], variables


def plain(value: Any) -> str:
    """Return the value of a variable, with a number in place of what only a deployment knows."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(plain, parts))
        case str():
            return value
    return "1"


def events(handler: str) -> list[dict[str, Any]]:
    """Return events that a function with this handler handles in all ways: sound, unsigned, dropped, and large ones."""
    if handler == "breaker":
        return [{}, log_lines(json.dumps({"message": "batch", "down": True, "stored": 0}))]
    hello = b'{"type": "url_verification", "challenge": "c"}'
    kinds = [
        ("/", PING, {"X-Event": "push"}),
        ("/", PING, {}),
        ("/github", PING, signed("github", PING, KEY)),
        ("/github", PING, {}),
        ("/slack", hello, signed("slack", hello, KEY, at=datetime.fromtimestamp(1_763_000_000, UTC))),
        ("/", b"x" * 1_200_000, {"X-Event": "push"}),
    ]
    if handler == "publisher":
        return [request(body, proxy=None, mount=mount, headers=[*sent.items()]) for mount, body, sent in kinds]
    sent = [webhook(body, mount=mount, headers=headers, attempt=9) for mount, body, headers in kinds]
    aside = sqs_event(webhook(headers={"X-Event": "push"}))
    aside["Records"][0]["body"], attribute = message.write(webhook(headers={"X-Event": "push"}), "a-key")
    aside["Records"][0]["messageAttributes"][message.ATTRIBUTE]["stringValue"] = attribute
    garbage = sqs_event(webhook())
    garbage["Records"][0]["messageAttributes"] = {}
    return [sqs_event(*sent[:-1]), sqs_event(sent[-1]), aside, garbage, {"probe": True}]


def run(handler: str, folder: Path, variables: dict[str, str], aws: str, lambdas: Path) -> Any:
    """Let a function handle its events, with what it has and Lambda's packages. Return its answers, and the modules for
    which it looked in vain."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    place = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": aws}
    given = json.dumps([handler, {**variables, **credentials, **place}, events(handler)])
    ended = isolated.run(RUN, folder, lambdas, stdin=given)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


WAYS = [(handler, direct) for handler in HANDLERS for direct in (True, False) if handler != "publisher" or not direct]


@pytest.mark.slow(6)
@pytest.mark.parametrize(("handler", "direct"), WAYS)
def test_a_packed_function_misses_no_module_in_all_that_it_does(
    handler: str, direct: bool, aws: str, lambdas: Path, tmp_path: Path
) -> None:
    answers = []
    for folder, variables in functions(handler, tmp_path, aws, direct=direct):
        told, missing = run(handler, folder, variables, aws, lambdas)
        packed = {path.name.removesuffix(".py") for path in folder.iterdir()}
        assert [name for name in missing if name.partition(".")[0] in packed] == []
        answers += told
    assert not [answer for answer in answers if isinstance(answer, str)]
    if handler == "publisher":
        # A handshake, what is queued or dropped, what is unsigned, and the endpoints of the other functions.
        assert {answer["statusCode"] for answer in answers} == {200, 202, 401, 503}
        assert "queued" not in str(answers)
