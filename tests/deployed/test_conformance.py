"""``scalable-webhook conformance`` as a whole: against a local AWS, and against an emulator that a profile leads to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scalable_webhook_cli import cdk
from scalable_webhook_cli.conformance.cases import CASES
from scalable_webhook_cli.conformance.cases.locally import LOCALLY
from scalable_webhook_cli.conformance.world import STACK
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.emulator import Emulator

from ..apps import ROOT
from ..suite.patience import SECONDS

# The command and the app are those of this checkout.
PATHS = {"PYTHONPATH": str(ROOT / "src")}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Return a local AWS for these tests alone, in which nothing else is deployed."""
    with emulators.running() as emulator:
        yield emulator


def conformance(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scalable_webhook_cli", "conformance", *options],
        env=os.environ | PATHS | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def left(emulator: Emulator) -> list[str]:
    """Return what a run has left."""

    def names(service: str, operation: str, key: str, name: str) -> list[str]:
        pages = emulator.client(service).get_paginator(operation).paginate()
        found = [each[name] if name else each for page in pages for each in page.get(key, [])]
        return [each for each in found if STACK.lower() in each.lower()]

    return [
        *names("sqs", "list_queues", "QueueUrls", ""),
        *names("dynamodb", "list_tables", "TableNames", ""),
        *names("logs", "describe_log_groups", "logGroups", "logGroupName"),
        *names("lambda", "list_functions", "Functions", "FunctionName"),
        *names("apigateway", "get_rest_apis", "items", "name"),
        *(
            bucket["Name"]
            for bucket in emulator.client("s3").list_buckets()["Buckets"]
            if STACK.lower() in bucket["Name"]
        ),
    ]


def at_each_endpoint(rows: list[dict[str, Any]], status: str) -> set[tuple[str, str]]:
    return {(row["case"], row["ingress"]) for row in rows if row["status"] == status}


@pytest.mark.slow(80)
def test_the_local_aws_does_what_is_expected_but_for_what_is_known(emulator: Emulator) -> None:
    run = conformance("--json", SCALABLE_WEBHOOK_HOME=str(emulator.home))
    rows = json.loads(run.stdout)["rows"]
    assert [row for row in rows if row["status"] in ("differs", "failed")] == [], run.stdout
    assert run.returncode == 0, run.stderr
    assert [(row["case"], row["ingress"]) for row in rows] == [(case.id, at) for case in CASES for at in case.expected]
    known = {(id, ingress) for id, each in LOCALLY.items() for ingress in each}
    assert at_each_endpoint(rows, "known") == known
    unknown = {(case.id, at) for case in CASES for at, expected in case.expected.items() if expected is None}
    assert at_each_endpoint(rows, "recorded") == unknown
    assert left(emulator) == []


@pytest.mark.slow(40)
def test_a_profile_leads_to_another_aws_and_the_report_has_no_key(emulator: Emulator, tmp_path: Path) -> None:
    lines = [f"endpoint_url = {emulator.endpoint}", "region = eu-west-1"]
    lines += [f"{name} = {emulator.key}" for name in ("aws_access_key_id", "aws_secret_access_key")]
    (tmp_path / "config").write_text("\n".join(["[profile other]", *lines]))
    variables = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_HOME": str(tmp_path),
        # No local AWS runs there.
        "SCALABLE_WEBHOOK_HOME": str(tmp_path / "home"),
    }
    options = ["--profile", "other", "--yes", "--json", "--only", "path", "--only", "access", "--only", "logs"]

    run = conformance(*options, **variables)
    assert run.returncode == 1
    assert f"run: cdk bootstrap aws://{emulator.account}/eu-west-1" in run.stderr

    bootstrap = ["bootstrap", f"aws://{emulator.account}/eu-west-1"]
    cdk.run(tmp_path, bootstrap, cdk.environment(PATHS | variables | {"AWS_PROFILE": "other"}, without=()))
    run = conformance(*options, **variables)
    told = json.loads(run.stdout)
    assert run.returncode == 0, (run.stderr, told["rows"])
    assert (told["aws"], told["region"]) == ("local", "eu-west-1")
    assert {row["case"].partition(".")[0] for row in told["rows"]} == {"path", "access", "logs"}
    assert "0.25 USD" in run.stderr
    assert emulator.key not in run.stdout
    assert emulator.account not in run.stdout
    assert left(emulator.within("eu-west-1")) == []
