"""Every code block of README.md and docs/ works as described."""

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.cx_api import CloudAssembly, CloudFormationStackArtifact
from platformdirs import user_cache_path
from postgres_server import DATABASE, USER, PostgresServer

from cdk_scalable_webhook import Sink
from scalable_webhook_cli.local.emulator import Emulator, down, running
from scalable_webhook_cli.observe import wait_for

from .. import signed
from ..suite.patience import SECONDS
from .commands import check, shown
from .pages import PAGES, ROOT, Fence, every_fence, fences, links, write_files

FENCES = list(every_fence())
LANGUAGES = {"bash", "js", "json", "python", "sh", "sql", "text"}


def each(fences: list[Fence]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fence", fences, ids=str)


def of(language: str) -> list[Fence]:
    return [fence for fence in FENCES if fence.language == language]


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change into the folder of the page."""
    page = request.getfixturevalue("page") if "page" in request.fixturenames else request.getfixturevalue("fence").page
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server.running(max_connections=20) as server:
        yield server


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_has_a_language_that_is_tested(page: Path) -> None:
    known = fences(page)
    assert [(str(fence), fence.language) for fence in known if fence.language not in LANGUAGES] == []
    # A block that is indented, or whose title has another form, would not be tested.
    assert len(re.findall(r"^\s*```", page.read_text(), re.MULTILINE)) == 2 * len(known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name} links to {link}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of headings, which code hosts and the site derive in the same way."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each([fence for fence in FENCES if fence.is_program])
def test_a_program_synthesises_to_a_webhook(fence: Fence, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "app.py"
    file.write_text(fence.text)
    made = stacks(runpy.run_path(str(file))["app"].synth())
    assert any("AWS::SQS::Queue" in str(stack.template) for stack in made)
    assert any("AWS::Lambda::EventSourceMapping" in str(stack.template) for stack in made)
    errors = [message.entry.data for stack in made for message in stack.messages if message.level.name == "ERROR"]
    assert errors == []
    # The output is in the comment next to the call.
    said = re.findall(r"^print\(.*\)  # ([\w ]+)", fence.text, re.MULTILINE)
    assert capsys.readouterr().out.splitlines()[: len(said)] == said


def stacks(assembly: CloudAssembly) -> list[CloudFormationStackArtifact]:
    """Return the stacks, including those of stages."""
    nested = [stack for stage in assembly.nested_assemblies for stack in stacks(stage.nested_assembly)]
    return [*assembly.stacks, *nested]


@each([fence for fence in FENCES if fence.language == "python" and fence.title and not fence.is_quotation])
def test_a_python_file_compiles(fence: Fence) -> None:
    compile(fence.text, fence.title, "exec")


@each([fence for fence in FENCES if fence.has_tests])
def test_the_tests_of_a_page_pass(fence: Fence, folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", fence.title or "app.py"],
        env={**environment(folder), "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@each([fence for fence in FENCES if fence.is_quotation])
def test_a_quotation_is_in_the_file(fence: Fence) -> None:
    file = (ROOT / fence.title).read_text()
    found = 0
    for part in re.split(r"^.*…\n", fence.text, flags=re.MULTILINE):
        found = file.find(part, found)
        assert found >= 0, f"{fence.title} does not have, or not there:\n{part}"


@each(of("json"))
def test_a_json_block_is_valid(fence: Fence) -> None:
    json.loads(fence.text)


@each(of("js"))
def test_node_parses_a_javascript_file(fence: Fence, folder: Path) -> None:
    node = shutil.which("node", path=environment(folder)["PATH"])
    assert node
    run = subprocess.run([node, "--check", fence.title], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@each([fence for fence in of("sql") if fence.text.startswith("CREATE TABLE")])
def test_the_table_is_that_of_the_sink(fence: Fence) -> None:
    secret = secretsmanager.Secret(Stack(App(), "Stack"), "Secret")
    makers = Sink.postgres, Sink.mysql
    assert fence.text in [make(host="h", database_name="d", secret=secret).create_table_statement for make in makers]


@each([fence for fence in of("sql") if not fence.text.startswith("CREATE TABLE")])
def test_postgres_runs_a_statement(fence: Fence, postgres: PostgresServer) -> None:
    secret = secretsmanager.Secret(Stack(App(), "Stack"), "Secret")
    table = Sink.postgres(host="h", database_name="d", secret=secret).create_table_statement
    connection = postgres.connect()
    try:
        for statement in ["BEGIN", table, *filter(str.strip, fence.text.split(";")), "ROLLBACK"]:
            connection.run(statement)
    finally:
        connection.close()


@each(of("bash"))
def test_a_command_that_is_only_shown_exists(fence: Fence) -> None:
    commands = list(shown(fence.text))
    assert commands, "a bash block has commands"
    for command in commands:
        check(command)


class SharedAws:
    """One local AWS for all pages but those about its start and end.

    It is empty for each page, except for the CDK's bootstrap stack.
    """

    # Pages end with `down`. Without this function, the next page would have to start it again.
    prelude = """
scalable-webhook() {
  if [ "$*" = "local down" ]; then echo "local AWS stopped"; else command scalable-webhook "$@"; fi
}
"""

    def __init__(self, emulator: Emulator) -> None:
        self.home = emulator.home
        self._emulator = emulator
        self._toolkit: str | None = None
        self._cloudformation = emulator.client("cloudformation")

    def empty(self) -> None:
        with suppress(self._cloudformation.exceptions.ClientError):  # not bootstrapped yet
            self._toolkit = self._cloudformation.get_template(StackName="CDKToolkit")["TemplateBody"]
        signed.call(self._emulator.key, "POST", f"{self._emulator.endpoint}/_ministack/reset").raise_for_status()
        if self._toolkit:
            self._cloudformation.create_stack(StackName="CDKToolkit", TemplateBody=self._toolkit)
            assert wait_for(lambda: self._status() == "CREATE_COMPLETE", SECONDS), self._status()

    def _status(self) -> str:
        return str(self._cloudformation.describe_stacks(StackName="CDKToolkit")["Stacks"][0]["StackStatus"])


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[SharedAws]:
    with running() as emulator:
        yield SharedAws(emulator)


# Pages whose commands start and end a local AWS.
WITH_ITS_OWN = {"README.md", "docs/index.md", "docs/local-aws.md"}
SMOKE = {"README.md", "docs/recipes/github-into-python.md"}


def with_commands() -> Iterator[Any]:
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        if any(fence.language == "sh" for fence in fences(page)):
            marks = [pytest.mark.slow(10), *([pytest.mark.smoke] if name in SMOKE else [])]
            yield pytest.param(page, marks=marks, id=name)


@pytest.mark.parametrize("page", with_commands())
def test_the_commands_of_a_page_work_as_described(page: Path, folder: Path, request: pytest.FixtureRequest) -> None:
    blocks = fences(page)
    commands = [fence for fence in blocks if fence.language == "sh"]
    said = [folder / f".said-{fence.line}" for fence in commands]
    # One shell for all blocks: each one sees the variables of those before it.
    script = "\n".join(f"exec > {file.name}\n{fence.text}" for fence, file in zip(commands, said, strict=True))
    variables = environment(folder)
    if str(page.relative_to(ROOT)) not in WITH_ITS_OWN:
        shared: SharedAws = request.getfixturevalue("shared_aws")
        shared.empty()
        script = shared.prelude + script
        variables["SCALABLE_WEBHOOK_HOME"] = str(shared.home)
    if "curl " in script and not shutil.which("curl", path=variables["PATH"]):
        pytest.skip("the page sends by curl, and there is none")
    if "$PG" in script or "psql" in script:
        variables |= postgres_variables(request.getfixturevalue("postgres"), variables["PATH"])
    with (folder / ".errors").open("w+") as errors:
        run = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            run.wait(SECONDS)
        except subprocess.TimeoutExpired:
            # The outcome of the webhooks explains why a wait failed.
            look = ["scalable-webhook", "logs", "--verbose"]
            errors.write(subprocess.run(look, env=variables, capture_output=True, text=True, check=False).stdout)
            errors.flush()
        finally:
            # End the shell and its background processes by their session. A command that still starts a local AWS ends
            # it on an interrupt.
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(run.pid, signal.SIGINT)
                run.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            down(folder / "local-aws")
    told = "\n".join(file.read_text() for file in [*said, folder / ".errors"] if file.exists())
    assert run.returncode == 0, told
    for fence, file in zip(commands, said, strict=True):
        following = blocks[blocks.index(fence) + 1 :][:1]
        if following and following[0].language == "text":
            assert re.fullmatch(pattern(following[0].text), file.read_text().strip(), re.DOTALL), told


def pattern(text: str) -> str:
    """Return the pattern of a command's output. An ellipsis stands for any text."""
    return re.escape(text.strip()).replace("…", ".*?")


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with an empty home, and a local AWS of its own."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "SCALABLE_WEBHOOK_HOME": str(folder / "local-aws"),
        # Do not unpack it again for each home.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(user_cache_path("aws") / "jsii" / "package-cache"),
    }


def postgres_variables(server: PostgresServer, path: str) -> dict[str, str]:
    """Return the variables by which psql and libpq find the server."""
    return {
        "PATH": os.pathsep.join([path, str(server.programs)]),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": USER,
        "PGPASSWORD": server.password,
        "PGDATABASE": DATABASE,
    }
