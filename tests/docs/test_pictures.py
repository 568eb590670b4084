"""The picture of a terminal in README.md shows the commands of examples/desk.py, and each of them exists."""

import html
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pictures
import pytest
from desk import COMMANDS

from ..suite.patience import SECONDS
from .commands import check
from .pages import ROOT

PICTURE = ROOT / "docs" / "pictures" / "desk.svg"
# More of them would not fit on a screen, and a README is read on a phone.
LINES, BYTES = 30, 100_000


def screen(picture: Path) -> list[str]:
    """Return the lines of the terminal. Rich has a text for each style of a line, at the height of the line."""
    lines: dict[float, str] = {}
    for text in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text"):
        if "clip-path" in text.attrib:
            height = float(text.attrib["y"])
            column = round(float(text.attrib["x"]) / 12.2)
            lines[height] = lines.get(height, "").ljust(column) + html.unescape(text.text or "").replace("\xa0", " ")
    return [line.rstrip() for _, line in sorted(lines.items())]


def holds(picture: Path) -> None:
    """Hold that a picture shows each command, and what became of the webhooks."""
    shown = screen(picture)
    assert [line.removeprefix("$ ") for line in shown if line.startswith("$ ")] == [*COMMANDS]
    assert max(map(len, shown)) <= pictures.COLUMNS
    assert len(shown) <= LINES
    assert picture.stat().st_size < BYTES
    told = "\n".join(shown)
    for outcome in (
        r"^202 evt_\w+: stored$",
        r"^202 evt_\w+: dead-lettered: Permanent: no customer$",
        r"^401: The signature in Stripe-Signature does not match the payload\.$",
        r"^\d\d:\d\d:\d\d +stored +evt_\w+ +attempt 1$",
        r"^\d\d:\d\d:\d\d +dead-lettered +evt_\w+ +Permanent: no customer$",
        r"^\d\d:\d\d:\d\d +rejected ",
        r"^1 in the dead-letter queue of Shop/Webhook, ",
    ):
        assert re.search(outcome, told, re.MULTILINE), told


def test_the_picture_shows_each_command_and_its_outcome() -> None:
    holds(PICTURE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_picture_exists(command: str) -> None:
    check(command)


def test_the_readme_tells_what_the_picture_shows() -> None:
    (told,) = re.findall(r"!\[([^]]+)\]\(docs/pictures/desk\.svg\)", (ROOT / "README.md").read_text())
    for command in COMMANDS:
        for word in command.removeprefix("scalable-webhook ").replace("send stripe invoice.paid --", "send --").split():
            assert word in told


def test_every_picture_is_on_a_page() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    told = "\n".join(page.read_text() for page in pages)
    for picture in PICTURE.parent.iterdir():
        assert f"pictures/{picture.name})" in told


@pytest.mark.slow(30)
def test_the_picture_can_be_made_again(tmp_path: Path) -> None:
    picture = tmp_path / "desk.svg"
    run = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "desk.py"), str(picture)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    holds(picture)
