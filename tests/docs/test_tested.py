"""The commands and cases of docs/tested.md exist."""

import re
from pathlib import Path

import pytest

from scalable_webhook_cli.conformance.cases import CASES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tested.md").read_text()
COMMANDS = re.findall(r"^\| `((?:pytest|make) [^`]+)` \|", PAGE, re.MULTILINE)
GROUPS = sorted({case.id.partition(".")[0] for case in CASES})
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


def test_each_case_that_the_page_names_exists() -> None:
    ids = {case.id for case in CASES}
    named = set(re.findall(rf"`((?:{'|'.join(GROUPS)})\.[a-z0-9.+-]+)`", PAGE))
    assert len(named) > 15
    assert named <= ids


def test_the_page_counts_the_cases() -> None:
    endpoints = sum(len(case.expected) for case in CASES)
    assert f"There are {len(CASES)} cases at {endpoints} places" in PAGE
    assert f"the {len(CASES)} cases that" in PAGE


def test_the_page_shows_the_count_of_a_run() -> None:
    expected = [each for case in CASES if case.id.startswith("path") for each in case.expected.values()]
    known = [each for each in expected if each is not None]
    assert f"{len(expected) - len(known)} recorded: " in PAGE
    assert f"{len(known)} of {len(known)} as expected" in PAGE
