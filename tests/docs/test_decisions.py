"""Each decision has a number, a date and a status, and the index lists it."""

import re
from datetime import date
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "decisions"
FILES = sorted(file for file in FOLDER.glob("*.md") if file.name != "README.md")
HEAD = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n\n"
    r"Date: (?P<date>[\d-]+)(, amended (?P<amended>[\d-]+))?\. Status: (?P<status>accepted|superseded by .+?)"
    r"(; .+)?\.\n"
)


def test_each_decision_has_the_number_of_its_file_a_date_and_a_status() -> None:
    assert FILES
    for number, file in enumerate(FILES, 1):
        head = HEAD.match(file.read_text())
        assert head is not None, file.name
        assert int(head["number"]) == number == int(file.name[:4]), file.name
        assert date.fromisoformat(head["date"]) <= date.fromisoformat(head["amended"] or head["date"]), file.name


def test_the_index_lists_each_decision_in_order() -> None:
    rows = []
    for file in FILES:
        head = HEAD.match(file.read_text())
        assert head is not None
        rows.append(f"| {head['number']} | [{head['title']}]({file.name}) | {head['date']} | {head['status']} |")
    index = (FOLDER / "README.md").read_text()
    assert [line for line in index.splitlines() if re.match(r"\| \d", line)] == rows
