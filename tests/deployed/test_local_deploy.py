"""Deploy apps of users to the local AWS: with unsupported resources, RDS databases and nested stacks."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest
from postgres_server import DATABASE, USER, PostgresServer

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.databases import Server
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import wait_for
from webhook_runtime.contract.table import create_table

from ..docs.pages import ROOT, fences
from ..signers import BODY, KEY, stripes
from ..sinks import mariadb_server
from ..sinks.mariadb_server import MariaDbServer
from ..suite.patience import SECONDS, http


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server.running() as server:
        yield server


def app(folder: Path, program: str) -> Path:
    (folder / "app.py").write_text(program)
    (folder / "cdk.json").write_text('{"app": "python3 app.py"}')
    return folder


@pytest.mark.slow(40)
@pytest.mark.smoke
def test_the_app_of_the_readme_stores_into_a_postgres_of_this_machine(
    emulator: Emulator, postgres: PostgresServer, tmp_path: Path
) -> None:
    (program,) = (fence.text for fence in fences(ROOT / "README.md") if "rds.DatabaseInstance(" in fence.text)
    folder = app(tmp_path, program)
    told: list[str] = []
    of_cdk_init = ["@aws-cdk/aws-ec2:restrictDefaultSecurityGroup=true"]
    deploy(emulator, folder, context=of_cdk_init, tell=told.append)
    left_out = [line for line in told if line.startswith("left out")]
    assert left_out == [
        "left out, since the local AWS does not support or need it: "
        "1 x AWS::EC2::EIP, 1 x AWS::EC2::NatGateway, 1 x AWS::EC2::SecurityGroupIngress, "
        "1 x AWS::Lambda::Function, 1 x Custom::VpcRestrictDefaultSG"
    ]
    assert [line.split(": its ")[0] for line in told if line not in left_out] == ["Orders/Webhook"]

    emulator.client("secretsmanager").create_secret(Name="stripe", SecretString=KEY)
    server = Server("postgres", "127.0.0.1", postgres.port, USER, postgres.password, DATABASE)
    told.clear()
    (webhook,) = deploy(emulator, folder, context=of_cdk_init, servers=[server], tell=told.append)
    assert told == left_out
    for _ in range(2):
        signed = {"Content-Type": "application/json", **stripes(BODY, time.time(), webhook.url)}
        assert http.post(webhook.url, content=BODY, headers=signed).status_code == 202
    forged = {"Content-Type": "application/json", **stripes(BODY + b" ", time.time(), webhook.url)}
    http.post(webhook.url, content=BODY.replace(b"evt_1", b"evt_2"), headers=forged)

    def rows() -> list[tuple[str, bytes]]:
        if postgres.query("SELECT to_regclass('webhooks')") == [[None]]:
            return []
        return [(id, payload) for id, payload in postgres.query("SELECT id, payload FROM webhooks")]

    queue = emulator.client("sqs")
    (url,) = (url for url in queue.list_queues()["QueueUrls"] if "Orders-WebhookQueue" in url)
    counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def waiting() -> int:
        attributes = queue.get_queue_attributes(QueueUrl=url, AttributeNames=counted)["Attributes"]
        return sum(map(int, attributes.values()))

    assert wait_for(lambda: bool(rows()) and waiting() == 0, SECONDS)
    assert rows() == [("evt_1", BODY)]
    (function,) = (
        found
        for page in emulator.client("lambda").get_paginator("list_functions").paginate()
        for found in page["Functions"]
        if "WEBHOOK_DATABASE_HOST" in found.get("Environment", {}).get("Variables", {})
        and found["FunctionName"].startswith("Orders-")
    )
    assert postgres.password not in json.dumps(function)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDbServer]:
    if reason := mariadb_server.missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        server = MariaDbServer(Path(folder))
        yield server
        server.stop()


@pytest.mark.slow(20)
def test_a_consumer_that_would_sign_in_by_iam_stores_into_a_mariadb_of_this_machine(
    emulator: Emulator, mariadb: MariaDbServer, tmp_path: Path
) -> None:
    (page,) = (fence.text for fence in fences(ROOT / "docs/sinks/mysql.md") if "iam_user=" in fence.text)
    table = f"{mariadb_server.DATABASE}.webhooks"
    mariadb.query(create_table("mysql", table))
    named = Server("mysql", "127.0.0.1", mariadb.port, mariadb_server.USER, mariadb.password, mariadb_server.DATABASE)
    (webhook,) = deploy(emulator, app(tmp_path, page.replace('"Orders"', '"MySql"')), servers=[named])
    id = http.post(webhook.url, content=b"hello").json()["id"]
    rows = f"SELECT id, payload FROM {table}"
    assert wait_for(lambda: bool(mariadb.query(rows)), SECONDS)
    assert mariadb.query(rows) == [(id.encode(), b"hello")]


NESTED = """
from aws_cdk import Annotations, App, NestedStack, Stack, Stage
from aws_cdk import aws_ec2 as ec2
from cdk_scalable_webhook import ScalableWebhook

app = App()
outer = Stack(app, "Outside")
inner = NestedStack(outer, "In")
ScalableWebhook(inner, "Middle")
deep = NestedStack(inner, "Deep")
ec2.CfnEIP(deep, "Address")
ScalableWebhook(deep, "Innermost")
ScalableWebhook(NestedStack(Stack(Stage(app, "Dev"), "Staged"), "In"), "Webhook")
Annotations.of(outer).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
"""


@pytest.mark.slow(25)
@pytest.mark.usefixtures("urls")  # another app, whose webhooks must not be listed
def test_the_webhooks_of_an_app_are_found_in_its_nested_stacks(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = app(tmp_path, NESTED)
    # A failed template is uploaded, and its edited version must not be taken for the same.
    with monkeypatch.context() as nothing_known:
        nothing_known.setattr("scalable_webhook_cli.local.deploy.known_types", lambda: None)
        with pytest.raises(CliError, match="AWS::EC2::EIP"):
            deploy(emulator, folder)
    told: list[str] = []
    found = deploy(emulator, folder, tell=told.append)
    assert sorted(webhook.name for webhook in found) == [
        "Dev/Staged/In/Webhook",
        "Outside/In/Deep/Innermost",
        "Outside/In/Middle",
    ]
    for webhook in found:
        assert http.post(webhook.url, content=b"hello").status_code == 202
    warning, left_out = told
    assert warning.startswith("warning: Dev/Staged/In/Webhook: source should name the provider")
    assert warning.endswith("[cdk-scalable-webhook:missingSource]")
    assert left_out == "left out, since the local AWS does not support or need it: 1 x AWS::EC2::EIP"
