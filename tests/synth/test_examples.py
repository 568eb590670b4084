"""The examples as a user gets them: their templates are the reviewed ones."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/cdk.json"))


class TemplateExtension(JSONSnapshotExtension):
    """Write one readable file a template. It has no hash of an asset, since each line of run-time code changes it."""

    file_extension = "template.json"

    def serialize(self, data: Any, **options: Any) -> str:
        return re.sub(r"\b[0-9a-f]{64}\b", "ASSET", str(super().serialize(data, **options)))


def templates(name: str) -> dict[str, Any]:
    """Return the templates of an example by stack."""
    assembly = runpy.run_path(str(EXAMPLES / name / "app.py"))["app"].synth()
    return {stack.stack_name: stack.template for stack in assembly.stacks}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_synthesises_without_a_warning(name: str) -> None:
    """`cdk synth --strict` requires that."""
    assembly = runpy.run_path(str(EXAMPLES / name / "app.py"))["app"].synth()
    assert [message.entry.data for stack in assembly.stacks for message in stack.messages] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_template_is_the_reviewed_one(name: str, snapshot: SnapshotAssertion) -> None:
    assert templates(name) == snapshot(extension_class=TemplateExtension)


def test_there_are_examples() -> None:
    assert {"hello", "direct", "postgres", "python_handler"} <= set(NAMES)


def test_the_tests_of_the_example_with_a_handler_pass() -> None:
    folder = EXAMPLES / "python_handler" / "handler"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "-c", os.devnull],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
