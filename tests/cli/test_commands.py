import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from scalable_webhook_cli import terminal
from scalable_webhook_cli.burst import Report
from scalable_webhook_cli.commands import app
from scalable_webhook_cli.commands.sending import show_report
from scalable_webhook_cli.deployed import DeployedEndpoint, DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.target import Target

from ..suite.patience import SECONDS

# Texts with an effect on a terminal, and their printed forms.
SENT = {
    "\x1b]0;title\x07\x1b[2J\x1b[31m": r"\x1b]0;title\x07\x1b[2J\x1b[31m",
    "\x9b31m\x85\x0b\x0c\x1c": r"\x9b31m\x85\x0b\x0c\x1c",
    "over\rwritten \x08\x7f\x00": r"over\rwritten \x08\x7f\x00",
    "\u202eright\u2066to\u200fleft\u061c": r"\u202eright\u2066to\u200fleft\u061c",
    "\u2028a line\u2029a paragraph": r"\u2028a line\u2029a paragraph",
    "\ufeff\u200b\u00ad\U000e0041": r"\ufeff\u200b\xad\U000e0041",
    "\u115f\u1160\u3164\uffa0\u2800": r"\u115f\u1160\u3164\uffa0\u2800",
    "\u034f\u2065\u17b4\u17b5\u180b\u180e\u180f": r"\u034f\u2065\u17b4\u17b5\u180b\u180e\u180f",
    "\ufe00\ufe0f\U000e0000\U000e007f\U000e0100\U000e01ef": r"\ufe00\ufe0f\U000e0000\U000e007f\U000e0100\U000e01ef",
    "\ud800": r"\ud800",
    ":key: :on: :smiley-text:": ":key: :on: :smiley-text:",
    "a\ttab ends\t": "a\ttab ends\t",
    "[red]plain[/] Zoë 🎉 日本 \\x1b": "[red]plain[/] Zoë 🎉 日本 \\x1b",
}


@pytest.mark.parametrize("sent", SENT)
def test_a_name_has_no_effect_in_a_status_line(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=200)
    monkeypatch.setattr(terminal, "errors", screen)
    with terminal.status_line(f"deploying {sent} here"):
        pass
    assert isinstance(screen.file, io.StringIO)
    written = screen.file.getvalue().replace("\t", " ")
    assert " ".join(f"deploying {SENT[sent]} here …".split()) in " ".join(written.split())


def test_text_of_a_client_has_no_effect_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def reject() -> None:
        raise CliError("rejected: \x1b[31m\u202e\nand more")

    monkeypatch.setattr("scalable_webhook_cli.local.emulator.find", reject)
    result = CliRunner().invoke(app, ["local", "status"])
    assert result.stderr == "scalable-webhook: rejected: \\x1b[31m\\u202e\nand more\n"


def test_an_unexpected_error_is_reported_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def reject() -> None:
        raise PermissionError(13, "Permission denied", "state.json")

    monkeypatch.setattr("scalable_webhook_cli.local.emulator.find", reject)
    result = CliRunner().invoke(app, ["local", "status"])
    assert result.exit_code == 1
    assert "Permission denied" in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes these the webhooks of a running local AWS."""

    def deploy(*names: str) -> None:
        endpoints = [DeployedEndpoint(name, name.split("/")[0], f"http://127.0.0.1:9/{name}") for name in names]
        emulator = Emulator(home=tmp_path, endpoint="http://[::1]", processes=())
        monkeypatch.setattr("scalable_webhook_cli.local.emulator.find", lambda: emulator)
        monkeypatch.setattr("scalable_webhook_cli.local.deploy.regions", lambda _: ["us-east-1"])
        monkeypatch.setattr("scalable_webhook_cli.deployed.endpoints", lambda _: endpoints)

    return deploy


def test_the_url_of_the_only_webhook_needs_no_name(deployed: Callable[..., None]) -> None:
    deployed("Hello/Webhook")
    assert CliRunner().invoke(app, ["url"]).stdout == "http://127.0.0.1:9/Hello/Webhook\n"


@pytest.mark.parametrize("name", ["v1:on:x", "[red]/Webhook", "a\tb", "key:key:"])
def test_a_url_is_printed_as_it_is(deployed: Callable[..., None], name: str) -> None:
    deployed(name)
    assert CliRunner().invoke(app, ["url"]).stdout == f"http://127.0.0.1:9/{name}\n"
    shown = CliRunner().invoke(app, ["local", "status"]).stdout
    assert shown.splitlines()[1] == f"{name}  http://127.0.0.1:9/{name}"


@pytest.mark.parametrize("name", SENT)
def test_json_is_valid_and_has_no_effect_on_a_terminal(deployed: Callable[..., None], name: str) -> None:
    deployed(name)
    said = CliRunner().invoke(app, ["url", "--json"]).stdout
    assert json.loads(said) == {"name": name, "url": f"http://127.0.0.1:9/{name}"}
    assert said.isascii()
    assert said[:-1].isprintable()


def test_env_unsets_variables_that_would_override_it(
    deployed: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Run a real shell, and boto3 in it."""
    deployed()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    theirs = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SQS", "AWS_CA_BUNDLE"]
    theirs += ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]
    for name in [*theirs, "AWS_ACCESS_KEY_ID", "AWS_;touch evil;", "OTHER"]:
        monkeypatch.setenv(name, "true")
    printed = CliRunner().invoke(app, ["local", "env"]).stdout
    unset = [line for line in printed.splitlines() if not line.startswith("export ")]
    assert unset == [f"unset {name}" for name in sorted(theirs)]
    assert printed.startswith("\n".join(unset))
    program = "import boto3; print(boto3.client('sqs').meta.endpoint_url)"
    script = f'{printed}\n"$0" -c "$1"; echo "$OTHER"; ls'
    shell = ["sh", "-euc", script, sys.executable, program]
    run = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert run.stdout.split() == ["http://[::1]", "true"]


