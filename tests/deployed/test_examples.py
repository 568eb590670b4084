"""Deploy the examples with the plain CDK CLI, as the README shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scalable_webhook_cli.local.deploy import deploy, destroy, endpoints
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for

from ..suite.patience import SECONDS, http

EXAMPLES = Path(__file__).parents[2] / "examples"
STACKS = {"hello": "Hello", "direct": "Direct"}
TABLES = {"hello": "WebhookTable", "direct": "Orders"}


def cdk(emulator: Emulator, example: str, output: Path, *arguments: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, **emulator.environment(), "PATH": path, "CDK_DISABLE_CLI_TELEMETRY": "true"}
    run = subprocess.run(
        ["cdk", *arguments, "--output", str(output), "--no-notices"],
        cwd=EXAMPLES / example,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.mark.usefixtures("urls")  # it has bootstrapped
@pytest.mark.parametrize("example", STACKS)
@pytest.mark.slow(12)
def test_the_plain_cdk_cli_deploys_and_destroys_an_example(example: str, emulator: Emulator, tmp_path: Path) -> None:
    stack = STACKS[example]
    assert cdk(emulator, example, tmp_path, "ls").splitlines() == [stack]
    assert "AWS::SQS::Queue" in cdk(emulator, example, tmp_path, "synth")
    assert "[+] AWS::SQS::Queue" in cdk(emulator, example, tmp_path, "diff")
    deployed = cdk(emulator, example, tmp_path, "deploy", "--require-approval", "never")
    assert "execute-api" in deployed
    assert "There were no differences" in cdk(emulator, example, tmp_path, "diff")

    (webhook,) = [webhook for webhook in endpoints(emulator) if webhook.stack == stack]
    answer = http.post(f"{webhook.url.rstrip('/')}/hello", content=b"hello", headers={"Idempotency-Key": "one"})
    assert (answer.status_code, answer.json()) == (202, {"id": "one"})
    observed = ObservedWebhook(emulator, stack, "Webhook")
    assert wait_for(lambda: [item["payload"] for item in observed.items(TABLES[example])] == ["hello"], SECONDS)

    cdk(emulator, example, tmp_path, "destroy", "--force")
    assert stack not in {webhook.stack for webhook in endpoints(emulator)}


@pytest.mark.slow(6)
def test_our_own_deploy_and_destroy_do_the_same(emulator: Emulator, urls: dict[str, str]) -> None:
    (webhook,) = deploy(emulator, EXAMPLES / "hello")
    assert (webhook.name, webhook.stack) == ("Hello/Webhook", "Hello")
    assert http.post(webhook.url, content=b"hello").status_code == 202
    assert not (EXAMPLES / "hello" / "cdk.out").exists()

    destroy(emulator, EXAMPLES / "hello")
    left = {webhook.name for webhook in endpoints(emulator)}
    assert "Hello/Webhook" not in left
    assert set(urls) <= left
