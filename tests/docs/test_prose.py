"""The linter of prose finds each kind of fault and its place, and suggests a fix."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT

NPM = ROOT / ".venv" / "npm"
pytestmark = pytest.mark.skipif(not (NPM / ".ready").exists(), reason="make environment installs textlint")

LONG = " ".join(["word"] * 31)
# A line of a page, the rule, and a part of the message, which is empty for a good line.
LINES = [
    ("The door is open.", "words", "use “endpoint or ingress”"),
    ("It takes a queue that was brought.", "words", "use “existing”"),
    ("Mend the secret.", "words", "use “Fix”"),
    ("Five is all that it bears.", "words", "use “can handle”"),
    ("The reason is an attribute of the dead letter.", "words", "use “message of the dead-letter queue”"),
    ("The batch comes back later.", "words", "use “is retried”"),
    ("The webhook comes\nagain.", "words", "use “is retried”"),
    ("The queue refuses it.", "words", "use “reject"),
    ("The page lists each refusal.", "words", "“error”"),
    ("It was refused.", "words", "for the noun” instead"),
    ("Nobody looks.", "words", "use “No one”"),
    ("The batch is under way.", "words", "use “in flight”"),
    ("It survives a fail-over.", "words", "use “failover”"),
    ("A secret of no worth.", "words", "use “test”"),
    ("The value shall be positive.", "words", "use “must”"),
    ("It runs on javascript.", "words", "use “JavaScript”"),
    ("What is signed is stored.", "opening", "begin with a noun"),
    ("- **Who prefers order** takes a FIFO queue.", "opening", "begin with a noun"),
    ("It is over. Whatever is sent is stored.", "opening", "begin with a noun"),
    ("# Where to read on", "opening", "begin with a noun"),
    ("| argument | what it does |\n| --- | --- |", "opening", "begin with a noun"),
    (f"A sentence of {LONG}.", "length", "split it"),
    (f"| {LONG} | cell |\n| --- | --- |", "length", "split it"),
    ("# What is signed?", "", ""),
    ("Where a queue is FIFO, batches run in order.", "", ""),
    ("`door` and `shall` are code.", "", ""),
    ("[Text](https://example.com/door) is what counts.", "", ""),
    (f"Code is one word: `{LONG}`.", "", ""),
    ("An id has 128 letters and digits.", "", ""),
    ("```text\nWhat is in a door is no prose.\n```", "", ""),
]
MODULE = '''"""What is a docstring."""

limit = 3  # nobody asks
# A comment of two lines shall
# be read as one sentence.


def check(name: str) -> None:
    """Check it.

    The door is mended.
    """
    if name:
        raise ValueError(f"{name} must not be refused")
    raise ValueError("door")
'''


def prose(*files: Path) -> tuple[int, list[str]]:
    """Return the exit status and the output."""
    run = subprocess.run(
        [sys.executable, "-m", "prose", *map(str, files)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return run.returncode, run.stdout.splitlines()


def test_each_kind_of_fault_is_found_in_its_line(tmp_path: Path) -> None:
    pages = {tmp_path / f"{number}.md": line for number, line in enumerate(LINES)}
    for page, (line, _, _) in pages.items():
        page.write_text(f"# A page\n\n{line}\n")
    status, said = prose(*pages)
    assert status == 1
    for page, (line, rule, remedy) in pages.items():
        own = [each for each in said if each.startswith(f"{page}:")]
        assert [each.startswith(f"{page}:3: ") and remedy in each for each in own] == [True] * bool(rule), line
        assert [each.endswith(f"[{rule}]") for each in own] == [True] * bool(rule), own


def test_a_page_without_a_fault_passes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\nThe queue keeps the message.\n")
    assert prose(page) == (0, [])


def test_a_module_is_read_for_docstrings_comments_and_errors(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE)
    status, said = prose(module)
    assert status == 1
    found = {tuple(each.removeprefix(f"{module}:").split(": ")[0::9]) for each in said}
    assert {int(line) for (line,) in found} == {1, 3, 4, 11, 14, 15}


@pytest.mark.slow(20)
def test_the_pages_have_no_fault() -> None:
    """Lint the pages as `make check` does."""
    assert prose() == (0, [])
    assert "$(BIN)/python -m prose\n" in (ROOT / "Makefile").read_text()