def test_a_command_starts_without_the_command_line_of_httpx() -> None:
    program = "import sys, scalable_webhook_cli.commands, httpx; print(callable(httpx.main), 'pygments' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert run.stdout.split() == ["True", "False"]


def test_one_of_several_webhooks_has_to_be_named(deployed: Callable[..., None]) -> None:
    deployed("One/Webhook", "Two/Webhook")
    named = CliRunner().invoke(app, ["url", "Two/Webhook"])
    assert named.stdout == "http://127.0.0.1:9/Two/Webhook\n"


@pytest.mark.parametrize(
    ("there", "arguments", "said"),
    [
        ([], [], "no webhook is deployed; deploy one with: scalable-webhook local deploy APP_DIR"),
        (["A/W", "B/W"], [], "which webhook? name one of A/W, B/W"),
        (["A/W"], ["B/W"], "no webhook is called B/W, only A/W"),
    ],
)
def test_an_ambiguous_webhook_is_not_guessed(
    deployed: Callable[..., None], there: list[str], arguments: list[str], said: str
) -> None:
    deployed(*there)
    result = CliRunner().invoke(app, ["url", *arguments])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"scalable-webhook: {said}\n")


def test_a_burst_that_is_not_accepted_as_a_whole_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(sent=3, accepted_ids=["1"], rejected=Counter({504: 2}), seconds=1)
    monkeypatch.setattr("scalable_webhook_cli.burst.send", lambda *_, **__: report)
    result = CliRunner().invoke(app, ["burst", "http://127.0.0.1:9"])
    assert (result.exit_code, "rejected: 2 x 504" in result.stdout) == (1, True)
    assert result.stderr.splitlines()[-1] == (
        "scalable-webhook: 2 of 3 were not accepted; a provider would send them again, and burst does not"
    )


def test_a_report_counts_rejections_and_has_no_time_without_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(Report(sent=5, rejected=Counter({429: 2}), unanswered=Counter(ConnectError=3), seconds=1))
    assert capsys.readouterr().out.splitlines() == [
        "0 of 5 accepted, 5 requests a second",
        "rejected: 2 x 429",
        "no answer: 3 x ConnectError",
    ]


def test_an_app_that_is_not_there_starts_no_local_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(app, ["local", "deploy", str(tmp_path)])
    assert result.exit_code == 1
    assert "has a cdk.json" in result.stderr
    assert not (tmp_path / "home").exists()


def test_a_shell_completes_commands_and_the_names_of_webhooks(
    deployed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("Orders/Webhook", "Refunds/Webhook", "Refunds/Weekly")
    found = [DeployedWebhook(Target(), name, "", "", "") for name in names]
    deployed()
    monkeypatch.setattr("scalable_webhook_cli.deployed.webhooks", lambda _: found)

    def completed(typed: str) -> list[str]:
        asked = {"_SCALABLE_WEBHOOK_COMPLETE": "complete_bash", "COMP_WORDS": typed}
        asked["COMP_CWORD"] = str(typed.count(" "))
        return CliRunner().invoke(app, [], prog_name="scalable-webhook", env=asked).stdout.split()

    assert "pause" in completed("scalable-webhook pa")
    assert completed("scalable-webhook pause Or") == ["Orders/Webhook"]
    for command in ("pause", "logs", "status", "trace evt_1 -w", "send -w"):
        assert completed(f"scalable-webhook {command} ") == list(names)
    # A last part that is the name of one alone.
    assert completed("scalable-webhook pause We") == ["Weekly"]


def test_a_shell_completes_nothing_without_a_local_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scalable_webhook_cli.local.emulator.find", lambda: None)
    asked = {
        "_SCALABLE_WEBHOOK_COMPLETE": "complete_bash",
        "COMP_WORDS": "scalable-webhook pause ",
        "COMP_CWORD": "2",
    }
    result = CliRunner().invoke(app, [], prog_name="scalable-webhook", env=asked)
    assert (result.exit_code, result.output.strip()) == (0, "")


@pytest.mark.parametrize("group", [[], ["local"], ["dead-letters"], ["unverified"]])
def test_the_help_has_a_whole_sentence_for_each_command(group: list[str]) -> None:
    said = CliRunner().invoke(app, [*group, "--help"]).stdout.partition("Commands:")[2]
    assert said.count("\n") > 4
    assert "..." not in said


def test_the_help_tells_where_a_command_goes_and_how_it_ends() -> None:
    said = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    assert "With --profile or --region it talks to an account, and asks before it changes something there." in said
    assert "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted." in said


@pytest.mark.parametrize(
    ("command", "usage"), [("pause", "pause [OPTIONS] [WEBHOOK]"), ("init", "init [OPTIONS] [FOLDER]")]
)
def test_the_usage_has_brackets_around_what_may_be_left_out(command: str, usage: str) -> None:
    assert f"{usage}\n" in CliRunner().invoke(app, [command, "--help"]).stdout
