"""The commands of docs/tested.md exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"^\| `((?:pytest|make) [^`]+)` \|", (ROOT / "docs" / "tested.md").read_text(), re.MULTILINE)
TARGETS = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_there_is_something_to_check() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_the_files_and_targets_of_a_command_exist(command: str) -> None:
    program, *names = command.split()
    assert [name for name in names if not (ROOT / name).exists() and name not in TARGETS] == [], program


def test_the_page_lists_every_folder_of_tests() -> None:
    told = {name.split("/")[1] for command in COMMANDS for name in command.split() if name.startswith("tests/")}
    folders = {folder.name for folder in (ROOT / "tests").iterdir() if any(folder.glob("test_*.py"))}
    assert folders <= told
