"""Prepare and check a release: a version, a dated section of the changelog and tests/released, under one tag.

    python tools/release.py --prepare 1.2.3              write version and changelog (`make release VERSION=1.2.3`)
    python tools/release.py --tag v1.2.3 --notes FILE    compare a tag with them, and write the notes of the release

It needs the standard library alone, since the release workflow calls it before any installation.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
VERSION = ROOT / "src" / "cdk_scalable_webhook" / "version.py"

UNRELEASED = "Unreleased"
LEVELS = ("patch", "minor", "major")
_NUMBER = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?\n", re.MULTILINE)
_GROUP = re.compile(r"^### (\w+)\n", re.MULTILINE)


class ReleaseError(Exception):
    """The reason why a release is not possible."""


@dataclass(frozen=True)
class Section:
    """The section of a version in the changelog."""

    version: str
    date: str | None
    text: str

    @property
    def groups(self) -> dict[str, str]:
        """The text below each `###`, such as Added, by its name."""
        _, *parts = _GROUP.split(self.text)
        return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}

    @property
    def templates(self) -> dict[str, str]:
        """The changes of templates: the kind of change by the name of the resource."""
        bullets = re.findall(r"^- (.*?): (\w+)", self.groups.get("Templates", ""), re.MULTILINE)
        return {name: became for names, became in bullets for name in re.findall(r"`([^`]+)`", names)}

    def level(self, current: str) -> str:
        """Return the level of the change. Before 1.0.0 a breaking change is a minor version."""
        breaks = "Removed" in self.groups or bool({"removed", "replaced"} & set(self.templates.values()))
        if breaks and not current.startswith("0."):
            return "major"
        return "minor" if breaks or {"Added", "Changed", "Deprecated"} & self.groups.keys() else "patch"


def sections(changelog: str) -> dict[str, Section]:
    """Return the sections of the changelog by version, the newest first."""
    _, *parts = _SECTION.split(changelog)
    found = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {version: Section(version, date, text.strip()) for version, date, text in found}


def current() -> str:
    """Return the version of the package."""
    found = re.search(r'^__version__ = "(.+)"$', VERSION.read_text(), re.MULTILINE)
    assert found
    return found[1]


def next_version(version: str, level: str) -> str:
    """Return the next version for a change of this level."""
    numbers = [int(number) for number in version.split(".")]
    at = 2 - LEVELS.index(level)
    return ".".join(str(number) for number in [*numbers[:at], numbers[at] + 1, *[0] * (2 - at)])


def prepare(version: str) -> None:
    """Give the unreleased changes this version.

    Raises:
        ReleaseError: There is nothing to release, or the changes make another version.
    """
    text = CHANGELOG.read_text()
    known = sections(text)
    unreleased = known[UNRELEASED]
    if not unreleased.groups:
        raise ReleaseError(f"CHANGELOG.md has nothing under [{UNRELEASED}]")
    made = current()
    if made in known:
        made = next_version(made, unreleased.level(made))
    if version != made:
        raise ReleaseError(f"the changes under [{UNRELEASED}] make version {made}, got {version}")
    today = datetime.now(UTC).date()
    heading = f"## [{UNRELEASED}]\n"
    CHANGELOG.write_text(text.replace(heading, f"{heading}\n## [{version}] - {today}\n", 1))
    VERSION.write_text(re.sub(r'(?<=^__version__ = ").+(?="$)', version, VERSION.read_text(), flags=re.MULTILINE))


def notes(tag: str) -> str:
    """Return the notes of the release.

    Raises:
        ReleaseError: The tag is not that of the package's version, or the changelog has no date for it.
    """
    version = current()
    if tag != f"v{version}":
        raise ReleaseError(f"the tag must be v{version}, the version of {VERSION.name}, got {tag}")
    section = sections(CHANGELOG.read_text()).get(version)
    if section is None or section.date is None:
        raise ReleaseError(f"CHANGELOG.md has no section [{version}] with a date; make release VERSION={version}")
    return section.text + "\n"


def main() -> None:
    """Prepare a release, or check its tag."""
    arguments = argparse.ArgumentParser(description="Prepare a release, or compare a tag with it.")
    what = arguments.add_mutually_exclusive_group(required=True)
    what.add_argument("--prepare", metavar="VERSION")
    what.add_argument("--tag")
    arguments.add_argument("--notes", type=Path, help="the file for the notes of the release")
    options = arguments.parse_args()
    try:
        if options.prepare:
            prepare(options.prepare)
        else:
            text = notes(options.tag)
            if options.notes:
                options.notes.parent.mkdir(parents=True, exist_ok=True)
                options.notes.write_text(text)
    except ReleaseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
